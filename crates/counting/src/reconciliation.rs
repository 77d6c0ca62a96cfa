//! The video count beside that of the positioning system (人员定位): what one person's card says and what the cameras
//! at the mouths say should be the same number.

use std::collections::VecDeque;

use mineseal_domain::UtcMicros;
use serde::{Deserialize, Serialize};

/// How long changes of the headcount are remembered, and how many at most: a report is compared with what the count was
/// at its time, microseconds.
const REMEMBERED_MICROS: i64 = 10 * 60_000_000;
const REMEMBERED_CHANGES: usize = 256;

/// How far the two counts may differ, and when a count that both deny begins again at zero (`domain.md` 5).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReconciliationRule {
    /// Allowed gap as a share of the larger count, rounded up.
    pub share: f64,
    /// Allowed gap at least, people.
    pub least: i64,
    /// A mine that positioning calls empty for so long, and in which nobody crossed a mouth for so long, is empty:
    /// microseconds.
    pub empty_for_micros: i64,
    /// Positioning that is silent for longer than this has said nothing about the time between, microseconds.
    pub longest_silence_micros: i64,
}

impl Default for ReconciliationRule {
    fn default() -> Self {
        Self {
            share: 0.1,
            least: 10,
            empty_for_micros: 4 * 3_600_000_000,
            longest_silence_micros: 10 * 60_000_000,
        }
    }
}

impl ReconciliationRule {
    /// People by which the counts may differ. `strict` allows none: ten people are a secret crew where nobody may be
    /// underground.
    #[must_use]
    pub fn allowed(&self, video: i64, positioning: i64, strict: bool) -> i64 {
        if strict {
            return 0;
        }
        let larger = video.max(positioning).max(0) as f64;
        ((larger * self.share).ceil() as i64).max(self.least)
    }
}

/// The two counts at the time of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compared {
    /// The time of the report.
    pub at: UtcMicros,
    /// People underground by the cameras at that time.
    pub video: i64,
    /// People underground by their cards.
    pub positioning: i64,
    /// People by which they may differ.
    pub allowed: i64,
}

impl Compared {
    /// People by which they differ.
    #[must_use]
    pub fn gap(&self) -> i64 {
        self.video.saturating_sub(self.positioning).saturating_abs()
    }

    /// Whether they differ by more than they may.
    #[must_use]
    pub fn differs(&self) -> bool {
        self.gap() > self.allowed
    }
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// Not later than one that was taken before: the time in the file decides.
    NotNewer,
    /// From before what is remembered of the headcount.
    TooOld,
    /// Compared.
    Taken(Compared),
}

/// One mine's positioning beside its count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconciliation {
    /// The headcount from each time on, oldest first.
    changes: VecDeque<(UtcMicros, i64)>,
    /// Since when the headcount is known.
    watched_since: Option<UtcMicros>,
    /// Time and people of the newest report.
    last: Option<(UtcMicros, i64)>,
    /// Since when every report has called the mine empty.
    empty_since: Option<UtcMicros>,
    passed_at: Option<UtcMicros>,
}

impl Reconciliation {
    /// Takes the headcount that holds from `at` on. Times only go forward.
    pub fn note(&mut self, at: UtcMicros, people: i64) {
        self.watched_since.get_or_insert(at);
        let forgotten = |(time, _): &(UtcMicros, i64)| at.micros_since(*time) > REMEMBERED_MICROS;
        // The last one before that time says what the count was at it.
        while self.changes.get(1).is_some_and(forgotten) {
            self.changes.pop_front();
        }
        match self.changes.back_mut() {
            Some((_, known)) if *known == people => return,
            Some((time, known)) if *time >= at => {
                *known = people;
                return;
            }
            _ => {}
        }
        if self.changes.len() == REMEMBERED_CHANGES {
            self.changes.pop_front();
        }
        self.changes.push_back((at, people));
    }

    /// Somebody crossed a mouth at `at`.
    pub fn passed(&mut self, at: UtcMicros) {
        self.passed_at = self.passed_at.max(Some(at));
    }

    /// The newest report: its time, and the people whom it had underground.
    #[must_use]
    pub fn last(&self) -> Option<(UtcMicros, i64)> {
        self.last
    }

    /// Whether a report of that time was taken already, or a later one.
    #[must_use]
    pub fn has(&self, at: UtcMicros) -> bool {
        self.last.is_some_and(|(last, _)| at <= last)
    }

    /// Takes a report that `people` were underground at `at`, a time not later than the newest that was noted.
    pub fn take(&mut self, rule: &ReconciliationRule, at: UtcMicros, people: i64, strict: bool) -> Report {
        if self.has(at) {
            return Report::NotNewer;
        }
        let silent = self
            .last
            .is_none_or(|(last, _)| at.micros_since(last) > rule.longest_silence_micros);
        self.last = Some((at, people));
        self.empty_since = match self.empty_since {
            _ if people != 0 => None,
            Some(since) if !silent => Some(since),
            _ => Some(at),
        };
        let Some(video) = self.people_at(at) else {
            return Report::TooOld;
        };
        Report::Taken(Compared {
            at,
            video,
            positioning: people,
            allowed: rule.allowed(video, people, strict),
        })
    }

    /// Whether the mine is empty by everything that is known at the time of the newest report, so that its count may
    /// begin again at zero: a count that is off by no more than the counts may differ, nobody through a mouth, and
    /// every card outside, all of that for long enough. Never `strict`: where nobody may be underground only a
    /// person says that nobody is.
    #[must_use]
    pub fn is_empty(&self, rule: &ReconciliationRule, people: i64, strict: bool) -> bool {
        let Some((last, _)) = self.last else { return false };
        let long = |since: Option<UtcMicros>| {
            since.is_some_and(|since| last.micros_since(since) >= rule.empty_for_micros)
        };
        !strict
            && people != 0
            && people.saturating_abs() <= rule.least
            && long(self.empty_since)
            && long(self.passed_at.or(self.watched_since))
    }

    fn people_at(&self, at: UtcMicros) -> Option<i64> {
        let before = self.changes.iter().rev().find(|(time, _)| *time <= at);
        before.map(|(_, people)| *people)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: ReconciliationRule = ReconciliationRule {
        share: 0.1,
        least: 10,
        empty_for_micros: 4 * 3_600_000_000,
        longest_silence_micros: 10 * 60_000_000,
    };

    fn minute(minute: i64) -> UtcMicros {
        UtcMicros(minute * 60_000_000)
    }

    #[test]
    fn the_allowed_gap_is_a_tenth_of_the_larger_and_ten_at_least() {
        for (video, positioning, allowed) in
            [(0, 0, 10), (100, 90, 10), (101, 5, 11), (5, 111, 12), (-3, 4, 10)]
        {
            assert_eq!(
                RULE.allowed(video, positioning, false),
                allowed,
                "{video} {positioning}"
            );
            assert_eq!(RULE.allowed(video, positioning, true), 0);
        }
        let compared = |video, positioning| Compared {
            at: minute(0),
            video,
            positioning,
            allowed: 10,
        };
        assert!(!compared(20, 10).differs());
        assert!(compared(21, 10).differs() && compared(10, 21).differs());
    }

    #[test]
    fn a_report_is_compared_with_the_count_of_its_own_time() {
        let mut one = Reconciliation::default();
        for (at, people) in [(0, 0), (10, 5), (20, 6)] {
            one.note(minute(at), people);
        }
        let video = |report| match report {
            Report::Taken(compared) => compared.video,
            other => panic!("{other:?}"),
        };
        assert_eq!(one.take(&RULE, minute(-1), 3, false), Report::TooOld);
        assert_eq!(video(one.take(&RULE, minute(9), 3, false)), 0);
        assert_eq!(video(one.take(&RULE, minute(10), 3, false)), 5);
        assert_eq!(one.take(&RULE, minute(10), 3, false), Report::NotNewer);
        assert_eq!(one.take(&RULE, minute(5), 3, false), Report::NotNewer);
        assert_eq!(video(one.take(&RULE, minute(25), 3, true)), 6);
        assert_eq!(one.last(), Some((minute(25), 3)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut one = Reconciliation::default();
        let second = |second: i64| UtcMicros(second * 1_000_000);
        for number in 0..10_000 {
            one.note(second(number), number);
        }
        assert_eq!(one.changes.len(), REMEMBERED_CHANGES);
        assert_eq!(one.people_at(second(9_999)), Some(9_999));
        assert_eq!(one.people_at(second(9_000)), None);
        one.note(second(20_000), 9_999);
        assert_eq!(one.changes.len(), 1, "what is long past is forgotten");
        assert_eq!(one.people_at(second(19_500)), Some(9_999));
    }

    /// Reports of nobody every five minutes from `from` to `to`, both in minutes.
    fn empty(one: &mut Reconciliation, from: i64, to: i64) {
        for at in (from..=to).step_by(5) {
            one.take(&RULE, minute(at), 0, false);
        }
    }

    #[test]
    fn a_mine_is_empty_when_cards_and_mouths_have_said_so_for_four_hours() {
        let mut one = Reconciliation::default();
        one.note(minute(0), 3);
        one.passed(minute(0));
        empty(&mut one, 5, 240);
        assert!(!one.is_empty(&RULE, 3, false), "not for four hours yet");
        empty(&mut one, 245, 245);
        assert!(one.is_empty(&RULE, 3, false) && one.is_empty(&RULE, -3, false));
        assert!(
            !one.is_empty(&RULE, 3, true),
            "where nobody may be, a person decides"
        );
        assert!(!one.is_empty(&RULE, 11, false), "so many are no drift");
        assert!(!one.is_empty(&RULE, 0, false), "there is nothing to mend");
        one.passed(minute(200));
        assert!(!one.is_empty(&RULE, 3, false), "somebody passed");
    }

    #[test]
    fn one_card_underground_or_a_silence_begins_the_time_anew() {
        for broken in [true, false] {
            let mut one = Reconciliation::default();
            one.note(minute(0), 3);
            empty(&mut one, 5, 120);
            if broken {
                one.take(&RULE, minute(125), 1, false);
                empty(&mut one, 130, 250);
            } else {
                empty(&mut one, 140, 250);
            }
            assert!(!one.is_empty(&RULE, 3, false), "{broken}");
        }
    }
}
