use std::collections::BTreeMap;

use mineseal_domain::{AlarmKind, CameraCode, Direction, HealthCondition, MineCode, MineState, UtcMicros};
use serde::{Deserialize, Serialize};

use crate::messages;
use crate::open::{AlarmKey, AlarmStep, OpenAlarm, OpenAlarms};
use crate::policy::Policy;

/// A way that people should not take, or a gate's wrong direction, is quiet again after so long without a passage, microseconds.
pub const QUIET_MICROS: i64 = 600_000_000;

/// The camera that a signal comes from.
#[derive(Clone, Copy, Debug)]
pub struct Watched<'registration> {
    /// Its code.
    pub code: &'registration CameraCode,
    /// Where it stands, in the operator's words.
    pub name: &'registration str,
}

/// A fact that can begin or end an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// A person went in or out at a mouth.
    PersonCrossed {
        /// Which way.
        direction: Direction,
        /// People underground after it.
        people: i64,
    },
    /// He went by a way that people should not take; comes after the crossing itself.
    PassedNonRegular {
        /// Which way.
        direction: Direction,
    },
    /// A person passed a gate against its direction, and is not counted.
    GateReversed {
        /// Which way.
        direction: Direction,
    },
    /// The belt runs, or stands.
    Belt {
        /// It runs.
        running: bool,
    },
    /// The post was left, or manned.
    Post {
        /// Nobody is there.
        empty: bool,
    },
    /// The camera's picture went into this condition.
    Picture(HealthCondition),
    /// Nothing comes from the camera any more, or something comes again.
    Silent(bool),
}

/// What is known of a camera beside its open alarms, so that a change of policy can judge it anew.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Facts {
    place: String,
    belt_runs: bool,
    post_empty: bool,
}

/// The rules at work in one mine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MineRules {
    policy: Policy,
    people: i64,
    cameras: BTreeMap<CameraCode, Facts>,
    alarms: OpenAlarms,
    /// When somebody last took a non-regular way, or a gate the wrong way, of which an alarm is open. States of earlier versions have neither
    /// this nor what follows.
    #[serde(default)]
    passed: BTreeMap<AlarmKey, UtcMicros>,
    /// The largest gap between the two counts since the alarm about it was raised.
    #[serde(default)]
    largest_gap: i64,
}

impl MineRules {
    /// A mine of which nothing was seen yet.
    #[must_use]
    pub fn new(mine: MineCode, policy: Policy) -> Self {
        Self {
            policy,
            people: 0,
            cameras: BTreeMap::new(),
            alarms: OpenAlarms::new(mine),
            passed: BTreeMap::new(),
            largest_gap: 0,
        }
    }

    /// The open alarms, by kind and camera.
    pub fn open(&self) -> impl Iterator<Item = (AlarmKind, Option<&CameraCode>, &OpenAlarm)> {
        self.alarms
            .iter()
            .map(|((kind, camera), alarm)| (*kind, camera.as_ref(), alarm))
    }

    /// Takes the policy that holds from `at` on, and judges by it what goes on: a belt that runs when the mine
    /// is stopped is an alarm from that moment. Alarms that are open keep the state in which they were raised.
    pub fn set_policy(&mut self, at: UtcMicros, policy: Policy) -> Vec<AlarmStep> {
        if self.policy == policy {
            return Vec::new();
        }
        self.policy = policy;
        let mut steps = Vec::new();
        if policy.state == MineState::Producing {
            let entered = self.keys(|kind, _| kind == AlarmKind::PersonEnteredStoppedMine);
            for key in entered {
                let message = |alarm: &OpenAlarm| messages::entered_ended(&alarm.place, true);
                steps.extend(self.alarms.clear(&key, at, self.people, message));
            }
        }
        let cameras: Vec<CameraCode> = self.cameras.keys().cloned().collect();
        for camera in cameras {
            steps.extend(self.judge_belt(at, &camera));
            steps.extend(self.judge_post(at, &camera));
        }
        steps.extend(self.judge_limit(at));
        steps
    }

    /// Takes what happened at `at`; returns the steps of alarms that follow.
    pub fn apply(&mut self, at: UtcMicros, camera: Watched<'_>, signal: Signal) -> Vec<AlarmStep> {
        match signal {
            Signal::PersonCrossed { direction, people } => self.person_crossed(at, camera, direction, people),
            Signal::PassedNonRegular { direction } => {
                let kind = match direction {
                    Direction::In => AlarmKind::NonRegularEntry,
                    Direction::Out => AlarmKind::NonRegularExit,
                };
                let message = messages::non_regular(camera.name, direction, self.people);
                self.passed(at, camera, kind, message).into_iter().collect()
            }
            Signal::GateReversed { direction } => {
                let kind = match direction {
                    Direction::In => AlarmKind::ExitGateReversed,
                    Direction::Out => AlarmKind::EntryGateReversed,
                };
                let message = messages::gate_reversed(camera.name, direction, self.people);
                self.passed(at, camera, kind, message).into_iter().collect()
            }
            Signal::Belt { running } => {
                self.facts(camera).belt_runs = running;
                self.judge_belt(at, camera.code).into_iter().collect()
            }
            Signal::Post { empty } => {
                self.facts(camera).post_empty = empty;
                self.judge_post(at, camera.code).into_iter().collect()
            }
            Signal::Picture(condition) => self.picture(at, camera, condition).into_iter().collect(),
            Signal::Silent(silent) => self.silent(at, camera, silent).into_iter().collect(),
        }
    }

    /// A person has counted `people` underground: what the count alone had raised is judged by it anew. Of a mine
    /// that he found empty nobody has to be told any more that somebody had entered.
    pub fn correct(&mut self, at: UtcMicros, people: i64) -> Vec<AlarmStep> {
        self.people = people;
        let mut steps = Vec::new();
        if people <= 0 {
            for key in self.keys(|kind, _| kind == AlarmKind::PersonEnteredStoppedMine) {
                let message = |alarm: &OpenAlarm| messages::entered_corrected(&alarm.place);
                steps.extend(self.alarms.clear(&key, at, people, message));
            }
        }
        steps.extend(self.judge_limit(at));
        steps.extend(self.judge_consistency(at));
        steps
    }

    /// Takes the time: what ends by itself ends.
    pub fn advance(&mut self, now: UtcMicros) -> Vec<AlarmStep> {
        let quiet = |passed: &UtcMicros| now.micros_since(*passed) >= QUIET_MICROS;
        let ended: Vec<AlarmKey> = self
            .passed
            .extract_if(.., |_, passed| quiet(passed))
            .map(|(key, _)| key)
            .collect();
        ended
            .iter()
            .filter_map(|key| {
                let gate = matches!(key.0, AlarmKind::EntryGateReversed | AlarmKind::ExitGateReversed);
                let message = if gate {
                    messages::gate_ended
                } else {
                    messages::non_regular_ended
                };
                self.alarms
                    .clear(key, now, self.people, |alarm: &OpenAlarm| message(&alarm.place))
            })
            .collect()
    }

    /// At `at` the cameras counted `video` people underground and the positioning system `positioning`; they may differ
    /// by `allowed`.
    pub fn reconcile(
        &mut self,
        at: UtcMicros,
        video: i64,
        positioning: i64,
        allowed: i64,
    ) -> Option<AlarmStep> {
        let key = (AlarmKind::PositioningMismatch, None);
        let gap = video.saturating_sub(positioning).saturating_abs();
        if gap <= allowed {
            return self
                .alarms
                .clear(&key, at, video, |_| messages::mismatch_ended(video, positioning));
        }
        let message = messages::mismatch(video, positioning, allowed);
        if self.alarms.get(&key).is_none() {
            self.largest_gap = gap;
            return self.alarms.raise(key, at, self.policy.state, video, "", message);
        }
        if gap <= self.largest_gap {
            return None;
        }
        self.largest_gap = gap;
        self.alarms.update(&key, at, video, message)
    }

    /// The camera is no longer registered: what it showed has ended.
    pub fn forget_camera(&mut self, at: UtcMicros, camera: &CameraCode) -> Vec<AlarmStep> {
        self.cameras.remove(camera);
        let keys = self.keys(|_, of| of == Some(camera));
        let message = |alarm: &OpenAlarm| messages::camera_gone(&alarm.place);
        let cleared = keys
            .iter()
            .filter_map(|key| self.alarms.clear(key, at, self.people, message))
            .collect();
        self.alarms.forget(camera);
        self.passed.retain(|(_, of), _| of.as_ref() != Some(camera));
        cleared
    }

    fn facts(&mut self, camera: Watched<'_>) -> &mut Facts {
        let facts = self.cameras.entry(camera.code.clone()).or_default();
        if facts.place != camera.name {
            camera.name.clone_into(&mut facts.place);
        }
        facts
    }

    fn keys(&self, chosen: impl Fn(AlarmKind, Option<&CameraCode>) -> bool) -> Vec<AlarmKey> {
        self.alarms
            .iter()
            .map(|(key, _)| key)
            .filter(|key| chosen(key.0, key.1.as_ref()))
            .cloned()
            .collect()
    }

    fn person_crossed(
        &mut self,
        at: UtcMicros,
        camera: Watched<'_>,
        direction: Direction,
        people: i64,
    ) -> Vec<AlarmStep> {
        self.people = people;
        let mut steps = Vec::new();
        match direction {
            Direction::In if self.policy.forbids(AlarmKind::PersonEnteredStoppedMine) => {
                let key = (AlarmKind::PersonEnteredStoppedMine, Some(camera.code.clone()));
                let state = self
                    .alarms
                    .get(&key)
                    .map_or(self.policy.state, |alarm| alarm.mine_state);
                let message = messages::entered(camera.name, state, people);
                let updated = self.alarms.update(&key, at, people, message.clone());
                steps.extend(updated.or_else(|| {
                    self.alarms
                        .raise(key, at, self.policy.state, people, camera.name, message)
                }));
            }
            Direction::In => {}
            // Only somebody who leaves can empty the mine: after a missed entry the count may be 0 or less with
            // people underground.
            Direction::Out if people <= 0 => {
                for key in self.keys(|kind, _| kind == AlarmKind::PersonEnteredStoppedMine) {
                    let message = |alarm: &OpenAlarm| messages::entered_ended(&alarm.place, false);
                    steps.extend(self.alarms.clear(&key, at, people, message));
                }
            }
            Direction::Out => {}
        }
        steps.extend(self.judge_limit(at));
        steps.extend(self.judge_consistency(at));
        steps
    }

    /// Somebody went where, or how, people should not: an alarm until nobody does for a while.
    fn passed(
        &mut self,
        at: UtcMicros,
        camera: Watched<'_>,
        kind: AlarmKind,
        message: String,
    ) -> Option<AlarmStep> {
        let key = (kind, Some(camera.code.clone()));
        let last = self.passed.entry(key.clone()).or_insert(at);
        *last = at.max(*last);
        let (people, state) = (self.people, self.policy.state);
        let updated = self.alarms.update(&key, at, people, message.clone());
        updated.or_else(|| self.alarms.raise(key, at, state, people, camera.name, message))
    }

    fn judge_limit(&mut self, at: UtcMicros) -> Option<AlarmStep> {
        let (people, limit) = (self.people, self.policy.headcount_limit);
        let key = (AlarmKind::HeadcountOverLimit, None);
        if people <= limit {
            return self
                .alarms
                .clear(&key, at, people, |_| messages::over_limit_ended(people, limit));
        }
        let message = messages::over_limit(people, limit);
        match self.alarms.get(&key).map(|alarm| alarm.people) {
            None => self.alarms.raise(key, at, self.policy.state, people, "", message),
            Some(most) if people > most => self.alarms.update(&key, at, people, message),
            Some(_) => None,
        }
    }

    fn judge_consistency(&mut self, at: UtcMicros) -> Option<AlarmStep> {
        let people = self.people;
        let key = (AlarmKind::HeadcountInconsistent, None);
        if people >= 0 {
            return self
                .alarms
                .clear(&key, at, people, |_| messages::inconsistent_ended(people));
        }
        let message = messages::inconsistent(people);
        match self.alarms.get(&key).map(|alarm| alarm.people) {
            None => self.alarms.raise(key, at, self.policy.state, people, "", message),
            Some(fewest) if people < fewest => self.alarms.update(&key, at, people, message),
            Some(_) => None,
        }
    }

    fn judge_belt(&mut self, at: UtcMicros, camera: &CameraCode) -> Option<AlarmStep> {
        let facts = self.cameras.get(camera)?;
        let key = (AlarmKind::BeltRunsInStoppedMine, Some(camera.clone()));
        let (people, state) = (self.people, self.policy.state);
        if facts.belt_runs && self.policy.forbids(key.0) {
            let message = messages::belt_runs(&facts.place, state);
            self.alarms.raise(key, at, state, people, &facts.place, message)
        } else {
            let running = facts.belt_runs;
            self.alarms.clear(&key, at, people, |alarm| {
                messages::belt_ended(&alarm.place, running)
            })
        }
    }

    fn judge_post(&mut self, at: UtcMicros, camera: &CameraCode) -> Option<AlarmStep> {
        let facts = self.cameras.get(camera)?;
        let key = (AlarmKind::PostEmpty, Some(camera.clone()));
        let people = self.people;
        if facts.post_empty && self.policy.forbids(key.0) {
            let message = messages::post_empty(&facts.place);
            self.alarms
                .raise(key, at, self.policy.state, people, &facts.place, message)
        } else {
            let empty = facts.post_empty;
            self.alarms.clear(&key, at, people, |alarm| {
                messages::post_ended(&alarm.place, empty)
            })
        }
    }

    fn picture(
        &mut self,
        at: UtcMicros,
        camera: Watched<'_>,
        condition: HealthCondition,
    ) -> Option<AlarmStep> {
        let key = (AlarmKind::CameraFault, Some(camera.code.clone()));
        let people = self.people;
        if condition == HealthCondition::Normal {
            return self
                .alarms
                .clear(&key, at, people, |alarm| messages::fault_ended(&alarm.place));
        }
        let message = messages::fault(camera.name, condition);
        let updated = self.alarms.update(&key, at, people, message.clone());
        updated.or_else(|| {
            self.alarms
                .raise(key, at, self.policy.state, people, camera.name, message)
        })
    }

    fn silent(&mut self, at: UtcMicros, camera: Watched<'_>, silent: bool) -> Option<AlarmStep> {
        let key = (AlarmKind::CameraOffline, Some(camera.code.clone()));
        let people = self.people;
        if silent {
            let message = messages::offline(camera.name);
            self.alarms
                .raise(key, at, self.policy.state, people, camera.name, message)
        } else {
            self.alarms
                .clear(&key, at, people, |alarm| messages::offline_ended(&alarm.place))
        }
    }
}

#[cfg(test)]
mod tests;
