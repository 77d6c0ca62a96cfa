use candle_core::Tensor;
use mineseal_kernels::Pointwise;

use super::layers::{Path, Separable};
use crate::DetectorError;
use crate::weights::Weights;

/// Centre, size.
const BOX: usize = 4;

/// The decoupled head: what an object is and where it is are found on ways of their own.
pub(crate) struct Head {
    levels: Vec<LevelHead>,
}

/// What the head says of one stride. Both tensors are `[pictures, 1, height, width, 16]`.
pub(crate) struct Level {
    /// Lanes 0 to 3: centre and size before decoding; lane 4: objectness before the sigmoid.
    pub(crate) boxes: Tensor,
    /// One lane for each class that is computed, before the sigmoid.
    pub(crate) classes: Tensor,
}

struct LevelHead {
    stem: Pointwise,
    class_way: [Separable; 2],
    classes: Pointwise,
    box_way: [Separable; 2],
    boxes: Pointwise,
}

impl Head {
    pub(crate) fn load(
        weights: &Weights<'_>,
        base: usize,
        classes: (usize, &[usize]),
    ) -> Result<Self, DetectorError> {
        let path = Path::new(weights, "head");
        let inputs = [4 * base, 8 * base, 16 * base];
        let level = |(number, inputs)| LevelHead::load(&path, number, inputs, 4 * base, classes);
        Ok(Self {
            levels: inputs
                .into_iter()
                .enumerate()
                .map(level)
                .collect::<Result<_, _>>()?,
        })
    }

    pub(crate) fn forward(&self, features: &[Tensor; 3]) -> candle_core::Result<[Level; 3]> {
        let [fine, middle, coarse] = features;
        let level = |number: usize, features| match self.levels.get(number) {
            Some(head) => head.forward(features),
            None => candle_core::bail!("the head has no level {number}"),
        };
        Ok([level(0, fine)?, level(1, middle)?, level(2, coarse)?])
    }
}

impl LevelHead {
    fn load(
        path: &Path<'_>,
        number: usize,
        inputs: usize,
        hidden: usize,
        (class_count, used): (usize, &[usize]),
    ) -> Result<Self, DetectorError> {
        let way = |name: &str| {
            let separable = |j| Separable::load(&path.at(&format!("{name}.{number}.{j}")), hidden, hidden, 1);
            Ok::<_, DetectorError>([separable(0)?, separable(1)?])
        };
        let last = |name: &str, outputs| {
            path.at(&format!("{name}.{number}"))
                .convolution(outputs, hidden, 1)
        };

        let (class_weight, class_bias) = last("cls_preds", class_count)?;
        let rows: Vec<&[f32]> = class_weight.chunks_exact(hidden).collect();
        let used_weight: Vec<f32> = used.iter().flat_map(|&place| rows[place]).copied().collect();
        let used_bias: Vec<f32> = used.iter().map(|&place| class_bias[place]).collect();

        // Boxes and objectness are read from the same features: one convolution gives both.
        let (mut box_weight, mut box_bias) = last("reg_preds", BOX)?;
        let (objectness_weight, objectness_bias) = last("obj_preds", 1)?;
        box_weight.extend(objectness_weight);
        box_bias.extend(objectness_bias);
        Ok(Self {
            stem: path.at(&format!("stems.{number}")).pointwise(inputs, hidden)?,
            class_way: way("cls_convs")?,
            classes: Pointwise::new(&used_weight, &used_bias, false)?,
            box_way: way("reg_convs")?,
            boxes: Pointwise::new(&box_weight, &box_bias, false)?,
        })
    }

    fn forward(&self, features: &Tensor) -> candle_core::Result<Level> {
        let stem = self.stem.forward(features)?;
        let go = |[first, second]: &[Separable; 2]| second.forward(&first.forward(&stem)?);
        Ok(Level {
            boxes: self.boxes.forward(&go(&self.box_way)?)?,
            classes: self.classes.forward(&go(&self.class_way)?)?,
        })
    }
}
