//! What waits stays bounded while the store is slow or away.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;

use super::Session;
use crate::partition::Partition;

/// After so long without room the partitions are paused, so that the group can be served. Pausing throws away what was
/// fetched, and costs a third of a second.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Reading,
    /// Nothing is read until the flight on its way makes room.
    Full {
        since: Instant,
    },
    /// Only ranges that are read again are read.
    Paused,
}

impl Session<'_> {
    /// Rows that are held and not on their way.
    pub(super) fn weight(&self) -> usize {
        self.partitions.values().map(Partition::weight).sum()
    }

    /// Stops and resumes reading.
    pub(super) fn relieve(&mut self) -> Result<(), KafkaError> {
        let weight = self.weight();
        let room = weight < self.settings.batch_rows.saturating_mul(2);
        match self.flow {
            Flow::Reading if !room => {
                self.flow = Flow::Full {
                    since: Instant::now(),
                }
            }
            Flow::Full { .. } if room => self.flow = Flow::Reading,
            Flow::Full { since } if since.elapsed() > PATIENCE => {
                let places = self
                    .partitions
                    .iter()
                    .filter(|(_, partition)| !partition.reads_again());
                self.consumer.pause(&self.list(places.map(|(place, _)| *place)))?;
                self.flow = Flow::Paused;
                tracing::warn!(
                    rows = weight,
                    "rows wait for ClickHouse, reading stops until it takes some"
                );
            }
            Flow::Paused if weight < self.settings.batch_rows => {
                self.consumer
                    .resume(&self.list(self.partitions.keys().copied()))?;
                self.flow = Flow::Reading;
            }
            _ => {}
        }
        Ok(())
    }
}
