use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

/// How far a service has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceState {
    /// It loads and connects.
    Starting,
    /// It does its work.
    Ready,
    /// Something that it needs is away; it tries again by itself.
    Waiting,
    /// It finishes what it has in hand.
    Draining,
    /// It has ended.
    Stopped,
}

#[derive(Clone, Debug)]
struct Entry {
    state: ServiceState,
    reason: String,
    beat: Instant,
    silence: Duration,
    started: bool,
}

/// The health of all services of a process; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Health {
    services: Arc<Mutex<BTreeMap<&'static str, Entry>>>,
}

/// What the health page says of one service.
#[derive(Clone, Debug, Serialize)]
pub struct ServiceHealth {
    /// Its name.
    pub service: &'static str,
    /// How far it has come.
    pub state: ServiceState,
    /// Why, where it waits.
    pub reason: String,
    /// Milliseconds since its loop last gave a sign.
    pub silent_milliseconds: u128,
    /// Its loop has given no sign for longer than it may.
    pub hangs: bool,
}

impl Health {
    fn entries(&self) -> MutexGuard<'_, BTreeMap<&'static str, Entry>> {
        self.services.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a service known; its loop promises a [`Health::beat`] at least every `silence`.
    pub fn register(&self, service: &'static str, silence: Duration) {
        let entry = Entry {
            state: ServiceState::Starting,
            reason: String::new(),
            beat: Instant::now(),
            silence,
            started: false,
        };
        self.entries().insert(service, entry);
    }

    /// The service went into a state; `reason` is for operators.
    pub fn set(&self, service: &'static str, state: ServiceState, reason: &str) {
        if let Some(entry) = self.entries().get_mut(service) {
            entry.state = state;
            reason.clone_into(&mut entry.reason);
            entry.beat = Instant::now();
            entry.started |= state == ServiceState::Ready;
        }
    }

    /// The service's loop is alive.
    pub fn beat(&self, service: &'static str) {
        if let Some(entry) = self.entries().get_mut(service) {
            entry.beat = Instant::now();
        }
    }

    /// All services.
    #[must_use]
    pub fn report(&self) -> Vec<ServiceHealth> {
        self.entries()
            .iter()
            .map(|(service, entry)| ServiceHealth {
                service,
                state: entry.state,
                reason: entry.reason.clone(),
                silent_milliseconds: entry.beat.elapsed().as_millis(),
                hangs: entry.state != ServiceState::Stopped && entry.beat.elapsed() > entry.silence,
            })
            .collect()
    }

    /// No loop hangs: a process that is not live should be started anew.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.report().iter().all(|service| !service.hangs)
    }

    /// Every service does its work.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let report = self.report();
        !report.is_empty()
            && report
                .iter()
                .all(|service| service.state == ServiceState::Ready && !service.hangs)
    }

    /// Every service has been ready once.
    #[must_use]
    pub fn has_started(&self) -> bool {
        let entries = self.entries();
        !entries.is_empty() && entries.values().all(|entry| entry.started)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_loop_is_not_live_and_a_waiting_one_not_ready() {
        let health = Health::default();
        health.register("counter", Duration::ZERO);
        health.set("counter", ServiceState::Ready, "");
        assert!(
            !health.is_live(),
            "no silence is allowed, and some time has passed"
        );
        health.register("sink", Duration::from_secs(60));
        health.set("sink", ServiceState::Waiting, "ClickHouse is away");
        assert!(!health.is_ready());
        assert!(!health.has_started());
    }

    #[test]
    fn ready_services_are_ready() {
        let health = Health::default();
        assert!(!health.is_ready(), "nothing runs yet");
        health.register("counter", Duration::from_secs(60));
        health.set("counter", ServiceState::Ready, "");
        assert!(health.is_ready() && health.is_live() && health.has_started());
        health.set("counter", ServiceState::Waiting, "Kafka is away");
        assert!(health.has_started() && !health.is_ready());
    }
}
