//! From what the head says to boxes.

use mineseal_domain::{BoundingBox, Detection, ObjectClass};
use mineseal_kernels::BLOCK;

use crate::letterbox::Letterbox;
use crate::network::{Level, OBJECTNESS, STRIDES};

/// Before the sigmoid: a cell with less objectness has no score that reaches the threshold, because the score is never
/// above the objectness. Most cells are done with after one comparison.
pub(crate) fn least_objectness(threshold: f32) -> f32 {
    (threshold / (1.0 - threshold)).ln()
}

/// What the net says of every cell, cell by cell from the finest level on: centre, size, objectness and classes.
pub(crate) fn raw(levels: &[Level; 3], classes: usize) -> Vec<f32> {
    let mut rows = Vec::new();
    for level in levels {
        let (cells, _) = level.boxes.numbers().as_chunks::<BLOCK>();
        let scores = level
            .classes
            .as_ref()
            .map_or(&[][..], |scores| scores.numbers().as_chunks::<BLOCK>().0);
        for (cell, scores) in cells.iter().zip(scores) {
            rows.extend_from_slice(&cell[..=OBJECTNESS]);
            rows.extend_from_slice(&scores[..classes]);
        }
    }
    rows
}

/// Boxes of one picture that reach the threshold, in pixels of the picture, in the order of the cells. A cell gives
/// the best of the classes; the first where several are equal.
pub(crate) fn candidates(
    levels: &[Level; 3],
    classes: &[ObjectClass],
    threshold: f32,
    letterbox: &Letterbox,
) -> Vec<Detection> {
    let least = least_objectness(threshold);
    let mut found = Vec::new();
    for (level, stride) in levels.iter().zip(STRIDES) {
        let (cells, _) = level.boxes.numbers().as_chunks::<BLOCK>();
        let Some(scores) = &level.classes else { continue };
        let (scores, _) = scores.numbers().as_chunks::<BLOCK>();
        let scale = stride as f32 / letterbox.ratio as f32;
        for (index, (cell, scores)) in cells.iter().zip(scores).enumerate() {
            if cell[OBJECTNESS] < least {
                continue;
            }
            let mut best: Option<(f32, ObjectClass)> = None;
            for (&score, &class) in scores.iter().zip(classes) {
                if best.is_none_or(|(highest, _)| score > highest) {
                    best = Some((score, class));
                }
            }
            let Some((score, class)) = best else { continue };
            let score = sigmoid(cell[OBJECTNESS]) * sigmoid(score);
            let place = (index % level.boxes.width(), index / level.boxes.width());
            let bounding_box = decode(cell, place, scale);
            // Written so that NaN is refused too.
            if score >= threshold && bounding_box.is_sound() {
                found.push(Detection {
                    class,
                    score,
                    bounding_box,
                });
            }
        }
    }
    found
}

/// `place`: column and row of the cell; `scale`: pixels of the picture for one cell.
fn decode(cell: &[f32; BLOCK], place: (usize, usize), scale: f32) -> BoundingBox {
    let x = (cell[0] + place.0 as f32) * scale;
    let y = (cell[1] + place.1 as f32) * scale;
    let (width, height) = (cell[2].exp() * scale, cell[3].exp() * scale);
    BoundingBox {
        left: x - width / 2.0,
        top: y - height / 2.0,
        width,
        height,
    }
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}
