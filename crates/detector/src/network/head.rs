use std::cmp::Ordering;

use mineseal_kernels::{BLOCK, Map, Pointwise, View, Workspace};

use super::layers::{Path, Window};
use crate::DetectorError;

/// Centre, size.
const BOX: usize = 4;
/// The lane of objectness among the boxes' lanes.
pub(crate) const OBJECTNESS: usize = BOX;

/// The decoupled head: what an object is and where it is are found on ways of their own.
pub(crate) struct Head {
    levels: Vec<LevelHead>,
}

/// What the head says of one stride. Both maps have one block.
pub(crate) struct Level {
    /// Lanes 0 to 3: centre and size before decoding; lane 4: objectness before the sigmoid.
    pub(crate) boxes: Map,
    /// One lane for each class that is computed, before the sigmoid; only of cells whose objectness is not below what
    /// was asked for. `None` where there is no such cell.
    pub(crate) classes: Option<Map>,
}

struct LevelHead {
    stem: Pointwise,
    class_way: [Window; 2],
    classes: Pointwise,
    box_way: [Window; 2],
    boxes: Pointwise,
}

impl Head {
    pub(crate) fn load(
        path: &Path<'_>,
        base: usize,
        classes: (usize, &[usize]),
    ) -> Result<Self, DetectorError> {
        let path = path.at("head");
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

    pub(crate) fn forward(
        &self,
        workspace: &Workspace,
        features: &[Map; 3],
        least: f32,
    ) -> candle_core::Result<[Level; 3]> {
        let [fine, middle, coarse] = features;
        let level = |number: usize, features: &Map| match self.levels.get(number) {
            Some(head) => head.forward(workspace, features.view(), least),
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
            let window = |j| path.at(&format!("{name}.{number}.{j}")).window(hidden, hidden, 1);
            Ok::<_, DetectorError>([window(0)?, window(1)?])
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
            classes: path.packed(&used_weight, &used_bias, false)?,
            box_way: way("reg_convs")?,
            boxes: path.packed(&box_weight, &box_bias, false)?,
        })
    }

    /// Classes are only computed in the rows that have a cell whose objectness is at least `least`, and between them.
    fn forward(&self, workspace: &Workspace, features: View<'_>, least: f32) -> candle_core::Result<Level> {
        let stem = self.stem.apply(workspace, features)?;
        let height = stem.height();
        let [first, second] = &self.box_way;
        let middle = first.apply(workspace, stem.view())?;
        let boxes = second.apply_rows_then(workspace, middle.view(), 0..height, &self.boxes)?;
        drop(middle);

        let (cells, _) = boxes.numbers().as_chunks::<BLOCK>();
        // Not below: a number that is not comparable is left to the one who reads it.
        let passes = |cell: &[f32; BLOCK]| cell[OBJECTNESS].partial_cmp(&least) != Some(Ordering::Less);
        let top = cells.iter().position(passes).map(|cell| cell / boxes.width());
        let bottom = cells.iter().rposition(passes).map(|cell| cell / boxes.width());
        let (Some(top), Some(bottom)) = (top, bottom) else {
            return Ok(Level { boxes, classes: None });
        };
        let [first, second] = &self.class_way;
        // The second convolution sees one row more on each side.
        let seen = top.saturating_sub(1)..(bottom + 2).min(height);
        let middle = first.apply_rows(workspace, stem.view(), seen)?;
        let classes = second.apply_rows_then(workspace, middle.view(), top..bottom + 1, &self.classes)?;
        Ok(Level {
            boxes,
            classes: Some(classes),
        })
    }
}
