use std::sync::Arc;
use std::time::Duration;

use mineseal_bus::{Bus, Delivery, Publisher, Received, Subscription, Ticket, TraceContext};
use mineseal_schemas::{Frame, FrameLocation};
use mineseal_telemetry::{Health, Metrics};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::Span;

use crate::InferenceError;
use crate::detectors::{Answer, Detectors};
use crate::record::{SERVICE, Seen, dead_letter, detections, now};

/// How often an idle loop says that it is alive.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);
const FRAMES: &str = "inference_frames";
const FRAMES_HELP: &str = "Frames by what became of them";

/// A frame that was handed to the detectors, or passes by.
pub(crate) struct AskedFrame {
    frame: Arc<Frame>,
    location: FrameLocation,
    trace: TraceContext,
    span: Span,
    answer: Option<oneshot::Receiver<Answer>>,
}

/// What was read together and is committed together.
pub(crate) struct AskedBatch {
    frames: Vec<AskedFrame>,
    ticket: Ticket,
}

/// Detections that were sent to Kafka, of frames that were read together.
pub(crate) struct PublishedBatch {
    deliveries: Vec<Delivery>,
    ticket: Ticket,
}

/// Waits for Kafka's answers while the next detections are on their way, until nothing more can come. A batch is
/// acknowledged when all of its detections are.
pub(crate) async fn confirm(mut published: mpsc::Receiver<PublishedBatch>) -> Result<(), InferenceError> {
    while let Some(PublishedBatch {
        deliveries,
        mut ticket,
    }) = published.recv().await
    {
        for delivery in deliveries {
            delivery.acknowledged().await?;
        }
        ticket.acknowledge();
    }
    Ok(())
}

/// Reads frames and hands them to the detectors, as fast as those take them, until `shutdown`.
pub(crate) async fn read(
    subscription: &mut Subscription<Frame>,
    detectors: Detectors,
    asked: mpsc::Sender<AskedBatch>,
    health: &Health,
    shutdown: &CancellationToken,
) -> Result<(), InferenceError> {
    loop {
        let batch = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            batch = subscription.next() => batch.ok_or(InferenceError::SubscriptionEnded)?,
            () = tokio::time::sleep(SIGN_OF_LIFE) => {
                health.beat(SERVICE);
                continue;
            }
        };
        let (records, ticket) = batch.split();
        let mut frames = Vec::with_capacity(records.len());
        for record in records {
            frames.push(ask(record, &detectors).await?);
            health.beat(SERVICE);
        }
        if asked.send(AskedBatch { frames, ticket }).await.is_err() {
            // The publishing side has ended and says why.
            return Ok(());
        }
    }
}

async fn ask(record: Received<Frame>, detectors: &Detectors) -> Result<AskedFrame, InferenceError> {
    let location = FrameLocation {
        partition: record.partition,
        offset: record.offset,
    };
    let frame = Arc::new(record.value);
    let span = tracing::info_span!("detect", camera = %frame.camera, sequence = frame.sequence);
    record.trace.adopt(&span);
    let answer = if frame.detect {
        Some(detectors.ask(Arc::clone(&frame)).await?)
    } else {
        None
    };
    Ok(AskedFrame {
        frame,
        location,
        trace: record.trace,
        span,
        answer,
    })
}

/// Publishes what was found, in the order in which the frames were read.
pub(crate) struct Outlet {
    pub(crate) bus: Bus,
    pub(crate) publisher: Publisher,
    pub(crate) model: Arc<str>,
    pub(crate) health: Health,
    pub(crate) metrics: Metrics,
}

impl Outlet {
    /// Until nothing more can come.
    pub(crate) async fn publish(
        &self,
        mut asked: mpsc::Receiver<AskedBatch>,
        published: mpsc::Sender<PublishedBatch>,
    ) -> Result<(), InferenceError> {
        while let Some(AskedBatch { frames, ticket }) = asked.recv().await {
            let mut deliveries: Vec<Delivery> = Vec::with_capacity(frames.len());
            for frame in frames {
                deliveries.push(self.publish_frame(frame).await?);
                self.health.beat(SERVICE);
            }
            if published
                .send(PublishedBatch { deliveries, ticket })
                .await
                .is_err()
            {
                // Whoever waited for Kafka's answers has ended and says why.
                return Ok(());
            }
        }
        Ok(())
    }

    async fn publish_frame(&self, asked: AskedFrame) -> Result<Delivery, InferenceError> {
        let AskedFrame {
            frame,
            location,
            trace,
            span,
            answer,
        } = asked;
        let seen = match answer {
            None => Seen::Passed,
            Some(answer) => match answer.await {
                Ok(Answer::Found(found)) => Seen::Found(found),
                Ok(Answer::Unusable(reason)) => {
                    self.keep_unusable(&frame, location, &reason, trace.clone())
                        .await?;
                    Seen::Unusable
                }
                Ok(Answer::Failed(reason)) => return Err(InferenceError::DetectorEnded(reason)),
                Err(_) => return Err(InferenceError::DetectorEnded("a thread was lost".to_owned())),
            },
        };
        self.count(&frame, &seen);
        let record = detections(&frame, location, &seen, &self.model, now());
        Ok(self.publisher.enqueue(&record, trace.within(&span)).await?)
    }

    async fn keep_unusable(
        &self,
        frame: &Frame,
        location: FrameLocation,
        reason: &str,
        trace: TraceContext,
    ) -> Result<(), InferenceError> {
        let FrameLocation { partition, offset } = location;
        tracing::warn!(camera = %frame.camera, partition, offset, reason, "the picture of a frame cannot be used");
        let topic = self.bus.topic_name(mineseal_schemas::Topic::Frames);
        let letter = dead_letter(topic, frame, location, reason, now())?;
        self.publisher.publish_in(&letter, trace).await?;
        Ok(())
    }

    fn count(&self, frame: &Frame, seen: &Seen) {
        let result = match seen {
            Seen::Passed => "passed",
            Seen::Found(_) => "detected",
            Seen::Unusable => "unusable",
        };
        self.metrics
            .counter(FRAMES, FRAMES_HELP, &[("result", result)])
            .inc();
        let age = now().seconds_since(frame.published_at);
        let help = "Seconds from the publishing of the last frame to its detections";
        self.metrics.gauge("inference_age_seconds", help, &[]).set(age);
    }
}
