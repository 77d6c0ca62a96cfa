use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use mineseal_video::{VideoWriter, WriterSettings};
use serde::Serialize;

use crate::{RgbPicture, Scene, SceneError, Truth, TruthHeader};

/// Renders the whole scene into an H.264 clip at `path` and its truth beside it ([`Truth::path_of`]).
///
/// `progress` gets the number of pictures done and of all pictures. The clip appears under its name only when
/// both are whole, and the truth before it: who finds the clip finds the truth.
///
/// # Errors
/// A file cannot be written; the container or FFmpeg refuses the pictures. No clip is left then.
pub fn write_video(scene: &Scene, path: &Path, progress: impl FnMut(u64, u64)) -> Result<(), SceneError> {
    let unfinished = path.with_extension("truth.jsonl.unfinished");
    let done = write(scene, path, &unfinished, progress);
    if done.is_err() && unfinished.exists() {
        // What went wrong first is what the caller must hear.
        fs::remove_file(&unfinished).ok();
    }
    done
}

fn write(
    scene: &Scene,
    path: &Path,
    unfinished: &Path,
    mut progress: impl FnMut(u64, u64),
) -> Result<(), SceneError> {
    let script = scene.script();
    let settings = WriterSettings {
        key_frame_interval: (script.frames_per_second * 2.0).round().max(1.0) as u32,
        // Half the time of `veryfast`, which matters when a demonstration renders a dozen clips.
        preset: "superfast".to_owned(),
        ..WriterSettings::default()
    };
    let refused = |source| SceneError::Video {
        path: path.to_owned(),
        source,
    };
    let mut writer = VideoWriter::create(
        path,
        script.width,
        script.height,
        script.frames_per_second,
        &settings,
    )
    .map_err(refused)?;

    let mut lines = Lines::create(unfinished)?;
    lines.put(&TruthHeader {
        script: script.clone(),
        lines: scene.lines(),
        regions: scene.regions(),
    })?;
    let count = scene.frame_count();
    let mut picture = RgbPicture::default();
    for index in 0..count {
        scene.render(index, &mut picture);
        writer.write_rgb(&picture.data).map_err(refused)?;
        lines.put(&scene.truth(index))?;
        progress(index + 1, count);
    }
    lines.finish(&Truth::path_of(path))?;
    writer.finish().map_err(refused)
}

/// A file of JSON lines that gets its name when it is whole.
struct Lines {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Lines {
    fn create(path: &Path) -> Result<Self, SceneError> {
        let file = File::create(path).map_err(|source| SceneError::File {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            path: path.to_owned(),
            file: BufWriter::new(file),
        })
    }

    fn put(&mut self, value: &impl Serialize) -> Result<(), SceneError> {
        serde_json::to_writer(&mut self.file, value)
            .map_err(std::io::Error::from)
            .and_then(|()| self.file.write_all(b"\n"))
            .map_err(|source| SceneError::File {
                path: self.path.clone(),
                source,
            })
    }

    fn finish(self, name: &Path) -> Result<(), SceneError> {
        let fault = |path: &Path, source| SceneError::File {
            path: path.to_owned(),
            source,
        };
        let file = self
            .file
            .into_inner()
            .map_err(|error| fault(&self.path, error.into_error()))?;
        file.sync_all().map_err(|source| fault(&self.path, source))?;
        fs::rename(&self.path, name).map_err(|source| fault(name, source))
    }
}
