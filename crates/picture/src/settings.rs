use mineseal_domain::HealthCondition;
use serde::{Deserialize, Serialize};

use crate::Threshold;
use crate::judge::Evidence;
use crate::look::{ALL_BRIGHT, NO_BLACK, NO_LIGHT};

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
    /// Covered: at least this share of the structure is hidden by one even, connected thing.
    pub hidden_share: Threshold,
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
    /// Over-exposed: at least this share of the structure has become white.
    pub clipped_share: Threshold,
    /// Over-exposed: hardly a pixel is darker than this,
    pub black_level: Threshold,
    /// which lies this far above what it was in the last minutes: a yard in the sun may have no shade,
    pub black_rise: Threshold,
    /// and the mean luma is at least this.
    pub bright_luma: Threshold,
    /// Dark: at least this share of dark pixels.
    pub dark_share: Threshold,
    /// Dark: hardly a pixel is brighter than this, though edges of the view can be made out.
    pub white_level: Threshold,
    /// Blurred: at most this part of the view's detail.
    pub detail: Threshold,
    /// Blurred whatever the view, which may have been learnt from a blurred picture: sharpness at most this.
    pub sharpness: Threshold,
    /// The least width and height of the camera's own picture, pixels. The norm for networking of 2024-12 asks
    /// for 1920 x 1080; (0, 0) takes any.
    pub least_size: (u32, u32),
    /// Grey: mean distance of the chroma from grey at most this, levels,
    pub grey_colour: Threshold,
    /// and at most this part of what the view in the same light had,
    pub colour_left: Threshold,
    /// where that was at least this.
    pub natural_colour: f32,
    /// Grey whatever the view: mean distance of the chroma from grey at most this, levels,
    pub colourless: f32,
    /// in any light, for this long, microseconds. By night a camera with infrared light has no colours; a day later
    /// it should have had some.
    pub colourless_after_micros: i64,
    /// Covered as far as evenness alone tells, though the view is as it was learnt: for this long, microseconds.
    pub even_after_micros: i64,
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
            hidden_share: band(0.25, 0.18),
            covered_deviation: band(10.0, 14.0),
            covered_dark_deviation: band(2.5, 4.0),
            still_share: band(0.93, 0.88),
            sway: band(0.0035, 0.0025),
            sway_window_micros: 6_000_000,
            kept_share: band(0.45, 0.55),
            bright_share: band(0.6, 0.45),
            clipped_share: band(0.35, 0.25),
            black_level: band(NO_BLACK, 92.0),
            black_rise: band(40.0, 30.0),
            bright_luma: band(ALL_BRIGHT, 150.0),
            dark_share: band(0.85, 0.7),
            white_level: band(NO_LIGHT, 52.0),
            detail: band(0.35, 0.5),
            sharpness: band(25.0, 40.0),
            least_size: (0, 0),
            grey_colour: band(0.8, 1.2),
            colour_left: band(0.3, 0.45),
            natural_colour: 0.5,
            colourless: 0.3,
            colourless_after_micros: 24 * 3_600 * 1_000_000,
            even_after_micros: 24 * 3_600 * 1_000_000,
        }
    }
}

/// A frame with what is known besides.
pub(crate) struct Frame<'frame> {
    pub(crate) evidence: &'frame Evidence<'frame>,
    pub(crate) known_size: Option<(u32, u32)>,
    /// Root mean square sway, as a share of the picture's width.
    pub(crate) sway: f32,
    /// The black level of the last minutes without over-exposed pictures; none where nobody knows.
    pub(crate) usual_black: Option<f32>,
}

/// An encoder without a camera shows blue or grey; a black picture may come from a dark place.
const BLANK_LUMA: f32 = 30.0;

/// At least this share of the view's edges can be made out in a picture that is too dark or too bright; behind a
/// cover there are none.
const MADE_OUT: f32 = 0.33;

/// What one frame says by itself, before the faults are told from each other.
struct Facts {
    known_view: bool,
    dark: bool,
    bright: bool,
    /// Luma deviation and sharpness, without the rows with text where that is known.
    deviation: f32,
    sharpness: f32,
}

impl PictureSettings {
    fn facts(&self, dark_active: bool, bright_active: bool, frame: &Frame<'_>) -> Facts {
        let (health, view) = (frame.evidence.health, frame.evidence.view);
        let limit =
            |threshold: Threshold, active: bool| if active { threshold.leave } else { threshold.enter };
        let inner = |inner: f32, whole: f32| if inner >= 0.0 { inner } else { whole };
        let known_view = view.kept_share >= 0.0;
        let (deviation, sharpness) = (
            inner(view.deviation, health.luma_deviation),
            inner(view.sharpness, health.sharpness),
        );
        let made_out = if known_view {
            view.kept_share >= MADE_OUT
        } else {
            sharpness > self.sharpness.leave
        };
        let dark = health.dark_share >= limit(self.dark_share, dark_active)
            || (made_out && (0.0..=limit(self.white_level, dark_active)).contains(&view.white_level));
        let bright = health.bright_share >= limit(self.bright_share, bright_active)
            || view.clipped_share >= limit(self.clipped_share, bright_active)
            || (made_out
                && view.black_level >= limit(self.black_level, bright_active)
                && frame
                    .usual_black
                    .is_none_or(|usual| view.black_level - usual >= limit(self.black_rise, bright_active))
                && health.mean_luma >= limit(self.bright_luma, bright_active));
        Facts {
            known_view,
            dark,
            bright,
            deviation,
            sharpness,
        }
    }

    /// Covered as the view tells.
    fn hidden(&self, active: bool, frame: &Frame<'_>) -> bool {
        let view = frame.evidence.view;
        let limit = |threshold: Threshold| if active { threshold.leave } else { threshold.enter };
        view.kept_share >= 0.0
            && (view.flat_share >= limit(self.flat_share) || view.hidden_share >= limit(self.hidden_share))
    }

    /// How long `fault` must have lasted when this frame comes.
    pub(crate) fn lasting(&self, fault: HealthCondition, frame: &Frame<'_>) -> i64 {
        let view = frame.evidence.view;
        match fault {
            // Plain ground seen from above is even and soft too, and its view is as it was: only where nothing ever
            // passes over it is it a cover that was there before the view.
            HealthCondition::Covered if !self.hidden(false, frame) && view.kept_share >= MADE_OUT => {
                self.even_after_micros
            }
            HealthCondition::Covered if !self.hidden(false, frame) => self.unknown_view_after_micros,
            HealthCondition::Blurred if !(0.0..=self.detail.enter).contains(&view.detail) => {
                self.unknown_view_after_micros
            }
            HealthCondition::Frozen => self.frozen_after_micros,
            // What it is judged by has lasted for more than a period already.
            HealthCondition::Replayed => 0,
            _ => self.fault_after_micros,
        }
    }

    /// Grey as the view in the same light tells.
    fn lost_colours(&self, active: bool, frame: &Frame<'_>) -> bool {
        let view = frame.evidence.view;
        let limit = |threshold: Threshold| if active { threshold.leave } else { threshold.enter };
        view.reference_colour >= self.natural_colour
            && (0.0..=limit(self.grey_colour)).contains(&view.colour)
            && view.colour <= limit(self.colour_left) * view.reference_colour
    }

    /// Whether one frame shows `fault`, with the outer end of each band where the fault is `active` already.
    /// None: the frame cannot say.
    pub(crate) fn shows(&self, fault: HealthCondition, active: bool, frame: &Frame<'_>) -> Option<bool> {
        let (health, view) = (frame.evidence.health, frame.evidence.view);
        let limit = |threshold: Threshold| if active { threshold.leave } else { threshold.enter };
        let is = |of: HealthCondition| active && fault == of;
        let facts = self.facts(is(HealthCondition::Dark), is(HealthCondition::OverExposed), frame);
        let Facts {
            known_view,
            dark,
            bright,
            ..
        } = facts;
        let blank = view.blank_share >= self.blank_share.enter;
        let flat = self.hidden(false, frame);
        let even = facts.deviation <= limit(self.covered_deviation);
        let soft = facts.sharpness <= limit(self.sharpness);
        let shown = match fault {
            HealthCondition::Lost => {
                view.blank_share >= limit(self.blank_share) && !bright && health.mean_luma >= BLANK_LUMA
            }
            // Where the edges of the view show faintly everywhere, light is missing and nothing hangs before the lens.
            HealthCondition::Covered if dark => {
                health.luma_deviation <= limit(self.covered_dark_deviation) && view.kept_share < MADE_OUT
            }
            HealthCondition::Covered if bright => false,
            HealthCondition::Covered => self.hidden(active, frame) || (even && soft),
            // Even pictures have no noise that could show life.
            HealthCondition::Frozen if view.still_share < 0.0 || dark || bright || blank => return None,
            HealthCondition::Frozen => view.still_share >= limit(self.still_share),
            HealthCondition::Replayed => view.repeat_micros > 0,
            HealthCondition::Shaking => frame.sway >= limit(self.sway),
            HealthCondition::Moved if !known_view || dark || bright || flat => return None,
            HealthCondition::Moved => {
                view.kept_share <= limit(self.kept_share) && frame.sway < self.sway.leave
            }
            HealthCondition::OverExposed => bright,
            HealthCondition::Dark => dark,
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
            HealthCondition::Blurred => (0.0..=limit(self.detail)).contains(&view.detail) || (soft && !even),
            HealthCondition::GreyOnly if view.colour < 0.0 => return None,
            HealthCondition::GreyOnly if view.reference_colour >= self.natural_colour => {
                self.lost_colours(active, frame)
            }
            // In another light nobody knows its colours: infrared by night has none.
            HealthCondition::GreyOnly if !active => return None,
            HealthCondition::GreyOnly => view.colour <= self.grey_colour.leave,
            _ => false,
        };
        Some(shown)
    }
}
