//! The positioning system's count beside that of the cameras: the alarm when they differ, and the beginning again at
//! zero when both have long called the mine empty.

use mineseal_counting::{HeadcountLedger, Reconciliation, ReconciliationRule, Report};
use mineseal_domain::{MineState, UtcMicros};
use mineseal_rules::{AlarmStep, MineRules};
use mineseal_schemas::{Correction, Mine, Positioning};

use crate::{Statistics, identity};

/// Who stands for a correction that follows from the positioning system and not from a person.
pub const POSITIONING: &str = "人员定位系统";

/// What follows from the reports whose time has come.
#[derive(Debug, Default)]
pub(crate) struct Reconciled {
    pub(crate) steps: Vec<AlarmStep>,
    /// The count begins again at zero from now on.
    pub(crate) begin_again: Option<Correction>,
}

/// Takes the reports that are not later than the mine's `now` and not taken yet. They are compared with the count of
/// their own time: when they arrive changes nothing of what is found.
pub(crate) fn reconcile(
    reconciliation: &mut Reconciliation,
    ledger: &HeadcountLedger,
    rules: &mut MineRules,
    statistics: &mut Statistics,
    (mine, reports): (&Mine, &[Positioning]),
    now: UtcMicros,
) -> Reconciled {
    let rule = ReconciliationRule::default();
    let strict = mine.state != MineState::Producing;
    let mut reconciled = Reconciled::default();
    for report in reports {
        if report.mine != mine.code || report.at > now || reconciliation.has(report.at) {
            continue;
        }
        match reconciliation.take(&rule, report.at, report.people, strict) {
            Report::NotNewer => continue,
            Report::TooOld => statistics.positioning_too_old += 1,
            Report::Taken(compared) => {
                statistics.positioning_compared += 1;
                reconciled.steps.extend(rules.reconcile(
                    compared.at,
                    compared.video,
                    compared.positioning,
                    compared.allowed,
                ));
            }
        }
        let people = ledger.people();
        if reconciliation.is_empty(&rule, people, strict) {
            let hours = rule.empty_for_micros / 3_600_000_000;
            reconciled.begin_again = Some(Correction {
                id: identity::begin_again(&mine.code, report.at),
                mine: mine.code.clone(),
                people: 0,
                reason: format!(
                    "人员定位连续 {hours} 小时为 0 人且各井口无人进出，视频计数 {people} 人归零；依据 {}，SHA-256 {}",
                    report.file, report.sha256
                ),
                by: POSITIONING.to_owned(),
                at: now,
                ordered_at: report.at,
                signature: Vec::new(),
                outcome: None,
            });
        }
    }
    reconciled
}
