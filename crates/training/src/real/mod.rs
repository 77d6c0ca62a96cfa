//! Real pictures from the folder `shared` beside the checkout: clips to learn from, clips and MOTChallenge frames to judge by.

mod agreement;
mod clips;
mod mot;

pub use agreement::{Agreement, agreement};
pub use clips::{HELD_OUT_CLIPS, RealFrame, TRAINING_CLIPS, clip_frames};
pub use mot::{MotFrame, mot17_mini, person_precision};
