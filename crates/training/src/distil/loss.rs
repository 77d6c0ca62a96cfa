//! How far the student is from its teacher (Hinton, Vinyals and Dean 2015, with sigmoids instead of a softmax).

use std::sync::Mutex;

use candle_core::{CpuStorage, CustomOp1, Error, Layout, Result, Shape, Tensor};

use crate::assignment::COLUMNS;
use crate::loss::{cross_entropy, difference, poisoned};

/// Cells with less of the teacher's objectness say nothing about boxes and classes.
const LEAST: f32 = 0.01;
/// From this objectness on a cell counts fully: what the teacher is half sure of is half of what it knows.
const FULL: f32 = 0.25;

/// The distance of one batch; 0 exactly where the student says what the teacher says.
struct Distance {
    /// What the teacher says: as long as the student's output.
    teacher: Vec<f32>,
    kept: Mutex<Option<Vec<f32>>>,
}

/// Distance of `output` ([pictures, cells, columns], raw) from what the teacher says of the same cells, as a scalar.
pub(crate) fn distance(output: &Tensor, teacher: Vec<f32>) -> Result<Tensor> {
    output.apply_op1(Distance {
        teacher,
        kept: Mutex::new(None),
    })
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// Divergence of the student's probability from the teacher's, both as logits, and its derivative by the student's.
fn divergence(student: f32, teacher: f32) -> (f32, f32) {
    let target = sigmoid(teacher);
    let (loss, slope) = cross_entropy(student, target);
    (loss - cross_entropy(teacher, target).0, slope)
}

/// Objectness over all cells; classes and boxes where the teacher sees something. Divided by how much it sees.
fn distance_and_gradient(student: &[f32], teacher: &[f32]) -> (f32, Vec<f32>) {
    let mut gradient = vec![0.0; student.len()];
    let (mut sum, mut seen) = (0.0_f64, 0.0_f64);
    let rows = student.chunks_exact(COLUMNS).zip(teacher.chunks_exact(COLUMNS));
    for ((student, teacher), gradient) in rows.zip(gradient.chunks_exact_mut(COLUMNS)) {
        let objectness = sigmoid(teacher[4]);
        seen += f64::from(objectness);
        let (loss, slope) = divergence(student[4], teacher[4]);
        sum += f64::from(loss);
        gradient[4] = slope;
        if objectness < LEAST {
            continue;
        }
        let weight = (objectness / FULL).min(1.0);
        for column in (0..COLUMNS).filter(|column| *column != 4) {
            let (loss, slope) = if column < 4 {
                difference(student[column], teacher[column])
            } else {
                divergence(student[column], teacher[column])
            };
            sum += f64::from(weight * loss);
            gradient[column] = weight * slope;
        }
    }
    let divisor = seen.max(1.0) as f32;
    for value in &mut gradient {
        *value /= divisor;
    }
    (sum as f32 / divisor, gradient)
}

impl CustomOp1 for Distance {
    fn name(&self) -> &'static str {
        "distance from the teacher"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (CpuStorage::F32(values), Some((first, last))) = (storage, layout.contiguous_offsets()) else {
            return Err(Error::Msg("the distance takes contiguous f32 values".into()));
        };
        if last - first != self.teacher.len() {
            return Err(Error::Msg(format!(
                "student and teacher say {} and {} numbers",
                last - first,
                self.teacher.len()
            )));
        }
        let (loss, gradient) = distance_and_gradient(&values[first..last], &self.teacher);
        *self.kept.lock().map_err(|_| poisoned())? = Some(gradient);
        Ok((CpuStorage::F32(vec![loss]), Shape::from(())))
    }

    fn bwd(&self, output: &Tensor, _result: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let kept = self.kept.lock().map_err(|_| poisoned())?.take();
        let kept =
            kept.ok_or_else(|| Error::Msg("the distance goes backward once after each forward pass".into()))?;
        let kept = Tensor::from_vec(kept, output.shape(), output.device())?;
        Ok(Some(kept.affine(f64::from(gradient.to_scalar::<f32>()?), 0.0)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn the_distance_is_zero_at_the_teacher_and_its_gradient_is_the_finite_difference() {
        let mut generator = ChaCha8Rng::seed_from_u64(3);
        let mut random = || -> Vec<f32> {
            (0..20 * COLUMNS)
                .map(|_| generator.random_range(-3.0..3.0))
                .collect()
        };
        let (mut student, teacher) = (random(), random());
        let (none, slopes) = distance_and_gradient(&teacher, &teacher);
        assert!(none.abs() < 1e-6 && slopes.iter().all(|slope| slope.abs() < 1e-6));
        let (loss, gradient) = distance_and_gradient(&student, &teacher);
        assert!(loss > 0.1);
        for place in 0..student.len() {
            let original = student[place];
            let mut nudged = |by: f32| {
                student[place] = original + by;
                let (loss, _) = distance_and_gradient(&student, &teacher);
                student[place] = original;
                loss
            };
            let numeric = (nudged(1e-2) - nudged(-1e-2)) / 2e-2;
            assert!(
                (gradient[place] - numeric).abs() < 5e-3,
                "{place}: {} against {numeric}",
                gradient[place]
            );
        }
    }
}
