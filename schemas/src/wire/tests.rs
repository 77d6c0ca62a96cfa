use apache_avro::Schema;

use super::*;
use crate::{Crossing, samples};

/// The newest schema of `crossings`, with its field `regular` changed by `change` or left out.
fn crossings_schema(name: &str, change: Option<&str>) -> Schema {
    let text = *registry::schema_texts(Topic::Crossings).last().unwrap();
    let field = text
        .lines()
        .skip_while(|line| !line.contains("\"name\": \"regular\""))
        .collect::<Vec<_>>();
    assert!(
        !field.is_empty(),
        "{name}: the schema has lost the field that this test turns on"
    );
    let whole = text
        .lines()
        .filter_map(|line| match (line.contains("\"name\": \"regular\""), change) {
            (true, Some(change)) => Some(change),
            (true, None) => None,
            (false, _) => Some(line),
        })
        .collect::<Vec<_>>()
        .join("\n");
    Schema::parse_str(&whole).unwrap()
}

#[test]
fn what_an_older_build_wrote_is_read_with_the_default_of_the_newer_schema() {
    let older = crossings_schema("older", None);
    let newer = crossings_schema(
        "newer",
        Some(r#"{"name": "regular", "type": "boolean", "default": true, "doc": "As before."},"#),
    );
    let schemas = [older, newer];
    let versions = Versions::new(&schemas).unwrap();

    #[derive(serde::Serialize)]
    struct OlderCrossing {
        id: uuid::Uuid,
        mine: mineseal_domain::MineCode,
        camera: mineseal_domain::CameraCode,
        line: String,
        direction: mineseal_domain::Direction,
        class: mineseal_domain::ObjectClass,
        counted: bool,
        track: i64,
        score: f32,
        captured_at: mineseal_domain::UtcMicros,
        session: uuid::Uuid,
        from_sequence: i64,
        to_sequence: i64,
        path: Vec<mineseal_domain::Point>,
        rule_version: i32,
        model: String,
        frame: crate::FrameLocation,
    }
    let new = samples::samples().unwrap().crossing;
    let old = OlderCrossing {
        id: new.id,
        mine: new.mine.clone(),
        camera: new.camera.clone(),
        line: new.line.clone(),
        direction: new.direction,
        class: new.class,
        counted: new.counted,
        track: new.track,
        score: new.score,
        captured_at: new.captured_at,
        session: new.session,
        from_sequence: new.from_sequence,
        to_sequence: new.to_sequence,
        path: new.path.clone(),
        rule_version: new.rule_version,
        model: new.model.clone(),
        frame: new.frame,
    };
    let mut bytes = header(&versions.older[0]);
    versions.older[0].writer.write_ser(&mut bytes, &old).unwrap();

    assert_eq!(decode_with::<Crossing>(&bytes, &versions), Ok(new));
    for length in 0..bytes.len() {
        assert!(
            decode_with::<Crossing>(&bytes[..length], &versions).is_err(),
            "{length}"
        );
    }
    bytes.push(0);
    assert_eq!(
        decode_with::<Crossing>(&bytes, &versions),
        Err(DecodeError::TrailingBytes {
            topic: Topic::Crossings,
            bytes: 1
        })
    );
}

#[test]
fn errors_say_what_is_wrong_with_the_bytes() {
    let good = encode(&samples::samples().unwrap().crossing).unwrap();
    let topic = Topic::Crossings;
    assert_eq!(
        decode::<Crossing>(&[]),
        Err(DecodeError::TooShort { topic, bytes: 0 })
    );
    assert_eq!(
        decode::<Crossing>(&good[..9]),
        Err(DecodeError::TooShort { topic, bytes: 9 })
    );

    let json = decode::<Crossing>(b"{\"line\":\"mouth\"}");
    assert_eq!(
        json,
        Err(DecodeError::BadMarker {
            topic,
            found: "7b22".into()
        })
    );

    let mut foreign = good.clone();
    foreign[2..10].copy_from_slice(&[0xDE, 0xAD, 0xBE, 0xEF, 0, 1, 2, 3]);
    let error = decode::<Crossing>(&foreign).unwrap_err();
    assert!(error.to_string().contains("deadbeef00010203"), "{error}");

    let wrong_topic = decode::<crate::Alarm>(&good).unwrap_err();
    let named = fingerprint(topic).unwrap();
    assert!(
        matches!(&wrong_topic, DecodeError::UnknownFingerprint { fingerprint, .. } if *fingerprint == named)
    );

    let cut = decode::<Crossing>(&good[..good.len() - 1]).unwrap_err();
    assert!(
        matches!(&cut, DecodeError::Body { message, .. } if !message.is_empty()),
        "{cut:?}"
    );

    let mut longer = good.clone();
    longer.extend_from_slice(&[0, 0]);
    assert_eq!(
        decode::<Crossing>(&longer),
        Err(DecodeError::TrailingBytes { topic, bytes: 2 })
    );
}

#[test]
fn a_value_that_the_rust_type_refuses_is_named() {
    let mut crossing = encode(&samples::samples().unwrap().crossing).unwrap();
    // Header, then the identity, then the length of the mine's code, then its digits.
    crossing[10 + 16 + 1] = b'x';
    let error = decode::<Crossing>(&crossing).unwrap_err().to_string();
    assert!(
        error.contains("mine code") && error.contains("12 digits"),
        "{error}"
    );
}

#[test]
fn records_beyond_the_limit_are_refused_on_both_sides() {
    let mut state = samples::samples().unwrap().counter_state;
    state.state = vec![0; MAX_RECORD_BYTES];
    let bytes = match encode(&state) {
        Err(EncodeError::TooLong { bytes, .. }) => bytes,
        other => panic!("{other:?}"),
    };
    assert!(bytes > MAX_RECORD_BYTES);
    let mut long = encode(&samples::samples().unwrap().counter_state).unwrap();
    long.resize(MAX_RECORD_BYTES + 1, 0);
    assert!(matches!(
        decode::<crate::CounterState>(&long),
        Err(DecodeError::TooLong { bytes, .. }) if bytes == MAX_RECORD_BYTES + 1
    ));
}
