//! What is known of each camera's views, kept beside the evidence: a camera that was turned while nobody looked is
//! found when it is read again, by whichever extractor.

use std::sync::{Arc, Mutex, PoisonError};

use mineseal_domain::UtcMicros;
use mineseal_evidence::{EvidenceError, EvidenceStore};
use mineseal_picture::ViewMeter;
use mineseal_schemas::Camera;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

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

    /// The views that an earlier reading has handed on or kept; a new meter where there are none. Blocks.
    pub(crate) fn take(&self, camera: &Camera, handed_on: &HandedOn, runtime: &Handle) -> ViewMeter {
        let handed = handed_on.lock().unwrap_or_else(PoisonError::into_inner).take();
        handed.unwrap_or_else(|| runtime.block_on(self.load(camera)))
    }

    async fn load(&self, camera: &Camera) -> ViewMeter {
        let bytes = match self.store.get(&Self::path(camera)).await {
            Ok(bytes) => bytes,
            Err(EvidenceError::Absent { .. }) => return ViewMeter::new(),
            Err(error) => {
                tracing::warn!(camera = %camera.code, %error, "its views are not known, they are learnt anew");
                return ViewMeter::new();
            }
        };
        match ciborium::from_reader::<Kept, _>(bytes.as_slice()) {
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
