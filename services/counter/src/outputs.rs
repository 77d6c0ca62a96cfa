use mineseal_engine::Output;
use mineseal_schemas::{EncodeError, Record, Topic, encode};

/// A record ready to be sent.
pub(crate) struct Message {
    pub(crate) topic: Topic,
    pub(crate) key: String,
    pub(crate) value: Vec<u8>,
}

impl Message {
    pub(crate) fn of<R: Record>(record: &R) -> Result<Self, EncodeError> {
        Ok(Self {
            topic: R::TOPIC,
            key: record.key(),
            value: encode(record)?,
        })
    }

    pub(crate) fn of_output(output: &Output) -> Result<Self, EncodeError> {
        match output {
            Output::Crossing(record) => Self::of(record),
            Output::Headcount(record) => Self::of(record),
            Output::Correction(record) => Self::of(record),
            Output::Activity(record) => Self::of(record),
            Output::Alarm(record) => Self::of(record),
            Output::CameraHealth(record) => Self::of(record),
            Output::EvidenceRequest(record) => Self::of(record),
        }
    }
}
