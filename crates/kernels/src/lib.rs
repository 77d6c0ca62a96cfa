//! The operations of a YOLOX net on the CPU.
//!
//! Between operations a picture's [`Map`] is *blocked*: `[channels / 16, height, width, 16]`, f32. Sixteen channels of one pixel lie side by side, so that every operation works on whole vectors whatever the
//! width of the picture, a stride of two costs nothing and weights are packed once, when the net is loaded.
//!
//! A net works on maps (`apply…`), whose memory a [`Workspace`] keeps from picture to picture. The single operations
//! are candle custom operations as well (`forward…`), on blocked tensors `[pictures, channels / 16, height, width, 16]`.
//!
//! Every operation runs on the calling thread only; several pictures at a time are best spread over several
//! detectors. The processor's instructions are looked up at run time ([`Instructions`]). A picture gives the same
//! bits alone and in a batch: each output is summed in one order, wherever it lies.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod bytes;
mod dense;
mod depthwise;
mod instructions;
mod layout;
mod map;
mod pointwise;
mod portable;
mod pyramid;
mod separable;
mod silu;
mod stem;
mod upsample;
#[cfg(target_arch = "x86_64")]
mod vnni;

pub use dense::Dense;
pub use depthwise::Depthwise;
pub use instructions::Instructions;
pub use layout::{BLOCK, block, unblock};
pub use map::{Map, View, Workspace};
pub use pointwise::Pointwise;
pub use pyramid::SpatialPyramid;
pub use separable::{Entrance, Separable};
pub use stem::Stem;
pub use upsample::Upsample;
