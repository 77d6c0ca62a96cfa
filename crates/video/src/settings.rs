use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::{Decoding, PacketRing};

/// How a camera's packets travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// Inside the RTSP connection: nothing is lost, and it passes firewalls.
    #[default]
    Tcp,
    /// Over UDP, for cameras that cannot do otherwise.
    Udp,
}

/// How a source is opened and read.
#[derive(Clone, Debug)]
pub struct OpenSettings {
    /// A live source that gives nothing for this long is given up; the same holds for opening it. Looking up
    /// a host's name is the system's work and not bound by it.
    pub deadline: Duration,
    /// Decode key frames only.
    pub key_frames_only: bool,
    /// For RTSP, where the address does not say it.
    pub transport: Transport,
    /// Pictures a second in a folder of pictures, which says nothing about it itself.
    pub folder_frames_per_second: f64,
    /// Ends reading from another thread.
    pub cancel: Cancel,
    /// Keeps the last packets of a live source.
    pub ring: Option<Arc<PacketRing>>,
    /// What decodes streams; folders of pictures are always decoded by the processor.
    pub decoding: Decoding,
}

impl Default for OpenSettings {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(10),
            key_frames_only: false,
            transport: Transport::Tcp,
            folder_frames_per_second: 10.0,
            cancel: Cancel::default(),
            ring: None,
            decoding: Decoding::default(),
        }
    }
}

/// Calls reading off from another thread, also where it waits for the network. Clones are the same switch.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// From now on reading gives [`crate::VideoError::Cancelled`].
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether [`Cancel::cancel`] was called.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
