use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow};
use mineseal_scene::{DemoCamera, Scene, Truth, demo_mines, write_video};
use mineseal_schemas::{Camera, Mine};
use mineseal_settings::RegisteredMines;

use crate::commands::mines::now;
use crate::output::note;

/// Renders the clips of the made-up mines that are not in `folder` yet, and registers cameras that play them
/// again and again.
pub(crate) fn render(folder: &Path) -> Result<RegisteredMines> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let mines = demo_mines()?;
    let cameras: Vec<(&DemoCamera, PathBuf)> = mines
        .iter()
        .flat_map(|mine| &mine.cameras)
        .map(|camera| (camera, clip(folder, camera)))
        .collect();
    let missing: Vec<&(&DemoCamera, PathBuf)> = cameras.iter().filter(|(_, path)| !path.exists()).collect();
    render_all(&missing)?;

    let mut registered = RegisteredMines::default();
    for mine in &mines {
        registered.mines.push(Mine {
            code: mine.code.clone(),
            name: mine.name.clone(),
            state: mine.state,
            headcount_limit: mine.headcount_limit,
            shifts: Vec::new(),
            watch_ordered: mine.watch_ordered,
            paused: false,
            changed_at: now(),
            changed_by: "demo".to_owned(),
        });
        for camera in &mine.cameras {
            let scene = Scene::new(camera.script.clone())?;
            registered.cameras.push(Camera {
                code: camera.code.clone(),
                mine: mine.code.clone(),
                name: camera.name.clone(),
                place: camera.place,
                source: clip(folder, camera).display().to_string(),
                credential: None,
                repeat: true,
                sampling: camera.sampling,
                analyses: camera.analyses.clone(),
                lines: scene.lines(),
                regions: scene.regions(),
                changed_at: now(),
            });
        }
    }
    Ok(registered)
}

/// The clip's name holds what it was rendered by, so that another script gives another clip.
fn clip(folder: &Path, camera: &DemoCamera) -> PathBuf {
    let script = &camera.script;
    folder.join(format!(
        "{}-{:016x}-{}.mp4",
        camera.code,
        script.seed,
        env!("CARGO_PKG_VERSION")
    ))
}

fn render_all(missing: &[&(&DemoCamera, PathBuf)]) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let began = Instant::now();
    let total: u64 = missing
        .iter()
        .map(|(camera, _)| camera.script.frame_count())
        .sum();
    let (next, done, told) = (AtomicUsize::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let failed: Mutex<Option<anyhow::Error>> = Mutex::new(None);
    note(format!("rendering {} scenes, {total} pictures", missing.len()));
    let work = || {
        while let Some((camera, path)) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
            let rendered = Scene::new(camera.script.clone()).and_then(|scene| {
                write_video(&scene, path, |_, _| {
                    let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                    let tenth = done * 10 / total;
                    if tenth > told.fetch_max(tenth, Ordering::Relaxed) {
                        note(format!(
                            "[{:>4.0} s] scenes: {}0 %",
                            began.elapsed().as_secs_f64(),
                            tenth
                        ));
                    }
                })
            });
            if let Err(error) = rendered {
                if let Ok(mut failed) = failed.lock() {
                    *failed =
                        Some(anyhow!(error).context(format!("scene {}", Truth::path_of(path).display())));
                }
                return;
            }
        }
    };
    let threads = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(missing.len());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    match failed.into_inner() {
        Ok(None) => Ok(()),
        Ok(Some(error)) => Err(error),
        Err(_) => Err(anyhow!("a rendering thread broke off")),
    }
}
