use mineseal_domain::{HealthMeasures, UtcMicros};
use serde::{Deserialize, Serialize};

use crate::Threshold;
use crate::hold::Hold;

/// From when a belt runs. Defaults of this project.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BeltSettings {
    /// It runs from `enter` on and stands below `leave`: mean absolute difference of luma from frame to frame
    /// inside the region.
    pub motion: Threshold,
    /// A state is reported when it has lasted this long, microseconds.
    pub lasting_micros: i64,
    /// Frames in a row that may contradict.
    pub tolerated_frames: u32,
}

impl Default for BeltSettings {
    fn default() -> Self {
        Self {
            motion: Threshold {
                enter: 2.0,
                leave: 1.0,
            },
            lasting_micros: 10_000_000,
            tolerated_frames: 2,
        }
    }
}

/// A belt went into another state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeltChange {
    /// It runs, or it stands.
    pub running: bool,
    /// When that began.
    pub since: UtcMicros,
}

/// Judges whether a belt runs, by the motion inside its region.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BeltJudge {
    running: Option<bool>,
    moving: Hold,
    standing: Hold,
}

impl BeltJudge {
    /// A judge who has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the belt runs, once that is known.
    #[must_use]
    pub fn running(&self) -> Option<bool> {
        self.running
    }

    /// Takes the motion of the frame of time `at`; negative or not a number: the frame cannot say. Returns the
    /// change that it decides; the first one tells the state that was found.
    pub fn step(&mut self, settings: &BeltSettings, at: UtcMicros, motion: f32) -> Option<BeltChange> {
        if motion.is_nan() || motion < 0.0 {
            return None;
        }
        let (lasting, tolerated) = (settings.lasting_micros, settings.tolerated_frames);
        let moving = self
            .moving
            .step(at, motion >= settings.motion.enter, lasting, tolerated);
        let standing = self
            .standing
            .step(at, motion < settings.motion.leave, lasting, tolerated);
        let (running, since) = match (moving, standing) {
            (Some(since), None) => (true, since),
            (None, Some(since)) => (false, since),
            _ => return None,
        };
        if self.running == Some(running) {
            return None;
        }
        self.running = Some(running);
        Some(BeltChange { running, since })
    }

    /// The motion that a belt is judged by: inside the region called `belt`, or else inside the first region,
    /// or else in the whole picture.
    #[must_use]
    pub fn motion(measures: &HealthMeasures) -> f32 {
        let regions = &measures.regions;
        let region = regions
            .iter()
            .find(|region| region.region == "belt")
            .or(regions.first());
        region.map_or(measures.change, |region| region.motion)
    }
}

#[cfg(test)]
mod tests {
    use mineseal_domain::RegionMeasure;

    use super::*;

    const SECOND: i64 = 1_000_000;

    /// Five frames a second from second `from` to before second `to`.
    fn run(judge: &mut BeltJudge, from: i64, to: i64, motion: impl Fn(i64) -> f32) -> Vec<(i64, bool)> {
        (from * 5..to * 5)
            .filter_map(|frame| {
                let at = UtcMicros(frame * SECOND / 5);
                let change = judge.step(&BeltSettings::default(), at, motion(frame))?;
                Some((frame / 5, change.running))
            })
            .collect()
    }

    #[test]
    fn a_state_is_found_after_ten_seconds() {
        let mut judge = BeltJudge::new();
        assert_eq!(run(&mut judge, 0, 30, |_| 0.4), [(10, false)]);
        assert_eq!(run(&mut judge, 30, 60, |_| 6.0), [(40, true)]);
        assert_eq!(judge.running(), Some(true));
        assert_eq!(run(&mut judge, 60, 90, |_| 0.4), [(70, false)]);
    }

    #[test]
    fn a_short_run_a_still_moment_and_the_band_between_change_nothing() {
        let mut judge = BeltJudge::new();
        run(&mut judge, 0, 20, |_| 0.4);
        assert_eq!(run(&mut judge, 20, 29, |_| 6.0), []);
        assert_eq!(run(&mut judge, 29, 40, |_| 0.4), []);
        assert_eq!(run(&mut judge, 40, 80, |_| 1.5), []);
        // An even stretch of the belt passes: one still frame of ten.
        assert_eq!(
            run(&mut judge, 80, 100, |frame| if frame % 10 == 0 {
                0.5
            } else {
                6.0
            }),
            [(90, true)]
        );
    }

    #[test]
    fn frames_that_cannot_say_are_passed_over() {
        let mut judge = BeltJudge::new();
        assert_eq!(run(&mut judge, 0, 60, |_| -1.0), []);
        assert_eq!(run(&mut judge, 60, 120, |_| f32::NAN), []);
        assert_eq!(judge.running(), None);
    }

    #[test]
    fn the_motion_is_that_of_the_belt() {
        let region = |name: &str, motion| RegionMeasure {
            region: name.into(),
            motion,
            mean_luma: 0.0,
        };
        let mut measures = HealthMeasures {
            change: 1.0,
            ..HealthMeasures::default()
        };
        assert_eq!(BeltJudge::motion(&measures), 1.0);
        measures.regions.push(region("drum", 2.0));
        assert_eq!(BeltJudge::motion(&measures), 2.0);
        measures.regions.push(region("belt", 3.0));
        assert_eq!(BeltJudge::motion(&measures), 3.0);
    }
}
