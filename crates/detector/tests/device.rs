//! The net on a device against the net on the processor. With the feature `emulation` the device is emulated, and the
//! inputs are small; with `cuda` it is the first one of the machine, and where `MINESEAL_REQUIRE_DEVICE` is set, its
//! absence is a failure.
#![cfg(any(feature = "cuda", feature = "emulation"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod support {
    pub(crate) mod weights;
}

use std::path::PathBuf;

use mineseal_detector::{
    Detector, DetectorError, DetectorSettings, Device, InputSize, PictureRef, RgbPicture, YoloxDetector,
    own_weights, read_image_file,
};
use mineseal_domain::{BoundingBox, Detection};
use support::weights::{METADATA, save, tensors};
use tempfile::TempDir;

/// How far apart the two may be at most, and on average. The device keeps maps as f16, of 11 bits, through some sixty
/// layers; what the cells say runs from -10 to 10.
const RAW_TOLERANCE: f32 = 0.25;
const RAW_MEAN: f32 = 0.005;
const SCORE_TOLERANCE: f32 = 0.02;
/// Of the length of a box's longer side.
const BOX_TOLERANCE: f32 = 0.03;

/// Where the net is run beside the processor, and with what input.
fn devices() -> Vec<(Device, InputSize)> {
    let mut found = Vec::new();
    #[cfg(feature = "emulation")]
    found.push((
        Device::Emulated,
        InputSize {
            width: 128,
            height: 96,
        },
    ));
    #[cfg(feature = "cuda")]
    {
        let settings = DetectorSettings {
            device: Device::Cuda(0),
            ..DetectorSettings::default()
        };
        match YoloxDetector::load(&own_weights().unwrap(), settings) {
            Ok(detector) => {
                println!("device: {}", detector.device_name().unwrap());
                found.push((Device::Cuda(0), InputSize::DEFAULT));
            }
            Err(error) if std::env::var_os("MINESEAL_REQUIRE_DEVICE").is_some() => panic!("{error}"),
            Err(error) => println!("skipped: the net on a device: {error}"),
        }
    }
    found
}

/// A picture with edges and colours in it, different for each number.
fn drawn(number: usize) -> RgbPicture {
    let (width, height) = (320, 180);
    let data = (0..width * height)
        .flat_map(|pixel| {
            let (x, y) = (pixel % width, pixel / width);
            let inside = (x / 23 + y / 17 + number).is_multiple_of(3);
            let shade = (x * (number + 2) + y * 3) % 256;
            [shade, if inside { 200 } else { 40 }, (x ^ y) % 256].map(|colour| colour as u8)
        })
        .collect();
    RgbPicture { data, width, height }
}

/// Real or rendered pictures: JPEG files in the folder that `MINESEAL_PICTURES` names.
fn given() -> Vec<RgbPicture> {
    let Some(folder) = std::env::var_os("MINESEAL_PICTURES") else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "jpg"))
        .collect();
    files.sort();
    files.iter().map(|file| read_image_file(file).unwrap()).collect()
}

fn as_picture(picture: &RgbPicture) -> PictureRef<'_> {
    PictureRef::Rgb {
        data: &picture.data,
        width: picture.width,
        height: picture.height,
    }
}

fn detector(weights: &std::path::Path, device: Device, settings: DetectorSettings) -> YoloxDetector {
    YoloxDetector::load(weights, DetectorSettings { device, ..settings }).unwrap()
}

#[test]
fn every_cell_says_what_it_says_on_the_processor() {
    let folder = TempDir::new().unwrap();
    let made = save(&folder, &tensors(3), &METADATA);
    for (device, input) in devices() {
        for weights in [made.clone(), own_weights().unwrap()] {
            let settings = DetectorSettings {
                input: Some(input),
                ..DetectorSettings::default()
            };
            let mut here = detector(&weights, Device::Cpu, settings.clone());
            let mut there = detector(&weights, device, settings);
            let mut pictures = given();
            pictures.push(drawn(1));
            for picture in &pictures {
                let expected = here.raw_outputs(&as_picture(picture)).unwrap();
                let found = there.raw_outputs(&as_picture(picture)).unwrap();
                assert_eq!(found.len(), expected.len());
                let distances: Vec<f32> = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).collect();
                let largest = distances.iter().copied().fold(0.0, f32::max);
                let mean = distances.iter().sum::<f32>() / distances.len() as f32;
                println!(
                    "{device} {}: largest {largest:.4}, mean {mean:.5}",
                    weights.display()
                );
                assert!(distances.iter().all(|one| one.is_finite()));
                assert!(largest <= RAW_TOLERANCE, "{largest}");
                assert!(mean <= RAW_MEAN, "{mean}");
            }
        }
    }
}

fn distance(one: &BoundingBox, other: &BoundingBox) -> f32 {
    let sides = |b: &BoundingBox| [b.left, b.top, b.right(), b.bottom()];
    let pairs = sides(one).into_iter().zip(sides(other));
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// Whether each of `some`, but for those near the threshold, is among `all`.
fn contained(some: &[Detection], all: &[Detection], threshold: f32) -> Result<usize, Detection> {
    let mut compared = 0;
    for one in some.iter().filter(|one| one.score > threshold + SCORE_TOLERANCE) {
        let length = one.bounding_box.width.max(one.bounding_box.height);
        let same = |other: &&Detection| {
            other.class == one.class
                && (other.score - one.score).abs() <= SCORE_TOLERANCE
                && distance(&other.bounding_box, &one.bounding_box) <= BOX_TOLERANCE * length + 0.5
        };
        if all.iter().find(same).is_none() {
            return Err(*one);
        }
        compared += 1;
    }
    Ok(compared)
}

#[test]
fn pictures_have_the_same_boxes() {
    const THRESHOLD: f32 = 0.25;
    for (device, input) in devices() {
        let pictures = given();
        if pictures.is_empty() {
            println!("skipped: no pictures; MINESEAL_PICTURES names a folder of JPEG files");
            continue;
        }
        let settings = DetectorSettings {
            input: (device != Device::Cuda(0)).then_some(input),
            score_threshold: THRESHOLD,
            ..DetectorSettings::default()
        };
        let weights =
            std::env::var_os("MINESEAL_WEIGHTS").map_or_else(|| own_weights().unwrap(), PathBuf::from);
        let mut here = detector(&weights, Device::Cpu, settings.clone());
        let mut there = detector(&weights, device, settings);
        let mut compared = 0;
        for picture in &pictures {
            let expected = here.detect(&[as_picture(picture)]).unwrap();
            let found = there.detect(&[as_picture(picture)]).unwrap();
            compared += contained(&expected[0], &found[0], THRESHOLD).unwrap();
            contained(&found[0], &expected[0], THRESHOLD).unwrap();
        }
        println!("{device}: {compared} boxes agree on {} pictures", pictures.len());
        assert!(compared > 0, "nothing to compare");
    }
}

#[test]
fn a_picture_gives_the_same_alone_and_in_a_batch() {
    for (device, input) in devices() {
        // The emulation takes a second for a few pictures.
        let most = if device == Device::Cuda(0) { 64 } else { 3 };
        let settings = DetectorSettings {
            input: Some(input),
            score_threshold: 0.01,
            max_batch: most,
            ..DetectorSettings::default()
        };
        let weights = own_weights().unwrap();
        let mut one = detector(&weights, device, settings);
        let pictures: Vec<RgbPicture> = (0..most).map(drawn).collect();
        let alone: Vec<Vec<Detection>> = pictures
            .iter()
            .map(|picture| one.detect(&[as_picture(picture)]).unwrap().remove(0))
            .collect();
        assert!(alone.iter().any(|found| !found.is_empty()));
        let mut another = one.another().unwrap();
        for count in (1..=most).filter(|count| most < 8 || [1, 2, 3, 5, 8, 9, 31, 33, 64].contains(count)) {
            let together: Vec<PictureRef<'_>> = pictures[..count].iter().map(as_picture).collect();
            assert_eq!(
                another.detect(&together).unwrap(),
                alone[..count],
                "{count} pictures"
            );
        }
    }
}

#[test]
fn none_and_thousands_of_candidates() {
    let folder = TempDir::new().unwrap();
    for (device, input) in devices() {
        for (bias, few) in [(-20.0, true), (8.0, false)] {
            let mut all = tensors(3);
            for level in 0..3 {
                let name = format!("head.obj_preds.{level}.bias");
                all.insert(name, (vec![1], vec![bias]));
                all.insert(format!("head.cls_preds.{level}.bias"), (vec![3], vec![4.0; 3]));
            }
            let weights = save(&folder, &all, &METADATA);
            let settings = DetectorSettings {
                input: Some(input),
                max_batch: 2,
                ..DetectorSettings::default()
            };
            let mut here = detector(&weights, Device::Cpu, settings.clone());
            let mut there = detector(&weights, device, settings);
            let pictures = [drawn(1), drawn(2)];
            let pictures: Vec<PictureRef<'_>> = pictures.iter().map(as_picture).collect();
            let expected = here.detect(&pictures).unwrap();
            let found = there.detect(&pictures).unwrap();
            let count = |all: &[Vec<Detection>]| all.iter().map(Vec::len).sum::<usize>();
            if few {
                assert_eq!((count(&expected), count(&found)), (0, 0));
            } else {
                // Every cell is a candidate; which of two that overlap is the better hangs on the last bits.
                assert!(count(&expected) > 20);
                assert!(count(&found).abs_diff(count(&expected)) * 10 <= count(&expected));
            }
        }
    }
}

#[test]
fn an_unusable_picture_is_named_and_the_detector_goes_on() {
    for (device, input) in devices() {
        let settings = DetectorSettings {
            input: Some(input),
            max_batch: 2,
            ..DetectorSettings::default()
        };
        let mut one = detector(&own_weights().unwrap(), device, settings);
        let good = drawn(1);
        let pictures = [as_picture(&good), as_picture(&good), PictureRef::Jpeg(b"GIF89a")];
        match one.detect(&pictures) {
            Err(DetectorError::Picture { index, .. }) => assert_eq!(index, 2),
            other => panic!("{other:?}"),
        }
        assert_eq!(one.detect(&pictures[..2]).unwrap().len(), 2);
    }
}

#[cfg(feature = "cuda")]
#[test]
fn a_device_that_is_not_there_is_told() {
    let settings = DetectorSettings {
        device: Device::Cuda(99),
        ..DetectorSettings::default()
    };
    match YoloxDetector::load(&own_weights().unwrap(), settings) {
        Err(error @ DetectorError::Device { device, .. }) => {
            assert_eq!(device, Device::Cuda(99));
            println!("{error}");
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("there are a hundred devices"),
    }
}
