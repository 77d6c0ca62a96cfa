use std::time::{SystemTime, UNIX_EPOCH};

use mineseal_domain::UtcMicros;
use mineseal_schemas::DeadLetter;
use rdkafka::message::Message;

/// The longest value that is kept whole: with key, place and reason it must fit into one message.
const MOST_VALUE_BYTES: usize = 7 << 20;

/// The record for `dead-letters` that keeps `message`, which `service` could not use for `reason`.
///
/// A value of more than 7 MiB is cut, and the reason says so.
#[must_use]
pub fn dead_letter(message: &impl Message, service: &str, reason: &str) -> DeadLetter {
    let value = message.payload().unwrap_or_default();
    let kept = &value[..value.len().min(MOST_VALUE_BYTES)];
    let reason = if kept.len() == value.len() {
        reason.to_owned()
    } else {
        format!(
            "{reason} (the first {} of {} bytes are kept)",
            kept.len(),
            value.len()
        )
    };
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    DeadLetter {
        topic: message.topic().to_owned(),
        partition: message.partition(),
        offset: message.offset(),
        key: message.key().unwrap_or_default().to_vec(),
        value: kept.to_vec(),
        service: service.to_owned(),
        reason,
        at: UtcMicros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX)),
    }
}
