//! Faults of rendered cameras: one case of each here, the whole table by `make bench-picture`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod rehearsal;

use mineseal_domain::HealthCondition;
use mineseal_scene::{Daylight, DisturbanceKind, SceneKind};

use rehearsal::cases::{FAULTS, OrdinaryDay};
use rehearsal::{Case, allowed, condition};

fn found(case: Case) {
    let outcome = case.run();
    let after = outcome.found_after;
    assert_eq!(outcome.before, [], "{case:?}");
    assert!(
        after.is_some_and(|after| after <= allowed(case.fault)),
        "{case:?}: {outcome:?}"
    );
}

#[test]
fn every_fault_is_found_in_time() {
    let places = [
        (SceneKind::VehicleGate, Daylight::Day),
        (SceneKind::ShaftMouth, Daylight::Night),
    ];
    for (number, (name, fault)) in FAULTS.into_iter().enumerate() {
        let (kind, daylight) = places[number % 2];
        assert_ne!(condition(fault), HealthCondition::Normal, "{name}");
        found(Case {
            kind,
            seed: 5,
            daylight,
            fault,
            every: 12,
            encoded: None,
        });
    }
}

#[test]
fn a_short_replay_is_found_by_its_noise() {
    found(Case {
        kind: SceneKind::DispatchRoom,
        seed: 5,
        daylight: Daylight::Day,
        fault: DisturbanceKind::Looped {
            seconds: 3.4,
            clock_runs: true,
        },
        every: 5,
        encoded: None,
    });
}

#[test]
fn a_replay_through_an_encoder_is_found_by_what_happens_in_it() {
    found(Case {
        kind: SceneKind::VehicleGate,
        seed: 31,
        daylight: Daylight::Day,
        fault: DisturbanceKind::Looped {
            seconds: 15.0,
            clock_runs: true,
        },
        every: 5,
        encoded: Some(23),
    });
}

#[test]
fn half_an_ordinary_hour_is_without_fault() {
    let mut camera = OrdinaryDay::new(SceneKind::VehicleGate, 100, 0.5);
    assert_eq!(camera.run(|_, _| {}), []);
}
