//! Pictures into other sizes and formats by swscale.
#![allow(unsafe_code)]

use ffmpeg_next::format::Pixel;
use ffmpeg_next::frame;
use ffmpeg_next::software::scaling;

use crate::{RgbPicture, VideoError, YuvPicture};

/// A picture's size and FFmpeg's name of its format.
type Shape = (Pixel, u32, u32);

/// One swscale context with its output frame, made again whenever a size or format changes.
#[derive(Default)]
pub(crate) struct Converter {
    context: Option<scaling::Context>,
    shapes: Option<(Shape, Shape)>,
    output: Option<frame::Video>,
}

// SAFETY: an SwsContext belongs to no thread; it only must not be used from two at once, and every use here
// goes through `&mut self`.
unsafe impl Send for Converter {}

impl Converter {
    /// `input` in the format and size of `wanted`. The frame is overwritten by the next call.
    pub(crate) fn convert(
        &mut self,
        input: &frame::Video,
        wanted: Shape,
    ) -> Result<&frame::Video, VideoError> {
        let given = (input.format(), input.width(), input.height());
        if given.1 == 0 || given.2 == 0 || wanted.1 == 0 || wanted.2 == 0 {
            return Err(VideoError::Conversion(format!(
                "from {given:?} to {wanted:?}: a side is empty"
            )));
        }
        if self.shapes != Some((given, wanted)) {
            // Area averages when the picture shrinks, which keeps small people; bilinear when it grows.
            let flags = if wanted.1 < given.1 {
                scaling::Flags::AREA
            } else {
                scaling::Flags::BILINEAR
            };
            let context =
                scaling::Context::get(given.0, given.1, given.2, wanted.0, wanted.1, wanted.2, flags)
                    .map_err(|error| VideoError::Conversion(format!("{given:?} to {wanted:?}: {error}")))?;
            self.context = Some(context);
            self.output = Some(frame::Video::new(wanted.0, wanted.1, wanted.2));
            self.shapes = Some((given, wanted));
        }
        match (&mut self.context, &mut self.output) {
            (Some(context), Some(output)) => {
                context
                    .run(input, output)
                    .map_err(|error| VideoError::Conversion(format!("{given:?} to {wanted:?}: {error}")))?;
                Ok(output)
            }
            _ => Err(VideoError::Conversion("no converter".to_owned())),
        }
    }

    /// `input` as YUV 4:2:0 of this size.
    pub(crate) fn yuv(
        &mut self,
        input: &frame::Video,
        width: u32,
        height: u32,
    ) -> Result<YuvPicture, VideoError> {
        let output = self.convert(input, (Pixel::YUV420P, width, height))?;
        let (chroma_width, chroma_height) = (width.div_ceil(2), height.div_ceil(2));
        YuvPicture::from_planes(
            width,
            height,
            [
                tight(output, 0, width as usize, height as usize),
                tight(output, 1, chroma_width as usize, chroma_height as usize),
                tight(output, 2, chroma_width as usize, chroma_height as usize),
            ],
        )
    }

    /// `input` as packed RGB of this size.
    pub(crate) fn rgb(
        &mut self,
        input: &frame::Video,
        width: u32,
        height: u32,
    ) -> Result<RgbPicture, VideoError> {
        let output = self.convert(input, (Pixel::RGB24, width, height))?;
        RgbPicture::from_pixels(
            width,
            height,
            tight(output, 0, width as usize * 3, height as usize),
        )
    }
}

/// Plane `index` of a frame that this crate allocated, rows moved together.
fn tight(frame: &frame::Video, index: usize, row_length: usize, rows: usize) -> Vec<u8> {
    let stride = frame.stride(index);
    let data = frame.data(index);
    let mut bytes = Vec::with_capacity(row_length * rows);
    for row in data.chunks(stride).take(rows) {
        bytes.extend_from_slice(&row[..row_length]);
    }
    bytes
}

/// Copies tight rows into plane `index` of a frame that this crate allocated.
pub(crate) fn fill(frame: &mut frame::Video, index: usize, bytes: &[u8], row_length: usize) {
    let stride = frame.stride(index);
    for (into, from) in frame
        .data_mut(index)
        .chunks_mut(stride)
        .zip(bytes.chunks(row_length))
    {
        into[..row_length].copy_from_slice(from);
    }
}

/// An FFmpeg frame that holds `picture`.
pub(crate) fn frame_of_yuv(picture: &YuvPicture) -> frame::Video {
    let mut frame = frame::Video::new(Pixel::YUV420P, picture.width(), picture.height());
    for (index, plane) in picture.planes().iter().enumerate() {
        fill(&mut frame, index, plane, picture.row_length(index));
    }
    frame
}
