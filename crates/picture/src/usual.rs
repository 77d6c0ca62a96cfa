use mineseal_domain::UtcMicros;
use serde::{Deserialize, Serialize};

/// How far the mean goes back, microseconds: longer than a fault takes to be reported, shorter than a dawn.
const REACH: i64 = 180_000_000;
/// The first values count evenly, until there are so many.
const FIRST: u16 = 30;

/// What a measure of a camera, in levels, usually is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Usual {
    mean: f32,
    taken: u16,
    at: UtcMicros,
}

impl Usual {
    /// None before there was any.
    pub(crate) fn get(&self) -> Option<f32> {
        (self.taken > 0).then_some(self.mean)
    }

    /// Takes the value of time `at`; what is no number is left out, and time that goes back adds nothing.
    pub(crate) fn take(&mut self, at: UtcMicros, value: f32) {
        if !value.is_finite() {
            return;
        }
        let since = at.micros_since(self.at).clamp(0, REACH);
        self.at = at;
        let part = if self.taken < FIRST {
            self.taken += 1;
            1.0 / f32::from(self.taken)
        } else {
            since as f32 / REACH as f32
        };
        self.mean += part * (value.clamp(0.0, 255.0) - self.mean);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    #[test]
    fn a_mean_follows_in_minutes_whatever_the_rate() {
        for rate in [1, 5] {
            let mut usual = Usual::default();
            assert_eq!(usual.get(), None);
            let mut run = |from: i64, to: i64, value: f32| {
                for frame in from * rate..to * rate {
                    usual.take(UtcMicros(frame * SECOND / rate), value);
                }
                usual.get().unwrap()
            };
            assert_eq!(run(0, 100, 40.0), 40.0);
            let soon = run(100, 112, 100.0);
            assert!((42.0..46.0).contains(&soon), "{soon}");
            let late = run(112, 1_000, 100.0);
            assert!((98.0..=100.0).contains(&late), "{late}");
        }
    }

    #[test]
    fn nonsense_is_left_out() {
        let mut usual = Usual::default();
        usual.take(UtcMicros(0), f32::NAN);
        assert_eq!(usual.get(), None);
        for at in [i64::MAX, i64::MIN, 0] {
            usual.take(UtcMicros(at), 30.0);
        }
        assert_eq!(usual.get(), Some(30.0));
    }
}
