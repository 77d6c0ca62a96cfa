use std::path::PathBuf;

use thiserror::Error;

use crate::Device;

/// What can go wrong with weights and pictures.
#[derive(Debug, Error)]
pub enum DetectorError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The weights are something else.
    #[error("{path} is not a safetensors file: {reason}")]
    NotSafetensors {
        /// The file.
        path: PathBuf,
        /// What the reader of the format says.
        reason: String,
    },
    /// The file's metadata lacks a value or has one that does not serve.
    #[error("{path}: metadata {key} is {found:?}, expected {expected}")]
    Metadata {
        /// The file.
        path: PathBuf,
        /// The name of the value.
        key: &'static str,
        /// What stands there; empty where nothing does.
        found: String,
        /// What would serve.
        expected: String,
    },
    /// The net needs a tensor that the file does not have.
    #[error("{path} has no tensor {tensor}; expected one of shape {expected:?}")]
    TensorMissing {
        /// The file.
        path: PathBuf,
        /// Its name.
        tensor: String,
        /// Its shape.
        expected: Vec<usize>,
    },
    /// A tensor does not fit the net.
    #[error("{path}: tensor {tensor} has shape {found:?}, expected {expected:?}")]
    TensorShape {
        /// The file.
        path: PathBuf,
        /// Its name.
        tensor: String,
        /// The shape in the file.
        found: Vec<usize>,
        /// The shape that the net needs.
        expected: Vec<usize>,
    },
    /// A tensor's numbers do not serve.
    #[error("{path}: tensor {tensor} {reason}")]
    TensorNumbers {
        /// The file.
        path: PathBuf,
        /// Its name.
        tensor: String,
        /// Why not.
        reason: &'static str,
    },
    /// The wanted classes are none that the weights know.
    #[error("{path} knows the classes {known:?}, none of the wanted {wanted:?}")]
    Classes {
        /// The file.
        path: PathBuf,
        /// Names of the wanted classes.
        wanted: Vec<&'static str>,
        /// Names of the known classes.
        known: Vec<&'static str>,
    },
    /// The net halves the picture five times.
    #[error("input size {width}x{height}: both must be multiples of 32, from 32 to 4096")]
    InputSize {
        /// Pixels.
        width: usize,
        /// Pixels.
        height: usize,
    },
    /// A threshold is not a share.
    #[error("{name} is {found}, expected more than 0 and less than 1")]
    Threshold {
        /// The setting.
        name: &'static str,
        /// Its value.
        found: f32,
    },
    /// A picture cannot be used; the others of the batch can.
    #[error("picture {index}: {reason}")]
    Picture {
        /// Its place in the batch, from 0.
        index: usize,
        /// Why.
        reason: String,
    },
    /// A picture file cannot be used.
    #[error("{path}: {reason}")]
    PictureFile {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The JPEG library could not be started.
    #[error("cannot start the JPEG decoder: {0}")]
    JpegDecoder(String),
    /// The net cannot be brought to where it should run.
    #[error("the detector cannot run on {device}: {reason}")]
    Device {
        /// Where it should run.
        device: Device,
        /// Why it cannot.
        reason: String,
    },
    /// The device failed.
    #[cfg(any(feature = "cuda", feature = "emulation"))]
    #[error(transparent)]
    Kernel(#[from] mineseal_kernels_cuda::KernelError),
    /// A file cannot be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is no ONNX model, or one that holds its numbers in a form that is not read.
    #[error("{path} is not a usable ONNX file: {reason}")]
    Onnx {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A model is no YOLOX, or one of an unknown size.
    #[error("{path} is not a YOLOX net: {reason}")]
    NotYolox {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A convolution of an ONNX model is not the one that YOLOX has at its place.
    #[error(
        "{path}: convolution {number}, which should be {name}, has {what} {found}, expected {expected}; is this a YOLOX export?"
    )]
    Convolution {
        /// The file.
        path: PathBuf,
        /// Its place in the graph, from 0.
        number: usize,
        /// What YOLOX has there.
        name: String,
        /// What differs.
        what: &'static str,
        /// In the file.
        found: usize,
        /// In YOLOX.
        expected: usize,
    },
    /// An operation of the net failed.
    #[error("the net failed: {0}")]
    Net(#[from] candle_core::Error),
}
