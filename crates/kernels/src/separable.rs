use std::ops::Range;

use candle_core::{Result, bail};

use crate::layout::BLOCK;
use crate::map::{Map, Planes, View, Workspace};
use crate::stem::{StemRows, check_picture};
use crate::{Depthwise, Pointwise, Stem};

/// Numbers of a tile of rows between two fused operations: small beside the second-level cache, large enough that
/// the weights are worth reading.
const TILE_NUMBERS: usize = 32 * 1024;
/// The inner loops are fastest where a tile's pixels are a multiple of this.
const GROUP: usize = 12;

/// A depthwise and a 1x1 convolution in one: a tile of rows of the first never leaves the caches.
#[derive(Clone, Debug)]
pub struct Separable {
    depthwise: Depthwise,
    pointwise: Pointwise,
}

/// The stem and the separable convolution after it in one: of the largest map of the net only three rows exist.
#[derive(Clone, Debug)]
pub struct Entrance {
    stem: Stem,
    separable: Separable,
}

/// What a convolution may do besides.
#[derive(Default)]
pub(crate) struct Extra<'a> {
    pub(crate) residual: Option<View<'a>>,
    pub(crate) last: Option<&'a Pointwise>,
    pub(crate) rows: Option<Range<usize>>,
}

/// What looks at a pixel's neighbours before a 1x1 convolution mixes the channels.
pub(crate) trait Neighbours {
    /// # Errors
    /// Where a map of so many blocks is not what it takes.
    fn check(&self, blocks: usize) -> Result<()>;

    /// Height and width of what comes out.
    fn out_size(&self, size: (usize, usize)) -> (usize, usize);

    /// Blocks that come out for a map of `blocks`.
    fn planes(&self, blocks: usize) -> usize;

    /// Row `y` of block `plane` of what comes out; `zeros` is as long as a row of the input.
    fn write_row(&self, input: View<'_>, zeros: &[f32], plane: usize, y: usize, out: &mut [f32]);
}

impl Neighbours for Depthwise {
    fn check(&self, blocks: usize) -> Result<()> {
        Depthwise::check(self, blocks)
    }

    fn out_size(&self, size: (usize, usize)) -> (usize, usize) {
        Depthwise::out_size(self, size)
    }

    fn planes(&self, blocks: usize) -> usize {
        blocks
    }

    fn write_row(&self, input: View<'_>, zeros: &[f32], plane: usize, y: usize, out: &mut [f32]) {
        self.map_row(input, zeros, plane, y, out);
    }
}

/// Rows of outputs that are computed at a time.
fn tile_rows(blocks: usize, (height, width): (usize, usize)) -> usize {
    let row = blocks * width * BLOCK;
    let most = (TILE_NUMBERS / row.max(1)).clamp(1, height.max(1));
    // The largest number of rows that fills whole groups, where there is one.
    (1..=most)
        .rev()
        .find(|rows| (rows * width).is_multiple_of(GROUP))
        .unwrap_or(most)
}

impl Separable {
    /// The one and then the other.
    ///
    /// # Errors
    /// Where the second does not take the channels of the first.
    pub fn new(depthwise: Depthwise, pointwise: Pointwise) -> Result<Self> {
        if pointwise.input_blocks() != depthwise.blocks() {
            bail!(
                "separable: {} channels of the depthwise convolution, {} expected by the 1x1",
                depthwise.blocks() * BLOCK,
                pointwise.input_blocks() * BLOCK
            );
        }
        Ok(Self { depthwise, pointwise })
    }

    /// Both convolutions of a map; height and width are divided by the stride and rounded up.
    ///
    /// # Errors
    /// Where the map has another number of channels.
    pub fn apply(&self, workspace: &Workspace, input: View<'_>) -> Result<Map> {
        self.run(workspace, input, Extra::default())
    }

    /// Both, then `residual` added.
    ///
    /// # Errors
    /// As [`Self::apply`], or where the residual is not of the output's shape.
    pub fn apply_residual(&self, workspace: &Workspace, input: View<'_>, residual: View<'_>) -> Result<Map> {
        let extra = Extra {
            residual: Some(residual),
            ..Extra::default()
        };
        self.run(workspace, input, extra)
    }

    /// As [`Self::apply`], but only these rows are computed; the others are left over from an earlier map.
    ///
    /// # Errors
    /// As [`Self::apply`].
    pub fn apply_rows(&self, workspace: &Workspace, input: View<'_>, rows: Range<usize>) -> Result<Map> {
        let extra = Extra {
            rows: Some(rows),
            ..Extra::default()
        };
        self.run(workspace, input, extra)
    }

    /// Both, and then another 1x1 convolution; only these rows are computed, as in [`Self::apply_rows`].
    ///
    /// # Errors
    /// As [`Self::apply`], or where `last` does not take the channels.
    pub fn apply_rows_then(
        &self,
        workspace: &Workspace,
        input: View<'_>,
        rows: Range<usize>,
        last: &Pointwise,
    ) -> Result<Map> {
        let extra = Extra {
            rows: Some(rows),
            last: Some(last),
            ..Extra::default()
        };
        self.run(workspace, input, extra)
    }

    fn run(&self, workspace: &Workspace, input: View<'_>, extra: Extra<'_>) -> Result<Map> {
        run(&self.depthwise, &self.pointwise, workspace, input, extra)
    }
}

/// `neighbours` and then `pointwise`, a tile of rows at a time.
pub(crate) fn run(
    neighbours: &impl Neighbours,
    pointwise: &Pointwise,
    workspace: &Workspace,
    input: View<'_>,
    extra: Extra<'_>,
) -> Result<Map> {
    let Extra { residual, last, rows } = extra;
    neighbours.check(input.blocks)?;
    let planes_in = neighbours.planes(input.blocks);
    let size = neighbours.out_size(input.size());
    let (height, width) = size;
    let blocks = pointwise.output_blocks();
    if last.is_some_and(|last| last.input_blocks() != blocks) {
        bail!("the convolution that follows takes another number of channels");
    }
    if residual.is_some_and(|residual| residual.blocks != blocks || residual.size() != size) {
        bail!("the residual is not of the output's shape");
    }
    let mut out = workspace.map(last.map_or(blocks, Pointwise::output_blocks), height, width);
    let out_stride = height * width * BLOCK;
    let most = tile_rows(planes_in.max(blocks), size);
    let mut zeros = workspace.map(1, 1, input.width);
    zeros.numbers_mut().fill(0.0);
    let mut tile = workspace.map(planes_in, most, width);
    let mut middle = last.map(|_| workspace.map(blocks, most, width));
    let Range { start, end } = rows.unwrap_or(0..height);
    let end = end.min(height);
    for top in (start..end).step_by(most) {
        let rows = most.min(end - top);
        let length = rows * width * BLOCK;
        for (number, plane) in tile
            .numbers_mut()
            .chunks_exact_mut(length)
            .take(planes_in)
            .enumerate()
        {
            for (y, row) in plane.chunks_exact_mut(width * BLOCK).enumerate() {
                neighbours.write_row(input, zeros.numbers(), number, top + y, row);
            }
        }
        let planes = |numbers, blocks| Planes {
            numbers,
            blocks,
            stride: length,
        };
        let first = [planes(tile.numbers(), planes_in), Planes::NONE];
        let residual = residual.map(|residual| Planes::of(residual, top * width));
        let target = (&mut out.numbers_mut()[top * width * BLOCK..], out_stride);
        match (&mut middle, last) {
            (Some(middle), Some(last)) => {
                pointwise.run(
                    first,
                    None,
                    residual,
                    rows * width,
                    (middle.numbers_mut(), length),
                );
                let second = [planes(middle.numbers(), blocks), Planes::NONE];
                last.run(second, None, None, rows * width, target);
            }
            _ => pointwise.run(first, None, residual, rows * width, target),
        }
    }
    Ok(out)
}

impl Entrance {
    /// The one and then the other.
    ///
    /// # Errors
    /// Where the second does not take the channels of the first, or has not the stride 2.
    pub fn new(stem: Stem, separable: Separable) -> Result<Self> {
        separable.depthwise.check(stem.output_blocks())?;
        if separable.depthwise.stride() != 2 {
            bail!("entrance: a separable convolution of stride 2 expected");
        }
        Ok(Self { stem, separable })
    }

    /// `bytes`: one picture, `[height, width, 3]`, sizes that are multiples of 4. The map has a quarter of both.
    ///
    /// # Errors
    /// Where the picture is not of that kind.
    pub fn apply(&self, workspace: &Workspace, bytes: &[u8], height: usize, width: usize) -> Result<Map> {
        check_picture(bytes, height, width)?;
        if !height.is_multiple_of(4) || !width.is_multiple_of(4) {
            bail!("entrance: {height}x{width}; multiples of 4 expected");
        }
        let Separable { depthwise, pointwise } = &self.separable;
        let (half_width, out_height, out_width) = (width / 2, height / 4, width / 4);
        let blocks = self.stem.output_blocks();
        let mut out = workspace.map(pointwise.output_blocks(), out_height, out_width);
        if bytes.is_empty() {
            return Ok(out);
        }
        let out_stride = out_height * out_width * BLOCK;
        let most = tile_rows(blocks.max(pointwise.output_blocks()), (out_height, out_width));
        let mut ring = workspace.map(1, 1, StemRows::ring_length(width).div_ceil(BLOCK));
        let mut stem = StemRows::new(&self.stem, bytes, (height, width), ring.numbers_mut());
        // Three rows of the stem, all blocks of each; at the beginning the first is the padding above the picture.
        let length = half_width * BLOCK;
        let mut lines = [(); 3].map(|()| workspace.map(blocks, 1, half_width));
        lines[0].numbers_mut().fill(0.0);
        stem.write(0, lines[1].numbers_mut());
        stem.write(1, lines[2].numbers_mut());
        let mut tile = workspace.map(blocks, most, out_width);
        for top in (0..out_height).step_by(most) {
            let rows = most.min(out_height - top);
            let plane = rows * out_width * BLOCK;
            for y in top..top + rows {
                if y > 0 {
                    lines.rotate_right(1);
                    stem.write(2 * y, lines[1].numbers_mut());
                    stem.write(2 * y + 1, lines[2].numbers_mut());
                }
                for number in 0..blocks {
                    let seen = lines
                        .each_ref()
                        .map(|line| &line.numbers()[number * length..(number + 1) * length]);
                    let start = number * plane + (y - top) * out_width * BLOCK;
                    let row = &mut tile.numbers_mut()[start..start + out_width * BLOCK];
                    depthwise.row(seen, half_width, number, row);
                }
            }
            let planes = Planes {
                numbers: tile.numbers(),
                blocks,
                stride: plane,
            };
            let target = (&mut out.numbers_mut()[top * out_width * BLOCK..], out_stride);
            pointwise.run([planes, Planes::NONE], None, None, rows * out_width, target);
        }
        Ok(out)
    }
}
