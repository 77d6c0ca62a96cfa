use std::time::Duration;

use mineseal_bus::Bus;
use mineseal_telemetry::{Health, Metrics, ServiceState};
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

/// A service whose monitor gives no sign for so long hangs.
const SILENCE: Duration = Duration::from_secs(60);

/// Reports what a service's bus sees as health and metrics, every second until `shutdown`.
///
/// `work` is a probe of the service's own loop: it stops beating when that future's task has ended.
pub async fn watch_bus(
    service: &'static str,
    bus: Bus,
    health: Health,
    metrics: Metrics,
    shutdown: CancellationToken,
) {
    health.register(service, SILENCE);
    let mut ticks = interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            _ = ticks.tick() => {}
        }
        let statistics = bus.statistics().snapshot();
        if statistics.unreachable {
            health.set(service, ServiceState::Waiting, "no Kafka broker can be reached");
        } else {
            health.set(service, ServiceState::Ready, "");
        }
        report_bus(service, &bus, &metrics);
    }
    health.set(service, ServiceState::Draining, "");
}

/// Puts what a service's bus has counted into its metrics: records, lag, rebalances, failed commits.
pub fn report_bus(service: &'static str, bus: &Bus, metrics: &Metrics) {
    let statistics = bus.statistics().snapshot();
    for topic in &statistics.topics {
        let name = topic.topic.name();
        let labels = [("service", service), ("topic", name)];
        let set = |metric: &'static str, help: &'static str, value: u64| {
            if value > 0 {
                metrics.gauge(metric, help, &labels).set(value as f64);
            }
        };
        set(
            "records_published",
            "Records that all replicas have",
            topic.published,
        );
        set("records_received", "Records that were read", topic.received);
        set(
            "records_dead",
            "Records that went to dead-letters",
            topic.dead_letters,
        );
        set(
            "publish_failures",
            "Records that Kafka refused for good",
            topic.publish_failures,
        );
        if topic.received > 0 {
            metrics
                .gauge("lag_records", "Records behind the end of the topic", &labels)
                .set(topic.lag as f64);
        }
    }
    let labels = [("service", service)];
    metrics
        .gauge("rebalances", "Times that partitions came or went", &labels)
        .set(statistics.rebalances as f64);
    metrics
        .gauge(
            "clients_without_brokers",
            "Times that a Kafka client had lost every broker and was given the configured ones again",
            &labels,
        )
        .set(statistics.clients_without_brokers as f64);
    metrics
        .gauge("commit_failures", "Offset commits that failed", &labels)
        .set(statistics.commit_failures as f64);
}
