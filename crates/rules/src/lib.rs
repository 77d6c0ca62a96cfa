//! What is an alarm in which mine: the policy by the mine's state, and the life of each alarm.
//!
//! Pure and deterministic: facts go in with their event time, steps in the lives of alarms come out. An alarm is
//! raised when its cause begins, updated when the cause grows worse, and cleared when the cause has ended; of
//! each kind one is open for each camera.

mod messages;
mod mine_rules;
mod open;
mod policy;

pub use mine_rules::{MineRules, QUIET_MICROS, Signal, Watched};
pub use open::{AlarmStep, OpenAlarm};
pub use policy::{Policy, severity};

/// Version of the rules; rises with every change of what is an alarm, how grave it is, or when it ends.
///
/// 3: passages by non-regular ways, and counts that differ from the positioning system's, are alarms.
/// 4: so are passages of gates against their direction.
pub const RULE_VERSION: i32 = 4;
