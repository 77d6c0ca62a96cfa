use std::collections::{BTreeMap, VecDeque};

use mineseal_domain::{
    ActivityKind, ActivityState, AlarmPhase, CameraCode, Direction, HealthCondition, MineCode, ObjectGroup,
    UtcMicros,
};
use mineseal_schemas::{
    Activity, Alarm, Camera, CameraHealth, Crossing, Detections, Evidence, EvidenceKind, Headcount, Mine,
    Positioning, ShiftCount,
};
use serde::Serialize;
use uuid::Uuid;

/// Crossings that are shown of a mine.
const SHOWN_CROSSINGS: usize = 12;
/// Pictures that are remembered; older ones belong to alarms that ended long ago.
const REMEMBERED_PICTURES: usize = 5_000;

/// Everything that the page shows.
#[derive(Clone, Debug, Default, Serialize)]
pub struct View {
    /// By code.
    pub mines: BTreeMap<MineCode, MineView>,
    #[serde(skip)]
    pictures: BTreeMap<Uuid, String>,
}

/// One mine.
#[derive(Clone, Debug, Default, Serialize)]
pub struct MineView {
    /// As registered.
    #[serde(skip)]
    pub mine: Option<Mine>,
    /// People underground.
    pub people: i64,
    /// People who went in, over all mouths.
    pub entered: i64,
    /// People who went out, over all mouths.
    pub left: i64,
    /// More left than had entered.
    pub inconsistent: bool,
    /// Event time of the headcount.
    pub counted_at: UtcMicros,
    /// Sum of all corrections of the headcount.
    pub corrected: i64,
    /// People who went in by ways that people should not take; they are among those who went in.
    pub non_regular_entered: i64,
    /// People who went out by ways that people should not take; they are among those who went out.
    pub non_regular_left: i64,
    /// The last shifts, oldest first; the last one runs.
    pub shifts: Vec<ShiftCount>,
    /// What the positioning system said last.
    pub positioning: Option<Positioning>,
    /// The newest first.
    #[serde(skip)]
    pub crossings: VecDeque<Crossing>,
    /// That have not ended, by the time of their beginning.
    #[serde(skip)]
    pub alarms: BTreeMap<(UtcMicros, Uuid), Alarm>,
    /// Open alarms.
    pub open_alarms: usize,
    /// By code.
    pub cameras: BTreeMap<CameraCode, CameraView>,
}

/// One camera.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CameraView {
    /// As registered.
    #[serde(skip)]
    pub camera: Option<Camera>,
    /// Its picture's condition; none before the first report.
    pub condition: Option<HealthCondition>,
    /// When its newest frame was taken.
    pub seen_at: UtcMicros,
    /// Belt or post.
    pub activity: Option<(ActivityKind, ActivityState)>,
}

impl View {
    fn mine(&mut self, code: &MineCode) -> &mut MineView {
        self.mines.entry(code.clone()).or_default()
    }

    fn camera(&mut self, mine: &MineCode, code: &CameraCode) -> &mut CameraView {
        self.mine(mine).cameras.entry(code.clone()).or_default()
    }

    /// Takes the registrations as they are now; what is registered no longer is shown no longer.
    pub(crate) fn register<'a>(
        &mut self,
        mines: impl Iterator<Item = &'a Mine>,
        cameras: impl Iterator<Item = &'a Camera>,
    ) {
        for view in self.mines.values_mut() {
            view.mine = None;
            for camera in view.cameras.values_mut() {
                camera.camera = None;
            }
        }
        for mine in mines {
            self.mine(&mine.code).mine = Some(mine.clone());
        }
        for camera in cameras {
            self.camera(&camera.mine, &camera.code).camera = Some(camera.clone());
        }
    }

    pub(crate) fn count(&mut self, headcount: &Headcount) {
        let view = self.mine(&headcount.mine);
        view.people = headcount.people;
        view.entered = headcount.mouths.iter().map(|mouth| mouth.entered).sum();
        view.left = headcount.mouths.iter().map(|mouth| mouth.left).sum();
        view.inconsistent = headcount.inconsistent;
        view.corrected = headcount.corrected;
        view.non_regular_entered = headcount.non_regular_entered;
        view.non_regular_left = headcount.non_regular_left;
        view.shifts.clone_from(&headcount.shifts);
        view.counted_at = headcount.at;
    }

    pub(crate) fn locate(&mut self, report: &Positioning) {
        let known = &mut self.mine(&report.mine).positioning;
        // The time in the file decides which is newer.
        if known.as_ref().is_none_or(|known| known.at < report.at) {
            *known = Some(report.clone());
        }
    }

    pub(crate) fn cross(&mut self, crossing: Crossing) {
        let shown = &mut self.mine(&crossing.mine).crossings;
        if shown.iter().any(|known| known.id == crossing.id) {
            return;
        }
        // Partitions are read side by side, so an older one may come later.
        let place = shown
            .iter()
            .position(|known| known.captured_at <= crossing.captured_at)
            .unwrap_or(shown.len());
        shown.insert(place, crossing);
        shown.truncate(SHOWN_CROSSINGS);
    }

    pub(crate) fn alarm(&mut self, alarm: Alarm) {
        let view = self.mine(&alarm.mine);
        let key = (alarm.raised_at, alarm.id);
        if alarm.phase == AlarmPhase::Cleared {
            view.alarms.remove(&key);
        } else {
            view.alarms.insert(key, alarm);
        }
        view.open_alarms = view.alarms.len();
    }

    pub(crate) fn health(&mut self, health: &CameraHealth) {
        self.camera(&health.mine, &health.camera).condition = Some(health.condition);
    }

    pub(crate) fn act(&mut self, activity: &Activity) {
        if activity.kind != ActivityKind::Vehicle {
            self.camera(&activity.mine, &activity.camera).activity = Some((activity.kind, activity.state));
        }
    }

    pub(crate) fn see(&mut self, detections: &Detections) {
        let camera = self.camera(&detections.mine, &detections.camera);
        camera.seen_at = camera.seen_at.max(detections.captured_at);
    }

    pub(crate) fn keep(&mut self, evidence: Evidence) {
        if evidence.kind == EvidenceKind::Picture {
            self.pictures.insert(evidence.alarm, evidence.object);
            if self.pictures.len() > REMEMBERED_PICTURES
                && let Some(alarm) = self.pictures.keys().next().copied()
            {
                self.pictures.remove(&alarm);
            }
        }
    }

    /// Where an alarm's picture lies.
    #[must_use]
    pub fn picture(&self, alarm: Uuid) -> Option<&str> {
        self.pictures.get(&alarm).map(String::as_str)
    }
}

/// 入井, 出井, 进场, 出场; by which way, if it is none that people should take.
pub(crate) fn direction_words(crossing: &Crossing) -> &'static str {
    if !crossing.counted {
        return match crossing.direction {
            Direction::In => "出井闸机入闸",
            Direction::Out => "入井闸机出闸",
        };
    }
    match (crossing.class.group(), crossing.direction, crossing.regular) {
        (Some(ObjectGroup::Vehicle), Direction::In, _) => "车辆进场",
        (Some(ObjectGroup::Vehicle), Direction::Out, _) => "车辆出场",
        (_, Direction::In, true) => "人员入井",
        (_, Direction::Out, true) => "人员出井",
        (_, Direction::In, false) => "非常规通道入井",
        (_, Direction::Out, false) => "非常规通道出井",
    }
}

/// 运行, 停止, 在岗, 空岗.
pub(crate) fn activity_words(state: ActivityState) -> &'static str {
    match state {
        ActivityState::Running => "皮带运行",
        ActivityState::Stopped => "皮带停止",
        ActivityState::Occupied => "有人在岗",
        ActivityState::Empty => "无人在岗",
        ActivityState::PassedIn => "进场",
        ActivityState::PassedOut => "出场",
    }
}
