use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use mineseal_bus::Table;
use mineseal_domain::{CameraCode, MineCode, UtcMicros};
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

    /// The camera that speaks for a mine where a platform wants one and what is told concerns the mine as a whole: that
    /// of its first regular mouth, else its first.
    pub(crate) fn speaker(&self, mine: &MineCode) -> Option<CameraCode> {
        let cameras = self.cameras.snapshot();
        let theirs = || {
            cameras
                .values()
                .map(|entry| &entry.value)
                .filter(|camera| camera.mine == *mine)
        };
        theirs()
            .find(|camera| camera.place.is_mouth())
            .or_else(|| theirs().next())
            .map(|camera| camera.code.clone())
    }

    /// The platform took it.
    pub(crate) fn told(&self, camera: &Camera) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.insert(camera.code.clone(), camera.changed_at);
    }
}
