//! From frames to crossings and the headcount: each person once, whatever comes twice, late or not at all.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::*;
use mineseal_domain::{ActivityKind, ActivityState, Direction, Gate, MineState, ObjectClass};
use mineseal_engine::{InputPosition, MineEngine, Output, Statistics};

#[test]
fn the_first_sight_of_a_mine_tells_that_nobody_is_underground() {
    let registration = registration(MineState::Producing);
    let mut engine = MineEngine::new(mine_code());
    let outputs = run(&mut engine, &registration, &[frame(1, 1, 0)], 40);
    let [headcount] = headcounts(&outputs)[..] else {
        panic!("{outputs:?}")
    };
    assert_eq!(
        (headcount.people, headcount.partition, headcount.offset),
        (0, 7, 40)
    );
    assert!(
        headcounts(&run(
            &mut engine,
            &registration,
            &[frame(1, 1, 1), frame(2, 1, 0)],
            41
        ))
        .is_empty()
    );
}

#[test]
fn one_who_enters_and_one_who_leaves() {
    let registration = registration(MineState::Producing);
    let mut engine = MineEngine::new(mine_code());
    let walkers = [Walker::person(5, true, 200.0), Walker::person(60, false, 200.0)];
    let outputs = run(&mut engine, &registration, &walk(1, 1, 0..120, &walkers), 0);
    let crossings = crossings(&outputs);
    let ways: Vec<_> = crossings
        .iter()
        .map(|crossing| (crossing.line.as_str(), crossing.direction))
        .collect();
    assert_eq!(ways, [("mouth", Direction::In), ("mouth", Direction::Out)]);
    for crossing in &crossings {
        assert!(crossing.from_sequence < crossing.to_sequence && crossing.path.len() > 1);
        assert_eq!(crossing.captured_at, at(crossing.to_sequence as f64 / 10.0));
        assert_eq!(
            (crossing.frame.partition, crossing.frame.offset),
            (1, 1_000 + crossing.to_sequence)
        );
        assert_eq!((crossing.session, crossing.regular), (session(1), true));
        assert_eq!(crossing.id.get_version_num(), 5);
    }
    let headcounts: Vec<_> = headcounts(&outputs)
        .iter()
        .map(|headcount| headcount.people)
        .collect();
    assert_eq!(headcounts, [0, 1, 0]);
    let last = self::headcounts(&outputs)[2];
    assert_eq!((last.mouths[0].entered, last.mouths[0].left), (1, 1));
    assert_eq!(engine.statistics().crossings, 2);
}

#[test]
fn a_way_that_people_should_not_take_counts_and_is_flagged() {
    let registration = registration(MineState::Producing);
    let mut engine = MineEngine::new(mine_code());
    let walker = Walker {
        from: 420.0,
        to: 600.0,
        ..Walker::person(0, true, 200.0)
    };
    let outputs = run(&mut engine, &registration, &walk(1, 1, 0..60, &[walker]), 0);
    let crossings = crossings(&outputs);
    assert_eq!(crossings.len(), 1);
    assert_eq!(
        (crossings[0].line.as_str(), crossings[0].regular),
        ("bypass", false)
    );
    assert_eq!(engine.people(), 1);
    let last = headcounts(&outputs).pop().unwrap();
    assert_eq!((last.non_regular_entered, last.non_regular_left), (1, 0));
    assert_eq!(last.mouths[0].line, "bypass");
    assert_eq!(told(&outputs), ["NonRegularEntry Raised 1"]);
    let evidence = outputs
        .iter()
        .filter(|output| matches!(output, Output::EvidenceRequest(_)))
        .count();
    assert_eq!(evidence, 1);
    // Ten quiet minutes later.
    let later = run(&mut engine, &registration, &[frame(1, 1, 6_100)], 60);
    assert!(
        told(&later).contains(&"NonRegularEntry Cleared 1".to_owned()),
        "{later:?}"
    );
}

#[test]
fn who_passes_a_gate_the_wrong_way_is_told_and_not_counted() {
    for (gate, reversed) in [
        (Gate::Entry, "EntryGateReversed"),
        (Gate::Exit, "ExitGateReversed"),
    ] {
        let mut registration = registration(MineState::Producing);
        let mouth = &mut registration.cameras.get_mut(&code(1)).unwrap().lines[0];
        mouth.gate = Some(gate);
        let wrong_way = gate.leads() == Direction::Out;
        // Ten of each, one after the other.
        let walkers: Vec<Walker> = (0..20)
            .map(|number| Walker::person(5 + 60 * number, (number % 2 == 0) == wrong_way, 200.0))
            .collect();
        let mut engine = MineEngine::new(mine_code());
        let outputs = run(&mut engine, &registration, &walk(1, 1, 0..1_300, &walkers), 0);
        let crossings = crossings(&outputs);
        assert_eq!(crossings.len(), 20);
        for crossing in &crossings {
            assert_eq!(crossing.counted, crossing.direction == gate.leads());
        }
        let people = if wrong_way { -10 } else { 10 };
        assert_eq!(engine.people(), people);
        let told = told(&outputs);
        let about: Vec<_> = told.iter().filter(|line| line.contains("Reversed")).collect();
        assert_eq!(about.len(), 10, "{told:?}");
        assert!(about.iter().all(|line| line.starts_with(reversed)), "{told:?}");
        assert!(about[0].contains("Raised"));
        let last = crossings.last().unwrap().to_sequence;
        let later = run(&mut engine, &registration, &[frame(1, 1, last + 6_001)], 60);
        let cleared = format!("{reversed} Cleared {people}");
        assert!(self::told(&later).contains(&cleared), "{later:?}");
    }
}

#[test]
fn the_wrong_way_into_a_stopped_mine_is_an_entry_all_the_same() {
    let mut registration = registration(MineState::Stopped);
    registration.cameras.get_mut(&code(1)).unwrap().lines[0].gate = Some(Gate::Exit);
    let mut engine = MineEngine::new(mine_code());
    let walkers = [Walker::person(5, true, 200.0)];
    let told = told(&run(&mut engine, &registration, &walk(1, 1, 0..60, &walkers), 0));
    assert_eq!(
        told,
        ["PersonEnteredStoppedMine Raised 0", "ExitGateReversed Raised 0"]
    );
    assert_eq!(engine.people(), 0);
}

#[test]
fn vehicles_pass_the_gate_and_change_no_headcount() {
    let registration = registration(MineState::Producing);
    let mut engine = MineEngine::new(mine_code());
    let truck = Walker {
        class: ObjectClass::Truck,
        ..Walker::person(5, false, 250.0)
    };
    let person = Walker::person(10, true, 200.0);
    let outputs = run(
        &mut engine,
        &registration,
        &walk(2, 1, 0..80, &[truck, person]),
        0,
    );
    let crossings = crossings(&outputs);
    assert_eq!(crossings.len(), 1, "the gate does not count people");
    assert_eq!(
        (crossings[0].class, crossings[0].direction),
        (ObjectClass::Truck, Direction::Out)
    );
    let activities: Vec<_> = outputs
        .iter()
        .filter_map(|output| match output {
            Output::Activity(activity) => Some((activity.kind, activity.state, activity.frame)),
            _ => None,
        })
        .collect();
    assert_eq!(
        activities,
        [(
            ActivityKind::Vehicle,
            ActivityState::PassedOut,
            crossings[0].frame
        )]
    );
    assert_eq!(engine.people(), 0);
}

#[test]
fn people_who_cross_elsewhere_than_at_a_mouth_do_not_go_underground() {
    let mut registration = registration(MineState::Producing);
    let mouth = registration.cameras[&code(1)].place;
    registration.cameras.get_mut(&code(1)).unwrap().place = registration.cameras[&code(2)].place;
    let mut engine = MineEngine::new(mine_code());
    let inputs = walk(1, 1, 0..60, &[Walker::person(0, true, 200.0)]);
    let outputs = run(&mut engine, &registration, &inputs, 0);
    assert_eq!((crossings(&outputs).len(), engine.people()), (1, 0));
    assert!(mouth.is_mouth());
}

#[test]
fn what_comes_twice_counts_once() {
    let registration = registration(MineState::Producing);
    let inputs = walk(
        1,
        1,
        0..120,
        &[Walker::person(5, true, 200.0), Walker::person(40, true, 300.0)],
    );
    let mut once = MineEngine::new(mine_code());
    let expected = run(&mut once, &registration, &inputs, 0);

    // Every frame again at once, and every twenty frames a whole second again.
    let mut twice = MineEngine::new(mine_code());
    let mut outputs = Vec::new();
    for (index, input) in inputs.iter().enumerate() {
        let mut again = vec![input.clone(), input.clone()];
        if index % 20 == 19 {
            again.extend_from_slice(&inputs[index - 9..=index]);
        }
        outputs.extend(run(&mut twice, &registration, &again, index as i64));
    }
    assert_eq!(crossings(&outputs), crossings(&expected));
    assert_eq!(twice.people(), 2);
    assert_eq!(twice.statistics().repeated, 120 + 60);
}

#[test]
fn a_displaced_extractor_is_not_heard_any_more() {
    let registration = registration(MineState::Producing);
    let mut engine = MineEngine::new(mine_code());
    run(&mut engine, &registration, &walk(1, 2, 0..10, &[]), 0);
    let late = walk(1, 1, 0..120, &[Walker::person(5, true, 200.0)]);
    assert!(run(&mut engine, &registration, &late, 10).is_empty());
    assert_eq!(
        engine.statistics(),
        Statistics {
            frames: 130,
            older_session: 120,
            ..Statistics::default()
        }
    );
}

#[test]
fn a_new_session_follows_anew_and_keeps_the_ledger() {
    let registration = registration(MineState::Producing);
    let mut engine = MineEngine::new(mine_code());
    run(
        &mut engine,
        &registration,
        &walk(1, 1, 0..60, &[Walker::person(5, true, 200.0)]),
        0,
    );
    assert_eq!(engine.people(), 1);
    // The sequence begins at 0 again and a walker stands right where the other one vanished.
    let mut second = walk(1, 2, 0..60, &[Walker::person(5, false, 200.0)]);
    for input in &mut second {
        input.captured_at = input.captured_at.plus_micros(60_000_000);
        input.published_at = input.published_at.plus_micros(60_000_000);
    }
    let outputs = run(&mut engine, &registration, &second, 60);
    assert_eq!(crossings(&outputs)[0].session, session(2));
    assert_eq!(engine.people(), 0);
}

#[test]
fn time_that_goes_back_is_left_aside_and_a_clock_that_was_set_back_is_followed() {
    let registration = registration(MineState::Producing);
    let mut engine = MineEngine::new(mine_code());
    run(&mut engine, &registration, &walk(1, 1, 0..10, &[]), 0);
    let mut back = frame(1, 1, 10);
    back.captured_at = at(0.5);
    let mut same = frame(1, 1, 10);
    same.captured_at = at(0.9);
    assert!(run(&mut engine, &registration, &[back, same], 10).is_empty());
    assert_eq!(engine.statistics().time_back, 2);

    let mut set_back = walk(1, 1, 20..80, &[Walker::person(25, true, 200.0)]);
    for input in &mut set_back {
        input.captured_at = input.captured_at.plus_micros(-3_600_000_000);
        input.published_at = input.published_at.plus_micros(-3_600_000_000);
    }
    let outputs = run(&mut engine, &registration, &set_back, 12);
    assert_eq!((crossings(&outputs).len(), engine.people()), (1, 1));
    assert_eq!(engine.statistics().clock_set_back, 1);
}

#[test]
fn frames_of_nobody_knows_where_are_counted_and_nothing_else() {
    let registration = registration(MineState::Stopped);
    let mut engine = MineEngine::new(mine_code());
    let other_mine = mineseal_schemas::Detections {
        mine: "150602007867".parse().unwrap(),
        ..frame(1, 1, 0)
    };
    let other_camera = mineseal_schemas::Detections {
        camera: code(9),
        ..frame(1, 1, 0)
    };
    let flat = mineseal_schemas::Detections {
        height: 0,
        ..frame(1, 1, 0)
    };
    let vast = mineseal_schemas::Detections {
        width: i32::MAX,
        ..frame(1, 1, 0)
    };
    assert!(
        run(
            &mut engine,
            &registration,
            &[other_mine, other_camera, flat, vast],
            0
        )
        .is_empty()
    );
    let expected = Statistics {
        frames: 4,
        unknown_mine: 1,
        unknown_camera: 1,
        malformed: 2,
        ..Statistics::default()
    };
    assert_eq!(engine.statistics(), expected);

    let mut strangers = registration.clone();
    strangers.cameras.get_mut(&code(1)).unwrap().mine = "150602007867".parse().unwrap();
    assert!(run(&mut engine, &strangers, &[frame(1, 1, 0)], 4).is_empty());
    assert_eq!(engine.statistics().unknown_camera, 2);
}

#[test]
fn lines_are_where_the_registration_says_in_any_size_of_picture() {
    let registration = registration(MineState::Producing);
    for (width, height) in [(320, 180), (1_280, 720)] {
        let mut engine = MineEngine::new(mine_code());
        let scale = width as f32 / WIDTH as f32;
        let mut inputs = walk(1, 1, 0..60, &[Walker::person(5, true, 200.0)]);
        for input in &mut inputs {
            (input.width, input.height) = (width, height);
            for found in &mut input.boxes {
                found.bounding_box.left *= scale;
                found.bounding_box.top *= scale;
                found.bounding_box.width *= scale;
                found.bounding_box.height *= scale;
            }
        }
        run(&mut engine, &registration, &inputs, 0);
        assert_eq!(engine.people(), 1, "{width} x {height}");
    }
}

#[test]
fn who_passes_where_the_line_meets_the_edge_of_the_picture_counts() {
    let registration = registration(MineState::Producing);
    let mut engine = MineEngine::new(mine_code());
    // His feet are below the picture, and with them the way that he takes.
    let low = Walker::person(5, true, HEIGHT as f32 + 11.0);
    let outputs = run(&mut engine, &registration, &walk(1, 1, 0..60, &[low]), 0);
    assert_eq!(crossings(&outputs).len(), 1);
    assert_eq!(engine.people(), 1);
}

#[test]
fn whom_an_edge_cuts_off_counts_where_he_stands() {
    let mut registration = registration(MineState::Producing);
    let lines = &mut registration.cameras.get_mut(&code(1)).unwrap().lines;
    lines.truncate(1);
    (lines[0].line.from.x, lines[0].line.to.x) = (0.98, 0.98);
    let mut engine = MineEngine::new(mine_code());
    let leaving = Walker {
        from: 500.0,
        to: 656.0,
        ..Walker::person(5, true, 200.0)
    };
    let mut inputs = walk(1, 1, 0..90, &[leaving]);
    for found in inputs.iter_mut().flat_map(|input| &mut input.boxes) {
        // A detector sees no further than the picture goes.
        let seen = &mut found.bounding_box;
        seen.width = (seen.left + seen.width).min(WIDTH as f32) - seen.left;
    }
    run(&mut engine, &registration, &inputs, 0);
    assert_eq!(engine.people(), 1);
}

#[test]
fn a_line_that_is_moved_counts_from_then_on_where_it_is() {
    let mut registration = registration(MineState::Producing);
    let mut engine = MineEngine::new(mine_code());
    let inputs = walk(1, 1, 0..60, &[Walker::person(5, true, 200.0)]);
    run(&mut engine, &registration, &inputs[..10], 0);
    let line = &mut registration.cameras.get_mut(&code(1)).unwrap().lines[0];
    (line.line.from.x, line.line.to.x) = (0.9, 0.9);
    assert!(crossings(&run(&mut engine, &registration, &inputs[10..], 10)).is_empty());
    let beyond = Walker {
        from: 540.0,
        to: 630.0,
        ..Walker::person(65, true, 200.0)
    };
    let outputs = run(&mut engine, &registration, &walk(1, 1, 60..120, &[beyond]), 60);
    assert_eq!(
        crossings(&outputs)
            .iter()
            .map(|crossing| crossing.line.as_str())
            .collect::<Vec<_>>(),
        ["mouth"]
    );
}

#[test]
fn frames_that_no_detector_saw_do_not_end_a_track() {
    let registration = registration(MineState::Producing);
    let mut engine = MineEngine::new(mine_code());
    let mut inputs = walk(1, 1, 0..60, &[Walker::person(5, true, 200.0)]);
    for input in inputs.iter_mut().filter(|input| input.sequence % 2 == 1) {
        input.boxes.clear();
        input.model.clear();
    }
    run(&mut engine, &registration, &inputs, 0);
    assert_eq!(engine.people(), 1);
}

#[test]
fn boxes_that_are_none_do_no_harm() {
    let registration = registration(MineState::Stopped);
    let mut engine = MineEngine::new(mine_code());
    let values = [
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::MAX,
        f32::MIN,
        -1.0,
        0.0,
        1e-40,
        1e30,
    ];
    let mut inputs = walk(1, 1, 0..60, &[Walker::person(5, true, 200.0)]);
    for (index, input) in inputs.iter_mut().enumerate() {
        for which in 0..values.len() {
            let value = |shift: usize| values[(which + shift * index) % values.len()];
            let mut hostile = standing(ObjectClass::Person, 100.0, 100.0, value(1));
            hostile.bounding_box.left = value(2);
            hostile.bounding_box.top = value(3);
            hostile.bounding_box.width = value(4);
            hostile.bounding_box.height = value(5);
            input.boxes.push(hostile);
        }
        input.health.change = f32::NAN;
        input.health.sharpness = f32::NAN;
    }
    let outputs = run(&mut engine, &registration, &inputs, 0);
    assert_eq!(
        crossings(&outputs)
            .iter()
            .filter(|crossing| crossing.score > 0.85)
            .count(),
        1
    );
    assert!(
        crossings(&outputs)
            .iter()
            .all(|crossing| crossing.score.is_finite())
    );
}

#[test]
fn ten_thousand_boxes_take_bounded_time_and_state() {
    let registration = registration(MineState::Producing);
    let mut engine = MineEngine::new(mine_code());
    let crowd = |sequence: i64| {
        let mut input = frame(1, 1, sequence);
        input.boxes = (0..10_000)
            .map(|index| {
                let (column, row) = (index % 100, index / 100);
                standing(
                    ObjectClass::Person,
                    column as f32 * 6.4,
                    row as f32 * 3.6 + sequence as f32,
                    0.9,
                )
            })
            .collect();
        input
    };
    for sequence in 0..5 {
        engine.step(
            &registration,
            &crowd(sequence),
            InputPosition {
                partition: 0,
                offset: sequence,
            },
        );
    }
    let bytes = engine.encode_state().unwrap().len();
    assert!(bytes < 4_000_000, "{bytes} bytes");
}

#[test]
fn what_the_decoder_could_not_read_whole_is_not_counted_and_not_kept_quiet() {
    let registration = registration(MineState::Producing);
    let walkers = [Walker::person(5, true, 200.0), Walker::person(60, false, 200.0)];
    let spoilt = |which: fn(i64) -> bool| {
        let mut inputs = walk(1, 1, 0..120, &walkers);
        for input in &mut inputs {
            input.corrupt = which(input.sequence);
        }
        let mut engine = MineEngine::new(mine_code());
        let outputs = run(&mut engine, &registration, &inputs, 0);
        let crossings: Vec<_> = crossings(&outputs)
            .iter()
            .map(|crossing| (crossing.direction, crossing.from_sequence, crossing.to_sequence))
            .collect();
        (crossings, engine.statistics())
    };
    // Nobody is believed to have crossed on the word of damaged frames alone, and each of them is told.
    let (crossings, statistics) = spoilt(|_| true);
    assert!(crossings.is_empty(), "{crossings:?}");
    assert_eq!(statistics.corrupt, 120);
    // Two frames of five are damaged: the whole ones between them show both crossings.
    let (crossings, statistics) = spoilt(|sequence| sequence % 5 < 2);
    assert_eq!(statistics.corrupt, 48);
    let ways: Vec<_> = crossings.iter().map(|(direction, ..)| *direction).collect();
    assert_eq!(ways, [Direction::In, Direction::Out]);
    for (_, from, to) in crossings {
        assert!(
            from % 5 >= 2 && to % 5 >= 2,
            "{from} to {to} rests on a damaged frame"
        );
    }
}

#[test]
fn boxes_of_a_damaged_frame_move_nobody() {
    let registration = registration(MineState::Producing);
    let walker = [Walker::person(5, true, 200.0)];
    let whole = walk(1, 1, 0..60, &walker);
    let mut ghosts = whole.clone();
    let mut without = whole.clone();
    for index in [20, 21, 30, 40] {
        // Smeared pictures show somebody who is not there, on both sides of the line.
        ghosts[index].corrupt = true;
        for y in [150.0, 330.0] {
            ghosts[index]
                .boxes
                .push(standing(ObjectClass::Person, 300.0, y, 0.9));
        }
        without[index].corrupt = true;
        without[index].boxes.clear();
    }
    let told = |inputs: &[_]| run(&mut MineEngine::new(mine_code()), &registration, inputs, 0);
    let (ghosts, without) = (told(&ghosts), told(&without));
    assert_eq!(crossings(&ghosts), crossings(&without));
    assert_eq!(crossings(&ghosts).len(), 1);
}
