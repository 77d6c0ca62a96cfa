use crate::VideoError;

/// Chooses pictures by their media time so that a given number of them is taken in a second.
///
/// The wanted moments lie on a fixed grid from media time 0. A picture is taken when it reaches the next free
/// moment, or lies before it by less than half the distance between two pictures of the source: so jitter
/// neither drops nor doubles. What is taken depends on media times alone.
#[derive(Clone, Debug)]
pub struct Sampler {
    period: f64,
    tolerance: f64,
    next_slot: i64,
}

impl Sampler {
    /// A sampler; `source_rate` is the source's own rate, in pictures a second, where it is known.
    ///
    /// # Errors
    /// [`VideoError::Sampling`] for a rate that is not above 0 and at most 1000.
    pub fn new(frames_per_second: f64, source_rate: Option<f64>) -> Result<Self, VideoError> {
        if !(frames_per_second > 0.0 && frames_per_second <= 1000.0) {
            return Err(VideoError::Sampling { frames_per_second });
        }
        let period = 1e6 / frames_per_second;
        let distance = match source_rate {
            Some(rate) if rate > 0.0 && rate.is_finite() => 1e6 / rate,
            _ => period / 2.0,
        };
        Ok(Self {
            period,
            tolerance: (distance / 2.0).min(period * 0.49),
            next_slot: i64::MIN,
        })
    }

    /// Goes on as if the picture at `media_time_micros` had just been taken.
    #[must_use]
    pub fn after(mut self, media_time_micros: i64) -> Self {
        self.next_slot = self.slot(media_time_micros) + 1;
        self
    }

    /// Whether to take the picture at this media time. Times must not go backwards.
    pub fn take(&mut self, media_time_micros: i64) -> bool {
        let reached = media_time_micros as f64 + self.tolerance;
        if self.next_slot != i64::MIN && reached < self.next_slot as f64 * self.period {
            return false;
        }
        self.next_slot = self.slot(media_time_micros) + 1;
        true
    }

    /// The moment of the grid that a picture at this time stands for.
    fn slot(&self, media_time_micros: i64) -> i64 {
        ((media_time_micros as f64 + self.tolerance) / self.period).floor() as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(rate: f64, source_rate: f64, known: bool, times: impl Iterator<Item = i64>) -> Vec<i64> {
        let mut sampler = Sampler::new(rate, known.then_some(source_rate)).unwrap();
        times.filter(|&time| sampler.take(time)).collect()
    }

    #[test]
    fn half_the_rate_is_every_second_picture() {
        let every_second: Vec<i64> = (0..100).map(|index| index * 200_000).collect();
        for known in [true, false] {
            assert_eq!(
                taken(5.0, 10.0, known, (0..200).map(|index| index * 100_000)),
                every_second
            );
        }
    }

    #[test]
    fn the_same_or_a_higher_rate_takes_all() {
        let times = || (0..100).map(|index| index * 40_000);
        assert_eq!(taken(25.0, 25.0, true, times()).len(), 100);
        assert_eq!(taken(30.0, 25.0, true, times()).len(), 100);
        assert_eq!(taken(25.0, 25.0, false, times()).len(), 100);
    }

    #[test]
    fn jitter_neither_drops_nor_doubles() {
        // Times of a 25 Hz camera, each off by up to 15 ms, in a fixed pattern.
        let times = || (0..2500_i64).map(|index| index * 40_000 + (index * 7919 % 31 - 15) * 1000);
        assert_eq!(taken(25.0, 25.0, true, times()).len(), 2500);
        let fives = taken(5.0, 25.0, true, times());
        assert_eq!(fives.len(), 500);
        for pair in fives.windows(2) {
            assert!((150_000..=250_000).contains(&(pair[1] - pair[0])), "{pair:?}");
        }
    }

    #[test]
    fn ratios_that_are_not_whole_keep_the_mean() {
        assert_eq!(
            taken(5.0, 12.5, true, (0..1250).map(|index| index * 80_000)).len(),
            500
        );
        assert_eq!(
            taken(8.0, 30.0, true, (0..3000).map(|index| index * 100_000 / 3)).len(),
            800
        );
    }

    #[test]
    fn going_on_after_any_taken_picture_gives_the_same_rest() {
        let times = || (0..500_i64).map(|index| index * 40_000 + (index * 7919 % 31 - 15) * 1000);
        let all = taken(8.0, 25.0, true, times());
        for (index, &last) in all.iter().enumerate() {
            let mut sampler = Sampler::new(8.0, Some(25.0)).unwrap().after(last);
            let rest: Vec<i64> = times()
                .filter(|&time| time > last && sampler.take(time))
                .collect();
            assert_eq!(rest, all[index + 1..]);
        }
    }

    #[test]
    fn a_gap_is_not_made_up_for() {
        let times = [0, 1_000_000, 61_000_000, 61_040_000, 62_000_000];
        assert_eq!(
            taken(1.0, 25.0, true, times.into_iter()),
            [0, 1_000_000, 61_000_000, 62_000_000]
        );
    }

    #[test]
    fn rates_that_cannot_be_are_refused() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Sampler::new(rate, None).is_err(), "{rate}");
        }
    }
}
