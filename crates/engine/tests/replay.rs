//! The same inputs give the same outputs and the same state, and a restart at any point changes nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::*;
use mineseal_domain::{MineState, ObjectClass};
use mineseal_engine::{
    InputPosition, MineEngine, MineRegistration, Output, STATE_FORMAT, StateError, decode_state,
};
use mineseal_schemas::Detections;
use proptest::prelude::*;

/// What comes in: frames of all cameras, with all that can go wrong on the way.
#[derive(Clone, Debug)]
enum Event {
    Frame(Box<Detections>),
    Tick(i64),
    State(MineState),
}

#[derive(Clone, Debug)]
struct Trouble {
    camera: u8,
    /// Frame from which it happens.
    from: usize,
    kind: u8,
}

fn walker() -> impl Strategy<Value = (u8, Walker)> {
    let class = prop_oneof![3 => Just(ObjectClass::Person), 1 => Just(ObjectClass::Truck)];
    (
        1_u8..=2,
        class,
        0_i64..250,
        0.0_f32..640.0,
        0.0_f32..640.0,
        8_i64..60,
        120.0_f32..350.0,
    )
        .prop_map(|(camera, class, start, from, to, frames, y)| {
            (
                camera,
                Walker {
                    class,
                    start,
                    from,
                    to,
                    frames,
                    y,
                },
            )
        })
}

fn troubles() -> impl Strategy<Value = Vec<Trouble>> {
    let trouble =
        (1_u8..=3, 0_usize..300, 0_u8..8).prop_map(|(camera, from, kind)| Trouble { camera, from, kind });
    prop::collection::vec(trouble, 0..6)
}

/// The frames of the three cameras by turns, bent by the troubles.
fn events(walkers: &[(u8, Walker)], troubles: &[Trouble]) -> Vec<Event> {
    let mut streams: Vec<Vec<Detections>> = (1..=3)
        .map(|camera| {
            let own: Vec<Walker> = walkers
                .iter()
                .filter(|(of, _)| *of == camera)
                .map(|(_, walker)| *walker)
                .collect();
            walk(camera, 1, 0..300, &own)
        })
        .collect();
    let mut states = Vec::new();
    for trouble in troubles {
        let stream = &mut streams[usize::from(trouble.camera) - 1];
        let from = trouble.from.min(stream.len());
        let until = (from + 40).min(stream.len());
        match trouble.kind {
            0 => stream.drain(from..until).for_each(drop),
            1 => {
                let again = stream[from..until].to_vec();
                stream.splice(until..until, again).for_each(drop);
            }
            2 => stream[from..]
                .iter_mut()
                .for_each(|input| input.session = session(2)),
            3 => stream[from..until]
                .iter_mut()
                .for_each(|input| input.session = session(0)),
            4 => stream[from..].iter_mut().for_each(|input| {
                input.captured_at = input.captured_at.plus_micros(-20_000_000);
            }),
            5 => stream[from..until]
                .iter_mut()
                .for_each(|input| (input.width, input.height) = (320, 180)),
            6 => stream[from..].iter_mut().for_each(|input| {
                input.health.sharpness = 2.0;
                input.health.regions[0].motion = 9.0;
            }),
            _ => states.push(from),
        }
    }
    let mut events = Vec::new();
    for index in 0..streams.iter().map(Vec::len).max().unwrap_or(0) {
        if states.contains(&index) {
            let state = if index % 2 == 0 {
                MineState::Stopped
            } else {
                MineState::Closing
            };
            events.push(Event::State(state));
        }
        if index % 50 == 49 {
            events.push(Event::Tick(index as i64 / 10));
        }
        events.extend(
            streams
                .iter()
                .filter_map(|stream| stream.get(index))
                .map(|input| Event::Frame(Box::new(input.clone()))),
        );
    }
    events
}

fn take(
    engine: &mut MineEngine,
    registration: &mut MineRegistration,
    event: &Event,
    offset: usize,
) -> Vec<Output> {
    match event {
        Event::Frame(input) => engine.step(
            registration,
            input,
            InputPosition {
                partition: 2,
                offset: offset as i64,
            },
        ),
        Event::Tick(second) => engine.tick(registration, at(*second as f64)),
        Event::State(state) => {
            registration.mine.state = *state;
            Vec::new()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_restart_at_any_point_changes_nothing(
        walkers in prop::collection::vec(walker(), 1..12),
        troubles in troubles(),
        restarts in prop::collection::btree_set(0_usize..1_000, 0..40),
    ) {
        let events = events(&walkers, &troubles);
        let mut registration_of_one = registration(MineState::Producing);
        let mut registration_of_other = registration_of_one.clone();
        let mut one = MineEngine::new(mine_code());
        let mut other = MineEngine::new(mine_code());
        for (offset, event) in events.iter().enumerate() {
            if restarts.contains(&offset) {
                other = decode_state(&other.encode_state().unwrap()).unwrap();
            }
            let outputs = take(&mut one, &mut registration_of_one, event, offset);
            let others = take(&mut other, &mut registration_of_other, event, offset);
            prop_assert_eq!(outputs, others, "at {}", offset);
        }
        prop_assert_eq!(one.encode_state().unwrap(), other.encode_state().unwrap());
        prop_assert_eq!(one, other);
    }

    /// Conservation: the headcount is what the crossings at the mouth add up to, and the newest headcount record
    /// tells it.
    #[test]
    fn the_headcount_is_the_sum_of_the_crossings(
        walkers in prop::collection::vec(walker(), 1..12),
        troubles in troubles(),
    ) {
        let mut registration = registration(MineState::Stopped);
        let mut engine = MineEngine::new(mine_code());
        let mut outputs = Vec::new();
        for (offset, event) in events(&walkers, &troubles).iter().enumerate() {
            outputs.extend(take(&mut engine, &mut registration, event, offset));
        }
        let crossings = crossings(&outputs);
        let sum: i64 = crossings
            .iter()
            .filter(|crossing| crossing.camera == code(1))
            .map(|crossing| if crossing.direction == mineseal_domain::Direction::In { 1 } else { -1 })
            .sum();
        prop_assert_eq!(sum, engine.people());
        prop_assert_eq!(headcounts(&outputs).last().map(|headcount| headcount.people), Some(sum));
        let mut identities: Vec<_> = crossings.iter().map(|crossing| crossing.id).collect();
        identities.sort();
        identities.dedup();
        prop_assert_eq!(identities.len(), crossings.len());
        prop_assert_eq!(engine.statistics().crossings, crossings.len() as u64);
    }
}

#[test]
fn the_stream_of_the_property_has_people_alarms_and_faults() {
    // Guards the generator: a property over streams in which nothing happens would prove nothing.
    let walkers = [
        (1, Walker::person(20, true, 200.0)),
        (1, Walker::person(120, true, 300.0)),
    ];
    let troubles = [
        Trouble {
            camera: 3,
            from: 10,
            kind: 6,
        },
        Trouble {
            camera: 1,
            from: 0,
            kind: 7,
        },
    ];
    let mut registration = registration(MineState::Producing);
    let mut engine = MineEngine::new(mine_code());
    let mut outputs = Vec::new();
    for (offset, event) in events(&walkers, &troubles).iter().enumerate() {
        outputs.extend(take(&mut engine, &mut registration, event, offset));
    }
    assert_eq!(crossings(&outputs).len(), 2);
    let told = told(&outputs);
    assert!(
        told.iter().any(|alarm| alarm.starts_with("PersonEntered")),
        "{told:?}"
    );
    assert!(told.iter().any(|alarm| alarm.starts_with("BeltRuns")), "{told:?}");
}

#[test]
fn states_of_other_formats_and_damaged_ones_are_refused() {
    let mut engine = MineEngine::new(mine_code());
    run(
        &mut engine,
        &registration(MineState::Stopped),
        &walk(1, 1, 0..40, &[Walker::person(0, true, 200.0)]),
        0,
    );
    let bytes = engine.encode_state().unwrap();
    assert_eq!(decode_state(&bytes).as_ref(), Ok(&engine));
    let mut other = bytes.clone();
    other[1] += 1;
    assert_eq!(
        decode_state(&other),
        Err(StateError::Format {
            found: STATE_FORMAT + 1
        })
    );
    for length in 0..bytes.len() {
        assert!(
            matches!(decode_state(&bytes[..length]), Err(StateError::Read(_))),
            "{length}"
        );
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(matches!(decode_state(&longer), Err(StateError::Read(_))));
}
