use mineseal_telemetry::Metrics;

use mineseal_domain::CameraCode;

use crate::pressure::Skipped;

/// What is counted for each camera.
#[derive(Clone, Debug)]
pub(crate) struct Counters {
    metrics: Metrics,
}

impl Counters {
    pub(crate) fn new(metrics: Metrics) -> Self {
        Self { metrics }
    }

    pub(crate) fn published(&self, camera: &CameraCode) {
        self.count("frames_published", "Frames that were queued for Kafka", camera);
    }

    pub(crate) fn dropped(&self, camera: &CameraCode, skipped: Skipped) {
        let labels = [("camera", camera.as_str()), ("reason", skipped.name())];
        self.metrics
            .counter(
                "frames_dropped",
                "Live frames that were dropped because Kafka was slow, by what gave way",
                &labels,
            )
            .inc();
    }

    pub(crate) fn corrupt(&self, camera: &CameraCode) {
        self.count("frames_corrupt", "Frames in which the decoder met errors", camera);
    }

    pub(crate) fn fault(&self, camera: &CameraCode) {
        self.count("camera_faults", "Times that a camera's reading broke off", camera);
    }

    pub(crate) fn camera_clock(&self, camera: &CameraCode, ahead_seconds: f64) {
        let labels = [("camera", camera.as_str())];
        self.metrics
            .gauge(
                "camera_clock_ahead_seconds",
                "The camera's clock less ours, by its RTCP sender reports",
                &labels,
            )
            .set(ahead_seconds);
    }

    pub(crate) fn clip(&self, camera: &CameraCode, outcome: &str) {
        let labels = [("camera", camera.as_str()), ("outcome", outcome)];
        self.metrics
            .counter(
                "evidence_clips",
                "Clips that were asked for, by what came of it: stored, gone, refused, failed",
                &labels,
            )
            .inc();
    }

    pub(crate) fn connected(&self, camera: &CameraCode, connected: bool) {
        let labels = [("camera", camera.as_str())];
        let gauge = self.metrics.gauge(
            "camera_connected",
            "1 while the camera's source is being read",
            &labels,
        );
        gauge.set(if connected { 1.0 } else { 0.0 });
    }

    /// The camera is no longer ours to read: somebody else's, paused or removed.
    pub(crate) fn gone(&self, camera: &CameraCode) {
        let labels = [("camera", camera.as_str())];
        for gauge in ["camera_connected", "camera_clock_ahead_seconds"] {
            self.metrics.forget_gauge(gauge, &labels);
        }
    }

    fn count(&self, name: &'static str, help: &'static str, camera: &CameraCode) {
        self.metrics
            .counter(name, help, &[("camera", camera.as_str())])
            .inc();
    }
}
