use mineseal_domain::{
    Analysis, CameraCode, CountingLine, MineCode, MineState, PlaceClass, Region, Sampling, Shift, UtcMicros,
};
use serde::{Deserialize, Serialize};

/// Topic `mines`, key mine code, compacted: a mine as it is registered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mine {
    /// 煤矿编码.
    pub code: MineCode,
    /// 煤矿名称.
    pub name: String,
    /// What the mine may do.
    pub state: MineState,
    /// People who may be underground at once.
    pub headcount_limit: i32,
    /// The day's shifts; may be empty.
    pub shifts: Vec<Shift>,
    /// The dispatch room must be manned although the mine is stopped.
    pub watch_ordered: bool,
    /// Its cameras are not read while this holds.
    pub paused: bool,
    /// When this version of the registration was made.
    pub changed_at: UtcMicros,
    /// Who made it.
    pub changed_by: String,
}

/// Topic `cameras`, key camera code, compacted: a camera as it is registered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Camera {
    /// 摄像仪编码.
    pub code: CameraCode,
    /// The mine that it belongs to.
    pub mine: MineCode,
    /// 具体安装位置描述.
    pub name: String,
    /// 安装位置分类编码.
    pub place: PlaceClass,
    /// A file, a folder of pictures, or an RTSP URL, without user and password.
    pub source: String,
    /// Name of the secret that holds user and password, if the source needs them.
    pub credential: Option<String>,
    /// Play the file again from its start when it ends.
    pub repeat: bool,
    /// Which frames are taken.
    pub sampling: Sampling,
    /// What is looked for.
    pub analyses: Vec<Analysis>,
    /// Counting lines, in fractions of the picture.
    pub lines: Vec<CountingLine>,
    /// Named regions, in fractions of the picture.
    pub regions: Vec<Region>,
    /// When this version of the registration was made.
    pub changed_at: UtcMicros,
}
