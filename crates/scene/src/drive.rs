//! How far the belt has run, and where coal lies on it.

use crate::math::mix;
use crate::places::FEED_Z;
use crate::{Change, SceneEvent};

/// Full speed in metres a second.
const SPEED: f32 = 2.0;
/// Seconds from stand to full speed.
const RAMP: f64 = 2.0;
/// Truth looks at this part of the belt, in metres along `z`.
const LOOKED_AT: (f32, f32) = (-1.0, 9.0);

/// Speed and load over time.
#[derive(Clone, Debug)]
pub(crate) struct Drive {
    /// Times and speeds between which the speed goes straight.
    corners: Vec<(f64, f32)>,
    /// Stretches of the belt that carry coal, in metres of belt run.
    coal: Vec<(f64, f64)>,
}

impl Drive {
    pub(crate) fn new(events: &[SceneEvent]) -> Self {
        let mut events = events.to_vec();
        events.sort_by(|one, other| one.at_seconds.total_cmp(&other.at_seconds));
        let mut speed = 0.0_f32;
        for event in events.iter().take_while(|event| event.at_seconds <= 0.0) {
            match event.change {
                Change::BeltStarts => speed = SPEED,
                Change::BeltStops => speed = 0.0,
                Change::CoalOn | Change::CoalOff => {}
            }
        }
        let mut drive = Self {
            corners: vec![(-1e6, speed), (0.0, speed)],
            coal: Vec::new(),
        };
        for event in events.iter().filter(|event| event.at_seconds > 0.0) {
            let target = match event.change {
                Change::BeltStarts => SPEED,
                Change::BeltStops => 0.0,
                Change::CoalOn | Change::CoalOff => continue,
            };
            let now = drive.speed(event.at_seconds);
            drive.corners.retain(|&(at, _)| at < event.at_seconds);
            drive.corners.push((event.at_seconds, now));
            let ramp = RAMP * f64::from((target - now).abs() / SPEED);
            drive.corners.push((event.at_seconds + ramp.max(0.01), target));
        }
        let mut since: Option<f64> = None;
        for event in &events {
            let run = if event.at_seconds <= 0.0 {
                -1e9
            } else {
                drive.run(event.at_seconds)
            };
            match event.change {
                Change::CoalOn => since = since.or(Some(run)),
                Change::CoalOff => {
                    if let Some(from) = since.take() {
                        drive.coal.push((from, run));
                    }
                }
                Change::BeltStarts | Change::BeltStops => {}
            }
        }
        if let Some(from) = since {
            drive.coal.push((from, 1e9));
        }
        drive
    }

    pub(crate) fn speed(&self, seconds: f64) -> f32 {
        let after = self.corners.partition_point(|&(at, _)| at <= seconds);
        let before = self.corners.get(after.saturating_sub(1));
        match (before, self.corners.get(after)) {
            (Some(&(from, low)), Some(&(to, high))) => {
                mix(low, high, ((seconds - from) / (to - from)) as f32)
            }
            (Some(&(_, speed)), None) => speed,
            _ => 0.0,
        }
    }

    /// Metres run since the first picture.
    pub(crate) fn run(&self, seconds: f64) -> f64 {
        let mut total = 0.0;
        let mut previous = (0.0_f64, self.speed(0.0));
        for &(at, speed) in self.corners.iter().filter(|&&(at, _)| at > 0.0) {
            let until = at.min(seconds);
            if until <= previous.0 {
                break;
            }
            let reached = if until < at { self.speed(until) } else { speed };
            total += (until - previous.0) * f64::from(previous.1 + reached) * 0.5;
            previous = (until, reached);
        }
        total + (seconds - previous.0).max(0.0) * f64::from(previous.1)
    }

    pub(crate) fn running(&self, seconds: f64) -> bool {
        self.speed(seconds) > 0.05 * SPEED
    }

    /// Whether coal lies at a place of the belt that has that coordinate.
    fn loaded(&self, coordinate: f64) -> bool {
        self.coal
            .iter()
            .any(|&(from, to)| coordinate >= from && coordinate < to)
    }

    /// Stretches with coal in the world's `z`, when the belt's coordinate at `z` = 0 is `zero`.
    pub(crate) fn stretches(&self, zero: f64) -> Vec<(f32, f32)> {
        let near = |coordinate: f64| (coordinate - zero).clamp(-100.0, 100.0) as f32;
        self.coal
            .iter()
            .map(|&(from, to)| (near(from), near(to)))
            .filter(|&(from, to)| to > -6.0 && from < 21.0 && to > from)
            .collect()
    }

    /// Whether coal lies on at least a tenth of the belt that is looked at.
    pub(crate) fn coal(&self, seconds: f64) -> bool {
        let run = self.run(seconds);
        let (from, to) = LOOKED_AT;
        let covered = (0..100).filter(|&step| {
            let z = mix(from, to, (step as f32 + 0.5) / 100.0);
            self.loaded(run - f64::from(FEED_Z - z))
        });
        covered.count() >= 10
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at_seconds: f64, change: Change) -> SceneEvent {
        SceneEvent { at_seconds, change }
    }

    #[test]
    fn the_belt_runs_as_told() {
        let drive = Drive::new(&[
            event(0.0, Change::CoalOn),
            event(10.0, Change::BeltStarts),
            event(30.0, Change::BeltStops),
        ]);
        assert!(!drive.running(9.9) && drive.running(11.0) && drive.running(31.0) && !drive.running(32.1));
        // 2 s ramp, 18 s full, 2 s ramp.
        assert!((drive.run(40.0) - 40.0).abs() < 1e-3, "{}", drive.run(40.0));
        assert!(drive.coal(0.0) && drive.coal(40.0));
    }

    #[test]
    fn coal_arrives_with_the_belt_and_leaves_with_it() {
        let drive = Drive::new(&[
            event(0.0, Change::BeltStarts),
            event(10.0, Change::CoalOn),
            event(20.0, Change::CoalOff),
        ]);
        assert!(!drive.coal(10.0) && !drive.coal(13.0));
        assert!(drive.coal(18.0) && drive.coal(25.0));
        assert!(!drive.coal(32.0));
    }
}
