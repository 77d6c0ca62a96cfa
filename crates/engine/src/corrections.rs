//! Corrections of the headcount: who may order one is judged outside, when it holds and what it changes in here.
//!
//! A correction says how many people are underground at an event time. It is decided once: with the first frame that
//! brings the mine's time to it or past it, before that frame's crossings. One that comes after its time would wipe
//! out what was counted since, and is refused.

use std::collections::VecDeque;

use mineseal_counting::HeadcountLedger;
use mineseal_domain::{MineCode, UtcMicros};
use mineseal_schemas::{Correction, CorrectionOutcome};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::InputPosition;

/// Decisions that are remembered until the topic shows them.
const REMEMBERED: usize = 256;

/// Nobody believes that more people are in one mine.
const MOST_PEOPLE: i64 = 100_000;

/// A correction as it was ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderedCorrection {
    /// The order, with the outcome if it was decided before.
    pub correction: Correction,
    /// Why it may not be applied, if whoever checked its signature says so.
    pub refused: Option<String>,
}

/// What was decided.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Decided {
    /// Oldest first.
    identities: VecDeque<Uuid>,
}

/// Between which times of the mine a frame came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// Before the frame; none if it is the mine's first.
    pub(crate) before: Option<UtcMicros>,
    pub(crate) now: UtcMicros,
    pub(crate) position: InputPosition,
}

impl Decided {
    /// Decides `ordered` if its time has come; the ledger is changed if it is applied.
    pub(crate) fn decide(
        &mut self,
        mine: &MineCode,
        ledger: &mut HeadcountLedger,
        ordered: &OrderedCorrection,
        moment: Moment,
    ) -> Option<Correction> {
        let correction = &ordered.correction;
        let late = moment.before.is_some_and(|before| correction.at <= before);
        if correction.mine != *mine || correction.at > moment.now || self.identities.contains(&correction.id)
        {
            return None;
        }
        match &correction.outcome {
            // It was refused, or applied before what this engine remembers.
            Some(outcome) if !outcome.applied || late => return None,
            _ => {}
        }
        self.remember(correction.id);
        let before = ledger.people();
        let refusal = ordered.refused.clone().or_else(|| refusal(correction, late));
        let change = if refusal.is_none() {
            apply(ledger, correction)
        } else {
            0
        };
        Some(Correction {
            outcome: Some(CorrectionOutcome {
                applied: refusal.is_none(),
                refusal: refusal.unwrap_or_default(),
                before,
                change,
                partition: moment.position.partition,
                offset: moment.position.offset,
            }),
            ..correction.clone()
        })
    }

    /// Whether the correction of that identity was decided here, or waits for its time among `ordered`.
    pub(crate) fn knows(&self, id: Uuid, ordered: &[OrderedCorrection]) -> bool {
        self.identities.contains(&id) || ordered.iter().any(|ordered| ordered.correction.id == id)
    }

    /// Applies a correction that no person ordered but a rule; its time is the mine's now.
    pub(crate) fn apply(
        &mut self,
        ledger: &mut HeadcountLedger,
        correction: Correction,
        position: InputPosition,
    ) -> Correction {
        self.remember(correction.id);
        let before = ledger.people();
        let change = apply(ledger, &correction);
        Correction {
            outcome: Some(CorrectionOutcome {
                applied: true,
                refusal: String::new(),
                before,
                change,
                partition: position.partition,
                offset: position.offset,
            }),
            ..correction
        }
    }

    fn remember(&mut self, id: Uuid) {
        if self.identities.len() == REMEMBERED {
            self.identities.pop_front();
        }
        self.identities.push_back(id);
    }
}

fn apply(ledger: &mut HeadcountLedger, correction: &Correction) -> i64 {
    let change = ledger.change_to(correction.people);
    ledger.correct(mineseal_counting::Correction {
        at: correction.at,
        change,
        reason: correction.reason.clone(),
        by: correction.by.clone(),
    });
    change
}

fn refusal(correction: &Correction, late: bool) -> Option<String> {
    if !(0..=MOST_PEOPLE).contains(&correction.people) {
        return Some(format!("there cannot be {} people in a mine", correction.people));
    }
    if correction.reason.trim().is_empty() || correction.by.trim().is_empty() {
        return Some("it has no reason, or nobody gives his name for it".to_owned());
    }
    late.then(|| "it came after its time: crossings later than it were counted already".to_owned())
}
