//! What happens to one record: it goes through the stepper, and what comes out goes into the open transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use mineseal_bus::{Bus, TraceContext, dead_letter};
use mineseal_domain::MineCode;
use mineseal_schemas::{CounterState, Detections, EncodeError, Topic, decode};
use mineseal_telemetry::Metrics;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::{Offset, TopicPartitionList};

use crate::error::CounterError;
use crate::outputs::Message;
use crate::restore::Restored;
use crate::runner::Registered;
use crate::stepper::{Input, Registrations, Stepper};
use crate::transactions::{Failure, Transactions};

/// Why a record, or a transaction, came to nothing.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The transaction has to be undone.
    Transaction(Failure),
    /// Trying again is no use.
    Over(CounterError),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Transaction(failure)
    }
}

impl From<EncodeError> for Trouble {
    fn from(error: EncodeError) -> Self {
        Self::Over(error.into())
    }
}

/// A mine's state, and the next offset that it has not seen.
struct Remembered<State> {
    state: State,
    next_offset: i64,
}

type Mines<State> = BTreeMap<MineCode, Remembered<State>>;

/// What the open transaction holds.
pub(crate) struct Open {
    pub(crate) began: Instant,
    pub(crate) records: usize,
    registrations: Registrations,
    changed: BTreeSet<(i32, MineCode)>,
    next_offsets: BTreeMap<i32, i64>,
    written: Vec<Topic>,
    /// What became of the records, by name.
    fates: BTreeMap<&'static str, u64>,
}

pub(crate) struct Counting<'counter, S: Stepper> {
    stepper: &'counter S,
    bus: &'counter Bus,
    registered: &'counter Registered,
    metrics: Option<&'counter Metrics>,
    names: BTreeMap<Topic, String>,
    partitions: BTreeMap<i32, Mines<S::State>>,
    open: Option<Open>,
    pub(crate) transactions: Transactions,
}

impl<'counter, S: Stepper> Counting<'counter, S> {
    pub(crate) fn new(
        stepper: &'counter S,
        bus: &'counter Bus,
        registered: &'counter Registered,
        metrics: Option<&'counter Metrics>,
        transactions: Transactions,
    ) -> Self {
        let names = Topic::ALL
            .into_iter()
            .map(|topic| (topic, bus.topic_name(topic)))
            .collect();
        Self {
            stepper,
            bus,
            registered,
            metrics,
            names,
            partitions: BTreeMap::new(),
            open: None,
            transactions,
        }
    }

    pub(crate) fn partitions(&self) -> Vec<i32> {
        self.partitions.keys().copied().collect()
    }

    pub(crate) fn open(&self) -> Option<&Open> {
        self.open.as_ref()
    }

    /// Gives up the open transaction's content and says which partitions it had touched.
    pub(crate) fn forget_open(&mut self) -> BTreeSet<i32> {
        self.open
            .take()
            .map(|open| open.next_offsets.into_keys().collect())
            .unwrap_or_default()
    }

    pub(crate) fn drop_partitions(&mut self, gone: &BTreeSet<i32>) {
        self.partitions.retain(|partition, _| !gone.contains(partition));
    }

    /// Puts the committed states of a partition in the place of what we have.
    pub(crate) fn adopt(&mut self, partition: i32, restored: Restored) -> Result<(), CounterError> {
        let mut mines = Mines::new();
        for (offset, record) in restored.states.into_values() {
            let CounterState {
                mine,
                format,
                next_offset,
                state,
                ..
            } = record;
            let state = self
                .stepper
                .decode(&mine, format, &state)
                .map_err(|source| CounterError::State {
                    mine: mine.clone(),
                    topic: self.names[&Topic::CounterState].clone(),
                    partition,
                    offset,
                    format,
                    source,
                })?;
            mines.insert(mine, Remembered { state, next_offset });
        }
        self.partitions.insert(partition, mines);
        Ok(())
    }

    /// Takes in one record of `detections`, in the open transaction or a new one.
    pub(crate) fn take_in(&mut self, message: &BorrowedMessage<'_>) -> Result<(), Trouble> {
        let (partition, offset) = (message.partition(), message.offset());
        let Some(mines) = self.partitions.get_mut(&partition) else {
            tracing::debug!(partition, offset, "came after its partition had gone");
            return Ok(());
        };
        self.bus.statistics().count_received(Topic::Detections);
        let fresh = self.open.is_none();
        let open = self.open.get_or_insert_with(|| Open {
            began: Instant::now(),
            records: 0,
            registrations: (self.registered)(),
            changed: BTreeSet::new(),
            next_offsets: BTreeMap::new(),
            written: Vec::new(),
            fates: BTreeMap::new(),
        });
        open.records += 1;
        // From here on every failure leads back to this record.
        open.next_offsets.insert(partition, offset + 1);
        if fresh {
            self.transactions.begin()?;
        }

        let trace = TraceContext::of_message(message);
        let detections = match readable(message) {
            Ok(detections) => detections,
            Err(reason) => {
                tracing::warn!(partition, offset, reason, "to the dead letters");
                self.bus.statistics().count_dead_letter(Topic::Detections);
                let letter = dead_letter(message, &self.bus.settings().client_id, &reason);
                let letter = Message::of(&letter)?;
                return send(&self.transactions, &self.names, open, None, &letter, trace);
            }
        };
        let mine = detections.mine.clone();
        // Only few frames are traced: the others cost nothing here.
        let span = if trace.is_sampled() {
            tracing::info_span!("count", camera = %detections.camera, sequence = detections.sequence)
        } else {
            tracing::Span::none()
        };
        trace.adopt(&span);
        let remembered = mines.entry(mine.clone()).or_insert_with(|| Remembered {
            state: self.stepper.begin(&mine),
            next_offset: 0,
        });
        if offset < remembered.next_offset {
            tracing::error!(%mine, partition, offset, seen = remembered.next_offset, "was counted already, left out");
            return Ok(());
        }
        let input = Input {
            detections,
            partition,
            offset,
        };
        let before = self.stepper.statistics(&remembered.state);
        let outputs = span.in_scope(|| {
            self.stepper
                .step(&mut remembered.state, &open.registrations, &input)
        });
        let trace = if span.is_none() {
            trace
        } else {
            trace.within(&span)
        };
        let after = self.stepper.statistics(&remembered.state);
        if let (Some(before), Some(after)) = (before, after) {
            for ((name, before), (_, after)) in before.named().into_iter().zip(after.named()) {
                if after > before {
                    *open.fates.entry(name).or_default() += after - before;
                }
            }
        }
        remembered.next_offset = offset + 1;
        open.changed.insert((partition, mine));
        for output in &outputs {
            let output = Message::of_output(output)?;
            send(
                &self.transactions,
                &self.names,
                open,
                None,
                &output,
                trace.clone(),
            )?;
        }
        Ok(())
    }

    /// The changed states go into the open transaction, and it becomes visible. Without one, nothing happens.
    pub(crate) fn commit(
        &mut self,
        member: impl FnOnce() -> Option<ConsumerGroupMetadata>,
    ) -> Result<(), Trouble> {
        let Some(open) = &mut self.open else { return Ok(()) };
        for (partition, mine) in std::mem::take(&mut open.changed) {
            let Some(remembered) = self.partitions.get(&partition).and_then(|mines| mines.get(&mine)) else {
                continue;
            };
            let state = self.stepper.encode(&remembered.state).map_err(|source| {
                Trouble::Over(CounterError::WriteState {
                    mine: mine.clone(),
                    source,
                })
            })?;
            let record = CounterState {
                mine,
                format: self.stepper.format(),
                partition,
                next_offset: remembered.next_offset,
                state,
            };
            let record = Message::of(&record)?;
            send(
                &self.transactions,
                &self.names,
                open,
                Some(partition),
                &record,
                TraceContext::default(),
            )?;
        }
        let mut offsets = TopicPartitionList::new();
        for (partition, next_offset) in &open.next_offsets {
            offsets
                .add_partition_offset(
                    &self.names[&Topic::Detections],
                    *partition,
                    Offset::Offset(*next_offset),
                )
                .map_err(Failure::Fatal)?;
        }
        let member = member().ok_or(Failure::Abort(KafkaError::Canceled))?;
        self.transactions.commit(&offsets, &member)?;
        let statistics = self.bus.statistics();
        statistics.count_commit(true);
        for topic in &open.written {
            statistics.count_published(*topic);
        }
        if let Some(metrics) = self.metrics {
            for (fate, times) in &open.fates {
                metrics
                    .counter(
                        "counter_inputs",
                        "Committed frames by what became of them; late, repeated and out-of-order ones among them",
                        &[("fate", fate)],
                    )
                    .inc_by(*times);
            }
        }
        self.open = None;
        Ok(())
    }
}

fn send(
    transactions: &Transactions,
    names: &BTreeMap<Topic, String>,
    open: &mut Open,
    partition: Option<i32>,
    message: &Message,
    trace: TraceContext,
) -> Result<(), Trouble> {
    match transactions.send(&names[&message.topic], partition, message, trace) {
        Ok(()) => {
            open.written.push(message.topic);
            Ok(())
        }
        Err(Failure::TooLong) => Err(Trouble::Over(CounterError::TooLong {
            topic: message.topic,
            key: message.key.clone(),
            bytes: message.value.len(),
        })),
        Err(failure) => Err(failure.into()),
    }
}

/// The record, or why it can be none.
fn readable(message: &BorrowedMessage<'_>) -> Result<Detections, String> {
    let detections: Detections =
        decode(message.payload().unwrap_or_default()).map_err(|error| error.to_string())?;
    let key = message.key().unwrap_or_default();
    if key == detections.mine.as_str().as_bytes() {
        Ok(detections)
    } else {
        // Its mine lives in another partition, and so does the mine's state.
        Err(format!(
            "the key {:?} is not its mine {}",
            String::from_utf8_lossy(key),
            detections.mine
        ))
    }
}
