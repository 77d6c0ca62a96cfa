//! Keeps a client of the client library from losing its last broker.
//!
//! A broker that comes back answers for a moment before it knows of any broker, itself included. librdkafka (2.12.1,
//! issue 5301 of its repository) takes that answer at its word, drops every broker that it knew, and may stop the
//! timer that would bring the configured ones back. Such a client stays without a broker for ever, and so does
//! who waits for it.
//!
//! So each client that lives long is watched: where its statistics show no broker twice in a row, the configured
//! brokers are added again. In an outage, where they are known but do not answer, that changes nothing.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use rdkafka::Statistics;
use rdkafka::bindings::{rd_kafka_brokers_add, rd_kafka_t};
use rdkafka::client::{Client, ClientContext};

use crate::context::LoggingContext;

/// Statistics without a broker in a row that count as lost; one alone may be the moment between dropping the
/// configured brokers and knowing the learnt ones.
const ROUNDS: u32 = 2;

/// A context that reports to a [`LoggingContext`].
pub trait Reporting: ClientContext {
    /// Of this client alone.
    fn logging(&self) -> &LoggingContext;
}

impl Reporting for LoggingContext {
    fn logging(&self) -> &LoggingContext {
        self
    }
}

/// From now on `client` gets its configured brokers again should it lose them all. It has to be polled, and its
/// statistics have to be on, as [`Bus::client_config`](crate::Bus::client_config) sets them.
pub fn keep_brokers<C: Reporting>(client: &Client<C>) {
    client.context().logging().lifeline.attach(client);
}

/// The way back to the client whose context holds it.
#[derive(Debug, Default)]
pub(crate) struct Lifeline(Arc<Held>);

#[derive(Debug, Default)]
struct Held {
    client: AtomicPtr<rd_kafka_t>,
    rounds: AtomicU32,
}

/// A copy of a context is for another client.
impl Clone for Lifeline {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Lifeline {
    /// The same one, for a client that does not give its context back.
    pub(crate) fn share(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    /// `client` has to be the one whose context holds this lifeline.
    pub(crate) fn attach<C: ClientContext>(&self, client: &Client<C>) {
        self.0.client.store(client.native_ptr(), Ordering::Release);
    }

    /// To be called from the statistics callback alone. `brokers` are the configured ones, separated by commas.
    /// Returns whether they were added again.
    pub(crate) fn look_after(&self, statistics: &Statistics, brokers: &str) -> bool {
        if has_brokers(statistics) {
            self.0.rounds.store(0, Ordering::Relaxed);
            return false;
        }
        if self.0.rounds.fetch_add(1, Ordering::Relaxed) + 1 < ROUNDS {
            return false;
        }
        let client = self.0.client.load(Ordering::Acquire);
        let Ok(brokers) = CString::new(brokers) else {
            return false;
        };
        if client.is_null() {
            return false;
        }
        self.0.rounds.store(0, Ordering::Relaxed);
        // SAFETY: `attach` stored the handle of the client that owns the context that owns this lifeline; copies of
        // the context get a lifeline of their own. The library calls back for statistics from within a poll of that
        // client, which borrows it, so the handle is alive. The list is a string that ends with a zero, and is
        // copied by the callee, which may be called from any thread.
        let added = unsafe { rd_kafka_brokers_add(client, brokers.as_ptr()) };
        added > 0
    }
}

/// Whether the client knows a broker that it could ask for others. One that is merely away is being tried again
/// (`TRY_CONNECT`, `CONNECT`, `INIT`); one that was dropped stays `DOWN` until it is forgotten. Logical brokers, the
/// coordinators, are never asked for others.
fn has_brokers(statistics: &Statistics) -> bool {
    statistics
        .brokers
        .values()
        .any(|broker| matches!(broker.source.as_str(), "learned" | "configured") && broker.state != "DOWN")
}
