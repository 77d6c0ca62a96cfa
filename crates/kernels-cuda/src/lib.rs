//! The operations of a depthwise YOLOX net on NVIDIA devices.
//!
//! Maps are f16 and lie pixel by pixel (NHWC); sums are f32. A net packs its weights into [`Constants`] once and is
//! then written down as a [`Plan`] for each size of a batch: a list of launches over one piece of memory, whose parts
//! are used again as maps come and go. Layers write straight into the parts of a joined map, so that nothing is ever
//! copied to be joined. An [`Executor`] runs plans: on a device each is one CUDA graph, and nothing goes back to the
//! host between layers.
//!
//! With the feature `emulation`, the same kernels run on the host: the tests of every machine check them, and the
//! whole net, against plain arithmetic.
#![cfg(any(feature = "device", feature = "emulation"))]
#![allow(unsafe_code)]

mod constants;
#[cfg(feature = "device")]
mod cuda;
#[cfg(feature = "emulation")]
mod emulation;
mod error;
mod executor;
mod map;
mod operation;
mod packing;
mod plan;
#[cfg(test)]
mod tests;
mod tiling;

pub use constants::{Constants, Pointwise, Prediction, Separable, Stem};
pub use error::KernelError;
pub use executor::{Answer, Executor, Processor, Program};
pub use map::{Map, View};
pub use operation::Candidate;
pub use plan::{Beside, Limits, Plan, PlanSettings};
