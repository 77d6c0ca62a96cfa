use mineseal_domain::UtcMicros;

/// A camera's clock that differs from ours by more than this is not believed, microseconds.
const SUSPECT_MICROS: i64 = 1_000_000;
/// A capture time further from our clock than this is set right at once, microseconds.
const STEP_MICROS: i64 = 2_000_000;
/// Otherwise at most this part of the elapsed media time is mended, so that paces stay true.
const SLEW_DIVISOR: i64 = 20;

/// Gives the pictures of one reading of a live camera their capture times: the camera's own, by its RTCP sender
/// reports, where it gives any that can be believed, else the time of arrival. The distances of pictures follow the
/// stream's own times, so that the network's jitter is not in them.
#[derive(Clone, Debug, Default)]
pub(crate) struct CaptureClock {
    /// Capture time of media time 0.
    anchor: Option<i64>,
    last_media: i64,
    last: Option<UtcMicros>,
}

/// When a picture was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Captured {
    /// Strictly rising.
    pub(crate) at: UtcMicros,
    /// The camera's clock less ours, microseconds, where it tells its time.
    pub(crate) camera_ahead: Option<i64>,
    /// The camera tells a time that differs from ours by more than a second.
    pub(crate) suspect: bool,
}

impl CaptureClock {
    /// The capture time of the picture at `media_time`, which came at `arrival`; `camera` is the time that the camera
    /// itself gives it, microseconds since 1970.
    pub(crate) fn take(&mut self, media_time: i64, arrival: UtcMicros, camera: Option<i64>) -> Captured {
        let camera_ahead = camera.map(|camera| camera.saturating_sub(arrival.0));
        let suspect = camera_ahead.is_some_and(|ahead| ahead.saturating_abs() > SUSPECT_MICROS);
        let wanted = camera
            .filter(|_| !suspect)
            .unwrap_or(arrival.0)
            .saturating_sub(media_time);
        let anchor = match self.anchor {
            None => wanted,
            Some(anchor) => {
                let room = media_time.saturating_sub(self.last_media).max(0) / SLEW_DIVISOR;
                anchor.saturating_add(wanted.saturating_sub(anchor).clamp(-room, room))
            }
        };
        let strayed = anchor.saturating_add(media_time).saturating_sub(arrival.0);
        let anchor = if strayed.saturating_abs() > STEP_MICROS {
            wanted
        } else {
            anchor
        };
        self.anchor = Some(anchor);
        self.last_media = media_time;
        let at = UtcMicros(anchor.saturating_add(media_time));
        // Two pictures must not share a moment, and a clock that is set back must not turn time round.
        let at = self.last.map_or(at, |last| at.max(last.plus_micros(1)));
        self.last = Some(at);
        Captured {
            at,
            camera_ahead,
            suspect,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_800_000_000_000_000;
    const STEP: i64 = 200_000;

    #[test]
    fn jitter_of_the_network_is_not_in_the_distances() {
        let mut clock = CaptureClock::default();
        let times: Vec<i64> = (0..50)
            .map(|number| {
                let late = if number % 7 == 3 { 150_000 } else { 0 };
                let arrival = UtcMicros(START + number * STEP + late);
                clock.take(number * STEP, arrival, None).at.0
            })
            .collect();
        for pair in times.windows(2) {
            assert!((pair[1] - pair[0] - STEP).abs() <= STEP / 20, "{pair:?}");
        }
    }

    #[test]
    fn a_cameras_own_time_is_reached_without_a_leap() {
        let mut clock = CaptureClock::default();
        let mut last = None;
        for number in 0..200 {
            let arrival = START + number * STEP;
            // Sender reports come after five seconds; the pictures took 300 ms to arrive.
            let camera = (number > 25).then_some(arrival - 300_000);
            let taken = clock.take(number * STEP, UtcMicros(arrival), camera);
            assert!(!taken.suspect);
            if let Some(last) = last {
                let distance: i64 = taken.at.0 - last;
                assert!((distance - STEP).abs() <= STEP / 20, "{number}: {distance}");
            }
            last = Some(taken.at.0);
        }
        assert_eq!(last, Some(START + 199 * STEP - 300_000));
    }

    #[test]
    fn a_clock_that_is_off_by_more_than_a_second_is_marked_and_not_used() {
        let mut clock = CaptureClock::default();
        let arrival = UtcMicros(START);
        let taken = clock.take(0, arrival, Some(START + 1_000_001));
        assert_eq!((taken.at, taken.suspect), (arrival, true));
        assert_eq!(taken.camera_ahead, Some(1_000_001));
        let taken = clock.take(STEP, arrival.plus_micros(STEP), Some(START + STEP - 900_000));
        assert!(!taken.suspect);
        assert!(taken.at > arrival);
    }

    #[test]
    fn a_stream_whose_own_times_are_wrong_does_not_stray_from_our_clock() {
        let mut clock = CaptureClock::default();
        let mut last = UtcMicros(0);
        for number in 0..1_000 {
            // Its times run at twice the pace.
            let arrival = UtcMicros(START + number * STEP);
            let taken = clock.take(number * 2 * STEP, arrival, None);
            assert!(taken.at.micros_since(arrival).abs() <= STEP_MICROS, "{number}");
            assert!(taken.at > last);
            last = taken.at;
        }
        let hostile = clock.take(i64::MAX, UtcMicros(i64::MIN), Some(i64::MAX));
        assert!(hostile.at > last);
        clock.take(i64::MIN, UtcMicros(i64::MAX), Some(i64::MIN));
    }
}
