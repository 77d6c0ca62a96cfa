//! The scripted cases, and a long ordinary day.

use mineseal_domain::{HealthCondition, UtcMicros};
use mineseal_scene::{Daylight, DisturbanceKind, RgbPicture, Scene, SceneKind, SceneScript};

use super::{Camera, Case, NOISY, QUIET, Watch, disturb};

pub(crate) const LIGHTS: [Daylight; 3] = [Daylight::Day, Daylight::Dusk, Daylight::Night];

/// Names and kinds of the faults that are scripted, but for replays.
pub(crate) const FAULTS: [(&str, DisturbanceKind); 13] = [
    ("covered, cloth", DisturbanceKind::Covered),
    ("covered, 60 %", DisturbanceKind::PartlyCovered { share: 0.6 }),
    (
        "covered, all, smooth",
        DisturbanceKind::PartlyCovered { share: 1.0 },
    ),
    ("turned", DisturbanceKind::Turned),
    ("moved by 5 degrees", DisturbanceKind::Moved),
    ("too dark", DisturbanceKind::Dark),
    ("over-exposed", DisturbanceKind::OverExposed),
    ("blurred", DisturbanceKind::Blurred),
    ("frozen", DisturbanceKind::Frozen),
    (
        "frozen, clock runs",
        DisturbanceKind::Looped {
            seconds: 0.04,
            clock_runs: true,
        },
    ),
    (
        "shaking, 1.5 % of the width",
        DisturbanceKind::Shaking { share: 0.015 },
    ),
    (
        "shaking, 4 % of the width",
        DisturbanceKind::Shaking { share: 0.04 },
    ),
    ("grey", DisturbanceKind::Grey),
];

/// Periods of replays, seconds.
pub(crate) const PERIODS: [f64; 10] = [2.0, 3.4, 7.2, 15.0, 33.6, 60.0, 127.0, 244.0, 421.0, 600.0];

/// What a lamp, weather or a machine does in an ordinary hour.
const ORDINARY: [Option<DisturbanceKind>; 8] = [
    None,
    Some(DisturbanceKind::Rain),
    Some(DisturbanceKind::Insects),
    Some(DisturbanceKind::Lamp { period_seconds: 3.0 }),
    Some(DisturbanceKind::Vibrating),
    Some(DisturbanceKind::Lamp { period_seconds: 47.0 }),
    None,
    Some(DisturbanceKind::Lamp {
        period_seconds: 900.0,
    }),
];

/// An ordinary camera for some hours: its light goes from day to night and back every four hours, clouds pass,
/// people come in every other half hour, and weather, insects, lamps and vibration take turns of a quarter of
/// an hour.
pub(crate) struct OrdinaryDay {
    scenes: Vec<Scene>,
    seconds: f64,
    seed: u64,
    picture: RgbPicture,
    other: RgbPicture,
}

/// Lights of a day in their order, with the share of the day at which each has come wholly, and goes again.
const COURSE: [(usize, f64, f64); 5] = [
    (0, 0.0, 0.25),
    (1, 0.32, 0.38),
    (2, 0.45, 0.80),
    (1, 0.86, 0.90),
    (0, 0.97, 1.01),
];

impl OrdinaryDay {
    pub(crate) fn new(kind: SceneKind, seed: u64, hours: f64) -> Self {
        Self::with(kind, seed, hours, false)
    }

    /// The same with a timetable that is kept to the tenth of a second.
    pub(crate) fn by_the_clock(kind: SceneKind, seed: u64, hours: f64) -> Self {
        Self::with(kind, seed, hours, true)
    }

    fn with(kind: SceneKind, seed: u64, hours: f64, by_the_clock: bool) -> Self {
        let seconds = hours * 3_600.0;
        let scenes = LIGHTS.map(|light| {
            let camera = Camera {
                kind,
                seed,
                daylight: light,
                noise: NOISY,
                encoded: None,
                by_the_clock,
            };
            let mut script: SceneScript = camera.script(seconds, |part| part / 18 % 2 == 1);
            script.frames_per_second = 1.0;
            for quarter in 0..(hours * 4.0).ceil() as u64 {
                let from = quarter as f64 * 900.0;
                if let Some(kind) = ORDINARY[((quarter + seed * 3) % 8) as usize] {
                    disturb(&mut script, from, from + 900.0, kind);
                }
            }
            Scene::new(script).expect("a scene")
        });
        Self {
            scenes: scenes.into(),
            seconds,
            seed,
            picture: RgbPicture::default(),
            other: RgbPicture::default(),
        }
    }

    pub(crate) fn frames(&self) -> u64 {
        self.seconds as u64
    }

    /// The picture of that second.
    fn render(&mut self, second: u64) {
        let share = (second as f64 / 14_400.0).fract();
        let at = COURSE
            .iter()
            .rposition(|&(_, from, _)| share >= from)
            .unwrap_or(0);
        let (light, _, until) = COURSE[at];
        self.scenes[light].render(second, &mut self.picture);
        let next = COURSE.get(at + 1).filter(|_| share > until);
        if let Some(&(coming, from, _)) = next {
            self.scenes[coming].render(second, &mut self.other);
            let part = (share - until) / (from - until);
            mix(&mut self.picture, &self.other, part as f32);
        }
        // Clouds outside, and the gain of the camera that follows them late.
        let cloud = (second as f64 / 41.0 + self.seed as f64).sin() * (second as f64 / 173.0).sin();
        let gain = 1.0 + 0.16 * cloud as f32;
        for value in &mut self.picture.data {
            *value = (f32::from(*value) * gain).min(255.0) as u8;
        }
    }

    /// Looks at all of it; returns what was said wrongly: seconds, and what.
    pub(crate) fn run(&mut self, each: impl FnMut(u64, &Watch)) -> Vec<(u64, HealthCondition)> {
        self.run_within(0..self.frames(), each)
    }

    /// The same of some of its seconds, as a camera that was not looked at before.
    pub(crate) fn run_within(
        &mut self,
        seconds: std::ops::Range<u64>,
        mut each: impl FnMut(u64, &Watch),
    ) -> Vec<(u64, HealthCondition)> {
        let mut watch = Watch::default();
        let mut said = Vec::new();
        for second in seconds {
            self.render(second);
            let picture = std::mem::take(&mut self.picture);
            watch.see(
                UtcMicros(1_767_571_200_000_000 + second as i64 * 1_000_000),
                &picture,
            );
            self.picture = picture;
            said.extend(
                watch
                    .said
                    .drain(..)
                    .filter(|(_, condition)| *condition != HealthCondition::Normal)
                    .map(|(_, condition)| (second, condition)),
            );
            each(second, &watch);
        }
        said
    }
}

/// Mixes light as it adds up, not display values.
fn mix(picture: &mut RgbPicture, other: &RgbPicture, part: f32) {
    for (value, &coming) in picture.data.iter_mut().zip(&other.data) {
        let (here, there) = (f32::from(*value), f32::from(coming));
        *value = (here * here * (1.0 - part) + there * there * part).sqrt() as u8;
    }
}

/// All cases of one fault: every kind of place in every light, `seeds` of each.
pub(crate) fn cases(fault: DisturbanceKind, first: u64, seeds: u64) -> Vec<Case> {
    let mut cases = Vec::new();
    for kind in SceneKind::ALL {
        for (number, daylight) in LIGHTS.into_iter().enumerate() {
            for seed in 0..seeds {
                let camera = Camera {
                    kind,
                    seed: 11 + (first + seed) * 7 + number as u64,
                    daylight,
                    noise: if number == 0 { QUIET } else { NOISY },
                    encoded: (seed % 2 == 1).then_some(26),
                    by_the_clock: false,
                };
                cases.push(Case {
                    camera,
                    fault,
                    // Posts are looked at once a second, belts and gates more often.
                    every: if kind == SceneKind::DispatchRoom { 25 } else { 8 },
                    from_start: false,
                    longer: 0.0,
                });
            }
        }
    }
    cases
}

/// Faults that a camera can have from its first picture on and that need no view to be told.
pub(crate) const AT_START: [&str; 6] = [
    "covered, cloth",
    "covered, all, smooth",
    "too dark",
    "over-exposed",
    "blurred",
    "frozen",
];

/// All cases of one fault that was there from the first picture on.
pub(crate) fn at_start(fault: DisturbanceKind, first: u64, seeds: u64) -> Vec<Case> {
    let mut cases = cases(fault, first, seeds);
    cases.iter_mut().for_each(|case| case.from_start = true);
    cases
}

/// All cases of one period: every kind of place, exact and through an encoder, with little noise and with much, with a
/// clock that runs on and with one that comes back too.
pub(crate) fn replays(period: f64, first: u64) -> Vec<Case> {
    let mut cases = Vec::new();
    for (number, kind) in SceneKind::ALL.into_iter().enumerate() {
        for encoded in [None, Some(23), Some(30)] {
            for (noise, clock_runs) in [(QUIET, true), (QUIET, false), (NOISY, true), (NOISY, false)] {
                let camera = Camera {
                    kind,
                    seed: 31 + first * 1_000 + number as u64 + period as u64,
                    daylight: LIGHTS[(number + period as usize) % 3],
                    noise,
                    encoded,
                    by_the_clock: false,
                };
                cases.push(Case {
                    camera,
                    fault: DisturbanceKind::Looped {
                        seconds: period,
                        clock_runs,
                    },
                    every: 5,
                    from_start: false,
                    longer: 0.0,
                });
            }
        }
    }
    cases
}

/// Minutes of a camera at work without any fault, five pictures a second, as they are or through an encoder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Living {
    pub(crate) camera: Camera,
    pub(crate) seconds: f64,
    /// Seconds between key frames.
    pub(crate) key_frames: u32,
}

impl Living {
    /// What was said wrongly: seconds, and what.
    pub(crate) fn run(&self) -> Vec<(f64, HealthCondition)> {
        const EVERY: u64 = 5;
        let mut script = self.camera.script(self.seconds, |part| part % 4 == 2);
        for part in 0..(self.seconds / 60.0).ceil() as u64 {
            let from = part as f64 * 60.0;
            if let Some(kind) = ORDINARY[((part + self.camera.seed * 3) % 8) as usize] {
                disturb(&mut script, from, from + 60.0, kind);
            }
        }
        let scene = Scene::new(script).expect("a scene");
        let frames: Vec<u64> = (0..scene.frame_count()).step_by(EVERY as usize).collect();
        let start = 1_767_571_200_000_000;
        let at = |index: u64| UtcMicros(start + scene.script().media_time_micros(index));
        let mut watch = Watch::default();
        match self.camera.encoded {
            None => {
                let mut picture = RgbPicture::default();
                for index in frames {
                    scene.render(index, &mut picture);
                    watch.see(at(index), &picture);
                }
            }
            Some(quality) => super::through_encoder(
                quality,
                self.key_frames * 5,
                frames.len(),
                |number, into| scene.render(frames[number], into),
                |number, luma, chroma| watch.see_planes(at(frames[number]), luma, Some(chroma)),
            ),
        }
        watch
            .said
            .iter()
            .filter(|(_, condition)| *condition != HealthCondition::Normal)
            .map(|(at, condition)| (at.micros_since(UtcMicros(start)) as f64 / 1e6, *condition))
            .collect()
    }
}

/// Living cameras of every kind, in every light, as they are and through encoders.
pub(crate) fn living(first: u64, seconds: f64) -> Vec<Living> {
    let mut all = Vec::new();
    for (number, kind) in SceneKind::ALL.into_iter().enumerate() {
        for (turn, encoded) in [None, Some(23), Some(30)].into_iter().enumerate() {
            let camera = Camera {
                kind,
                seed: 301 + first * 100 + (number * 3 + turn) as u64,
                daylight: LIGHTS[(number + turn + first as usize) % 3],
                noise: [QUIET, NOISY][(number + turn + first as usize) % 2],
                encoded,
                by_the_clock: false,
            };
            all.push(Living {
                camera,
                seconds,
                key_frames: [2, 4, 1][(number + turn) % 3],
            });
        }
    }
    all
}
