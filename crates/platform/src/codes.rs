use std::collections::BTreeMap;
use std::path::Path;

use mineseal_domain::AlarmKind;
use serde::Deserialize;

use crate::PlatformError;

const DEFAULT_TABLE: &str = include_str!("../../../config/platforms/coal-json.toml");

/// Which call tells an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SendAs {
    /// `/mine/ai/countingRecog`.
    CountingRecognition,
    /// `/mine/ai/videoAnomaly`.
    VideoAnomaly,
    /// `/mine/ai/cameraStatus`.
    CameraStatus,
    /// `/mine/ai/undergroundCount`.
    UndergroundCount,
}

/// A platform's words for one kind of alarm.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlarmCode {
    /// The call.
    pub send_as: SendAs,
    /// `analysisType`.
    #[serde(default)]
    pub analysis_type: String,
    /// `analysisCase`; empty: the number of people, four digits.
    #[serde(default)]
    pub analysis_case: String,
}

/// A platform's codes, and its own names for cameras.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeTable {
    #[serde(default)]
    alarm: BTreeMap<AlarmKind, AlarmCode>,
    /// Our 24-digit camera code to the platform's shorter one (`domain.md` 4.2: three lengths are in use).
    #[serde(default)]
    camera: BTreeMap<String, String>,
}

impl CodeTable {
    /// Reads a table; an empty path takes the product's own.
    ///
    /// # Errors
    /// The file cannot be read or is not such a table.
    pub fn load(path: &Path) -> Result<Self, PlatformError> {
        let problem = |cause: String| PlatformError::CodeTable {
            file: path.display().to_string(),
            cause,
        };
        let text = if path.as_os_str().is_empty() {
            DEFAULT_TABLE.to_owned()
        } else {
            std::fs::read_to_string(path).map_err(|cause| problem(cause.to_string()))?
        };
        toml::from_str(&text).map_err(|cause| problem(cause.message().to_owned()))
    }

    /// The words for a kind of alarm, if the platform has any.
    #[must_use]
    pub fn alarm(&self, kind: AlarmKind) -> Option<&AlarmCode> {
        self.alarm.get(&kind)
    }

    /// The platform's name of a camera.
    #[must_use]
    pub fn camera<'a>(&'a self, code: &'a str) -> &'a str {
        self.camera.get(code).map_or(code, String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_products_own_table_can_be_read() {
        let table = CodeTable::load(Path::new("")).unwrap();
        let code = table.alarm(AlarmKind::PersonEnteredStoppedMine).unwrap();
        assert_eq!(
            (code.send_as, code.analysis_type.as_str()),
            (SendAs::CountingRecognition, "04")
        );
        assert!(
            table.alarm(AlarmKind::PostEmpty).is_none(),
            "the interface has no code for it"
        );
    }

    #[test]
    fn a_wrong_table_is_named() {
        let path = std::env::temp_dir().join(format!("mineseal-codes-{}.toml", std::process::id()));
        std::fs::write(&path, "[alarm.sunshine]\nsend_as = \"camera-status\"\n").unwrap();
        let problem = CodeTable::load(&path).unwrap_err().to_string();
        assert!(
            problem.contains("sunshine") && problem.contains("mineseal-codes"),
            "{problem}"
        );
    }
}
