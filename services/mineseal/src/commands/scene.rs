use std::fs;

use anyhow::Context;
use mineseal_scene::{Scene, SceneScript, Truth, write_video};

use super::up::render_demo;
use crate::cli::SceneCommand;
use crate::commands::Failure;
use crate::output::note;

pub(crate) fn run(command: &SceneCommand) -> Result<(), Failure> {
    match command {
        SceneCommand::Demo { folder } => {
            let registered = render_demo(folder)?;
            note(format!(
                "{} clips in {}",
                registered.cameras.len(),
                folder.display()
            ));
        }
        SceneCommand::Render { script, video } => {
            let text =
                fs::read_to_string(script).with_context(|| format!("cannot read {}", script.display()))?;
            let script: SceneScript = serde_json::from_str(&text)
                .with_context(|| format!("{} is not a scene script", script.display()))?;
            let scene = Scene::new(script)?;
            write_video(&scene, video, |done, total| {
                if done % 100 == 0 {
                    note(format!("{done} of {total} pictures"));
                }
            })?;
            note(format!(
                "{} and {}",
                video.display(),
                Truth::path_of(video).display()
            ));
        }
    }
    Ok(())
}
