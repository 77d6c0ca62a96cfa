use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use mineseal_bus::Table;
use mineseal_domain::{CameraCode, UtcMicros};
use mineseal_schemas::Camera;

/// Knows which cameras a platform was told of: it takes nothing of a camera that is not registered there.
#[derive(Debug)]
pub(crate) struct Registrar {
    cameras: Table<Camera>,
    told: Mutex<BTreeMap<CameraCode, UtcMicros>>,
}

impl Registrar {
    pub(crate) fn new(cameras: Table<Camera>) -> Self {
        Self {
            cameras,
            told: Mutex::new(BTreeMap::new()),
        }
    }

    /// The camera's registration, if the platform was not told of this version by this process.
    pub(crate) fn missing(&self, code: &CameraCode) -> Option<Camera> {
        let camera = self.cameras.get(code.as_str())?.value.clone();
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        (told.get(code) != Some(&camera.changed_at)).then_some(camera)
    }

    /// The platform took it.
    pub(crate) fn told(&self, camera: &Camera) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.insert(camera.code.clone(), camera.changed_at);
    }
}
