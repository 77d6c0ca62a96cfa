use mineseal_domain::UtcMicros;
use mineseal_schemas::Frame;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// How far a reading has come: the last frame that Kafka has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) session: Uuid,
    pub(crate) sequence: i64,
    pub(crate) media_time_micros: i64,
    pub(crate) captured_at: UtcMicros,
}

impl Position {
    pub(crate) fn of(frame: &Frame) -> Self {
        Self {
            session: frame.session,
            sequence: frame.sequence,
            media_time_micros: frame.media_time_micros,
            captured_at: frame.captured_at,
        }
    }

    /// Whether the frame was read from this source: its session carries the mark of it.
    pub(crate) fn is_from(&self, source: &str) -> bool {
        self.session.as_bytes()[MARK] == source_mark(source)
    }
}

/// Bytes of a session that say which source it reads.
const MARK: std::ops::Range<usize> = 10..16;

fn source_mark(source: &str) -> [u8; 6] {
    let digest = Sha256::digest(source.as_bytes());
    std::array::from_fn(|index| digest[index])
}

/// A new session: a UUIDv7 whose last six random bytes are a digest of the source, so that a later extractor
/// can tell whether a camera still shows what its last frame was read from.
pub(crate) fn new_session(source: &str) -> Uuid {
    let mut bytes = *Uuid::now_v7().as_bytes();
    bytes[MARK].copy_from_slice(&source_mark(source));
    Uuid::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_know_their_source_and_sort_by_time() {
        let first = new_session("a.mp4");
        std::thread::park_timeout(std::time::Duration::from_millis(3));
        let second = new_session("a.mp4");
        assert_ne!(first, second);
        assert!(first < second);
        assert_eq!(first.get_version_num(), 7);
        let position = |session| Position {
            session,
            sequence: 0,
            media_time_micros: 0,
            captured_at: UtcMicros(0),
        };
        assert!(position(first).is_from("a.mp4"));
        assert!(!position(first).is_from("b.mp4"));
    }
}
