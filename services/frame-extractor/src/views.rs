//! What is known of each camera's views, kept beside the evidence: a camera that was turned while nobody looked is
//! found when it is read again, by whichever extractor.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mineseal_domain::UtcMicros;
use mineseal_evidence::{EvidenceError, EvidenceStore};
use mineseal_picture::ViewMeter;
use mineseal_schemas::Camera;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// A store that does not answer within so long does not keep a camera from being read.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// And is asked again after so long.
const AGAIN: Duration = Duration::from_secs(5);

/// What a reading begins with.
pub(crate) struct Taken {
    pub(crate) view: ViewMeter,
    /// What is known of the camera, once the store has answered. Until then nothing is kept, as it would lie over that.
    pub(crate) later: Option<oneshot::Receiver<ViewMeter>>,
}

/// What one camera's readings hand on to each other.
pub(crate) type HandedOn = Arc<Mutex<Option<ViewMeter>>>;

#[derive(Serialize, Deserialize)]
struct Kept {
    /// The registration under which the views were learnt. A later one says that somebody has looked at the camera
    /// and that it may stand as it does.
    registered_at: UtcMicros,
    view: ViewMeter,
}

/// Where views are kept.
#[derive(Clone, Debug)]
pub(crate) struct Views {
    store: EvidenceStore,
}

impl Views {
    pub(crate) fn new(store: EvidenceStore) -> Self {
        Self { store }
    }

    fn path(camera: &Camera) -> String {
        format!("views/{}/{}.cbor", camera.mine, camera.code)
    }

    /// The views that an earlier reading has handed on or kept; a new meter where there are none. Blocks, but not for long:
    /// of a store that does not answer yet they come later.
    pub(crate) fn take(&self, camera: &Camera, handed_on: &HandedOn, runtime: &Handle) -> Taken {
        let handed = handed_on.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(view) = handed {
            return Taken { view, later: None };
        }
        let (answer, mut later) = oneshot::channel();
        let (views, sought) = (self.clone(), camera.clone());
        runtime.spawn(async move { views.load(&sought, answer).await });
        match runtime.block_on(async { tokio::time::timeout(LONGEST_WAIT, &mut later).await }) {
            Ok(view) => Taken {
                view: view.unwrap_or_default(),
                later: None,
            },
            Err(_) => Taken {
                view: ViewMeter::new(),
                later: Some(later),
            },
        }
    }

    /// Asks until the store has answered or nobody waits any more.
    async fn load(&self, camera: &Camera, mut answer: oneshot::Sender<ViewMeter>) {
        let (path, mut told) = (Self::path(camera), false);
        loop {
            let got = tokio::select! {
                got = self.store.get(&path) => got,
                () = answer.closed() => return,
            };
            match got {
                Ok(bytes) => {
                    answer.send(read(camera, &bytes)).ok();
                    return;
                }
                Err(error) if error.is_passing() => {
                    if !told {
                        tracing::warn!(camera = %camera.code, %error, "its views are not known yet, trying again");
                    }
                    told = true;
                    tokio::select! {
                        () = tokio::time::sleep(AGAIN) => {}
                        () = answer.closed() => return,
                    }
                }
                Err(error) => {
                    if !matches!(error, EvidenceError::Absent { .. }) {
                        tracing::warn!(camera = %camera.code, %error, "its views are not known, they are learnt anew");
                    }
                    answer.send(ViewMeter::new()).ok();
                    return;
                }
            }
        }
    }

    /// Keeps the views, in the background.
    pub(crate) fn keep(&self, camera: &Camera, view: &ViewMeter, runtime: &Handle) {
        let kept = Kept {
            registered_at: camera.changed_at,
            view: view.lasting(),
        };
        let mut bytes = Vec::new();
        if let Err(error) = ciborium::into_writer(&kept, &mut bytes) {
            tracing::warn!(camera = %camera.code, %error, "its views are not kept");
            return;
        }
        let (store, path, code) = (self.store.clone(), Self::path(camera), camera.code.clone());
        runtime.spawn(async move {
            if let Err(error) = store.replace(&path, bytes).await {
                tracing::warn!(camera = %code, %error, "its views are not kept");
            }
        });
    }
}

/// What was kept; a new meter where it does not count any more.
fn read(camera: &Camera, bytes: &[u8]) -> ViewMeter {
    match ciborium::from_reader::<Kept, _>(bytes) {
        Ok(kept) if kept.registered_at != camera.changed_at => {
            tracing::info!(camera = %camera.code, "was registered anew, its views are learnt anew");
            ViewMeter::new()
        }
        Ok(kept) if kept.view.is_sound() => kept.view,
        Ok(_) | Err(_) => {
            tracing::warn!(camera = %camera.code, "what is kept of its views is damaged, they are learnt anew");
            ViewMeter::new()
        }
    }
}

#[cfg(test)]
#[path = "../../../crates/evidence/tests/support/mod.rs"]
mod s3;

#[cfg(test)]
mod tests {
    use mineseal_domain::{PlaceClass, Sampling};
    use mineseal_picture::{HealthMeter, LumaPlane};

    use super::s3::{Mood, SECRET, Server};
    use super::*;

    fn camera() -> Camera {
        Camera {
            code: "150602007866420100000001".parse().unwrap(),
            mine: "150602007866".parse().unwrap(),
            name: "camera".to_owned(),
            place: PlaceClass::MAIN_SHAFT,
            source: "rtsp://127.0.0.1:1/live".to_owned(),
            credential: None,
            repeat: false,
            sampling: Sampling {
                frames_per_second: 5.0,
                key_frames_only: false,
            },
            analyses: vec![],
            lines: vec![],
            regions: vec![],
            changed_at: UtcMicros(1),
        }
    }

    /// What is known after half a minute of one view.
    fn known() -> ViewMeter {
        let mut meter = HealthMeter::new(&[]);
        for number in 0..150_usize {
            let pixels: Vec<u8> = (0..320 * 180)
                .map(|place| {
                    (40 + place % 320 / 20 * 8 + place / 6400 * 5 + (place * 31 + number * 17) % 3) as u8
                })
                .collect();
            let plane = LumaPlane::new(320, 180, 320, &pixels).unwrap();
            meter.measure_all(UtcMicros(number as i64 * 200_000), &plane, None);
        }
        assert!(meter.view().has_view());
        meter.view().lasting()
    }

    async fn take(views: &Views, handed_on: &HandedOn) -> Taken {
        let (views, handed_on, runtime) = (views.clone(), Arc::clone(handed_on), Handle::current());
        tokio::task::spawn_blocking(move || views.take(&camera(), &handed_on, &runtime))
            .await
            .unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_store_that_is_away_keeps_no_camera_waiting_and_its_views_come_later() {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(&folder.path().join("buckets")).await;
        let store = server
            .store("s3://evidence", &folder.path().join("keys"), SECRET)
            .unwrap();
        let (views, handed_on) = (Views::new(store), HandedOn::default());
        // Nothing is known yet.
        let taken = take(&views, &handed_on).await;
        assert!(taken.later.is_none() && !taken.view.has_view());
        let kept = Kept {
            registered_at: UtcMicros(1),
            view: known(),
        };
        let mut bytes = Vec::new();
        ciborium::into_writer(&kept, &mut bytes).unwrap();
        views.store.replace(&Views::path(&camera()), bytes).await.unwrap();
        assert_eq!(take(&views, &handed_on).await.view, kept.view);

        server.mood.send_replace(Mood::Away);
        let taken = take(&views, &handed_on).await;
        assert!(!taken.view.has_view());
        server.mood.send_replace(Mood::Well);
        assert_eq!(taken.later.unwrap().await.unwrap(), kept.view);
    }
}
