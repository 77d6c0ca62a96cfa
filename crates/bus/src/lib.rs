//! The bus: everything that the simple services need from Kafka.
//!
//! - [`Bus`] names the cluster; [`Bus::ensure_topics`] creates what is missing.
//! - [`Publisher`] writes records; a record counts as written when all replicas have it.
//! - [`Subscription`] reads a topic as a member of a group and delivers [`Batch`]es; what was not acknowledged is
//!   delivered again. Every record is delivered at least once.
//! - [`Table`] holds a compacted topic in memory and follows it.
//! - [`Membership`] shares the partitions of a topic among the members of a group, without reading it.
//! - [`Bus::fetch_one`] reads one record by its place.
//! - [`group`] is for consumers that have to do more than a `Subscription` can.
//!
//! A broker that is away, at the start or later, is waited for: with a warning that names it, and without loss.

mod bus;
mod context;
mod dead_letters;
mod error;
mod fetch;
pub mod group;
mod history;
mod lifeline;
mod membership;
mod publisher;
mod received;
mod settings;
mod statistics;
mod subscription;
mod table;
mod topics;
mod trace;

pub use bus::Bus;
pub use context::LoggingContext;
pub use dead_letters::dead_letter;
pub use error::BusError;
pub use lifeline::{Reporting, keep_brokers};
pub use membership::Membership;
pub use publisher::{Delivery, Published, Publisher};
pub use received::Received;
pub use settings::BusSettings;
pub use statistics::{BusStatistics, BusStatisticsSnapshot, TopicStatistics};
pub use subscription::{Batch, Span, StartAt, Subscription, SubscriptionSettings, Ticket};
pub use table::{Entry, Snapshot, Table};
pub use topics::TopicLayout;
pub use trace::TraceContext;
