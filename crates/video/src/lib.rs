//! Video at the edge: FFmpeg reads cameras and files, swscale and libjpeg-turbo bring the pictures into the
//! form that the rest works with.
//!
//! Everything here blocks the calling thread; give each source a thread of its own.

mod clock;
mod convert;
mod draw;
mod error;
mod excerpt;
mod folder;
mod font;
mod hardware;
mod jpeg;
mod library;
mod opening;
mod picture;
mod reader;
mod ring;
mod sampler;
mod scaler;
mod settings;
mod source;
mod stream;
mod watch;
mod writer;

pub use draw::Canvas;
pub use error::VideoError;
pub use excerpt::Excerpt;
pub use hardware::{DecodeDevice, Decoding};
pub use jpeg::{JpegEncoder, decode_jpeg};
pub use picture::{RgbPicture, YuvPicture};
pub use reader::{DecodedPicture, SourceFacts, VideoReader, probe};
pub use ring::{PacketRing, RingSettings};
pub use sampler::Sampler;
pub use scaler::Scaler;
pub use settings::{Cancel, OpenSettings, Transport};
pub use source::{RtspAddress, Source};
pub use writer::{VideoWriter, WriterSettings};
