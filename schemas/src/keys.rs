use crate::topics::{Record, Topic};
use crate::{
    Activity, Alarm, Camera, CameraHealth, Correction, CounterState, Crossing, DeadLetter, Detections,
    Disposition, Evidence, EvidenceRequest, Frame, Headcount, Mine, Positioning, Receipt,
};

macro_rules! records {
    ($($record:ident in $topic:ident by $($key:ident).+;)+) => {
        $(impl Record for $record {
            const TOPIC: Topic = Topic::$topic;

            fn key(&self) -> String {
                self.$($key).+.as_str().to_owned()
            }
        })+
    };
}

records! {
    Mine in Mines by code;
    Camera in Cameras by code;
    Frame in Frames by camera;
    Detections in Detections by mine;
    Crossing in Crossings by mine;
    Activity in Activity by mine;
    CameraHealth in CameraHealth by mine;
    Headcount in Headcounts by mine;
    Alarm in Alarms by mine;
    Disposition in Dispositions by mine;
    EvidenceRequest in EvidenceRequests by camera;
    Evidence in Evidence by camera;
    Positioning in Positioning by mine;
    CounterState in CounterState by mine;
    Receipt in Receipts by mine;
}

impl Record for Correction {
    const TOPIC: Topic = Topic::Corrections;

    /// Its identity: what the counter made of it takes the place of the order.
    fn key(&self) -> String {
        self.id.to_string()
    }
}

impl Record for DeadLetter {
    const TOPIC: Topic = Topic::DeadLetters;

    /// The key of the original, with U+FFFD for bytes that are not UTF-8; [`DeadLetter::key`] holds them as
    /// they were.
    fn key(&self) -> String {
        String::from_utf8_lossy(&self.key).into_owned()
    }
}
