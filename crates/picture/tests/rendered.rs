//! Faults of rendered cameras: one case of each here, the whole table by `make bench-picture`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod rehearsal;

use mineseal_domain::HealthCondition;
use mineseal_scene::{Daylight, DisturbanceKind, SceneKind};

use rehearsal::cases::{FAULTS, OrdinaryDay, living};
use rehearsal::{Camera, Case, NOISY, QUIET, condition};

fn camera(kind: SceneKind, daylight: Daylight, seed: u64, encoded: Option<u8>) -> Camera {
    Camera {
        kind,
        seed,
        daylight,
        noise: NOISY,
        encoded,
        by_the_clock: false,
    }
}

fn found(case: Case) {
    let outcome = case.run();
    let after = outcome.found_after;
    assert_eq!(outcome.before, [], "{case:?}");
    assert!(
        after.is_some_and(|after| after <= case.allowed()),
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
            camera: camera(kind, daylight, 5, None),
            fault,
            every: 12,
            from_start: false,
            longer: 0.0,
        });
    }
}

#[test]
fn a_short_replay_is_found_by_its_noise() {
    found(Case {
        camera: camera(SceneKind::DispatchRoom, Daylight::Day, 5, None),
        fault: DisturbanceKind::Looped {
            seconds: 3.4,
            clock_runs: true,
        },
        every: 5,
        from_start: false,
        longer: 0.0,
    });
}

#[test]
fn a_replay_through_an_encoder_is_found_by_what_happens_in_it() {
    found(Case {
        camera: camera(SceneKind::VehicleGate, Daylight::Day, 31, Some(23)),
        fault: DisturbanceKind::Looped {
            seconds: 15.0,
            clock_runs: true,
        },
        every: 5,
        from_start: false,
        longer: 0.0,
    });
}

#[test]
fn half_an_ordinary_hour_is_without_fault() {
    let mut camera = OrdinaryDay::new(SceneKind::VehicleGate, 100, 0.5);
    assert_eq!(camera.run(|_, _| {}), []);
}

/// A gate by night with a lamp that blinks every three seconds, looked at once a second, was once called a replay with a
/// period of two and a half seconds when a lorry came: eight pictures, every second one of them made up, less three swings.
#[test]
fn eight_pictures_are_too_few_for_a_replay() {
    let mut camera = OrdinaryDay::by_the_clock(SceneKind::VehicleGate, 101, 4.0);
    assert_eq!(camera.run_within(10_790..11_690, |_, _| {}), []);
}

/// A gate where a machine makes the camera tremble, in step with 100 s to the tenth of a second, and a lorry of the same
/// kind comes every 100 s: called a replay once, when both had come back three times.
#[test]
fn a_machine_and_a_timetable_are_no_replay() {
    let mut camera = OrdinaryDay::by_the_clock(SceneKind::VehicleGate, 113, 4.0);
    assert_eq!(camera.run_within(0..1_300, |_, _| {}), []);
}

/// A gate in the sun without any shade, under a lamp, was once called over-exposed when a cloud went.
#[test]
fn a_bright_yard_is_not_over_exposed() {
    let mut camera = OrdinaryDay::by_the_clock(SceneKind::VehicleGate, 125, 4.0);
    assert_eq!(camera.run_within(0..420, |_, _| {}), []);
}

/// A belt by day through an encoder that leaves little but the belt, whose coal came round every eight seconds as no coal does, was
/// once told as replayed with a period of 500 s, when the camera trembled then and now. The rubber comes round still.
#[test]
fn a_belt_through_an_encoder_is_no_replay() {
    let mut cameras = living(0, 590.0);
    cameras.retain(|living| (living.camera.kind, living.camera.encoded) == (SceneKind::Belt, Some(23)));
    assert_eq!(cameras.len(), 1);
    cameras[0].camera.by_the_clock = true;
    assert_eq!(cameras[0].run(), []);
}

/// Shaken at dusk by 1.5 % of the width, looked at three times a second: down, the camera swings nearly in step with the
/// pictures and seems to drift.
#[test]
fn a_camera_that_shakes_at_dusk_is_found() {
    for kind in SceneKind::ALL {
        found(Case {
            camera: camera(kind, Daylight::Dusk, 47, None),
            fault: DisturbanceKind::Shaking { share: 0.015 },
            every: 8,
            from_start: false,
            longer: 0.0,
        });
    }
}

#[test]
fn a_replay_of_two_seconds_through_a_thrifty_encoder_is_found_though_little_happens() {
    for (kind, seed, daylight) in [
        (SceneKind::VehicleGate, 3_034, Daylight::Day),
        (SceneKind::Belt, 35, Daylight::Dusk),
    ] {
        found(Case {
            camera: camera(kind, daylight, seed, Some(30)),
            fault: DisturbanceKind::Looped {
                seconds: 2.0,
                clock_runs: true,
            },
            every: 5,
            from_start: false,
            longer: 0.0,
        });
    }
}

/// Faults that were missed once, with seeds that nothing was adjusted to.
#[test]
fn faults_in_poor_light_and_through_an_encoder_are_found() {
    use DisturbanceKind::{Blurred, Dark, Grey, OverExposed, PartlyCovered};
    let hidden = PartlyCovered { share: 0.6 };
    for (kind, daylight, fault, encoded) in [
        (SceneKind::Belt, Daylight::Night, OverExposed, None),
        (SceneKind::ShaftMouth, Daylight::Dusk, OverExposed, Some(26)),
        (SceneKind::VehicleGate, Daylight::Day, Dark, Some(26)),
        (SceneKind::Belt, Daylight::Dusk, hidden, None),
        (SceneKind::DispatchRoom, Daylight::Night, hidden, Some(26)),
        (SceneKind::Belt, Daylight::Night, Blurred, None),
        (SceneKind::Belt, Daylight::Dusk, Grey, Some(26)),
    ] {
        found(Case {
            camera: camera(kind, daylight, 907, encoded),
            fault,
            every: 12,
            from_start: false,
            longer: 0.0,
        });
    }
}

#[test]
fn a_camera_that_was_never_right_is_found_without_a_view() {
    use DisturbanceKind::{Blurred, Covered, Dark, Frozen, OverExposed};
    let lights = [Daylight::Day, Daylight::Dusk, Daylight::Night];
    let faults = [Covered, Dark, OverExposed, Blurred, Frozen];
    for (number, fault) in faults.into_iter().enumerate() {
        found(Case {
            camera: camera(SceneKind::ALL[number % 4], lights[number % 3], 911, None),
            fault,
            every: 12,
            from_start: true,
            longer: 0.0,
        });
    }
}

/// Missed once: what the encoder made of the noise outweighed what moved; and a picture that stood still behind an encoder was
/// never frozen, as each key frame drew it anew.
#[test]
fn an_encoder_hides_neither_a_short_replay_nor_a_frozen_picture() {
    let looped = |seconds: f64| DisturbanceKind::Looped {
        seconds,
        clock_runs: true,
    };
    for (kind, seed, daylight, noise, fault) in [
        (SceneKind::VehicleGate, 35, Daylight::Dusk, QUIET, looped(3.4)),
        (SceneKind::DispatchRoom, 37, Daylight::Day, NOISY, looped(3.4)),
        (SceneKind::VehicleGate, 39, Daylight::Night, NOISY, looped(7.2)),
        (SceneKind::Belt, 40, Daylight::Day, NOISY, looped(7.2)),
        (SceneKind::ShaftMouth, 18, Daylight::Day, QUIET, looped(0.04)),
        (SceneKind::VehicleGate, 18, Daylight::Day, QUIET, looped(0.04)),
    ] {
        let mut camera = camera(kind, daylight, seed, Some(23));
        camera.noise = noise;
        found(Case {
            camera,
            fault,
            every: 5,
            from_start: false,
            longer: 0.0,
        });
    }
}

#[test]
fn a_short_replay_through_an_encoder_is_found_where_something_moves() {
    found(Case {
        camera: camera(SceneKind::ShaftMouth, Daylight::Day, 917, Some(23)),
        fault: DisturbanceKind::Looped {
            seconds: 3.4,
            clock_runs: true,
        },
        every: 5,
        from_start: false,
        longer: 0.0,
    });
}
