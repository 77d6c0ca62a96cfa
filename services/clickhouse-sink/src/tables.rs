use mineseal_schemas::{
    Activity, Alarm, CameraHealth, Crossing, DecodeError, Detections, Disposition, Evidence, Headcount,
    Receipt, Topic, decode,
};
use mineseal_store::{RecordPlace, Store, StoreError, StoredRecord, StoredRow};

macro_rules! stored_topics {
    ($($topic:ident => $record:ty),+ $(,)?) => {
        /// The topics that are stored.
        pub(crate) const TOPICS: &[Topic] = &[$(Topic::$topic),+];

        /// Rows of one table.
        #[derive(Debug)]
        pub(crate) enum Rows {
            $($topic(Vec<<$record as StoredRecord>::Row>)),+
        }

        impl Rows {
            /// No rows of the table that belongs to `topic`; `None` where none does.
            pub(crate) fn none_of(topic: Topic) -> Option<Self> {
                match topic {
                    $(Topic::$topic => Some(Self::$topic(Vec::new())),)+
                    _ => None,
                }
            }

            /// Adds the row of a record.
            pub(crate) fn add(&mut self, value: &[u8], place: RecordPlace) -> Result<(), DecodeError> {
                match self {
                    $(Self::$topic(rows) => rows.push(decode::<$record>(value)?.into_row(place)),)+
                }
                Ok(())
            }

            pub(crate) fn len(&self) -> usize {
                match self {
                    $(Self::$topic(rows) => rows.len(),)+
                }
            }

            /// The table's name.
            pub(crate) fn table(&self) -> &'static str {
                match self {
                    $(Self::$topic(_) => <$record as StoredRecord>::Row::TABLE,)+
                }
            }

            /// Sends all of them in one insert.
            pub(crate) async fn store(&self, store: &Store, token: &str) -> Result<(), StoreError> {
                match self {
                    $(Self::$topic(rows) => store.insert_batch(rows, token).await,)+
                }
            }

            /// Stores those that are missing of an earlier attempt.
            pub(crate) async fn repeat(&self, store: &Store, token: &str) -> Result<(), StoreError> {
                match self {
                    $(Self::$topic(rows) => store.repeat_batch(rows, token).await,)+
                }
            }
        }
    };
}

stored_topics! {
    Crossings => Crossing,
    Headcounts => Headcount,
    Activity => Activity,
    Alarms => Alarm,
    CameraHealth => CameraHealth,
    Detections => Detections,
    Evidence => Evidence,
    Dispositions => Disposition,
    Receipts => Receipt,
}
