//! A part of a source, as it was encoded.
#![allow(unsafe_code)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ffmpeg_next::error::EAGAIN;
use ffmpeg_next::{Dictionary, Packet, Rational, codec, encoder, format, frame, media};

use crate::convert::Converter;
use crate::watch::Watch;
use crate::writer::protocol_name;
use crate::{Cancel, OpenSettings, Source, VideoError, YuvPicture, library, opening};

/// One encoded packet.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    /// When it came, microseconds since 1970; of files, media time.
    pub(crate) at: i64,
    pub(crate) key: bool,
    pub(crate) pts: Option<i64>,
    pub(crate) dts: Option<i64>,
    pub(crate) duration: i64,
    pub(crate) data: Arc<[u8]>,
}

/// Encoded packets from a key frame on, with one moment among them.
pub struct Excerpt {
    parameters: codec::Parameters,
    time_base: Rational,
    packets: Vec<Kept>,
    /// Timestamp of the moment's picture.
    moment: Option<i64>,
}

impl Excerpt {
    pub(crate) fn new(
        parameters: codec::Parameters,
        time_base: Rational,
        packets: Vec<Kept>,
        moment: Option<i64>,
    ) -> Self {
        Self {
            parameters,
            time_base,
            packets,
            moment,
        }
    }

    /// The part of a file around `moment`, a media time in microseconds as [`crate::DecodedPicture`] has it: from
    /// the last key frame `before` it to `after` it, as far as the file goes. None for folders of pictures and live
    /// sources, and where the file has nothing there.
    ///
    /// # Errors
    /// As [`crate::VideoReader::open`].
    pub fn of_file(
        source: &Source,
        moment: i64,
        before: Duration,
        after: Duration,
    ) -> Result<Option<Self>, VideoError> {
        if !matches!(source, Source::File(_)) {
            return Ok(None);
        }
        library::start();
        let micros = |span: Duration| i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        let (from, until) = (
            moment.saturating_sub(micros(before)),
            moment.saturating_add(micros(after)),
        );
        let settings = OpenSettings::default();
        let mut input = opening::open(source, &settings, &Watch::new(Cancel::default(), None))?;
        let Some(stream) = input.streams().best(media::Type::Video) else {
            return Err(VideoError::NoVideo {
                source_name: source.to_string(),
            });
        };
        let (index, time_base) = (stream.index(), stream.time_base());
        let parameters = stream.parameters().clone();
        let start = match stream.start_time() {
            i64::MIN => 0,
            start => start,
        };
        let to_micros = |units: i64| rescaled(units - start, time_base, Rational(1, 1_000_000));
        let first = rescaled(start, time_base, Rational(1, 1_000_000)).saturating_add(from);
        // Where seeking fails the packets before are read and dropped.
        let sought = from > 0 && input.seek(first, ..first.saturating_add(1)).is_ok();
        tracing::debug!(%source, from, sought, "cutting a file");
        let mut packets: Vec<Kept> = Vec::new();
        loop {
            let mut packet = Packet::empty();
            match packet.read(&mut input) {
                Ok(()) => {}
                Err(ffmpeg_next::Error::Eof) => break,
                Err(error) => {
                    return Err(VideoError::Broken {
                        source_name: source.to_string(),
                        reason: error.to_string(),
                    });
                }
            }
            let timestamp = packet.dts().or(packet.pts());
            let (true, Some(timestamp), Some(data)) = (packet.stream() == index, timestamp, packet.data())
            else {
                continue;
            };
            let at = to_micros(timestamp);
            if packet.is_key() && at <= from {
                packets.clear();
            }
            if packets.is_empty() && !packet.is_key() {
                continue;
            }
            if at > until {
                break;
            }
            packets.push(Kept {
                at,
                key: packet.is_key(),
                pts: packet.pts(),
                dts: packet.dts(),
                duration: packet.duration(),
                data: Arc::from(data),
            });
        }
        let moment = rescaled(moment, Rational(1, 1_000_000), time_base).saturating_add(start);
        Ok((!packets.is_empty()).then(|| Self::new(parameters, time_base, packets, Some(moment))))
    }

    /// When its first and its last packet came, microseconds since 1970; of files, media times.
    #[must_use]
    pub fn span_micros(&self) -> Option<(i64, i64)> {
        Some((self.packets.first()?.at, self.packets.last()?.at))
    }

    /// Writes the packets, not encoded again, as an mp4 with its index in front.
    ///
    /// # Errors
    /// [`VideoError::Write`], also for a codec that mp4 cannot hold; what is at `path` is then of no use.
    pub fn write_mp4(&self, path: &Path) -> Result<(), VideoError> {
        let fault = |reason: String| VideoError::Write {
            path: path.to_path_buf(),
            reason,
        };
        self.remux(path).map_err(fault)
    }

    fn remux(&self, path: &Path) -> Result<(), String> {
        library::start();
        let text = |error: ffmpeg_next::Error| error.to_string();
        let mut output = format::output_as(&protocol_name(path)?, "mp4").map_err(text)?;
        let mut parameters = self.parameters.clone();
        // SAFETY: the parameters are a copy of our own that nobody else points to. A tag of another container
        // would be refused; zero lets mp4 choose its own.
        unsafe { (*parameters.as_mut_ptr()).codec_tag = 0 };
        let mut stream = output.add_stream(encoder::find(codec::Id::None)).map_err(text)?;
        stream.set_parameters(parameters);
        stream.set_time_base(self.time_base);
        let mut options = Dictionary::new();
        options.set("movflags", "+faststart");
        drop(output.write_header_with(options).map_err(text)?);
        let target = output
            .stream(0)
            .ok_or("the container took no stream")?
            .time_base();
        let first = self
            .packets
            .first()
            .and_then(|packet| packet.dts.or(packet.pts))
            .unwrap_or(0);
        let mut last = None;
        for (index, kept) in self.packets.iter().enumerate() {
            // The container wants rising decoding times; cameras leave them out or repeat them.
            let given = kept.dts.or(kept.pts).map(|time| time.saturating_sub(first));
            let least = last.map_or(i64::MIN, |last: i64| last + 1);
            let dts = given.unwrap_or(least).max(least).max(0);
            last = Some(dts);
            let pts = kept.pts.map_or(dts, |pts| pts.saturating_sub(first).max(dts));
            let mut packet = Packet::copy(&kept.data);
            if kept.key {
                packet.set_flags(codec::packet::Flags::KEY);
            }
            packet.set_stream(0);
            packet.set_dts(Some(dts));
            packet.set_pts(Some(pts));
            let next = self.packets.get(index + 1).and_then(|next| next.dts.or(next.pts));
            packet.set_duration(next.map_or(kept.duration, |next| {
                next.saturating_sub(first).saturating_sub(dts).max(0)
            }));
            packet.rescale_ts(self.time_base, target);
            packet.write_interleaved(&mut output).map_err(text)?;
        }
        output.write_trailer().map_err(text)
    }

    /// The moment's picture at its full size, both sides even; where the moment is not among the packets, the
    /// nearest one before it, or the first.
    ///
    /// # Errors
    /// [`VideoError::Broken`] where nothing can be decoded, [`VideoError::Conversion`].
    pub fn picture(&self) -> Result<YuvPicture, VideoError> {
        let broken = |reason: String| VideoError::Broken {
            source_name: "excerpt".to_owned(),
            reason,
        };
        let text = |error: ffmpeg_next::Error| broken(error.to_string());
        let mut context = codec::context::Context::from_parameters(self.parameters.clone())
            .map_err(text)?
            .decoder();
        context.set_packet_time_base(self.time_base);
        context.set_threading(codec::threading::Config::count(1));
        let mut decoder = context.video().map_err(text)?;
        // Decoding begins at the last key frame that the moment leans on.
        let start = self
            .packets
            .iter()
            .rposition(|packet| {
                packet.key
                    && packet
                        .pts
                        .or(packet.dts)
                        .zip(self.moment)
                        .is_some_and(|(time, moment)| time <= moment)
            })
            .unwrap_or(0);
        let mut found: Option<frame::Video> = None;
        let mut packets = self.packets.iter().skip(start);
        'packets: loop {
            match packets.next() {
                Some(kept) => {
                    let mut packet = Packet::copy(&kept.data);
                    packet.set_pts(kept.pts);
                    packet.set_dts(kept.dts);
                    if kept.key {
                        packet.set_flags(codec::packet::Flags::KEY);
                    }
                    // A damaged packet costs its picture only.
                    if decoder.send_packet(&packet).is_err() {
                        continue;
                    }
                }
                None => decoder.send_eof().map_err(text)?,
            }
            loop {
                let mut frame = frame::Video::empty();
                match decoder.receive_frame(&mut frame) {
                    Ok(()) => {}
                    Err(ffmpeg_next::Error::Other { errno: EAGAIN }) => break,
                    Err(ffmpeg_next::Error::Eof) => break 'packets,
                    Err(error) => return Err(text(error)),
                }
                let later = frame
                    .timestamp()
                    .zip(self.moment)
                    .is_some_and(|(time, moment)| time > moment);
                if later && found.is_some() {
                    break 'packets;
                }
                found = Some(frame);
                if later {
                    break 'packets;
                }
            }
        }
        let frame = found.ok_or_else(|| broken("no picture in it could be decoded".to_owned()))?;
        let even = |side: u32| (side / 2 * 2).max(2);
        Converter::default().yuv(&frame, even(frame.width()), even(frame.height()))
    }
}

/// `value` in units of `from` as units of `to`, rounded.
fn rescaled(value: i64, from: Rational, to: Rational) -> i64 {
    let up = i128::from(value) * i128::from(from.numerator()) * i128::from(to.denominator());
    let down = (i128::from(from.denominator()) * i128::from(to.numerator())).max(1);
    i64::try_from((up + down / 2).div_euclid(down)).unwrap_or(i64::MAX)
}
