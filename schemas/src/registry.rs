use std::sync::LazyLock;

use apache_avro::rabin::Rabin;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::writer::datum::GenericDatumWriter;
use apache_avro::{Schema, util::max_allocation_bytes};

use crate::topics::Topic;

/// No record is longer than this, and no length inside one is believed beyond it.
pub const MAX_RECORD_BYTES: usize = 16 << 20;

/// Every version of a topic's schema that ever shipped, oldest first: number, text of the file.
///
/// A new version is a new file `avro/<topic>/v<N>.avsc` and a new line here; a file that shipped is never
/// changed again. `tests/compatibility.rs` holds all of them together.
#[must_use]
pub fn schema_texts(topic: Topic) -> &'static [&'static str] {
    match topic {
        Topic::Mines => &[include_str!("../avro/mines/v1.avsc")],
        Topic::Cameras => &[
            include_str!("../avro/cameras/v1.avsc"),
            include_str!("../avro/cameras/v2.avsc"),
        ],
        Topic::Frames => &[
            include_str!("../avro/frames/v1.avsc"),
            include_str!("../avro/frames/v2.avsc"),
            include_str!("../avro/frames/v3.avsc"),
        ],
        Topic::Detections => &[
            include_str!("../avro/detections/v1.avsc"),
            include_str!("../avro/detections/v2.avsc"),
            include_str!("../avro/detections/v3.avsc"),
        ],
        Topic::Crossings => &[
            include_str!("../avro/crossings/v1.avsc"),
            include_str!("../avro/crossings/v2.avsc"),
        ],
        Topic::Activity => &[include_str!("../avro/activity/v1.avsc")],
        Topic::CameraHealth => &[
            include_str!("../avro/camera-health/v1.avsc"),
            include_str!("../avro/camera-health/v2.avsc"),
            include_str!("../avro/camera-health/v3.avsc"),
        ],
        Topic::Headcounts => &[
            include_str!("../avro/headcounts/v1.avsc"),
            include_str!("../avro/headcounts/v2.avsc"),
        ],
        Topic::Alarms => &[
            include_str!("../avro/alarms/v1.avsc"),
            include_str!("../avro/alarms/v2.avsc"),
            include_str!("../avro/alarms/v3.avsc"),
        ],
        Topic::Dispositions => &[include_str!("../avro/dispositions/v1.avsc")],
        Topic::EvidenceRequests => &[include_str!("../avro/evidence-requests/v1.avsc")],
        Topic::Evidence => &[include_str!("../avro/evidence/v1.avsc")],
        Topic::Positioning => &[include_str!("../avro/positioning/v1.avsc")],
        Topic::Corrections => &[include_str!("../avro/corrections/v1.avsc")],
        Topic::CounterState => &[include_str!("../avro/counter-state/v1.avsc")],
        Topic::Receipts => &[include_str!("../avro/receipts/v1.avsc")],
        Topic::DeadLetters => &[include_str!("../avro/dead-letters/v1.avsc")],
    }
}

/// One version of one schema, ready for work.
pub(crate) struct Version<'schema> {
    pub(crate) schema: &'schema Schema,
    /// CRC-64-AVRO of the parsing canonical form, in the byte order of the header (little-endian).
    pub(crate) fingerprint: [u8; 8],
    pub(crate) reader: GenericDatumReader<'schema>,
    pub(crate) writer: GenericDatumWriter<'schema>,
}

/// All versions of one topic.
pub(crate) struct Versions<'schema> {
    pub(crate) older: Vec<Version<'schema>>,
    pub(crate) newest: Version<'schema>,
}

impl<'schema> Versions<'schema> {
    /// From `schemas`, oldest first.
    pub(crate) fn new(schemas: &'schema [Schema]) -> Result<Self, String> {
        let mut versions = schemas.iter().map(version).collect::<Result<Vec<_>, _>>()?;
        let newest = versions.pop().ok_or("a topic without a schema")?;
        Ok(Self {
            older: versions,
            newest,
        })
    }
}

fn version(schema: &Schema) -> Result<Version<'_>, String> {
    let fingerprint = <[u8; 8]>::try_from(schema.fingerprint::<Rabin>().bytes)
        .map_err(|bytes| format!("a fingerprint of {} bytes instead of 8", bytes.len()))?;
    // Binary form of identities, whatever this process has set for itself elsewhere.
    let reader = GenericDatumReader::builder(schema).human_readable(false).build();
    let writer = GenericDatumWriter::builder(schema).human_readable(false).build();
    Ok(Version {
        schema,
        fingerprint,
        reader: reader.map_err(|error| error.to_string())?,
        writer: writer.map_err(|error| error.to_string())?,
    })
}

static SCHEMAS: LazyLock<Result<Vec<Vec<Schema>>, String>> = LazyLock::new(|| {
    // Sets the limit of the whole process, once, before the first byte is decoded.
    max_allocation_bytes(MAX_RECORD_BYTES);
    let parse = |topic: Topic| {
        let versions = schema_texts(topic).iter().enumerate().map(|(index, text)| {
            Schema::parse_str(text).map_err(|error| format!("avro/{topic}/v{}.avsc: {error}", index + 1))
        });
        versions.collect()
    };
    Topic::ALL.into_iter().map(parse).collect()
});

static VERSIONS: LazyLock<Result<Vec<Versions<'static>>, String>> = LazyLock::new(|| {
    let schemas = SCHEMAS.as_ref().map_err(Clone::clone)?;
    schemas.iter().map(|versions| Versions::new(versions)).collect()
});

/// The versions of `topic`; each schema is parsed once in the life of the process.
///
/// # Errors
/// A schema that was compiled in cannot be parsed; the tests of this crate exclude it.
pub(crate) fn versions(topic: Topic) -> Result<&'static Versions<'static>, String> {
    let all = VERSIONS.as_ref().map_err(Clone::clone)?;
    // `Topic::ALL` lists the topics in the order of their declaration.
    all.get(topic as usize)
        .ok_or_else(|| format!("topic {topic} is not in Topic::ALL"))
}
