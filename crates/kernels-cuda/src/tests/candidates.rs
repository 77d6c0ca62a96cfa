use super::{Numbers, processors, put, settings};
use crate::{Candidate, Constants, Executor, KernelError, Limits, Plan, PlanSettings, Processor, View};

/// The head's last convolutions over given features, on one level.
fn predicted(
    processor: &Processor,
    features: &[f32],
    capacity: Option<usize>,
    limits: Limits,
    pictures: usize,
) -> (Result<Vec<Candidate>, KernelError>, Vec<f32>, Vec<f32>) {
    const INPUTS: usize = 8;
    // The first five features are the box and the objectness, and three of them are the classes too.
    let mut box_weight = vec![0.0; 5 * INPUTS];
    let mut class_weight = vec![0.0; 3 * INPUTS];
    (0..5).for_each(|k| box_weight[k * INPUTS + k] = 1.0);
    (0..3).for_each(|k| class_weight[k * INPUTS + 5 + k] = 1.0);
    let mut constants = Constants::new();
    let boxes = constants.prediction(&box_weight, &[0.0; 5]).unwrap();
    let classes = constants.prediction(&class_weight, &[0.0; 3]).unwrap();
    let mut plan = Plan::new(PlanSettings {
        capacity,
        limits,
        ..settings(4, 64, 96)
    })
    .unwrap();
    let view = View::of_input(0, INPUTS, INPUTS, (8, 12));
    plan.predict_boxes(&boxes, view, 0).unwrap();
    plan.predict_classes(&classes, view, 0).unwrap();
    let mut executor = Executor::new(processor, &constants, vec![plan.finish()]).unwrap();
    put(executor.input(4).unwrap(), features);
    // As after a larger batch: the others are still there.
    executor.run(4).ok();
    let found = executor.run(pictures);
    let raw = executor.raw(pictures).unwrap();
    (found, raw.boxes, raw.classes)
}

const CELLS: usize = 8 * 12;
const ALL_CELLS: usize = CELLS + 4 * 6 + 2 * 3;

#[test]
fn candidates_are_decoded_in_order_and_left_over_pictures_are_not_looked_at() {
    for processor in processors() {
        let mut features = Numbers(9).many(4 * CELLS * 8, 1.0);
        // Not a number, equal classes, and the best class last.
        features[4] = f32::NAN;
        features[8 + 4..16].copy_from_slice(&[3.0, 2.0, 2.0, 1.0]);
        features[16 + 4..24].copy_from_slice(&[3.0, -1.0, 0.5, 3.0]);
        let limits = Limits {
            least_objectness: 0.0,
            score: 0.4,
        };
        let (found, boxes, _) = predicted(&processor, &features, None, limits, 3);
        let found = found.unwrap();
        let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
        let mut expected = Vec::new();
        for (number, cell) in features.chunks_exact(8).take(3 * CELLS).enumerate() {
            let raw = &boxes[(number / CELLS * ALL_CELLS + number % CELLS) * 8..];
            // What is no number is so in all products of its cell.
            assert!(cell[4].is_nan() || raw.iter().zip(&cell[..5]).all(|(a, b)| a == b));
            let class = (0..3).fold(0, |best, k| if cell[5 + k] > cell[5 + best] { k } else { best });
            let score = sigmoid(cell[4]) * sigmoid(cell[5 + class]);
            if cell[4] >= 0.0 && score >= 0.4 {
                let (width, height) = (cell[2].exp() * 8.0, cell[3].exp() * 8.0);
                expected.push(Candidate {
                    picture: (number / CELLS) as i32,
                    cell: (number % CELLS) as i32,
                    class: class as i32,
                    score,
                    left: (cell[0] + (number % CELLS % 12) as f32) * 8.0 - width / 2.0,
                    top: (cell[1] + (number % CELLS / 12) as f32) * 8.0 - height / 2.0,
                    width,
                    height,
                });
            }
        }
        assert!(expected.len() > 20);
        assert_eq!(expected.len(), found.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(
                (found.picture, found.cell, found.class),
                (expected.picture, expected.cell, expected.class)
            );
            let near = |a: f32, b: f32| (a - b).abs() <= 1e-4 * (1.0 + b.abs());
            assert!(
                near(found.score, expected.score)
                    && near(found.left, expected.left)
                    && near(found.top, expected.top)
                    && near(found.width, expected.width)
                    && near(found.height, expected.height),
                "{found:?} {expected:?}"
            );
        }
    }
}

#[test]
fn more_candidates_than_there_is_room_for_are_told() {
    let features = [0.0, 0.0, 0.0, 0.0, 5.0, 1.0, 5.0, 1.0].repeat(4 * CELLS);
    let limits = Limits {
        least_objectness: 0.0,
        score: 0.4,
    };
    for processor in processors() {
        let (found, ..) = predicted(&processor, &features, Some(100), limits, 4);
        let error = KernelError::TooManyCandidates {
            found: 4 * CELLS,
            room: 100,
        };
        assert_eq!(found, Err(error));
        let (found, ..) = predicted(&processor, &features, None, limits, 4);
        let found = found.unwrap();
        assert_eq!(found.len(), 4 * CELLS);
        assert!(found.iter().all(|candidate| candidate.class == 1));
        let nothing = Limits {
            score: 0.999_999,
            ..limits
        };
        let (found, ..) = predicted(&processor, &features, None, nothing, 4);
        assert_eq!(found, Ok(Vec::new()));
    }
}
