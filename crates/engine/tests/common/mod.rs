//! A mine with three cameras, and the detections of people who walk through their pictures.
#![allow(dead_code, reason = "each test file uses its own part")]

use mineseal_domain::{
    Analysis, Anchor, BoundingBox, CameraCode, CountingLine, HealthMeasures, Line, MineCode, MineState,
    ObjectClass, ObjectGroup, PlaceClass, Point, Region, RegionMeasure, Sampling, UtcMicros, ViewMeasures,
};
use mineseal_engine::{InputPosition, MineEngine, MineRegistration, Output};
use mineseal_schemas::{Alarm, Camera, Crossing, DetectedBox, Detections, FrameLocation, Headcount, Mine};
use uuid::Uuid;

/// 2024-06-30 12:00 in Shanghai.
pub(crate) const NOON: i64 = 1_719_720_000;
pub(crate) const WIDTH: i32 = 640;
pub(crate) const HEIGHT: i32 = 360;
pub(crate) const FRAMES_PER_SECOND: i64 = 10;

pub(crate) fn mine_code() -> MineCode {
    "150602007866".parse().unwrap()
}

/// Camera 1 looks at the auxiliary shaft's mouth, 2 at the vehicle gate, 3 at the belt and its post.
pub(crate) fn code(camera: u8) -> CameraCode {
    format!("1506020041999600786643{camera:02}").parse().unwrap()
}

pub(crate) fn at(seconds: f64) -> UtcMicros {
    UtcMicros(NOON * 1_000_000 + (seconds * 1e6).round() as i64)
}

pub(crate) fn session(number: u128) -> Uuid {
    Uuid::from_u128(0x0190_64a2_7f40_7000_8000_0000_0000_0000 + number)
}

fn line(name: &str, group: ObjectGroup, regular: bool, x: f32) -> CountingLine {
    // Upwards: going to the right is going in.
    let line = Line {
        from: Point { x, y: 1.0 },
        to: Point { x, y: 0.0 },
    };
    CountingLine {
        name: name.into(),
        line,
        group,
        anchor: Anchor::Foot,
        regular,
        gate: None,
    }
}

fn camera(
    number: u8,
    place: PlaceClass,
    name: &str,
    analyses: &[Analysis],
    lines: Vec<CountingLine>,
) -> Camera {
    let corner = |x, y| Point { x, y };
    let corners = vec![
        corner(0.5, 0.0),
        corner(1.0, 0.0),
        corner(1.0, 1.0),
        corner(0.5, 1.0),
    ];
    Camera {
        code: code(number),
        mine: mine_code(),
        name: name.into(),
        place,
        source: "scene".into(),
        credential: None,
        repeat: false,
        sampling: Sampling {
            frames_per_second: FRAMES_PER_SECOND as f64,
            key_frames_only: false,
        },
        analyses: analyses.to_vec(),
        lines,
        regions: vec![Region {
            name: "post".into(),
            corners,
        }],
        changed_at: at(0.0),
    }
}

pub(crate) fn registration(state: MineState) -> MineRegistration {
    let mouth = vec![
        line("mouth", ObjectGroup::Person, true, 0.5),
        line("bypass", ObjectGroup::Person, false, 0.8),
    ];
    let gate = vec![line("gate", ObjectGroup::Vehicle, true, 0.5)];
    let cameras = [
        camera(
            1,
            PlaceClass::AUXILIARY_SHAFT,
            "副井口",
            &[Analysis::PersonCrossing],
            mouth,
        ),
        camera(
            2,
            PlaceClass::VEHICLE_GATE,
            "车辆出入口",
            &[Analysis::VehicleCrossing],
            gate,
        ),
        camera(
            3,
            PlaceClass::BELT_HEAD,
            "主运输皮带机头",
            &[Analysis::BeltMotion, Analysis::PostOccupancy],
            Vec::new(),
        ),
    ];
    MineRegistration {
        mine: Mine {
            code: mine_code(),
            name: "示范煤矿".into(),
            state,
            headcount_limit: 100,
            shifts: Vec::new(),
            watch_ordered: false,
            paused: false,
            changed_at: at(0.0),
            changed_by: "监管员".into(),
        },
        cameras: cameras
            .into_iter()
            .map(|camera| (camera.code.clone(), camera))
            .collect(),
    }
}

pub(crate) fn healthy() -> HealthMeasures {
    HealthMeasures {
        mean_luma: 110.0,
        luma_deviation: 45.0,
        sharpness: 600.0,
        dark_share: 0.05,
        bright_share: 0.02,
        change: 1.2,
        fingerprint: 77,
        regions: vec![RegionMeasure {
            region: "belt".into(),
            motion: 0.3,
            mean_luma: 90.0,
        }],
    }
}

/// An empty frame of `camera`, `sequence` tenths of a second after noon.
pub(crate) fn frame(camera: u8, session_number: u128, sequence: i64) -> Detections {
    let captured_at = at(sequence as f64 / FRAMES_PER_SECOND as f64);
    let place = registration(MineState::Producing).cameras[&code(camera)].place;
    Detections {
        camera: code(camera),
        mine: mine_code(),
        place,
        session: session(session_number),
        sequence,
        captured_at,
        published_at: captured_at.plus_micros(40_000),
        inferred_at: captured_at.plus_micros(90_000),
        width: WIDTH,
        height: HEIGHT,
        corrupt: false,
        boxes: Vec::new(),
        model: "yolox-s 0123456789abcdef".into(),
        health: healthy(),
        view: ViewMeasures::default(),
        source_width: 1_920,
        source_height: 1_080,
        frame: FrameLocation {
            partition: i32::from(camera),
            offset: 1_000 + sequence,
        },
    }
}

/// A box whose foot stands at `x`, `y` (pixels).
pub(crate) fn standing(class: ObjectClass, x: f32, y: f32, score: f32) -> DetectedBox {
    let (width, height) = if class == ObjectClass::Person {
        (36.0, 100.0)
    } else {
        (160.0, 90.0)
    };
    let bounding_box = BoundingBox {
        left: x - width / 2.0,
        top: y - height,
        width,
        height,
    };
    DetectedBox {
        class,
        score,
        bounding_box,
    }
}

/// Somebody or something that crosses the picture at an even pace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walker {
    pub(crate) class: ObjectClass,
    /// Sequence at which it appears.
    pub(crate) start: i64,
    pub(crate) from: f32,
    pub(crate) to: f32,
    /// Frames that it needs.
    pub(crate) frames: i64,
    pub(crate) y: f32,
}

impl Walker {
    /// A person who walks from a quarter of the picture to past its middle, or back, within three seconds.
    pub(crate) fn person(start: i64, enters: bool, y: f32) -> Self {
        let (from, to) = if enters { (200.0, 440.0) } else { (440.0, 200.0) };
        Self {
            class: ObjectClass::Person,
            start,
            from,
            to,
            frames: 30,
            y,
        }
    }

    pub(crate) fn seen(&self, sequence: i64) -> Option<DetectedBox> {
        let step = sequence - self.start;
        (0..=self.frames).contains(&step).then(|| {
            let x = self.from + (self.to - self.from) * step as f32 / self.frames as f32;
            standing(self.class, x, self.y, 0.9)
        })
    }
}

pub(crate) fn walk(
    camera: u8,
    session_number: u128,
    frames: std::ops::Range<i64>,
    walkers: &[Walker],
) -> Vec<Detections> {
    frames
        .map(|sequence| Detections {
            boxes: walkers
                .iter()
                .filter_map(|walker| walker.seen(sequence))
                .collect(),
            ..frame(camera, session_number, sequence)
        })
        .collect()
}

/// Gives the inputs to the engine one after the other, at offsets from `offset` on.
pub(crate) fn run(
    engine: &mut MineEngine,
    registration: &MineRegistration,
    inputs: &[Detections],
    offset: i64,
) -> Vec<Output> {
    (offset..)
        .zip(inputs)
        .flat_map(|(offset, input)| engine.step(registration, input, InputPosition { partition: 7, offset }))
        .collect()
}

pub(crate) fn crossings(outputs: &[Output]) -> Vec<&Crossing> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::Crossing(crossing) => Some(crossing),
            _ => None,
        })
        .collect()
}

pub(crate) fn headcounts(outputs: &[Output]) -> Vec<&Headcount> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::Headcount(headcount) => Some(headcount),
            _ => None,
        })
        .collect()
}

pub(crate) fn alarms(outputs: &[Output]) -> Vec<&Alarm> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::Alarm(alarm) => Some(alarm),
            _ => None,
        })
        .collect()
}

/// "kind phase people" of each alarm step.
pub(crate) fn told(outputs: &[Output]) -> Vec<String> {
    alarms(outputs)
        .iter()
        .map(|alarm| format!("{:?} {:?} {}", alarm.kind, alarm.phase, alarm.people))
        .collect()
}
