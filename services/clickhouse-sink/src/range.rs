use mineseal_schemas::Topic;

/// A topic's partition.
pub(crate) type Place = (Topic, i32);

/// Offsets of one partition, from the first record to the last, both included. Offsets between them may be missing:
/// aborted records, the marks of transactions, and what compaction took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) first: i64,
    pub(crate) last: i64,
    /// Timestamp of the first record, milliseconds: a topic that is deleted and made anew has the same offsets at
    /// other times.
    pub(crate) written_at: i64,
}

/// What the metadata of a committed offset begins with when a range follows.
const MARK: &str = "sending ";

impl Range {
    /// What is committed as metadata on the offset `first`, before the range is sent.
    pub(crate) fn to_metadata(self) -> String {
        format!("{MARK}{}..={} of {}", self.first, self.last, self.written_at)
    }

    /// The range in a committed offset's metadata. `None` where there is none.
    pub(crate) fn of_metadata(metadata: &str) -> Option<Self> {
        let (offsets, written_at) = metadata.strip_prefix(MARK)?.split_once(" of ")?;
        let (first, last) = offsets.split_once("..=")?;
        let range = Self {
            first: first.parse().ok()?,
            last: last.parse().ok()?,
            written_at: written_at.parse().ok()?,
        };
        (0 <= range.first && range.first <= range.last).then_some(range)
    }

    /// Under which the rows of this range are stored at most once.
    pub(crate) fn token(self, topic_name: &str, partition: i32) -> String {
        format!(
            "{topic_name}/{partition}/{}/{}/{}",
            self.first, self.last, self.written_at
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_through_metadata() {
        let range = Range {
            first: 17,
            last: 4_711,
            written_at: 1_719_660_264_000,
        };
        assert_eq!(Range::of_metadata(&range.to_metadata()), Some(range));
        assert_eq!(
            range.token("mineseal.crossings", 3),
            "mineseal.crossings/3/17/4711/1719660264000"
        );
        for other in [
            "",
            "sending ",
            "sending 5..=4 of 1",
            "sending -1..=4 of 1",
            "5..=6 of 1",
            "sending 5..=6",
        ] {
            assert_eq!(Range::of_metadata(other), None, "{other}");
        }
    }
}
