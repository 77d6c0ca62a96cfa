use crate::LumaPlane;

/// Longer side of the picture that is measured, pixels, at most.
const LONGER_SIDE: usize = 160;

/// A picture made small by averaging squares of pixels: cheap to measure, and free of most of the noise.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Shrunk {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) pixels: Vec<u8>,
    sums: Vec<u32>,
}

impl Shrunk {
    /// Takes `plane` in, in the memory of the picture that was here before. Pixels at the right and lower edges
    /// that fill no whole square are left out.
    pub(crate) fn take(&mut self, plane: &LumaPlane<'_>) {
        let square = plane.width().max(plane.height()).div_ceil(LONGER_SIDE);
        let square_of = |side: usize| square.min(side);
        let (across, down) = (square_of(plane.width()), square_of(plane.height()));
        self.width = plane.width() / across;
        self.height = plane.height() / down;
        self.pixels.clear();
        let used = self.width * across;
        let area = (across * down) as u32;
        for y in 0..self.height {
            self.sums.clear();
            self.sums.resize(used, 0);
            for row in 0..down {
                for (sum, &pixel) in self.sums.iter_mut().zip(plane.row(y * down + row)) {
                    *sum += u32::from(pixel);
                }
            }
            let means = self.sums.chunks_exact(across).map(|sums| {
                let sum: u32 = sums.iter().sum();
                ((sum + area / 2) / area) as u8
            });
            self.pixels.extend(means);
        }
    }

    pub(crate) fn same_size(&self, other: &Self) -> bool {
        (self.width, self.height) == (other.width, other.height)
    }

    pub(crate) fn mean(&self) -> f32 {
        let sum: u64 = self.pixels.iter().map(|&pixel| u64::from(pixel)).sum();
        (sum as f64 / self.pixels.len().max(1) as f64) as f32
    }

    /// Standard deviation around `mean`.
    pub(crate) fn deviation(&self, mean: f32) -> f32 {
        let squares: u64 = self.pixels.iter().map(|&pixel| u64::from(pixel).pow(2)).sum();
        let variance = squares as f64 / self.pixels.len().max(1) as f64 - f64::from(mean).powi(2);
        variance.max(0.0).sqrt() as f32
    }

    /// Share of the pixels that `chosen` takes.
    pub(crate) fn share(&self, chosen: impl Fn(u8) -> bool) -> f32 {
        let count = self.pixels.iter().filter(|&&pixel| chosen(pixel)).count();
        count as f32 / self.pixels.len().max(1) as f32
    }

    /// Variance of the Laplacian (the four neighbours against the pixel) over the inner pixels; 0 where there
    /// are none. J. L. Pech-Pacheco et al., ICPR 2000.
    pub(crate) fn sharpness(&self) -> f32 {
        let (width, height) = (self.width, self.height);
        if width < 3 || height < 3 {
            return 0.0;
        }
        let (mut sum, mut squares) = (0_i64, 0_i64);
        for y in 1..height - 1 {
            let above = &self.pixels[(y - 1) * width..y * width];
            let here = &self.pixels[y * width..(y + 1) * width];
            let below = &self.pixels[(y + 1) * width..(y + 2) * width];
            for x in 1..width - 1 {
                let round = i32::from(above[x])
                    + i32::from(below[x])
                    + i32::from(here[x - 1])
                    + i32::from(here[x + 1]);
                let laplacian = i64::from(round - 4 * i32::from(here[x]));
                sum += laplacian;
                squares += laplacian * laplacian;
            }
        }
        let count = ((width - 2) * (height - 2)) as f64;
        let mean = sum as f64 / count;
        (squares as f64 / count - mean * mean).max(0.0) as f32
    }

    /// Mean absolute difference to `other`, which has the same size, over the pixels at `indices`, or over all.
    pub(crate) fn difference(&self, other: &Self, indices: Option<&[u32]>) -> f32 {
        let between = |a: u8, b: u8| u64::from(a.abs_diff(b));
        let (sum, count): (u64, usize) = match indices {
            None => (
                self.pixels
                    .iter()
                    .zip(&other.pixels)
                    .map(|(&a, &b)| between(a, b))
                    .sum(),
                self.pixels.len(),
            ),
            Some(indices) => {
                let at = |index: u32| between(self.pixels[index as usize], other.pixels[index as usize]);
                (indices.iter().map(|&index| at(index)).sum(), indices.len())
            }
        };
        (sum as f64 / count.max(1) as f64) as f32
    }

    /// Mean over the pixels at `indices`.
    pub(crate) fn mean_at(&self, indices: &[u32]) -> f32 {
        let sum: u64 = indices
            .iter()
            .map(|&index| u64::from(self.pixels[index as usize]))
            .sum();
        (sum as f64 / indices.len().max(1) as f64) as f32
    }

    /// Difference hash: on a grid of 9 by 8 means, one bit for each pair of neighbours in a row, set where the
    /// right one is the brighter; from the upper left corner, lowest bit first.
    pub(crate) fn fingerprint(&self) -> i64 {
        const COLUMNS: usize = 9;
        const ROWS: usize = 8;
        let span = |index: usize, of: usize, side: usize| {
            let start = index * side / of;
            start..((index + 1) * side / of).max(start + 1)
        };
        let mean = |column: usize, row: usize| {
            let (xs, ys) = (span(column, COLUMNS, self.width), span(row, ROWS, self.height));
            let area = (xs.len() * ys.len()) as u64;
            let sum: u64 = ys
                .flat_map(|y| &self.pixels[y * self.width + xs.start..y * self.width + xs.end])
                .map(|&pixel| u64::from(pixel))
                .sum();
            // In 1/256 of a level, so that slight slopes have a direction too.
            sum * 256 / area
        };
        let mut bits = 0_u64;
        for row in 0..ROWS {
            for column in 0..COLUMNS - 1 {
                let brighter = mean(column + 1, row) > mean(column, row);
                bits |= u64::from(brighter) << (row * (COLUMNS - 1) + column);
            }
        }
        i64::from_ne_bytes(bits.to_ne_bytes())
    }
}
