use proptest::prelude::*;

use super::*;

const SECOND: i64 = 1_000_000;

fn good() -> (HealthMeasures, ViewMeasures) {
    let health = HealthMeasures {
        mean_luma: 110.0,
        luma_deviation: 45.0,
        sharpness: 600.0,
        dark_share: 0.05,
        bright_share: 0.02,
        change: 1.2,
        ..HealthMeasures::default()
    };
    let view = ViewMeasures {
        still_share: 0.1,
        blank_share: 0.0,
        kept_share: 0.95,
        flat_share: 0.0,
        detail: 1.0,
        colour: 5.0,
        reference_colour: 5.0,
        ..ViewMeasures::default()
    };
    (health, view)
}

/// The measures of frame `number` with that fault.
fn bad(fault: HealthCondition, number: i64) -> (HealthMeasures, ViewMeasures, (u32, u32)) {
    let (mut health, mut view) = good();
    let mut size = (1_920, 1_080);
    match fault {
        HealthCondition::Lost => (view.blank_share, view.kept_share, view.flat_share) = (1.0, 0.0, 1.0),
        HealthCondition::Covered => (view.kept_share, view.flat_share) = (0.3, 0.6),
        HealthCondition::Frozen => view.still_share = 0.97,
        HealthCondition::Replayed => view.repeat_micros = 20 * SECOND,
        HealthCondition::Shaking => view.shift_right = if number % 3 == 0 { 0.012 } else { -0.006 },
        HealthCondition::Moved => view.kept_share = 0.2,
        HealthCondition::OverExposed => (health.bright_share, view.flat_share) = (0.8, 0.9),
        HealthCondition::Dark => (health.dark_share, view.flat_share) = (0.95, 0.9),
        HealthCondition::WrongResolution => size = (704, 576),
        HealthCondition::Blurred => view.detail = 0.2,
        HealthCondition::GreyOnly => view.colour = 0.3,
        other => panic!("{other:?} is not judged"),
    }
    (health, view, size)
}

/// Four frames a second from second `from` to before second `to`; returns the changes with their times.
fn run(
    judge: &mut PictureJudge,
    from: i64,
    to: i64,
    of: impl Fn(i64) -> (HealthMeasures, ViewMeasures, (u32, u32)),
) -> Vec<(i64, HealthCondition)> {
    (from * 4..to * 4)
        .filter_map(|quarter| {
            let (health, view, source_size) = of(quarter);
            let evidence = Evidence {
                health: &health,
                view: &view,
                source_size,
            };
            let at = UtcMicros(quarter * SECOND / 4);
            let change = judge.step(&PictureSettings::default(), at, &evidence)?;
            assert!(change.since <= at);
            Some((quarter / 4, change.condition))
        })
        .collect()
}

fn sound(_: i64) -> (HealthMeasures, ViewMeasures, (u32, u32)) {
    let (health, view) = good();
    (health, view, (1_920, 1_080))
}

#[test]
fn every_fault_is_found_within_twenty_seconds_and_ends_after_ten() {
    for fault in PICTURE_FAULTS {
        let mut judge = PictureJudge::new();
        assert_eq!(run(&mut judge, 0, 60, sound), [], "{fault:?}");
        let found = run(&mut judge, 60, 120, |number| bad(fault, number));
        assert_eq!(found.len(), 1, "{fault:?}: {found:?}");
        assert_eq!(found[0].1, fault);
        assert!(found[0].0 <= 80, "{fault:?} after {} s", found[0].0 - 60);
        let ended = run(&mut judge, 120, 180, sound);
        assert_eq!(ended.len(), 1, "{fault:?}: {ended:?}");
        assert_eq!(ended[0].1, HealthCondition::Normal);
        assert!((130..=145).contains(&ended[0].0), "{fault:?} at {}", ended[0].0);
    }
}

#[test]
fn a_fault_that_does_not_last_is_none() {
    for fault in PICTURE_FAULTS {
        // A replay has lasted for more than a period before its measure says so.
        if fault == HealthCondition::Replayed {
            continue;
        }
        let mut judge = PictureJudge::new();
        assert_eq!(run(&mut judge, 0, 40, sound), []);
        for round in 1..6 {
            let from = round * 40;
            let lasting = if fault == HealthCondition::Shaking { 4 } else { 10 };
            assert_eq!(
                run(&mut judge, from, from + lasting, |number| bad(fault, number)),
                [],
                "{fault:?}"
            );
            assert_eq!(run(&mut judge, from + lasting, from + 40, sound), [], "{fault:?}");
        }
    }
}

#[test]
fn without_a_known_view_nothing_is_moved_and_a_flat_picture_is_covered() {
    let unknown = |_: i64| {
        let (health, view) = good();
        (
            health,
            ViewMeasures {
                kept_share: -1.0,
                flat_share: -1.0,
                detail: -1.0,
                ..view
            },
            (1_920, 1_080),
        )
    };
    assert_eq!(run(&mut PictureJudge::new(), 0, 60, unknown), []);
    let flat = |number: i64| {
        let (health, view, size) = unknown(number);
        (
            HealthMeasures {
                luma_deviation: 4.0,
                sharpness: 3.0,
                ..health
            },
            view,
            size,
        )
    };
    assert_eq!(
        run(&mut PictureJudge::new(), 0, 60, flat),
        [(30, HealthCondition::Covered)]
    );
}

#[test]
fn a_size_below_the_least_is_wrong_from_the_start() {
    let mut judge = PictureJudge::new();
    let settings = PictureSettings {
        least_size: (1_920, 1_080),
        ..PictureSettings::default()
    };
    let (health, view) = good();
    let evidence = Evidence {
        health: &health,
        view: &view,
        source_size: (1_280, 720),
    };
    let changes: Vec<_> = (0..30)
        .filter_map(|second| judge.step(&settings, UtcMicros(second * SECOND), &evidence))
        .collect();
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].condition, HealthCondition::WrongResolution);
}

#[test]
fn a_new_size_is_right_once_it_was_accepted() {
    let mut judge = PictureJudge::new();
    run(&mut judge, 0, 30, sound);
    let small = |number| bad(HealthCondition::WrongResolution, number);
    assert_eq!(run(&mut judge, 30, 60, small).len(), 1);
    judge.accept_size();
    assert_eq!(run(&mut judge, 60, 90, small), [(70, HealthCondition::Normal)]);
}

#[test]
fn silence_is_a_loss_and_the_next_frames_end_it() {
    let mut judge = PictureJudge::new();
    let settings = PictureSettings::default();
    assert_eq!(
        judge.silence(&settings, UtcMicros(90 * SECOND)),
        None,
        "nothing was ever heard"
    );
    run(&mut judge, 0, 30, sound);
    assert_eq!(judge.silence(&settings, UtcMicros(35 * SECOND)), None);
    let lost = judge.silence(&settings, UtcMicros(41 * SECOND)).unwrap();
    assert_eq!(
        (lost.condition, lost.since),
        (HealthCondition::Lost, UtcMicros(29_750_000))
    );
    assert_eq!(judge.silence(&settings, UtcMicros(60 * SECOND)), None, "once");
    assert_eq!(run(&mut judge, 100, 130, sound), [(110, HealthCondition::Normal)]);
}

#[test]
fn colours_are_missed_only_in_a_light_that_had_them() {
    // Infrared by night: the light is another, and no view with colours has it.
    let infrared = |reference_colour: f32| {
        move |_: i64| {
            let (health, view) = good();
            let view = ViewMeasures {
                colour: 0.3,
                reference_colour,
                ..view
            };
            (health, view, (1_920, 1_080))
        }
    };
    let mut judge = PictureJudge::new();
    run(&mut judge, 0, 30, sound);
    assert_eq!(run(&mut judge, 30, 130, infrared(-1.0)), []);
    assert_eq!(run(&mut judge, 130, 230, infrared(0.4)), []);
    assert_eq!(
        run(&mut judge, 230, 260, infrared(5.0)),
        [(242, HealthCondition::GreyOnly)]
    );
}

#[test]
fn frames_that_do_not_tell_their_size_say_nothing_about_it() {
    let mut judge = PictureJudge::new();
    let unknown = |_: i64| {
        let (health, view) = good();
        (health, view, (0, 0))
    };
    assert_eq!(run(&mut judge, 0, 30, unknown), []);
    assert_eq!(run(&mut judge, 30, 60, sound), []);
    assert_eq!(run(&mut judge, 60, 90, unknown), []);
    let small = |number| bad(HealthCondition::WrongResolution, number);
    assert_eq!(
        run(&mut judge, 90, 120, small),
        [(102, HealthCondition::WrongResolution)]
    );
}

/// Measures with that change, through a whole run.
fn with(
    change: fn(&mut HealthMeasures, &mut ViewMeasures),
) -> impl Fn(i64) -> (HealthMeasures, ViewMeasures, (u32, u32)) {
    move |_| {
        let (mut health, mut view) = good();
        change(&mut health, &mut view);
        (health, view, (1_920, 1_080))
    }
}

#[test]
fn a_picture_without_blacks_is_over_exposed_though_little_is_white() {
    let washed = with(|health, view| {
        (health.mean_luma, health.bright_share) = (190.0, 0.1);
        (view.black_level, view.white_level, view.kept_share) = (112.0, 228.0, 0.8);
    });
    assert_eq!(
        run(&mut PictureJudge::new(), 0, 30, washed),
        [(12, HealthCondition::OverExposed)]
    );
    // Something bright and even before the lens shows none of the view.
    let sheet = with(|health, view| {
        (health.mean_luma, health.bright_share) = (190.0, 0.1);
        (view.black_level, view.white_level) = (185.0, 195.0);
        (view.kept_share, view.flat_share) = (0.0, 1.0);
    });
    assert_eq!(
        run(&mut PictureJudge::new(), 0, 30, sheet),
        [(12, HealthCondition::Covered)]
    );
}

/// A yard in the sun without any shade, under a lamp that the cloud before the sun had hidden.
#[test]
fn a_bright_place_that_grows_a_little_brighter_is_not_over_exposed() {
    let with_black = |black: f32| {
        move |number: i64| {
            let (mut health, mut view, size) = sound(number);
            (health.mean_luma, health.bright_share) = (163.0, 0.08);
            (view.black_level, view.white_level, view.kept_share) = (black, 235.0, 0.97);
            (health, view, size)
        }
    };
    let mut judge = PictureJudge::new();
    assert_eq!(run(&mut judge, 0, 300, with_black(85.0)), []);
    assert_eq!(run(&mut judge, 300, 900, with_black(104.0)), []);
    // A grey veil over a picture that had blacks.
    let mut judge = PictureJudge::new();
    assert_eq!(run(&mut judge, 0, 300, with_black(50.0)), []);
    assert_eq!(
        run(&mut judge, 300, 330, with_black(106.0)),
        [(312, HealthCondition::OverExposed)]
    );
}

#[test]
fn a_black_picture_with_the_edges_of_the_view_is_dark_and_not_covered() {
    let black = |kept: f32| {
        move |number: i64| {
            let (mut health, mut view, size) = sound(number);
            (health.mean_luma, health.luma_deviation, health.dark_share) = (19.0, 1.4, 1.0);
            (view.black_level, view.white_level, view.deviation) = (17.0, 21.0, 1.2);
            (view.kept_share, view.flat_share) = (kept, 0.9 - kept);
            (health, view, size)
        }
    };
    for (kept, said) in [(0.6, HealthCondition::Dark), (0.05, HealthCondition::Covered)] {
        let mut judge = PictureJudge::new();
        assert_eq!(run(&mut judge, 0, 60, sound), []);
        assert_eq!(run(&mut judge, 60, 90, black(kept)), [(72, said)]);
    }
}

#[test]
fn white_letters_on_a_black_picture_are_no_light() {
    let black = with(|health, view| {
        (health.mean_luma, health.dark_share) = (26.0, 0.6);
        (view.black_level, view.white_level, view.kept_share) = (18.0, 30.0, 0.5);
    });
    assert_eq!(
        run(&mut PictureJudge::new(), 0, 30, black),
        [(12, HealthCondition::Dark)]
    );
}

#[test]
fn a_part_that_is_hidden_by_one_thing_is_covered() {
    let part = with(|_, view| (view.kept_share, view.flat_share, view.hidden_share) = (0.64, 0.31, 0.3));
    assert_eq!(
        run(&mut PictureJudge::new(), 0, 30, part),
        [(12, HealthCondition::Covered)]
    );
    let scattered = with(|_, view| (view.kept_share, view.flat_share, view.hidden_share) = (0.64, 0.31, 0.1));
    assert_eq!(run(&mut PictureJudge::new(), 0, 30, scattered), []);
}

#[test]
fn few_colours_are_missed_as_many_are() {
    let grey = with(|_, view| (view.colour, view.reference_colour) = (0.05, 0.8));
    assert_eq!(
        run(&mut PictureJudge::new(), 0, 30, grey),
        [(12, HealthCondition::GreyOnly)]
    );
    let pale = with(|_, view| (view.colour, view.reference_colour) = (0.5, 0.8));
    assert_eq!(run(&mut PictureJudge::new(), 0, 30, pale), []);
}

#[test]
fn a_camera_that_has_no_colours_for_a_day_is_grey() {
    let mut judge = PictureJudge::new();
    let settings = PictureSettings::default();
    let mut see = |second: i64, colour: f32| {
        let (health, view) = good();
        let view = ViewMeasures {
            colour,
            reference_colour: -1.0,
            ..view
        };
        let evidence = Evidence {
            health: &health,
            view: &view,
            source_size: (1_920, 1_080),
        };
        judge
            .step(&settings, UtcMicros(second * SECOND), &evidence)
            .map(|change| (second, change.condition))
    };
    const NIGHT: i64 = 14 * 3_600;
    const DAY: i64 = 24 * 3_600;
    // A night with infrared light, then ten hours with colours.
    assert!((0..NIGHT).all(|second| see(second, 0.1).is_none()));
    assert!((NIGHT..DAY).all(|second| see(second, 4.0).is_none()));
    let said: Vec<_> = (DAY..2 * DAY + 60)
        .filter_map(|second| see(second, 0.1))
        .collect();
    assert_eq!(said, [(2 * DAY, HealthCondition::GreyOnly)]);
    let said: Vec<_> = (2 * DAY + 60..2 * DAY + 120)
        .filter_map(|second| see(second, 4.0))
        .collect();
    assert_eq!(said, [(2 * DAY + 70, HealthCondition::Normal)]);
}

#[test]
fn a_view_that_was_learnt_from_a_blurred_picture_does_not_hide_it_and_a_cover_only_for_a_day() {
    let blurred = with(|_, view| (view.sharpness, view.deviation) = (12.0, 40.0));
    assert_eq!(
        run(&mut PictureJudge::new(), 0, 60, blurred),
        [(30, HealthCondition::Blurred)]
    );
    let covered = with(|_, view| (view.sharpness, view.deviation) = (12.0, 6.0));
    const DAY: i64 = 24 * 3_600;
    assert_eq!(
        run(&mut PictureJudge::new(), 0, DAY + 60, &covered),
        [(DAY, HealthCondition::Covered)]
    );
    // Plain ground over which something passes now and then is not covered.
    let mut judge = PictureJudge::new();
    for hour in 0..40 {
        let from = hour * 3_600;
        assert_eq!(run(&mut judge, from, from + 3_540, &covered), []);
        let passing = with(|_, view| (view.sharpness, view.deviation) = (40.0, 30.0));
        assert_eq!(run(&mut judge, from + 3_540, from + 3_600, passing), []);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_numbers_at_any_time_do_no_harm(
        frames in prop::collection::vec(
            (any::<i64>(), prop::array::uniform5(any::<f32>()), prop::array::uniform15(any::<f32>()), any::<i64>()),
            1..40,
        ),
    ) {
        let mut judge = PictureJudge::new();
        let settings = PictureSettings::default();
        for (at, own, other, repeat_micros) in frames {
            let health = HealthMeasures {
                mean_luma: own[0], luma_deviation: own[1], sharpness: own[2], dark_share: own[3], bright_share: own[4],
                ..HealthMeasures::default()
            };
            let view = ViewMeasures {
                still_share: other[0], blank_share: other[1], kept_share: other[2], flat_share: other[3],
                detail: other[4], shift_right: other[5], shift_down: other[6], colour: other[7],
                reference_colour: other[8], repeat_micros, black_level: other[9], white_level: other[10],
                deviation: other[11], sharpness: other[12], clipped_share: other[13], hidden_share: other[14],
            };
            let before = judge.condition().0;
            let evidence = Evidence { health: &health, view: &view, source_size: (at as u32, 7) };
            if let Some(change) = judge.step(&settings, UtcMicros(at), &evidence) {
                prop_assert_ne!(change.condition, before);
                prop_assert_eq!(judge.condition(), (change.condition, Some(change.since)));
            }
            judge.silence(&settings, UtcMicros(at.wrapping_mul(3)));
            let mut bytes = Vec::new();
            ciborium::into_writer(&judge, &mut bytes).unwrap();
            prop_assert!(bytes.len() < 8_000);
            let again: PictureJudge = ciborium::from_reader(bytes.as_slice()).unwrap();
            prop_assert_eq!(&again, &judge);
        }
    }
}
