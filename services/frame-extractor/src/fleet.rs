use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use mineseal_bus::{BusError, Entry, Snapshot};
use mineseal_schemas::{Camera, Mine, Topic};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{Shared, camera};

/// The group whose members share the cameras.
const GROUP: &str = "frame-extractor";
/// A stopped camera has this long to see its last frames acknowledged and to close its source.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// A camera that is being read.
struct Running {
    registered: Arc<Entry<Camera>>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// Keeps exactly the cameras running that are ours, until `shutdown`.
pub(crate) async fn run(shared: Arc<Shared>, shutdown: CancellationToken) -> Result<(), BusError> {
    let tables = async {
        Ok::<_, BusError>((
            shared.bus.table::<Camera>().await?,
            shared.bus.table::<Mine>().await?,
        ))
    };
    let (mut cameras, mut mines) = tokio::select! {
        tables = tables => tables?,
        () = shutdown.cancelled() => return Ok(()),
    };
    let mut membership = shared.bus.join(Topic::Cameras, GROUP)?;
    let mut running: BTreeMap<String, Running> = BTreeMap::new();
    loop {
        let wanted = wanted(&membership.partitions(), &cameras.snapshot(), &mines.snapshot());
        arrange(&mut running, wanted, &shared).await;
        let goes_on = tokio::select! {
            changed = membership.changed() => changed.is_some(),
            changed = cameras.changed() => changed.is_some(),
            changed = mines.changed() => changed.is_some(),
            () = shutdown.cancelled() => false,
        };
        if !goes_on {
            break;
        }
    }
    // The cameras stop before the group is left, so that the next owner finds their last frames.
    arrange(&mut running, BTreeMap::new(), &shared).await;
    drop(membership);
    Ok(())
}

/// The registered cameras of our partitions whose mines are not paused.
fn wanted(
    partitions: &BTreeSet<i32>,
    cameras: &Snapshot<Camera>,
    mines: &Snapshot<Mine>,
) -> BTreeMap<String, Arc<Entry<Camera>>> {
    cameras
        .iter()
        .filter(|(_, entry)| partitions.contains(&entry.partition))
        .filter(|(_, entry)| {
            !mines
                .get(entry.value.mine.as_str())
                .is_some_and(|mine| mine.value.paused)
        })
        .map(|(code, entry)| (code.clone(), Arc::clone(entry)))
        .collect()
}

/// Stops what is not wanted any more, or wanted otherwise; then starts what is missing.
async fn arrange(
    running: &mut BTreeMap<String, Running>,
    wanted: BTreeMap<String, Arc<Entry<Camera>>>,
    shared: &Arc<Shared>,
) {
    let unwanted = |code: &String, camera: &Running| {
        let asked = wanted.get(code).map(|entry| &entry.value);
        asked.is_none_or(|asked| *asked != camera.registered.value) || camera.task.is_finished()
    };
    let codes: Vec<String> = running
        .iter()
        .filter(|(code, camera)| unwanted(code, camera))
        .map(|(code, _)| code.clone())
        .collect();
    let stopped: Vec<(String, Running)> = codes
        .into_iter()
        .filter_map(|code| running.remove_entry(&code))
        .collect();
    for (_, camera) in &stopped {
        camera.stop.cancel();
    }
    // All together: others wait for the cameras that go to them.
    let until = Instant::now() + STOP_GRACE;
    for (code, camera) in stopped {
        let camera_code = camera.registered.value.code.clone();
        match tokio::time::timeout_at(until, camera.task).await {
            Ok(Ok(())) => tracing::info!(camera = code, "stopped"),
            Ok(Err(error)) => tracing::error!(camera = code, %error, "its task had broken off"),
            Err(_) => tracing::warn!(camera = code, "does not stop in time, left to itself"),
        }
        shared.counters.gone(&camera_code);
    }
    for (code, registered) in wanted {
        if running.contains_key(&code) {
            continue;
        }
        let stop = CancellationToken::new();
        let task = tokio::spawn(camera::tend(
            Arc::clone(&registered),
            Arc::clone(shared),
            stop.clone(),
        ));
        running.insert(
            code,
            Running {
                registered,
                stop,
                task,
            },
        );
    }
}
