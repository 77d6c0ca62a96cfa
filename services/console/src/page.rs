use askama::Template;
use mineseal_counting::StatedError;
use mineseal_domain::{AlarmPhase, HealthCondition, MineState, Severity, UtcMicros};
use mineseal_schemas::ShiftCount;

use crate::view::{CameraView, MineView, View, activity_words, direction_words};

/// A camera whose newest frame is older is shown as offline, seconds.
const OFFLINE_SECONDS: f64 = 60.0;

/// What the positioning system said longer ago says nothing about now, seconds.
const STALE_SECONDS: f64 = 600.0;

#[derive(Template)]
#[template(path = "console.html")]
struct ConsolePage<'a> {
    mines: &'a str,
    stated: Option<StatedError>,
}

#[derive(Template)]
#[template(path = "mines.html")]
struct MinesPart {
    now: String,
    mines: Vec<MineCard>,
}

struct MineCard {
    code: String,
    name: String,
    state: &'static str,
    state_class: &'static str,
    people: i64,
    limit: i32,
    over: bool,
    entered: i64,
    left: i64,
    inconsistent: bool,
    corrected: i64,
    non_regular: Option<(i64, i64)>,
    positioning: Option<PositioningWords>,
    shifts: Vec<ShiftRow>,
    alarms: Vec<AlarmRow>,
    crossings: Vec<CrossingRow>,
    cameras: Vec<CameraRow>,
}

struct PositioningWords {
    people: i64,
    time: String,
    stale: bool,
}

struct ShiftRow {
    name: String,
    began: String,
    entered: i64,
    left: i64,
    inside: i64,
}

struct AlarmRow {
    kind: &'static str,
    severity: &'static str,
    severity_class: &'static str,
    message: String,
    since: String,
    phase: &'static str,
    picture: Option<String>,
}

struct CrossingRow {
    time: String,
    place: String,
    words: &'static str,
    direction: &'static str,
}

struct CameraRow {
    place: &'static str,
    name: String,
    condition: &'static str,
    condition_class: &'static str,
    activity: &'static str,
    seen: String,
}

/// The whole page.
pub(crate) fn whole(view: &View, now: UtcMicros) -> Result<String, askama::Error> {
    let mines = part(view, now)?;
    ConsolePage {
        mines: &mines,
        // A test holds that it can be read.
        stated: StatedError::newest().ok(),
    }
    .render()
}

/// The part that moves.
pub(crate) fn part(view: &View, now: UtcMicros) -> Result<String, askama::Error> {
    let mines = view
        .mines
        .values()
        .filter_map(|mine| card(view, mine, now))
        .collect();
    MinesPart {
        now: now.shanghai(),
        mines,
    }
    .render()
}

fn card(view: &View, mine: &MineView, now: UtcMicros) -> Option<MineCard> {
    let registration = mine.mine.as_ref()?;
    let place = |code| {
        mine.cameras
            .get(code)
            .and_then(|camera| camera.camera.as_ref())
            .map_or(String::new(), |camera| camera.name.clone())
    };
    let alarms = mine.alarms.values().rev().map(|alarm| AlarmRow {
        kind: alarm.kind.chinese(),
        severity: severity_words(alarm.severity),
        severity_class: severity_class(alarm.severity),
        message: alarm.message.clone(),
        since: alarm.raised_at.shanghai(),
        phase: if alarm.phase == AlarmPhase::Raised {
            "新报警"
        } else {
            "持续中"
        },
        picture: view.picture(alarm.id).map(|_| format!("/evidence/{}", alarm.id)),
    });
    let crossings = mine.crossings.iter().map(|crossing| CrossingRow {
        time: crossing.captured_at.shanghai(),
        place: place(&crossing.camera),
        words: direction_words(crossing),
        direction: match crossing.direction {
            mineseal_domain::Direction::In => "in",
            mineseal_domain::Direction::Out => "out",
        },
    });
    Some(MineCard {
        code: registration.code.to_string(),
        name: registration.name.clone(),
        state: registration.state.chinese(),
        state_class: match registration.state {
            MineState::Producing => "producing",
            MineState::Stopped => "stopped",
            MineState::Closing => "closing",
        },
        people: mine.people,
        limit: registration.headcount_limit,
        over: mine.people > i64::from(registration.headcount_limit),
        entered: mine.entered,
        left: mine.left,
        inconsistent: mine.inconsistent,
        corrected: mine.corrected,
        non_regular: match (mine.non_regular_entered, mine.non_regular_left) {
            (0, 0) => None,
            passages => Some(passages),
        },
        positioning: mine.positioning.as_ref().map(|report| PositioningWords {
            people: report.people,
            time: report.at.shanghai(),
            stale: now.seconds_since(report.at) > STALE_SECONDS,
        }),
        // The newest first.
        shifts: mine.shifts.iter().rev().map(shift_row).collect(),
        alarms: alarms.collect(),
        crossings: crossings.collect(),
        cameras: mine
            .cameras
            .values()
            .filter_map(|camera| camera_row(camera, now))
            .collect(),
    })
}

fn shift_row(shift: &ShiftCount) -> ShiftRow {
    ShiftRow {
        name: match shift.name.as_str() {
            "" => "班外".to_owned(),
            name => name.to_owned(),
        },
        began: shift.began_at.shanghai(),
        entered: shift.entered,
        left: shift.left,
        inside: shift.inside,
    }
}

fn camera_row(view: &CameraView, now: UtcMicros) -> Option<CameraRow> {
    let camera = view.camera.as_ref()?;
    let age = now.seconds_since(view.seen_at);
    let (condition, condition_class, seen) = if view.seen_at == UtcMicros(0) {
        ("尚无画面", "unknown", "—".to_owned())
    } else if age > OFFLINE_SECONDS {
        ("离线", "bad", format!("{} 起无画面", view.seen_at.shanghai()))
    } else {
        let seen = format!("{} 秒前", age.max(0.0).round());
        match view.condition {
            None | Some(HealthCondition::Normal) => ("正常", "good", seen),
            Some(condition) => (condition.chinese(), "bad", seen),
        }
    };
    Some(CameraRow {
        place: camera.place.chinese(),
        name: camera.name.clone(),
        condition,
        condition_class,
        activity: view.activity.map_or("", |(_, state)| activity_words(state)),
        seen,
    })
}

fn severity_words(severity: Severity) -> &'static str {
    match severity {
        Severity::Notice => "提示",
        Severity::Warning => "一般",
        Severity::Critical => "严重",
    }
}

fn severity_class(severity: Severity) -> &'static str {
    match severity {
        Severity::Notice => "notice",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

#[cfg(test)]
mod tests {
    use mineseal_schemas::samples::{AT, samples};

    use super::*;

    #[test]
    fn the_ledger_and_the_positioning_system_stand_beside_the_people() {
        let samples = samples().unwrap();
        let mut view = View::default();
        view.register([samples.mine].iter(), [samples.camera].iter());
        view.count(&samples.headcount);
        view.locate(&samples.positioning);
        // An older report is no news, whenever it comes.
        let mut older = samples.positioning.clone();
        (older.people, older.at) = (99, AT.plus_micros(-1));
        view.locate(&older);
        let mut passage = samples.crossing.clone();
        passage.regular = false;
        view.cross(passage);
        let page = part(&view, AT.plus_micros(60_000_000)).unwrap();
        for words in [
            "<dd data-people>-1</dd>",
            "<dd data-positioning>11</dd>",
            "<dd data-corrected>-2</dd>",
            "非常规通道：入井 3 人次，出井 4 人次",
            "<td>早班</td>",
            "<td>6</td><td>5</td><td>7</td>",
            "非常规通道入井",
        ] {
            assert!(page.contains(words), "{words} is not in\n{page}");
        }
        assert!(!page.contains("已过期"));
        let later = part(&view, AT.plus_micros(3_600_000_000)).unwrap();
        assert!(later.contains("人员定位（已过期）"), "{later}");
    }

    #[test]
    fn the_stated_error_of_the_count_stands_on_the_page() {
        let page = whole(&View::default(), AT).unwrap();
        let stated = StatedError::newest().unwrap();
        assert!(page.contains("计数误差") && page.contains(&stated.measured_on));
        for row in stated.rows {
            let words = format!(
                "<td>{}</td><td>{}</td><td>{}</td><td>{}</td>",
                row.chinese, row.crossings, row.missed, row.false_crossings
            );
            assert!(page.contains(&words), "{words} is not in\n{page}");
        }
    }
}
