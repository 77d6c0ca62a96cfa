use mineseal_domain::{AlarmPhase, Severity};
use proptest::prelude::*;

use super::*;

const DAY: i64 = 1_719_720_000; // 2024-06-30 12:00 in Shanghai

fn second(second: i64) -> UtcMicros {
    UtcMicros((DAY + second) * 1_000_000)
}

fn code(last: u8) -> CameraCode {
    format!("1506020041999600786643{last:02}").parse().unwrap()
}

fn policy(state: MineState) -> Policy {
    Policy {
        state,
        headcount_limit: 3,
        watch_ordered: false,
    }
}

/// Rules, and what they said so far as "kind phase people".
struct Mine {
    rules: MineRules,
    now: i64,
}

impl Mine {
    fn new(state: MineState) -> Self {
        Self {
            rules: MineRules::new("150602007866".parse().unwrap(), policy(state)),
            now: 0,
        }
    }

    fn apply(&mut self, camera: u8, signal: Signal) -> Vec<AlarmStep> {
        self.now += 1;
        let name = if camera == 1 { "副井口" } else { "主井口" };
        self.rules.apply(
            second(self.now),
            Watched {
                code: &code(camera),
                name,
            },
            signal,
        )
    }

    fn enter(&mut self, camera: u8, people: i64) -> Vec<String> {
        said(&self.apply(
            camera,
            Signal::PersonCrossed {
                direction: Direction::In,
                people,
            },
        ))
    }

    fn leave(&mut self, camera: u8, people: i64) -> Vec<String> {
        said(&self.apply(
            camera,
            Signal::PersonCrossed {
                direction: Direction::Out,
                people,
            },
        ))
    }

    fn state(&mut self, state: MineState) -> Vec<String> {
        self.now += 1;
        said(&self.rules.set_policy(second(self.now), policy(state)))
    }
}

fn said(steps: &[AlarmStep]) -> Vec<String> {
    steps
        .iter()
        .map(|step| format!("{:?} {:?} {}", step.kind, step.phase, step.people))
        .collect()
}

#[test]
fn people_may_enter_a_producing_mine() {
    let mut mine = Mine::new(MineState::Producing);
    assert!(mine.enter(1, 1).is_empty() && mine.enter(1, 2).is_empty() && mine.leave(1, 1).is_empty());
}

#[test]
fn the_first_person_in_a_stopped_mine_raises_and_the_last_one_out_clears() {
    let mut mine = Mine::new(MineState::Stopped);
    let raised = mine.apply(
        1,
        Signal::PersonCrossed {
            direction: Direction::In,
            people: 1,
        },
    );
    assert_eq!(said(&raised), ["PersonEnteredStoppedMine Raised 1"]);
    assert_eq!((raised[0].severity, raised[0].revision), (Severity::Warning, 0));
    assert_eq!(
        raised[0].message,
        "副井口：停产停建煤矿有人员入井，视频计数井下现有 1 人"
    );
    assert_eq!(mine.enter(1, 2), ["PersonEnteredStoppedMine Updated 2"]);
    assert_eq!(
        mine.enter(2, 3),
        ["PersonEnteredStoppedMine Raised 3"],
        "each mouth has an alarm of its own"
    );
    assert!(mine.leave(1, 2).is_empty() && mine.leave(2, 1).is_empty());
    let cleared = mine.apply(
        1,
        Signal::PersonCrossed {
            direction: Direction::Out,
            people: 0,
        },
    );
    assert_eq!(said(&cleared), ["PersonEnteredStoppedMine Cleared 0"; 2]);
    assert_eq!((cleared[0].id, cleared[0].revision), (raised[0].id, 2));
    assert_eq!(cleared[0].raised_at, raised[0].at);
    assert_eq!(mine.rules.open().count(), 0);
}

#[test]
fn production_ends_the_alarm_and_closing_does_not() {
    let mut mine = Mine::new(MineState::Stopped);
    mine.enter(1, 1);
    assert!(mine.state(MineState::Closing).is_empty());
    let updated = mine.apply(
        1,
        Signal::PersonCrossed {
            direction: Direction::In,
            people: 2,
        },
    );
    assert_eq!(
        updated[0].mine_state,
        MineState::Stopped,
        "an old alarm keeps the old policy"
    );
    assert_eq!(
        mine.state(MineState::Producing),
        ["PersonEnteredStoppedMine Cleared 2"]
    );
}

#[test]
fn an_entry_after_a_missed_one_is_not_cleared_by_its_own_count() {
    let mut mine = Mine::new(MineState::Stopped);
    mine.leave(1, -1);
    assert_eq!(
        mine.enter(1, 0),
        [
            "PersonEnteredStoppedMine Raised 0",
            "HeadcountInconsistent Cleared 0"
        ]
    );
    assert_eq!(
        mine.leave(1, -1),
        [
            "PersonEnteredStoppedMine Cleared -1",
            "HeadcountInconsistent Raised -1"
        ]
    );
}

#[test]
fn over_the_limit_until_it_is_kept_again() {
    let mut mine = Mine::new(MineState::Producing);
    for people in 1..=3 {
        assert!(mine.enter(1, people).is_empty());
    }
    assert_eq!(mine.enter(1, 4), ["HeadcountOverLimit Raised 4"]);
    assert_eq!(mine.enter(1, 5), ["HeadcountOverLimit Updated 5"]);
    assert!(mine.leave(1, 4).is_empty());
    assert!(mine.enter(1, 5).is_empty(), "only a new peak is news");
    mine.leave(1, 4);
    assert_eq!(mine.leave(1, 3), ["HeadcountOverLimit Cleared 3"]);
    let lower = Policy {
        headcount_limit: 2,
        ..policy(MineState::Producing)
    };
    assert_eq!(
        said(&mine.rules.set_policy(second(99), lower)),
        ["HeadcountOverLimit Raised 3"]
    );
}

#[test]
fn a_count_below_zero_is_inconsistent() {
    let mut mine = Mine::new(MineState::Producing);
    assert_eq!(mine.leave(1, -1), ["HeadcountInconsistent Raised -1"]);
    assert_eq!(mine.leave(1, -2), ["HeadcountInconsistent Updated -2"]);
    assert!(mine.enter(1, -1).is_empty());
    assert_eq!(mine.enter(1, 0), ["HeadcountInconsistent Cleared 0"]);
}

#[test]
fn a_belt_that_runs_when_the_mine_is_stopped_is_an_alarm_from_then_on() {
    let mut mine = Mine::new(MineState::Producing);
    assert!(mine.apply(1, Signal::Belt { running: true }).is_empty());
    assert_eq!(mine.state(MineState::Stopped), ["BeltRunsInStoppedMine Raised 0"]);
    assert!(mine.apply(1, Signal::Belt { running: true }).is_empty());
    let stopped = mine.apply(1, Signal::Belt { running: false });
    assert_eq!(said(&stopped), ["BeltRunsInStoppedMine Cleared 0"]);
    assert_eq!(stopped[0].message, "副井口：运输设备已停止运行，报警解除");
}

#[test]
fn an_empty_post_matters_in_production_and_under_an_ordered_watch() {
    let mut mine = Mine::new(MineState::Stopped);
    assert!(mine.apply(1, Signal::Post { empty: true }).is_empty());
    let watched = Policy {
        watch_ordered: true,
        ..policy(MineState::Stopped)
    };
    assert_eq!(
        said(&mine.rules.set_policy(second(50), watched)),
        ["PostEmpty Raised 0"]
    );
    assert_eq!(mine.state(MineState::Stopped), ["PostEmpty Cleared 0"]);
    assert_eq!(mine.state(MineState::Producing), ["PostEmpty Raised 0"]);
    assert_eq!(
        said(&mine.apply(1, Signal::Post { empty: false })),
        ["PostEmpty Cleared 0"]
    );
}

#[test]
fn a_picture_fault_changes_its_condition_within_one_alarm() {
    let mut mine = Mine::new(MineState::Producing);
    let covered = mine.apply(1, Signal::Picture(HealthCondition::Covered));
    assert_eq!(covered[0].message, "副井口：摄像仪画面异常，画面遮挡");
    let blurred = mine.apply(1, Signal::Picture(HealthCondition::Blurred));
    assert_eq!(
        (blurred[0].phase, blurred[0].id),
        (AlarmPhase::Updated, covered[0].id)
    );
    assert_eq!(
        said(&mine.apply(1, Signal::Picture(HealthCondition::Normal))),
        ["CameraFault Cleared 0"]
    );
    assert!(mine.apply(1, Signal::Picture(HealthCondition::Normal)).is_empty());
}

#[test]
fn a_silent_camera_is_offline_until_it_is_heard_or_forgotten() {
    let mut mine = Mine::new(MineState::Closing);
    let raised = mine.apply(1, Signal::Silent(true));
    assert_eq!(
        (said(&raised)[0].as_str(), raised[0].severity),
        ("CameraOffline Raised 0", Severity::Critical)
    );
    assert!(mine.apply(1, Signal::Silent(true)).is_empty());
    assert_eq!(
        said(&mine.apply(1, Signal::Silent(false))),
        ["CameraOffline Cleared 0"]
    );
    mine.apply(1, Signal::Silent(true));
    mine.apply(2, Signal::Silent(true));
    assert_eq!(
        said(&mine.rules.forget_camera(second(60), &code(1))),
        ["CameraOffline Cleared 0"]
    );
    assert_eq!(mine.rules.open().count(), 1);
}

#[test]
fn what_goes_on_into_the_night_becomes_graver() {
    let mut mine = Mine::new(MineState::Stopped);
    assert_eq!(
        mine.apply(
            1,
            Signal::PersonCrossed {
                direction: Direction::In,
                people: 1
            }
        )[0]
        .severity,
        Severity::Warning
    );
    mine.now = 10 * 3_600;
    assert_eq!(
        mine.apply(
            1,
            Signal::PersonCrossed {
                direction: Direction::In,
                people: 2
            }
        )[0]
        .severity,
        Severity::Critical
    );
    mine.now = 20 * 3_600;
    assert_eq!(
        mine.apply(
            1,
            Signal::PersonCrossed {
                direction: Direction::In,
                people: 3
            }
        )[0]
        .severity,
        Severity::Critical
    );
}

#[test]
fn identities_are_stable_and_never_shared() {
    let raise_at = |at: UtcMicros| {
        let mut mine = Mine::new(MineState::Stopped);
        let camera = Watched {
            code: &code(1),
            name: "副井口",
        };
        let signal = |direction, people| Signal::PersonCrossed { direction, people };
        let first = mine.rules.apply(at, camera, signal(Direction::In, 1))[0].id;
        mine.rules.apply(at, camera, signal(Direction::Out, 0));
        let second = mine.rules.apply(at, camera, signal(Direction::In, 1))[0].id;
        [first, second]
    };
    assert_eq!(raise_at(second(5)), raise_at(second(5)));
    let [a, b] = raise_at(second(5));
    let [c, d] = raise_at(second(6));
    let mut all = vec![a, b, c, d];
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 4);
    assert_eq!(a.get_version_num(), 5);
}

fn any_signal() -> impl Strategy<Value = Signal> {
    let picture = prop::sample::select(vec![
        HealthCondition::Normal,
        HealthCondition::Covered,
        HealthCondition::Frozen,
        HealthCondition::Lost,
    ]);
    prop_oneof![
        (any::<bool>(), -3_i64..8).prop_map(|(enters, people)| Signal::PersonCrossed {
            direction: if enters { Direction::In } else { Direction::Out },
            people
        }),
        any::<bool>().prop_map(|running| Signal::Belt { running }),
        any::<bool>().prop_map(|empty| Signal::Post { empty }),
        picture.prop_map(Signal::Picture),
        any::<bool>().prop_map(Signal::Silent),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every alarm is raised once, then updated, then cleared once; revisions count up without a gap; of each
    /// kind one is open for each camera; and a restart at any point changes nothing.
    #[test]
    fn every_alarm_has_one_whole_life(
        events in prop::collection::vec(
            (0_i64..3, 1_u8..4, prop_oneof![9 => any_signal().prop_map(Ok), 1 => (0_usize..3, any::<bool>()).prop_map(Err)]),
            1..120,
        ),
    ) {
        let states = [MineState::Producing, MineState::Stopped, MineState::Closing];
        let mut rules = MineRules::new("150602007866".parse().unwrap(), policy(MineState::Stopped));
        let mut lives: BTreeMap<uuid::Uuid, (i32, AlarmPhase)> = BTreeMap::new();
        let mut now = 0;
        for (pause, camera, event) in events {
            now += pause;
            let mut bytes = Vec::new();
            ciborium::into_writer(&rules, &mut bytes).unwrap();
            let mut again: MineRules = ciborium::from_reader(bytes.as_slice()).unwrap();
            let code = code(camera);
            let watched = Watched { code: &code, name: "井口" };
            let run = |rules: &mut MineRules| match event {
                Ok(signal) => rules.apply(second(now), watched, signal),
                Err((state, watch_ordered)) => {
                    rules.set_policy(second(now), Policy { watch_ordered, ..policy(states[state]) })
                }
            };
            let steps = run(&mut rules);
            prop_assert_eq!(&run(&mut again), &steps);
            prop_assert_eq!(&again, &rules);
            for step in steps {
                prop_assert!(!step.message.is_empty());
                match lives.get(&step.id) {
                    None => prop_assert!(step.phase == AlarmPhase::Raised && step.revision == 0),
                    Some(&(revision, phase)) => {
                        prop_assert!(phase != AlarmPhase::Cleared && step.phase != AlarmPhase::Raised);
                        prop_assert_eq!(step.revision, revision + 1);
                    }
                }
                lives.insert(step.id, (step.revision, step.phase));
            }
            let open = lives.values().filter(|(_, phase)| *phase != AlarmPhase::Cleared).count();
            prop_assert_eq!(open, rules.open().count());
        }
    }
}

#[test]
fn a_correction_ends_what_the_count_alone_had_raised() {
    let mut mine = Mine::new(MineState::Stopped);
    assert_eq!(mine.enter(1, 1), ["PersonEnteredStoppedMine Raised 1"]);
    assert_eq!(
        said(&mine.rules.correct(second(50), 0)),
        ["PersonEnteredStoppedMine Cleared 0"]
    );
    assert_eq!(mine.leave(1, -1), ["HeadcountInconsistent Raised -1"]);
    assert_eq!(
        said(&mine.rules.correct(second(60), 2)),
        ["HeadcountInconsistent Cleared 2"]
    );
    // A correction counts nobody in: only the limit speaks.
    assert_eq!(
        said(&mine.rules.correct(second(70), 4)),
        ["HeadcountOverLimit Raised 4"]
    );
    assert_eq!(
        said(&mine.rules.correct(second(80), 3)),
        ["HeadcountOverLimit Cleared 3"]
    );
    assert_eq!(said(&mine.rules.correct(second(90), 3)), Vec::<String>::new());
}

#[test]
fn a_way_that_people_should_not_take_is_an_alarm_until_it_is_quiet() {
    let mut mine = Mine::new(MineState::Producing);
    let passes = |mine: &mut Mine, direction| said(&mine.apply(1, Signal::PassedNonRegular { direction }));
    mine.enter(1, 1);
    assert_eq!(passes(&mut mine, Direction::In), ["NonRegularEntry Raised 1"]);
    mine.enter(1, 2);
    let last = mine.now + 1;
    assert_eq!(passes(&mut mine, Direction::In), ["NonRegularEntry Updated 2"]);
    mine.leave(1, 1);
    assert_eq!(passes(&mut mine, Direction::Out), ["NonRegularExit Raised 1"]);
    let quiet = QUIET_MICROS / 1_000_000;
    assert!(mine.rules.advance(second(last + quiet - 1)).is_empty());
    assert_eq!(
        said(&mine.rules.advance(second(last + quiet))),
        ["NonRegularEntry Cleared 1"]
    );
    assert_eq!(
        said(&mine.rules.advance(second(last + quiet + 2))),
        ["NonRegularExit Cleared 1"]
    );
    assert!(mine.rules.advance(second(last + 2 * quiet)).is_empty());
}

#[test]
fn a_gate_passed_the_wrong_way_is_an_alarm_of_its_own_until_it_is_quiet() {
    let mut mine = Mine::new(MineState::Producing);
    let direction = Direction::Out;
    let told = said(&mine.apply(1, Signal::GateReversed { direction }));
    assert_eq!(told, ["EntryGateReversed Raised 0"]);
    let last = mine.now + 1;
    let told = said(&mine.apply(1, Signal::GateReversed { direction }));
    assert_eq!(told, ["EntryGateReversed Updated 0"]);
    let direction = Direction::In;
    let told = said(&mine.apply(1, Signal::GateReversed { direction }));
    assert_eq!(told, ["ExitGateReversed Raised 0"]);
    let quiet = QUIET_MICROS / 1_000_000;
    assert!(mine.rules.advance(second(last + quiet - 1)).is_empty());
    let told = said(&mine.rules.advance(second(last + quiet + 5)));
    assert_eq!(
        told,
        ["EntryGateReversed Cleared 0", "ExitGateReversed Cleared 0"]
    );
}

#[test]
fn a_camera_that_is_gone_takes_its_non_regular_alarms_with_it() {
    let mut mine = Mine::new(MineState::Stopped);
    mine.apply(
        1,
        Signal::PassedNonRegular {
            direction: Direction::In,
        },
    );
    assert_eq!(
        said(&mine.rules.forget_camera(second(5), &code(1))),
        ["NonRegularEntry Cleared 0"]
    );
    assert!(mine.rules.advance(second(100_000)).is_empty());
}

#[test]
fn two_counts_that_differ_are_an_alarm_that_grows_with_the_gap() {
    let mut mine = Mine::new(MineState::Producing);
    let mut told = |now, video, positioning| {
        let step = mine.rules.reconcile(second(now), video, positioning, 10);
        said(step.as_slice())
    };
    assert!(told(1, 20, 10).is_empty());
    assert_eq!(told(2, 30, 10), ["PositioningMismatch Raised 30"]);
    assert!(told(3, 30, 10).is_empty() && told(4, 25, 10).is_empty());
    assert_eq!(told(5, 5, 40), ["PositioningMismatch Updated 5"]);
    assert_eq!(told(6, 31, 40), ["PositioningMismatch Cleared 31"]);
    assert_eq!(told(7, 10, 21), ["PositioningMismatch Raised 10"]);
}
