//! The teacher's weights taken apart so that the student begins as the teacher, exactly.
//!
//! A folded convolution gives `y = w·x + b`; training wants `y = scale · (f·w·x − f·mean) / √(f²·variance) + shift`, with filters
//! of the size that the optimiser's steps are made for (`f`) and moments that stay: pictures of a kind of their own in one
//! batch then do not move what the net says of others, and both forms agree for any moments.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use candle_core::Tensor;

use crate::error::TrainingError;
use crate::export::measure;
use crate::folded::FoldedFile;
use crate::layers::Kind;
use crate::net::Net;
use crate::operations::{EPSILON, MomentSums, Moments};
use crate::optimiser::Optimiser;
use crate::unfold::{Block, enlarge, set};

/// Sets values, averages and fixed moments so that the net does what the weights in the file do. The moments are those
/// of `pictures`, which makes its variables alike in size.
///
/// # Errors
/// A file that cannot be read or is not of this net.
pub(crate) fn begin(
    net: &mut Net,
    optimiser: &mut Optimiser,
    path: &Path,
    pictures: &Tensor,
) -> Result<(), TrainingError> {
    let file = FoldedFile::read(path)?;
    let layers = net.layers().clone();
    let mut blocks = Vec::new();
    for (layer_path, layer) in &layers {
        let (mut weights, bias) = file.layer(layer_path, layer)?;
        match layer.kind {
            Kind::Prediction => set(optimiser, &format!("{layer_path}.bias"), bias)?,
            Kind::Block(_) => {
                let enlarged = enlarge(layer, &mut weights);
                blocks.push(Block {
                    path: layer_path,
                    layer,
                    bias,
                    enlarged,
                    normalisation: Vec::new(),
                });
            }
        }
        let name = format!("{layer_path}.weight");
        set(optimiser, &name, layer.training_order(&weights))?;
    }
    // First with moments that undo the enlarging alone; what then runs through the net are the teacher's values.
    let plain = |block: &Block<'_>| Moments {
        mean: vec![0.0; block.layer.output],
        variance: block
            .enlarged
            .iter()
            .map(|factor| factor * factor - EPSILON)
            .collect(),
    };
    fix(net, optimiser, &blocks, plain)?;
    let measured = measure(net, std::iter::once(Ok(pictures.clone())))?;
    let of_block = |block: &Block<'_>| {
        let sums = measured
            .get(block.path)
            .and_then(|sums| sums.lock().ok()?.moments());
        let (mean, variance) = sums.unwrap_or_default();
        let narrow = |values: Vec<f64>| values.into_iter().map(|value| value as f32).collect();
        Moments {
            mean: narrow(mean),
            variance: narrow(variance),
        }
    };
    fix(net, optimiser, &blocks, of_block)
}

fn fix(
    net: &mut Net,
    optimiser: &mut Optimiser,
    blocks: &[Block<'_>],
    moments: impl Fn(&Block<'_>) -> Moments,
) -> Result<(), TrainingError> {
    let mut fixed = BTreeMap::new();
    for block in blocks {
        let moments = moments(block);
        let wide = |values: &[f32]| values.iter().map(|value| f64::from(*value)).collect::<Vec<f64>>();
        let normalisation = block.that_gives(&wide(&moments.mean), &wide(&moments.variance));
        set(optimiser, &format!("{}.normalisation", block.path), normalisation)?;
        fixed.insert(block.path.clone(), Arc::new(moments));
    }
    net.fix(fixed);
    optimiser.publish(net, |state| &state.value)?;
    Ok(())
}

/// The fixed moments in the form that weights are folded with.
pub(crate) fn sums(net: &Net) -> crate::net::Moments {
    let sums = |moments: &Moments| {
        let mut sums = MomentSums::default();
        sums.add(moments);
        Arc::new(std::sync::Mutex::new(sums))
    };
    let fixed = net.fixed().iter();
    fixed
        .map(|(path, moments)| (path.clone(), sums(moments)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::{folded, weights_file};
    use crate::optimiser::Schedule;
    use candle_core::Device;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn the_student_begins_as_its_teacher_and_is_exported_as_such() {
        let schedule = Schedule {
            peak: 1e-3,
            warm_up: 1,
            steps: 1,
        };
        let mut generator = ChaCha8Rng::seed_from_u64(5);
        let pixels: Vec<f32> = (0..2 * 32 * 48 * 12)
            .map(|_| generator.random_range(0.0..255.0))
            .collect();
        let pictures = Tensor::from_vec(pixels, (2, 32, 48, 12), &Device::Cpu).unwrap();
        let teacher = Net::new(3).unwrap();
        let moments = measure(&teacher, std::iter::once(Ok(pictures.clone()))).unwrap();
        let optimiser = Optimiser::new(&teacher, schedule, 0.0, 1.0).unwrap();
        let tensors = folded(&teacher, &optimiser, &moments).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("teacher.safetensors");
        std::fs::write(&path, weights_file(&tensors, (96, 64)).unwrap()).unwrap();

        let mut student = Net::new(4).unwrap();
        let mut optimiser = Optimiser::new(&student, schedule, 0.0, 1.0).unwrap();
        begin(&mut student, &mut optimiser, &path, &pictures).unwrap();
        // One picture alone gives the same as both: nothing depends on the batch.
        let expected = teacher.forward(&pictures, None).unwrap();
        let both = student.forward(&pictures, None).unwrap();
        let one = student
            .forward(&pictures.narrow(0, 1, 1).unwrap().contiguous().unwrap(), None)
            .unwrap();
        let apart = |a: &Tensor, b: &Tensor| {
            let difference = (a - b).unwrap().abs().unwrap().flatten_all().unwrap();
            difference.max(0).unwrap().to_scalar::<f32>().unwrap()
        };
        // The teacher's moments of few values, taken in single precision, lie between; the tensors below agree exactly.
        assert!(apart(&both, &expected) < 0.05, "{}", apart(&both, &expected));
        assert!(apart(&one, &both.narrow(0, 1, 1).unwrap()) < 1e-4);
        let again = folded(&student, &optimiser, &sums(&student)).unwrap();
        for (name, (shape, values)) in &tensors {
            assert_eq!(&again[name].0, shape);
            for (one, other) in again[name].1.iter().zip(values) {
                let tolerance = 1e-4 * other.abs().max(1.0);
                assert!((one - other).abs() < tolerance, "{name}: {one} against {other}");
            }
        }
    }
}
