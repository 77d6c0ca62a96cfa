use std::sync::Arc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mineseal_bus::{Bus, BusError, StartAt, SubscriptionSettings};
use mineseal_schemas::{
    Activity, Alarm, Camera, CameraHealth, Crossing, DecodeError, Detections, Evidence, Headcount, Mine,
    Positioning, Topic, decode,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::view::View;

/// The view, and a number that grows when it changes.
#[derive(Debug)]
pub(crate) struct Shared {
    view: Mutex<View>,
    version: watch::Sender<u64>,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            view: Mutex::default(),
            version: watch::Sender::new(0),
        }
    }
}

impl Shared {
    pub(crate) fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    fn change(&self, change: impl FnOnce(&mut View)) {
        change(&mut self.view());
        self.version.send_modify(|version| *version += 1);
    }
}

enum Event {
    Crossing(Crossing),
    Alarm(Alarm),
    Activity(Activity),
    Health(CameraHealth),
    Evidence(Evidence),
    Positioning(Positioning),
    Seen(Detections),
}

impl Event {
    fn read(topic: Topic, bytes: &[u8]) -> Result<Self, DecodeError> {
        match topic {
            Topic::Crossings => decode(bytes).map(Self::Crossing),
            Topic::Alarms => decode(bytes).map(Self::Alarm),
            Topic::Activity => decode(bytes).map(Self::Activity),
            Topic::CameraHealth => decode(bytes).map(Self::Health),
            Topic::Evidence => decode(bytes).map(Self::Evidence),
            Topic::Positioning => decode(bytes).map(Self::Positioning),
            _ => decode(bytes).map(Self::Seen),
        }
    }
}

const EVENT_TOPICS: [Topic; 6] = [
    Topic::Crossings,
    Topic::Alarms,
    Topic::Activity,
    Topic::CameraHealth,
    Topic::Evidence,
    Topic::Positioning,
];

/// Keeps the view up to date until `shutdown`.
pub(crate) async fn run(shared: Arc<Shared>, bus: Bus, shutdown: CancellationToken) -> Result<(), BusError> {
    let tables = follow_tables(Arc::clone(&shared), bus.clone(), shutdown.clone());
    // A console shows everything, so each one is a group of its own.
    let name = Uuid::now_v7();
    let events = follow_events(
        Arc::clone(&shared),
        bus.clone(),
        &EVENT_TOPICS,
        format!("console-events-{name}"),
        StartAt::Earliest,
        shutdown.clone(),
    );
    let seen = follow_events(
        shared,
        bus,
        &[Topic::Detections],
        format!("console-seen-{name}"),
        StartAt::Latest,
        shutdown,
    );
    tokio::try_join!(tables, events, seen)?;
    Ok(())
}

async fn follow_tables(shared: Arc<Shared>, bus: Bus, shutdown: CancellationToken) -> Result<(), BusError> {
    let tables = async {
        tokio::try_join!(
            bus.table::<Mine>(),
            bus.table::<Camera>(),
            bus.table::<Headcount>()
        )
    };
    let (mut mines, mut cameras, mut headcounts) = tokio::select! {
        () = shutdown.cancelled() => return Ok(()),
        tables = tables => tables?,
    };
    loop {
        shared.change(|view| {
            let (mine_entries, camera_entries) = (mines.snapshot(), cameras.snapshot());
            view.register(
                mine_entries.values().map(|entry| &entry.value),
                camera_entries.values().map(|entry| &entry.value),
            );
            for entry in headcounts.snapshot().values() {
                view.count(&entry.value);
            }
        });
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            changed = mines.changed() => if changed.is_none() { return Ok(()) },
            changed = cameras.changed() => if changed.is_none() { return Ok(()) },
            changed = headcounts.changed() => if changed.is_none() { return Ok(()) },
        }
    }
}

async fn follow_events(
    shared: Arc<Shared>,
    bus: Bus,
    topics: &[Topic],
    group: String,
    start_at: StartAt,
    shutdown: CancellationToken,
) -> Result<(), BusError> {
    let mut settings = SubscriptionSettings::new(group);
    settings.start_at = start_at;
    settings.linger = Duration::from_millis(100);
    let mut subscription = bus.subscribe_with(topics, settings, Event::read)?;
    loop {
        let batch = tokio::select! {
            () = shutdown.cancelled() => break,
            batch = subscription.next() => batch,
        };
        let Some(batch) = batch else { break };
        let (records, mut ticket) = batch.split();
        shared.change(|view| {
            for record in records {
                match record.value {
                    Event::Crossing(crossing) => view.cross(crossing),
                    Event::Alarm(alarm) => view.alarm(alarm),
                    Event::Activity(activity) => view.act(&activity),
                    Event::Health(health) => view.health(&health),
                    Event::Evidence(evidence) => view.keep(evidence),
                    Event::Positioning(report) => view.locate(&report),
                    Event::Seen(detections) => view.see(&detections),
                }
            }
        });
        ticket.acknowledge();
    }
    subscription.drain(Duration::from_secs(2)).await
}
