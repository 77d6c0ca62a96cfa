//! Pictures that a camera should not send, and nets that see nothing or something everywhere. The weights are made here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/weights.rs"]
mod weights;

use mineseal_detector::{
    Detector, DetectorError, DetectorSettings, InputSize, Instructions, PictureRef, Precision, YoloxDetector,
    own_weights,
};
use tempfile::TempDir;
use turbojpeg::{Image, PixelFormat, Subsamp};
use weights::{METADATA, save, tensors};

/// A detector whose objectness (before the sigmoid) is about this everywhere.
fn detector(objectness: f32, settings: DetectorSettings) -> YoloxDetector {
    let folder = TempDir::new().unwrap();
    let mut tensors = tensors(3);
    for level in 0..3 {
        for (name, value) in [("obj", objectness), ("cls", 5.0), ("reg", 0.0)] {
            let (_, weight) = tensors
                .get_mut(&format!("head.{name}_preds.{level}.weight"))
                .unwrap();
            weight.fill(0.0);
            let (_, bias) = tensors
                .get_mut(&format!("head.{name}_preds.{level}.bias"))
                .unwrap();
            bias.fill(value);
        }
    }
    YoloxDetector::load(&save(&folder, &tensors, &METADATA), settings).unwrap()
}

fn jpeg(width: usize, height: usize, format: PixelFormat, subsampling: Subsamp) -> Vec<u8> {
    let pixels = vec![90; width * height * format.size()];
    let image = Image {
        pixels: pixels.as_slice(),
        width,
        pitch: width * format.size(),
        height,
        format,
    };
    turbojpeg::compress(image, 90, subsampling).unwrap().to_vec()
}

/// The reason, where the picture cannot be used.
fn looked_at(detector: &mut YoloxDetector, bytes: &[u8]) -> Result<usize, String> {
    match detector.detect(&[PictureRef::Jpeg(bytes)]) {
        Ok(found) => Ok(found[0].len()),
        Err(DetectorError::Picture { index: 0, reason }) => Err(reason),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn every_jpeg_is_looked_at_or_refused_with_a_reason() {
    let mut detector = detector(-9.0, DetectorSettings::default());
    for (width, height) in [(1, 1), (8, 1), (1, 300), (17, 33), (8000, 8000)] {
        let bytes = jpeg(width, height, PixelFormat::GRAY, Subsamp::Gray);
        assert_eq!(looked_at(&mut detector, &bytes), Ok(0), "{width}x{height}");
    }
    let colour = jpeg(640, 360, PixelFormat::RGB, Subsamp::Sub2x2);
    assert_eq!(looked_at(&mut detector, &colour), Ok(0));
    let printed = jpeg(64, 64, PixelFormat::CMYK, Subsamp::None);
    let reason = looked_at(&mut detector, &printed).unwrap_err();
    assert!(reason.contains("not a usable JPEG"), "{reason}");
    for length in [0, 1, 2, 100, 300, colour.len() * 2 / 3] {
        let reason = looked_at(&mut detector, &colour[..length]).unwrap_err();
        assert!(reason.contains("not a usable JPEG"), "{length} bytes: {reason}");
    }
    // After all that it still works.
    assert_eq!(looked_at(&mut detector, &colour), Ok(0));
}

#[test]
fn damaged_jpegs_do_no_harm() {
    let mut detector = detector(-9.0, DetectorSettings::default());
    let whole = jpeg(320, 200, PixelFormat::RGB, Subsamp::Sub2x2);
    for place in (0..whole.len()).step_by(7) {
        for value in [0, 0x5a, 0xff] {
            let mut damaged = whole.clone();
            damaged[place] = value;
            // Whether it can still be used is the decoder's business.
            looked_at(&mut detector, &damaged).ok();
        }
    }
}

#[test]
fn a_net_that_sees_something_everywhere_is_held_to_its_boxes() {
    let settings = DetectorSettings {
        nms_iou: 0.99,
        ..DetectorSettings::default()
    };
    let mut detector = detector(9.0, settings);
    let picture = vec![70; 640 * 384 * 3];
    let picture = PictureRef::Rgb {
        data: &picture,
        width: 640,
        height: 384,
    };
    let found = detector.detect(&[picture]).unwrap().remove(0);
    // One box for each cell of 8, 16 and 32 pixels; none covers another.
    assert_eq!(found.len(), 80 * 48 + 40 * 24 + 20 * 12);
    assert!(
        found
            .iter()
            .all(|one| one.bounding_box.is_sound() && one.score > 0.9)
    );
    assert!(found.is_sorted_by(|one, next| one.score >= next.score));
}

#[test]
fn of_more_candidates_than_are_compared_the_best_are_kept() {
    let settings = DetectorSettings {
        nms_iou: 0.99,
        input: Some(InputSize {
            width: 1280,
            height: 736,
        }),
        ..DetectorSettings::default()
    };
    let mut detector = detector(9.0, settings);
    let picture = vec![70; 640 * 360 * 3];
    let picture = PictureRef::Rgb {
        data: &picture,
        width: 640,
        height: 360,
    };
    // 19,320 cells, each with a box of its own; comparing every pair of them would take sixteen times as long as of 5,040.
    let found = detector.detect(&[picture]).unwrap().remove(0);
    assert_eq!(found.len(), 5_040);
    // The next picture is looked at as ever.
    assert_eq!(detector.detect(&[picture]).unwrap().remove(0), found);
}

#[test]
fn a_net_that_sees_nothing_finds_nothing() {
    let mut detector = detector(-9.0, DetectorSettings::default());
    let noise: Vec<u8> = (0..300 * 200 * 3)
        .map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let picture = PictureRef::Rgb {
        data: &noise,
        width: 300,
        height: 200,
    };
    assert!(
        detector
            .detect(&[picture, picture])
            .unwrap()
            .iter()
            .all(Vec::is_empty)
    );
    // Its classes are computed all the same where they are asked for.
    let raw = detector.raw_outputs(&picture).unwrap();
    assert_eq!(raw.len(), 5040 * (5 + 3));
    assert!(
        raw.chunks_exact(8)
            .all(|cell| (cell[4] + 9.0).abs() < 1e-5 && (cell[7] - 5.0).abs() < 1e-5)
    );
}

#[test]
fn a_batch_gives_the_bits_of_its_pictures_on_every_path() {
    // Trained weights: what they say depends on the picture.
    let path = own_weights().unwrap();
    let pictures: Vec<Vec<u8>> = (1u32..4)
        .map(|seed| {
            let byte = |n: u32| ((n / 50).wrapping_mul(seed.wrapping_mul(2_654_435_761)) >> 24) as u8;
            (0..160 * 96 * 3).map(byte).collect()
        })
        .collect();
    let pictures: Vec<PictureRef<'_>> = pictures
        .iter()
        .map(|data| PictureRef::Rgb {
            data,
            width: 160,
            height: 96,
        })
        .collect();
    let paths = Instructions::available().into_iter();
    for (instructions, precision) in
        paths.flat_map(|path| [(path, Precision::Single), (path, Precision::Bytes)])
    {
        let settings = DetectorSettings {
            score_threshold: 1e-5,
            nms_iou: 0.9,
            instructions: Some(instructions),
            precision,
            ..DetectorSettings::default()
        };
        let mut detector = YoloxDetector::load(&path, settings).unwrap();
        let together = detector.detect(&pictures).unwrap();
        for (together, &picture) in together.iter().zip(&pictures) {
            let alone = detector.detect(&[picture]).unwrap().remove(0);
            assert!(!alone.is_empty(), "{}", instructions.name());
            // Number by number: equal means equal bits, as none is NaN or zero.
            assert_eq!(together, &alone, "{}", instructions.name());
        }
        assert_ne!(together[0], together[1], "the pictures make no difference");
    }
}
