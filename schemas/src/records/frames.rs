use mineseal_domain::{
    BoundingBox, CameraCode, HealthMeasures, MineCode, ObjectClass, PlaceClass, UtcMicros, ViewMeasures,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Topic `frames`, key camera code, kept for minutes: one sampled picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// The camera.
    pub camera: CameraCode,
    /// Its mine.
    pub mine: MineCode,
    /// Its place.
    pub place: PlaceClass,
    /// One reading of one source by one extractor, UUIDv7: later sessions sort after earlier ones.
    pub session: Uuid,
    /// Counts up by one within the session, from 0.
    pub sequence: i64,
    /// When the picture was taken: drives all rules.
    pub captured_at: UtcMicros,
    /// When the extractor published it.
    pub published_at: UtcMicros,
    /// Media time of the source, microseconds from its start, over all repeats of a file.
    pub media_time_micros: i64,
    /// Width of the published picture, pixels.
    pub width: i32,
    /// Height of the published picture, pixels.
    pub height: i32,
    /// Width of the camera's picture, pixels.
    pub source_width: i32,
    /// Height of the camera's picture, pixels.
    pub source_height: i32,
    /// The decoder reported errors in this frame.
    pub corrupt: bool,
    /// The detector has to look at it.
    pub detect: bool,
    /// The camera tells a time that differs from the extractor's by more than a second; `captured_at` is the
    /// extractor's.
    #[serde(default)]
    pub clock_suspect: bool,
    /// Measures of the picture.
    pub health: HealthMeasures,
    /// Measures of the picture against others.
    #[serde(default)]
    pub view: ViewMeasures,
    /// The picture.
    #[serde(with = "serde_bytes")]
    pub jpeg: Vec<u8>,
}

/// Where a frame lies on the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FrameLocation {
    /// Partition of topic `frames`.
    pub partition: i32,
    /// Offset in it.
    pub offset: i64,
}

/// One object found in a frame; in pixels of the published picture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DetectedBox {
    /// What it is.
    pub class: ObjectClass,
    /// 0 to 1.
    pub score: f32,
    /// Where it is.
    pub bounding_box: BoundingBox,
}

/// Topic `detections`, key mine code, one day: what was found in one frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Detections {
    /// The camera.
    pub camera: CameraCode,
    /// Its mine.
    pub mine: MineCode,
    /// Its place.
    pub place: PlaceClass,
    /// As in the frame.
    pub session: Uuid,
    /// As in the frame.
    pub sequence: i64,
    /// As in the frame.
    pub captured_at: UtcMicros,
    /// As in the frame.
    pub published_at: UtcMicros,
    /// When the detector had done with it.
    pub inferred_at: UtcMicros,
    /// Width of the published picture, pixels.
    pub width: i32,
    /// Height of the published picture, pixels.
    pub height: i32,
    /// As in the frame.
    pub corrupt: bool,
    /// What was found; empty also where the detector was not asked.
    pub boxes: Vec<DetectedBox>,
    /// Architecture and SHA-256 of the weights; empty where the detector was not asked.
    pub model: String,
    /// As in the frame.
    pub health: HealthMeasures,
    /// As in the frame.
    #[serde(default)]
    pub view: ViewMeasures,
    /// Width of the camera's picture, pixels; 0 where unknown.
    #[serde(default)]
    pub source_width: i32,
    /// Height of the camera's picture, pixels; 0 where unknown.
    #[serde(default)]
    pub source_height: i32,
    /// Where the frame lies.
    pub frame: FrameLocation,
}
