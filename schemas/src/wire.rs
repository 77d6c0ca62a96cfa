//! Avro single-object encoding: 0xC3 0x01, the CRC-64-AVRO fingerprint of the writer's schema in
//! little-endian order, then the body.

use thiserror::Error;

use crate::registry::{self, MAX_RECORD_BYTES, Version, Versions};
use crate::topics::{Record, Topic};

const MARKER: [u8; 2] = [0xC3, 0x01];
const HEADER_BYTES: usize = 10;

/// Why a record could not be written.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum EncodeError {
    /// The Rust type and the schema differ, or a schema of this build is broken.
    #[error("a record for topic {topic} does not fit its schema: {message}")]
    Schema {
        /// Where it was to go.
        topic: Topic,
        /// What Avro says.
        message: String,
    },
    /// Nobody could read it.
    #[error("a record for topic {topic} has {bytes} bytes, at most {MAX_RECORD_BYTES} are allowed")]
    TooLong {
        /// Where it was to go.
        topic: Topic,
        /// Its length with header.
        bytes: usize,
    },
}

/// Why bytes could not be read as a record.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DecodeError {
    /// Not even a header.
    #[error("topic {topic}: {bytes} bytes are too short for a record, its header alone has {HEADER_BYTES}")]
    TooShort {
        /// Whose record was expected.
        topic: Topic,
        /// Length of what came.
        bytes: usize,
    },
    /// Longer than any record may be.
    #[error("topic {topic}: {bytes} bytes are too long for a record, at most {MAX_RECORD_BYTES} are allowed")]
    TooLong {
        /// Whose record was expected.
        topic: Topic,
        /// Length of what came.
        bytes: usize,
    },
    /// Something else than Avro in single-object encoding.
    #[error("topic {topic}: begins with {found} instead of c301; this is not Avro in single-object encoding")]
    BadMarker {
        /// Whose record was expected.
        topic: Topic,
        /// The first two bytes, hexadecimal.
        found: String,
    },
    /// Written with a schema that this build does not know.
    #[error(
        "topic {topic}: schema fingerprint {fingerprint} is unknown to this build; \
         the writer is newer, or the record belongs to another topic"
    )]
    UnknownFingerprint {
        /// Whose record was expected.
        topic: Topic,
        /// The fingerprint's eight bytes in the order of the header, hexadecimal.
        fingerprint: String,
    },
    /// The body is cut off, or does not fit the schema that it names.
    #[error("topic {topic}: the body is cut off or damaged: {message}")]
    Body {
        /// Whose record was expected.
        topic: Topic,
        /// What Avro says.
        message: String,
    },
    /// A whole record, and then something more.
    #[error("topic {topic}: {bytes} bytes follow the end of the record")]
    TrailingBytes {
        /// Whose record was expected.
        topic: Topic,
        /// How many.
        bytes: usize,
    },
    /// A schema of this build is broken; the tests of this crate exclude it.
    #[error("topic {topic}: {message}")]
    Schema {
        /// Whose record was expected.
        topic: Topic,
        /// What Avro says.
        message: String,
    },
}

/// Writes `record` with the newest schema of its topic.
///
/// # Errors
/// See [`EncodeError`].
pub fn encode<R: Record>(record: &R) -> Result<Vec<u8>, EncodeError> {
    let topic = R::TOPIC;
    let versions = registry::versions(topic).map_err(|message| EncodeError::Schema { topic, message })?;
    let bytes = write(record, &versions.newest).map_err(|error| EncodeError::Schema {
        topic,
        message: shortened(&error),
    })?;
    if bytes.len() > MAX_RECORD_BYTES {
        return Err(EncodeError::TooLong {
            topic,
            bytes: bytes.len(),
        });
    }
    Ok(bytes)
}

/// Reads a record that was written with any known version of its topic's schema.
///
/// # Errors
/// See [`DecodeError`]; hostile bytes give an error or a value, never a panic, and never make it allocate more
/// than [`MAX_RECORD_BYTES`] for one field.
pub fn decode<R: Record>(bytes: &[u8]) -> Result<R, DecodeError> {
    let versions = registry::versions(R::TOPIC).map_err(|message| DecodeError::Schema {
        topic: R::TOPIC,
        message,
    })?;
    decode_with(bytes, versions)
}

/// The fingerprint of the newest schema of `topic` in the order of the header, hexadecimal.
///
/// # Errors
/// A schema of this build is broken; the tests of this crate exclude it.
pub fn fingerprint(topic: Topic) -> Result<String, DecodeError> {
    let versions = registry::versions(topic).map_err(|message| DecodeError::Schema { topic, message })?;
    Ok(hexadecimal(&versions.newest.fingerprint))
}

fn write<R: Record>(record: &R, version: &Version<'_>) -> Result<Vec<u8>, apache_avro::Error> {
    let mut bytes = header(version);
    version.writer.write_ser(&mut bytes, record)?;
    Ok(bytes)
}

fn header(version: &Version<'_>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    bytes.extend_from_slice(&MARKER);
    bytes.extend_from_slice(&version.fingerprint);
    bytes
}

fn decode_with<R: Record>(bytes: &[u8], versions: &Versions<'_>) -> Result<R, DecodeError> {
    let topic = R::TOPIC;
    let Some((marker, rest)) = bytes.split_first_chunk::<2>() else {
        return Err(DecodeError::TooShort {
            topic,
            bytes: bytes.len(),
        });
    };
    let Some((fingerprint, mut body)) = rest.split_first_chunk::<8>() else {
        return Err(DecodeError::TooShort {
            topic,
            bytes: bytes.len(),
        });
    };
    if *marker != MARKER {
        return Err(DecodeError::BadMarker {
            topic,
            found: hexadecimal(marker),
        });
    }
    if bytes.len() > MAX_RECORD_BYTES {
        return Err(DecodeError::TooLong {
            topic,
            bytes: bytes.len(),
        });
    }
    let damaged = |error: apache_avro::Error| DecodeError::Body {
        topic,
        message: shortened(&error),
    };
    let record = if *fingerprint == versions.newest.fingerprint {
        versions.newest.reader.read_deser(&mut body).map_err(damaged)?
    } else if let Some(older) = versions
        .older
        .iter()
        .find(|version| version.fingerprint == *fingerprint)
    {
        read_older(&mut body, older, &versions.newest).map_err(damaged)?
    } else {
        return Err(DecodeError::UnknownFingerprint {
            topic,
            fingerprint: hexadecimal(fingerprint),
        });
    };
    if body.is_empty() {
        Ok(record)
    } else {
        Err(DecodeError::TrailingBytes {
            topic,
            bytes: body.len(),
        })
    }
}

/// Reads with the older schema, brings the value into the newest one, and takes the record from that: the way
/// from the newest schema to the Rust type is then the same for all.
fn read_older<R: Record>(
    body: &mut &[u8],
    older: &Version<'_>,
    newest: &Version<'_>,
) -> Result<R, apache_avro::Error> {
    let value = older.reader.read_value(body)?.resolve(newest.schema)?;
    let rewritten = newest.writer.write_value_to_vec(value)?;
    newest.reader.read_deser(&mut rewritten.as_slice())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Avro's messages quote whole schemas; the beginning says what is wrong.
fn shortened(error: &apache_avro::Error) -> String {
    const MOST: usize = 300;
    let message = error.to_string();
    if message.chars().count() <= MOST {
        return message;
    }
    let mut short: String = message.chars().take(MOST).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests;
