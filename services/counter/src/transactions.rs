//! A transactional producer, and what its errors ask for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mineseal_bus::{Bus, LoggingContext, Reporting, TraceContext, keep_brokers};
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, OwnedHeaders};
use rdkafka::producer::{BaseRecord, NoCustomPartitioner, Producer as _, ProducerContext, ThreadedProducer};
use rdkafka::{Statistics, TopicPartitionList};
use thiserror::Error;

use crate::outputs::Message;
use crate::settings::CounterSettings;

/// Pause between two looks at the queue.
const QUEUE_PAUSE: Duration = Duration::from_micros(200);

/// What has to be done about a failure.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// Abort the transaction and take its records in again.
    #[error("{0}")]
    Abort(KafkaError),
    /// The producer can do no more: make a new one, and take the records in again.
    #[error("{0}")]
    Fatal(KafkaError),
    /// No attempt will succeed.
    #[error("a message is too long")]
    TooLong,
}

pub(crate) struct Transactions {
    producer: ThreadedProducer<DeliveryContext>,
    timeout: Duration,
}

struct DeliveryContext {
    logging: LoggingContext,
    failures: AtomicU64,
}

impl ClientContext for DeliveryContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.logging.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.logging.error(error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        self.logging.stats(statistics);
    }
}

impl Reporting for DeliveryContext {
    fn logging(&self) -> &LoggingContext {
        &self.logging
    }
}

impl ProducerContext<NoCustomPartitioner> for DeliveryContext {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _opaque: ()) {
        if result.is_err() {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Transactions {
    /// # Errors
    /// When the client library refuses the settings.
    pub(crate) fn new(bus: &Bus, settings: &CounterSettings, identity: &str) -> Result<Self, KafkaError> {
        let timeout = settings.transaction_timeout;
        let mut config = bus.client_config();
        config
            .set("transactional.id", identity)
            .set("transaction.timeout.ms", timeout.as_millis().to_string())
            .set("partitioner", "murmur2_random")
            .set("message.max.bytes", (8 << 20).to_string())
            .set("compression.type", "zstd")
            .set("linger.ms", "2")
            .set("queue.buffering.max.kbytes", (32 << 10).to_string());
        let context = DeliveryContext {
            logging: bus.context(),
            failures: AtomicU64::new(0),
        };
        let producer: ThreadedProducer<DeliveryContext> = config.create_with_context(context)?;
        keep_brokers(producer.client());
        Ok(Self { producer, timeout })
    }

    /// Ends whatever an earlier producer of the same identity left open, and shuts it out.
    pub(crate) fn initialise(&self, wait: Duration) -> Result<(), KafkaError> {
        self.producer.init_transactions(wait)
    }

    pub(crate) fn begin(&self) -> Result<(), Failure> {
        self.producer.context().failures.store(0, Ordering::Relaxed);
        self.producer.begin_transaction().map_err(failure)
    }

    /// Queues a message; its fate shows at the commit.
    pub(crate) fn send(
        &self,
        topic: &str,
        partition: Option<i32>,
        message: &Message,
        trace: TraceContext,
    ) -> Result<(), Failure> {
        let mut record = BaseRecord::to(topic)
            .key(&message.key)
            .payload(&message.value)
            .headers(trace.into_headers(OwnedHeaders::new()));
        if let Some(partition) = partition {
            record = record.partition(partition);
        }
        let deadline = Instant::now() + self.timeout;
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back))
                    if Instant::now() < deadline =>
                {
                    record = back;
                    std::thread::park_timeout(QUEUE_PAUSE);
                }
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge), _)) => {
                    return Err(Failure::TooLong);
                }
                Err((error, _)) => return Err(failure(error)),
            }
        }
    }

    /// Makes everything since [`Transactions::begin`] visible, together with the offsets.
    pub(crate) fn commit(
        &self,
        offsets: &TopicPartitionList,
        member: &ConsumerGroupMetadata,
    ) -> Result<(), Failure> {
        let deadline = Instant::now() + self.timeout;
        self.wait_until_sent(deadline);
        retry(deadline, |left| {
            self.producer.send_offsets_to_transaction(offsets, member, left)
        })?;
        retry(deadline, |left| self.producer.commit_transaction(left))?;
        self.producer.context().logging.works();
        Ok(())
    }

    /// Undoes everything since [`Transactions::begin`].
    pub(crate) fn abort(&self) -> Result<(), Failure> {
        retry(Instant::now() + self.timeout, |left| {
            self.producer.abort_transaction(left)
        })
    }

    /// The client library's own waiting looks every 100 ms, which would be the length of a transaction.
    fn wait_until_sent(&self, deadline: Instant) {
        while self.producer.in_flight_count() > 0 {
            if self.producer.context().failures.load(Ordering::Relaxed) > 0 || Instant::now() >= deadline {
                // The commit will name the reason.
                break;
            }
            std::thread::park_timeout(QUEUE_PAUSE);
        }
    }
}

/// Does a step of the protocol once more for as long as that is all it takes.
fn retry(deadline: Instant, mut step: impl FnMut(Duration) -> Result<(), KafkaError>) -> Result<(), Failure> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match step(left.max(Duration::from_millis(1))) {
            Ok(()) => return Ok(()),
            Err(KafkaError::Transaction(error)) if error.is_retriable() && Instant::now() < deadline => {
                tracing::debug!(%error, "a step of a transaction is tried again");
                std::thread::park_timeout(Duration::from_millis(20));
            }
            Err(error) => return Err(failure(error)),
        }
    }
}

fn failure(error: KafkaError) -> Failure {
    let abort = match &error {
        KafkaError::Transaction(cause) => cause.txn_requires_abort() && !cause.is_fatal(),
        KafkaError::MessageProduction(code) => *code != RDKafkaErrorCode::Fatal,
        _ => false,
    };
    if abort {
        Failure::Abort(error)
    } else {
        Failure::Fatal(error)
    }
}
