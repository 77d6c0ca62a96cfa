//! From what the head says to boxes.

use candle_core::Tensor;
use mineseal_domain::{BoundingBox, Detection, ObjectClass};
use mineseal_kernels::BLOCK;

use crate::letterbox::Letterbox;
use crate::network::{Level, STRIDES};

/// The lane of objectness; the box stands before it.
const OBJECTNESS: usize = 4;

/// The numbers of all levels for a batch.
pub(crate) struct Outputs {
    levels: Vec<OutputLevel>,
}

struct OutputLevel {
    stride: usize,
    /// Cells in a row.
    width: usize,
    /// Cells of one picture.
    cells: usize,
    boxes: Vec<f32>,
    classes: Vec<f32>,
}

impl Outputs {
    pub(crate) fn read(levels: &[Level; 3]) -> candle_core::Result<Self> {
        let numbers = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
        let level = |(level, stride): (&Level, usize)| {
            let (_, _, height, width, _) = level.boxes.dims5()?;
            let (boxes, classes) = (numbers(&level.boxes)?, numbers(&level.classes)?);
            Ok(OutputLevel {
                stride,
                width,
                cells: height * width,
                boxes,
                classes,
            })
        };
        Ok(Self {
            levels: levels
                .iter()
                .zip(STRIDES)
                .map(level)
                .collect::<candle_core::Result<_>>()?,
        })
    }

    /// Boxes of one picture that reach the threshold, in pixels of the picture, in the order of the cells. A cell
    /// gives the best of the classes; the first where several are equal.
    pub(crate) fn candidates(
        &self,
        picture: usize,
        classes: &[ObjectClass],
        threshold: f32,
        letterbox: &Letterbox,
    ) -> Vec<Detection> {
        // The score is never above the objectness: most cells are done with after one comparison.
        let least = (threshold / (1.0 - threshold)).ln();
        let mut found = Vec::new();
        for level in &self.levels {
            let of_picture = picture * level.cells * BLOCK..(picture + 1) * level.cells * BLOCK;
            let (cells, _) = level.boxes[of_picture.clone()].as_chunks::<BLOCK>();
            let (scores, _) = level.classes[of_picture].as_chunks::<BLOCK>();
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
                let bounding_box = level.decode(index, cell, letterbox.ratio as f32);
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
}

impl OutputLevel {
    fn decode(&self, index: usize, cell: &[f32; BLOCK], ratio: f32) -> BoundingBox {
        let scale = self.stride as f32 / ratio;
        let x = (cell[0] + (index % self.width) as f32) * scale;
        let y = (cell[1] + (index / self.width) as f32) * scale;
        let (width, height) = (cell[2].exp() * scale, cell[3].exp() * scale);
        BoundingBox {
            left: x - width / 2.0,
            top: y - height / 2.0,
            width,
            height,
        }
    }
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}
