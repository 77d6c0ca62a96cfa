use mineseal_domain::{HealthCondition, UtcMicros};
use serde::{Deserialize, Serialize};

/// A camera's picture went into another condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthChange {
    /// The new condition.
    pub condition: HealthCondition,
    /// When it began: earlier than the frame that decided it.
    pub since: UtcMicros,
}
