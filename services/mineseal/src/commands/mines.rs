use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mineseal_bus::{Bus, BusSettings, TopicLayout};
use mineseal_domain::UtcMicros;
use mineseal_schemas::{Camera, Mine, Topic};
use mineseal_settings::{RegisteredMines, Settings, load_mines};

use crate::cli::MinesCommand;
use crate::commands::{Failure, block_on};
use crate::output::{line, note};

const BROKER_DEADLINE: Duration = Duration::from_secs(20);

pub(crate) fn run(settings: Settings, command: &MinesCommand) -> Result<(), Failure> {
    block_on(async move {
        let bus = connect(&settings, "mineseal-mines")?;
        bus.wait_until_ready(BROKER_DEADLINE).await?;
        match command {
            MinesCommand::Apply { file, prune } => {
                let registered = load_mines(file, now(), &user())?;
                bus.ensure_topics(layout(&settings)).await?;
                let changed = apply(&bus, &registered, *prune).await?;
                note(format!("{changed} registrations changed"));
            }
            MinesCommand::List => list(&bus).await?,
        }
        Ok(())
    })
}

/// The bus of the configuration, or the one that `mineseal up` runs on this machine.
pub(crate) fn connect(settings: &Settings, client: &str) -> Result<Bus, Failure> {
    let kafka = &settings.kafka;
    let brokers = if kafka.brokers.is_empty() {
        format!("127.0.0.1:{}", kafka.embedded_port)
    } else {
        kafka.brokers.clone()
    };
    Ok(Bus::connect(BusSettings {
        brokers,
        topic_prefix: kafka.topic_prefix.clone(),
        client_id: client.to_owned(),
        properties: kafka.properties.clone(),
    })?)
}

pub(crate) fn layout(settings: &Settings) -> TopicLayout {
    let kafka = &settings.kafka;
    TopicLayout {
        mine_partitions: kafka.partitions,
        camera_partitions: kafka.partitions,
        replication: kafka.replication,
    }
}

/// Registers `wanted`; what did not change is not written again. With `prune`, what `wanted` does not name is
/// removed.
pub(crate) async fn apply(bus: &Bus, wanted: &RegisteredMines, prune: bool) -> Result<usize, Failure> {
    let publisher = bus.publisher()?;
    let (mines, cameras) = (bus.table::<Mine>().await?, bus.table::<Camera>().await?);
    let mut changed = 0;
    for mine in &wanted.mines {
        let same = mines.get(mine.code.as_str()).is_some_and(|entry| {
            let known = Mine {
                changed_at: mine.changed_at,
                changed_by: mine.changed_by.clone(),
                ..entry.value.clone()
            };
            known == *mine
        });
        if !same {
            publisher.publish(mine).await?;
            changed += 1;
        }
    }
    for camera in &wanted.cameras {
        let same = cameras.get(camera.code.as_str()).is_some_and(|entry| {
            Camera {
                changed_at: camera.changed_at,
                ..entry.value.clone()
            } == *camera
        });
        if !same {
            publisher.publish(camera).await?;
            changed += 1;
        }
    }
    if !prune {
        return Ok(changed);
    }
    let wanted_cameras: BTreeSet<&str> = wanted.cameras.iter().map(|camera| camera.code.as_str()).collect();
    for code in cameras
        .snapshot()
        .keys()
        .filter(|code| !wanted_cameras.contains(code.as_str()))
    {
        publisher.remove(Topic::Cameras, code).await?;
        changed += 1;
    }
    let wanted_mines: BTreeSet<&str> = wanted.mines.iter().map(|mine| mine.code.as_str()).collect();
    for code in mines
        .snapshot()
        .keys()
        .filter(|code| !wanted_mines.contains(code.as_str()))
    {
        publisher.remove(Topic::Mines, code).await?;
        changed += 1;
    }
    Ok(changed)
}

async fn list(bus: &Bus) -> Result<(), Failure> {
    let (mines, cameras) = (bus.table::<Mine>().await?, bus.table::<Camera>().await?);
    for entry in mines.snapshot().values() {
        let mine = &entry.value;
        line(format!(
            "{}  {}  {}  限员 {}  登记于 {}",
            mine.code,
            mine.name,
            mine.state.chinese(),
            mine.headcount_limit,
            mine.changed_at.shanghai()
        ))?;
        for camera in cameras
            .snapshot()
            .values()
            .map(|entry| &entry.value)
            .filter(|camera| camera.mine == mine.code)
        {
            line(format!(
                "  {}  {}  {}  {} 帧/秒  {}",
                camera.code,
                camera.place.chinese(),
                camera.name,
                camera.sampling.frames_per_second,
                camera.source
            ))?;
        }
    }
    Ok(())
}

pub(crate) fn now() -> UtcMicros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UtcMicros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

pub(crate) fn user() -> String {
    std::env::var("USER").unwrap_or_else(|_| "unknown".to_owned())
}
