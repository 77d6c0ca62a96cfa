use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mineseal_bus::{Bus, BusError, Publisher, Received, SubscriptionSettings, TraceContext};
use mineseal_domain::{CameraCode, MineCode, UtcMicros};
use mineseal_platform::{Delivery, Outgoing, PlatformAdapter};
use mineseal_schemas::{
    Alarm, CameraHealth, DeadLetter, DecodeError, Frame, Headcount, Receipt, ReceiptOutcome, Topic, decode,
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::registrar::Registrar;

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
const PICTURE_DEADLINE: Duration = Duration::from_secs(5);
const DRAIN_DEADLINE: Duration = Duration::from_secs(10);

/// What a lane carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Alarms alone: they overtake everything else.
    Alarms,
    /// Headcounts and the cameras' conditions.
    States,
}

impl Lane {
    fn name(self) -> &'static str {
        match self {
            Self::Alarms => "alarms",
            Self::States => "states",
        }
    }

    fn topics(self) -> &'static [Topic] {
        match self {
            Self::Alarms => &[Topic::Alarms],
            Self::States => &[Topic::Headcounts, Topic::CameraHealth],
        }
    }
}

/// One platform and what is needed to tell it.
pub(crate) struct Link {
    pub(crate) platform: String,
    pub(crate) adapter: Arc<dyn PlatformAdapter>,
    pub(crate) registrar: Registrar,
    pub(crate) bus: Bus,
    pub(crate) publisher: Publisher,
    pub(crate) shutdown: CancellationToken,
}

#[derive(Clone, Debug)]
enum Told {
    Alarm(Alarm),
    Headcount(Headcount),
    Health(CameraHealth),
}

impl Told {
    fn read(topic: Topic, bytes: &[u8]) -> Result<Self, DecodeError> {
        match topic {
            Topic::Alarms => decode(bytes).map(Self::Alarm),
            Topic::Headcounts => decode(bytes).map(Self::Headcount),
            _ => decode(bytes).map(Self::Health),
        }
    }

    fn mine(&self) -> &MineCode {
        match self {
            Self::Alarm(alarm) => &alarm.mine,
            Self::Headcount(headcount) => &headcount.mine,
            Self::Health(health) => &health.mine,
        }
    }

    fn camera(&self) -> Option<&CameraCode> {
        match self {
            Self::Alarm(alarm) => alarm.camera.as_ref(),
            Self::Headcount(headcount) => headcount.mouths.first().map(|mouth| &mouth.camera),
            Self::Health(health) => Some(&health.camera),
        }
    }

    fn occurred_at(&self) -> UtcMicros {
        match self {
            Self::Alarm(alarm) => alarm.at,
            Self::Headcount(headcount) => headcount.at,
            Self::Health(health) => health.at,
        }
    }
}

/// Carries a lane until shutdown. A record is acknowledged only when the platform took or refused it.
pub(crate) async fn run(lane: Lane, link: Arc<Link>) -> Result<(), BusError> {
    let mut settings = SubscriptionSettings::new(format!("forwarder-{}-{}", link.platform, lane.name()));
    // What is in hand when the process dies is sent once more: keep it little.
    settings.max_records = 20;
    settings.max_in_flight = 1;
    let mut subscription = link.bus.subscribe_with(lane.topics(), settings, Told::read)?;
    loop {
        let batch = tokio::select! {
            () = link.shutdown.cancelled() => break,
            batch = subscription.next() => batch,
        };
        let Some(batch) = batch else { break };
        let mut all_told = true;
        for record in &batch.records {
            if !link.tell(record).await {
                all_told = false;
                break;
            }
        }
        if all_told {
            batch.acknowledge();
        }
    }
    subscription.drain(DRAIN_DEADLINE).await
}

impl Link {
    /// Sends one record until it is taken or refused; false when the process has to end first.
    async fn tell(&self, record: &Received<Told>) -> bool {
        let told = self.placed(&record.value);
        if let Some(camera) = told.camera()
            && let Some(registration) = self.registrar.missing(camera)
        {
            let Some((delivery, _)) = self.until_answered(&Outgoing::Camera(registration.clone())).await
            else {
                return false;
            };
            match delivery {
                Delivery::Refused { answer, .. } => {
                    tracing::warn!(platform = %self.platform, camera = %camera, %answer, "the platform refused the camera's registration");
                }
                _ => self.registrar.told(&registration),
            }
        }
        let outgoing = self.outgoing(&told).await;
        let Some((delivery, attempts)) = self.until_answered(&outgoing).await else {
            return false;
        };
        self.record(record, delivery, attempts).await
    }

    /// With a camera: platforms take nothing without one, and an alarm of the headcount has none.
    fn placed(&self, told: &Told) -> Told {
        let mut told = told.clone();
        if let Told::Alarm(alarm) = &mut told
            && alarm.camera.is_none()
        {
            alarm.camera = self.registrar.speaker(&alarm.mine);
        }
        told
    }

    async fn outgoing(&self, told: &Told) -> Outgoing {
        match told {
            Told::Headcount(headcount) => Outgoing::Headcount(headcount.clone()),
            Told::Health(health) => Outgoing::Health(health.clone()),
            Told::Alarm(alarm) => {
                let mut picture = None;
                if let Some(frame) = alarm.frame {
                    match self
                        .bus
                        .fetch_one::<Frame>(frame.partition, frame.offset, PICTURE_DEADLINE)
                        .await
                    {
                        Ok(received) => picture = Some(received.value.jpeg),
                        Err(error) => {
                            tracing::warn!(alarm = %alarm.id, %error, "the alarm goes up without its picture");
                        }
                    }
                }
                Outgoing::Alarm(alarm.clone(), picture)
            }
        }
    }

    /// The platform's answer and the number of times that it was asked; None at shutdown.
    async fn until_answered(&self, outgoing: &Outgoing) -> Option<(Delivery, i32)> {
        let mut pause = FIRST_PAUSE;
        let mut attempts = 0_i32;
        loop {
            attempts = attempts.saturating_add(1);
            let delivery = tokio::select! {
                () = self.shutdown.cancelled() => return None,
                delivery = self.adapter.deliver(outgoing) => delivery,
            };
            let Delivery::Unreachable { reason } = delivery else {
                return Some((delivery, attempts));
            };
            tracing::warn!(platform = %self.platform, %reason, attempts, pause_seconds = pause.as_secs(), "not delivered; it is sent again");
            tokio::select! {
                () = self.shutdown.cancelled() => return None,
                () = sleep(pause + jitter(pause)) => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Keeps the answer; false when it could not be kept, so that the record is told again.
    async fn record(&self, record: &Received<Told>, delivery: Delivery, attempts: i32) -> bool {
        let (outcome, status, answer) = match delivery {
            Delivery::Accepted { status, answer } => (ReceiptOutcome::Accepted, status, answer),
            Delivery::Refused { status, answer } => (ReceiptOutcome::Refused, status, answer),
            Delivery::NotNeeded | Delivery::Unreachable { .. } => return true,
        };
        let receipt = Receipt {
            platform: self.platform.clone(),
            mine: record.value.mine().clone(),
            topic: record.topic.name().to_owned(),
            partition: record.partition,
            offset: record.offset,
            outcome,
            status: i32::from(status),
            answer: answer.chars().take(2000).collect(),
            attempts,
            occurred_at: record.value.occurred_at(),
            answered_at: now(),
        };
        if outcome == ReceiptOutcome::Refused {
            tracing::error!(platform = %self.platform, topic = %record.topic, partition = record.partition, offset = record.offset, answer = %receipt.answer, "refused");
            let letter = DeadLetter {
                topic: self.bus.topic_name(record.topic),
                partition: record.partition,
                offset: record.offset,
                key: record.value.mine().as_str().as_bytes().to_vec(),
                value: Vec::new(),
                service: "platform-forwarder".to_owned(),
                reason: format!("{} refused it: {}", self.platform, receipt.answer),
                at: receipt.answered_at,
            };
            if let Err(error) = self.publisher.publish_in(&letter, TraceContext::default()).await {
                tracing::error!(%error, "the refusal could not be kept");
                return false;
            }
        }
        match self.publisher.publish_in(&receipt, TraceContext::default()).await {
            Ok(_) => true,
            Err(error) => {
                tracing::error!(%error, "the receipt could not be kept");
                false
            }
        }
    }
}

fn now() -> UtcMicros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UtcMicros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// Up to a quarter of the pause, so that forwarders that failed together do not come back together.
fn jitter(pause: Duration) -> Duration {
    let spread = u64::try_from(pause.as_millis() / 4).unwrap_or(u64::MAX).max(1);
    Duration::from_millis(u64::try_from(now().0).unwrap_or(0) % spread)
}
