//! Batches on their way together, one of each partition at most.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::batch::Batch;
use crate::range::Place;

/// Pause before a commit that failed is tried again.
const COMMIT_PAUSE: Duration = Duration::from_millis(500);

/// How far they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Their ranges are to be committed, before anything is sent.
    Announcing,
    /// They are being sent.
    Storing,
    /// All of them are stored; the offsets after them are to be committed.
    Settling,
}

#[derive(Debug)]
pub(crate) struct Flight {
    /// Tells late answers of an earlier flight from those of this one.
    pub(crate) number: u64,
    batches: BTreeMap<Place, Arc<Batch>>,
    stage: Stage,
    not_stored: BTreeSet<Place>,
    not_before: Option<Instant>,
}

impl Flight {
    pub(crate) fn new(number: u64, batches: BTreeMap<Place, Arc<Batch>>) -> Self {
        let not_stored = batches.keys().copied().collect();
        Self {
            number,
            batches,
            stage: Stage::Announcing,
            not_stored,
            not_before: None,
        }
    }

    pub(crate) fn stage(&self) -> Stage {
        self.stage
    }

    pub(crate) fn batches(&self) -> &BTreeMap<Place, Arc<Batch>> {
        &self.batches
    }

    /// Whether a commit may be tried now.
    pub(crate) fn may_commit(&self) -> bool {
        self.not_before.is_none_or(|moment| Instant::now() >= moment)
    }

    pub(crate) fn commit_failed(&mut self) {
        self.not_before = Some(Instant::now() + COMMIT_PAUSE);
    }

    /// The ranges are committed.
    pub(crate) fn announced(&mut self) {
        self.not_before = None;
        self.stage = Stage::Storing;
        self.settle_if_stored();
    }

    /// The batch of `place` is stored.
    pub(crate) fn stored(&mut self, place: Place) {
        self.not_stored.remove(&place);
        self.settle_if_stored();
    }

    /// The partitions are not ours any more: their batches are left to the next owner.
    pub(crate) fn give_up(&mut self, places: &BTreeSet<Place>) {
        for place in places {
            if let Some(batch) = self.batches.remove(place) {
                batch.given_up.cancel();
            }
            self.not_stored.remove(place);
        }
        self.settle_if_stored();
    }

    pub(crate) fn touches(&self, places: &BTreeSet<Place>) -> bool {
        self.batches.keys().any(|place| places.contains(place))
    }

    fn settle_if_stored(&mut self) {
        if self.stage == Stage::Storing && self.not_stored.is_empty() {
            self.stage = Stage::Settling;
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        for batch in self.batches.values() {
            batch.given_up.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use mineseal_schemas::Topic;

    use super::*;
    use crate::range::Range;
    use crate::tables::Rows;

    fn batch() -> Arc<Batch> {
        Arc::new(Batch::new(
            Range {
                first: 1,
                last: 2,
                written_at: 3,
            },
            false,
            Rows::none_of(Topic::Alarms).unwrap(),
        ))
    }

    #[test]
    fn settles_when_all_that_is_still_ours_is_stored() {
        let (one, two, three) = ((Topic::Alarms, 0), (Topic::Alarms, 1), (Topic::Crossings, 0));
        let lost = batch();
        let batches = BTreeMap::from([(one, batch()), (two, Arc::clone(&lost)), (three, batch())]);
        let mut flight = Flight::new(1, batches);
        assert_eq!(flight.stage(), Stage::Announcing);
        flight.commit_failed();
        assert!(!flight.may_commit());
        flight.announced();
        assert!(flight.may_commit());
        flight.stored(one);
        flight.stored(one);
        flight.stored(three);
        assert_eq!(flight.stage(), Stage::Storing);
        assert!(flight.touches(&BTreeSet::from([two])));
        flight.give_up(&BTreeSet::from([two]));
        assert!(lost.given_up.is_cancelled());
        assert_eq!(flight.stage(), Stage::Settling);
        assert_eq!(flight.batches().len(), 2);
    }
}
