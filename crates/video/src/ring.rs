use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ffmpeg_next::{Packet, Rational, codec};

use crate::excerpt::{Excerpt, Kept};

/// How much a ring keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingSettings {
    /// So much of the past is kept at least, back to a key frame.
    pub span: Duration,
    /// Never more bytes of packets than this, whatever `span` says.
    pub most_bytes: usize,
}

impl Default for RingSettings {
    fn default() -> Self {
        Self {
            span: Duration::from_secs(30),
            most_bytes: 32 << 20,
        }
    }
}

/// The last encoded packets of one live source, over all its openings, shared between the thread that reads the
/// source and whoever needs the past.
///
/// Memory: the packets' bytes are at most [`RingSettings::most_bytes`], and each packet has some 100 bytes beside
/// them.
pub struct PacketRing {
    settings: RingSettings,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    sections: VecDeque<Section>,
    bytes: usize,
    /// Pictures that were taken, by their capture time: which timestamp they have in the newest section.
    moments: VecDeque<(i64, u64, Option<i64>)>,
    opened: u64,
}

/// The packets of one opening, beginning with a key frame.
struct Section {
    number: u64,
    parameters: codec::Parameters,
    time_base: Rational,
    packets: VecDeque<Kept>,
    closed: bool,
}

impl std::fmt::Debug for PacketRing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("PacketRing")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl PacketRing {
    /// An empty ring.
    #[must_use]
    pub fn new(settings: RingSettings) -> Self {
        Self {
            settings,
            state: Mutex::default(),
        }
    }

    /// Bytes of the packets that it holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Notes that the picture of the opened source with this timestamp got the capture time `captured_at`,
    /// microseconds since 1970.
    pub fn note(&self, captured_at: i64, timestamp: Option<i64>) {
        let mut state = self.lock();
        let opened = state.opened;
        state.moments.push_back((captured_at, opened, timestamp));
        let span = i64::try_from(self.settings.span.as_micros()).unwrap_or(i64::MAX);
        while state
            .moments
            .front()
            .is_some_and(|(at, ..)| captured_at.saturating_sub(*at) > span)
        {
            state.moments.pop_front();
        }
    }

    /// Whether everything up to `until`, microseconds since 1970, has come, or can come no more in the opening
    /// that `moment` lies in.
    #[must_use]
    pub fn has_come(&self, moment: i64, until: i64) -> bool {
        let state = self.lock();
        match state.section_of(moment) {
            Some(section) => section.closed || section.packets.back().is_some_and(|last| last.at >= until),
            None => true,
        }
    }

    /// The packets around `moment`, microseconds since 1970: from the last key frame `before` it to `after` it, as
    /// far as they are here. None where `moment` itself is not here any more.
    #[must_use]
    pub fn excerpt(&self, moment: i64, before: Duration, after: Duration) -> Option<Excerpt> {
        let micros = |span: Duration| i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        let state = self.lock();
        let section = state.section_of(moment)?;
        let noted = state
            .moments
            .iter()
            .find(|(at, opened, _)| *at == moment && *opened == section.number)
            .and_then(|(_, _, timestamp)| *timestamp);
        // A capture time may be the camera's; the packets have the time of their arrival.
        let noted_packet = section
            .packets
            .iter()
            .find(|packet| noted.is_some() && packet.pts == noted);
        let moment = noted_packet.map_or(moment, |packet| packet.at);
        let from = moment.saturating_sub(micros(before));
        let until = moment.saturating_add(micros(after));
        let start = section
            .packets
            .iter()
            .rposition(|packet| packet.key && packet.at <= from)
            .unwrap_or(0);
        let packets: Vec<Kept> = section
            .packets
            .iter()
            .skip(start)
            .take_while(|packet| packet.at <= until)
            .cloned()
            .collect();
        let last_before = || {
            let until_then = packets.iter().take_while(|packet| packet.at <= moment);
            until_then.last().and_then(|packet| packet.pts.or(packet.dts))
        };
        let moment = noted.or_else(last_before);
        Some(Excerpt::new(
            section.parameters.clone(),
            section.time_base,
            packets,
            moment,
        ))
    }

    /// A source was opened: what comes now has this form.
    pub(crate) fn open(&self, parameters: codec::Parameters, time_base: Rational) {
        let mut state = self.lock();
        state.close();
        state.opened += 1;
        let number = state.opened;
        state.sections.push_back(Section {
            number,
            parameters,
            time_base,
            packets: VecDeque::new(),
            closed: false,
        });
    }

    /// The source was closed.
    pub(crate) fn close(&self) {
        self.lock().close();
    }

    /// Takes a packet of the opened source.
    pub(crate) fn take(&self, packet: &Packet) {
        let Some(data) = packet.data() else { return };
        let kept = Kept {
            at: now(),
            key: packet.is_key(),
            pts: packet.pts(),
            dts: packet.dts(),
            duration: packet.duration(),
            data: Arc::from(data),
        };
        self.lock().push(kept, self.settings);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn close(&mut self) {
        if let Some(section) = self.sections.back_mut() {
            section.closed = true;
        }
    }

    /// The newest section that had begun at `moment`.
    fn section_of(&self, moment: i64) -> Option<&Section> {
        self.sections
            .iter()
            .rev()
            .find(|section| section.packets.front().is_some_and(|first| first.at <= moment))
    }

    fn push(&mut self, kept: Kept, settings: RingSettings) {
        let Some(section) = self.sections.back_mut() else {
            return;
        };
        if section.packets.is_empty() && !kept.key {
            return;
        }
        let at = kept.at;
        self.bytes += kept.data.len();
        section.packets.push_back(kept);
        let span = i64::try_from(settings.span.as_micros()).unwrap_or(i64::MAX);
        while self.bytes > settings.most_bytes || self.second_group_is_old(at.saturating_sub(span)) {
            if !self.drop_group() {
                break;
            }
        }
    }

    /// Whether what follows the oldest group of pictures is older than `before` as well.
    fn second_group_is_old(&self, before: i64) -> bool {
        let Some(oldest) = self.sections.front() else {
            return false;
        };
        let second = oldest.packets.iter().skip(1).find(|packet| packet.key);
        match (second, self.sections.get(1)) {
            (Some(packet), _) => packet.at <= before,
            (None, Some(_)) => oldest.packets.back().is_none_or(|last| last.at <= before),
            (None, None) => false,
        }
    }

    /// Drops the oldest key frame and what leans on it; false where there is nothing.
    fn drop_group(&mut self) -> bool {
        let Some(oldest) = self.sections.front_mut() else {
            return false;
        };
        let mut dropped = false;
        while let Some(packet) = oldest.packets.pop_front_if(|packet| !dropped || !packet.key) {
            self.bytes -= packet.data.len();
            dropped = true;
        }
        if oldest.packets.is_empty() && self.sections.len() > 1 {
            self.sections.pop_front();
            return true;
        }
        dropped
    }
}

/// Microseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn packet(at: i64, key: bool, bytes: usize) -> Kept {
        Kept {
            at,
            key,
            pts: Some(at),
            dts: Some(at),
            duration: 0,
            data: vec![0; bytes].into(),
        }
    }

    /// A ring with one packet a second from second 0 to before `until`, a key frame every five.
    fn filled(settings: RingSettings, until: i64, bytes: usize) -> PacketRing {
        let ring = PacketRing::new(settings);
        ring.open(codec::Parameters::new(), Rational(1, 1_000_000));
        for second in 0..until {
            let kept = packet(second * SECOND, second % 5 == 0, bytes);
            ring.lock().push(kept, settings);
        }
        ring
    }

    fn seconds(ring: &PacketRing) -> (i64, i64) {
        let state = ring.lock();
        let packets = &state.sections[0].packets;
        (
            packets.front().unwrap().at / SECOND,
            packets.back().unwrap().at / SECOND,
        )
    }

    #[test]
    fn the_span_is_kept_from_a_key_frame_on() {
        let settings = RingSettings::default();
        let ring = filled(settings, 100, 10);
        assert_eq!(seconds(&ring), (65, 99));
        assert_eq!(ring.bytes(), 350);
        let excerpt = ring
            .excerpt(87 * SECOND, Duration::from_secs(10), Duration::from_secs(5))
            .unwrap();
        assert_eq!(excerpt.span_micros(), Some((75 * SECOND, 92 * SECOND)));
        assert!(
            ring.excerpt(20 * SECOND, Duration::ZERO, Duration::ZERO)
                .is_none(),
            "long gone"
        );
    }

    #[test]
    fn bytes_are_bounded_whatever_the_key_frames_do() {
        let settings = RingSettings {
            most_bytes: 1_000,
            ..RingSettings::default()
        };
        assert!(filled(settings, 100, 90).bytes() <= 1_000);
        let ring = PacketRing::new(settings);
        ring.open(codec::Parameters::new(), Rational(1, 1_000_000));
        for second in 0..50 {
            ring.lock()
                .push(packet(second * SECOND, second == 0, 90), settings);
            assert!(ring.bytes() <= 1_000);
        }
        assert_eq!(ring.bytes(), 0, "without a key frame nothing can be decoded");
        ring.lock().push(packet(60 * SECOND, true, 5_000), settings);
        assert_eq!(ring.bytes(), 0, "one that is too big for all is not kept");
    }

    #[test]
    fn openings_are_kept_apart_and_the_older_ones_go() {
        let settings = RingSettings::default();
        let ring = filled(settings, 10, 10);
        assert!(!ring.has_come(8 * SECOND, 12 * SECOND));
        ring.close();
        assert!(
            ring.has_come(8 * SECOND, 12 * SECOND),
            "nothing comes in that opening"
        );
        ring.open(codec::Parameters::new(), Rational(1, 90_000));
        for second in 12..60 {
            ring.lock()
                .push(packet(second * SECOND, second % 4 == 0, 10), settings);
        }
        assert_eq!(ring.lock().sections.len(), 1);
        let excerpt = ring
            .excerpt(40 * SECOND, Duration::from_secs(60), Duration::from_secs(1))
            .unwrap();
        assert_eq!(excerpt.span_micros(), Some((28 * SECOND, 41 * SECOND)));
    }
}
