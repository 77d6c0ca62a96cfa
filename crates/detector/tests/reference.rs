//! Our boxes against those that ONNX Runtime finds with the same weights (`reference/make_reference.py`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use mineseal_detector::{
    Detector, DetectorSettings, InputSize, Instructions, PictureRef, RgbPicture, YoloxDetector,
    detect_image_file, read_image_file,
};
use mineseal_domain::{BoundingBox, Detection, ObjectClass};
use serde::Deserialize;

#[derive(Deserialize)]
struct Reference {
    input_width: usize,
    input_height: usize,
    score_threshold: f32,
    nms_iou: f32,
    pictures: Vec<ReferencePicture>,
}

#[derive(Deserialize)]
struct ReferencePicture {
    picture: String,
    boxes: Vec<ReferenceBox>,
}

#[derive(Deserialize)]
struct ReferenceBox {
    class: ObjectClass,
    score: f32,
    #[serde(flatten)]
    bounding_box: BoundingBox,
}

#[derive(Deserialize)]
struct ReferenceCells {
    picture: String,
    /// Number of the cell; centre and size as the head gives them, objectness and classes after the sigmoid.
    cells: Vec<Vec<f32>>,
}

/// The folder with weights and real pictures, beside the project; `None`, with a line, where it is absent.
fn shared(what: &str) -> Option<PathBuf> {
    let shared = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared"));
    if shared.join("models/yolox_nano.safetensors").exists() {
        return Some(shared);
    }
    println!("skipped: {what} needs ../shared/models/yolox_nano.safetensors, which is absent");
    None
}

/// A picture, or with `file#n` frame n of a video, counted from 0 (decoded by the ffmpeg command).
fn picture(shared: &Path, name: &str) -> RgbPicture {
    let Some((file, frame)) = name.split_once('#') else {
        return read_image_file(&shared.join(name)).unwrap();
    };
    let folder = tempfile::tempdir().unwrap();
    let png = folder.path().join("frame.png");
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(shared.join(file))
        .args([
            "-vf",
            &format!("select=eq(n\\,{frame})"),
            "-vsync",
            "0",
            "-frames:v",
            "1",
            "-pix_fmt",
            "rgb24",
        ])
        .arg(&png)
        .status()
        .expect("this test needs the ffmpeg command (apt-get install ffmpeg)");
    assert!(
        status.success(),
        "ffmpeg could not decode frame {frame} of {file}"
    );
    read_image_file(&png).unwrap()
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("../reference/yolox_nano.json")).unwrap()
}

fn largest_distance(one: &BoundingBox, other: &BoundingBox) -> f32 {
    let sides = |b: &BoundingBox| [b.left, b.top, b.right(), b.bottom()];
    sides(one)
        .iter()
        .zip(sides(other))
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
}

fn as_picture(picture: &RgbPicture) -> PictureRef<'_> {
    PictureRef::Rgb {
        data: &picture.data,
        width: picture.width,
        height: picture.height,
    }
}

/// The box of `found` that is this one.
fn same<'a>(found: &'a [Detection], expected: &ReferenceBox) -> Option<&'a Detection> {
    found.iter().find(|one| {
        one.class == expected.class
            && (one.score - expected.score).abs() <= 0.01
            && largest_distance(&one.bounding_box, &expected.bounding_box) <= 1.0
    })
}

#[test]
fn finds_what_onnx_runtime_finds() {
    let Some(shared) = shared("the comparison with ONNX Runtime") else {
        return;
    };
    let reference = reference();
    let settings = DetectorSettings {
        input: Some(InputSize {
            width: reference.input_width,
            height: reference.input_height,
        }),
        score_threshold: reference.score_threshold,
        nms_iou: reference.nms_iou,
        ..DetectorSettings::default()
    };
    let mut detector = YoloxDetector::load(&shared.join("models/yolox_nano.safetensors"), settings).unwrap();
    let (mut worst_score, mut worst_distance, mut boxes) = (0.0f32, 0.0f32, 0);
    for expected in &reference.pictures {
        let picture = picture(&shared, &expected.picture);
        let found = detector.detect(&[as_picture(&picture)]).unwrap().remove(0);
        for one in &expected.boxes {
            let Some(same) = same(&found, one) else {
                // At the threshold a box may be there or not.
                assert!(
                    one.score < reference.score_threshold + 0.01,
                    "{}: {:?} {} missing from {found:#?}",
                    expected.picture,
                    one.class,
                    one.score
                );
                continue;
            };
            worst_score = worst_score.max((same.score - one.score).abs());
            worst_distance = worst_distance.max(largest_distance(&same.bounding_box, &one.bounding_box));
            boxes += 1;
        }
        let sure = |score: f32| score >= reference.score_threshold + 0.01;
        let expected_count = expected.boxes.iter().filter(|one| sure(one.score)).count();
        let found_count = found.iter().filter(|one| sure(one.score)).count();
        assert!(
            found_count.abs_diff(expected_count) <= 1,
            "{}: {found_count} boxes, {expected_count} expected",
            expected.picture
        );
    }
    println!("{boxes} boxes: scores differ by up to {worst_score:.5}, sides by up to {worst_distance:.4} px");
    assert!(boxes > 60);
}

#[test]
fn every_path_gives_the_numbers_of_onnx_runtime() {
    let Some(shared) = shared("the comparison of the net's outputs with ONNX Runtime") else {
        return;
    };
    let pictures: Vec<ReferenceCells> =
        serde_json::from_str(include_str!("../reference/yolox_nano_cells.json")).unwrap();
    assert_eq!(pictures.len(), 6);
    for instructions in Instructions::available() {
        let settings = DetectorSettings {
            input: Some(InputSize::DEFAULT),
            instructions: Some(instructions),
            ..DetectorSettings::default()
        };
        let weights = shared.join("models/yolox_nano.safetensors");
        let mut detector = YoloxDetector::load(&weights, settings).unwrap();
        let (mut worst, mut numbers) = (0.0f32, 0);
        for expected in &pictures {
            let picture = picture(&shared, &expected.picture);
            let found = detector.raw_outputs(&as_picture(&picture)).unwrap();
            for cell in &expected.cells {
                let (number, cell) = cell.split_first().unwrap();
                let found = &found[*number as usize * cell.len()..][..cell.len()];
                for (column, (&found, &expected)) in found.iter().zip(cell).enumerate() {
                    let found = if column < 4 {
                        found
                    } else {
                        1.0 / (1.0 + (-found).exp())
                    };
                    assert!(
                        (found - expected).abs() <= 1e-3,
                        "{}: cell {number}, column {column}: {found} instead of {expected}",
                        instructions.name()
                    );
                    worst = worst.max((found - expected).abs());
                    numbers += 1;
                }
            }
        }
        println!(
            "{}: {numbers} numbers differ by up to {worst:.6}",
            instructions.name()
        );
        assert!(numbers > 5000);
    }
}

#[test]
fn a_batch_gives_what_single_pictures_give() {
    let Some(shared) = shared("the comparison of batches") else {
        return;
    };
    let weights = shared.join("models/yolox_nano.safetensors");
    let settings = DetectorSettings {
        max_batch: 3,
        ..DetectorSettings::default()
    };
    let mut together = YoloxDetector::load(&weights, settings).unwrap();
    let mut alone = together.another().unwrap();
    let pictures: Vec<RgbPicture> = reference()
        .pictures
        .iter()
        .map(|one| picture(&shared, &one.picture))
        .collect();
    let references: Vec<PictureRef<'_>> = pictures.iter().map(as_picture).collect();
    let batched = together.detect(&references).unwrap();
    assert_eq!(batched.len(), references.len());
    for (batched, picture) in batched.iter().zip(references) {
        let single = alone.detect(&[picture]).unwrap().remove(0);
        assert!(!single.is_empty());
        // Detections are compared number by number: equal means equal bits, as none is NaN or zero.
        assert_eq!(batched, &single);
    }
}

#[test]
fn a_jpeg_decoded_small_shows_the_same_people() {
    let Some(shared) = shared("the comparison of decodings") else {
        return;
    };
    let settings = DetectorSettings {
        score_threshold: 0.1,
        ..DetectorSettings::default()
    };
    let mut detector = YoloxDetector::load(&shared.join("models/yolox_nano.safetensors"), settings).unwrap();
    let file = shared.join("data/mot/mot17/MOT17-09/img1/000001.jpg");
    let whole = detect_image_file(&mut detector, &file).unwrap();
    assert_eq!((whole.picture.width, whole.picture.height), (1920, 1080));
    let small = detector
        .detect(&[PictureRef::Jpeg(&std::fs::read(file).unwrap())])
        .unwrap()
        .remove(0);
    for sure in whole.detections.iter().filter(|one| one.score > 0.5) {
        let overlaps = |one: &Detection| one.bounding_box.intersection_over_union(&sure.bounding_box) > 0.7;
        assert!(
            small.iter().any(|one| one.class == sure.class && overlaps(one)),
            "{sure:?} in {small:#?}"
        );
    }
}

#[test]
fn only_wanted_classes_are_found_and_their_scores_stay() {
    let Some(shared) = shared("the choice of classes") else {
        return;
    };
    let weights = shared.join("models/yolox_nano.safetensors");
    let picture = picture(&shared, "data/mot/mot17/MOT17-02/img1/000001.jpg");
    let mut all = YoloxDetector::load(&weights, DetectorSettings::default()).unwrap();
    let wanted = DetectorSettings {
        classes: Some(vec![ObjectClass::Person]),
        ..DetectorSettings::default()
    };
    let mut persons = YoloxDetector::load(&weights, wanted).unwrap();
    assert_eq!(persons.model().classes, [ObjectClass::Person]);
    let of_all = all.detect(&[as_picture(&picture)]).unwrap().remove(0);
    let found = persons.detect(&[as_picture(&picture)]).unwrap().remove(0);
    assert!(found.len() >= 10 && found.iter().all(|one| one.class == ObjectClass::Person));
    for strong in of_all
        .iter()
        .filter(|one| one.class == ObjectClass::Person && one.score > 0.3)
    {
        assert!(found.contains(strong), "{strong:?}");
    }
}

#[test]
fn one_class_weights_find_persons() {
    let Some(shared) = shared("the weights of one class") else {
        return;
    };
    let weights = shared.join("models/yolox_nano_person192.safetensors");
    let mut detector = YoloxDetector::load(&weights, DetectorSettings::default()).unwrap();
    assert_eq!(detector.model().classes, [ObjectClass::Person]);
    assert_eq!(detector.model().id, "yolox-13777141e5ff");
    let picture = picture(&shared, "data/mot/mot17/MOT17-09/img1/000001.jpg");
    let found = detector.detect(&[as_picture(&picture)]).unwrap().remove(0);
    assert!(
        found.iter().filter(|one| one.score > 0.5).count() >= 3,
        "{found:#?}"
    );
}

#[test]
fn an_unusable_picture_is_named_by_its_place() {
    let Some(shared) = shared("the naming of unusable pictures") else {
        return;
    };
    let weights = shared.join("models/yolox_nano.safetensors");
    let settings = DetectorSettings {
        max_batch: 2,
        ..DetectorSettings::default()
    };
    let mut detector = YoloxDetector::load(&weights, settings).unwrap();
    let grey = [114; 32 * 32 * 3];
    let good = PictureRef::Rgb {
        data: &grey,
        width: 32,
        height: 32,
    };
    let error = detector
        .detect(&[good, good, good, PictureRef::Jpeg(b"no")])
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("picture 3: not a usable JPEG"), "{error}");
    assert_eq!(detector.detect(&[good, good, good]).unwrap().len(), 3);
    assert!(detector.detect(&[]).unwrap().is_empty());
}
