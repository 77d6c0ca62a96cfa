use proptest::prelude::*;

use super::*;

const SECOND: i64 = 1_000_000;

fn good() -> HealthMeasures {
    HealthMeasures {
        mean_luma: 110.0,
        luma_deviation: 45.0,
        sharpness: 600.0,
        dark_share: 0.05,
        bright_share: 0.02,
        change: 1.2,
        ..HealthMeasures::default()
    }
}

fn bad(condition: HealthCondition) -> HealthMeasures {
    let good = good();
    match condition {
        HealthCondition::Covered => HealthMeasures {
            luma_deviation: 4.0,
            sharpness: 3.0,
            mean_luma: 70.0,
            ..good
        },
        HealthCondition::Frozen => HealthMeasures { change: 0.0, ..good },
        HealthCondition::OverExposed => HealthMeasures {
            bright_share: 0.8,
            mean_luma: 225.0,
            ..good
        },
        HealthCondition::Dark => HealthMeasures {
            dark_share: 0.95,
            mean_luma: 19.0,
            luma_deviation: 9.0,
            sharpness: 30.0,
            ..good
        },
        HealthCondition::Blurred => HealthMeasures {
            sharpness: 8.0,
            ..good
        },
        other => panic!("{other:?} is not judged"),
    }
}

/// Four frames a second from second `from` to before second `to`; returns the changes with their times.
fn run(judge: &mut HealthJudge, from: i64, to: i64, measures: &HealthMeasures) -> Vec<(i64, HealthChange)> {
    (from * 4..to * 4)
        .filter_map(|quarter| {
            let at = UtcMicros(quarter * SECOND / 4);
            let change = judge.step(&HealthSettings::default(), at, measures)?;
            Some((quarter / 4, change))
        })
        .collect()
}

#[test]
fn every_fault_is_found_after_thirty_seconds_and_ends_after_ten() {
    for fault in FAULTS {
        let mut judge = HealthJudge::new();
        assert_eq!(run(&mut judge, 0, 60, &good()), []);
        let found = run(&mut judge, 60, 120, &bad(fault));
        let since = UtcMicros(60 * SECOND);
        assert_eq!(
            found,
            [(
                90,
                HealthChange {
                    condition: fault,
                    since
                }
            )]
        );
        assert_eq!(judge.condition(), (fault, Some(since)));
        let ended = run(&mut judge, 120, 180, &good());
        let normal = HealthChange {
            condition: HealthCondition::Normal,
            since: UtcMicros(120 * SECOND),
        };
        assert_eq!(ended, [(130, normal)]);
    }
}

#[test]
fn a_fault_that_does_not_last_is_none() {
    for fault in FAULTS {
        let mut judge = HealthJudge::new();
        for round in 0..5 {
            assert_eq!(run(&mut judge, round * 40, round * 40 + 25, &bad(fault)), []);
            assert_eq!(run(&mut judge, round * 40 + 25, round * 40 + 40, &good()), []);
        }
    }
}

#[test]
fn inside_the_band_nothing_goes_to_and_fro() {
    let mut judge = HealthJudge::new();
    let between = HealthMeasures {
        sharpness: 32.0,
        ..good()
    };
    assert_eq!(run(&mut judge, 0, 100, &between), []);
    run(&mut judge, 100, 200, &bad(HealthCondition::Blurred));
    assert_eq!(judge.condition().0, HealthCondition::Blurred);
    assert_eq!(run(&mut judge, 200, 300, &between), []);
    assert_eq!(judge.condition().0, HealthCondition::Blurred);
}

#[test]
fn a_graver_fault_takes_over_and_a_lesser_one_follows() {
    let mut judge = HealthJudge::new();
    run(&mut judge, 0, 60, &bad(HealthCondition::Blurred));
    let covered = run(&mut judge, 60, 120, &bad(HealthCondition::Covered));
    assert_eq!(
        covered
            .iter()
            .map(|(_, change)| change.condition)
            .collect::<Vec<_>>(),
        [HealthCondition::Covered]
    );
    let blurred = run(&mut judge, 120, 180, &bad(HealthCondition::Blurred));
    let conditions: Vec<_> = blurred.iter().map(|(_, change)| change.condition).collect();
    assert_eq!(
        conditions,
        [HealthCondition::Blurred],
        "it was never normal between"
    );
}

#[test]
fn a_capped_lens_is_covered_and_a_night_with_a_lamp_is_dark() {
    let capped = HealthMeasures {
        luma_deviation: 1.0,
        mean_luma: 17.0,
        sharpness: 1.0,
        ..bad(HealthCondition::Dark)
    };
    let mut judge = HealthJudge::new();
    assert_eq!(
        run(&mut judge, 0, 40, &capped)[0].1.condition,
        HealthCondition::Covered
    );
    let mut judge = HealthJudge::new();
    assert_eq!(
        run(&mut judge, 0, 40, &bad(HealthCondition::Dark))[0].1.condition,
        HealthCondition::Dark
    );
}

#[test]
fn one_changed_frame_shows_that_nothing_is_frozen() {
    let mut judge = HealthJudge::new();
    for round in 0..10 {
        assert_eq!(
            run(
                &mut judge,
                round * 21,
                round * 21 + 20,
                &bad(HealthCondition::Frozen)
            ),
            []
        );
        assert_eq!(run(&mut judge, round * 21 + 20, round * 21 + 21, &good()), []);
    }
    // The first frame of a session compares with nothing: neither frozen nor not.
    run(&mut judge, 300, 320, &bad(HealthCondition::Frozen));
    run(
        &mut judge,
        320,
        321,
        &HealthMeasures {
            change: -1.0,
            ..good()
        },
    );
    assert_eq!(run(&mut judge, 321, 340, &bad(HealthCondition::Frozen)).len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_numbers_at_any_time_do_no_harm(
        frames in prop::collection::vec((any::<i64>(), prop::array::uniform6(any::<f32>())), 1..40),
    ) {
        let mut judge = HealthJudge::new();
        for (at, [mean_luma, luma_deviation, sharpness, dark_share, bright_share, change]) in frames {
            let measures = HealthMeasures {
                mean_luma, luma_deviation, sharpness, dark_share, bright_share, change, ..HealthMeasures::default()
            };
            let before = judge.condition().0;
            if let Some(change) = judge.step(&HealthSettings::default(), UtcMicros(at), &measures) {
                prop_assert_ne!(change.condition, before);
                prop_assert_eq!(judge.condition(), (change.condition, Some(change.since)));
            }
            let mut bytes = Vec::new();
            ciborium::into_writer(&judge, &mut bytes).unwrap();
            let again: HealthJudge = ciborium::from_reader(bytes.as_slice()).unwrap();
            prop_assert_eq!(&again, &judge);
        }
    }
}
