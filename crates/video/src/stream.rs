use std::collections::VecDeque;
use std::time::Instant;

use ffmpeg_next::codec::discard::Discard;
use ffmpeg_next::error::EAGAIN;
use ffmpeg_next::packet::side_data;
use ffmpeg_next::{Packet, Rational, codec, decoder, format, frame, media};

use crate::clock::MediaClock;
use crate::watch::Watch;
use crate::{DecodedPicture, OpenSettings, Source, SourceFacts, VideoError, opening};

/// Packets in a row that give no picture, after which a source counts as broken.
const FRUITLESS_PACKETS: u32 = 1000;
/// The same for a live source that has given pictures, when they have come for no shorter than its deadline: a camera
/// whose codec was changed while it was being read goes on sending, and nothing of it can be decoded any more.
const FRUITLESS_LIVE_PACKETS: u32 = 50;
/// A picture comes out of the decoder no more than this many packets after its own.
const MOST_REORDERED: usize = 32;

/// Reads one file or one RTSP stream.
pub(crate) struct StreamReader {
    source: Source,
    settings: OpenSettings,
    watch: Watch,
    input: format::context::Input,
    decoder: decoder::Video,
    stream: usize,
    facts: SourceFacts,
    clock: MediaClock,
    /// A packet since the last picture was damaged or lost.
    damaged: bool,
    /// The decoder was given a device.
    on_device: bool,
    fruitless: u32,
    pictures: u64,
    last_picture: Instant,
    draining: bool,
    /// The camera's own times of the last packets, by their timestamps.
    camera_times: VecDeque<(i64, i64)>,
    /// A picture that skipping had to decode, given out next.
    kept: Option<DecodedPicture>,
}

impl StreamReader {
    pub(crate) fn open(source: &Source, settings: &OpenSettings) -> Result<Self, VideoError> {
        crate::library::start();
        let live = source.is_live();
        let watch = Watch::new(settings.cancel.clone(), live.then_some(settings.deadline));
        let input = opening::open(source, settings, &watch)?;
        let source_name = source.to_string();
        let broken = |error: ffmpeg_next::Error| VideoError::Broken {
            source_name: source_name.clone(),
            reason: error.to_string(),
        };
        let Some(stream) = input.streams().best(media::Type::Video) else {
            return Err(VideoError::NoVideo { source_name });
        };
        let parameters = stream.parameters();
        let codec_name = parameters.id().name().to_owned();
        let Some(codec) = decoder::find(parameters.id()) else {
            return Err(VideoError::NoDecoder {
                source_name,
                codec: codec_name,
            });
        };
        let mut context = codec::context::Context::from_parameters(parameters).map_err(broken)?;
        let on_device = settings.decoding.attach(&source_name, codec, &mut context);
        let mut context = context.decoder();
        context.set_packet_time_base(stream.time_base());
        // One thread for each source: frame threads would hold pictures back and gain nothing, as there are
        // more cameras than cores.
        context.set_threading(codec::threading::Config::count(1));
        if settings.key_frames_only {
            context.skip_frame(Discard::NonKey);
        }
        let decoder = context.video().map_err(|error| {
            if on_device {
                settings.decoding.fall_back(&error.to_string());
            }
            broken(error)
        })?;
        let rate = known_rate(stream.avg_frame_rate()).or_else(|| known_rate(stream.rate()));
        let facts = SourceFacts {
            codec: codec_name,
            width: decoder.width(),
            height: decoder.height(),
            frames_per_second: rate,
            duration_micros: if live { None } else { duration(&input, &stream) },
        };
        if let Some(ring) = &settings.ring {
            ring.open(stream.parameters().clone(), stream.time_base());
        }
        let clock = MediaClock::new(stream.time_base(), (!live).then(|| stream.start_time()), rate);
        Ok(Self {
            source: source.clone(),
            settings: settings.clone(),
            watch,
            stream: stream.index(),
            input,
            decoder,
            facts,
            clock,
            damaged: false,
            on_device,
            fruitless: 0,
            pictures: 0,
            last_picture: Instant::now(),
            draining: false,
            camera_times: VecDeque::new(),
            kept: None,
        })
    }

    pub(crate) fn facts(&self) -> &SourceFacts {
        &self.facts
    }

    pub(crate) fn next(&mut self) -> Result<Option<DecodedPicture>, VideoError> {
        if let Some(picture) = self.kept.take() {
            return Ok(Some(picture));
        }
        self.watch.wind();
        loop {
            if self.watch.is_cancelled() {
                return Err(VideoError::Cancelled {
                    source_name: self.source.to_string(),
                });
            }
            let mut frame = frame::Video::empty();
            match self.decoder.receive_frame(&mut frame) {
                Ok(()) => return Ok(Some(self.picture(frame))),
                Err(ffmpeg_next::Error::Eof) => return self.end(),
                Err(ffmpeg_next::Error::Other { errno: EAGAIN }) => {}
                Err(_) => self.note_damage()?,
            }
            if self.draining {
                // The decoder neither gave a picture nor its end; ask again, it has all it will get.
                self.note_damage()?;
            } else {
                self.feed()?;
            }
        }
    }

    /// Gives the decoder one packet, or the news that there is none any more.
    fn feed(&mut self) -> Result<(), VideoError> {
        let mut packet = Packet::empty();
        match packet.read(&mut self.input) {
            Ok(()) => {}
            Err(error) => return self.read_fault(error),
        }
        // A read that the deadline broke off still hands out what was half parsed, and sound may go on while the
        // picture has stopped: neither must wind the watch.
        if self.watch.is_over() {
            return Err(self.stalled());
        }
        if packet.stream() != self.stream {
            return Ok(());
        }
        self.watch.wind();
        if let Some(ring) = &self.settings.ring {
            ring.take(&packet);
        }
        if let (Some(timestamp), Some(time)) = (packet.pts(), camera_time(&packet)) {
            self.camera_times.push_back((timestamp, time));
            if self.camera_times.len() > MOST_REORDERED {
                self.camera_times.pop_front();
            }
        }
        self.damaged |= packet.is_corrupt();
        if self.settings.key_frames_only && !packet.is_key() {
            return Ok(());
        }
        match self.decoder.send_packet(&packet) {
            Ok(()) => {
                self.fruitless += 1;
                self.check_fruit()
            }
            Err(_) => self.note_damage(),
        }
    }

    fn read_fault(&mut self, error: ffmpeg_next::Error) -> Result<(), VideoError> {
        use ffmpeg_next::Error as Fault;
        if self.watch.is_cancelled() {
            return Err(VideoError::Cancelled {
                source_name: self.source.to_string(),
            });
        }
        match error {
            Fault::InvalidData | Fault::Other { errno: EAGAIN } => self.note_damage(),
            Fault::Exit if self.watch.is_over() => Err(self.stalled()),
            _ if self.source.is_live() => {
                let reason = match error {
                    Fault::Eof => "end of stream".to_owned(),
                    _ => error.to_string(),
                };
                Err(VideoError::SourceEnded {
                    url: self.source.to_string(),
                    reason,
                })
            }
            Fault::Eof => {
                self.draining = true;
                match self.decoder.send_eof() {
                    Ok(()) | Err(Fault::Eof) => Ok(()),
                    Err(error) => Err(self.broken(error.to_string())),
                }
            }
            _ => Err(self.broken(error.to_string())),
        }
    }

    fn end(&self) -> Result<Option<DecodedPicture>, VideoError> {
        if self.pictures == 0 && !self.clock.was_moved() {
            return Err(self.gave_nothing("no picture in it could be decoded".to_owned()));
        }
        Ok(None)
    }

    fn picture(&mut self, frame: frame::Video) -> DecodedPicture {
        let corrupt = self.damaged || frame.is_corrupt() || frame.has_decode_errors();
        self.damaged = false;
        self.fruitless = 0;
        self.pictures += 1;
        self.last_picture = Instant::now();
        let media_time = self.clock.media_time(frame.timestamp());
        let timestamp = frame.timestamp();
        let mut picture = DecodedPicture::new(frame, media_time, corrupt);
        if self.on_device {
            picture = picture.decoded(self.settings.decoding.clone());
        }
        picture.camera_time_micros = self
            .camera_times
            .iter()
            .find(|(of, _)| Some(*of) == timestamp)
            .map(|(_, time)| *time);
        picture
    }

    fn note_damage(&mut self) -> Result<(), VideoError> {
        self.damaged = true;
        self.fruitless += 1;
        self.check_fruit()
    }

    fn check_fruit(&self) -> Result<(), VideoError> {
        let deadline = self.settings.deadline;
        if self.source.is_live()
            && self.pictures > 0
            && self.fruitless > FRUITLESS_LIVE_PACKETS
            && self.last_picture.elapsed() > deadline
        {
            let reason = format!("its packets have given no picture for {deadline:?}");
            return Err(self.broken(reason));
        }
        if self.fruitless <= FRUITLESS_PACKETS {
            return Ok(());
        }
        Err(self.gave_nothing(format!("{FRUITLESS_PACKETS} packets in a row gave no picture")))
    }

    /// Broken; by the device that was to decode it, where that gave no picture at all: the processor may do better.
    fn gave_nothing(&self, reason: String) -> VideoError {
        if self.on_device && self.pictures == 0 {
            self.settings.decoding.fall_back(&reason);
        }
        self.broken(reason)
    }

    fn broken(&self, reason: String) -> VideoError {
        VideoError::Broken {
            source_name: self.source.to_string(),
            reason,
        }
    }

    fn stalled(&self) -> VideoError {
        VideoError::Stalled {
            url: self.source.to_string(),
            deadline: self.settings.deadline,
        }
    }

    /// See [`crate::VideoReader::skip_past`].
    pub(crate) fn skip_past(&mut self, media_time_micros: i64) -> Result<(), VideoError> {
        if self.source.is_live() {
            return Ok(());
        }
        let jumped = self.jump(media_time_micros);
        let mut first = true;
        while let Some(picture) = self.next()? {
            let behind = picture.media_time_micros > media_time_micros;
            if behind && first && jumped {
                // The jump went too far: read from the start instead.
                *self = Self::open(&self.source, &self.settings)?;
                return self.read_past(media_time_micros);
            }
            if behind {
                self.kept = Some(picture);
                return Ok(());
            }
            first = false;
        }
        Ok(())
    }

    fn read_past(&mut self, media_time_micros: i64) -> Result<(), VideoError> {
        while let Some(picture) = self.next()? {
            if picture.media_time_micros > media_time_micros {
                self.kept = Some(picture);
                return Ok(());
            }
        }
        Ok(())
    }

    /// Jumps to the key frame at or before a time, where the container has an index that can be trusted and
    /// times that need no mending.
    fn jump(&mut self, media_time_micros: i64) -> bool {
        let name = self.input.format().name().to_owned();
        let indexed = ["mp4", "matroska"].iter().any(|known| name.contains(known));
        let Some(target) = self.clock.source_micros(media_time_micros) else {
            return false;
        };
        if !indexed || media_time_micros <= 0 || self.input.seek(target, ..target.saturating_add(1)).is_err()
        {
            return false;
        }
        self.decoder.flush();
        self.clock.move_to();
        self.draining = false;
        true
    }
}

impl Drop for StreamReader {
    fn drop(&mut self) {
        if let Some(ring) = &self.settings.ring {
            ring.close();
        }
    }
}

/// The camera's own time of a packet, microseconds since 1970: FFmpeg reckons it from RTCP sender reports and puts
/// it beside the packet as AVProducerReferenceTime, whose first eight bytes it is.
fn camera_time(packet: &Packet) -> Option<i64> {
    let reference = packet
        .side_data()
        .find(|data| data.kind() == side_data::Type::PRFT)?;
    reference
        .data()
        .first_chunk::<8>()
        .map(|bytes| i64::from_ne_bytes(*bytes))
}

fn known_rate(rate: Rational) -> Option<f64> {
    (rate.numerator() > 0 && rate.denominator() > 0)
        .then(|| f64::from(rate.numerator()) / f64::from(rate.denominator()))
}

/// Length in microseconds, by the stream, else by the container.
fn duration(input: &format::context::Input, stream: &format::stream::Stream<'_>) -> Option<i64> {
    let base = stream.time_base();
    if stream.duration() > 0 {
        let seconds =
            stream.duration() as f64 * f64::from(base.numerator()) / f64::from(base.denominator().max(1));
        return Some((seconds * 1e6).round() as i64);
    }
    (input.duration() > 0).then(|| input.duration())
}
