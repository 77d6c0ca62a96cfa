use serde::{Deserialize, Serialize};

/// How tracks are made, followed and forgotten. The defaults are meant for every camera; lengths are shares of
/// the object's height, times are seconds, so that neither the picture's size nor the sampling rate matters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrackerSettings {
    /// Detections from this score on are assigned first, 0 to 1.
    pub high_score: f32,
    /// Detections below this score are not looked at.
    pub low_score: f32,
    /// A detection that continues no track starts one from this score on.
    pub new_track_score: f32,
    /// A track is confirmed from this many detections on.
    pub confirming_hits: u32,
    /// A track is confirmed by one detection from this score on.
    pub confirming_score: f32,
    /// How long a track is kept that finds no detection, in seconds.
    pub keep_seconds: f64,
    /// The same for a track that has only its first detection: mostly false ones.
    pub keep_new_seconds: f64,
    /// At most this many detections of a frame are looked at, the best by score.
    pub max_detections: usize,
}

impl Default for TrackerSettings {
    fn default() -> Self {
        Self {
            high_score: 0.3,
            low_score: 0.1,
            new_track_score: 0.55,
            confirming_hits: 3,
            confirming_score: 0.7,
            keep_seconds: 1.5,
            keep_new_seconds: 0.5,
            max_detections: 300,
        }
    }
}

impl TrackerSettings {
    /// The same settings with every value brought into its range; what is not a number becomes the default.
    #[must_use]
    pub(crate) fn in_range(self) -> Self {
        let default = Self::default();
        let score = |value: f32, otherwise: f32| {
            if value.is_nan() {
                otherwise
            } else {
                value.clamp(0.0, 1.0)
            }
        };
        let seconds = |value: f64, otherwise: f64| {
            if value.is_nan() {
                otherwise
            } else {
                value.clamp(0.0, 60.0)
            }
        };
        Self {
            high_score: score(self.high_score, default.high_score),
            low_score: score(self.low_score, default.low_score),
            new_track_score: score(self.new_track_score, default.new_track_score),
            confirming_hits: self.confirming_hits,
            confirming_score: score(self.confirming_score, default.confirming_score),
            keep_seconds: seconds(self.keep_seconds, default.keep_seconds),
            keep_new_seconds: seconds(self.keep_new_seconds, default.keep_new_seconds),
            max_detections: self.max_detections.clamp(1, 1000),
        }
    }
}
