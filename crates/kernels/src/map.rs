//! Feature maps of one picture, in memory that is used again and again.

use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{Result, bail};

use crate::layout::{BLOCK, Lanes};

/// Memory for the maps of one net on one thread. A map gives its memory back when it is dropped, so that after the
/// first picture nothing is asked of the allocator.
#[derive(Clone, Debug, Default)]
pub struct Workspace {
    free: Arc<Mutex<Vec<Vec<Lanes>>>>,
}

/// A blocked feature map of one picture: `[blocks, height, width, 16]`, f32, each pixel on a cache line of its own.
#[derive(Debug)]
pub struct Map {
    /// At least as many as the map has.
    pixels: Vec<Lanes>,
    blocks: usize,
    height: usize,
    width: usize,
    home: Workspace,
}

/// Blocks of a map that are read.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub(crate) numbers: &'a [f32],
    pub(crate) blocks: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
}

impl Workspace {
    /// With no memory yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A map whose numbers are left over from an earlier one: every operation writes all of its output.
    #[must_use]
    pub fn map(&self, blocks: usize, height: usize, width: usize) -> Map {
        Map {
            pixels: self.take(blocks * height * width),
            blocks,
            height,
            width,
            home: self.clone(),
        }
    }

    /// The smallest that is large enough, and of equal ones the last that was given back: its numbers are still in
    /// the caches.
    fn take(&self, needed: usize) -> Vec<Lanes> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = free
            .iter()
            .enumerate()
            .rev()
            .filter(|(_, one)| one.len() >= needed);
        let best = fits.min_by_key(|(_, one)| one.len()).map(|(index, _)| index);
        best.map_or_else(|| vec![Lanes::ZERO; needed], |index| free.remove(index))
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        let pixels = std::mem::take(&mut self.pixels);
        if !pixels.is_empty() {
            self.home
                .free
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(pixels);
        }
    }
}

impl Map {
    /// Blocks of sixteen channels.
    #[must_use]
    pub fn blocks(&self) -> usize {
        self.blocks
    }

    /// Rows.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// Pixels in a row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// All blocks.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View {
            numbers: self.numbers(),
            blocks: self.blocks,
            height: self.height,
            width: self.width,
        }
    }

    /// All numbers: block by block, row by row, sixteen for each pixel.
    #[must_use]
    pub fn numbers(&self) -> &[f32] {
        let pixels = &self.pixels[..self.blocks * self.height * self.width];
        // SAFETY: `Lanes` is sixteen f32 and nothing else, so that n of them are 16 n f32 in a row.
        unsafe { std::slice::from_raw_parts(pixels.as_ptr().cast(), pixels.len() * BLOCK) }
    }

    /// As [`Self::numbers`], to be written.
    #[must_use]
    pub fn numbers_mut(&mut self) -> &mut [f32] {
        let pixels = &mut self.pixels[..self.blocks * self.height * self.width];
        // SAFETY: as in `numbers`; every sixteen f32 are a valid `Lanes`.
        unsafe { std::slice::from_raw_parts_mut(pixels.as_mut_ptr().cast(), pixels.len() * BLOCK) }
    }
}

impl<'a> View<'a> {
    /// The first `blocks` blocks, and the others.
    ///
    /// # Errors
    /// Where there are not so many.
    pub fn split(self, blocks: usize) -> Result<(Self, Self)> {
        let Some((first, second)) = self.numbers.split_at_checked(blocks * self.plane()) else {
            bail!("a map of {} blocks has no {blocks} to split off", self.blocks)
        };
        let part = |numbers, blocks| Self {
            numbers,
            blocks,
            ..self
        };
        Ok((part(first, blocks), part(second, self.blocks - blocks)))
    }

    /// Numbers in one block.
    pub(crate) fn plane(&self) -> usize {
        self.height * self.width * BLOCK
    }

    pub(crate) fn size(&self) -> (usize, usize) {
        (self.height, self.width)
    }

    /// Row `row` of block `block`.
    pub(crate) fn row(&self, block: usize, row: usize) -> &'a [f32] {
        let start = block * self.plane() + row * self.width * BLOCK;
        &self.numbers[start..start + self.width * BLOCK]
    }
}

/// Blocks of pixels as an inner loop reads them: pixel `p` of block `b` lies at `b * stride + p * BLOCK`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Planes<'a> {
    pub(crate) numbers: &'a [f32],
    pub(crate) blocks: usize,
    pub(crate) stride: usize,
}

impl<'a> Planes<'a> {
    pub(crate) const NONE: Planes<'static> = Planes {
        numbers: &[],
        blocks: 0,
        stride: 0,
    };

    /// From pixel `first` on.
    pub(crate) fn of(view: View<'a>, first: usize) -> Self {
        Self {
            numbers: &view.numbers[(first * BLOCK).min(view.numbers.len())..],
            blocks: view.blocks,
            stride: view.plane(),
        }
    }

    /// Every block has this many pixels.
    pub(crate) fn holds(&self, pixels: usize) -> bool {
        match self.blocks.checked_sub(1) {
            None => true,
            Some(last) => last * self.stride + pixels * BLOCK <= self.numbers.len(),
        }
    }
}
