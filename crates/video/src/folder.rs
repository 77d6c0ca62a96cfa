use std::cmp::Ordering;
use std::fs;
use std::path::{Path, PathBuf};

use crate::stream::StreamReader;
use crate::{DecodedPicture, OpenSettings, Source, SourceFacts, VideoError};

/// Reads a folder of pictures in name order at a given rate.
pub(crate) struct FolderReader {
    pictures: Vec<PathBuf>,
    next: usize,
    period_micros: f64,
    settings: OpenSettings,
    facts: SourceFacts,
}

impl FolderReader {
    pub(crate) fn open(folder: &Path, settings: &OpenSettings) -> Result<Self, VideoError> {
        let rate = settings.folder_frames_per_second;
        if !(rate > 0.0 && rate <= 1000.0) {
            return Err(VideoError::Sampling {
                frames_per_second: rate,
            });
        }
        let source_name = folder.display().to_string();
        let not_readable = |reason| VideoError::NotReadable {
            source_name: source_name.clone(),
            reason,
        };
        let mut pictures = Vec::new();
        for entry in fs::read_dir(folder).map_err(not_readable)? {
            let path = entry.map_err(not_readable)?.path();
            if is_picture(&path) {
                pictures.push(path);
            }
        }
        pictures.sort_by(|left, right| by_name(&name_of(left), &name_of(right)));
        let Some(first) = pictures.first() else {
            return Err(VideoError::NoPictures { source_name });
        };
        let first = StreamReader::open(&Source::File(first.clone()), settings)?;
        let facts = SourceFacts {
            frames_per_second: Some(rate),
            duration_micros: Some((pictures.len() as f64 * 1e6 / rate).round() as i64),
            ..first.facts().clone()
        };
        Ok(Self {
            pictures,
            next: 0,
            period_micros: 1e6 / rate,
            settings: settings.clone(),
            facts,
        })
    }

    pub(crate) fn facts(&self) -> &SourceFacts {
        &self.facts
    }

    pub(crate) fn next(&mut self) -> Result<Option<DecodedPicture>, VideoError> {
        let Some(path) = self.pictures.get(self.next) else {
            return Ok(None);
        };
        if self.settings.cancel.is_cancelled() {
            return Err(VideoError::Cancelled {
                source_name: path.display().to_string(),
            });
        }
        let media_time = self.media_time(self.next);
        self.next += 1;
        let mut reader = StreamReader::open(&Source::File(path.clone()), &self.settings)?;
        Ok(reader.next()?.map(|picture| picture.at(media_time)))
    }

    pub(crate) fn skip_past(&mut self, media_time_micros: i64) {
        while self.next < self.pictures.len() && self.media_time(self.next) <= media_time_micros {
            self.next += 1;
        }
    }

    fn media_time(&self, index: usize) -> i64 {
        (index as f64 * self.period_micros).round() as i64
    }
}

fn is_picture(path: &Path) -> bool {
    let extension = path
        .extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default();
    let hidden = name_of(path).starts_with('.');
    !hidden
        && ["jpg", "jpeg", "png"]
            .iter()
            .any(|known| extension.eq_ignore_ascii_case(known))
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Name order as people mean it: runs of digits compare as numbers, so `2.jpg` comes before `10.jpg`.
fn by_name(left: &str, right: &str) -> Ordering {
    let (mut left_rest, mut right_rest) = (left, right);
    loop {
        let (left_part, right_part) = (first_part(left_rest), first_part(right_rest));
        if left_part.is_empty() || right_part.is_empty() {
            return left_part
                .len()
                .cmp(&right_part.len())
                .then_with(|| left.cmp(right));
        }
        let are_numbers = [left_part, right_part]
            .iter()
            .all(|part| part.as_bytes()[0].is_ascii_digit());
        let order = if are_numbers {
            let (left_digits, right_digits) = (
                left_part.trim_start_matches('0'),
                right_part.trim_start_matches('0'),
            );
            left_digits
                .len()
                .cmp(&right_digits.len())
                .then_with(|| left_digits.cmp(right_digits))
        } else {
            left_part.cmp(right_part)
        };
        if order != Ordering::Equal {
            return order;
        }
        left_rest = &left_rest[left_part.len()..];
        right_rest = &right_rest[right_part.len()..];
    }
}

/// The leading run of digits, or of anything else.
fn first_part(text: &str) -> &str {
    let digits = text.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
    let end = text.bytes().position(|byte| byte.is_ascii_digit() != digits);
    &text[..end.unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_count_as_numbers() {
        let mut names = [
            "10.jpg",
            "a2b10.png",
            "2.jpg",
            "a2b9.png",
            "002.jpg",
            "b.jpg",
            "a.jpg",
        ];
        names.sort_by(|left, right| by_name(left, right));
        assert_eq!(
            names,
            [
                "002.jpg",
                "2.jpg",
                "10.jpg",
                "a2b9.png",
                "a2b10.png",
                "a.jpg",
                "b.jpg"
            ]
        );
    }
}
