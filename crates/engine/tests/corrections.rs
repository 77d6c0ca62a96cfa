//! Corrections of the headcount: decided once, at their time, as events beside the crossings.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::*;
use mineseal_domain::MineState;
use mineseal_engine::{Beside, InputPosition, MineEngine, OrderedCorrection, Output, decode_state};
use mineseal_schemas::{Correction, CorrectionOutcome, Detections};
use uuid::Uuid;

fn order(number: u128, second: f64, people: i64) -> OrderedCorrection {
    OrderedCorrection {
        correction: Correction {
            id: Uuid::from_u128(number),
            mine: mine_code(),
            people,
            reason: "副井口清点人数".into(),
            by: "值班领导".into(),
            at: at(second),
            ordered_at: at(second - 3.0),
            signature: Vec::new(),
            outcome: None,
        },
        refused: None,
    }
}

fn run_with(engine: &mut MineEngine, orders: &[OrderedCorrection], inputs: &[Detections]) -> Vec<Output> {
    let registration = registration(MineState::Producing);
    (0..)
        .zip(inputs)
        .flat_map(|(offset, input)| {
            let position = InputPosition { partition: 7, offset };
            let beside = Beside {
                corrections: orders,
                ..Beside::default()
            };
            engine.step_with(&registration, beside, input, position)
        })
        .collect()
}

fn corrections(outputs: &[Output]) -> Vec<&Correction> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::Correction(correction) => Some(correction),
            _ => None,
        })
        .collect()
}

fn outcome<'a>(corrections: &[&'a Correction]) -> &'a CorrectionOutcome {
    let [one] = corrections else {
        panic!("{corrections:?}")
    };
    one.outcome.as_ref().unwrap()
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
fn it_holds_from_its_time_on_and_crossings_go_on_from_it() {
    let mut engine = MineEngine::new(mine_code());
    let outputs = run_with(&mut engine, &[order(1, 5.0, 7)], &two_enter());
    let people: Vec<i64> = headcounts(&outputs)
        .iter()
        .map(|headcount| headcount.people)
        .collect();
    assert_eq!(people, [0, 1, 7, 8]);
    let decided = corrections(&outputs);
    assert_eq!(
        outcome(&decided),
        &CorrectionOutcome {
            applied: true,
            refusal: String::new(),
            before: 1,
            change: 6,
            partition: 7,
            offset: 50
        }
    );
    assert_eq!(decided[0].by, "值班领导");
    let mouth = &headcounts(&outputs)[3].mouths[0];
    assert_eq!(
        (mouth.entered, mouth.left),
        (2, 0),
        "the crossings are left alone"
    );
}

#[test]
fn it_is_decided_once_also_after_a_restart() {
    let orders = [order(1, 5.0, 7)];
    let inputs = two_enter();
    let mut engine = MineEngine::new(mine_code());
    run_with(&mut engine, &orders, &inputs[..70]);
    let mut engine = decode_state(&engine.encode_state().unwrap()).unwrap();
    let after = run_with(&mut engine, &orders, &inputs[70..]);
    assert!(corrections(&after).is_empty());
    assert_eq!(engine.people(), 8);
}

#[test]
fn a_negative_count_ends_with_a_correction_and_not_in_silence() {
    let mut engine = MineEngine::new(mine_code());
    let leaves = walk(1, 1, 0..60, &[Walker::person(5, false, 200.0)]);
    let outputs = run_with(&mut engine, &[order(1, 5.0, 3)], &leaves);
    assert_eq!(
        told(&outputs),
        [
            "HeadcountInconsistent Raised -1",
            "HeadcountInconsistent Cleared 3"
        ]
    );
    let flags: Vec<(i64, bool)> = headcounts(&outputs)
        .iter()
        .map(|headcount| (headcount.people, headcount.inconsistent))
        .collect();
    assert_eq!(flags, [(0, false), (-1, true), (3, false)]);
}

#[test]
fn what_comes_after_its_time_is_refused_and_changes_nothing() {
    let mut engine = MineEngine::new(mine_code());
    let inputs = two_enter();
    run_with(&mut engine, &[], &inputs[..80]);
    let outputs = run_with(&mut engine, &[order(1, 5.0, 7)], &inputs[80..]);
    let refused = outcome(&corrections(&outputs)).clone();
    assert!(
        !refused.applied && refused.refusal.contains("after its time"),
        "{refused:?}"
    );
    assert_eq!((refused.change, engine.people()), (0, 2));
}

#[test]
fn what_nobody_answers_for_is_refused() {
    let inputs = two_enter();
    let mut nameless = order(1, 5.0, 7);
    nameless.correction.by = " ".into();
    let mut reasonless = order(2, 5.0, 7);
    reasonless.correction.reason.clear();
    let negative = order(3, 5.0, -1);
    let mut unsigned = order(4, 5.0, 7);
    unsigned.refused = Some("its signature is not that of 值班领导".into());
    for refused in [nameless, reasonless, negative, unsigned] {
        let mut engine = MineEngine::new(mine_code());
        let outputs = run_with(&mut engine, std::slice::from_ref(&refused), &inputs);
        let outcome = outcome(&corrections(&outputs));
        assert!(!outcome.applied && !outcome.refusal.is_empty(), "{outcome:?}");
        assert_eq!(engine.people(), 2);
    }
}

#[test]
fn a_replay_applies_what_was_applied_and_leaves_what_was_refused() {
    let inputs = two_enter();
    let mut engine = MineEngine::new(mine_code());
    let first = run_with(&mut engine, &[order(1, 5.0, 7)], &inputs);
    let applied = OrderedCorrection {
        correction: corrections(&first)[0].clone(),
        refused: None,
    };
    let mut again = MineEngine::new(mine_code());
    assert_eq!(
        run_with(&mut again, std::slice::from_ref(&applied), &inputs),
        first
    );
    let mut refused = applied;
    refused.correction.outcome.as_mut().unwrap().applied = false;
    let mut other = MineEngine::new(mine_code());
    let outputs = run_with(&mut other, &[refused], &inputs);
    assert!(corrections(&outputs).is_empty());
    assert_eq!(other.people(), 2);
}

#[test]
fn one_of_another_mine_is_not_looked_at() {
    let mut order = order(1, 5.0, 7);
    order.correction.mine = "150602007899".parse().unwrap();
    let mut engine = MineEngine::new(mine_code());
    assert!(corrections(&run_with(&mut engine, &[order], &two_enter())).is_empty());
    assert_eq!(engine.people(), 2);
}
