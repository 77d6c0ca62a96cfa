use std::collections::BTreeMap;

use mineseal_counting::{HeadcountLedger, Reconciliation};
use mineseal_domain::{
    ActivityKind, ActivityState, CameraCode, Direction, MineCode, MineState, ObjectGroup, UtcMicros,
};
use mineseal_rules::{MineRules, Policy, Signal, Watched};
use mineseal_schemas::{
    Activity, Camera, Crossing, Detections, Headcount, Mine, MouthCount, Positioning, ShiftCount,
};
use serde::{Deserialize, Serialize};

use crate::camera::CameraState;
use crate::clock::{Advance, MineClock, OFFLINE_AFTER_MICROS};
use crate::corrections::{Decided, Moment, OrderedCorrection};
use crate::evidence::{Deciding, write_with_evidence, write_without_frame};
use crate::reading::{Counted, Order, Reading};
use crate::{Output, Statistics, identity, positioning};

/// Pictures are no wider and no higher than this.
const LARGEST_SIDE: i32 = 16_384;

/// A frame cannot be taken after it was published; clocks of different machines differ by less than this,
/// microseconds.
const CLOCKS_DIFFER_MICROS: i64 = 60_000_000;

/// A mine as it is registered, with its cameras.
#[derive(Clone, Debug, PartialEq)]
pub struct MineRegistration {
    /// The mine.
    pub mine: Mine,
    /// Its cameras; one of another mine among them is not looked at.
    pub cameras: BTreeMap<CameraCode, Camera>,
}

/// Where an input lies in topic `detections`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputPosition {
    /// Partition.
    pub partition: i32,
    /// Offset in it.
    pub offset: i64,
}

/// What is known of a mine's people beside its cameras.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beside<'known> {
    /// Corrections of its headcount, by their time. Each is decided once, with the first frame whose time is not before
    /// it; what is taken in without them may come again.
    pub corrections: &'known [OrderedCorrection],
    /// Reports of its positioning system, by their time. Each is taken once, with the first frame whose time is not
    /// before it; one that is not later than a report that was taken is no news.
    pub positioning: &'known [Positioning],
}

/// All that is known of one mine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MineEngine {
    mine: MineCode,
    ledger: HeadcountLedger,
    corrections: Decided,
    /// Whether the headcount was ever given out.
    announced: bool,
    rules: MineRules,
    clock: MineClock,
    cameras: BTreeMap<CameraCode, CameraState>,
    statistics: Statistics,
    /// States of format 2 have none.
    #[serde(default)]
    reconciliation: Reconciliation,
}

impl MineEngine {
    /// The engine of a mine of which nothing was seen yet.
    #[must_use]
    pub fn new(mine: MineCode) -> Self {
        // Nothing is known that this policy could judge, and the first input brings the registered one.
        let policy = Policy {
            state: MineState::Producing,
            headcount_limit: i64::MAX,
            watch_ordered: false,
        };
        Self {
            rules: MineRules::new(mine.clone(), policy),
            mine,
            ledger: HeadcountLedger::new(),
            corrections: Decided::default(),
            announced: false,
            clock: MineClock::default(),
            cameras: BTreeMap::new(),
            statistics: Statistics::default(),
            reconciliation: Reconciliation::default(),
        }
    }

    /// The mine.
    #[must_use]
    pub fn mine(&self) -> &MineCode {
        &self.mine
    }

    /// People underground.
    #[must_use]
    pub fn people(&self) -> i64 {
        self.ledger.people()
    }

    /// Time of the newest report of the positioning system that was taken.
    #[must_use]
    pub fn positioning_at(&self) -> Option<UtcMicros> {
        self.reconciliation.last().map(|(at, _)| at)
    }

    /// What came in so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.statistics
    }

    /// The rules with their open alarms.
    #[must_use]
    pub fn rules(&self) -> &MineRules {
        &self.rules
    }

    /// Takes what was found in one frame; returns what follows from it, in the order in which it happened.
    ///
    /// Inputs of one camera come in the order in which they were published. A frame that was here already, one of
    /// a session that is over, one that is not later than the frame before it, and one of a mine or camera that
    /// is not registered change nothing but [`MineEngine::statistics`].
    pub fn step(
        &mut self,
        registration: &MineRegistration,
        input: &Detections,
        position: InputPosition,
    ) -> Vec<Output> {
        self.step_with(registration, Beside::default(), input, position)
    }

    /// As [`MineEngine::step`], with what is known beside the cameras.
    pub fn step_with(
        &mut self,
        registration: &MineRegistration,
        beside: Beside<'_>,
        input: &Detections,
        position: InputPosition,
    ) -> Vec<Output> {
        let mut outputs = Vec::new();
        self.statistics.frames += 1;
        if input.mine != self.mine || registration.mine.code != self.mine {
            self.statistics.unknown_mine += 1;
            return outputs;
        }
        let registered = registration.cameras.get(&input.camera);
        let Some(camera) = registered.filter(|camera| camera.mine == self.mine) else {
            self.statistics.unknown_camera += 1;
            return outputs;
        };
        let is_side = |side: i32| (1..=LARGEST_SIDE).contains(&side);
        if !is_side(input.width) || !is_side(input.height) {
            self.statistics.malformed += 1;
            return outputs;
        }
        let reading = self
            .cameras
            .get(&input.camera)
            .and_then(|state| state.reading.as_ref());
        let order = reading.map_or(Order::NewSession, |reading| reading.order(input));
        match order {
            Order::Next | Order::NewSession => {}
            Order::ClockSetBack => self.statistics.clock_set_back += 1,
            Order::Repeated => {
                self.statistics.repeated += 1;
                return outputs;
            }
            Order::OlderSession => {
                self.statistics.older_session += 1;
                return outputs;
            }
            Order::TimeBack => {
                self.statistics.time_back += 1;
                return outputs;
            }
        }
        let before = self.clock.now();
        let ahead = input.captured_at.micros_since(input.published_at) > CLOCKS_DIFFER_MICROS;
        let advance = if ahead {
            self.statistics.time_ahead += 1;
            self.clock.stay(input.published_at)
        } else {
            self.clock.advance(input.captured_at)
        };
        self.statistics.corrupt += u64::from(input.corrupt);
        // A camera of which nothing whole comes for a minute is as good as silent, and told as such.
        let heard = (!input.corrupt).then_some(&input.camera);
        self.follow_registration(registration, advance, heard, &mut outputs);

        let revision = self.ledger.revision();
        let moment = Moment {
            before,
            now: advance.now,
            position,
        };
        self.ledger.enter_shift(&registration.mine.shifts, advance.now);
        for ordered in beside.corrections {
            self.correct(ordered, moment, &mut outputs);
        }
        self.reconciliation.note(advance.now, self.ledger.people());
        self.reconcile(&registration.mine, beside, moment, &mut outputs);
        self.take_frame(camera, input, order, &mut outputs);
        self.reconciliation.note(advance.now, self.ledger.people());
        if self.ledger.revision() != revision || !self.announced {
            self.announced = true;
            outputs.push(Output::Headcount(self.headcount(input.captured_at, position)));
        }
        outputs
    }

    /// Takes the time without a frame: what has not been heard for a minute by now is offline. `at` earlier than
    /// the mine's newest frame is no news.
    pub fn tick(&mut self, registration: &MineRegistration, at: UtcMicros) -> Vec<Output> {
        let mut outputs = Vec::new();
        if registration.mine.code == self.mine {
            let advance = self.clock.advance(at);
            self.follow_registration(registration, advance, None, &mut outputs);
        }
        outputs
    }

    /// Takes the policy and the cameras that hold now, and finds the cameras that are silent. `heard` is the one
    /// whose whole frame has just come.
    fn follow_registration(
        &mut self,
        registration: &MineRegistration,
        advance: Advance,
        heard: Option<&CameraCode>,
        outputs: &mut Vec<Output>,
    ) {
        let now = advance.now;
        let mine = &registration.mine;
        let policy = Policy {
            state: mine.state,
            headcount_limit: i64::from(mine.headcount_limit),
            watch_ordered: mine.watch_ordered,
        };
        let mut steps = self.rules.set_policy(now, policy);
        steps.extend(self.rules.advance(now));

        let registered = |code: &CameraCode| {
            registration
                .cameras
                .get(code)
                .is_some_and(|camera| camera.mine == self.mine)
        };
        let gone: Vec<CameraCode> = self
            .cameras
            .keys()
            .filter(|code| !registered(code))
            .cloned()
            .collect();
        for code in gone {
            self.cameras.remove(&code);
            steps.extend(self.rules.forget_camera(now, &code));
        }
        for (code, camera) in &registration.cameras {
            if camera.mine != self.mine {
                continue;
            }
            let state = self
                .cameras
                .entry(code.clone())
                .or_insert_with(|| CameraState::new(now));
            if heard == Some(code) || mine.paused || (advance.after_gap && !state.silent) {
                state.heard_at = now;
            }
            let silent = now.micros_since(state.heard_at) >= OFFLINE_AFTER_MICROS;
            if silent != state.silent {
                state.silent = silent;
                let watched = Watched {
                    code,
                    name: &camera.name,
                };
                steps.extend(self.rules.apply(now, watched, Signal::Silent(silent)));
            }
        }
        write_without_frame(&self.mine, steps, outputs);
    }

    fn correct(&mut self, ordered: &OrderedCorrection, moment: Moment, outputs: &mut Vec<Output>) {
        let decided = self
            .corrections
            .decide(&self.mine, &mut self.ledger, ordered, moment);
        let Some(correction) = decided else { return };
        let (at, people) = (correction.at, self.ledger.people());
        let applied = correction.outcome.as_ref().is_some_and(|outcome| outcome.applied);
        outputs.push(Output::Correction(correction));
        if applied {
            let steps = self.rules.correct(at, people);
            write_without_frame(&self.mine, steps, outputs);
        }
    }

    fn reconcile(&mut self, mine: &Mine, beside: Beside<'_>, moment: Moment, outputs: &mut Vec<Output>) {
        // With a frame that brings the time further, as corrections are decided: what follows can be told again.
        if beside.positioning.is_empty() || moment.before == Some(moment.now) {
            return;
        }
        let reconciled = positioning::reconcile(
            &mut self.reconciliation,
            &self.ledger,
            &mut self.rules,
            &mut self.statistics,
            (mine, beside.positioning),
            moment.now,
        );
        write_without_frame(&self.mine, reconciled.steps, outputs);
        let Some(begin_again) = reconciled.begin_again else {
            return;
        };
        // A replay that knows what was decided applies it at the place where it was decided.
        if self.corrections.knows(begin_again.id, beside.corrections) {
            return;
        }
        let applied = self
            .corrections
            .apply(&mut self.ledger, begin_again, moment.position);
        let (at, people) = (applied.at, self.ledger.people());
        outputs.push(Output::Correction(applied));
        let steps = self.rules.correct(at, people);
        write_without_frame(&self.mine, steps, outputs);
        self.reconciliation.note(at, people);
    }

    fn take_frame(&mut self, camera: &Camera, input: &Detections, order: Order, outputs: &mut Vec<Output>) {
        let Some(state) = self.cameras.get_mut(&input.camera) else {
            return;
        };
        let judged = state.judge(camera, input);
        let mut counted = Vec::new();
        if order == Order::NewSession {
            // What the session before left undecided is decided by its end.
            counted.extend(
                state
                    .reading
                    .take()
                    .into_iter()
                    .flat_map(|mut before| before.finish(input.frame)),
            );
        }
        let reading = state.reading.get_or_insert_with(|| Reading::new(input));
        counted.extend(reading.follow(camera, input));

        outputs.extend(judged.health.map(Output::CameraHealth));
        outputs.extend(judged.activities.into_iter().map(Output::Activity));
        let watched = Watched {
            code: &input.camera,
            name: &camera.name,
        };
        let deciding = Deciding {
            camera: &input.camera,
            captured_at: input.captured_at,
            frame: input.frame,
        };
        for signal in judged.signals {
            let steps = self.rules.apply(input.captured_at, watched, signal);
            write_with_evidence(&self.mine, steps, deciding, outputs);
        }
        for counted in counted {
            self.take_crossing(camera, counted, outputs);
        }
    }

    fn take_crossing(&mut self, camera: &Camera, counted: Counted, outputs: &mut Vec<Output>) {
        self.statistics.crossings += 1;
        let Counted {
            line,
            crossing,
            session,
            model,
            frame,
        } = counted;
        let id = identity::crossing(
            &camera.code,
            session,
            crossing.to_sequence,
            &line.name,
            crossing.track,
        );
        let (direction, at) = (crossing.direction, crossing.at);
        let person = line.group == ObjectGroup::Person;
        let counted = !person || line.gate.is_none_or(|gate| gate.leads() == direction);
        outputs.push(Output::Crossing(Crossing {
            id,
            mine: self.mine.clone(),
            camera: camera.code.clone(),
            line: line.name.clone(),
            direction,
            class: crossing.class,
            regular: line.regular,
            counted,
            track: crossing.track,
            score: crossing.score,
            captured_at: at,
            session,
            from_sequence: crossing.from_sequence,
            to_sequence: crossing.to_sequence,
            path: crossing.path,
            rule_version: mineseal_counting::RULE_VERSION,
            model,
            frame,
        }));
        match line.group {
            ObjectGroup::Vehicle => outputs.push(Output::Activity(Activity {
                id: identity::vehicle(id),
                mine: self.mine.clone(),
                camera: camera.code.clone(),
                kind: ActivityKind::Vehicle,
                state: match direction {
                    Direction::In => ActivityState::PassedIn,
                    Direction::Out => ActivityState::PassedOut,
                },
                at,
                frame,
            })),
            ObjectGroup::Person if !counted => {
                let watched = Watched {
                    code: &camera.code,
                    name: &camera.name,
                };
                let people = self.ledger.people();
                let mut steps = Vec::new();
                if direction == Direction::In && camera.place.is_mouth() {
                    // Not counted, and yet somebody went in: what a stopped mine forbids has no back door.
                    steps.extend(
                        self.rules
                            .apply(at, watched, Signal::PersonCrossed { direction, people }),
                    );
                }
                steps.extend(self.rules.apply(at, watched, Signal::GateReversed { direction }));
                let deciding = Deciding {
                    camera: &camera.code,
                    captured_at: at,
                    frame,
                };
                write_with_evidence(&self.mine, steps, deciding, outputs);
            }
            ObjectGroup::Person if camera.place.is_mouth() => {
                self.ledger.count(&camera.code, &line.name, direction);
                self.reconciliation.passed(at);
                let watched = Watched {
                    code: &camera.code,
                    name: &camera.name,
                };
                let signal = Signal::PersonCrossed {
                    direction,
                    people: self.ledger.people(),
                };
                let mut steps = self.rules.apply(at, watched, signal);
                if !line.regular {
                    self.ledger.flag_non_regular(direction);
                    let signal = Signal::PassedNonRegular { direction };
                    steps.extend(self.rules.apply(at, watched, signal));
                }
                let deciding = Deciding {
                    camera: &camera.code,
                    captured_at: at,
                    frame,
                };
                write_with_evidence(&self.mine, steps, deciding, outputs);
            }
            ObjectGroup::Person => {}
        }
    }

    fn headcount(&self, at: UtcMicros, position: InputPosition) -> Headcount {
        let mouths = self.ledger.mouths().iter().map(|mouth| MouthCount {
            camera: mouth.camera.clone(),
            line: mouth.line.clone(),
            entered: mouth.entered,
            left: mouth.left,
        });
        let shifts = self.ledger.shifts().map(|tally| ShiftCount {
            name: tally.name.clone(),
            began_at: tally.began_at,
            entered: tally.entered,
            left: tally.left,
            inside: tally.inside,
        });
        let (non_regular_entered, non_regular_left) = self.ledger.non_regular();
        Headcount {
            mine: self.mine.clone(),
            people: self.ledger.people(),
            mouths: mouths.collect(),
            at,
            partition: position.partition,
            offset: position.offset,
            inconsistent: self.ledger.is_inconsistent(),
            rule_version: mineseal_counting::RULE_VERSION,
            corrected: self.ledger.corrected(),
            non_regular_entered,
            non_regular_left,
            shifts: shifts.collect(),
        }
    }
}
