//! One whole record of each topic, with every field set to something of its own: for tests.

use mineseal_domain::{
    ActivityKind, ActivityState, AlarmKind, AlarmPhase, Analysis, Anchor, BoundingBox, CameraCode, CodeError,
    CountingLine, Direction, DispositionVerdict, HealthCondition, HealthMeasures, Line, MineCode, MineState,
    ObjectClass, ObjectGroup, PlaceClass, Point, Region, RegionMeasure, Sampling, Severity, Shift, UtcMicros,
    ViewMeasures,
};
use uuid::Uuid;

use crate::{
    Activity, Alarm, Camera, CameraHealth, Correction, CorrectionOutcome, CounterState, Crossing, DeadLetter,
    DetectedBox, Detections, Disposition, Evidence, EvidenceKind, EvidenceRequest, Frame, FrameLocation,
    Headcount, Mine, MouthCount, Positioning, Receipt, ReceiptOutcome, ShiftCount,
};

/// 2024-06-29 19:24:24 in Shanghai.
pub const AT: UtcMicros = UtcMicros(1_719_660_264_000_000);

/// One record of each topic.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "each field is the record of its name")]
pub struct Samples {
    pub mine: Mine,
    pub camera: Camera,
    pub frame: Frame,
    pub detections: Detections,
    pub crossing: Crossing,
    pub activity: Activity,
    pub camera_health: CameraHealth,
    pub headcount: Headcount,
    pub alarm: Alarm,
    pub disposition: Disposition,
    pub evidence_request: EvidenceRequest,
    pub evidence: Evidence,
    pub positioning: Positioning,
    pub correction: Correction,
    pub counter_state: CounterState,
    pub receipt: Receipt,
    pub dead_letter: DeadLetter,
}

/// The code of the sample mine.
///
/// # Errors
/// Never, while mine codes have twelve digits.
pub fn mine_code() -> Result<MineCode, CodeError> {
    "150602007866".parse()
}

/// The code of the sample camera.
///
/// # Errors
/// Never, while camera codes have 24 digits.
pub fn camera_code() -> Result<CameraCode, CodeError> {
    "150602004199960078664301".parse()
}

fn identity(number: u128) -> Uuid {
    Uuid::from_u128(0x0190_64a2_7f40_7000_8000_0000_0000_0000 + number)
}

fn measures() -> HealthMeasures {
    HealthMeasures {
        mean_luma: 101.5,
        luma_deviation: 41.25,
        sharpness: 512.75,
        dark_share: 0.125,
        bright_share: 0.0625,
        change: 3.5,
        fingerprint: -81_985_529_216_486_896,
        regions: vec![RegionMeasure {
            region: "belt".into(),
            motion: 7.25,
            mean_luma: 64.5,
        }],
    }
}

/// Measures of a picture without fault, but for the period with which it comes back.
fn view(repeat_micros: i64) -> ViewMeasures {
    ViewMeasures {
        still_share: 0.0625,
        blank_share: 0.03125,
        kept_share: 0.9375,
        flat_share: 0.015625,
        detail: 0.875,
        shift_right: 0.000_488_281_25,
        shift_down: -0.000_976_562_5,
        colour: 6.5,
        reference_colour: 7.25,
        repeat_micros,
        black_level: 21.0,
        white_level: 203.0,
        deviation: 38.5,
        sharpness: 448.5,
        clipped_share: 0.007_812_5,
        hidden_share: 0.0,
    }
}

/// One record of each topic; the same at every call.
///
/// # Errors
/// Never, while the sample codes are valid.
pub fn samples() -> Result<Samples, CodeError> {
    let (mine, camera) = (mine_code()?, camera_code()?);
    let place = PlaceClass::AUXILIARY_SHAFT;
    let location = FrameLocation {
        partition: 3,
        offset: 4_711,
    };
    let session = identity(1);
    let registered_camera = Camera {
        code: camera.clone(),
        mine: mine.clone(),
        name: "副井口".into(),
        place,
        source: "rtsp://camera.example.invalid:554/1".into(),
        credential: Some("camera-150602".into()),
        repeat: true,
        sampling: Sampling {
            frames_per_second: 10.0,
            key_frames_only: false,
        },
        analyses: vec![Analysis::PersonCrossing, Analysis::VehicleCrossing],
        lines: vec![CountingLine {
            name: "mouth".into(),
            line: Line {
                from: Point { x: 0.5, y: 0.0 },
                to: Point { x: 0.5, y: 1.0 },
            },
            group: ObjectGroup::Person,
            anchor: Anchor::Foot,
            regular: true,
            gate: None,
        }],
        regions: vec![Region {
            name: "belt".into(),
            corners: vec![
                Point { x: 0.25, y: 0.25 },
                Point { x: 0.75, y: 0.25 },
                Point { x: 0.5, y: 0.75 },
            ],
        }],
        changed_at: AT,
    };
    let registered_mine = Mine {
        code: mine.clone(),
        name: "示范煤矿".into(),
        state: MineState::Stopped,
        headcount_limit: 450,
        shifts: vec![Shift {
            name: "夜班".into(),
            start_minute: 1_320,
            end_minute: 360,
        }],
        watch_ordered: true,
        paused: false,
        changed_at: AT,
        changed_by: "监管员".into(),
    };
    let frame = Frame {
        camera: camera.clone(),
        mine: mine.clone(),
        place,
        session,
        sequence: 42,
        captured_at: AT,
        published_at: AT.plus_micros(40_000),
        media_time_micros: 4_200_000,
        width: 640,
        height: 360,
        source_width: 1_920,
        source_height: 1_080,
        corrupt: false,
        detect: true,
        clock_suspect: true,
        health: measures(),
        view: view(24_000_000),
        jpeg: vec![0xFF, 0xD8, 0x00, 0x7F, 0x80, 0xFF, 0xD9],
    };
    let detections = Detections {
        camera: camera.clone(),
        mine: mine.clone(),
        place,
        session,
        sequence: 42,
        captured_at: AT,
        published_at: AT.plus_micros(40_000),
        inferred_at: AT.plus_micros(90_000),
        width: 640,
        height: 360,
        corrupt: false,
        boxes: vec![
            DetectedBox {
                class: ObjectClass::Person,
                score: 0.875,
                bounding_box: BoundingBox {
                    left: 310.5,
                    top: 100.25,
                    width: 40.0,
                    height: 120.0,
                },
            },
            DetectedBox {
                class: ObjectClass::Truck,
                score: 0.5,
                bounding_box: BoundingBox {
                    left: -4.0,
                    top: 0.0,
                    width: 200.0,
                    height: 90.0,
                },
            },
        ],
        model: "yolox-s 0123456789abcdef".into(),
        health: measures(),
        view: view(0),
        source_width: 1_920,
        source_height: 1_080,
        frame: location,
    };
    Ok(Samples {
        crossing: Crossing {
            id: identity(2),
            mine: mine.clone(),
            camera: camera.clone(),
            line: "mouth".into(),
            direction: Direction::In,
            class: ObjectClass::Person,
            regular: true,
            counted: true,
            track: 7,
            score: 0.75,
            captured_at: AT,
            session,
            from_sequence: 38,
            to_sequence: 42,
            path: vec![Point { x: 350.0, y: 220.5 }, Point { x: 290.0, y: 221.0 }],
            rule_version: 1,
            model: "yolox-s 0123456789abcdef".into(),
            frame: location,
        },
        activity: Activity {
            id: identity(3),
            mine: mine.clone(),
            camera: camera.clone(),
            kind: ActivityKind::Belt,
            state: ActivityState::Running,
            at: AT,
            frame: location,
        },
        camera_health: CameraHealth {
            mine: mine.clone(),
            camera: camera.clone(),
            condition: HealthCondition::Covered,
            since: AT,
            at: AT.plus_micros(30_000_000),
            measures: measures(),
            view: view(24_000_000),
            frame: location,
        },
        headcount: Headcount {
            mine: mine.clone(),
            people: -1,
            mouths: vec![MouthCount {
                camera: camera.clone(),
                line: "mouth".into(),
                entered: 12,
                left: 13,
            }],
            at: AT,
            partition: 5,
            offset: 1_234_567_890_123,
            inconsistent: true,
            rule_version: 1,
            corrected: -2,
            non_regular_entered: 3,
            non_regular_left: 4,
            shifts: vec![ShiftCount {
                name: "早班".into(),
                began_at: AT.plus_micros(-3_600_000_000),
                entered: 6,
                left: 5,
                inside: 7,
            }],
        },
        alarm: Alarm {
            id: identity(4),
            revision: 2,
            mine: mine.clone(),
            camera: Some(camera.clone()),
            kind: AlarmKind::PersonEnteredStoppedMine,
            severity: Severity::Critical,
            phase: AlarmPhase::Updated,
            raised_at: AT,
            at: AT.plus_micros(5_000_000),
            people: 3,
            mine_state: MineState::Stopped,
            message: "停产停建煤矿有人员入井，井下 3 人".into(),
            rule_version: 1,
            frame: Some(location),
        },
        disposition: Disposition {
            alarm: identity(4),
            mine: mine.clone(),
            verdict: DispositionVerdict::SuspectedIllegalProduction,
            note: "已派人现场核查".into(),
            by: "值守员".into(),
            at: AT.plus_micros(600_000_000),
        },
        evidence_request: EvidenceRequest {
            id: identity(5),
            alarm: identity(4),
            mine: mine.clone(),
            camera: camera.clone(),
            captured_at: AT,
            frame: location,
            seconds_before: 10.0,
            seconds_after: 10.0,
        },
        evidence: Evidence {
            request: identity(5),
            alarm: identity(4),
            mine: mine.clone(),
            camera,
            kind: EvidenceKind::Clip,
            object: "150602007866/2024/06/29/clip.mp4".into(),
            sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
            size_bytes: 3_145_728,
            captured_at: AT,
        },
        positioning: Positioning {
            mine: mine.clone(),
            people: 11,
            at: AT,
            file: "150602007866_RYSS_20240629192424.txt".into(),
            sha256: "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752".into(),
        },
        correction: Correction {
            id: identity(6),
            mine: mine.clone(),
            people: 11,
            reason: "副井口清点人数".into(),
            by: "值班领导".into(),
            at: AT.plus_micros(3_000_000),
            ordered_at: AT,
            signature: (0..64).collect(),
            outcome: Some(CorrectionOutcome {
                applied: true,
                refusal: String::new(),
                before: -1,
                change: 12,
                partition: 5,
                offset: 1_234_567_890_125,
            }),
        },
        counter_state: CounterState {
            mine: mine.clone(),
            format: 1,
            partition: 5,
            next_offset: 1_234_567_890_124,
            state: (0..=255).collect(),
        },
        receipt: Receipt {
            platform: "district".into(),
            mine,
            topic: "mineseal.alarms".into(),
            partition: 5,
            offset: 99,
            outcome: ReceiptOutcome::Refused,
            status: 400,
            answer: "{\"code\":1,\"message\":\"未知摄像仪\"}".into(),
            attempts: 2,
            occurred_at: AT,
            answered_at: AT.plus_micros(2_000_000),
        },
        dead_letter: DeadLetter {
            topic: "mineseal.frames".into(),
            partition: 3,
            offset: 4_712,
            key: b"150602\xFF".to_vec(),
            value: vec![0xC3, 0x01, 0x00],
            service: "inference".into(),
            reason: "body cut off".into(),
            at: AT,
        },
        mine: registered_mine,
        camera: registered_camera,
        frame,
        detections,
    })
}
