//! Finds people and vehicles in pictures: YOLOX on the operations of `mineseal-kernels`.
//!
//! One detector runs on one thread. To use more cores, make more of them with [`YoloxDetector::another`], which
//! shares the weights.

mod boxes;
mod convert;
#[cfg(any(feature = "cuda", feature = "emulation"))]
mod cuda;
mod device;
mod error;
mod file;
mod letterbox;
mod model;
mod network;
mod own;
mod picture;
mod suppression;
mod weights;
mod yolox;

pub use convert::{Labels, WeightsFacts, convert_weights, inspect_weights};
pub use device::{Device, UnknownDevice};
pub use error::DetectorError;
pub use file::{FileDetections, RgbPicture, detect_image_file, read_image_file};
pub use mineseal_kernels::Instructions;
pub use model::{Detector, DetectorSettings, InputSize, ModelCard, Precision, Timings};
pub use own::own_weights;
pub use picture::PictureRef;
pub use yolox::YoloxDetector;
