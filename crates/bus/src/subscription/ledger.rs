//! What was delivered, what of it was acknowledged, and what may be committed: pure bookkeeping.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use mineseal_schemas::Topic;

/// A topic's partition.
pub(super) type Place = (Topic, i32);

/// Offsets of one partition that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The topic.
    pub topic: Topic,
    /// Its partition.
    pub partition: i32,
    /// The first offset.
    pub first_offset: i64,
    /// The offset after the last one.
    pub next_offset: i64,
}

impl Span {
    pub(super) fn place(&self) -> Place {
        (self.topic, self.partition)
    }
}

#[derive(Debug)]
struct Delivered {
    batch: u64,
    spans: Vec<Span>,
    acknowledged: bool,
    /// Will never be acknowledged, and is not to be read again here either.
    abandoned: bool,
}

/// Delivered batches, oldest first.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    delivered: VecDeque<Delivered>,
    /// Where reading begins again if what is in flight is given back.
    resume: BTreeMap<Place, i64>,
    /// Acknowledged up to here, and not yet committed.
    to_commit: BTreeMap<Place, i64>,
    /// Acknowledged up to here since the partition became ours.
    acknowledged: BTreeMap<Place, i64>,
}

impl Ledger {
    /// Notes that `offset` of `place` was read; the first one is where reading began.
    pub(super) fn read(&mut self, place: Place, offset: i64) {
        self.resume.entry(place).or_insert(offset);
    }

    pub(super) fn deliver(&mut self, batch: u64, spans: Vec<Span>) {
        self.delivered.push_back(Delivered {
            batch,
            spans,
            acknowledged: false,
            abandoned: false,
        });
    }

    /// Whether `batch` is still known: not given back, and not taken away with its partitions.
    pub(super) fn knows(&self, batch: u64) -> bool {
        self.delivered.iter().any(|delivered| delivered.batch == batch)
    }

    /// Notes the acknowledgement. Of each partition only what has no unacknowledged batch before it may be
    /// committed.
    pub(super) fn acknowledge(&mut self, batch: u64) {
        let Some(found) = self
            .delivered
            .iter_mut()
            .find(|delivered| delivered.batch == batch)
        else {
            return;
        };
        found.acknowledged = true;
        let mut blocked: BTreeSet<Place> = BTreeSet::new();
        for delivered in &mut self.delivered {
            if !delivered.acknowledged {
                blocked.extend(delivered.spans.iter().map(Span::place));
                continue;
            }
            delivered.spans.retain(|span| {
                let place = span.place();
                if blocked.contains(&place) {
                    return true;
                }
                for positions in [&mut self.resume, &mut self.to_commit, &mut self.acknowledged] {
                    positions.insert(place, span.next_offset);
                }
                false
            });
        }
        self.delivered
            .retain(|delivered| !delivered.acknowledged || !delivered.spans.is_empty());
    }

    /// Batches that wait for their acknowledgement.
    pub(super) fn in_flight(&self) -> usize {
        let open = |delivered: &&Delivered| !delivered.acknowledged && !delivered.abandoned;
        self.delivered.iter().filter(open).count()
    }

    /// Leaves `batch` for the next member: nothing of its partitions from its beginning on may be committed.
    pub(super) fn abandon(&mut self, batch: u64) {
        for delivered in self
            .delivered
            .iter_mut()
            .filter(|delivered| delivered.batch == batch)
        {
            delivered.abandoned = true;
        }
    }

    /// Whether a batch in flight holds something of `places`.
    pub(super) fn touches(&self, places: &BTreeSet<Place>) -> bool {
        let mut spans = self.delivered.iter().flat_map(|delivered| &delivered.spans);
        spans.any(|span| places.contains(&span.place()))
    }

    /// Forgets everything about `places`: they are not ours any more.
    pub(super) fn release(&mut self, places: &BTreeSet<Place>) {
        for delivered in &mut self.delivered {
            delivered.spans.retain(|span| !places.contains(&span.place()));
        }
        self.delivered.retain(|delivered| !delivered.spans.is_empty());
        for positions in [&mut self.resume, &mut self.to_commit, &mut self.acknowledged] {
            positions.retain(|place, _| !places.contains(place));
        }
    }

    /// Forgets what is in flight and says where reading has to begin again.
    pub(super) fn rewind(&mut self) -> BTreeMap<Place, i64> {
        self.delivered.clear();
        self.resume.clone()
    }

    pub(super) fn has_to_commit(&self) -> bool {
        !self.to_commit.is_empty()
    }

    pub(super) fn take_to_commit(&mut self) -> BTreeMap<Place, i64> {
        std::mem::take(&mut self.to_commit)
    }

    /// A commit failed: everything acknowledged is to be committed once more.
    pub(super) fn commit_again(&mut self) {
        self.to_commit = self.acknowledged.clone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(partition: i32, first_offset: i64, next_offset: i64) -> Span {
        Span {
            topic: Topic::Alarms,
            partition,
            first_offset,
            next_offset,
        }
    }

    fn place(partition: i32) -> Place {
        (Topic::Alarms, partition)
    }

    #[test]
    fn commits_only_what_has_nothing_open_before_it() {
        let mut ledger = Ledger::default();
        ledger.deliver(1, vec![span(0, 0, 10), span(1, 0, 5)]);
        ledger.deliver(2, vec![span(0, 10, 20)]);
        ledger.deliver(3, vec![span(2, 7, 9)]);
        ledger.acknowledge(2);
        assert!(!ledger.has_to_commit());
        ledger.acknowledge(3);
        assert_eq!(ledger.take_to_commit(), BTreeMap::from([(place(2), 9)]));
        assert_eq!(ledger.in_flight(), 1);
        ledger.acknowledge(1);
        assert_eq!(
            ledger.take_to_commit(),
            BTreeMap::from([(place(0), 20), (place(1), 5)])
        );
        assert_eq!(ledger.in_flight(), 0);
        assert!(!ledger.knows(1) && !ledger.knows(2));
        ledger.commit_again();
        assert_eq!(ledger.take_to_commit().len(), 3);
    }

    #[test]
    fn a_rewind_begins_after_what_was_acknowledged() {
        let mut ledger = Ledger::default();
        ledger.read(place(0), 100);
        ledger.read(place(0), 101);
        ledger.read(place(1), 50);
        ledger.deliver(1, vec![span(0, 100, 110)]);
        ledger.deliver(2, vec![span(0, 110, 120), span(1, 50, 60)]);
        ledger.acknowledge(1);
        assert_eq!(ledger.rewind(), BTreeMap::from([(place(0), 110), (place(1), 50)]));
        // What was given back is not known any more: a late acknowledgement commits nothing beyond it.
        ledger.take_to_commit();
        ledger.acknowledge(2);
        assert!(!ledger.has_to_commit());
    }

    #[test]
    fn an_abandoned_batch_is_not_waited_for_and_holds_back_what_follows() {
        let mut ledger = Ledger::default();
        ledger.deliver(1, vec![span(0, 0, 10)]);
        ledger.deliver(2, vec![span(0, 10, 20)]);
        ledger.deliver(3, vec![span(0, 20, 30)]);
        ledger.abandon(2);
        ledger.acknowledge(3);
        assert_eq!(ledger.in_flight(), 1);
        ledger.acknowledge(1);
        assert_eq!(ledger.in_flight(), 0);
        assert_eq!(ledger.take_to_commit(), BTreeMap::from([(place(0), 10)]));
    }

    #[test]
    fn released_partitions_are_forgotten() {
        let mut ledger = Ledger::default();
        ledger.read(place(0), 0);
        ledger.deliver(1, vec![span(0, 0, 10), span(1, 0, 5)]);
        let released = BTreeSet::from([place(0)]);
        assert!(ledger.touches(&released));
        ledger.release(&released);
        assert!(!ledger.touches(&released));
        ledger.acknowledge(1);
        assert_eq!(ledger.take_to_commit(), BTreeMap::from([(place(1), 5)]));
        assert_eq!(ledger.rewind(), BTreeMap::from([(place(1), 5)]));
    }
}
