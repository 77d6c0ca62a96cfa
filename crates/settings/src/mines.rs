use std::collections::BTreeSet;
use std::path::Path;

use mineseal_domain::{
    Analysis, Anchor, CameraCode, CountingLine, Gate, Line, MineCode, MineState, ObjectGroup, PlaceClass,
    Point, Region, Sampling, Shift, UtcMicros,
};
use mineseal_schemas::{Camera, Mine};
use serde::Deserialize;

use crate::SettingsProblem;
use crate::load::line_of;

/// A file of mines and their cameras, as people write it; `config/mines.example.toml` shows one.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MinesFile {
    mine: Vec<MineEntry>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MineEntry {
    code: String,
    name: String,
    #[serde(default = "producing")]
    state: MineState,
    headcount_limit: i32,
    #[serde(default)]
    watch_ordered: bool,
    #[serde(default)]
    paused: bool,
    #[serde(default)]
    shift: Vec<ShiftEntry>,
    #[serde(default)]
    camera: Vec<CameraEntry>,
}

fn producing() -> MineState {
    MineState::Producing
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ShiftEntry {
    name: String,
    start: String,
    end: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CameraEntry {
    code: String,
    name: String,
    place: i32,
    source: String,
    credential: Option<String>,
    #[serde(default)]
    repeat: bool,
    frames_per_second: f64,
    #[serde(default)]
    key_frames_only: bool,
    #[serde(default)]
    analyses: Vec<Analysis>,
    #[serde(default)]
    line: Vec<LineEntry>,
    #[serde(default)]
    region: Vec<RegionEntry>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LineEntry {
    name: String,
    from: [f32; 2],
    to: [f32; 2],
    #[serde(default = "person")]
    counts: ObjectGroup,
    #[serde(default)]
    anchor: Anchor,
    #[serde(default = "yes")]
    regular: bool,
    #[serde(default)]
    gate: Option<Gate>,
}

fn person() -> ObjectGroup {
    ObjectGroup::Person
}

fn yes() -> bool {
    true
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RegionEntry {
    name: String,
    corners: Vec<[f32; 2]>,
}

/// Mines and cameras, checked, as they are registered on the bus.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RegisteredMines {
    /// The mines.
    pub mines: Vec<Mine>,
    /// Their cameras.
    pub cameras: Vec<Camera>,
}

/// Reads and checks a file of mines. Paths of sources are taken from the file's own folder.
///
/// # Errors
/// The first thing that is wrong: file, key, what, and how to mend it.
pub fn load_mines(path: &Path, now: UtcMicros, by: &str) -> Result<RegisteredMines, SettingsProblem> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|cause| SettingsProblem::Unreadable {
        file: file.clone(),
        cause: cause.to_string(),
    })?;
    let mut registered = parse_mines(&file, &text, now, by)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    for camera in &mut registered.cameras {
        if camera.source.contains("://") {
            continue;
        }
        let source = folder.join(&camera.source);
        if !source.exists() {
            return Err(SettingsProblem::value(
                &file,
                format!("camera {} source", camera.code),
                format!("{} does not exist", source.display()),
                "give a video file, a folder of pictures, or an rtsp:// URL; relative paths start at this file's folder",
            ));
        }
        let absolute = std::fs::canonicalize(&source).unwrap_or(source);
        camera.source = absolute.display().to_string();
    }
    Ok(registered)
}

/// Checks the text of a file of mines; `file` is its name for messages.
///
/// # Errors
/// As [`load_mines`], but sources are not looked for.
pub fn parse_mines(
    file: &str,
    text: &str,
    now: UtcMicros,
    by: &str,
) -> Result<RegisteredMines, SettingsProblem> {
    let entries: MinesFile = toml::from_str(text).map_err(|error| {
        SettingsProblem::value(
            file,
            line_of(text, error.span()),
            error.message(),
            "config/mines.example.toml shows every key",
        )
    })?;
    let mut registered = RegisteredMines::default();
    let mut mine_codes = BTreeSet::new();
    let mut camera_codes = BTreeSet::new();
    for entry in entries.mine {
        let key = format!("mine {:?}", entry.name);
        let wrong = |what: String, help: &str| SettingsProblem::value(file, key.clone(), what, help);
        let code: MineCode = entry.code.parse().map_err(|error: mineseal_domain::CodeError| {
            wrong(
                error.to_string(),
                "the twelve digits stand in the mine's registration with the authority",
            )
        })?;
        if !mine_codes.insert(code.clone()) {
            return Err(wrong(
                format!("mine code {code} stands here twice"),
                "give each mine its own code",
            ));
        }
        if entry.headcount_limit < 0 {
            return Err(wrong(
                "headcount_limit is below zero".into(),
                "write the approved number of people",
            ));
        }
        let shifts = entry
            .shift
            .into_iter()
            .map(|shift| shift.checked(file, &key))
            .collect::<Result<_, _>>()?;
        for camera in entry.camera {
            let camera = camera.checked(file, &code, now)?;
            if !camera_codes.insert(camera.code.clone()) {
                return Err(wrong(
                    format!("camera code {} stands here twice", camera.code),
                    "the last two digits tell cameras of one place apart",
                ));
            }
            registered.cameras.push(camera);
        }
        registered.mines.push(Mine {
            code,
            name: entry.name,
            state: entry.state,
            headcount_limit: entry.headcount_limit,
            shifts,
            watch_ordered: entry.watch_ordered,
            paused: entry.paused,
            changed_at: now,
            changed_by: by.to_owned(),
        });
    }
    Ok(registered)
}

impl ShiftEntry {
    fn checked(self, file: &str, key: &str) -> Result<Shift, SettingsProblem> {
        let minute = |text: &str| -> Result<i32, SettingsProblem> {
            let parsed = text.split_once(':').and_then(|(hour, minute)| {
                let (hour, minute) = (hour.parse::<i32>().ok()?, minute.parse::<i32>().ok()?);
                ((0..24).contains(&hour) && (0..60).contains(&minute)).then_some(hour * 60 + minute)
            });
            parsed.ok_or_else(|| {
                SettingsProblem::value(
                    file,
                    format!("{key} shift {:?}", self.name),
                    format!("{text:?} is not a time of day"),
                    "write it as 08:00",
                )
            })
        };
        Ok(Shift {
            start_minute: minute(&self.start)?,
            end_minute: minute(&self.end)?,
            name: self.name,
        })
    }
}

impl CameraEntry {
    fn checked(self, file: &str, mine: &MineCode, now: UtcMicros) -> Result<Camera, SettingsProblem> {
        let key = format!("camera {:?} of mine {mine}", self.name);
        let wrong = |what: String, help: &str| SettingsProblem::value(file, key.clone(), what, help);
        let code: CameraCode = self.code.parse().map_err(|error: mineseal_domain::CodeError| {
            wrong(
                error.to_string(),
                "see the table of the camera code in docs/user-guide.md",
            )
        })?;
        let place = PlaceClass::try_from(self.place).map_err(|error| {
            wrong(
                error.to_string(),
                "42 main shaft, 43 auxiliary shaft, 53 vehicle gate, 40 dispatch room, 14 belt head",
            )
        })?;
        if !(self.frames_per_second > 0.0 && self.frames_per_second <= 60.0) {
            return Err(wrong(
                format!("frames_per_second {} is not in (0, 60]", self.frames_per_second),
                "5 for people, 8 for vehicles, 2 for belts, 1 for rooms",
            ));
        }
        if self
            .source
            .split_once("://")
            .is_some_and(|(_, rest)| rest.split('/').next().unwrap_or("").contains('@'))
        {
            return Err(wrong(
                "the URL holds a user or password, which would be stored on the bus".into(),
                "put `user:password` into a file of extractor.credentials_directory and name it as `credential`",
            ));
        }
        let needs_line = self
            .analyses
            .iter()
            .any(|analysis| matches!(analysis, Analysis::PersonCrossing | Analysis::VehicleCrossing));
        if needs_line && self.line.is_empty() {
            return Err(wrong(
                "crossings are asked for but there is no line".into(),
                "add [[mine.camera.line]]",
            ));
        }
        let mut lines = Vec::new();
        for entry in self.line {
            lines.push(entry.checked(file, &key)?);
        }
        let mut regions = Vec::new();
        for entry in self.region {
            if entry.corners.len() < 3 || entry.corners.iter().any(|corner| !inside(*corner)) {
                return Err(wrong(
                    format!(
                        "region {:?} needs at least three corners inside the picture",
                        entry.name
                    ),
                    "corners are fractions of the picture's width and height, 0 to 1",
                ));
            }
            let corners = entry
                .corners
                .iter()
                .map(|[x, y]| Point { x: *x, y: *y })
                .collect();
            regions.push(Region {
                name: entry.name,
                corners,
            });
        }
        Ok(Camera {
            code,
            mine: mine.clone(),
            name: self.name,
            place,
            source: self.source,
            credential: self.credential,
            repeat: self.repeat,
            sampling: Sampling {
                frames_per_second: self.frames_per_second,
                key_frames_only: self.key_frames_only,
            },
            analyses: self.analyses,
            lines,
            regions,
            changed_at: now,
        })
    }
}

fn inside(point: [f32; 2]) -> bool {
    point.iter().all(|value| (0.0..=1.0).contains(value))
}

impl LineEntry {
    fn checked(self, file: &str, key: &str) -> Result<CountingLine, SettingsProblem> {
        let wrong = |what: String, help: &str| {
            SettingsProblem::value(file, format!("{key} line {:?}", self.name), what, help)
        };
        if !inside(self.from) || !inside(self.to) {
            return Err(wrong(
                format!("from {:?} to {:?} leaves the picture", self.from, self.to),
                "both ends are fractions of the picture's width and height, 0 to 1",
            ));
        }
        let line = Line {
            from: Point {
                x: self.from[0],
                y: self.from[1],
            },
            to: Point {
                x: self.to[0],
                y: self.to[1],
            },
        };
        if line.length() < 0.02 {
            return Err(wrong(
                "the ends fall together".into(),
                "draw it across the whole way",
            ));
        }
        Ok(CountingLine {
            name: self.name,
            line,
            group: self.counts,
            anchor: self.anchor,
            regular: self.regular,
            gate: self.gate,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
[[mine]]
code = "150602999001"
name = "示例一号煤矿"
headcount_limit = 30
[[mine.shift]]
name = "早班"
start = "08:00"
end = "16:00"
[[mine.camera]]
code = "150602004199969990014301"
name = "副井口"
place = 43
source = "shaft.mp4"
frames_per_second = 5
analyses = ["person_crossing"]
[[mine.camera.line]]
name = "mouth"
from = [0.1, 0.6]
to = [0.9, 0.6]
"#;

    fn problem(from: &str, to: &str) -> String {
        assert!(GOOD.contains(from), "{from}");
        parse_mines("mines.toml", &GOOD.replace(from, to), UtcMicros(1), "test")
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_good_file_is_read_whole() {
        let registered = parse_mines("mines.toml", GOOD, UtcMicros(1), "test").unwrap();
        assert_eq!(registered.mines[0].shifts[0].start_minute, 480);
        assert_eq!(registered.cameras[0].lines[0].name, "mouth");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let text = problem("\"150602999001\"", "\"15060299900\"");
        assert!(
            text.contains("12 digits") && text.contains("示例一号煤矿"),
            "{text}"
        );
        let text = problem("to = [0.9, 0.6]", "to = [1.9, 0.6]");
        assert!(
            text.contains("leaves the picture") && text.contains("mouth"),
            "{text}"
        );
        let text = problem("place = 43", "place = 99");
        assert!(text.contains("1..=54"), "{text}");
        let text = problem("frames_per_second = 5", "frames_per_second = 0");
        assert!(text.contains("frames_per_second"), "{text}");
        let text = problem("\"shaft.mp4\"", "\"rtsp://admin:secret@host/1\"");
        assert!(text.contains("password") && !text.contains("secret"), "{text}");
        let text = problem("headcount_limit = 30", "headcount_limt = 30");
        assert!(text.contains("headcount_limt") && text.contains("line"), "{text}");
        let text = problem("start = \"08:00\"", "start = \"8 Uhr\"");
        assert!(text.contains("time of day"), "{text}");
    }

    #[test]
    fn a_source_that_is_not_there_is_named() {
        let folder = std::env::temp_dir().join(format!("mineseal-mines-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("mines.toml"), GOOD).unwrap();
        let text = load_mines(&folder.join("mines.toml"), UtcMicros(1), "test")
            .unwrap_err()
            .to_string();
        assert!(
            text.contains("shaft.mp4") && text.contains("does not exist"),
            "{text}"
        );
    }
}
