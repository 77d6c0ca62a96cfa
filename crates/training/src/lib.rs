//! Training of the product's own detector weights: the YOLOX-Nano net, on rendered mine scenes and on what an open teacher
//! says of real pictures, on the CPU.
//!
//! [`train`] renders pictures of random scenes, learns from them with candle's automatic differentiation over
//! this crate's own operations, and writes the weights as the detector loads them. [`evaluate`] judges weights
//! with the product's detector on scenes that they were not trained on. [`distil`] starts from an open teacher's weights,
//! learns the scenes and is held to the teacher on real pictures; [`agreement`] and [`person_precision`] judge that.

mod assignment;
mod augmentation;
mod checkpoint;
mod detection;
mod distil;
mod dual;
mod error;
mod evaluation;
mod export;
mod folded;
mod layers;
mod loss;
mod net;
mod operations;
mod optimiser;
mod pictures;
mod real;
mod simd;
mod trainer;
mod truth;
mod unfold;
mod worker;

pub use detection::{evaluate, evaluate_pictures};
pub use distil::{DistilSettings, distil, distil_frames};
pub use error::TrainingError;
pub use evaluation::{ClassFigures, Judged, figures};
pub use layers::{CLASSES, INPUT_HEIGHT, INPUT_WIDTH};
pub use loss::LossParts;
pub use pictures::{Picture, PictureSet, PictureSettings};
pub use real::{
    Agreement, HELD_OUT_CLIPS, MotFrame, RealFrame, TRAINING_CLIPS, agreement, clip_frames, mot17_mini,
    person_precision,
};
pub use trainer::{CHECKPOINT_FILE, Progress, TrainReport, TrainSettings, WEIGHTS_FILE, train};
pub use truth::Truth;
