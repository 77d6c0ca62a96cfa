//! MOTChallenge text files: frame, id, left, top, width, height, score or consider, class, visibility.

use std::collections::BTreeMap;
use std::path::Path;

use mineseal_domain::BoundingBox;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) id: i64,
    pub(crate) bounding_box: BoundingBox,
    /// Detections: score. Ground truth: 1 where it is to be evaluated.
    pub(crate) confidence: f32,
    /// Ground truth of MOT16 and later: 1 pedestrian, 2 on a vehicle, 7 static, 8 distractor, 12 reflection.
    pub(crate) class: i64,
}

pub(crate) type Frames = BTreeMap<i64, Vec<Row>>;

pub(crate) fn read(path: &Path) -> Frames {
    let mut frames = Frames::new();
    for line in std::fs::read_to_string(path)
        .unwrap()
        .lines()
        .filter(|line| !line.trim().is_empty())
    {
        let numbers: Vec<f32> = line
            .split(',')
            .map(|field| field.trim().parse().unwrap())
            .collect();
        let row = Row {
            id: numbers[1] as i64,
            bounding_box: BoundingBox {
                left: numbers[2],
                top: numbers[3],
                width: numbers[4],
                height: numbers[5],
            },
            confidence: numbers[6],
            class: numbers.get(7).map_or(-1, |class| *class as i64),
        };
        frames.entry(numbers[0] as i64).or_default().push(row);
    }
    frames
}
