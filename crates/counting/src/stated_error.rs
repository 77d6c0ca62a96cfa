use serde::{Deserialize, Serialize};

/// Two-sided 95 % of the normal distribution.
const NORMAL_95: f64 = 1.959_964;

/// How wrong the counts are, as the last audit (`make audit`) found it: the only source of that figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatedError {
    /// Day of the audit, UTC, `yyyy-MM-dd`.
    pub measured_on: String,
    /// Version of the crossing rule that was audited.
    pub rule_version: i32,
    /// The product's own weights that were audited, as published detections name them.
    pub weights: String,
    /// Each thing that was counted.
    pub rows: Vec<ErrorRow>,
}

/// The errors in one thing that was counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorRow {
    /// What was counted.
    pub what: String,
    /// The same for operators.
    pub chinese: String,
    /// True crossings.
    pub crossings: u64,
    /// True crossings that were not counted.
    pub missed: u64,
    /// Crossings that were counted and were none.
    pub false_crossings: u64,
    /// Missed and false ones in 100 true ones.
    pub errors_in_100: f64,
    /// Between these the rate lies with a confidence of 95 %, crossings taken as independent (people in one group are
    /// not quite).
    pub interval_95: [f64; 2],
}

impl StatedError {
    /// Of the last audit.
    ///
    /// # Errors
    /// Never, while the committed file is one that the audit wrote; a test holds it.
    pub fn newest() -> serde_json::Result<Self> {
        serde_json::from_str(include_str!("../../../config/count-error.json"))
    }
}

impl ErrorRow {
    /// With the rate and its interval (Wilson, 1927), to a tenth.
    #[must_use]
    pub fn new(what: &str, chinese: &str, crossings: u64, missed: u64, false_crossings: u64) -> Self {
        let errors = missed.saturating_add(false_crossings);
        let tenth = |share: f64| (1000.0 * share).round() / 10.0;
        let (low, high) = wilson(errors.min(crossings), crossings);
        Self {
            what: what.to_owned(),
            chinese: chinese.to_owned(),
            crossings,
            missed,
            false_crossings,
            errors_in_100: tenth(errors as f64 / crossings.max(1) as f64),
            interval_95: [tenth(low), tenth(high)],
        }
    }

    /// A row of a Markdown table.
    #[must_use]
    pub fn markdown(&self) -> String {
        let [low, high] = self.interval_95;
        format!(
            "| {} | {} | {} | {} | {:.1} | {low:.1} to {high:.1} |",
            self.what, self.crossings, self.missed, self.false_crossings, self.errors_in_100
        )
    }
}

/// The interval for a share of `errors` in `trials`.
fn wilson(errors: u64, trials: u64) -> (f64, f64) {
    if trials == 0 {
        return (0.0, 1.0);
    }
    let (share, trials) = (errors as f64 / trials as f64, trials as f64);
    let square = NORMAL_95 * NORMAL_95;
    let centre = share + square / (2.0 * trials);
    let reach = NORMAL_95 * (share * (1.0 - share) / trials + square / (4.0 * trials * trials)).sqrt();
    let whole = 1.0 + square / trials;
    (
        ((centre - reach) / whole).max(0.0),
        ((centre + reach) / whole).min(1.0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_wilsons() {
        // Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263 and 0 of 20.
        let row = ErrorRow::new("", "", 263, 81, 0);
        assert_eq!((row.errors_in_100, row.interval_95), (30.8, [25.5, 36.6]));
        assert_eq!(ErrorRow::new("", "", 20, 0, 0).interval_95, [0.0, 16.1]);
        assert_eq!(ErrorRow::new("", "", 0, 0, 0).interval_95, [0.0, 100.0]);
        assert_eq!(ErrorRow::new("", "", 2, 2, 3).interval_95[1], 100.0);
    }

    #[test]
    fn the_committed_audit_is_whole_and_the_document_says_the_same() {
        let stated = StatedError::newest().unwrap();
        let document = include_str!("../../../docs/performance.md");
        assert!(
            document.contains(&stated.measured_on),
            "docs/performance.md does not name the audit of {}",
            stated.measured_on
        );
        assert!(!stated.rows.is_empty());
        for row in &stated.rows {
            let again = ErrorRow::new(
                &row.what,
                &row.chinese,
                row.crossings,
                row.missed,
                row.false_crossings,
            );
            assert_eq!(*row, again);
            assert!(
                document.contains(&row.markdown()),
                "not in docs/performance.md: {}",
                row.markdown()
            );
        }
    }
}
