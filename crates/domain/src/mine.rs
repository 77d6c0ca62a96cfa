use serde::{Deserialize, Serialize};

use crate::UtcMicros;

/// What a mine may do; drives which signals are alarms (`domain.md` 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MineState {
    /// 生产建设: working; people are counted, limits apply.
    Producing,
    /// 停产停建: ordered or chosen stop; nobody enters outside an approved plan.
    Stopped,
    /// 正在实施关闭 or 长期关停: any activity is an alarm of the top level.
    Closing,
}

impl MineState {
    /// For operators.
    #[must_use]
    pub fn chinese(self) -> &'static str {
        match self {
            Self::Producing => "生产建设",
            Self::Stopped => "停产停建",
            Self::Closing => "正在关闭",
        }
    }
}

/// A working shift (班次), in minutes of the day, Asia/Shanghai. One that ends before it starts runs over
/// midnight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shift {
    /// Its name, such as 早班.
    pub name: String,
    /// First minute, 0 to 1439.
    pub start_minute: i32,
    /// Minute at which it ends, 0 to 1439.
    pub end_minute: i32,
}

const MINUTE_MICROS: i64 = 60_000_000;
const DAY_MINUTES: i64 = 24 * 60;

/// Asia/Shanghai is ahead of UTC by this.
const SHANGHAI_MINUTES: i64 = 8 * 60;

impl Shift {
    /// When the shift that runs at `at` began; none if it does not run then. One that ends when it starts runs all
    /// day.
    #[must_use]
    pub fn began_at(&self, at: UtcMicros) -> Option<UtcMicros> {
        let minutes = at.0.div_euclid(MINUTE_MICROS).saturating_add(SHANGHAI_MINUTES);
        let into = |minute: i32| (minutes - i64::from(minute)).rem_euclid(DAY_MINUTES);
        let length = i64::from(self.end_minute - self.start_minute).rem_euclid(DAY_MINUTES);
        let length = if length == 0 { DAY_MINUTES } else { length };
        let since = into(self.start_minute);
        (since < length).then(|| {
            let began = minutes.saturating_sub(since).saturating_sub(SHANGHAI_MINUTES);
            UtcMicros(began.saturating_mul(MINUTE_MICROS))
        })
    }
}

/// The shift that runs at `at`, and when it began. Where two overlap at the hand-over it is the one that began last:
/// a person belongs to the shift in which he goes in.
#[must_use]
pub fn shift_at(shifts: &[Shift], at: UtcMicros) -> Option<(&Shift, UtcMicros)> {
    let running = shifts
        .iter()
        .filter_map(|shift| Some((shift, shift.began_at(at)?)));
    running.max_by_key(|(_, began_at)| *began_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2024-06-30 at this minute of the day in Shanghai.
    fn minute(minute: i64) -> UtcMicros {
        UtcMicros((1_719_676_800 + minute * 60) * 1_000_000)
    }

    fn shift(name: &str, start_minute: i32, end_minute: i32) -> Shift {
        Shift {
            name: name.into(),
            start_minute,
            end_minute,
        }
    }

    #[test]
    fn three_shifts_cover_the_day_and_one_runs_over_midnight() {
        let shifts = [
            shift("早班", 480, 960),
            shift("中班", 960, 0),
            shift("夜班", 0, 480),
        ];
        let running = |at| shift_at(&shifts, at).map(|(shift, began)| (shift.name.as_str(), began));
        assert_eq!(running(minute(480)), Some(("早班", minute(480))));
        assert_eq!(running(UtcMicros(minute(960).0 - 1)), Some(("早班", minute(480))));
        assert_eq!(running(minute(960)), Some(("中班", minute(960))));
        assert_eq!(running(minute(1_439)), Some(("中班", minute(960))));
        assert_eq!(running(minute(1_440)), Some(("夜班", minute(1_440))));
        let night = shift("夜班", 1_320, 360);
        assert_eq!(night.began_at(minute(100)), Some(minute(1_320 - 1_440)));
        assert_eq!(night.began_at(minute(360)), None);
    }

    #[test]
    fn at_the_hand_over_it_is_the_shift_that_began_last() {
        let shifts = [shift("早班", 480, 990), shift("中班", 960, 60)];
        let name = |at| shift_at(&shifts, at).map(|(shift, _)| shift.name.as_str());
        assert_eq!(name(minute(959)), Some("早班"));
        assert_eq!(name(minute(975)), Some("中班"));
        assert_eq!(name(minute(100)), None);
        assert_eq!(shift("全天", 0, 0).began_at(minute(77)), Some(minute(0)));
    }
}
