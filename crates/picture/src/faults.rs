use mineseal_domain::{HealthCondition, HealthMeasures};
use serde::{Deserialize, Serialize};

/// A boundary with a band, so that a picture at the boundary does not go to and fro.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// The fault begins beyond this.
    pub enter: f32,
    /// It ends beyond this.
    pub leave: f32,
}

impl Threshold {
    fn of(self, active: bool) -> f32 {
        if active { self.leave } else { self.enter }
    }
}

/// From when a picture is at fault. These are defaults of this project, no norm's: no public norm names
/// numbers. All are in the units of [`HealthMeasures`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HealthSettings {
    /// A fault is reported when it has lasted this long, microseconds.
    pub fault_after_micros: i64,
    /// Its end is reported when it has been gone this long, microseconds.
    pub normal_after_micros: i64,
    /// Frames in a row that may contradict.
    pub tolerated_frames: u32,
    /// Dark: at least this share of dark pixels.
    pub dark_share: Threshold,
    /// Over-exposed: at least this share of bright pixels.
    pub bright_share: Threshold,
    /// Covered: luma deviation at most this, and blurred; in a picture that is neither dark nor over-exposed.
    pub covered_deviation: Threshold,
    /// Covered: luma deviation at most this in a dark picture, where even a lamp would stand out.
    pub covered_dark_deviation: Threshold,
    /// Blurred: sharpness at most this.
    pub sharpness: Threshold,
    /// Frozen: change at most this. A running clock in the picture alone changes it by more.
    pub frozen_change: Threshold,
}

impl Default for HealthSettings {
    fn default() -> Self {
        let band = |enter, leave| Threshold { enter, leave };
        Self {
            fault_after_micros: 30_000_000,
            normal_after_micros: 10_000_000,
            tolerated_frames: 2,
            dark_share: band(0.85, 0.7),
            bright_share: band(0.6, 0.45),
            covered_deviation: band(10.0, 14.0),
            covered_dark_deviation: band(2.5, 4.0),
            sharpness: band(25.0, 40.0),
            frozen_change: band(0.01, 0.03),
        }
    }
}

/// The faults that are judged, the gravest first: of several at once the first is reported.
pub(crate) const FAULTS: [HealthCondition; 5] = [
    HealthCondition::Covered,
    HealthCondition::Frozen,
    HealthCondition::OverExposed,
    HealthCondition::Dark,
    HealthCondition::Blurred,
];

impl HealthSettings {
    /// Whether one frame shows `fault`, with the outer end of each band where the fault is `active` already.
    /// None: the frame cannot say.
    pub(crate) fn shows(
        &self,
        fault: HealthCondition,
        active: bool,
        measures: &HealthMeasures,
    ) -> Option<bool> {
        let dark = |active| measures.dark_share >= self.dark_share.of(active);
        let bright = |active| measures.bright_share >= self.bright_share.of(active);
        let blurred = measures.sharpness <= self.sharpness.of(active);
        let even = measures.luma_deviation <= self.covered_deviation.of(active);
        let shown = match fault {
            HealthCondition::Covered if dark(false) => {
                measures.luma_deviation <= self.covered_dark_deviation.of(active)
            }
            HealthCondition::Covered => even && blurred && !bright(false),
            HealthCondition::Frozen if measures.change < 0.0 => return None,
            HealthCondition::Frozen => measures.change <= self.frozen_change.of(active),
            HealthCondition::OverExposed => bright(active),
            HealthCondition::Dark => dark(active),
            HealthCondition::Blurred => blurred && !even && !dark(false) && !bright(false),
            _ => false,
        };
        Some(shown)
    }
}
