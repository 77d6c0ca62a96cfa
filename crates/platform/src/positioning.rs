//! Files of the positioning system (人员定位): who is underground by his card (`domain.md` 4.5).

use std::collections::BTreeMap;

use mineseal_domain::{MineCode, UtcMicros};
use mineseal_schemas::Positioning;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// Larger than any mine's list of people.
const MOST_BYTES: usize = 64 << 20;

/// Why a file tells nothing.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PositioningError {
    /// Its name has not the form `MINE_RYSS_TIME.txt`.
    #[error(
        "{0:?} is no name of a positioning file; they are called MINE_RYSS_yyyyMMddHHmmss.txt, where MINE has twelve digits"
    )]
    Name(String),
    /// It is of a kind that says nothing about where people are now.
    #[error("{name:?} is of kind {kind}; only RYSS says who is underground now")]
    Kind {
        /// The file's name.
        name: String,
        /// The kind in it.
        kind: String,
    },
    /// Its content is not what its name promises.
    #[error("{name:?} cannot be used: {reason}")]
    Content {
        /// The file's name.
        name: String,
        /// What is wrong.
        reason: String,
    },
}

/// Reads a RYSS file: a header `mine;…;time~`, then for each card `card;name;flag;…~`, then `||`. Those with flag 1 are
/// underground; the last record of a card holds.
///
/// # Errors
/// A name of another form or kind; a file that is cut off, is not UTF-8, has full-width separators, another mine in its
/// header than in its name, no time, or a record without a card or with a flag that is none.
pub fn read_positioning(name: &str, bytes: &[u8]) -> Result<Positioning, PositioningError> {
    let (mine, kind) = parts_of_name(name).ok_or_else(|| PositioningError::Name(name.to_owned()))?;
    if kind != "RYSS" {
        return Err(PositioningError::Kind {
            name: name.to_owned(),
            kind: kind.to_owned(),
        });
    }
    let (people, at) = read_content(&mine, bytes).map_err(|reason| PositioningError::Content {
        name: name.to_owned(),
        reason,
    })?;
    Ok(Positioning {
        mine,
        people,
        at,
        file: name.to_owned(),
        sha256: Sha256::digest(bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
    })
}

/// Mine and kind.
fn parts_of_name(name: &str) -> Option<(MineCode, &str)> {
    let mut parts = name.strip_suffix(".txt")?.split('_');
    let (mine, kind, time) = (parts.next()?, parts.next()?, parts.next()?);
    UtcMicros::from_shanghai(time)?;
    parts.next().is_none().then_some(())?;
    Some((mine.parse().ok()?, kind))
}

fn read_content(mine: &MineCode, bytes: &[u8]) -> Result<(i64, UtcMicros), String> {
    if bytes.len() > MOST_BYTES {
        return Err(format!("{} bytes; at most {MOST_BYTES} are read", bytes.len()));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    let text = text
        .trim_end_matches(['\r', '\n'])
        .strip_suffix("||")
        .ok_or("it does not end with ||, so it is not complete yet")?;
    if text.contains('；') {
        return Err("it has a full-width ； between its fields".to_owned());
    }
    let mut records = text.split('~');
    let header = records.next().unwrap_or_default();
    let of_mine = header.split(';').next().unwrap_or_default();
    if of_mine != mine.as_str() {
        return Err(format!("its header is of mine {of_mine:?}, its name of {mine}"));
    }
    let time = header.rsplit(';').next().unwrap_or_default();
    let at = UtcMicros::from_shanghai(time).ok_or_else(|| format!("{time:?} in its header is no time"))?;
    let mut underground = BTreeMap::new();
    for (number, record) in (1..).zip(records) {
        if record.is_empty() {
            continue;
        }
        let fields: Vec<&str> = record.split(';').collect();
        let (card, flag) = match fields[..] {
            [card, _, flag, ..] if !card.is_empty() => (card, flag),
            _ => return Err(format!("record {number} has no card or no flag")),
        };
        let inside = match flag {
            "1" => true,
            "0" | "2" => false,
            other => return Err(format!("the flag of record {number} is {other:?}, not 0, 1 or 2")),
        };
        underground.insert(card, inside);
    }
    let people = underground.values().filter(|inside| **inside).count();
    Ok((i64::try_from(people).unwrap_or(i64::MAX), at))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "150602007866_RYSS_20240629192424.txt";

    fn file(records: &str) -> String {
        format!("150602007866;示范煤矿;人员定位;某系统;2024-06-29 19:24:24~{records}||")
    }

    #[test]
    fn those_with_flag_1_are_underground_and_the_last_record_of_a_card_holds() {
        let text = file("A1;甲;1;;;~A2;乙;2;;;~A3;丙;1;;;~A4;丁;0;;;~A3;丙;2;;;~A5;戊;1~");
        let read = read_positioning(NAME, text.as_bytes()).unwrap();
        assert_eq!((read.people, read.mine.as_str()), (2, "150602007866"));
        assert_eq!(read.at, UtcMicros(1_719_660_264_000_000));
        assert_eq!((read.file.as_str(), read.sha256.len()), (NAME, 64));
        let nobody = read_positioning(NAME, file("").as_bytes()).unwrap();
        assert_eq!(nobody.people, 0);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let whole = file("A1;甲;1~");
        for (bytes, reason) in [
            (whole.as_bytes()[..whole.len() - 1].to_vec(), "not complete"),
            (b"150602007866;\xff||".to_vec(), "UTF-8"),
            (whole.replace("A1;甲", "A1；甲").into_bytes(), "full-width"),
            (
                whole.replace("150602007866", "150602007867").into_bytes(),
                "its header is of mine",
            ),
            (whole.replace("19:24:24", "19:24").into_bytes(), "is no time"),
            (file("A1;甲~").into_bytes(), "record 1"),
            (file("A1;甲;1~;乙;1~").into_bytes(), "record 2"),
            (file("A1;甲;3~").into_bytes(), "not 0, 1 or 2"),
        ] {
            let error = read_positioning(NAME, &bytes).unwrap_err().to_string();
            assert!(error.contains(reason) && error.contains(NAME), "{error}");
        }
        for name in [
            "150602007866_RYSS.txt",
            "1506020078_RYSS_20240629192424.txt",
            "x",
            "150602007866_RYSS_20240629192424.zip",
        ] {
            assert_eq!(
                read_positioning(name, whole.as_bytes()),
                Err(PositioningError::Name(name.to_owned()))
            );
        }
        let other = read_positioning("150602007866_RYQY_20240629192424.txt", whole.as_bytes());
        assert!(other.unwrap_err().to_string().contains("RYQY"));
    }
}
