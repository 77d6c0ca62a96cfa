//! Which kernel computes a convolution.

use crate::operation::Kernel;
use crate::packing::{CHUNK, LANE, inputs_of_lane};

/// Pixels of the tensor cores' tile.
pub(crate) const TILE: usize = 16;
/// With fewer warps than these a large device is better off with more and smaller ones: as measured on an H200 (the ignored
/// test `times_of_all_tilings`).
const BUSY_POINTWISE: usize = 132 * 16;
const BUSY_SEPARABLE: usize = 900;
/// All kernels, by their names.
#[cfg(feature = "device")]
pub(crate) fn kernels() -> impl Iterator<Item = Kernel> {
    let convolutions = TILINGS.iter().map(|tiling| tiling.kernel);
    convolutions.chain(["stem", "pool", "predict_boxes", "predict_classes"])
}

/// A kernel for convolutions of pixels, and what it takes on at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tiling {
    pub(crate) kernel: Kernel,
    /// What stands before the 1x1 convolution.
    pub(crate) depthwise: Depthwise,
    /// Tiles of 16 pixels in a warp.
    pub(crate) tiles: usize,
    /// Chunks of 32 outputs in a warp.
    pub(crate) chunks: usize,
    /// Whether a lane has 4 inputs, not 8.
    pub(crate) half: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depthwise {
    Nothing,
    /// Rows are multiples of a lane's pixels.
    Stride(usize),
    /// Rows and strides as they come.
    Any,
}

const fn tiling(kernel: Kernel, depthwise: Depthwise, (tiles, chunks): (usize, usize), half: bool) -> Tiling {
    Tiling {
        kernel,
        depthwise,
        tiles,
        chunks,
        half,
    }
}

/// Of each kind, what takes on most first.
pub(crate) const TILINGS: [Tiling; 19] = [
    tiling("pointwise_2_1", Depthwise::Nothing, (2, 1), false),
    tiling("pointwise_1_1", Depthwise::Nothing, (1, 1), false),
    tiling("pointwise_h_2_1", Depthwise::Nothing, (2, 1), true),
    tiling("pointwise_h_1_1", Depthwise::Nothing, (1, 1), true),
    tiling("separable_any_4", Depthwise::Any, (1, 4), false),
    tiling("separable_any_2", Depthwise::Any, (1, 2), false),
    tiling("separable_any_1", Depthwise::Any, (1, 1), false),
    tiling("separable_any_h", Depthwise::Any, (1, 1), true),
    tiling("separable_s1_1_4", Depthwise::Stride(1), (1, 4), false),
    tiling("separable_s1_1_2", Depthwise::Stride(1), (1, 2), false),
    tiling("separable_s1_2_1", Depthwise::Stride(1), (2, 1), false),
    tiling("separable_s1_1_1", Depthwise::Stride(1), (1, 1), false),
    tiling("separable_s1_h_2_1", Depthwise::Stride(1), (2, 1), true),
    tiling("separable_s1_h_1_1", Depthwise::Stride(1), (1, 1), true),
    tiling("separable_s2_1_4", Depthwise::Stride(2), (1, 4), false),
    tiling("separable_s2_1_2", Depthwise::Stride(2), (1, 2), false),
    tiling("separable_s2_1_1", Depthwise::Stride(2), (1, 1), false),
    tiling("separable_s2_h_2_1", Depthwise::Stride(2), (2, 1), true),
    tiling("separable_s2_h_1_1", Depthwise::Stride(2), (1, 1), true),
];

/// The kernel for a convolution: `stride` is that of the depthwise one before it, of rows of `width` pixels of the output.
///
/// A warp that takes on more reads less, and computes the depthwise part less often; but where the map is small it leaves the
/// device idle. The first that keeps the device busy is taken, and else the one that takes on least.
pub(crate) fn choose(
    stride: Option<usize>,
    pixels: usize,
    width: usize,
    inputs: usize,
    outputs: usize,
) -> &'static Tiling {
    let all_chunks = outputs.div_ceil(CHUNK);
    let half = inputs_of_lane(inputs) < LANE;
    let fits = |tiling: &&Tiling, depthwise: Depthwise| {
        tiling.depthwise == depthwise
            && tiling.half == half
            && all_chunks.is_multiple_of(tiling.chunks)
            && (!matches!(depthwise, Depthwise::Stride(_)) || width.is_multiple_of(2 * tiling.tiles))
    };
    let wanted = stride.map_or(Depthwise::Nothing, Depthwise::Stride);
    let warps = |tiling: &Tiling| pixels.div_ceil(TILE * tiling.tiles) * (all_chunks / tiling.chunks);
    let enough = if stride.is_some() {
        BUSY_SEPARABLE
    } else {
        BUSY_POINTWISE
    };
    let of_kind = |depthwise: Depthwise| TILINGS.iter().filter(move |tiling| fits(tiling, depthwise));
    let busy = of_kind(wanted).find(|tiling| warps(tiling) >= enough);
    let least = of_kind(wanted)
        .next_back()
        .or_else(|| of_kind(Depthwise::Any).next_back());
    // Every kind has a kernel that takes on one chunk.
    busy.or(least).unwrap_or(&TILINGS[0])
}
