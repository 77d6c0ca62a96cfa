//! The loss of YOLOX and its gradient: generalised overlap and differences for boxes, binary cross-entropy
//! for objectness and classes, each divided by the number of responsible cells.

use std::sync::{Arc, Mutex};

use candle_core::{CpuStorage, CustomOp1, Error, Layout, Result, Shape, Tensor};

use crate::assignment::{COLUMNS, Cell, LARGEST_LOGARITHM, Target, assign};
use crate::dual::Dual;
use crate::truth::Truth;

/// Weight of the box loss, as in YOLOX.
const BOX_WEIGHT: f32 = 5.0;

/// Differences of the raw box values from the wanted ones count fully from here on, in strides and logarithms.
const FULL_DIFFERENCE: f32 = 0.1;

/// The parts of the loss of one batch, for the log.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LossParts {
    /// 1 − generalised overlap, mean over responsible cells.
    pub boxes: f32,
    /// Difference of the raw box values from the wanted ones, sum of four, mean over responsible cells.
    pub differences: f32,
    /// Objectness, over all cells, per responsible cell.
    pub objectness: f32,
    /// Classes, mean over responsible cells.
    pub classes: f32,
    /// Distance from the teacher on real pictures; 0 without one.
    pub distillation: f32,
    /// Cells that are responsible for an object.
    pub responsible: usize,
}

/// The loss as an operation on the raw output [pictures, cells, columns].
pub(crate) struct DetectionLoss {
    cells: Arc<Vec<Cell>>,
    truths: Vec<Vec<Truth>>,
    kept: Mutex<Option<Vec<f32>>>,
    parts: Arc<Mutex<LossParts>>,
}

/// The loss of a batch as a scalar, and its parts.
pub(crate) fn detection_loss(
    output: &Tensor,
    cells: Arc<Vec<Cell>>,
    truths: Vec<Vec<Truth>>,
) -> Result<(Tensor, LossParts)> {
    let parts = Arc::new(Mutex::new(LossParts::default()));
    let operation = DetectionLoss {
        cells,
        truths,
        kept: Mutex::new(None),
        parts: parts.clone(),
    };
    let loss = output.apply_op1(operation)?;
    let parts = *parts.lock().map_err(|_| poisoned())?;
    Ok((loss, parts))
}

pub(crate) fn poisoned() -> Error {
    Error::Msg("another thread of the training failed".into())
}

/// Binary cross-entropy of a logit, and its derivative.
pub(crate) fn cross_entropy(logit: f32, target: f32) -> (f32, f32) {
    let loss = logit.max(0.0) - logit * target + (-logit.abs()).exp().ln_1p();
    (loss, 1.0 / (1.0 + (-logit).exp()) - target)
}

/// 1 − generalised overlap of the cell's box with `wanted` (left, top, right, bottom), and its derivatives
/// by tx, ty, tw, th.
fn box_loss(cell: Cell, raw: &[f32], wanted: [f32; 4]) -> Dual<4> {
    let variable = |index: usize| Dual::variable(raw[index], index);
    let centre =
        |index: usize, place: f32| (variable(index) + Dual::constant(place)) * Dual::constant(cell.stride);
    let half = |index: usize| {
        variable(index).clamp(LARGEST_LOGARITHM).exponential() * Dual::constant(cell.stride / 2.0)
    };
    let (x, y, w, h) = (centre(0, cell.x), centre(1, cell.y), half(2), half(3));
    let (left, top, right, bottom) = (x - w, y - h, x + w, y + h);
    let wanted = wanted.map(Dual::constant);
    let zero = Dual::constant(0.0);
    let width = (right.minimum(wanted[2]) - left.maximum(wanted[0])).maximum(zero);
    let height = (bottom.minimum(wanted[3]) - top.maximum(wanted[1])).maximum(zero);
    let common = width * height;
    let area = (right - left) * (bottom - top);
    let wanted_area = (wanted[2] - wanted[0]) * (wanted[3] - wanted[1]);
    let union = area + wanted_area - common;
    let hull = (right.maximum(wanted[2]) - left.minimum(wanted[0]))
        * (bottom.maximum(wanted[3]) - top.minimum(wanted[1]));
    Dual::constant(1.0) - (common / union - (hull - union) / hull)
}

/// How far a raw value is from the wanted one (Huber 1964), and its derivative. The overlap alone leaves
/// small boxes imprecise; YOLOX adds this at the end of its training.
pub(crate) fn difference(raw: f32, wanted: f32) -> (f32, f32) {
    let difference = raw - wanted;
    let size = difference.abs();
    if size < FULL_DIFFERENCE {
        (
            difference * difference / (2.0 * FULL_DIFFERENCE),
            difference / FULL_DIFFERENCE,
        )
    } else {
        (size - FULL_DIFFERENCE / 2.0, difference.signum())
    }
}

/// The raw values with which the cell's box is the object's.
fn wanted_values(cell: Cell, truth: &Truth) -> [f32; 4] {
    let b = &truth.bounding_box;
    let size = |length: f32| (length / cell.stride).max(1e-3).ln();
    let centre = |place: f32, length: f32, cell_place: f32| (place + length / 2.0) / cell.stride - cell_place;
    [
        centre(b.left, b.width, cell.x),
        centre(b.top, b.height, cell.y),
        size(b.width),
        size(b.height),
    ]
}

impl DetectionLoss {
    fn loss_and_gradient(&self, values: &[f32]) -> (f32, LossParts, Vec<f32>) {
        let mut gradient = vec![0.0; values.len()];
        let mut sums = [0.0_f64; 4];
        let mut responsible = 0;
        let length = self.cells.len() * COLUMNS;
        let pictures = values.chunks_exact(length).zip(gradient.chunks_exact_mut(length));
        for ((raw, gradient), truths) in pictures.zip(&self.truths) {
            let targets = assign(raw, &self.cells, truths);
            let rows = raw.chunks_exact(COLUMNS).zip(gradient.chunks_exact_mut(COLUMNS));
            for ((cell, target), (raw, gradient)) in self.cells.iter().zip(&targets).zip(rows) {
                let wanted = match target {
                    Target::Ignored => continue,
                    Target::Background => 0.0,
                    Target::Object { .. } => 1.0,
                };
                let (loss, slope) = cross_entropy(raw[4], wanted);
                sums[1] += f64::from(loss);
                gradient[4] = slope;
                let Target::Object { truth, overlap } = *target else {
                    continue;
                };
                responsible += 1;
                let truth = &truths[truth];
                let b = &truth.bounding_box;
                let boxes = box_loss(*cell, raw, [b.left, b.top, b.right(), b.bottom()]);
                sums[0] += f64::from(boxes.value);
                let values = raw.iter().zip(wanted_values(*cell, truth));
                for ((gradient, slope), (raw, wanted)) in gradient.iter_mut().zip(boxes.slopes).zip(values) {
                    let (loss, direction) = difference(*raw, wanted);
                    sums[3] += f64::from(loss);
                    *gradient = BOX_WEIGHT * slope + direction;
                }
                for (class, (logit, gradient)) in raw[5..].iter().zip(&mut gradient[5..]).enumerate() {
                    let (loss, slope) =
                        cross_entropy(*logit, if class == truth.class { overlap } else { 0.0 });
                    sums[2] += f64::from(loss);
                    *gradient = slope;
                }
            }
        }
        let divisor = responsible.max(1) as f32;
        for value in &mut gradient {
            *value /= divisor;
        }
        let [boxes, objectness, classes, differences] = sums.map(|sum| sum as f32 / divisor);
        let total = BOX_WEIGHT * boxes + differences + objectness + classes;
        (
            total,
            LossParts {
                boxes,
                differences,
                objectness,
                classes,
                distillation: 0.0,
                responsible,
            },
            gradient,
        )
    }
}

impl CustomOp1 for DetectionLoss {
    fn name(&self) -> &'static str {
        "detection loss"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (pictures, cells, columns) = layout.shape().dims3()?;
        if pictures != self.truths.len() || cells != self.cells.len() || columns != COLUMNS {
            return Err(Error::Msg(format!(
                "the loss of {} pictures, {} cells, {COLUMNS} values was given {:?}",
                self.truths.len(),
                self.cells.len(),
                layout.dims()
            )));
        }
        let (CpuStorage::F32(values), Some((first, last))) = (storage, layout.contiguous_offsets()) else {
            return Err(Error::Msg("the loss takes contiguous f32 values".into()));
        };
        let (loss, parts, gradient) = self.loss_and_gradient(&values[first..last]);
        *self.kept.lock().map_err(|_| poisoned())? = Some(gradient);
        *self.parts.lock().map_err(|_| poisoned())? = parts;
        Ok((CpuStorage::F32(vec![loss]), Shape::from(())))
    }

    fn bwd(&self, output: &Tensor, _result: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let kept = self.kept.lock().map_err(|_| poisoned())?.take();
        let kept =
            kept.ok_or_else(|| Error::Msg("the loss goes backward once after each forward pass".into()))?;
        let kept = Tensor::from_vec(kept, output.shape(), output.device())?;
        Ok(Some(kept.affine(f64::from(gradient.to_scalar::<f32>()?), 0.0)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assignment::cells;
    use mineseal_domain::BoundingBox;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn box_gradients_are_the_finite_differences() {
        let cell = Cell {
            x: 3.0,
            y: 2.0,
            stride: 8.0,
        };
        for (wanted, raw) in [
            ([20.0, 10.0, 36.0, 40.0], [0.4, 0.7, 0.3, 0.9]),
            ([60.0, 60.0, 70.0, 80.0], [0.1, 0.2, -0.5, 0.4]),
            ([25.0, 18.0, 30.0, 22.0], [0.5, 0.5, 2.0, 2.0]),
        ] {
            let loss = box_loss(cell, &raw, wanted);
            for index in 0..4 {
                let nudged = |by: f32| {
                    let mut raw = raw;
                    raw[index] += by;
                    box_loss(cell, &raw, wanted).value
                };
                let numeric = (nudged(1e-3) - nudged(-1e-3)) / 2e-3;
                assert!(
                    (loss.slopes[index] - numeric).abs() < 2e-3,
                    "{index}: {:?} {numeric}",
                    loss.slopes
                );
            }
        }
    }

    #[test]
    fn the_wanted_values_decode_to_the_object() {
        let cell = Cell {
            x: 3.0,
            y: 2.0,
            stride: 8.0,
        };
        let bounding_box = BoundingBox {
            left: 20.0,
            top: 10.0,
            width: 7.0,
            height: 25.0,
        };
        let decoded = cell.decoded(&wanted_values(
            cell,
            &Truth {
                class: 0,
                bounding_box,
                ignored: false,
            },
        ));
        for (edge, wanted) in decoded.iter().zip([20.0, 10.0, 27.0, 35.0]) {
            assert!((edge - wanted).abs() < 1e-4, "{decoded:?}");
        }
        for raw in [-0.7, -0.04, 0.02, 1.5] {
            let numeric = (difference(raw + 1e-3, 0.0).0 - difference(raw - 1e-3, 0.0).0) / 2e-3;
            assert!((difference(raw, 0.0).1 - numeric).abs() < 1e-2);
        }
    }

    #[test]
    fn following_the_gradient_finds_the_object() {
        let cells = Arc::new(cells(64, 64));
        let bounding_box = BoundingBox {
            left: 12.0,
            top: 20.0,
            width: 14.0,
            height: 30.0,
        };
        let truths = vec![vec![Truth {
            class: 2,
            bounding_box,
            ignored: false,
        }]];
        let mut generator = ChaCha8Rng::seed_from_u64(1);
        let mut values: Vec<f32> = (0..cells.len() * COLUMNS)
            .map(|_| generator.random_range(-1.0..1.0))
            .collect();
        let operation = DetectionLoss {
            cells: cells.clone(),
            truths: truths.clone(),
            kept: Mutex::new(None),
            parts: Arc::default(),
        };
        let (first, ..) = operation.loss_and_gradient(&values);
        for _ in 0..4000 {
            let (_, _, gradient) = operation.loss_and_gradient(&values);
            for (value, slope) in values.iter_mut().zip(gradient) {
                *value -= 0.02 * slope;
            }
        }
        let (last, parts, _) = operation.loss_and_gradient(&values);
        assert!(
            last < first / 10.0 && parts.boxes < 0.1,
            "{first} to {last}: {parts:?}"
        );
        let best = values
            .chunks_exact(COLUMNS)
            .zip(cells.iter())
            .max_by(|a, b| a.0[4].total_cmp(&b.0[4]))
            .map(|(raw, cell)| cell.decoded(raw))
            .unwrap();
        assert!(
            (best[0] - 12.0).abs() < 2.0 && (best[3] - 50.0).abs() < 2.0,
            "{best:?}"
        );
    }
}
