//! From frames to the records that are published.

use std::time::{SystemTime, UNIX_EPOCH};

use mineseal_bus::BusError;
use mineseal_domain::{Detection, UtcMicros};
use mineseal_schemas::{DeadLetter, DetectedBox, Detections, Frame, FrameLocation, Record, encode};

/// As it stands in dead letters, metrics and health.
pub(crate) const SERVICE: &str = "inference";
/// What a dead letter keeps of a value at most: with key, place and reason it must fit into one message.
const MOST_VALUE_BYTES: usize = 7 << 20;

/// What is known of a frame after it was looked at, or passed by.
#[derive(Debug)]
pub(crate) enum Seen {
    /// The detector was not asked.
    Passed,
    /// Best score first.
    Found(Vec<Detection>),
    /// The picture could not be used.
    Unusable,
}

pub(crate) fn detections(
    frame: &Frame,
    location: FrameLocation,
    seen: &Seen,
    model: &str,
    inferred_at: UtcMicros,
) -> Detections {
    let boxes: &[Detection] = if let Seen::Found(boxes) = seen { boxes } else { &[] };
    let as_record = |one: &Detection| DetectedBox {
        class: one.class,
        score: one.score,
        bounding_box: one.bounding_box,
    };
    Detections {
        camera: frame.camera.clone(),
        mine: frame.mine.clone(),
        place: frame.place,
        session: frame.session,
        sequence: frame.sequence,
        captured_at: frame.captured_at,
        published_at: frame.published_at,
        inferred_at,
        width: frame.width,
        height: frame.height,
        corrupt: frame.corrupt || matches!(seen, Seen::Unusable),
        boxes: boxes.iter().map(as_record).collect(),
        model: if matches!(seen, Seen::Passed) {
            String::new()
        } else {
            model.to_owned()
        },
        health: frame.health.clone(),
        view: frame.view,
        source_width: frame.source_width,
        source_height: frame.source_height,
        frame: location,
    }
}

/// Keeps a frame whose picture cannot be used.
pub(crate) fn dead_letter(
    topic: String,
    frame: &Frame,
    location: FrameLocation,
    reason: &str,
    at: UtcMicros,
) -> Result<DeadLetter, BusError> {
    let mut value = encode(frame)?;
    let mut reason = reason.to_owned();
    if value.len() > MOST_VALUE_BYTES {
        reason = format!(
            "{reason} (the first {MOST_VALUE_BYTES} of {} bytes are kept)",
            value.len()
        );
        value.truncate(MOST_VALUE_BYTES);
    }
    Ok(DeadLetter {
        topic,
        partition: location.partition,
        offset: location.offset,
        key: frame.key().into_bytes(),
        value,
        service: SERVICE.to_owned(),
        reason,
        at,
    })
}

pub(crate) fn now() -> UtcMicros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UtcMicros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use mineseal_domain::{BoundingBox, ObjectClass};
    use mineseal_schemas::samples::samples;

    use super::*;

    const LOCATION: FrameLocation = FrameLocation {
        partition: 3,
        offset: 17,
    };

    #[test]
    fn detections_carry_the_frame_and_what_was_seen() {
        let frame = samples().unwrap().frame;
        let bounding_box = BoundingBox {
            left: 1.0,
            top: 2.0,
            width: 3.0,
            height: 4.0,
        };
        let found = Seen::Found(vec![Detection {
            class: ObjectClass::Person,
            score: 0.5,
            bounding_box,
        }]);
        let record = detections(&frame, LOCATION, &found, "yolox-1", UtcMicros(9));
        assert_eq!((record.session, record.sequence), (frame.session, frame.sequence));
        assert_eq!((record.frame, record.inferred_at), (LOCATION, UtcMicros(9)));
        assert_eq!((record.boxes.len(), record.model.as_str()), (1, "yolox-1"));
        assert_eq!(record.corrupt, frame.corrupt);
        assert_eq!(record.key(), frame.mine.as_str());
    }

    #[test]
    fn a_passed_frame_names_no_model_and_an_unusable_one_is_corrupt() {
        let frame = Frame {
            corrupt: false,
            ..samples().unwrap().frame
        };
        let passed = detections(&frame, LOCATION, &Seen::Passed, "yolox-1", UtcMicros(9));
        assert!(passed.boxes.is_empty() && passed.model.is_empty() && !passed.corrupt);
        let unusable = detections(&frame, LOCATION, &Seen::Unusable, "yolox-1", UtcMicros(9));
        assert!(unusable.boxes.is_empty() && unusable.corrupt);
    }

    #[test]
    fn a_dead_letter_keeps_the_whole_frame() {
        let frame = samples().unwrap().frame;
        let letter = dead_letter(
            "mineseal.frames".into(),
            &frame,
            LOCATION,
            "no picture",
            UtcMicros(9),
        )
        .unwrap();
        assert_eq!(mineseal_schemas::decode::<Frame>(&letter.value).unwrap(), frame);
        assert_eq!(
            (letter.partition, letter.offset, letter.reason.as_str()),
            (3, 17, "no picture")
        );
    }
}
