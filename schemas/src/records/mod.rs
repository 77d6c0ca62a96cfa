mod alarms;
mod corrections;
mod frames;
mod operations;
mod registration;
mod results;

pub use alarms::{Alarm, Disposition, Evidence, EvidenceKind, EvidenceRequest};
pub use corrections::{Correction, CorrectionOutcome};
pub use frames::{DetectedBox, Detections, Frame, FrameLocation};
pub use operations::{CounterState, DeadLetter, Positioning, Receipt, ReceiptOutcome};
pub use registration::{Camera, Mine};
pub use results::{Activity, CameraHealth, Crossing, Headcount, MouthCount, ShiftCount};
