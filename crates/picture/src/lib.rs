//! What a picture says about its camera and its scene without a detector: camera health, belt motion, and
//! whether a post is manned.
//!
//! Two halves. [`HealthMeter`] turns each published frame into a few numbers, where the pixels are. The judges
//! turn the numbers of many frames into conditions, where the mine's state is. Both are pure; time comes with
//! the frames, and the judges' state serialises.

mod belt;
mod cells;
mod echo;
mod health;
mod hold;
mod judge;
mod look;
mod meter;
mod modes;
mod plane;
mod post;
mod recurrence;
mod reference;
mod repeat;
mod residue;
mod settings;
mod shrunk;
mod slopes;
mod stillness;
mod sway;
#[cfg(test)]
mod testing;
mod threshold;
mod usual;
mod view;

pub use belt::{BeltChange, BeltJudge, BeltSettings};
pub use health::HealthChange;
pub use judge::{Evidence, PictureJudge};
pub use meter::HealthMeter;
pub use plane::{LumaPlane, PlaneError};
pub use post::{PostChange, PostJudge, PostSettings};
pub use settings::PictureSettings;
pub use threshold::Threshold;
pub use view::ViewMeter;
