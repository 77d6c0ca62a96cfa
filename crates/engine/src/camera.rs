use mineseal_domain::{
    ActivityKind, ActivityState, Analysis, Anchor, HealthCondition, ObjectClass, Point, UtcMicros,
};
use mineseal_picture::{
    BeltJudge, BeltSettings, Evidence, PictureJudge, PictureSettings, PostJudge, PostSettings,
};
use mineseal_rules::Signal;
use mineseal_schemas::{Activity, Camera, CameraHealth, Detections};
use serde::{Deserialize, Serialize};

use crate::identity;
use crate::reading::Reading;

/// The condition of a camera that does not change is reported this often, microseconds: the hourly full report
/// that the national norm for video networking asks for.
const REPORT_EVERY_MICROS: i64 = 3_600_000_000;

/// A person at a post below this score is not believed.
const POST_SCORE: f32 = 0.4;

/// What is known of one camera.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct CameraState {
    pub(crate) reading: Option<Reading>,
    /// The mine's time when a whole frame of it came last, or when it was registered.
    pub(crate) heard_at: UtcMicros,
    pub(crate) silent: bool,
    #[serde(default)]
    picture: PictureJudge,
    /// The picture's condition as states of format 2 have it; taken over with the next frame.
    #[serde(default, rename = "health", skip_serializing)]
    earlier: Option<EarlierCondition>,
    /// The registration under which the camera has the size of picture that it is known by.
    #[serde(default)]
    registered_at: UtcMicros,
    reported_at: Option<UtcMicros>,
    belt: BeltJudge,
    post: PostJudge,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct EarlierCondition {
    condition: HealthCondition,
    since: Option<UtcMicros>,
}

/// What a judge has found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Judged {
    pub(crate) signals: Vec<Signal>,
    pub(crate) health: Option<CameraHealth>,
    pub(crate) activities: Vec<Activity>,
}

impl CameraState {
    pub(crate) fn new(now: UtcMicros) -> Self {
        Self {
            reading: None,
            heard_at: now,
            silent: false,
            picture: PictureJudge::new(),
            earlier: None,
            registered_at: UtcMicros::default(),
            reported_at: None,
            belt: BeltJudge::new(),
            post: PostJudge::new(),
        }
    }

    /// Judges the frame by itself and with those before it: picture, belt, post.
    pub(crate) fn judge(&mut self, camera: &Camera, input: &Detections) -> Judged {
        let mut judged = Judged::default();
        // A frame that the decoder could not read whole shows the link's fault, not the camera's.
        if !input.corrupt {
            self.judge_picture(camera, input, &mut judged);
        }
        if camera.analyses.contains(&Analysis::BeltMotion) {
            if !input.corrupt {
                self.judge_belt(input, &mut judged);
            }
        } else if self.belt != BeltJudge::new() {
            self.belt = BeltJudge::new();
            judged.signals.push(Signal::Belt { running: false });
        }
        if camera.analyses.contains(&Analysis::PostOccupancy) {
            if !input.model.is_empty() && !input.corrupt {
                self.judge_post(camera, input, &mut judged);
            }
        } else if self.post != PostJudge::new() {
            self.post = PostJudge::new();
            judged.signals.push(Signal::Post { empty: false });
        }
        judged
    }

    fn judge_picture(&mut self, camera: &Camera, input: &Detections, judged: &mut Judged) {
        if let Some(EarlierCondition { condition, since }) = self.earlier.take() {
            self.picture = PictureJudge::after(condition, since);
        }
        if self.registered_at != camera.changed_at {
            // Somebody has registered the camera anew: what it shows now is what it should.
            self.registered_at = camera.changed_at;
            self.picture.accept_size();
        }
        let side = |pixels: i32| u32::try_from(pixels).unwrap_or(0);
        let mut view = input.view;
        if camera.repeat {
            // A file that is registered to be played again and again comes back by order.
            view.repeat_micros = 0;
        }
        let evidence = Evidence {
            health: &input.health,
            view: &view,
            source_size: (side(input.source_width), side(input.source_height)),
        };
        let change = self
            .picture
            .step(&PictureSettings::default(), input.captured_at, &evidence);
        if let Some(change) = change {
            judged.signals.push(Signal::Picture(change.condition));
        }
        let since_report = self
            .reported_at
            .map(|before| input.captured_at.micros_since(before));
        let due = since_report.is_none_or(|micros| !(0..REPORT_EVERY_MICROS).contains(&micros));
        if change.is_some() || due {
            self.reported_at = Some(input.captured_at);
            let (condition, since): (HealthCondition, _) = self.picture.condition();
            judged.health = Some(CameraHealth {
                mine: input.mine.clone(),
                camera: input.camera.clone(),
                condition,
                since: since.unwrap_or(input.captured_at),
                at: input.captured_at,
                measures: input.health.clone(),
                view: input.view,
                frame: input.frame,
            });
        }
    }

    fn judge_belt(&mut self, input: &Detections, judged: &mut Judged) {
        let motion = BeltJudge::motion(&input.health);
        let Some(change) = self
            .belt
            .step(&BeltSettings::default(), input.captured_at, motion)
        else {
            return;
        };
        let state = if change.running {
            ActivityState::Running
        } else {
            ActivityState::Stopped
        };
        judged
            .activities
            .push(activity(input, ActivityKind::Belt, state, change.since));
        judged.signals.push(Signal::Belt {
            running: change.running,
        });
    }

    fn judge_post(&mut self, camera: &Camera, input: &Detections, judged: &mut Judged) {
        let people = people_at_post(camera, input);
        let Some(change) = self
            .post
            .step(&PostSettings::default(), input.captured_at, people)
        else {
            return;
        };
        let state = if change.occupied {
            ActivityState::Occupied
        } else {
            ActivityState::Empty
        };
        judged
            .activities
            .push(activity(input, ActivityKind::Post, state, change.since));
        judged.signals.push(Signal::Post {
            empty: !change.occupied,
        });
    }
}

fn activity(input: &Detections, kind: ActivityKind, state: ActivityState, at: UtcMicros) -> Activity {
    Activity {
        id: identity::activity(&input.camera, kind, state, at),
        mine: input.mine.clone(),
        camera: input.camera.clone(),
        kind,
        state,
        at,
        frame: input.frame,
    }
}

/// People whose middle lies in the region called `post`, or else in the first region, or else in the picture.
fn people_at_post(camera: &Camera, input: &Detections) -> usize {
    let region = camera
        .regions
        .iter()
        .find(|region| region.name == "post")
        .or(camera.regions.first());
    let (width, height) = (input.width as f32, input.height as f32);
    let people = input.boxes.iter().filter(|found| {
        let middle = found.bounding_box.anchor(Anchor::Centre);
        let middle = Point {
            x: middle.x / width,
            y: middle.y / height,
        };
        found.class == ObjectClass::Person
            && found.score >= POST_SCORE
            && found.bounding_box.is_sound()
            && region.is_none_or(|region| region.contains(middle))
    });
    people.count()
}
