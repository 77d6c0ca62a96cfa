use std::collections::BTreeMap;
use std::fmt;

/// Records behind the end of a topic, by service and topic, over the run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lags {
    seen: BTreeMap<(String, String), Vec<f64>>,
}

impl Lags {
    /// Takes every `mineseal_lag_records` of a page of metrics.
    pub fn add(&mut self, metrics: &str) {
        for row in metrics
            .lines()
            .filter(|row| row.starts_with("mineseal_lag_records{"))
        {
            let label = |name: &str| {
                let (_, rest) = row.split_once(&format!("{name}=\""))?;
                Some(rest.split_once('"')?.0.to_owned())
            };
            let value = row.rsplit(' ').next().and_then(|value| value.parse().ok());
            if let (Some(service), Some(topic), Some(value)) = (label("service"), label("topic"), value) {
                self.seen.entry((service, topic)).or_default().push(value);
            }
        }
    }

    /// Service, topic, and the lag's median in the first and the last third of the run, and its highest. Two
    /// medians that are alike say that the service keeps up.
    #[must_use]
    pub fn rows(&self) -> Vec<(String, String, f64, f64, f64)> {
        self.seen
            .iter()
            .map(|((service, topic), values)| {
                let third = values.len().div_ceil(3);
                (
                    service.clone(),
                    topic.clone(),
                    median(&values[..third]),
                    median(&values[values.len() - third..]),
                    values.iter().copied().fold(0.0, f64::max),
                )
            })
            .collect()
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

/// One stage's latencies, milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct StageRow {
    /// Such as `captured_to_stored`.
    pub stage: String,
    /// Half took at most so long.
    pub p50: f64,
    /// 95 % took at most so long.
    pub p95: f64,
    /// The longest.
    pub max: f64,
}

/// What a run gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Mines driven.
    pub mines: u32,
    /// Length of the measured part, seconds.
    pub seconds: f64,
    /// Frames a second that the plan asks for.
    pub asked: f64,
    /// Frames whose result was stored in that time.
    pub frames: u64,
    /// Crossings stored in that time.
    pub crossings: u64,
    /// Latencies of frames, then of crossings.
    pub stages: Vec<StageRow>,
    /// Lags over the run.
    pub lags: Lags,
    /// Part of the run, resident megabytes at its end, and cores that it used.
    pub processes: Vec<(String, f64, f64)>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} mines, {:.0} s: {:.1} frames/s stored of {:.1} asked for, {} crossings",
            self.mines,
            self.seconds,
            self.frames as f64 / self.seconds,
            self.asked,
            self.crossings
        )?;
        writeln!(
            f,
            "\n| stage | p50 ms | p95 ms | max ms |\n| --- | --- | --- | --- |"
        )?;
        for StageRow { stage, p50, p95, max } in &self.stages {
            writeln!(f, "| {stage} | {p50:.0} | {p95:.0} | {max:.0} |")?;
        }
        writeln!(
            f,
            "\n| service | topic | lag at first | lag at last | highest |\n| --- | --- | --- | --- | --- |"
        )?;
        for (service, topic, first, last, highest) in self.lags.rows() {
            writeln!(
                f,
                "| {service} | {topic} | {first:.0} | {last:.0} | {highest:.0} |"
            )?;
        }
        writeln!(f, "\n| process | resident MB | cores |\n| --- | --- | --- |")?;
        for (name, megabytes, cores) in &self.processes {
            writeln!(f, "| {name} | {megabytes:.0} | {cores:.2} |")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lags_are_taken_from_the_metrics_by_service_and_topic() {
        let mut lags = Lags::default();
        for value in [3, 1, 2, 9, 5, 5] {
            lags.add(&format!(
                "# HELP\nmineseal_lag_records{{service=\"inference\",topic=\"frames\"}} {value}.0\nmineseal_other 5\n"
            ));
        }
        assert_eq!(
            lags.rows(),
            [("inference".to_owned(), "frames".to_owned(), 3.0, 5.0, 9.0)]
        );
    }
}
