use serde::{Deserialize, Serialize};

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
