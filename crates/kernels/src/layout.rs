use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

/// Channels that lie side by side in a blocked tensor.
pub const BLOCK: usize = 16;

/// Sixteen numbers on one cache line: what packed weights are made of.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(crate) struct Lanes(pub(crate) [f32; BLOCK]);

impl Lanes {
    pub(crate) const ZERO: Self = Self([0.0; BLOCK]);
}

/// The shape of a blocked tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Blocked {
    pub(crate) pictures: usize,
    pub(crate) blocks: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
}

impl Blocked {
    pub(crate) fn of(layout: &Layout, operation: &str) -> Result<Self> {
        let (pictures, blocks, height, width, lanes) = layout.shape().dims5()?;
        if lanes != BLOCK {
            bail!("{operation}: a blocked tensor ends in {BLOCK} channels, not {lanes}");
        }
        Ok(Self {
            pictures,
            blocks,
            height,
            width,
        })
    }

    pub(crate) fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// Numbers in one picture.
    pub(crate) fn picture(&self) -> usize {
        self.blocks * self.plane()
    }

    /// Numbers in one block of one picture.
    pub(crate) fn plane(&self) -> usize {
        self.pixels() * BLOCK
    }

    pub(crate) fn numbers(&self) -> usize {
        self.pictures * self.picture()
    }

    pub(crate) fn shape(&self) -> Shape {
        Shape::from((self.pictures, self.blocks, self.height, self.width, BLOCK))
    }
}

/// The numbers of a contiguous f32 tensor.
pub(crate) fn floats<'a>(storage: &'a CpuStorage, layout: &Layout, operation: &str) -> Result<&'a [f32]> {
    let CpuStorage::F32(numbers) = storage else {
        bail!("{operation}: the tensor must be f32")
    };
    let Some((from, to)) = layout.contiguous_offsets() else {
        bail!("{operation}: the tensor must be contiguous")
    };
    Ok(&numbers[from..to])
}

/// `[pictures, channels, height, width]` to blocked; channels beyond the last full block are filled up with zeros.
///
/// # Errors
/// Where the tensor is not a contiguous f32 tensor of four dimensions.
pub fn block(tensor: &Tensor) -> Result<Tensor> {
    tensor.apply_op1_no_bwd(&IntoBlocks)
}

/// Blocked to `[pictures, height * width, channels]`, the first `channels` of each pixel.
///
/// # Errors
/// Where the tensor is not a blocked tensor of at least that many channels.
pub fn unblock(tensor: &Tensor, channels: usize) -> Result<Tensor> {
    tensor.apply_op1_no_bwd(&FromBlocks { channels })
}

struct IntoBlocks;

impl CustomOp1 for IntoBlocks {
    fn name(&self) -> &'static str {
        "block"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (pictures, channels, height, width) = layout.shape().dims4()?;
        let source = floats(storage, layout, self.name())?;
        let blocked = Blocked {
            pictures,
            blocks: channels.div_ceil(BLOCK),
            height,
            width,
        };
        let pixels = blocked.pixels();
        let mut out = vec![0.0; blocked.numbers()];
        for (index, plane) in source.chunks_exact(pixels.max(1)).enumerate() {
            let (picture, channel) = (index / channels, index % channels);
            let start = picture * blocked.picture() + (channel / BLOCK) * blocked.plane() + channel % BLOCK;
            for (slot, &value) in out[start..].iter_mut().step_by(BLOCK).zip(plane) {
                *slot = value;
            }
        }
        Ok((CpuStorage::F32(out), blocked.shape()))
    }
}

struct FromBlocks {
    channels: usize,
}

impl CustomOp1 for FromBlocks {
    fn name(&self) -> &'static str {
        "unblock"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let blocked = Blocked::of(layout, self.name())?;
        let source = floats(storage, layout, self.name())?;
        if self.channels == 0 || self.channels > blocked.blocks * BLOCK {
            bail!(
                "unblock: {} channels asked of {}",
                self.channels,
                blocked.blocks * BLOCK
            );
        }
        let mut out = vec![0.0; blocked.pictures * blocked.pixels() * self.channels];
        for (index, pixel) in out.chunks_exact_mut(self.channels).enumerate() {
            let (picture, place) = (index / blocked.pixels(), index % blocked.pixels());
            for (number, lanes) in pixel.chunks_mut(BLOCK).enumerate() {
                let start = picture * blocked.picture() + number * blocked.plane() + place * BLOCK;
                lanes.copy_from_slice(&source[start..start + lanes.len()]);
            }
        }
        Ok((
            CpuStorage::F32(out),
            Shape::from((blocked.pictures, blocked.pixels(), self.channels)),
        ))
    }
}
