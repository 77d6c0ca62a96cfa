use std::fmt;

use serde::{Deserialize, Serialize};

/// An instant: microseconds since 1970-01-01T00:00:00Z. Stored in UTC, shown in Asia/Shanghai.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UtcMicros(pub i64);

/// China has had one zone and no summer time since 1991.
const SHANGHAI_OFFSET_SECONDS: i32 = 8 * 3600;

impl UtcMicros {
    /// Microseconds from `earlier` to `self`; negative when `earlier` is the later one. Saturates.
    #[must_use]
    pub fn micros_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Seconds from `earlier` to `self`.
    #[must_use]
    pub fn seconds_since(self, earlier: Self) -> f64 {
        self.micros_since(earlier) as f64 / 1e6
    }

    /// The instant `micros` later. Saturates.
    #[must_use]
    pub fn plus_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// Hour of the day, 0 to 23, in Asia/Shanghai.
    #[must_use]
    pub fn shanghai_hour(self) -> u8 {
        let seconds = self
            .0
            .div_euclid(1_000_000)
            .saturating_add(i64::from(SHANGHAI_OFFSET_SECONDS));
        (seconds.rem_euclid(86_400) / 3600) as u8
    }

    /// Reads a time in Asia/Shanghai that is written as `yyyyMMddHHmmss` or `yyyy-MM-dd HH:mm:ss`, the two forms of the
    /// national norms (`domain.md` 4.5, 4.6); none if it is neither.
    #[must_use]
    pub fn from_shanghai(text: &str) -> Option<Self> {
        let civil = ["%Y%m%d%H%M%S", "%Y-%m-%d %H:%M:%S"]
            .into_iter()
            .find_map(|form| jiff::civil::DateTime::strptime(form, text).ok())?;
        let offset = jiff::tz::Offset::from_seconds(SHANGHAI_OFFSET_SECONDS).ok()?;
        let instant = offset.to_timestamp(civil).ok()?;
        Some(Self(instant.as_microsecond()))
    }

    /// `yyyy-MM-dd HH:mm:ss` in Asia/Shanghai, the form of the national norm (`domain.md` 4.2).
    #[must_use]
    pub fn shanghai(self) -> String {
        let offset = jiff::tz::Offset::from_seconds(SHANGHAI_OFFSET_SECONDS).unwrap_or(jiff::tz::Offset::UTC);
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(instant) => offset
                .to_datetime(instant)
                .strftime("%Y-%m-%d %H:%M:%S")
                .to_string(),
            Err(_) => format!("{}us", self.0),
        }
    }
}

impl fmt::Display for UtcMicros {
    /// RFC 3339 in UTC.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(instant) => write!(formatter, "{instant}"),
            Err(_) => write!(formatter, "{}us", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_the_norms_are_read() {
        let at = UtcMicros(1_719_660_264_000_000);
        for text in ["20240629192424", "2024-06-29 19:24:24"] {
            assert_eq!(UtcMicros::from_shanghai(text), Some(at), "{text}");
        }
        assert_eq!(UtcMicros::from_shanghai(&at.shanghai()), Some(at));
        for wrong in [
            "",
            "20240629",
            "20241329192424",
            "2024-06-29T19:24:24",
            "20240629192424 ",
        ] {
            assert_eq!(UtcMicros::from_shanghai(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn shows_shanghai_time_and_hour() {
        let instant = UtcMicros(1_719_660_264_000_000); // 2024-06-29T11:24:24Z
        assert_eq!(instant.shanghai(), "2024-06-29 19:24:24");
        assert_eq!(instant.shanghai_hour(), 19);
        assert_eq!(instant.to_string(), "2024-06-29T11:24:24Z");
    }

    #[test]
    fn differences_saturate() {
        assert_eq!(UtcMicros(i64::MAX).micros_since(UtcMicros(-1)), i64::MAX);
        assert_eq!(UtcMicros(i64::MAX).plus_micros(5), UtcMicros(i64::MAX));
    }
}
