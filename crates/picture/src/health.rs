use mineseal_domain::{HealthCondition, HealthMeasures, UtcMicros};
use serde::{Deserialize, Serialize};

use crate::HealthSettings;
use crate::faults::FAULTS;
use crate::hold::Hold;

/// A camera's picture went into another condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthChange {
    /// The new condition.
    pub condition: HealthCondition,
    /// When it began: earlier than the frame that decided it.
    pub since: UtcMicros,
}

/// Judges the condition of one camera's picture: covered, frozen, over-exposed, dark, blurred, or normal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthJudge {
    condition: HealthCondition,
    since: Option<UtcMicros>,
    faults: [Hold; FAULTS.len()],
    /// Evidence that the present fault has ended.
    gone: Hold,
    /// Evidence that there is no fault at all.
    clean: Hold,
}

impl Default for HealthJudge {
    fn default() -> Self {
        Self::new()
    }
}

impl HealthJudge {
    /// A judge who has seen nothing and believes in a normal picture.
    #[must_use]
    pub fn new() -> Self {
        Self {
            condition: HealthCondition::Normal,
            since: None,
            faults: Default::default(),
            gone: Hold::default(),
            clean: Hold::default(),
        }
    }

    /// The condition, and since when; no time before the first frame.
    #[must_use]
    pub fn condition(&self) -> (HealthCondition, Option<UtcMicros>) {
        (self.condition, self.since)
    }

    /// Takes the measures of the frame of time `at`; returns the change that it decides.
    pub fn step(
        &mut self,
        settings: &HealthSettings,
        at: UtcMicros,
        measures: &HealthMeasures,
    ) -> Option<HealthChange> {
        self.since.get_or_insert(at);
        let tolerated = settings.tolerated_frames;
        let mut lasting = None;
        let mut at_fault = false;
        for (fault, hold) in FAULTS.into_iter().zip(&mut self.faults) {
            let active = fault == self.condition;
            let Some(shown) = settings.shows(fault, active, measures) else {
                at_fault |= active;
                continue;
            };
            at_fault |= shown;
            // One changed frame proves that the picture is not frozen.
            let tolerated = if fault == HealthCondition::Frozen {
                0
            } else {
                tolerated
            };
            let since = hold.step(at, shown, settings.fault_after_micros, tolerated);
            lasting = lasting.or(since.filter(|_| !active).map(|since| (fault, since)));
        }
        let shown = settings.shows(self.condition, true, measures);
        let gone = self
            .gone
            .step(at, shown == Some(false), settings.normal_after_micros, tolerated);
        let clean = self
            .clean
            .step(at, !at_fault, settings.normal_after_micros, tolerated);
        let (condition, since) = match (lasting, clean) {
            (Some((fault, since)), _) if self.outranks(fault) || gone.is_some() => (fault, since),
            (_, Some(since)) if self.condition != HealthCondition::Normal => (HealthCondition::Normal, since),
            _ => return None,
        };
        self.condition = condition;
        self.since = Some(since);
        self.gone = Hold::default();
        Some(HealthChange { condition, since })
    }

    /// Whether `fault` is graver than what is believed now.
    fn outranks(&self, fault: HealthCondition) -> bool {
        let rank = |condition| {
            FAULTS
                .iter()
                .position(|&fault| fault == condition)
                .unwrap_or(FAULTS.len())
        };
        rank(fault) < rank(self.condition)
    }
}

#[cfg(test)]
mod tests;
