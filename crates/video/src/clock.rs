use ffmpeg_next::Rational;

/// FFmpeg's mark of a time that is not known.
const UNKNOWN: i64 = i64::MIN;
/// A step back of at least this much is another clock; less is disorder.
const OTHER_CLOCK_MICROS: i64 = 1_000_000;
/// Distance of pictures where the source does not say it.
const USUAL_DISTANCE_MICROS: i64 = 40_000;

/// Makes media times, strictly rising microseconds from the source's start, of a stream's own times.
pub(crate) struct MediaClock {
    time_base: Rational,
    start: Option<i64>,
    distance: i64,
    last: Option<i64>,
    shift: i64,
    moved: bool,
}

impl MediaClock {
    /// Without a known start the first picture is the start.
    pub(crate) fn new(time_base: Rational, start: Option<i64>, rate: Option<f64>) -> Self {
        let distance = rate.map_or(USUAL_DISTANCE_MICROS, |rate| (1e6 / rate).round() as i64);
        Self {
            time_base,
            start: start.filter(|&start| start != UNKNOWN),
            distance: distance.max(1),
            last: None,
            shift: 0,
            moved: false,
        }
    }

    /// The media time of the next picture, which the stream says to be at `timestamp`.
    pub(crate) fn media_time(&mut self, timestamp: Option<i64>) -> i64 {
        let time = match timestamp {
            Some(timestamp) => {
                let start = *self.start.get_or_insert(timestamp);
                self.micros(timestamp.saturating_sub(start))
                    .saturating_add(self.shift)
            }
            None => self.last.map_or(0, |last| last + self.distance),
        };
        let time = match self.last {
            Some(last) if time <= last - OTHER_CLOCK_MICROS => {
                let mended = last + self.distance;
                self.shift += mended - time;
                mended
            }
            Some(last) if time <= last => last + 1,
            _ => time,
        };
        self.last = Some(time);
        time
    }

    /// A media time as the container's own time in microseconds, if the two differ by the start only.
    pub(crate) fn source_micros(&self, media_time_micros: i64) -> Option<i64> {
        let start = self.start.filter(|_| self.shift == 0)?;
        Some(self.micros(start).saturating_add(media_time_micros))
    }

    /// The stream was moved: the next picture's time is true whatever came before.
    pub(crate) fn move_to(&mut self) {
        self.last = None;
        self.moved = true;
    }

    pub(crate) fn was_moved(&self) -> bool {
        self.moved
    }

    fn micros(&self, units: i64) -> i64 {
        let numerator = i128::from(units) * i128::from(self.time_base.numerator()) * 1_000_000;
        let denominator = i128::from(self.time_base.denominator().max(1));
        let half = denominator / 2;
        i64::try_from((numerator + half).div_euclid(denominator)).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(start: Option<i64>) -> MediaClock {
        MediaClock::new(Rational(1, 1000), start, Some(25.0))
    }

    #[test]
    fn times_start_at_the_stream_or_at_the_first_picture() {
        assert_eq!(clock(Some(1400)).media_time(Some(1440)), 40_000);
        assert_eq!(clock(None).media_time(Some(1440)), 0);
        assert_eq!(clock(Some(UNKNOWN)).media_time(Some(7)), 0);
    }

    #[test]
    fn missing_times_are_filled_and_disorder_still_rises() {
        let mut clock = clock(None);
        let times = [None, None, Some(80), Some(80), Some(70), Some(120)].map(|time| clock.media_time(time));
        assert_eq!(times, [0, 40_000, 40_001, 40_002, 40_003, 40_004]);
    }

    #[test]
    fn a_clock_that_was_set_back_goes_on_where_it_was() {
        let mut clock = clock(None);
        let times = [1000, 1040, 5, 45].map(|time| clock.media_time(Some(time)));
        assert_eq!(times, [0, 40_000, 80_000, 120_000]);
        assert_eq!(clock.source_micros(0), None);
    }
}
