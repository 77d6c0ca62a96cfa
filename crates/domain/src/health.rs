use serde::{Deserialize, Serialize};

/// What is measured on the small luma plane of every published frame, before anything judges it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HealthMeasures {
    /// Mean of luma, 0 to 255.
    pub mean_luma: f32,
    /// Standard deviation of luma.
    pub luma_deviation: f32,
    /// Variance of the Laplacian: low where the picture is blurred.
    pub sharpness: f32,
    /// Share of pixels below luma 16+8.
    pub dark_share: f32,
    /// Share of pixels above luma 235-5.
    pub bright_share: f32,
    /// Mean absolute difference of luma to the previous published frame; negative for the first one.
    pub change: f32,
    /// 64-bit difference hash of the picture on a 9x8 grid, as the bits of a signed number.
    pub fingerprint: i64,
    /// Motion inside the camera's regions.
    pub regions: Vec<RegionMeasure>,
}

/// What is measured inside one region.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RegionMeasure {
    /// The region's name.
    pub region: String,
    /// Mean absolute difference of luma to the previous published frame, inside the region.
    pub motion: f32,
    /// Mean of luma inside the region.
    pub mean_luma: f32,
}

/// What is wrong with a camera's picture (the nine cases of `domain.md` 4.4, and looped footage).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthCondition {
    /// 正常
    Normal,
    /// 画面遮挡
    Covered,
    /// 摄像仪挪动
    Moved,
    /// 过暗
    Dark,
    /// 过曝
    OverExposed,
    /// 模糊
    Blurred,
    /// 冻结
    Frozen,
    /// 视频丢失
    Lost,
    /// 抖动
    Shaking,
    /// 分辨率异常
    WrongResolution,
    /// 画面重放
    Replayed,
}

impl HealthCondition {
    /// For operators.
    #[must_use]
    pub fn chinese(self) -> &'static str {
        match self {
            Self::Normal => "正常",
            Self::Covered => "画面遮挡",
            Self::Moved => "摄像仪挪动",
            Self::Dark => "过暗",
            Self::OverExposed => "过曝",
            Self::Blurred => "模糊",
            Self::Frozen => "画面冻结",
            Self::Lost => "视频丢失",
            Self::Shaking => "抖动",
            Self::WrongResolution => "分辨率异常",
            Self::Replayed => "画面重放",
        }
    }
}
