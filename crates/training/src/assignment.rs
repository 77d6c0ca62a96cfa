//! Which cells are responsible for which object: SimOTA, as YOLOX has it (Ge et al. 2021, section 2.1).

use crate::layers::{CLASSES, STRIDES};
use crate::truth::Truth;

/// Values that the net gives for one cell.
pub(crate) const COLUMNS: usize = 5 + CLASSES.len();
/// A cell can take an object whose centre lies within this many strides of the cell's centre.
const CENTRE_RADIUS: f32 = 1.5;
/// Best overlaps that are added up to the number of cells for an object.
const BEST_OVERLAPS: usize = 10;
/// Weight of the box cost against the class cost.
const BOX_COST: f32 = 3.0;
/// Logarithms of width and height beyond this many are cut off.
pub(crate) const LARGEST_LOGARITHM: f32 = 8.0;

/// One cell of the output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cell {
    /// Column and row, in cells.
    pub(crate) x: f32,
    pub(crate) y: f32,
    /// Pixels per cell.
    pub(crate) stride: f32,
}

impl Cell {
    fn centre(self) -> (f32, f32) {
        ((self.x + 0.5) * self.stride, (self.y + 0.5) * self.stride)
    }

    /// The box that the raw values of this cell stand for: left, top, right, bottom.
    pub(crate) fn decoded(self, raw: &[f32]) -> [f32; 4] {
        let size = |value: f32| value.clamp(-LARGEST_LOGARITHM, LARGEST_LOGARITHM).exp() * self.stride;
        let (x, y) = ((raw[0] + self.x) * self.stride, (raw[1] + self.y) * self.stride);
        let (width, height) = (size(raw[2]), size(raw[3]));
        [
            x - width / 2.0,
            y - height / 2.0,
            x + width / 2.0,
            y + height / 2.0,
        ]
    }
}

/// The cells of all levels, in the order of the output.
pub(crate) fn cells(width: usize, height: usize) -> Vec<Cell> {
    let mut cells = Vec::new();
    for stride in STRIDES {
        for y in 0..height / stride {
            for x in 0..width / stride {
                cells.push(Cell {
                    x: x as f32,
                    y: y as f32,
                    stride: stride as f32,
                });
            }
        }
    }
    cells
}

/// What one cell is to learn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Target {
    /// There is nothing.
    Background,
    /// Nothing is to be learnt here.
    Ignored,
    /// The object at this index of the truths, which the cell's box overlaps by so much now.
    Object { truth: usize, overlap: f32 },
}

fn edges(truth: &Truth) -> [f32; 4] {
    let b = &truth.bounding_box;
    [b.left, b.top, b.right(), b.bottom()]
}

fn overlap(a: [f32; 4], b: [f32; 4]) -> f32 {
    let width = a[2].min(b[2]) - a[0].max(b[0]);
    let height = a[3].min(b[3]) - a[1].max(b[1]);
    if width <= 0.0 || height <= 0.0 {
        return 0.0;
    }
    let common = width * height;
    let area = |edges: [f32; 4]| (edges[2] - edges[0]) * (edges[3] - edges[1]);
    common / (area(a) + area(b) - common).max(1e-9)
}

/// How badly the raw values of a cell fit the class: binary cross-entropy of sqrt(objectness · class).
fn class_cost(raw: &[f32], class: usize) -> f32 {
    let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
    let objectness = sigmoid(raw[4]);
    let costs = raw[5..COLUMNS].iter().enumerate().map(|(index, logit)| {
        let score = (objectness * sigmoid(*logit)).sqrt().clamp(1e-6, 1.0 - 1e-6);
        if index == class {
            -score.ln()
        } else {
            -(1.0 - score).ln()
        }
    });
    costs.sum()
}

/// The target of every cell of one picture; `raw` is the net's output for it.
pub(crate) fn assign(raw: &[f32], cells: &[Cell], truths: &[Truth]) -> Vec<Target> {
    let mut targets = vec![Target::Background; cells.len()];
    for truth in truths.iter().filter(|truth| truth.ignored) {
        let [left, top, right, bottom] = edges(truth);
        for (cell, target) in cells.iter().zip(&mut targets) {
            let (x, y) = cell.centre();
            if x >= left && x <= right && y >= top && y <= bottom {
                *target = Target::Ignored;
            }
        }
    }
    // The least cost at which each cell has been taken so far.
    let mut taken = vec![f32::INFINITY; cells.len()];
    for (index, truth) in truths.iter().enumerate().filter(|(_, truth)| !truth.ignored) {
        let wanted = edges(truth);
        let (x, y) = ((wanted[0] + wanted[2]) / 2.0, (wanted[1] + wanted[3]) / 2.0);
        let near = cells
            .iter()
            .zip(raw.chunks_exact(COLUMNS))
            .enumerate()
            .filter(|(_, (cell, _))| {
                let (cell_x, cell_y) = cell.centre();
                let radius = CENTRE_RADIUS * cell.stride;
                (cell_x - x).abs() < radius && (cell_y - y).abs() < radius
            });
        let mut candidates: Vec<(f32, f32, usize)> = near
            .map(|(place, (cell, raw))| {
                let overlap = overlap(cell.decoded(raw), wanted);
                let cost = class_cost(raw, truth.class) - BOX_COST * (overlap + 1e-8).ln();
                (cost, overlap, place)
            })
            .collect();
        let mut overlaps: Vec<f32> = candidates.iter().map(|(_, overlap, _)| *overlap).collect();
        overlaps.sort_by(|a, b| b.total_cmp(a));
        let wanted_cells = (overlaps.iter().take(BEST_OVERLAPS).sum::<f32>() as usize).max(1);
        candidates.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.2.cmp(&b.2)));
        for (cost, overlap, place) in candidates.into_iter().take(wanted_cells) {
            if cost < taken[place] {
                taken[place] = cost;
                targets[place] = Target::Object {
                    truth: index,
                    overlap,
                };
            }
        }
    }
    targets
}

#[cfg(test)]
mod tests {
    use super::*;
    use mineseal_domain::BoundingBox;

    fn truth(left: f32, top: f32, width: f32, height: f32, ignored: bool) -> Truth {
        Truth {
            class: 0,
            bounding_box: BoundingBox {
                left,
                top,
                width,
                height,
            },
            ignored,
        }
    }

    #[test]
    fn the_cell_whose_box_fits_takes_the_object() {
        let cells = cells(64, 64);
        assert_eq!(cells.len(), 64 + 16 + 4);
        let mut raw = vec![-5.0; cells.len() * COLUMNS];
        let place = 3 * 8 + 4;
        raw[place * COLUMNS..(place + 1) * COLUMNS]
            .copy_from_slice(&[0.5, 0.5, 0.0, 0.7, 3.0, 3.0, -3.0, -3.0, -3.0]);
        let targets = assign(&raw, &cells, &[truth(32.0, 20.0, 8.0, 16.0, false)]);
        let objects: Vec<usize> = (0..targets.len())
            .filter(|i| matches!(targets[*i], Target::Object { .. }))
            .collect();
        assert_eq!(objects, [place]);
        assert!(matches!(targets[place], Target::Object { truth: 0, overlap } if overlap > 0.9));
    }

    #[test]
    fn nothing_is_learnt_where_an_object_is_ignored() {
        let cells = cells(64, 64);
        let raw = vec![0.0; cells.len() * COLUMNS];
        let targets = assign(&raw, &cells, &[truth(0.0, 0.0, 16.0, 16.0, true)]);
        let ignored = targets
            .iter()
            .filter(|target| **target == Target::Ignored)
            .count();
        // Four cells of stride 8, one of 16, and the one of 32 whose centre is the box's corner.
        assert_eq!(ignored, 6);
    }

    #[test]
    fn two_objects_in_one_place_each_keep_a_cell_or_the_cheaper_wins() {
        let cells = cells(64, 64);
        let raw = vec![0.0; cells.len() * COLUMNS];
        let truths = [
            truth(8.0, 8.0, 8.0, 8.0, false),
            truth(40.0, 40.0, 16.0, 16.0, false),
        ];
        let targets = assign(&raw, &cells, &truths);
        for index in 0..2 {
            assert!(
                targets
                    .iter()
                    .any(|t| matches!(t, Target::Object { truth, .. } if *truth == index))
            );
        }
    }
}
