//! From frames to alarms: who may do what in which mine, and which camera does not see.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::*;
use mineseal_domain::{
    ActivityState, AlarmKind, HealthCondition, MineState, ObjectClass, Severity, ViewMeasures,
};
use mineseal_engine::{MineEngine, MineRegistration, Output};
use mineseal_schemas::{CameraHealth, Detections};

fn engine() -> MineEngine {
    MineEngine::new(mine_code())
}

fn conditions(outputs: &[Output]) -> Vec<&CameraHealth> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::CameraHealth(health) => Some(health),
            _ => None,
        })
        .collect()
}

fn states(outputs: &[Output]) -> Vec<ActivityState> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::Activity(activity) => Some(activity.state),
            _ => None,
        })
        .collect()
}

/// One frame a second of `camera`, from second `from` to before second `to`, changed by `change`.
fn seconds(camera: u8, from: i64, to: i64, change: impl Fn(&mut Detections)) -> Vec<Detections> {
    (from..to)
        .map(|second| {
            let mut input = frame(camera, 1, second * 10);
            change(&mut input);
            input
        })
        .collect()
}

/// As a camera that is known by a view and shows it.
fn known(input: &mut Detections) {
    input.view = ViewMeasures {
        still_share: 0.1,
        blank_share: 0.0,
        kept_share: 0.95,
        flat_share: 0.0,
        detail: 1.0,
        colour: 5.0,
        reference_colour: 5.0,
        ..ViewMeasures::default()
    };
}

#[test]
fn a_person_enters_a_stopped_mine_and_leaves_it() {
    let registration = registration(MineState::Stopped);
    let mut engine = engine();
    let walkers = [
        Walker::person(5, true, 200.0),
        Walker::person(50, true, 200.0),
        Walker::person(95, false, 200.0),
    ];
    let outputs = run(&mut engine, &registration, &walk(1, 1, 0..140, &walkers), 0);
    assert_eq!(
        told(&outputs),
        [
            "PersonEnteredStoppedMine Raised 1",
            "PersonEnteredStoppedMine Updated 2"
        ]
    );
    let raised = alarms(&outputs)[0];
    let crossing = crossings(&outputs)[0];
    assert_eq!(
        (raised.frame, raised.raised_at),
        (Some(crossing.frame), crossing.captured_at)
    );
    assert_eq!(
        raised.message,
        "副井口：停产停建煤矿有人员入井，视频计数井下现有 1 人"
    );
    assert_eq!(raised.mine_state, MineState::Stopped);

    let requests: Vec<_> = outputs
        .iter()
        .filter_map(|output| match output {
            Output::EvidenceRequest(request) => Some(request),
            _ => None,
        })
        .collect();
    assert_eq!(requests.len(), 1, "one for the raised alarm, none for its update");
    assert_eq!(
        (requests[0].alarm, requests[0].frame, &requests[0].camera),
        (raised.id, crossing.frame, &code(1))
    );
    assert_eq!(requests[0].captured_at, crossing.captured_at);

    let leaving = walk(1, 1, 140..200, &[Walker::person(145, false, 200.0)]);
    assert_eq!(
        told(&run(&mut engine, &registration, &leaving, 140)),
        ["PersonEnteredStoppedMine Cleared 0"]
    );
    assert_eq!(engine.rules().open().count(), 0);
}

#[test]
fn the_state_of_the_mine_is_that_of_the_registration_now() {
    let mut engine = engine();
    let inputs = walk(
        1,
        1,
        0..120,
        &[Walker::person(5, true, 200.0), Walker::person(65, true, 200.0)],
    );
    assert!(
        told(&run(
            &mut engine,
            &registration(MineState::Producing),
            &inputs[..60],
            0
        ))
        .is_empty()
    );
    let outputs = run(&mut engine, &registration(MineState::Closing), &inputs[60..], 60);
    assert_eq!(told(&outputs), ["PersonEnteredStoppedMine Raised 2"]);
    assert_eq!(alarms(&outputs)[0].severity, Severity::Critical);
    let producing = run(
        &mut engine,
        &registration(MineState::Producing),
        &[frame(1, 1, 120)],
        120,
    );
    assert_eq!(told(&producing), ["PersonEnteredStoppedMine Cleared 2"]);
    assert_eq!(alarms(&producing)[0].frame, None, "no frame decided it");
}

#[test]
fn more_people_than_approved() {
    let mut registration = registration(MineState::Producing);
    registration.mine.headcount_limit = 1;
    let walkers = [
        Walker::person(5, true, 200.0),
        Walker::person(50, true, 200.0),
        Walker::person(95, false, 200.0),
    ];
    let outputs = run(&mut engine(), &registration, &walk(1, 1, 0..140, &walkers), 0);
    assert_eq!(
        told(&outputs),
        ["HeadcountOverLimit Raised 2", "HeadcountOverLimit Cleared 1"]
    );
    assert_eq!(alarms(&outputs)[0].camera, None);
    let request = outputs.iter().find_map(|output| match output {
        Output::EvidenceRequest(request) => Some(request.camera.clone()),
        _ => None,
    });
    assert_eq!(request, Some(code(1)), "the camera of the deciding frame");
}

#[test]
fn more_people_leave_than_had_entered() {
    let registration = registration(MineState::Producing);
    let outputs = run(
        &mut engine(),
        &registration,
        &walk(1, 1, 0..60, &[Walker::person(5, false, 200.0)]),
        0,
    );
    assert_eq!(told(&outputs), ["HeadcountInconsistent Raised -1"]);
    assert!(headcounts(&outputs)[1].inconsistent);
}

#[test]
fn the_belt_of_a_stopped_mine() {
    let moving = |input: &mut Detections| input.health.regions[0].motion = 8.0;
    let registration = registration(MineState::Stopped);
    let mut engine = engine();
    let standing = run(&mut engine, &registration, &seconds(3, 0, 20, |_| {}), 0);
    assert_eq!(states(&standing), [ActivityState::Stopped]);
    let running = run(&mut engine, &registration, &seconds(3, 20, 40, moving), 20);
    assert_eq!(states(&running), [ActivityState::Running]);
    assert_eq!(told(&running), ["BeltRunsInStoppedMine Raised 0"]);
    assert!(
        running
            .iter()
            .any(|output| matches!(output, Output::EvidenceRequest(_)))
    );
    let stopped = run(&mut engine, &registration, &seconds(3, 40, 60, |_| {}), 40);
    assert_eq!(told(&stopped), ["BeltRunsInStoppedMine Cleared 0"]);
}

#[test]
fn a_belt_that_is_not_watched_any_more_raises_nothing() {
    let moving = |input: &mut Detections| input.health.regions[0].motion = 8.0;
    let mut registration = registration(MineState::Stopped);
    let mut engine = engine();
    run(&mut engine, &registration, &seconds(3, 0, 20, moving), 0);
    registration.cameras.get_mut(&code(3)).unwrap().analyses.clear();
    let outputs = run(&mut engine, &registration, &seconds(3, 20, 40, moving), 20);
    assert_eq!(told(&outputs), ["BeltRunsInStoppedMine Cleared 0"]);
}

#[test]
fn nobody_at_the_post_for_five_minutes() {
    let manned =
        |input: &mut Detections| input.boxes = vec![standing(ObjectClass::Person, 500.0, 300.0, 0.8)];
    let beside =
        |input: &mut Detections| input.boxes = vec![standing(ObjectClass::Person, 100.0, 300.0, 0.8)];
    let registration = registration(MineState::Producing);
    let mut engine = engine();
    // The cameras that show nothing here are still heard.
    let with_others = |inputs: Vec<Detections>| -> Vec<Detections> {
        inputs
            .into_iter()
            .flat_map(|input| [frame(1, 1, input.sequence), frame(2, 1, input.sequence), input])
            .collect()
    };
    let outputs = run(
        &mut engine,
        &registration,
        &with_others(seconds(3, 0, 60, manned)),
        0,
    );
    assert!(states(&outputs).contains(&ActivityState::Occupied) && told(&outputs).is_empty());
    let outputs = run(
        &mut engine,
        &registration,
        &with_others(seconds(3, 60, 359, beside)),
        200,
    );
    assert!(told(&outputs).is_empty(), "{:?}", told(&outputs));
    let outputs = run(
        &mut engine,
        &registration,
        &with_others(seconds(3, 359, 365, beside)),
        2_000,
    );
    assert_eq!(told(&outputs), ["PostEmpty Raised 0"]);
    let outputs = run(
        &mut engine,
        &registration,
        &with_others(seconds(3, 365, 370, manned)),
        2_100,
    );
    assert_eq!(told(&outputs), ["PostEmpty Cleared 0"]);
}

#[test]
fn a_covered_camera() {
    let covered = |input: &mut Detections| (input.health.luma_deviation, input.health.sharpness) = (4.0, 3.0);
    let mut registration = registration(MineState::Producing);
    registration.cameras.retain(|camera, _| *camera == code(1));
    let mut engine = engine();
    let outputs = run(&mut engine, &registration, &seconds(1, 0, 10, |_| {}), 0);
    assert_eq!(
        conditions(&outputs)[0].condition,
        HealthCondition::Normal,
        "the first report"
    );
    let outputs = run(&mut engine, &registration, &seconds(1, 10, 50, covered), 10);
    let reports = conditions(&outputs);
    assert_eq!(
        (reports.len(), reports[0].condition),
        (1, HealthCondition::Covered)
    );
    assert_eq!((reports[0].since, reports[0].at), (at(10.0), at(40.0)));
    assert_eq!(told(&outputs), ["CameraFault Raised 0"]);
    let outputs = run(&mut engine, &registration, &seconds(1, 50, 62, |_| {}), 50);
    assert_eq!(told(&outputs), ["CameraFault Cleared 0"]);
    assert_eq!(conditions(&outputs)[0].condition, HealthCondition::Normal);
}

#[test]
fn a_fault_in_a_state_of_the_former_format_still_ends() {
    use ciborium::Value;
    let mut registration = registration(MineState::Producing);
    registration.cameras.retain(|camera, _| *camera == code(1));
    let mut engine = engine();
    let covered = |input: &mut Detections| (input.health.luma_deviation, input.health.sharpness) = (4.0, 3.0);
    run(&mut engine, &registration, &seconds(1, 0, 50, covered), 0);
    // Format 2 had another judge under another name, with the condition and its time under the same names.
    let state = engine.encode_state().unwrap();
    let mut value: Value = ciborium::from_reader(&state[2..]).unwrap();
    fn rename(value: &mut Value) {
        match value {
            Value::Map(entries) => {
                entries.retain(|(key, _)| *key != Value::Text("registered_at".into()));
                for (key, inner) in entries {
                    if *key == Value::Text("picture".into()) {
                        *key = Value::Text("health".into());
                    }
                    rename(inner);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(rename),
            _ => {}
        }
    }
    rename(&mut value);
    let mut former = vec![0, 2];
    ciborium::into_writer(&value, &mut former).unwrap();
    let mut engine = mineseal_engine::decode_state(&former).unwrap();
    let outputs = run(&mut engine, &registration, &seconds(1, 50, 62, |_| {}), 50);
    assert_eq!(told(&outputs), ["CameraFault Cleared 0"]);
}

#[test]
fn a_replay_and_lost_colours_raise_the_alarm_of_a_camera_at_fault() {
    let mut registration = registration(MineState::Producing);
    registration.cameras.retain(|camera, _| *camera == code(1));
    let mut engine = engine();
    run(&mut engine, &registration, &seconds(1, 0, 20, known), 0);
    let replayed = |input: &mut Detections| {
        known(input);
        input.view.repeat_micros = 24_000_000;
    };
    let outputs = run(&mut engine, &registration, &seconds(1, 20, 25, replayed), 20);
    assert_eq!(told(&outputs), ["CameraFault Raised 0"]);
    assert_eq!(conditions(&outputs)[0].condition, HealthCondition::Replayed);
    assert_eq!(conditions(&outputs)[0].view.repeat_micros, 24_000_000);
    let outputs = run(&mut engine, &registration, &seconds(1, 25, 40, known), 25);
    assert_eq!(told(&outputs), ["CameraFault Cleared 0"]);
    let grey = |input: &mut Detections| {
        known(input);
        input.view.colour = 0.2;
    };
    let outputs = run(&mut engine, &registration, &seconds(1, 40, 60, grey), 40);
    assert_eq!(conditions(&outputs)[0].condition, HealthCondition::GreyOnly);
}

#[test]
fn another_size_of_the_picture_is_a_fault_until_the_camera_is_registered_anew() {
    let mut registration = registration(MineState::Producing);
    registration.cameras.retain(|camera, _| *camera == code(1));
    let mut engine = engine();
    run(&mut engine, &registration, &seconds(1, 0, 20, known), 0);
    let small = |input: &mut Detections| {
        known(input);
        (input.source_width, input.source_height) = (704, 576);
    };
    let outputs = run(&mut engine, &registration, &seconds(1, 20, 40, small), 20);
    assert_eq!(
        conditions(&outputs)[0].condition,
        HealthCondition::WrongResolution
    );
    registration.cameras.get_mut(&code(1)).unwrap().changed_at = at(40.0);
    let outputs = run(&mut engine, &registration, &seconds(1, 40, 60, small), 40);
    assert_eq!(told(&outputs), ["CameraFault Cleared 0"]);
}

#[test]
fn a_condition_that_stays_is_reported_every_hour() {
    let mut only_one = registration(MineState::Producing);
    only_one.cameras.retain(|camera, _| *camera == code(1));
    let inputs: Vec<Detections> = seconds(1, 0, 4 * 360, |_| {})
        .into_iter()
        .map(|mut input| {
            let later = input.captured_at.micros_since(at(0.0)) * 9;
            input.captured_at = input.captured_at.plus_micros(later);
            input.published_at = input.published_at.plus_micros(later);
            input
        })
        .collect();
    let outputs = run(&mut engine(), &only_one, &inputs, 0);
    let times: Vec<_> = conditions(&outputs).iter().map(|report| report.at).collect();
    assert_eq!(times, [at(0.0), at(3_600.0), at(7_200.0), at(10_800.0)]);
}

#[test]
fn corrupt_frames_say_nothing_about_the_picture() {
    let broken = |input: &mut Detections| {
        input.corrupt = true;
        (input.health.luma_deviation, input.health.sharpness) = (4.0, 3.0);
    };
    let outputs = run(
        &mut engine(),
        &registration(MineState::Producing),
        &seconds(1, 0, 50, broken),
        0,
    );
    assert!(conditions(&outputs).is_empty() && told(&outputs).is_empty());
}

/// The cameras that were told to be offline or back.
fn lines_of_offline(outputs: &[Output]) -> Vec<String> {
    alarms(outputs)
        .iter()
        .filter(|alarm| alarm.kind == AlarmKind::CameraOffline)
        .map(|alarm| format!("{} {:?}", alarm.message, alarm.frame))
        .collect()
}

#[test]
fn a_camera_is_offline_after_a_minute_of_the_others_frames() {
    let registration = registration(MineState::Producing);
    let mut engine = engine();
    for camera in 1..=3 {
        run(&mut engine, &registration, &[frame(camera, 1, 0)], 0);
    }
    assert!(told(&run(&mut engine, &registration, &seconds(1, 1, 60, |_| {}), 0)).is_empty());
    let outputs = run(&mut engine, &registration, &seconds(1, 60, 90, |_| {}), 60);
    let silent = [
        "车辆出入口：摄像仪离线，收不到视频 None",
        "主运输皮带机头：摄像仪离线，收不到视频 None",
    ];
    assert_eq!(lines_of_offline(&outputs), silent);
    assert!(
        !outputs
            .iter()
            .any(|output| matches!(output, Output::EvidenceRequest(_)))
    );
    let outputs = run(&mut engine, &registration, &[frame(2, 1, 905)], 99);
    assert_eq!(lines_of_offline(&outputs), ["车辆出入口：摄像仪恢复在线 None"]);
}

#[test]
fn a_camera_that_never_came_is_offline_too() {
    let outputs = run(
        &mut engine(),
        &registration(MineState::Producing),
        &seconds(1, 0, 61, |_| {}),
        0,
    );
    assert_eq!(lines_of_offline(&outputs).len(), 2);
}

#[test]
fn time_alone_finds_the_silence_of_all_cameras() {
    let registration = registration(MineState::Producing);
    let mut engine = engine();
    for camera in 1..=3 {
        run(&mut engine, &registration, &[frame(camera, 1, 0)], 0);
    }
    let tick = |engine: &mut MineEngine, second: i64| engine.tick(&registration, at(second as f64));
    for second in 1..60 {
        assert!(tick(&mut engine, second).is_empty());
    }
    assert_eq!(lines_of_offline(&tick(&mut engine, 60)).len(), 3);
    assert!(tick(&mut engine, 61).is_empty() && tick(&mut engine, 30).is_empty());
}

#[test]
fn after_a_gap_of_the_whole_mine_each_camera_has_its_minute() {
    let registration = registration(MineState::Producing);
    let mut engine = engine();
    for camera in 1..=3 {
        run(&mut engine, &registration, &[frame(camera, 1, 0)], 0);
    }
    for camera in 1..=3 {
        assert!(told(&run(&mut engine, &registration, &[frame(camera, 1, 36_000)], 0)).is_empty());
    }
    let outputs = run(&mut engine, &registration, &seconds(1, 3_601, 3_662, |_| {}), 0);
    assert_eq!(lines_of_offline(&outputs).len(), 2);
}

#[test]
fn a_frame_from_the_future_makes_no_camera_silent() {
    let registration = registration(MineState::Producing);
    let mut engine = engine();
    for camera in 1..=3 {
        run(&mut engine, &registration, &[frame(camera, 1, 0)], 0);
    }
    let mut ahead = frame(1, 1, 10);
    ahead.captured_at = at(7_200.0);
    assert!(told(&run(&mut engine, &registration, &[ahead], 0)).is_empty());
    assert_eq!(engine.statistics().time_ahead, 1);
    let outputs = run(&mut engine, &registration, &seconds(2, 1, 62, |_| {}), 0);
    assert_eq!(
        lines_of_offline(&outputs).len(),
        2,
        "the minute goes on by the others' time"
    );
}

#[test]
fn nobody_waits_for_the_cameras_of_a_paused_mine() {
    let mut paused = registration(MineState::Producing);
    paused.mine.paused = true;
    let mut engine = engine();
    run(&mut engine, &paused, &[frame(1, 1, 0)], 0);
    for second in 1..200 {
        assert!(engine.tick(&paused, at(f64::from(second))).is_empty());
    }
    let resumed = registration(MineState::Producing);
    assert!(engine.tick(&resumed, at(230.0)).is_empty());
    assert_eq!(engine.tick(&resumed, at(259.5)).len(), 3);
}

#[test]
fn a_camera_that_is_no_longer_registered_is_forgotten_with_its_alarms() {
    let full = registration(MineState::Producing);
    let mut engine = engine();
    run(&mut engine, &full, &seconds(1, 0, 61, |_| {}), 0);
    let fewer = MineRegistration {
        cameras: full
            .cameras
            .iter()
            .filter(|(camera, _)| **camera == code(1))
            .map(|(c, d)| (c.clone(), d.clone()))
            .collect(),
        ..full
    };
    let outputs = run(&mut engine, &fewer, &seconds(1, 61, 70, |_| {}), 70);
    assert_eq!(told(&outputs), ["CameraOffline Cleared 0"; 2]);
}

#[test]
fn a_camera_of_which_nothing_whole_comes_is_offline() {
    let registration = registration(MineState::Producing);
    let mut engine = engine();
    for camera in 1..=3 {
        run(&mut engine, &registration, &[frame(camera, 1, 0)], 0);
    }
    // The second goes on, damaged; the first is whole, the third is silent.
    let mut inputs = seconds(1, 1, 70, |_| {});
    inputs.extend(seconds(2, 1, 70, |input| input.corrupt = true));
    inputs.sort_by_key(|input| (input.captured_at, input.camera.clone()));
    let outputs = run(&mut engine, &registration, &inputs, 0);
    let silent = [
        "车辆出入口：摄像仪离线，收不到视频 None",
        "主运输皮带机头：摄像仪离线，收不到视频 None",
    ];
    assert_eq!(lines_of_offline(&outputs), silent);
    assert_eq!(engine.statistics().corrupt, inputs.len() as u64 / 2);
    let outputs = run(&mut engine, &registration, &[frame(2, 1, 705)], 99);
    assert_eq!(lines_of_offline(&outputs), ["车辆出入口：摄像仪恢复在线 None"]);
}
