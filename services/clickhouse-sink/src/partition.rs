//! What is known of one partition that is ours: which records were read, and how they are cut into batches.

use mineseal_schemas::Topic;
use rdkafka::message::Message;

use crate::batch::{Batch, written_at};
use crate::range::Range;
use crate::tables::Rows;

#[derive(Debug)]
pub(crate) struct Partition {
    topic: Topic,
    /// A committed range that is being read again.
    again: Option<Range>,
    /// Read whole, exactly the range that had been committed.
    repeated: Option<Batch>,
    open: Option<Batch>,
}

impl Partition {
    /// `committed`: the range that was on its way when the partition came to us.
    pub(crate) fn new(topic: Topic, committed: Option<Range>) -> Self {
        Self {
            topic,
            again: committed,
            repeated: None,
            open: None,
        }
    }

    /// Whether a committed range is still being read: it is cut by its own end only.
    pub(crate) fn reads_again(&self) -> bool {
        self.again.is_some()
    }

    /// Whether there is something to send.
    pub(crate) fn is_ready(&self) -> bool {
        self.repeated.is_some() || (self.again.is_none() && self.open.is_some())
    }

    /// Rows that are held and could be sent.
    pub(crate) fn weight(&self) -> usize {
        let open = if self.reads_again() {
            None
        } else {
            self.open.as_ref()
        };
        [self.repeated.as_ref(), open]
            .into_iter()
            .flatten()
            .map(Batch::weight)
            .sum()
    }

    /// Takes a record in.
    pub(crate) fn read(&mut self, message: &impl Message, service: &str) {
        let offset = message.offset();
        if let Some(range) = self.again
            && offset > range.last
        {
            // What lay at its end was compacted, or its time was over.
            self.end_repetition(range);
        }
        if self.open.is_none() {
            let fresh = Range {
                first: offset,
                last: offset,
                written_at: written_at(message),
            };
            let (range, repeated) = self.again.map_or((fresh, false), |range| (range, true));
            self.open = Rows::none_of(self.topic).map(|rows| Batch::new(range, repeated, rows));
        }
        let Some(open) = &mut self.open else { return };
        open.add(message, service);
        match self.again {
            None => open.range.last = offset,
            Some(range) if offset == range.last => self.end_repetition(range),
            Some(_) => {}
        }
    }

    /// The next batch, oldest first.
    pub(crate) fn take(&mut self) -> Option<Batch> {
        if self.repeated.is_some() {
            return self.repeated.take();
        }
        if self.again.is_some() {
            None
        } else {
            self.open.take()
        }
    }

    fn end_repetition(&mut self, range: Range) {
        self.again = None;
        let empty = || Rows::none_of(self.topic).map(|rows| Batch::new(range, true, rows));
        self.repeated = self.open.take().or_else(empty);
    }
}

#[cfg(test)]
mod tests {
    use mineseal_schemas::encode;
    use mineseal_schemas::samples::samples;
    use rdkafka::Timestamp;
    use rdkafka::message::OwnedMessage;

    use super::*;

    fn record(offset: i64) -> OwnedMessage {
        let value = encode(&samples().unwrap().crossing).unwrap();
        message(offset, Some(value))
    }

    fn message(offset: i64, value: Option<Vec<u8>>) -> OwnedMessage {
        OwnedMessage::new(
            value,
            None,
            "crossings".into(),
            Timestamp::CreateTime(5),
            0,
            offset,
            None,
        )
    }

    const COMMITTED: Range = Range {
        first: 10,
        last: 12,
        written_at: 4,
    };

    fn summary(batch: &Batch) -> (i64, i64, usize, usize) {
        (
            batch.range.first,
            batch.range.last,
            batch.rows.len(),
            batch.dead.len(),
        )
    }

    #[test]
    fn a_batch_grows_until_it_is_taken() {
        let mut partition = Partition::new(Topic::Crossings, None);
        assert!(!partition.is_ready() && partition.take().is_none());
        partition.read(&record(10), "sink");
        partition.read(&message(12, Some(b"no avro".to_vec())), "sink");
        partition.read(&message(13, None), "sink");
        assert_eq!(partition.weight(), 2);
        let batch = partition.take().unwrap();
        assert_eq!(summary(&batch), (10, 13, 1, 1));
        assert_eq!((batch.repeated, batch.range.written_at), (false, 5));
        assert_eq!(
            (batch.dead[0].offset, batch.dead[0].service.as_str()),
            (12, "sink")
        );
        partition.read(&record(15), "sink");
        assert_eq!(summary(&partition.take().unwrap()), (15, 15, 1, 0));
    }

    #[test]
    fn a_committed_range_is_cut_exactly_there() {
        let mut partition = Partition::new(Topic::Crossings, Some(COMMITTED));
        partition.read(&record(10), "sink");
        assert!(!partition.is_ready() && partition.reads_again());
        assert_eq!(
            partition.weight(),
            0,
            "what cannot be sent must not stop the reading"
        );
        assert!(partition.take().is_none());
        partition.read(&record(12), "sink");
        partition.read(&record(14), "sink");
        let repeated = partition.take().unwrap();
        assert_eq!(
            (summary(&repeated), repeated.range, repeated.repeated),
            ((10, 12, 2, 0), COMMITTED, true)
        );
        let next = partition.take().unwrap();
        assert_eq!((summary(&next), next.repeated), ((14, 14, 1, 0), false));
        assert!(partition.take().is_none());
    }

    #[test]
    fn a_range_whose_end_is_gone_ends_at_the_next_record() {
        let mut partition = Partition::new(Topic::Crossings, Some(COMMITTED));
        partition.read(&record(11), "sink");
        partition.read(&record(20), "sink");
        assert_eq!(summary(&partition.take().unwrap()), (10, 12, 1, 0));
        assert_eq!(summary(&partition.take().unwrap()), (20, 20, 1, 0));

        let mut partition = Partition::new(Topic::Crossings, Some(COMMITTED));
        partition.read(&record(20), "sink");
        assert_eq!(summary(&partition.take().unwrap()), (10, 12, 0, 0));
        assert_eq!(summary(&partition.take().unwrap()), (20, 20, 1, 0));
    }
}
