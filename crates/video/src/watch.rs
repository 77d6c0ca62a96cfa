use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::Cancel;

/// What FFmpeg asks while it waits: is the deadline over, or reading called off?
#[derive(Clone)]
pub(crate) struct Watch {
    cancel: Cancel,
    begun: Instant,
    /// Microseconds after `begun`; `u64::MAX` where there is no deadline.
    until: Arc<AtomicU64>,
    deadline: Option<Duration>,
}

impl Watch {
    /// Without a deadline only the cancel switch interrupts.
    pub(crate) fn new(cancel: Cancel, deadline: Option<Duration>) -> Self {
        let watch = Self {
            cancel,
            begun: Instant::now(),
            until: Arc::new(AtomicU64::new(u64::MAX)),
            deadline,
        };
        watch.wind();
        watch
    }

    /// Starts the deadline anew.
    pub(crate) fn wind(&self) {
        if let Some(deadline) = self.deadline {
            let until = self.begun.elapsed().saturating_add(deadline).as_micros();
            self.until
                .store(u64::try_from(until).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.begun.elapsed().as_micros() >= u128::from(self.until.load(Ordering::Relaxed))
    }

    pub(crate) fn interrupts(&self) -> bool {
        self.is_cancelled() || self.is_over()
    }
}
