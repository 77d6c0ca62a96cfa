use mineseal_domain::UtcMicros;
use serde::{Deserialize, Serialize};

/// When a post counts as empty. Defaults of this project.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PostSettings {
    /// It is empty when nobody was seen for this long, microseconds of watched time.
    pub empty_after_micros: i64,
    /// Frames in a row in which somebody must be seen, so that one false detection does not man the post.
    pub frames_to_see: u32,
    /// Between frames further apart than this nobody watched: that time does not count.
    pub longest_gap_micros: i64,
}

impl Default for PostSettings {
    fn default() -> Self {
        Self {
            empty_after_micros: 300_000_000,
            frames_to_see: 2,
            longest_gap_micros: 30_000_000,
        }
    }
}

/// A post was left or manned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostChange {
    /// Somebody is there, or nobody.
    pub occupied: bool,
    /// When that began: for an empty post, when somebody was last seen.
    pub since: UtcMicros,
}

/// Judges whether somebody is at a post.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PostJudge {
    occupied: Option<bool>,
    last: Option<UtcMicros>,
    /// When somebody was last seen, or watching began.
    left_at: UtcMicros,
    /// Watched time since then.
    empty_micros: i64,
    /// Frames in a row with somebody.
    seen: u32,
}

impl PostJudge {
    /// A judge who has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether somebody is there, once that is known.
    #[must_use]
    pub fn occupied(&self) -> Option<bool> {
        self.occupied
    }

    /// Takes how many people the frame of time `at` shows at the post; returns the change that it decides. A
    /// frame that is not later than the last one adds no time.
    pub fn step(&mut self, settings: &PostSettings, at: UtcMicros, people: usize) -> Option<PostChange> {
        let gap = self.last.map_or(0, |last| at.micros_since(last));
        if self.last.is_none() {
            self.left_at = at;
        }
        self.last = Some(at);
        if people > 0 {
            self.seen = self.seen.saturating_add(1);
            if self.seen < settings.frames_to_see {
                self.wait(settings, gap);
                return None;
            }
            self.left_at = at;
            self.empty_micros = 0;
            return self.become_state(true, at);
        }
        self.seen = 0;
        self.wait(settings, gap);
        if self.empty_micros < settings.empty_after_micros {
            return None;
        }
        self.become_state(false, self.left_at)
    }

    fn wait(&mut self, settings: &PostSettings, gap: i64) {
        if (0..=settings.longest_gap_micros).contains(&gap) {
            self.empty_micros = self.empty_micros.saturating_add(gap);
        }
    }

    fn become_state(&mut self, occupied: bool, since: UtcMicros) -> Option<PostChange> {
        if self.occupied == Some(occupied) {
            return None;
        }
        self.occupied = Some(occupied);
        Some(PostChange { occupied, since })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    /// One frame a second from second `from` to before second `to`.
    fn run(
        judge: &mut PostJudge,
        from: i64,
        to: i64,
        people: impl Fn(i64) -> usize,
    ) -> Vec<(i64, bool, i64)> {
        (from..to)
            .filter_map(|second| {
                let change = judge.step(
                    &PostSettings::default(),
                    UtcMicros(second * SECOND),
                    people(second),
                )?;
                Some((second, change.occupied, change.since.0 / SECOND))
            })
            .collect()
    }

    #[test]
    fn a_post_is_empty_after_five_minutes_and_not_before() {
        let mut judge = PostJudge::new();
        assert_eq!(run(&mut judge, 0, 60, |_| 1), [(1, true, 1)]);
        assert_eq!(run(&mut judge, 60, 359, |_| 0), []);
        assert_eq!(run(&mut judge, 359, 500, |_| 0), [(359, false, 59)]);
        assert_eq!(run(&mut judge, 500, 510, |_| 2), [(501, true, 501)]);
    }

    #[test]
    fn a_post_that_was_never_manned_is_empty_too() {
        assert_eq!(run(&mut PostJudge::new(), 0, 400, |_| 0), [(300, false, 0)]);
    }

    #[test]
    fn single_false_detections_do_not_man_it_and_lost_ones_do_not_empty_it() {
        let mut judge = PostJudge::new();
        assert_eq!(
            run(&mut judge, 0, 400, |second| usize::from(second % 20 == 7)),
            [(300, false, 0)]
        );
        let mut judge = PostJudge::new();
        assert_eq!(
            run(&mut judge, 0, 2_000, |second| usize::from(second % 100 < 3)),
            [(1, true, 1)]
        );
    }

    #[test]
    fn time_that_nobody_watched_does_not_count() {
        let mut judge = PostJudge::new();
        run(&mut judge, 0, 10, |_| 1);
        assert_eq!(run(&mut judge, 10, 200, |_| 0), []);
        assert_eq!(
            run(&mut judge, 5_000, 5_100, |_| 0),
            [],
            "an hour without frames proves nothing"
        );
        assert_eq!(run(&mut judge, 5_100, 5_200, |_| 0).len(), 1);
        assert_eq!(
            run(&mut judge, 100, 200, |_| 0),
            [],
            "nor does a clock that was set back"
        );
    }
}
