//! Sets of rendered pictures with their truths: rendered once, kept in a cache folder, the same for every
//! run with the same settings.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;

use mineseal_domain::ObjectClass;
use mineseal_scene::{RgbPicture, Scene, SceneKind, SceneScript};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::error::TrainingError;
use crate::layers::{CLASSES, RENDERED_CLASSES};
use crate::truth::Truth;

/// Size of the rendered pictures: that of the frames in the product.
pub(crate) const PICTURE_WIDTH: u32 = 640;
/// Height of the rendered pictures.
pub(crate) const PICTURE_HEIGHT: u32 = 360;
/// JPEG quality of the frames in the product.
const QUALITY: i32 = 75;
/// Seconds of a scene that pictures are taken from.
const SCENE_SECONDS: f64 = 60.0;
/// Objects with less than this share in sight are ignored.
pub(crate) const SMALLEST_VISIBLE_SHARE: f32 = 0.3;
/// Objects lower than this many pixels of the rendered picture are ignored.
pub(crate) const SMALLEST_HEIGHT: f32 = 16.0;
/// Objects narrower than this many pixels of the rendered picture are ignored.
pub(crate) const SMALLEST_WIDTH: f32 = 6.0;

/// Which scenes a set is rendered from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PictureSettings {
    /// Seed of the first scene; the next ones count up from it.
    pub first_seed: u64,
    /// Number of scenes.
    pub scenes: u64,
    /// Pictures from each scene, at random instants.
    pub pictures_per_scene: u64,
}

impl PictureSettings {
    /// Number of pictures in the set.
    #[must_use]
    pub fn pictures(&self) -> u64 {
        self.scenes * self.pictures_per_scene
    }

    /// The kind of the scene with this seed: of every 20 scenes 8 shaft mouths, 7 gates, 3 rooms, 2 belts.
    fn kind(seed: u64) -> SceneKind {
        match seed % 20 {
            0..8 => SceneKind::ShaftMouth,
            8..15 => SceneKind::VehicleGate,
            15..18 => SceneKind::DispatchRoom,
            _ => SceneKind::Belt,
        }
    }
}

/// One rendered picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// What the scene shows.
    pub kind: SceneKind,
    /// Seed of the scene.
    pub seed: u64,
    /// Number of the picture in the scene.
    pub index: u64,
    /// The picture as a frame of the product: JPEG, [`PICTURE_WIDTH`] x [`PICTURE_HEIGHT`].
    pub jpeg: Vec<u8>,
    /// What is on it, in its pixels.
    pub truths: Vec<Truth>,
}

/// A set of rendered pictures.
#[derive(Clone, Debug, PartialEq)]
pub struct PictureSet {
    /// What it was rendered from.
    pub settings: PictureSettings,
    /// The pictures, scene by scene.
    pub pictures: Vec<Picture>,
}

#[derive(Serialize, Deserialize)]
struct Index {
    settings: PictureSettings,
    pictures: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    kind: SceneKind,
    seed: u64,
    index: u64,
    length: usize,
    truths: Vec<Truth>,
}

impl PictureSet {
    /// Takes the set from `folder`, or renders it with `threads` threads and puts it there. A set that was
    /// rendered with another look of the scenes than today's is rendered anew. `progress` is told the number
    /// of scenes done; where it breaks, the set is given up.
    ///
    /// # Errors
    /// A scene that cannot be rendered, a folder that cannot be written.
    pub fn prepare(
        settings: PictureSettings,
        folder: &Path,
        threads: usize,
        progress: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Result<Self, TrainingError> {
        let name = format!(
            "{}-{}-{}",
            settings.first_seed, settings.scenes, settings.pictures_per_scene
        );
        let paths = [
            folder.join(format!("{name}.json")),
            folder.join(format!("{name}.jpegs")),
        ];
        if paths.iter().all(|path| path.exists()) {
            let set = Self::load(&paths)?;
            let current = render_scene(settings.first_seed, settings.pictures_per_scene)?;
            if set.settings == settings && set.pictures.get(..current.len()) == Some(&current[..]) {
                return match progress(settings.scenes) {
                    ControlFlow::Continue(()) => Ok(set),
                    ControlFlow::Break(()) => Err(TrainingError::BrokenOff),
                };
            }
            tracing::info!(folder = %folder.display(), "the scenes look different now: rendering them anew");
        }
        let set = Self::render(settings, threads, progress)?;
        fs::create_dir_all(folder).map_err(TrainingError::file("create", folder))?;
        set.store(&paths)?;
        Ok(set)
    }

    /// Renders the set.
    ///
    /// # Errors
    /// A scene that cannot be rendered.
    pub fn render(
        settings: PictureSettings,
        threads: usize,
        progress: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Result<Self, TrainingError> {
        let next = AtomicU64::new(0);
        let stopped = AtomicBool::new(false);
        let (sender, finished) = mpsc::channel();
        let work = |sender: mpsc::Sender<_>| {
            while !stopped.load(Ordering::Relaxed) {
                let scene = next.fetch_add(1, Ordering::Relaxed);
                if scene >= settings.scenes {
                    break;
                }
                let pictures = render_scene(settings.first_seed + scene, settings.pictures_per_scene);
                // Nobody listens any more where another scene has failed.
                if sender.send((scene, pictures)).is_err() {
                    break;
                }
            }
        };
        let mut scenes = Vec::new();
        std::thread::scope(|scope| {
            for _ in 0..threads.max(1) {
                let sender = sender.clone();
                scope.spawn(|| work(sender));
            }
            drop(sender);
            for (scene, pictures) in finished {
                scenes.push((scene, pictures?));
                if progress(scenes.len() as u64).is_break() {
                    stopped.store(true, Ordering::Relaxed);
                    return Err(TrainingError::BrokenOff);
                }
            }
            Ok(())
        })?;
        scenes.sort_by_key(|(scene, _)| *scene);
        Ok(Self {
            settings,
            pictures: scenes.into_iter().flat_map(|(_, pictures)| pictures).collect(),
        })
    }

    fn load(paths: &[PathBuf; 2]) -> Result<Self, TrainingError> {
        let damaged = |path: &Path, reason: String| TrainingError::Damaged {
            path: path.to_owned(),
            reason,
        };
        let index = fs::read(&paths[0]).map_err(TrainingError::file("read", &paths[0]))?;
        let index: Index =
            serde_json::from_slice(&index).map_err(|error| damaged(&paths[0], error.to_string()))?;
        let jpegs = fs::read(&paths[1]).map_err(TrainingError::file("read", &paths[1]))?;
        let mut rest = &jpegs[..];
        let mut pictures = Vec::with_capacity(index.pictures.len());
        for Entry {
            kind,
            seed,
            index,
            length,
            truths,
        } in index.pictures
        {
            let Some((jpeg, after)) = rest.split_at_checked(length) else {
                return Err(damaged(&paths[1], "it ends too early".into()));
            };
            rest = after;
            pictures.push(Picture {
                kind,
                seed,
                index,
                jpeg: jpeg.to_vec(),
                truths,
            });
        }
        Ok(Self {
            settings: index.settings,
            pictures,
        })
    }

    fn store(&self, paths: &[PathBuf; 2]) -> Result<(), TrainingError> {
        let entry = |picture: &Picture| Entry {
            kind: picture.kind,
            seed: picture.seed,
            index: picture.index,
            length: picture.jpeg.len(),
            truths: picture.truths.clone(),
        };
        let index = Index {
            settings: self.settings,
            pictures: self.pictures.iter().map(entry).collect(),
        };
        let index = serde_json::to_vec(&index).map_err(|error| TrainingError::Damaged {
            path: paths[0].clone(),
            reason: error.to_string(),
        })?;
        let jpegs: Vec<u8> = self
            .pictures
            .iter()
            .flat_map(|picture| &picture.jpeg)
            .copied()
            .collect();
        // The index goes last: a set without one is rendered again.
        fs::write(&paths[1], jpegs).map_err(TrainingError::file("write", &paths[1]))?;
        fs::write(&paths[0], index).map_err(TrainingError::file("write", &paths[0]))
    }

    /// Objects that count, by class.
    #[must_use]
    pub fn counted_objects(&self) -> [usize; CLASSES.len()] {
        let mut counts = [0; CLASSES.len()];
        for truth in self
            .pictures
            .iter()
            .flat_map(|picture| &picture.truths)
            .filter(|truth| !truth.ignored)
        {
            counts[truth.class] += 1;
        }
        counts
    }
}

/// The class's place in [`CLASSES`]; buses and trains look like nothing that the net knows.
fn class_index(class: ObjectClass) -> Option<usize> {
    CLASSES[..RENDERED_CLASSES]
        .iter()
        .position(|name| *name == class.name())
}

fn render_scene(seed: u64, count: u64) -> Result<Vec<Picture>, TrainingError> {
    let kind = PictureSettings::kind(seed);
    let scene = Scene::new(SceneScript::random(
        kind,
        seed,
        PICTURE_WIDTH,
        PICTURE_HEIGHT,
        SCENE_SECONDS,
    ))?;
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let mut raster = RgbPicture::default();
    let mut pictures = Vec::new();
    for _ in 0..count {
        let index = generator.random_range(0..scene.frame_count().max(1));
        scene.render(index, &mut raster);
        let image = turbojpeg::Image {
            pixels: &raster.data[..],
            width: raster.width as usize,
            pitch: raster.width as usize * 3,
            height: raster.height as usize,
            format: turbojpeg::PixelFormat::RGB,
        };
        let jpeg = turbojpeg::compress(image, QUALITY, turbojpeg::Subsamp::Sub2x2)?.to_vec();
        let truth = scene.truth(index);
        let truths = truth.objects.iter().map(|object| {
            let b = object.bounding_box;
            let unclear = object.visible_share < SMALLEST_VISIBLE_SHARE
                || b.height < SMALLEST_HEIGHT
                || b.width < SMALLEST_WIDTH;
            let class = class_index(object.class);
            Truth {
                class: class.unwrap_or(0),
                bounding_box: b,
                ignored: unclear || class.is_none(),
            }
        });
        let truths = truths.collect();
        pictures.push(Picture {
            kind,
            seed,
            index,
            jpeg,
            truths,
        });
    }
    Ok(pictures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_the_same_from_the_scenes_and_from_the_cache() {
        let folder = tempfile::tempdir().unwrap();
        let settings = PictureSettings {
            first_seed: 3_000,
            scenes: 2,
            pictures_per_scene: 2,
        };
        let rendered =
            PictureSet::prepare(settings, folder.path(), 2, &mut |_| ControlFlow::Continue(())).unwrap();
        assert_eq!(rendered.pictures.len() as u64, settings.pictures());
        assert_eq!(
            PictureSet::prepare(settings, folder.path(), 1, &mut |_| ControlFlow::Continue(())).unwrap(),
            rendered
        );
        fs::write(folder.path().join("3000-2-2.jpegs"), [0_u8; 10]).unwrap();
        let error =
            PictureSet::prepare(settings, folder.path(), 1, &mut |_| ControlFlow::Continue(())).unwrap_err();
        assert!(error.to_string().contains("ends too early"), "{error}");
    }
}
