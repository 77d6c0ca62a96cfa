use std::fmt;
use std::sync::{Arc, OnceLock, RwLock};
use std::time::Duration;

use mineseal_schemas::{Record, Topic, encode};
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer as _};
use tokio::time::sleep;

use crate::bus::Bus;
use crate::context::LoggingContext;
use crate::error::BusError;
use crate::statistics::BusStatistics;
use crate::trace::TraceContext;

/// No message on the bus is longer, compressed or not.
pub(crate) const MAX_MESSAGE_BYTES: usize = 8 << 20;

/// Pause before a full queue is tried again.
const QUEUE_PAUSE: Duration = Duration::from_millis(5);

/// Pause before a record for a topic that does not exist is tried again.
const TOPIC_PAUSE: Duration = Duration::from_secs(1);

/// Where a record lies now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
}

/// Writes records: each goes to the partition of its key, once, and counts as written when all replicas have it.
///
/// Records with the same key keep their order. While the brokers are away, records wait in a bounded queue
/// (32 MiB; frames have one of 128 MiB of their own) for as long as it takes.
#[derive(Clone)]
pub struct Publisher(Arc<Shared>);

struct Shared {
    context: LoggingContext,
    statistics: Arc<BusStatistics>,
    topic_names: Vec<(Topic, String)>,
    client_config: ClientConfig,
    compressing: Slot,
    /// Frames are JPEG: pressing them again costs time and gains nothing.
    plain: OnceLock<Slot>,
}

/// A producer, and how to make another one: after a fatal error it is of no more use.
struct Slot {
    config: ClientConfig,
    producer: RwLock<(u64, FutureProducer<LoggingContext>)>,
}

/// A queued record on its way.
pub struct Delivery {
    future: DeliveryFuture,
    topic: Topic,
    generation: u64,
    shared: Arc<Shared>,
}

impl Publisher {
    pub(crate) fn new(bus: &Bus) -> Result<Self, BusError> {
        let mut config = bus.client_config();
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("partitioner", "murmur2_random")
            .set("message.max.bytes", MAX_MESSAGE_BYTES.to_string())
            .set("message.timeout.ms", "0")
            .set("linger.ms", "5")
            .set("queue.buffering.max.kbytes", (32 << 10).to_string())
            .set("compression.type", "zstd");
        let fail = |source| bus.settings_error(source);
        Ok(Self(Arc::new(Shared {
            context: bus.context(),
            statistics: Arc::clone(bus.statistics()),
            topic_names: Topic::ALL
                .iter()
                .map(|topic| (*topic, bus.topic_name(*topic)))
                .collect(),
            client_config: bus.client_config(),
            compressing: Slot::new(config, bus.context()).map_err(fail)?,
            plain: OnceLock::new(),
        })))
    }

    /// Writes `record` and waits until all replicas have it. The current trace goes with it.
    ///
    /// Waits for as long as the brokers, or the topic, are away; wrap it in a timeout where that is too long.
    ///
    /// # Errors
    /// When the record does not fit its schema, or is refused for good.
    pub async fn publish<R: Record>(&self, record: &R) -> Result<Published, BusError> {
        let value = encode(record)?;
        let trace = TraceContext::current();
        self.publish_bytes(R::TOPIC, &record.key(), Some(&value), trace)
            .await
    }

    /// As [`Publisher::publish`], as part of the trace `trace`.
    ///
    /// # Errors
    /// As for `publish`.
    pub async fn publish_in<R: Record>(
        &self,
        record: &R,
        trace: TraceContext,
    ) -> Result<Published, BusError> {
        let value = encode(record)?;
        self.publish_bytes(R::TOPIC, &record.key(), Some(&value), trace)
            .await
    }

    /// Removes what a compacted topic holds under `key`.
    ///
    /// # Errors
    /// As for `publish`.
    pub async fn remove(&self, topic: Topic, key: &str) -> Result<Published, BusError> {
        self.publish_bytes(topic, key, None, TraceContext::current())
            .await
    }

    async fn publish_bytes(
        &self,
        topic: Topic,
        key: &str,
        value: Option<&[u8]>,
        trace: TraceContext,
    ) -> Result<Published, BusError> {
        loop {
            let delivery = self.enqueue_bytes(topic, key, value, trace.clone()).await?;
            match delivery.acknowledged().await {
                Err(BusError::Publish { source, .. }) if is_curable(&source) => {
                    tracing::warn!(%topic, error = %source, "cannot write yet, trying again");
                    sleep(TOPIC_PAUSE).await;
                }
                result => return result,
            }
        }
    }

    /// Puts `record` into the queue, waits for room if there is none, and does not wait for the brokers. The
    /// caller has to look at the [`Delivery`] before it counts the record as written.
    ///
    /// # Errors
    /// When the record does not fit its schema, or is too long.
    pub async fn enqueue<R: Record>(&self, record: &R, trace: TraceContext) -> Result<Delivery, BusError> {
        let value = encode(record)?;
        self.enqueue_bytes(R::TOPIC, &record.key(), Some(&value), trace)
            .await
    }

    async fn enqueue_bytes(
        &self,
        topic: Topic,
        key: &str,
        value: Option<&[u8]>,
        trace: TraceContext,
    ) -> Result<Delivery, BusError> {
        loop {
            match self.try_enqueue_bytes(topic, key, value, trace.clone()) {
                Err(BusError::QueueFull { .. }) => sleep(QUEUE_PAUSE).await,
                result => return result,
            }
        }
    }

    /// As [`Publisher::enqueue`], but a full queue is an error at once: for live pictures, which are better
    /// dropped than late.
    ///
    /// # Errors
    /// [`BusError::QueueFull`], and as for `enqueue`.
    pub fn try_enqueue<R: Record>(&self, record: &R, trace: TraceContext) -> Result<Delivery, BusError> {
        let value = encode(record)?;
        self.try_enqueue_bytes(R::TOPIC, &record.key(), Some(&value), trace)
    }

    fn try_enqueue_bytes(
        &self,
        topic: Topic,
        key: &str,
        value: Option<&[u8]>,
        trace: TraceContext,
    ) -> Result<Delivery, BusError> {
        let slot = self.0.slot(topic)?;
        let headers = trace.into_headers(OwnedHeaders::new());
        let mut record = FutureRecord::to(self.0.name(topic)).key(key).headers(headers);
        if let Some(value) = value {
            record = record.payload(value);
        }
        let (generation, producer) = slot.current();
        match producer.send_result(record) {
            Ok(future) => Ok(Delivery {
                future,
                topic,
                generation,
                shared: Arc::clone(&self.0),
            }),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                Err(BusError::QueueFull { topic })
            }
            Err((source, _)) => {
                self.0.failed(topic, generation, &source);
                Err(BusError::Publish { topic, source })
            }
        }
    }

    /// Waits until the queues are empty.
    ///
    /// # Errors
    /// When they are not within `deadline`.
    pub async fn flush(&self, deadline: Duration) -> Result<(), BusError> {
        let began = tokio::time::Instant::now();
        loop {
            let slots = [Some(&self.0.compressing), self.0.plain.get()];
            let left: i32 = slots
                .into_iter()
                .flatten()
                .map(|slot| slot.current().1.in_flight_count())
                .sum();
            if left == 0 {
                return Ok(());
            }
            if began.elapsed() >= deadline {
                return Err(BusError::Flush {
                    left,
                    waited: deadline,
                });
            }
            sleep(QUEUE_PAUSE).await;
        }
    }
}

impl Delivery {
    /// Waits until all replicas have the record.
    ///
    /// # Errors
    /// When it was refused for good.
    pub async fn acknowledged(self) -> Result<Published, BusError> {
        let Self {
            future,
            topic,
            generation,
            shared,
        } = self;
        let result = match future.await {
            Ok(result) => result.map_err(|(source, _)| source),
            Err(_) => Err(KafkaError::Canceled),
        };
        match result {
            Ok(delivery) => {
                shared.statistics.count_published(topic);
                shared.context.works();
                Ok(Published {
                    partition: delivery.partition,
                    offset: delivery.offset,
                })
            }
            Err(source) => {
                shared.failed(topic, generation, &source);
                Err(BusError::Publish { topic, source })
            }
        }
    }
}

impl Shared {
    fn name(&self, topic: Topic) -> &str {
        let found = self.topic_names.iter().find(|(known, _)| *known == topic);
        found.map_or(topic.name(), |(_, name)| name)
    }

    fn slot(&self, topic: Topic) -> Result<&Slot, BusError> {
        if topic != Topic::Frames {
            return Ok(&self.compressing);
        }
        if let Some(slot) = self.plain.get() {
            return Ok(slot);
        }
        let mut config = self.compressing.config.clone();
        config
            .set("compression.type", "none")
            .set("queue.buffering.max.kbytes", (128 << 10).to_string());
        let fresh = Slot::new(config, self.context.clone()).map_err(|source| BusError::Settings {
            brokers: self
                .client_config
                .get("bootstrap.servers")
                .unwrap_or_default()
                .to_owned(),
            source,
        })?;
        Ok(self.plain.get_or_init(|| fresh))
    }

    /// Counts a failure, and puts a new producer in the place of one that can do no more.
    fn failed(&self, topic: Topic, generation: u64, error: &KafkaError) {
        self.statistics.count_publish_failure(topic);
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::Fatal) {
            return;
        }
        let slot = match self.slot(topic) {
            Ok(slot) => slot,
            Err(_) => return,
        };
        match slot.replace(generation, self.context.clone()) {
            Ok(()) => tracing::warn!(%topic, %error, "the producer could do no more; there is a new one"),
            Err(again) => tracing::error!(%topic, error = %again, "cannot make a new producer"),
        }
    }
}

impl Slot {
    fn new(config: ClientConfig, context: LoggingContext) -> Result<Self, KafkaError> {
        let producer = made(&config, context)?;
        Ok(Self {
            config,
            producer: RwLock::new((0, producer)),
        })
    }

    fn current(&self) -> (u64, FutureProducer<LoggingContext>) {
        self.producer
            .read()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .clone()
    }

    fn replace(&self, generation: u64, context: LoggingContext) -> Result<(), KafkaError> {
        let mut place = self
            .producer
            .write()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if place.0 == generation {
            *place = (generation + 1, made(&self.config, context)?);
        }
        Ok(())
    }
}

fn made(
    config: &ClientConfig,
    context: LoggingContext,
) -> Result<FutureProducer<LoggingContext>, KafkaError> {
    let lifeline = context.lifeline.share();
    let producer: FutureProducer<LoggingContext> = config.create_with_context(context)?;
    lifeline.attach(producer.client());
    Ok(producer)
}

/// Whether the same record may succeed later.
fn is_curable(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownPartition
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::Fatal
                | RDKafkaErrorCode::NotEnoughReplicas
                | RDKafkaErrorCode::NotEnoughReplicasAfterAppend
                | RDKafkaErrorCode::MessageTimedOut
        )
    )
}

impl fmt::Debug for Publisher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Publisher").finish_non_exhaustive()
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Delivery")
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}
