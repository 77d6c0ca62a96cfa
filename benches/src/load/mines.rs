use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use mineseal_scene::{DemoCourse, Scene, SceneKind, SceneScript, Truth, write_video};

/// Clips that are rendered; the mines share them, each starting its own at its own time.
const CLIPS: u64 = 2;

/// What is driven through the pipeline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoadPlan {
    /// Mines with one shaft mouth each, 1 to 999.
    pub mines: u32,
    /// Sampled frames of each camera in a second.
    pub frames_per_second: f64,
    /// Length of each clip in seconds; it is played again and again.
    pub clip_seconds: f64,
}

/// Renders the clips into `folder` and writes the file of mines there.
///
/// # Errors
/// A plan outside its ranges, a clip that cannot be rendered, a folder that cannot be written.
pub fn write_mines(folder: &Path, plan: LoadPlan) -> Result<PathBuf> {
    ensure!(
        (1..=999).contains(&plan.mines),
        "--mines is {}; give 1 to 999",
        plan.mines
    );
    let clips: Vec<PathBuf> = (0..CLIPS.min(u64::from(plan.mines)))
        .map(|number| render(folder, number, plan.clip_seconds))
        .collect::<Result<_>>()?;
    let mut text = String::new();
    for number in 1..=plan.mines {
        let clip = &clips[number as usize % clips.len()];
        let truth = Truth::read(&Truth::path_of(clip))?;
        let line = truth
            .header
            .lines
            .first()
            .context("a shaft mouth without a line")?
            .line;
        write!(
            text,
            r#"
[[mine]]
code = "150602998{number:03}"
name = "负载{number}号煤矿"
headcount_limit = 500
[[mine.camera]]
code = "15060200419996998{number:03}4201"
name = "主井口"
place = 42
source = "{}"
repeat = true
frames_per_second = {:.3}
analyses = ["person_crossing"]
[[mine.camera.line]]
name = "mouth"
from = [{}, {}]
to = [{}, {}]
"#,
            clip.display(),
            plan.frames_per_second,
            line.from.x,
            line.from.y,
            line.to.x,
            line.to.y
        )?;
    }
    let path = folder.join("mines.toml");
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

fn render(folder: &Path, number: u64, seconds: f64) -> Result<PathBuf> {
    let course = DemoCourse::Working { peak_people: 6 };
    let script = SceneScript::demo(SceneKind::ShaftMouth, 700 + number, seconds, course);
    let path = folder.join(format!("shaft-{number}.mp4"));
    write_video(&Scene::new(script)?, &path, |_, _| {})?;
    Ok(path)
}
