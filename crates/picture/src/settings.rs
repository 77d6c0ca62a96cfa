use mineseal_domain::HealthCondition;
use serde::{Deserialize, Serialize};

use crate::Threshold;
use crate::judge::Evidence;

/// From when a picture is at fault, by all measures. Defaults of this project, no norm's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PictureSettings {
    /// A fault is reported when it has lasted this long, microseconds.
    pub fault_after_micros: i64,
    /// The same of a cover and of a blurred picture where the camera's view is not known yet, microseconds.
    pub unknown_view_after_micros: i64,
    /// A frozen picture is reported after this long, microseconds: a still scene through a thrifty encoder may
    /// stand for as long as its key frames lie apart.
    pub frozen_after_micros: i64,
    /// The end of a fault is reported when it has been gone this long, microseconds.
    pub normal_after_micros: i64,
    /// A camera is lost when no frame has come for this long, microseconds.
    pub lost_after_micros: i64,
    /// Frames in a row that may contradict.
    pub tolerated_frames: u32,
    /// Lost: at least this share of the cells is blank, as an encoder without a camera shows it.
    pub blank_share: Threshold,
    /// Covered: at least this share of the structure has become flat.
    pub flat_share: Threshold,
    /// Covered where no view is known: luma deviation at most this, and sharpness at most `sharpness`.
    pub covered_deviation: Threshold,
    /// Covered: luma deviation at most this in a dark picture, where even a lamp would stand out.
    pub covered_dark_deviation: Threshold,
    /// Frozen: at least this share of the cells stands still, sensor noise included.
    pub still_share: Threshold,
    /// Shaking: root mean square sway of at least this share of the picture's width.
    pub sway: Threshold,
    /// Over which time the sway is taken, microseconds.
    pub sway_window_micros: i64,
    /// Moved: at most this share of the structure shows the same edges.
    pub kept_share: Threshold,
    /// Over-exposed: at least this share of bright pixels.
    pub bright_share: Threshold,
    /// Dark: at least this share of dark pixels.
    pub dark_share: Threshold,
    /// Blurred: at most this part of the view's detail.
    pub detail: Threshold,
    /// Blurred where no view is known: sharpness at most this.
    pub sharpness: Threshold,
    /// The least width and height of the camera's own picture, pixels. The norm for networking of 2024-12 asks
    /// for 1920 x 1080; (0, 0) takes any.
    pub least_size: (u32, u32),
    /// Grey: mean distance of the chroma from grey at most this, levels,
    pub grey_colour: Threshold,
    /// where the view in the same light had at least this.
    pub natural_colour: f32,
}

impl Default for PictureSettings {
    fn default() -> Self {
        let band = |enter, leave| Threshold { enter, leave };
        Self {
            fault_after_micros: 12_000_000,
            unknown_view_after_micros: 30_000_000,
            frozen_after_micros: 18_000_000,
            normal_after_micros: 10_000_000,
            lost_after_micros: 10_000_000,
            tolerated_frames: 2,
            blank_share: band(0.85, 0.7),
            flat_share: band(0.4, 0.3),
            covered_deviation: band(10.0, 14.0),
            covered_dark_deviation: band(2.5, 4.0),
            still_share: band(0.93, 0.88),
            sway: band(0.0035, 0.0025),
            sway_window_micros: 6_000_000,
            kept_share: band(0.45, 0.55),
            bright_share: band(0.6, 0.45),
            dark_share: band(0.85, 0.7),
            detail: band(0.35, 0.5),
            sharpness: band(25.0, 40.0),
            least_size: (0, 0),
            grey_colour: band(0.8, 1.2),
            natural_colour: 2.0,
        }
    }
}

/// A frame with what is known besides.
pub(crate) struct Frame<'frame> {
    pub(crate) evidence: &'frame Evidence<'frame>,
    pub(crate) known_size: Option<(u32, u32)>,
    /// Root mean square sway, as a share of the picture's width.
    pub(crate) sway: f32,
}

/// An encoder without a camera shows blue or grey; a black picture may come from a dark place.
const BLANK_LUMA: f32 = 30.0;

impl PictureSettings {
    /// How long `fault` must have lasted when this frame comes.
    pub(crate) fn lasting(&self, fault: HealthCondition, frame: &Frame<'_>) -> i64 {
        let known_view = frame.evidence.view.kept_share >= 0.0;
        match fault {
            HealthCondition::Covered | HealthCondition::Blurred if !known_view => {
                self.unknown_view_after_micros
            }
            HealthCondition::Frozen => self.frozen_after_micros,
            // What it is judged by has lasted for more than a period already.
            HealthCondition::Replayed => 0,
            _ => self.fault_after_micros,
        }
    }

    /// Whether one frame shows `fault`, with the outer end of each band where the fault is `active` already.
    /// None: the frame cannot say.
    pub(crate) fn shows(&self, fault: HealthCondition, active: bool, frame: &Frame<'_>) -> Option<bool> {
        let (health, view) = (frame.evidence.health, frame.evidence.view);
        let limit = |threshold: Threshold| if active { threshold.leave } else { threshold.enter };
        let known_view = view.kept_share >= 0.0;
        let dark = health.dark_share >= self.dark_share.enter;
        let bright = health.bright_share >= self.bright_share.enter;
        let blank = view.blank_share >= self.blank_share.enter;
        let flat = known_view && view.flat_share >= self.flat_share.enter;
        let even = health.luma_deviation <= limit(self.covered_deviation);
        let soft = health.sharpness <= limit(self.sharpness);
        let shown = match fault {
            HealthCondition::Lost => {
                view.blank_share >= limit(self.blank_share) && !bright && health.mean_luma >= BLANK_LUMA
            }
            HealthCondition::Covered if dark => health.luma_deviation <= limit(self.covered_dark_deviation),
            HealthCondition::Covered if bright => false,
            HealthCondition::Covered if known_view => view.flat_share >= limit(self.flat_share),
            HealthCondition::Covered => even && soft,
            // Even pictures have no noise that could show life.
            HealthCondition::Frozen if view.still_share < 0.0 || dark || bright || blank => return None,
            HealthCondition::Frozen => view.still_share >= limit(self.still_share),
            HealthCondition::Replayed => view.repeat_micros > 0,
            HealthCondition::Shaking => frame.sway >= limit(self.sway),
            HealthCondition::Moved if !known_view || dark || bright || flat => return None,
            HealthCondition::Moved => {
                view.kept_share <= limit(self.kept_share) && frame.sway < self.sway.leave
            }
            HealthCondition::OverExposed => health.bright_share >= limit(self.bright_share),
            HealthCondition::Dark => health.dark_share >= limit(self.dark_share),
            HealthCondition::WrongResolution => {
                let (width, height) = frame.evidence.source_size;
                let (least_width, least_height) = self.least_size;
                if (width, height) == (0, 0) {
                    return None;
                }
                frame.known_size.is_some_and(|known| known != (width, height))
                    || width < least_width
                    || height < least_height
            }
            HealthCondition::Blurred if dark || bright || flat => false,
            HealthCondition::Blurred if known_view => (0.0..=limit(self.detail)).contains(&view.detail),
            HealthCondition::Blurred => soft && !even,
            HealthCondition::GreyOnly => {
                // In another light nobody knows its colours: infrared by night has none.
                if !(view.colour >= 0.0 && view.reference_colour >= 0.0) {
                    return None;
                }
                view.colour <= limit(self.grey_colour) && view.reference_colour >= self.natural_colour
            }
            _ => false,
        };
        Some(shown)
    }
}
