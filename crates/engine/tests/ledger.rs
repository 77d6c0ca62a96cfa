//! The headcount beside the shifts and beside the positioning system.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::*;
use mineseal_domain::{MineState, Shift};
use mineseal_engine::{
    Beside, InputPosition, MineEngine, MineRegistration, OrderedCorrection, Output, POSITIONING, decode_state,
};
use mineseal_schemas::{Correction, Detections, Positioning};

fn report(second: f64, people: i64) -> Positioning {
    Positioning {
        mine: mine_code(),
        people,
        at: at(second),
        file: format!("150602007866_RYSS_{second}.txt"),
        sha256: "00".repeat(32),
    }
}

/// Every report is known from the second on that stands beside it.
fn run_beside(
    engine: &mut MineEngine,
    registration: &MineRegistration,
    reports: &[(f64, Positioning)],
    corrections: &[OrderedCorrection],
    inputs: &[Detections],
) -> Vec<Output> {
    (0..)
        .zip(inputs)
        .flat_map(|(offset, input)| {
            let known = reports.iter().filter(|(from, _)| at(*from) <= input.captured_at);
            let positioning: Vec<Positioning> = known.map(|(_, report)| report.clone()).collect();
            let beside = Beside {
                corrections,
                positioning: &positioning,
            };
            engine.step_with(
                registration,
                beside,
                input,
                InputPosition { partition: 7, offset },
            )
        })
        .collect()
}

fn corrections(outputs: &[Output]) -> Vec<Correction> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::Correction(correction) => Some(correction.clone()),
            _ => None,
        })
        .collect()
}

/// One goes in within the first four seconds, one more between second 6 and 9.
fn two_enter() -> Vec<Detections> {
    walk(
        1,
        1,
        0..110,
        &[Walker::person(5, true, 200.0), Walker::person(60, true, 200.0)],
    )
}

#[test]
fn a_person_belongs_to_the_shift_in_which_he_goes_in() {
    let mut registration = registration(MineState::Producing);
    // The frames begin at noon, the second shift a minute later.
    let shift = |name: &str, start_minute, end_minute| Shift {
        name: name.into(),
        start_minute,
        end_minute,
    };
    registration.mine.shifts = vec![shift("早班", 480, 721), shift("中班", 721, 1_320)];
    let mut engine = MineEngine::new(mine_code());
    let mut inputs = two_enter();
    // One more passes after the hand-over, and then somebody leaves.
    inputs.extend(walk(
        1,
        1,
        600..800,
        &[
            Walker::person(610, true, 200.0),
            Walker::person(700, false, 200.0),
        ],
    ));
    let outputs = run(&mut engine, &registration, &inputs, 0);
    let last = headcounts(&outputs).pop().unwrap();
    let shown: Vec<_> = last
        .shifts
        .iter()
        .map(|shift| {
            (
                shift.name.as_str(),
                shift.began_at,
                shift.entered,
                shift.left,
                shift.inside,
            )
        })
        .collect();
    assert_eq!(
        shown,
        [("早班", at(-14_400.0), 2, 0, 1), ("中班", at(60.0), 1, 1, 1)]
    );
    assert_eq!(last.people, 2);
    let begun: Vec<usize> = headcounts(&outputs).iter().map(|one| one.shifts.len()).collect();
    assert_eq!(begun, [1, 1, 1, 2, 2, 2], "the hand-over is told when it comes");
}

#[test]
fn a_report_is_compared_with_the_count_of_its_time_whenever_it_comes() {
    let registration = registration(MineState::Stopped);
    let told_of = |reports: &[(f64, Positioning)]| {
        let mut engine = MineEngine::new(mine_code());
        let outputs = run_beside(&mut engine, &registration, reports, &[], &two_enter());
        let statistics = engine.statistics();
        let of_positioning = alarms(&outputs)
            .into_iter()
            .filter(|alarm| format!("{:?}", alarm.kind) == "PositioningMismatch")
            .map(|alarm| {
                (
                    alarm.id,
                    format!("{:?} {}", alarm.phase, alarm.people),
                    alarm.message.clone(),
                )
            })
            .collect::<Vec<_>>();
        (
            of_positioning,
            (statistics.positioning_compared, statistics.positioning_too_old),
        )
    };
    // One person is underground at second 5 and two at second 10.
    let (told, counted) = told_of(&[(5.0, report(5.0, 1)), (10.0, report(10.0, 2))]);
    assert_eq!((told.len(), counted), (0, (2, 0)));
    let (early, _) = told_of(&[(5.0, report(5.0, 0))]);
    let (late, counted) = told_of(&[(9.9, report(5.0, 0))]);
    assert_eq!(early, late, "the same alarm, whenever the report comes");
    assert_eq!(early[0].1, "Raised 1");
    assert!(early[0].2.contains("人员定位 0 人"), "{}", early[0].2);
    assert_eq!(counted, (1, 0));
    // Nothing is known of the time before the first frame.
    assert_eq!(told_of(&[(1.0, report(-3.0, 9))]), (Vec::new(), (0, 1)));
    // One of the future waits, one of the past is no news, one that comes again neither.
    let (told, counted) = told_of(&[
        (0.0, report(6.5, 1)),
        (9.0, report(4.5, 99)),
        (9.5, report(6.5, 1)),
        (9.5, report(100.0, 99)),
    ]);
    assert_eq!((told.len(), counted), (0, (1, 0)));
}

#[test]
fn ten_people_are_tolerance_in_a_producing_mine_and_a_crew_in_a_stopped_one() {
    let inputs = two_enter();
    for (state, alarms_of_it) in [
        (MineState::Producing, 0),
        (MineState::Stopped, 1),
        (MineState::Closing, 1),
    ] {
        let mut engine = MineEngine::new(mine_code());
        let reports = [(10.0, report(10.0, 12))];
        let outputs = run_beside(&mut engine, &registration(state), &reports, &[], &inputs);
        let told = told(&outputs);
        let of_it = told
            .iter()
            .filter(|one| one.starts_with("PositioningMismatch"))
            .count();
        assert_eq!(of_it, alarms_of_it, "{state:?}: {told:?}");
    }
    let mut engine = MineEngine::new(mine_code());
    let reports = [(10.0, report(10.0, 13)), (10.5, report(10.5, 12))];
    let outputs = run_beside(
        &mut engine,
        &registration(MineState::Producing),
        &reports,
        &[],
        &inputs,
    );
    assert_eq!(
        told(&outputs),
        ["PositioningMismatch Raised 2", "PositioningMismatch Cleared 2"]
    );
}

/// Two go in; then the camera sees nobody for `hours`, a frame every four minutes, and the cards say the same.
fn left_alone(hours: i64) -> (Vec<Detections>, Vec<(f64, Positioning)>) {
    let mut inputs = two_enter();
    let minutes = (4..=hours * 60).step_by(4);
    inputs.extend(minutes.clone().map(|minute| frame(1, 1, minute * 600)));
    let reports = minutes.map(|minute| {
        let second = minute as f64 * 60.0;
        (second, report(second, 0))
    });
    (inputs, reports.collect())
}

#[test]
fn a_count_that_cards_and_mouths_deny_for_hours_begins_again_at_zero_as_an_event() {
    let registration = registration(MineState::Producing);
    let (inputs, reports) = left_alone(5);
    let mut engine = MineEngine::new(mine_code());
    let outputs = run_beside(&mut engine, &registration, &reports, &[], &inputs);
    let applied = corrections(&outputs);
    let [correction] = &applied[..] else {
        panic!("{applied:?}")
    };
    assert_eq!((correction.people, correction.by.as_str()), (0, POSITIONING));
    assert!(correction.signature.is_empty());
    assert!(
        correction.reason.contains(".txt") && correction.reason.contains("2 人归零"),
        "{}",
        correction.reason
    );
    let outcome = correction.outcome.as_ref().unwrap();
    assert_eq!((outcome.applied, outcome.before, outcome.change), (true, 2, -2));
    assert_eq!(engine.people(), 0);
    let last = headcounts(&outputs).pop().unwrap();
    assert_eq!((last.people, last.corrected, last.mouths[0].entered), (0, -2, 2));

    // A replay that has the event but no report, and one that has both, do the same once.
    let known = [OrderedCorrection {
        correction: correction.clone(),
        refused: None,
    }];
    for reports in [&[][..], &reports] {
        let mut again = MineEngine::new(mine_code());
        let outputs = run_beside(&mut again, &registration, reports, &known, &inputs);
        assert_eq!(corrections(&outputs), applied);
        assert_eq!(again.people(), 0);
    }
}

#[test]
fn it_does_not_begin_again_too_early_nor_where_nobody_may_be_nor_after_a_restart_twice() {
    let (inputs, reports) = left_alone(4);
    let mut engine = MineEngine::new(mine_code());
    let producing = registration(MineState::Producing);
    assert!(corrections(&run_beside(&mut engine, &producing, &reports, &[], &inputs)).is_empty());
    assert_eq!(engine.people(), 2);

    let (inputs, reports) = left_alone(6);
    for state in [MineState::Stopped, MineState::Closing] {
        let mut engine = MineEngine::new(mine_code());
        let outputs = run_beside(&mut engine, &registration(state), &reports, &[], &inputs);
        assert!(corrections(&outputs).is_empty(), "{state:?}");
        assert_eq!(engine.people(), 2, "only a person says that nobody is there");
    }

    let mut engine = MineEngine::new(mine_code());
    let half = inputs.len() - 20;
    let mut outputs = run_beside(&mut engine, &producing, &reports, &[], &inputs[..half]);
    let mut engine = decode_state(&engine.encode_state().unwrap()).unwrap();
    outputs.extend(run_beside(
        &mut engine,
        &producing,
        &reports,
        &[],
        &inputs[half..],
    ));
    assert_eq!(corrections(&outputs).len(), 1);
}

#[test]
fn a_state_of_the_format_before_is_read() {
    let registration = registration(MineState::Producing);
    let mut engine = MineEngine::new(mine_code());
    run(&mut engine, &registration, &two_enter(), 0);
    let bytes = engine.encode_state().unwrap();
    let mut state: ciborium::Value = ciborium::from_reader(&bytes[2..]).unwrap();
    // What format 2 did not have, wherever it stands.
    strip(
        &mut state,
        &[
            "reconciliation",
            "shifts",
            "non_regular",
            "revision",
            "passed",
            "largest_gap",
            "positioning_compared",
            "positioning_too_old",
        ],
    );
    let mut older = vec![0, 2];
    ciborium::into_writer(&state, &mut older).unwrap();
    let mut read = decode_state(&older).unwrap();
    assert_eq!((read.people(), read.statistics()), (2, engine.statistics()));
    let outputs = run(
        &mut read,
        &registration,
        &walk(1, 1, 110..200, &[Walker::person(120, false, 200.0)]),
        110,
    );
    assert_eq!(headcounts(&outputs).pop().unwrap().people, 1);
}

fn strip(value: &mut ciborium::Value, names: &[&str]) {
    match value {
        ciborium::Value::Map(entries) => {
            entries.retain(|(key, _)| !key.as_text().is_some_and(|key| names.contains(&key)));
            entries.iter_mut().for_each(|(_, value)| strip(value, names));
        }
        ciborium::Value::Array(values) => values.iter_mut().for_each(|value| strip(value, names)),
        _ => {}
    }
}
