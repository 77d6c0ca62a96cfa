//! Every record goes there and back, byte for byte as it was recorded, and hostile bytes do no harm.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fmt::Debug;
use std::path::Path;

use mineseal_schemas::samples::{self, Samples};
use mineseal_schemas::{
    Activity, Alarm, Camera, CameraHealth, CounterState, Crossing, DeadLetter, DecodeError, Detections,
    Disposition, Evidence, EvidenceRequest, Frame, Headcount, Mine, Positioning, Receipt, Record, Topic,
    decode, encode, schema_texts,
};
use proptest::prelude::*;

trait Visit {
    fn visit<R: Record + PartialEq + Debug>(&mut self, record: &R);
}

fn visit_all(visitor: &mut impl Visit) {
    let Samples {
        mine,
        camera,
        frame,
        detections,
        crossing,
        activity,
        camera_health,
        headcount,
        alarm,
        disposition,
        evidence_request,
        evidence,
        positioning,
        correction,
        counter_state,
        receipt,
        dead_letter,
    } = samples::samples().unwrap();
    visitor.visit(&mine);
    visitor.visit(&camera);
    visitor.visit(&frame);
    visitor.visit(&detections);
    visitor.visit(&crossing);
    visitor.visit(&activity);
    visitor.visit(&camera_health);
    visitor.visit(&headcount);
    visitor.visit(&alarm);
    visitor.visit(&disposition);
    visitor.visit(&evidence_request);
    visitor.visit(&evidence);
    visitor.visit(&positioning);
    visitor.visit(&correction);
    visitor.visit(&counter_state);
    visitor.visit(&receipt);
    visitor.visit(&dead_letter);
}

#[test]
fn every_record_goes_there_and_back() {
    struct Both(Vec<Topic>);
    impl Visit for Both {
        fn visit<R: Record + PartialEq + Debug>(&mut self, record: &R) {
            let bytes = encode(record).unwrap();
            assert_eq!(decode::<R>(&bytes).as_ref(), Ok(record));
            self.0.push(R::TOPIC);
        }
    }
    let mut both = Both(Vec::new());
    visit_all(&mut both);
    both.0.sort();
    assert_eq!(both.0, Topic::ALL);
}

#[test]
fn the_bytes_are_those_that_were_recorded() {
    struct Golden;
    impl Visit for Golden {
        fn visit<R: Record + PartialEq + Debug>(&mut self, record: &R) {
            let name = format!("golden/{}-v{}.hex", R::TOPIC, schema_texts(R::TOPIC).len());
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&name);
            let bytes = encode(record).unwrap();
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let lines: Vec<&str> = digits
                .as_bytes()
                .chunks(64)
                .map(|line| std::str::from_utf8(line).unwrap())
                .collect();
            let text = lines.join("\n") + "\n";
            if std::env::var_os("MINESEAL_BLESS").is_some_and(|value| value == "1") {
                std::fs::write(&path, text).unwrap();
            } else {
                let recorded = std::fs::read_to_string(&path)
                    .unwrap_or_else(|error| panic!("{name}: {error}; MINESEAL_BLESS=1 writes it"));
                assert_eq!(
                    text, recorded,
                    "{name}: what is on the bus today could no longer be read"
                );
            }
        }
    }
    visit_all(&mut Golden);
}

#[test]
fn what_was_recorded_with_any_version_is_still_read() {
    struct Recorded;
    impl Visit for Recorded {
        fn visit<R: Record + PartialEq + Debug>(&mut self, _: &R) {
            for version in 1..=schema_texts(R::TOPIC).len() {
                let name = format!("golden/{}-v{version}.hex", R::TOPIC);
                let text =
                    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&name)).unwrap();
                let digits: String = text.split_whitespace().collect();
                let bytes: Vec<u8> = (0..digits.len() / 2)
                    .map(|index| u8::from_str_radix(&digits[2 * index..2 * index + 2], 16).unwrap())
                    .collect();
                decode::<R>(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
            }
        }
    }
    visit_all(&mut Recorded);
}

#[test]
fn a_record_cut_anywhere_is_an_error() {
    struct Cut;
    impl Visit for Cut {
        fn visit<R: Record + PartialEq + Debug>(&mut self, record: &R) {
            let bytes = encode(record).unwrap();
            for length in 0..bytes.len() {
                let result = decode::<R>(&bytes[..length]);
                match result {
                    Err(DecodeError::TooShort { bytes, .. }) => assert!(bytes == length && length < 10),
                    Err(DecodeError::Body { .. }) => assert!(length >= 10),
                    other => panic!("{} cut at {length}: {other:?}", R::TOPIC),
                }
            }
        }
    }
    visit_all(&mut Cut);
}

#[test]
fn lengths_that_promise_the_world_are_refused_at_once() {
    struct Promise;
    impl Visit for Promise {
        fn visit<R: Record + PartialEq + Debug>(&mut self, record: &R) {
            let bytes = encode(record).unwrap();
            // i64::MAX and i64::MIN as zig-zag varints, then a length of 1 TiB.
            for length in [
                vec![0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01],
                vec![0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01],
                vec![0x80, 0x80, 0x80, 0x80, 0x80, 0x40],
            ] {
                for position in 10..bytes.len() {
                    let mut hostile = bytes[..position].to_vec();
                    hostile.extend_from_slice(&length);
                    hostile.extend_from_slice(&bytes[position..]);
                    // Inside a byte string the varint is harmless; everywhere it must come back.
                    if let Ok(value) = decode::<R>(&hostile) {
                        encode(&value).unwrap();
                    }
                }
            }
        }
    }
    visit_all(&mut Promise);
}

struct Flip {
    which: usize,
    flips: Vec<(usize, u8)>,
    seen: usize,
}

impl Visit for Flip {
    fn visit<R: Record + PartialEq + Debug>(&mut self, record: &R) {
        if self.seen == self.which {
            let mut bytes = encode(record).unwrap();
            for &(position, bit) in &self.flips {
                let index = position % bytes.len();
                bytes[index] ^= 1 << (bit % 8);
            }
            // A value that comes out of damaged bytes must be writable again.
            if let Ok(value) = decode::<R>(&bytes) {
                let again = encode(&value).unwrap();
                assert!(decode::<R>(&again).is_ok());
            }
        }
        self.seen += 1;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn flipped_bits_give_an_error_or_a_value(
        which in 0_usize..17,
        flips in prop::collection::vec((any::<usize>(), any::<u8>()), 1..6),
    ) {
        visit_all(&mut Flip { which, flips, seen: 0 });
    }

    #[test]
    fn any_body_gives_an_error_or_a_value(body in prop::collection::vec(any::<u8>(), 0..400)) {
        struct Foreign(Vec<u8>);
        impl Visit for Foreign {
            fn visit<R: Record + PartialEq + Debug>(&mut self, record: &R) {
                let mut bytes = encode(record).unwrap()[..10].to_vec();
                bytes.extend_from_slice(&self.0);
                if let Ok(value) = decode::<R>(&bytes) {
 encode(&value).unwrap();
}
            }
        }
        visit_all(&mut Foreign(body));
    }

    #[test]
    fn frames_of_any_picture_go_there_and_back(
        jpeg in prop::collection::vec(any::<u8>(), 0..40_000),
        sequence in any::<i64>(),
        captured_at in any::<i64>(),
    ) {
        let mut frame = samples::samples().unwrap().frame;
        frame.jpeg = jpeg;
        frame.sequence = sequence;
        frame.captured_at.0 = captured_at;
        let bytes = encode(&frame).unwrap();
        prop_assert!(bytes.len() < frame.jpeg.len() + 400);
        prop_assert_eq!(decode::<Frame>(&bytes), Ok(frame));
    }
}

#[test]
fn keys_decide_the_partition() {
    let all = samples::samples().unwrap();
    let (mine, camera) = ("150602007866", "150602004199960078664301");
    assert_eq!(Mine::key(&all.mine), mine);
    assert_eq!(Camera::key(&all.camera), camera);
    assert_eq!(Frame::key(&all.frame), camera);
    assert_eq!(EvidenceRequest::key(&all.evidence_request), camera);
    assert_eq!(Evidence::key(&all.evidence), camera);
    let by_mine = [
        Detections::key(&all.detections),
        Crossing::key(&all.crossing),
        Activity::key(&all.activity),
        CameraHealth::key(&all.camera_health),
        Headcount::key(&all.headcount),
        Alarm::key(&all.alarm),
        Disposition::key(&all.disposition),
        Positioning::key(&all.positioning),
        CounterState::key(&all.counter_state),
        Receipt::key(&all.receipt),
    ];
    assert!(by_mine.iter().all(|key| key == mine));
    assert_eq!(
        mineseal_schemas::Correction::key(&all.correction),
        all.correction.id.to_string()
    );
    assert_eq!(DeadLetter::key(&all.dead_letter), "150602\u{FFFD}");
}
