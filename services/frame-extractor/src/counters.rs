use mineseal_telemetry::Metrics;

use mineseal_domain::CameraCode;

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

    pub(crate) fn dropped(&self, camera: &CameraCode) {
        self.count(
            "frames_dropped",
            "Live frames that were dropped because Kafka was slow",
            camera,
        );
    }

    pub(crate) fn corrupt(&self, camera: &CameraCode) {
        self.count("frames_corrupt", "Frames in which the decoder met errors", camera);
    }

    pub(crate) fn fault(&self, camera: &CameraCode) {
        self.count("camera_faults", "Times that a camera's reading broke off", camera);
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

    fn count(&self, name: &'static str, help: &'static str, camera: &CameraCode) {
        self.metrics
            .counter(name, help, &[("camera", camera.as_str())])
            .inc();
    }
}
