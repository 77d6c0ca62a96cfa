//! Crossings of a line, and the headcount that follows from them.
//!
//! Pure and deterministic: time comes with the frames; the whole state serialises, so that a restart goes on
//! where it stopped.

mod counter;
mod edge;
mod headcount;
mod passage;
mod reconciliation;
mod rule;
mod shift;
mod stated_error;

pub use counter::{CrossingCounter, LineCrossing};
pub use edge::past_the_edges;
pub use headcount::{Correction, HeadcountLedger, MouthTally};
pub use reconciliation::{Compared, Reconciliation, ReconciliationRule, Report};
pub use rule::{Buffer, CrossingRule};
pub use shift::ShiftTally;
pub use stated_error::{ErrorRow, StatedError};

/// Version of the rule that decides crossings; rises with every change of what counts.
///
/// 2: boxes of which a part is lost, or which an edge of the picture cuts, are completed.
pub const RULE_VERSION: i32 = 2;
