use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

/// What can go wrong between a source and its pictures. `source_name` and `url` never hold a password.
#[derive(Debug, Error)]
pub enum VideoError {
    /// The address has a scheme that is not read.
    #[error("{address}: {scheme}:// is not read; give a file, a folder of pictures, or an rtsp:// address")]
    UnsupportedAddress {
        /// The address, without its password.
        address: String,
        /// The scheme that was found.
        scheme: String,
    },
    /// The RTSP address has no host.
    #[error("{address}: not a full RTSP address; it must look like rtsp://host:554/path")]
    BadAddress {
        /// The address, without its password.
        address: String,
    },
    /// Nothing is there.
    #[error("{source_name}: no such file or folder; check the path")]
    Missing {
        /// The path.
        source_name: String,
    },
    /// It is there and cannot be read.
    #[error("{source_name}: cannot be read ({reason}); check its permissions")]
    NotReadable {
        /// The path.
        source_name: String,
        /// What the system says.
        reason: io::Error,
    },
    /// The bytes are no video or picture that FFmpeg understands, or are damaged.
    #[error(
        "{source_name}: not a readable video or picture ({reason}); it may be damaged or cut off, export it again"
    )]
    Broken {
        /// The path or address.
        source_name: String,
        /// What FFmpeg says.
        reason: String,
    },
    /// A sound file, or a container without pictures.
    #[error("{source_name}: holds no video; give a file that has a picture track")]
    NoVideo {
        /// The path or address.
        source_name: String,
    },
    /// A folder without pictures.
    #[error(
        "{source_name}: no .jpg, .jpeg or .png file in this folder; give the folder that holds the pictures"
    )]
    NoPictures {
        /// The path.
        source_name: String,
    },
    /// This FFmpeg has no decoder for the codec.
    #[error(
        "{source_name}: codec {codec} cannot be decoded here; set the camera or the export to H.264 or H.265"
    )]
    NoDecoder {
        /// The path or address.
        source_name: String,
        /// FFmpeg's name of the codec.
        codec: String,
    },
    /// The host of an RTSP address refuses, is unknown, or does not answer.
    #[error(
        "{url}: the host does not answer ({reason}); check address, port, network and that the camera is on"
    )]
    Unreachable {
        /// The address, without its password.
        url: String,
        /// What the system says.
        reason: String,
    },
    /// User or password are wrong or were not given.
    #[error("{url}: user or password refused; check the camera's credential")]
    WrongCredential {
        /// The address, without its password.
        url: String,
    },
    /// The camera has no stream under this path.
    #[error("{url}: the camera has no such stream; check the path after the host")]
    NoSuchStream {
        /// The address, without its password.
        url: String,
    },
    /// The camera answered with another error.
    #[error("{url}: the camera refused ({reason}); check that it is not at its limit of viewers")]
    Refused {
        /// The address, without its password.
        url: String,
        /// What FFmpeg says.
        reason: String,
    },
    /// Nothing came within the deadline.
    #[error("{url}: nothing came for {deadline:?}; check camera and network")]
    Stalled {
        /// The address, without its password.
        url: String,
        /// The deadline that passed.
        deadline: Duration,
    },
    /// A live source ended: cameras do not, so something is wrong.
    #[error("{url}: the camera ended the stream ({reason}); it may be restarting")]
    SourceEnded {
        /// The address, without its password.
        url: String,
        /// What FFmpeg says.
        reason: String,
    },
    /// [`crate::Cancel::cancel`] was called.
    #[error("{source_name}: reading was called off")]
    Cancelled {
        /// The path or address.
        source_name: String,
    },
    /// A sampling rate that cannot be.
    #[error("sampling of {frames_per_second} frames per second: must be above 0 and at most 1000")]
    Sampling {
        /// What was asked.
        frames_per_second: f64,
    },
    /// A picture of a size that cannot be.
    #[error("picture of {width}x{height}: {reason}")]
    Size {
        /// Width, pixels.
        width: u32,
        /// Height, pixels.
        height: u32,
        /// What it must be.
        reason: &'static str,
    },
    /// A buffer does not hold the picture that it should.
    #[error("picture of {width}x{height} needs {expected} bytes, got {got}")]
    Buffer {
        /// Width, pixels.
        width: u32,
        /// Height, pixels.
        height: u32,
        /// Bytes needed.
        expected: usize,
        /// Bytes given.
        got: usize,
    },
    /// A picture could not be brought into another size or format.
    #[error("picture conversion failed: {0}")]
    Conversion(String),
    /// libjpeg-turbo refused.
    #[error("JPEG coding failed: {0}")]
    Jpeg(String),
    /// A video cannot be written.
    #[error("{path}: video cannot be written ({reason}); check folder, free space and settings", path = path.display())]
    Write {
        /// Where it should go.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
}
