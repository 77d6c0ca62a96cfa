use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Names and values of one series; keep the number of different values small.
pub type Labels = Vec<(String, String)>;

/// Upper bounds of a histogram's buckets, ascending; what is above the last is counted too.
#[derive(Clone, Copy, Debug)]
struct Buckets(&'static [f64]);

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

#[derive(Default)]
struct Inner {
    registry: Registry,
    counters: BTreeMap<&'static str, Family<Labels, Counter>>,
    gauges: BTreeMap<&'static str, Family<Labels, Gauge<f64, std::sync::atomic::AtomicU64>>>,
    histograms: BTreeMap<&'static str, Family<Labels, Histogram, Buckets>>,
}

/// The metrics of a process; cheap to clone.
#[derive(Clone, Default)]
pub struct Metrics {
    inner: Arc<Mutex<Inner>>,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Metrics").finish_non_exhaustive()
    }
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

impl Metrics {
    /// A counter `mineseal_<name>_total`; made at first use.
    #[must_use]
    pub fn counter(&self, name: &'static str, help: &'static str, pairs: &[(&str, &str)]) -> Counter {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if !inner.counters.contains_key(name) {
            let family = Family::<Labels, Counter>::default();
            inner
                .registry
                .register(format!("mineseal_{name}"), help, family.clone());
            inner.counters.insert(name, family);
        }
        inner
            .counters
            .get(name)
            .map(|family| family.get_or_create(&labels(pairs)).clone())
            .unwrap_or_default()
    }

    /// A gauge `mineseal_<name>`; made at first use.
    #[must_use]
    pub fn gauge(
        &self,
        name: &'static str,
        help: &'static str,
        pairs: &[(&str, &str)],
    ) -> Gauge<f64, std::sync::atomic::AtomicU64> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if !inner.gauges.contains_key(name) {
            let family = Family::<Labels, Gauge<f64, std::sync::atomic::AtomicU64>>::default();
            inner
                .registry
                .register(format!("mineseal_{name}"), help, family.clone());
            inner.gauges.insert(name, family);
        }
        inner
            .gauges
            .get(name)
            .map(|family| family.get_or_create(&labels(pairs)).clone())
            .unwrap_or_default()
    }

    /// Ends a gauge's series: what it told of is no longer there, which is not the same as 0. Does nothing where there is
    /// none.
    pub fn forget_gauge(&self, name: &str, pairs: &[(&str, &str)]) {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(family) = inner.gauges.get(name) {
            family.remove(&labels(pairs));
        }
    }

    /// A histogram `mineseal_<name>`; made at first use, with the buckets that stand there.
    #[must_use]
    pub fn histogram(
        &self,
        name: &'static str,
        help: &'static str,
        buckets: &'static [f64],
        pairs: &[(&str, &str)],
    ) -> Histogram {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if !inner.histograms.contains_key(name) {
            let family = Family::new_with_constructor(Buckets(buckets));
            inner
                .registry
                .register(format!("mineseal_{name}"), help, family.clone());
            inner.histograms.insert(name, family);
        }
        let known = inner
            .histograms
            .get(name)
            .map(|family| family.get_or_create(&labels(pairs)).clone());
        known.unwrap_or_else(|| Buckets(buckets).new_metric())
    }

    /// All series in the OpenMetrics text format.
    #[must_use]
    pub fn text(&self) -> String {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        if encode(&mut text, &inner.registry).is_err() {
            tracing::warn!("metrics could not be written");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_and_labels_are_one_series() {
        let metrics = Metrics::default();
        metrics
            .counter("frames_published", "Frames published", &[("camera", "1")])
            .inc();
        metrics
            .counter("frames_published", "Frames published", &[("camera", "1")])
            .inc_by(2);
        metrics
            .gauge("headcount", "People underground", &[("mine", "2")])
            .set(7.0);
        let text = metrics.text();
        assert!(
            text.contains("mineseal_frames_published_total{camera=\"1\"} 3"),
            "{text}"
        );
        assert!(text.contains("mineseal_headcount{mine=\"2\"} 7"), "{text}");
    }

    #[test]
    fn a_forgotten_gauge_is_told_no_more_and_can_come_again() {
        let metrics = Metrics::default();
        let of = |camera: &'static str| metrics.gauge("connected", "Read", &[("camera", camera)]);
        of("1").set(1.0);
        of("2").set(1.0);
        metrics.forget_gauge("connected", &[("camera", "1")]);
        metrics.forget_gauge("connected", &[("camera", "3")]);
        metrics.forget_gauge("unheard_of", &[]);
        let text = metrics.text();
        assert!(
            !text.contains("camera=\"1\"") && text.contains("camera=\"2\""),
            "{text}"
        );
        of("1").set(0.0);
        assert!(metrics.text().contains("mineseal_connected{camera=\"1\"} 0"));
    }

    #[test]
    fn a_histogram_has_the_buckets_of_its_first_use() {
        let metrics = Metrics::default();
        for value in [0.5, 1.5, 1.5, 9.0] {
            metrics
                .histogram("wait_seconds", "Waiting", &[1.0, 2.0], &[("stage", "net")])
                .observe(value);
        }
        let text = metrics.text();
        for line in [
            "mineseal_wait_seconds_bucket{le=\"1.0\",stage=\"net\"} 1",
            "mineseal_wait_seconds_bucket{le=\"2.0\",stage=\"net\"} 3",
            "mineseal_wait_seconds_bucket{le=\"+Inf\",stage=\"net\"} 4",
            "mineseal_wait_seconds_count{stage=\"net\"} 4",
            "mineseal_wait_seconds_sum{stage=\"net\"} 12.5",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
