//! Real clips, where they lie beside the checkout.

use std::path::{Path, PathBuf};

use mineseal_domain::{HealthCondition, UtcMicros};
use mineseal_video::{OpenSettings, Sampler, Scaler, Source, VideoReader, YuvPicture};

use super::{Watch, show_yuv};

/// Clips of fixed cameras, sorted; none where there are none.
pub(crate) fn clips() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/video");
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| {
        path.extension()
            .is_some_and(|ext| ["mp4", "avi"].iter().any(|known| ext == *known))
    });
    paths.sort();
    paths
}

/// The pictures of a clip, `rate` a second, at most 640 wide, with their times.
pub(crate) fn pictures(path: &Path, rate: f64) -> Vec<(i64, YuvPicture)> {
    let mut reader =
        VideoReader::open(&Source::File(path.to_path_buf()), &OpenSettings::default()).expect("a reader");
    let mut sampler = Sampler::new(rate, reader.facts().frames_per_second).expect("a sampler");
    let mut scaler = Scaler::to_width(640);
    let mut pictures = Vec::new();
    while let Some(decoded) = reader.next().expect("decoded") {
        if sampler.take(decoded.media_time_micros) {
            pictures.push((decoded.media_time_micros, scaler.scale(&decoded).expect("scaled")));
        }
    }
    pictures
}

/// Luma changed by `change`, from picture `from` on.
pub(crate) fn changed(picture: &YuvPicture, change: impl Fn(u8) -> u8) -> YuvPicture {
    let mut planes = picture.planes().clone();
    planes[0].iter_mut().for_each(|luma| *luma = change(*luma));
    YuvPicture::from_planes(picture.width(), picture.height(), planes).expect("planes")
}

/// What is said of that sequence: seconds, and what.
pub(crate) fn judge<'a>(
    pictures: impl Iterator<Item = (i64, &'a YuvPicture)>,
) -> Vec<(f64, HealthCondition)> {
    let mut watch = Watch::default();
    for (at, picture) in pictures {
        show_yuv(picture, |luma, chroma| {
            watch.see_planes(UtcMicros(at), luma, Some(chroma))
        });
    }
    watch
        .said
        .iter()
        .map(|(at, condition)| (at.0 as f64 / 1e6, *condition))
        .collect()
}

/// The pictures as they are up to `from` seconds, then what `fault` makes of each, with its time.
fn with_fault(
    pictures: &[(i64, YuvPicture)],
    from: f64,
    until: f64,
    fault: impl Fn(usize, &[(i64, YuvPicture)]) -> YuvPicture,
) -> Vec<(i64, YuvPicture)> {
    let steps = (pictures.len() as i64 - 1).max(1);
    let step = pictures.last().map_or(200_000, |(at, _)| *at / steps);
    (0..(until * 1e6 / step as f64) as usize)
        .map(|number| {
            let at = number as i64 * step;
            let first = pictures
                .iter()
                .filter(|(at, _)| (*at as f64) < from * 1e6)
                .count();
            let picture = if number < first {
                pictures[number].1.clone()
            } else {
                fault(number - first, &pictures[..first])
            };
            (at, picture)
        })
        .collect()
}

/// Name of a fault, seconds within which it should be found, seconds until it was, and all that was said.
type Found = (&'static str, f64, Option<f64>, Vec<(f64, HealthCondition)>);

/// Faults laid over a real clip of at least 40 s: name, condition and seconds until it was reported.
pub(crate) fn faults(path: &Path) -> Vec<Found> {
    let pictures = pictures(path, 5.0);
    let length = pictures.last().map_or(0.0, |(at, _)| *at as f64 / 1e6);
    let from = (length - 1.0).min(60.0);
    type Fault<'a> = Box<dyn Fn(usize, &[(i64, YuvPicture)]) -> YuvPicture + 'a>;
    let last =
        |known: &[(i64, YuvPicture)], back: usize| known[known.len() - 1 - back % known.len()].1.clone();
    let replay = |seconds: f64| -> Fault<'static> {
        Box::new(move |number, known| {
            let length = (seconds * 5.0) as usize;
            known[known.len() - length + number % length].1.clone()
        })
    };
    let list: Vec<(&'static str, HealthCondition, f64, Fault<'_>)> = vec![
        (
            "covered",
            HealthCondition::Covered,
            30.0,
            Box::new(move |number, known| changed(&last(known, number), |luma| 70 + luma / 60)),
        ),
        (
            "moved by 8 %",
            HealthCondition::Moved,
            30.0,
            Box::new(move |number, known| moved(&last(known, number), 0.08)),
        ),
        (
            "too dark",
            HealthCondition::Dark,
            30.0,
            Box::new(move |number, known| changed(&last(known, number), |luma| 16 + luma / 32)),
        ),
        (
            "over-exposed",
            HealthCondition::OverExposed,
            30.0,
            Box::new(move |number, known| {
                changed(&last(known, number), |luma| luma.saturating_add(170).min(235))
            }),
        ),
        (
            "frozen",
            HealthCondition::Frozen,
            30.0,
            Box::new(move |_, known| last(known, 0)),
        ),
        ("replayed, 10 s", HealthCondition::Replayed, 30.0, replay(10.0)),
        ("replayed, 20 s", HealthCondition::Replayed, 50.0, replay(20.0)),
    ];
    list.into_iter()
        .map(|(name, condition, allowed, fault)| {
            let sequence = with_fault(&pictures, from, from + allowed, fault);
            let said = judge(sequence.iter().map(|(at, picture)| (*at, picture)));
            let found = said
                .iter()
                .find(|(at, found)| *at >= from && *found == condition)
                .map(|(at, _)| at - from);
            (name, allowed, found, said)
        })
        .collect()
}

/// The picture pushed to the right by that share of its width; the edge is repeated.
fn moved(picture: &YuvPicture, share: f32) -> YuvPicture {
    let mut planes = picture.planes().clone();
    let length = picture.row_length(0);
    let by = (picture.width() as f32 * share) as usize;
    for row in planes[0].chunks_exact_mut(length) {
        row.copy_within(..length - by, by);
    }
    YuvPicture::from_planes(picture.width(), picture.height(), planes).expect("planes")
}

/// Prints what is found on the real clips.
pub(crate) fn table() {
    let clips = clips();
    if clips.is_empty() {
        println!("skipped: no clips beside the checkout");
    }
    for path in clips {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let whole = pictures(&path, 5.0);
        let length = whole.last().map_or(0.0, |(at, _)| *at as f64 / 1e6);
        let said = judge(whole.iter().map(|(at, picture)| (*at, picture)));
        println!("{name}: {length:.0} s as it is: said {said:?}");
        for (fault, allowed, found, said) in faults(&path) {
            match found {
                Some(after) => println!("    {fault:<16} found after {after:.1} s of {allowed} s"),
                None => println!("    {fault:<16} not found in {allowed} s, said {said:?}"),
            }
        }
    }
}
