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

/// What is measured on a picture beyond [`HealthMeasures`]: against the picture before, against
/// the camera's references and against the last ten minutes. A share is 0 to 1; −1 where nothing can be said.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ViewMeasures {
    /// Share of the cells without any change since the frame before, sensor noise included. Where some have none, one that an
    /// encoder drew a little otherwise counts as unchanged.
    pub still_share: f32,
    /// Share of the cells that are even and all of the same brightness: a picture that no camera took.
    pub blank_share: f32,
    /// Share of the reference's cells with structure that show the same edges now.
    pub kept_share: f32,
    /// Share of the reference's cells with structure that show hardly any structure now.
    pub flat_share: f32,
    /// Fine detail, as a part of what the reference has; 1 is as sharp as it was. Median over the cells.
    pub detail: f32,
    /// How far the picture lies to the right of its mean place, in shares of its width; 0 where unknown.
    pub shift_right: f32,
    /// How far it lies below its mean place, in shares of its width.
    pub shift_down: f32,
    /// Mean distance of the chroma from grey, in levels.
    pub colour: f32,
    /// The same of the reference with the same light; −1 where no reference has this light.
    pub reference_colour: f32,
    /// Period with which the pictures come back, microseconds; 0 where they do not.
    pub repeat_micros: i64,
    /// Luma that one pixel of twenty does not exceed. Like the next three without the rows in which cameras write
    /// place and time; −1 where unknown.
    pub black_level: f32,
    /// Luma that one pixel of twenty exceeds.
    pub white_level: f32,
    /// Standard deviation of luma, by these two.
    pub deviation: f32,
    /// Mean square of the Laplacian that one cell of five exceeds, less that of noise: low where the picture is blurred.
    pub sharpness: f32,
    /// Share of the reference's cells with structure that have become white.
    pub clipped_share: f32,
    /// Share of the reference's cells with structure that are hidden by one even, connected thing.
    pub hidden_share: f32,
}

impl Default for ViewMeasures {
    fn default() -> Self {
        Self {
            still_share: -1.0,
            blank_share: -1.0,
            kept_share: -1.0,
            flat_share: -1.0,
            detail: -1.0,
            shift_right: 0.0,
            shift_down: 0.0,
            colour: -1.0,
            reference_colour: -1.0,
            repeat_micros: 0,
            black_level: -1.0,
            white_level: -1.0,
            deviation: -1.0,
            sharpness: -1.0,
            clipped_share: -1.0,
            hidden_share: -1.0,
        }
    }
}

/// What is wrong with a camera's picture (the nine cases of `domain.md` 4.4, replayed footage, and lost colours).
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
    /// 画面无彩色: grey, although the camera has shown colours in the same light
    GreyOnly,
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
            Self::GreyOnly => "画面无彩色",
        }
    }
}
