use mineseal_domain::UtcMicros;
use serde::{Deserialize, Serialize};

/// Places that are remembered, at most.
const MOST: usize = 48;
/// Fewer places say nothing.
const LEAST: usize = 6;
/// A camera that shakes goes to and fro; one that is turned does not.
const LEAST_TURNS: usize = 2;
/// Along the other axis it may seem to drift, where it swings nearly in step with the pictures; to and fro must make up
/// this part of it all.
const TURNING_PART: f32 = 0.2;

/// Where the last pictures lay, for the judgement of a camera that shakes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sway {
    places: Vec<(UtcMicros, f32, f32)>,
}

impl Sway {
    /// Takes the place of the picture of time `at`. Time that goes back starts anew.
    pub(crate) fn take(&mut self, at: UtcMicros, right: f32, down: f32) {
        if self.places.last().is_some_and(|&(last, ..)| at < last) {
            self.places.clear();
        }
        if self.places.len() >= MOST {
            self.places.remove(0);
        }
        let sound = |value: f32| {
            if value.is_finite() {
                value.clamp(-1.0, 1.0)
            } else {
                0.0
            }
        };
        self.places.push((at, sound(right), sound(down)));
    }

    /// Root mean square distance from the mean place over the last `window` microseconds; 0 where it does not go to and
    /// fro, or where too few pictures tell.
    pub(crate) fn widest(&self, window: i64) -> f32 {
        let Some(&(now, ..)) = self.places.last() else {
            return 0.0;
        };
        let inside = || {
            self.places
                .iter()
                .filter(move |(at, ..)| now.micros_since(*at) <= window)
        };
        let along = |pick: fn(&(UtcMicros, f32, f32)) -> f32| {
            let values: Vec<f32> = inside().map(pick).collect();
            if values.len() < LEAST {
                return (0.0, false);
            }
            let count = values.len() as f32;
            let mean = values.iter().sum::<f32>() / count;
            let square = values.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / count;
            let deviation = square.sqrt();
            // A turn counts from half the deviation on the one side to half of it on the other.
            let mut side = 0_i8;
            let mut turns = 0;
            for value in values {
                let now = match value - mean {
                    away if away > deviation / 2.0 => 1,
                    away if away < -deviation / 2.0 => -1,
                    _ => continue,
                };
                turns += usize::from(side != 0 && side != now);
                side = now;
            }
            (deviation, turns >= LEAST_TURNS)
        };
        let axes = [along(|place| place.1), along(|place| place.2)];
        let whole = axes[0].0.hypot(axes[1].0);
        let turns = axes
            .iter()
            .any(|&(deviation, turns)| turns && deviation >= TURNING_PART * whole);
        if turns { whole } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn swayed(of: impl Fn(usize) -> f32) -> f32 {
        let mut sway = Sway::default();
        for step in 0..20 {
            sway.take(UtcMicros(step as i64 * 500_000), of(step), 0.0);
        }
        sway.widest(6_000_000)
    }

    #[test]
    fn what_drifts_down_in_step_with_the_pictures_sways_with_what_goes_to_and_fro() {
        let sway = |right: f32| {
            let mut sway = Sway::default();
            for step in 0..12_u8 {
                let side = if step % 2 == 0 { right } else { -right };
                sway.take(
                    UtcMicros(i64::from(step) * 500_000),
                    side,
                    f32::from(step) * 0.0015,
                );
            }
            sway.widest(6_000_000)
        };
        let both = sway(0.003);
        assert!((0.005..0.007).contains(&both), "{both}");
        assert_eq!(sway(0.0005), 0.0, "a camera that is turned trembles a little");
    }

    #[test]
    fn to_and_fro_sways_and_one_move_does_not() {
        let widest = swayed(|step| if step % 3 == 0 { 0.02 } else { -0.01 });
        assert!((widest - 0.014).abs() < 0.002, "{widest}");
        assert_eq!(swayed(|step| if step < 10 { 0.0 } else { 0.05 }), 0.0);
        assert_eq!(swayed(|_| f32::NAN), 0.0);
    }
}
