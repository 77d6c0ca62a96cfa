use ffmpeg_next::frame;

use crate::convert::Converter;
use crate::folder::FolderReader;
use crate::stream::StreamReader;
use crate::{Decoding, OpenSettings, RgbPicture, Source, VideoError, YuvPicture};

/// What a source says about itself.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceFacts {
    /// FFmpeg's name of the codec, such as `h264`.
    pub codec: String,
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Mean rate, pictures a second, where the source says it.
    pub frames_per_second: Option<f64>,
    /// Length of a file, microseconds, where it is known; `None` for live sources.
    pub duration_micros: Option<i64>,
}

/// One decoded picture, still in the decoder's own format: [`crate::Scaler`] brings it into ours.
pub struct DecodedPicture {
    /// Microseconds from the source's first moment; strictly rising within one reader.
    pub media_time_micros: i64,
    /// When the camera itself says that it was taken, microseconds since 1970: by the sender reports of RTSP sources
    /// that give any.
    pub camera_time_micros: Option<i64>,
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// The decoder met errors: parts of the picture may be guessed or old.
    pub corrupt: bool,
    /// It was decoded without reference to another.
    pub key_frame: bool,
    frame: frame::Video,
    /// It may lie on a device.
    decoding: Option<Decoding>,
}

impl DecodedPicture {
    pub(crate) fn new(frame: frame::Video, media_time_micros: i64, corrupt: bool) -> Self {
        Self {
            media_time_micros,
            camera_time_micros: None,
            width: frame.width(),
            height: frame.height(),
            corrupt,
            key_frame: frame.is_key(),
            frame,
            decoding: None,
        }
    }

    /// The picture's time as the source itself gives it, in units of its own.
    #[must_use]
    pub fn source_timestamp(&self) -> Option<i64> {
        self.frame.timestamp()
    }

    pub(crate) fn decoded(mut self, decoding: Decoding) -> Self {
        self.decoding = Some(decoding);
        self
    }

    /// Does `work` with the picture in memory.
    pub(crate) fn with_frame<R>(
        &self,
        work: impl FnOnce(&frame::Video) -> Result<R, VideoError>,
    ) -> Result<R, VideoError> {
        let fetched = match &self.decoding {
            Some(decoding) => decoding.in_memory(&self.frame)?,
            None => None,
        };
        work(fetched.as_ref().unwrap_or(&self.frame))
    }

    pub(crate) fn at(mut self, media_time_micros: i64) -> Self {
        self.media_time_micros = media_time_micros;
        self
    }

    /// In YUV 4:2:0, full size. For many pictures a [`crate::Scaler`] is quicker.
    ///
    /// # Errors
    /// [`VideoError::Conversion`].
    pub fn yuv(&self) -> Result<YuvPicture, VideoError> {
        self.with_frame(|frame| Converter::default().yuv(frame, self.width, self.height))
    }

    /// In RGB, full size. For many pictures a [`crate::Scaler`] is quicker.
    ///
    /// # Errors
    /// [`VideoError::Conversion`].
    pub fn rgb24(&self) -> Result<RgbPicture, VideoError> {
        self.with_frame(|frame| Converter::default().rgb(frame, self.width, self.height))
    }
}

/// Reads a source picture by picture.
pub struct VideoReader {
    inner: Inner,
}

enum Inner {
    Stream(Box<StreamReader>),
    Folder(FolderReader),
}

impl VideoReader {
    /// Opens a source; a live one has answered and shown its format when this returns.
    ///
    /// # Errors
    /// Each way to fail is a [`VideoError`] of its own.
    pub fn open(source: &Source, settings: &OpenSettings) -> Result<Self, VideoError> {
        crate::library::start();
        let inner = match source {
            Source::PictureFolder(folder) => Inner::Folder(FolderReader::open(folder, settings)?),
            Source::File(_) | Source::Rtsp(_) => {
                Inner::Stream(Box::new(StreamReader::open(source, settings)?))
            }
        };
        Ok(Self { inner })
    }

    /// What the source says about itself.
    #[must_use]
    pub fn facts(&self) -> &SourceFacts {
        match &self.inner {
            Inner::Stream(reader) => reader.facts(),
            Inner::Folder(reader) => reader.facts(),
        }
    }

    /// The next picture; `None` at the end of a file or folder. A live source has no end: where its stream
    /// ends, that is an error. After an error a live source must be opened anew.
    ///
    /// # Errors
    /// [`VideoError::Stalled`], [`VideoError::SourceEnded`], [`VideoError::Broken`], [`VideoError::Cancelled`].
    #[expect(
        clippy::should_implement_trait,
        reason = "the order of Result and Option is the other one"
    )]
    pub fn next(&mut self) -> Result<Option<DecodedPicture>, VideoError> {
        match &mut self.inner {
            Inner::Stream(reader) => reader.next(),
            Inner::Folder(reader) => reader.next(),
        }
    }

    /// Goes to where the next picture is the first one after `media_time_micros`, which must lie behind what
    /// was read so far, if anything was. Pictures have the same media times as when read from the start.
    /// Nothing happens on a live source.
    ///
    /// # Errors
    /// As [`VideoReader::open`] and [`VideoReader::next`].
    pub fn skip_past(&mut self, media_time_micros: i64) -> Result<(), VideoError> {
        match &mut self.inner {
            Inner::Stream(reader) => reader.skip_past(media_time_micros),
            Inner::Folder(reader) => {
                reader.skip_past(media_time_micros);
                Ok(())
            }
        }
    }
}

/// Opens a source, asks what it is, and closes it.
///
/// # Errors
/// As [`VideoReader::open`].
pub fn probe(source: &Source, settings: &OpenSettings) -> Result<SourceFacts, VideoError> {
    Ok(VideoReader::open(source, settings)?.facts().clone())
}
