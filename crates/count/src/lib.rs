//! Counts crossings in a recording, and tracks given detections: what the command line does without a bus.
//!
//! The way is the same as in the running system: decode, sample by media time, scale to the published size,
//! detect, track, count.

mod drawing;
mod error;
mod line;
mod mot;
mod output;
mod pipeline;
mod settings;

pub use error::{CountError, LineError, TrackError};
pub use line::parse_line;
pub use mot::{ScoreScale, TrackSummary, track_mot_file};
pub use output::{CrossingLine, Progress, Summary};
pub use pipeline::count_video;
pub use settings::{CountSettings, DEFAULT_FRAMES_PER_SECOND, default_anchor};
