use std::path::PathBuf;

use mineseal_counting::CrossingRule;
use mineseal_detector::{Device, InputSize};
use mineseal_domain::{Anchor, Line, ObjectGroup};
use mineseal_tracking::TrackerSettings;

/// Sampled frames in a second of media time, where nothing else is said.
pub const DEFAULT_FRAMES_PER_SECOND: f64 = 10.0;

/// What to count, in what, with what.
#[derive(Clone, Debug, PartialEq)]
pub struct CountSettings {
    /// The video file.
    pub video: PathBuf,
    /// In pixels of the video.
    pub line: Line,
    /// What is counted.
    pub group: ObjectGroup,
    /// Which point of the box crosses.
    pub anchor: Anchor,
    /// Frames taken in a second of media time; a video with fewer gives all it has.
    pub frames_per_second: f64,
    /// The detector's weights, a safetensors file.
    pub weights: PathBuf,
    /// The detector's input; `None` for what the weights suggest.
    pub input: Option<InputSize>,
    /// Where the detectors run.
    pub device: Device,
    /// Detectors that work side by side, a thread each; the results do not depend on it.
    pub threads: usize,
    /// Where to write the video with boxes, tracks, line and running count.
    pub draw: Option<PathBuf>,
    /// How tracks are followed.
    pub tracker: TrackerSettings,
    /// When a track has crossed.
    pub rule: CrossingRule,
}

impl CountSettings {
    /// Everything but video, line, group and weights as it is by default; one thread for each core.
    #[must_use]
    pub fn new(video: PathBuf, line: Line, group: ObjectGroup, weights: PathBuf) -> Self {
        Self {
            video,
            line,
            group,
            anchor: default_anchor(group),
            frames_per_second: DEFAULT_FRAMES_PER_SECOND,
            weights,
            input: None,
            device: Device::Cpu,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            draw: None,
            tracker: TrackerSettings::default(),
            rule: CrossingRule::default(),
        }
    }
}

/// The point that is counted where nothing else is said: people stand on their feet, vehicles are long.
#[must_use]
pub fn default_anchor(group: ObjectGroup) -> Anchor {
    match group {
        ObjectGroup::Person => Anchor::Foot,
        ObjectGroup::Vehicle => Anchor::Centre,
    }
}
