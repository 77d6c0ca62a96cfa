use std::fs;
use std::path::{Path, PathBuf};

use ffmpeg_next::format::Pixel;
use ffmpeg_next::{Dictionary, Packet, Rational, codec, encoder, format, frame, picture};

use crate::convert::{Converter, fill, frame_of_yuv};
use crate::{VideoError, YuvPicture, library};

/// How a video is encoded (H.264).
#[derive(Clone, Debug)]
pub struct WriterSettings {
    /// x264's preset, `ultrafast` to `veryslow`.
    pub preset: String,
    /// Constant rate factor, 0 (lossless) to 51; 23 is x264's own choice.
    pub quality: u8,
    /// Frames from one key frame to the next.
    pub key_frame_interval: u32,
    /// Encoder threads. With one, the same pictures give the same bytes on every machine.
    pub threads: usize,
}

impl Default for WriterSettings {
    fn default() -> Self {
        Self {
            preset: "veryfast".to_owned(),
            quality: 23,
            key_frame_interval: 50,
            threads: 1,
        }
    }
}

/// x264's names; it prints to stderr when it is given another.
const PRESETS: [&str; 9] = [
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
];

/// Writes pictures as an H.264 video of constant rate, without B frames, as cameras do.
///
/// The file gets its name when [`VideoWriter::finish`] has written all of it; before that it lies beside it
/// under a name that starts with a dot. Dropped unfinished, nothing is left.
pub struct VideoWriter {
    path: PathBuf,
    unfinished: PathBuf,
    output: Option<format::context::Output>,
    encoder: encoder::video::Encoder,
    time_base: Rational,
    stream_time_base: Rational,
    frame: frame::Video,
    rgb: Option<frame::Video>,
    converter: Converter,
    pictures: i64,
}

/// The rate as a fraction with a denominator up to 1001: 25, 12.5, and NTSC's 30000/1001 are exact.
fn rate_fraction(frames_per_second: f64) -> Option<Rational> {
    if !(frames_per_second.is_finite() && frames_per_second > 0.0 && frames_per_second <= 1000.0) {
        return None;
    }
    let error = |denominator: i32| {
        let numerator = (frames_per_second * f64::from(denominator)).round();
        (numerator / f64::from(denominator) - frames_per_second).abs()
    };
    let exact = (1..=1001).find(|&denominator| error(denominator) < 1e-9 * frames_per_second);
    let nearest = || (1..=1001).min_by(|&left, &right| error(left).total_cmp(&error(right)));
    let denominator = exact.or_else(nearest)?;
    Some(Rational(
        (frames_per_second * f64::from(denominator)).round() as i32,
        denominator,
    ))
}

impl VideoWriter {
    /// Begins a video. The container follows the name's extension: mp4 and mov (index in front), mkv, ts, avi.
    ///
    /// # Errors
    /// [`VideoError::Size`] for odd sizes, [`VideoError::Write`] for everything else.
    pub fn create(
        path: impl AsRef<Path>,
        width: u32,
        height: u32,
        frames_per_second: f64,
        settings: &WriterSettings,
    ) -> Result<Self, VideoError> {
        library::start();
        let path = path.as_ref().to_path_buf();
        let fault = |reason: String| VideoError::Write {
            path: path.clone(),
            reason,
        };
        if width < 16
            || height < 16
            || !width.is_multiple_of(2)
            || !height.is_multiple_of(2)
            || width > 8192
            || height > 8192
        {
            let reason = "sides of an H.264 video must be even, from 16 to 8192";
            return Err(VideoError::Size {
                width,
                height,
                reason,
            });
        }
        let rate = rate_fraction(frames_per_second)
            .ok_or_else(|| fault(format!("{frames_per_second} frames per second cannot be")))?;
        let time_base = rate.invert();
        if !PRESETS.contains(&settings.preset.as_str()) {
            return Err(fault(format!(
                "preset {:?} is none of {}",
                settings.preset,
                PRESETS.join(", ")
            )));
        }
        let (container, faststart) = container(&path).map_err(&fault)?;
        let unfinished = unfinished_name(&path).map_err(&fault)?;

        let mut output = format::output_as(&protocol_name(&unfinished).map_err(&fault)?, container)
            .map_err(|error| fault(error.to_string()))?;
        let begun = begin(&mut output, (width, height), rate, faststart, settings);
        let (encoder, stream_time_base) = match begun {
            Ok(begun) => begun,
            Err(error) => {
                drop(output);
                remove(&unfinished);
                return Err(fault(error));
            }
        };
        Ok(Self {
            path,
            unfinished,
            output: Some(output),
            encoder,
            time_base,
            stream_time_base,
            frame: frame::Video::new(Pixel::YUV420P, width, height),
            rgb: None,
            converter: Converter::default(),
            pictures: 0,
        })
    }

    /// Appends a picture in packed RGB, `width * height * 3` bytes.
    ///
    /// # Errors
    /// [`VideoError::Buffer`] for another number of bytes, [`VideoError::Write`].
    pub fn write_rgb(&mut self, pixels: &[u8]) -> Result<(), VideoError> {
        let (width, height) = (self.frame.width(), self.frame.height());
        let expected = width as usize * height as usize * 3;
        if pixels.len() != expected {
            return Err(VideoError::Buffer {
                width,
                height,
                expected,
                got: pixels.len(),
            });
        }
        let rgb = self
            .rgb
            .get_or_insert_with(|| frame::Video::new(Pixel::RGB24, width, height));
        fill(rgb, 0, pixels, width as usize * 3);
        let yuv = self.converter.yuv(rgb, width, height)?;
        self.write_yuv420(&yuv)
    }

    /// Appends a picture in YUV 4:2:0.
    ///
    /// # Errors
    /// [`VideoError::Size`] for a picture of another size, [`VideoError::Write`].
    pub fn write_yuv420(&mut self, picture: &YuvPicture) -> Result<(), VideoError> {
        if (picture.width(), picture.height()) != (self.frame.width(), self.frame.height()) {
            return Err(VideoError::Size {
                width: picture.width(),
                height: picture.height(),
                reason: "differs from the video's size",
            });
        }
        // The encoder may still hold the last frame's buffer, so each picture has one of its own.
        let mut frame = frame_of_yuv(picture);
        frame.set_pts(Some(self.pictures));
        frame.set_kind(picture::Type::None);
        self.frame = frame;
        self.encoder
            .send_frame(&self.frame)
            .map_err(|error| self.fault(&error.to_string()))?;
        self.pictures += 1;
        self.write_packets()
    }

    /// Pictures written so far.
    #[must_use]
    pub fn pictures(&self) -> i64 {
        self.pictures
    }

    /// Writes the rest and gives the file its name.
    ///
    /// # Errors
    /// [`VideoError::Write`]; then no file is left.
    pub fn finish(mut self) -> Result<(), VideoError> {
        if self.pictures == 0 {
            return Err(self.fault("no picture was written"));
        }
        self.encoder
            .send_eof()
            .map_err(|error| self.fault(&error.to_string()))?;
        self.write_packets()?;
        if let Some(mut output) = self.output.take() {
            output
                .write_trailer()
                .map_err(|error| self.fault(&error.to_string()))?;
        }
        let file = fs::File::open(&self.unfinished).map_err(|error| self.fault(&error.to_string()))?;
        file.sync_all().map_err(|error| self.fault(&error.to_string()))?;
        fs::rename(&self.unfinished, &self.path).map_err(|error| self.fault(&error.to_string()))
    }

    fn write_packets(&mut self) -> Result<(), VideoError> {
        let mut packet = Packet::empty();
        loop {
            match self.encoder.receive_packet(&mut packet) {
                Ok(()) => {}
                Err(ffmpeg_next::Error::Eof) => return Ok(()),
                Err(ffmpeg_next::Error::Other { errno }) if errno == ffmpeg_next::error::EAGAIN => {
                    return Ok(());
                }
                Err(error) => return Err(self.fault(&error.to_string())),
            }
            packet.set_stream(0);
            packet.set_duration(1);
            packet.rescale_ts(self.time_base, self.stream_time_base);
            if let Some(output) = &mut self.output {
                let written = packet.write_interleaved(output);
                written.map_err(|error| self.fault(&error.to_string()))?;
            }
        }
    }

    fn fault(&self, reason: &str) -> VideoError {
        VideoError::Write {
            path: self.path.clone(),
            reason: reason.to_owned(),
        }
    }
}

impl Drop for VideoWriter {
    fn drop(&mut self) {
        self.output = None;
        remove(&self.unfinished);
    }
}

/// Opens the encoder and writes the container's header; gives the stream's own time base.
fn begin(
    output: &mut format::context::Output,
    (width, height): (u32, u32),
    rate: Rational,
    faststart: bool,
    settings: &WriterSettings,
) -> Result<(encoder::video::Encoder, Rational), String> {
    let text = |error: ffmpeg_next::Error| error.to_string();
    let codec = encoder::find_by_name("libx264").ok_or("this FFmpeg was built without libx264")?;
    let global_header = output.format().flags().contains(format::Flags::GLOBAL_HEADER);
    let mut video = codec::context::Context::new_with_codec(codec)
        .encoder()
        .video()
        .map_err(text)?;
    video.set_width(width);
    video.set_height(height);
    video.set_format(Pixel::YUV420P);
    video.set_time_base(rate.invert());
    video.set_frame_rate(Some(rate));
    video.set_gop(settings.key_frame_interval.max(1));
    video.set_max_b_frames(0);
    video.set_threading(codec::threading::Config::count(settings.threads));
    if global_header {
        video.set_flags(codec::Flags::GLOBAL_HEADER);
    }
    let mut options = Dictionary::new();
    options.set("preset", &settings.preset);
    options.set("crf", &settings.quality.min(51).to_string());
    let opened = video
        .open_with(options)
        .map_err(|error| format!("x264 refused {width}x{height} at {rate}: {error}"))?;
    let mut stream = output.add_stream(codec).map_err(text)?;
    stream.set_time_base(rate.invert());
    stream.set_avg_frame_rate(rate);
    stream.set_parameters(&opened);
    let mut header = Dictionary::new();
    if faststart {
        header.set("movflags", "+faststart");
    }
    drop(output.write_header_with(header).map_err(text)?);
    let stream_time_base = output
        .stream(0)
        .ok_or("the container took no stream")?
        .time_base();
    Ok((opened, stream_time_base))
}

/// FFmpeg's name of the container, and whether its index can go to the front.
fn container(path: &Path) -> Result<(&'static str, bool), String> {
    let extension = path
        .extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "mp4" => Ok(("mp4", true)),
        "mov" => Ok(("mov", true)),
        "mkv" => Ok(("matroska", false)),
        "ts" => Ok(("mpegts", false)),
        "avi" => Ok(("avi", false)),
        other => Err(format!("extension {other:?} is none of mp4, mov, mkv, ts, avi")),
    }
}

fn unfinished_name(path: &Path) -> Result<PathBuf, String> {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or("the name must be UTF-8")?;
    Ok(path.with_file_name(format!(".{name}.{}.unfinished", std::process::id())))
}

/// The path as FFmpeg takes it, so that a colon in it is no protocol.
pub(crate) fn protocol_name(path: &Path) -> Result<String, String> {
    let text = path.to_str().ok_or("the path must be UTF-8")?;
    if text.contains('\0') {
        return Err("the path holds a NUL character".to_owned());
    }
    Ok(format!("file:{text}"))
}

fn remove(path: &Path) {
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!(path = %path.display(), %error, "unfinished video not removed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_become_the_fractions_of_the_standards() {
        for (rate, numerator, denominator) in [
            (25.0, 25, 1),
            (12.5, 25, 2),
            (29.97, 2997, 100),
            (30_000.0 / 1001.0, 30_000, 1001),
            (0.5, 1, 2),
        ] {
            let fraction = rate_fraction(rate).unwrap();
            assert_eq!((fraction.0, fraction.1), (numerator, denominator), "{rate}");
        }
        assert!(rate_fraction(0.0).is_none());
        assert!(rate_fraction(f64::NAN).is_none());
    }
}
