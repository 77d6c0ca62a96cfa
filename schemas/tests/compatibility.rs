//! The law of the schemas: what any older build wrote, every newer build reads.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::Path;

use apache_avro::Schema;
use apache_avro::rabin::Rabin;
use apache_avro::schema_compatibility::{Compatibility, SchemaCompatibility};
use mineseal_schemas::{Topic, schema_texts};

/// Whether `reader` reads everything that `writer` can have written; why not, if not.
fn reads(writer: &str, reader: &str) -> Result<(), String> {
    let parse = |text: &str| Schema::parse_str(text).map_err(|error| error.to_string());
    match SchemaCompatibility::can_read(&parse(writer)?, &parse(reader)?) {
        Ok(Compatibility::Full) => Ok(()),
        Ok(Compatibility::Partial) => Err("some values of the older schema cannot be read".into()),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn every_newer_schema_reads_every_older_one() {
    for topic in Topic::ALL {
        let versions = schema_texts(topic);
        for (newer, reader) in versions.iter().enumerate() {
            for (older, writer) in versions[..=newer].iter().enumerate() {
                if let Err(reason) = reads(writer, reader) {
                    panic!(
                        "avro/{topic}/v{}.avsc cannot read what v{}.avsc wrote: {reason}; \
                         give new fields a default, and never take away symbols or change types",
                        newer + 1,
                        older + 1
                    );
                }
            }
        }
    }
}

#[test]
fn the_checker_refuses_incompatible_changes() {
    let shipped = schema_texts(Topic::Headcounts)[0];
    let changed = |from: &str, to: &str| {
        let text = shipped.replacen(from, to, 1);
        assert_ne!(text, shipped, "the doctored schema must differ: {from}");
        text
    };
    let type_changed = changed(
        r#""name": "left", "type": "long""#,
        r#""name": "left", "type": "string""#,
    );
    // Widths may grow (int to long), never shrink.
    let narrowed = changed(
        r#""name": "left", "type": "long""#,
        r#""name": "left", "type": "int""#,
    );
    let field_without_default = changed(
        r#""fields": ["#,
        r#""fields": [{"name": "added", "type": "string"},"#,
    );
    for (what, text) in [
        ("type", type_changed),
        ("width", narrowed),
        ("field without default", field_without_default),
    ] {
        assert!(reads(shipped, &text).is_err(), "{what}");
    }
    let field_with_default = changed(
        r#""fields": ["#,
        r#""fields": [{"name": "added", "type": "string", "default": ""},"#,
    );
    assert_eq!(reads(shipped, &field_with_default), Ok(()));

    let alarms = schema_texts(Topic::Alarms)[0];
    let symbol_gone = alarms.replacen(
        r#""symbols": ["notice", "warning", "critical"]"#,
        r#""symbols": ["notice", "critical"]"#,
        1,
    );
    assert_ne!(symbol_gone, alarms);
    assert!(reads(alarms, &symbol_gone).is_err());
    let symbol_new = alarms.replacen(
        r#""symbols": ["notice", "warning", "critical"]"#,
        r#""symbols": ["notice", "warning", "critical", "worse"]"#,
        1,
    );
    assert_eq!(reads(alarms, &symbol_new), Ok(()));
    assert!(reads(&symbol_new, alarms).is_err());
}

#[test]
fn versions_are_contiguous_and_all_compiled_in() {
    let avro = Path::new(env!("CARGO_MANIFEST_DIR")).join("avro");
    let mut folders: Vec<String> = avro
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    folders.sort();
    let mut topics: Vec<String> = Topic::ALL.iter().map(|topic| topic.name().to_owned()).collect();
    topics.sort();
    assert_eq!(folders, topics);

    for topic in Topic::ALL {
        let mut files: BTreeMap<usize, String> = BTreeMap::new();
        for entry in avro.join(topic.name()).read_dir().unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let number = name.strip_prefix('v').and_then(|rest| rest.strip_suffix(".avsc"));
            let number = number.and_then(|digits| digits.parse().ok());
            let number = number.unwrap_or_else(|| panic!("avro/{topic}/{name} is not called v<number>.avsc"));
            files.insert(number, std::fs::read_to_string(&path).unwrap());
        }
        let numbers: Vec<usize> = files.keys().copied().collect();
        assert_eq!(numbers, (1..=files.len()).collect::<Vec<_>>(), "avro/{topic}");
        let texts: Vec<&str> = files.values().map(String::as_str).collect();
        assert_eq!(
            texts,
            schema_texts(topic),
            "avro/{topic}: src/registry.rs must name every file, in order"
        );
    }
}

#[test]
fn fingerprints_are_unique_over_all_topics_and_versions() {
    let mut seen: BTreeMap<Vec<u8>, String> = BTreeMap::new();
    for topic in Topic::ALL {
        for (index, text) in schema_texts(topic).iter().enumerate() {
            let name = format!("avro/{topic}/v{}.avsc", index + 1);
            let fingerprint = Schema::parse_str(text).unwrap().fingerprint::<Rabin>().bytes;
            if let Some(other) = seen.insert(fingerprint, name.clone()) {
                panic!(
                    "{name} and {other} have the same fingerprint; docs and defaults alone make no version"
                );
            }
        }
    }
}
