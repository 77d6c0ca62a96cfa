use serde::{Deserialize, Serialize};

/// Why an alarm was raised. Stable inside the product; each platform adapter maps it by a table of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmKind {
    /// 人员入井: a person entered a mine that is stopped or closing.
    PersonEnteredStoppedMine,
    /// 超员: more people underground than approved.
    HeadcountOverLimit,
    /// 计数不一致: more people left than had entered.
    HeadcountInconsistent,
    /// 运输设备异常启动: the belt runs while the mine is stopped or closing.
    BeltRunsInStoppedMine,
    /// 调度室空岗: nobody at the post.
    PostEmpty,
    /// 摄像头遮挡、挪动 and the other picture faults.
    CameraFault,
    /// 摄像头离线.
    CameraOffline,
    /// 非常规通道入井: a person went underground by a way that people should not take.
    NonRegularEntry,
    /// 非常规通道出井: a person came up by a way that people should not take.
    NonRegularExit,
    /// 入井闸机出闸: a person went out through a gate that only leads in.
    EntryGateReversed,
    /// 出井闸机入闸: a person went in through a gate that only leads out.
    ExitGateReversed,
    /// 井下人数不符: the cameras and the positioning system count differently.
    PositioningMismatch,
}

impl AlarmKind {
    /// For operators.
    #[must_use]
    pub fn chinese(self) -> &'static str {
        match self {
            Self::PersonEnteredStoppedMine => "人员入井",
            Self::HeadcountOverLimit => "井下超员",
            Self::HeadcountInconsistent => "井下人数不一致",
            Self::BeltRunsInStoppedMine => "运输设备异常启动",
            Self::PostEmpty => "调度室空岗",
            Self::CameraFault => "摄像仪画面异常",
            Self::CameraOffline => "摄像仪离线",
            Self::NonRegularEntry => "非常规通道入井",
            Self::NonRegularExit => "非常规通道出井",
            Self::EntryGateReversed => "入井闸机出闸",
            Self::ExitGateReversed => "出井闸机入闸",
            Self::PositioningMismatch => "井下人数不符",
        }
    }
}

/// How grave an alarm is; level 1 of the platforms is [`Severity::Critical`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// 提示
    Notice,
    /// 一般
    Warning,
    /// 严重
    Critical,
}

/// Where an alarm stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmPhase {
    /// It has begun.
    Raised,
    /// It goes on and something about it changed.
    Updated,
    /// What caused it has ended.
    Cleared,
}

/// What a person found when he looked into an alarm (`domain.md` 2, dictionary S9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DispositionVerdict {
    /// 系统误报
    FalseAlarm,
    /// 疑似非法生产
    SuspectedIllegalProduction,
    /// 运输设备正常维修
    EquipmentMaintenance,
    /// 非运输车出入
    NotACoalTruck,
    /// 非生产人员经过
    NotAMiner,
}

/// What kind of work is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActivityKind {
    /// The belt runs or stands.
    Belt,
    /// Somebody is at the post or nobody.
    Post,
    /// A vehicle passed the gate.
    Vehicle,
}

/// The state that an activity went into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActivityState {
    /// Belt: it runs.
    Running,
    /// Belt: it stands.
    Stopped,
    /// Post: somebody is there.
    Occupied,
    /// Post: nobody is there.
    Empty,
    /// Vehicle: it went in.
    PassedIn,
    /// Vehicle: it went out.
    PassedOut,
}
