//! All that is known of one mine, and how each frame's detections change it.
//!
//! [`MineEngine::step`] is a function of the engine's state, the mine's registration and one input: no clock, no
//! input or output, no chance. The same inputs give the same outputs and the same state, bit for bit, which is
//! what makes a replay a proof; and an engine that was written down and read back goes on as if nothing had
//! happened.

mod camera;
mod clock;
mod corrections;
mod engine;
mod evidence;
mod identity;
mod outputs;
mod positioning;
mod reading;
mod state;
mod statistics;

pub use corrections::OrderedCorrection;
pub use engine::{Beside, InputPosition, MineEngine, MineRegistration};
pub use outputs::Output;
pub use positioning::POSITIONING;
pub use state::{OLDEST_STATE_FORMAT, STATE_FORMAT, StateError, decode_state};
pub use statistics::Statistics;
