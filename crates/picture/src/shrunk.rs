use crate::LumaPlane;

/// Longer side of the picture that is measured, pixels, at most.
const LONGER_SIDE: usize = 160;

/// Rows of one square that are averaged, at most: their sum fits into 16 bits, which doubles the speed.
const MOST_ROWS: usize = 256;

/// A picture made small by averaging squares of pixels: cheap to measure, and free of most of the noise.
///
/// It has at most 160 x 160 pixels, so that sums over it, and sums of squares, fit into 32 bits. The sums wrap
/// only for that reason: a check at every addition would keep the compiler from adding many at once.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Shrunk {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) pixels: Vec<u8>,
    sums: Vec<u16>,
}

impl Shrunk {
    /// Takes `plane` in, in the memory of the picture that was here before. Pixels at the right and lower edges
    /// that fill no whole square are left out, and in a square of more than 256 rows those beyond.
    pub(crate) fn take(&mut self, plane: &LumaPlane<'_>) {
        let square = plane.width().max(plane.height()).div_ceil(LONGER_SIDE);
        let square_of = |side: usize| square.min(side);
        let (across, down) = (square_of(plane.width()), square_of(plane.height()));
        self.width = plane.width() / across;
        self.height = plane.height() / down;
        self.pixels.clear();
        let used = self.width * across;
        let rows = down.min(MOST_ROWS);
        for y in 0..self.height {
            if (across, rows) == (4, 4) {
                // The commonest size of picture.
                means_of_fours(
                    std::array::from_fn(|row| &plane.row(y * 4 + row)[..used]),
                    &mut self.pixels,
                );
                continue;
            }
            self.sums.clear();
            self.sums.resize(used, 0);
            for row in 0..rows {
                for (sum, &pixel) in self.sums.iter_mut().zip(plane.row(y * down + row)) {
                    *sum = sum.wrapping_add(u16::from(pixel));
                }
            }
            // The squares of the common sizes have code of their own, which adds many at once.
            match (across, rows) {
                (1, ..=4) => means::<1>(&self.sums, rows, &mut self.pixels),
                (2, ..=4) => means::<2>(&self.sums, rows, &mut self.pixels),
                (3, ..=4) => means::<3>(&self.sums, rows, &mut self.pixels),
                _ => {
                    let area = (across * rows) as u64;
                    self.pixels.extend(self.sums.chunks_exact(across).map(|sums| {
                        let sum = sums
                            .iter()
                            .fold(0_u64, |sum, &column| sum.wrapping_add(u64::from(column)));
                        ((sum + area / 2) / area) as u8
                    }));
                }
            }
        }
    }

    pub(crate) fn same_size(&self, other: &Self) -> bool {
        (self.width, self.height) == (other.width, other.height)
    }

    pub(crate) fn mean(&self) -> f32 {
        mean(sum(&self.pixels, u32::from), self.pixels.len())
    }

    /// Standard deviation around `mean`.
    pub(crate) fn deviation(&self, mean: f32) -> f32 {
        let squares = sum(&self.pixels, |pixel| u32::from(pixel) * u32::from(pixel));
        let variance = f64::from(squares) / self.pixels.len().max(1) as f64 - f64::from(mean).powi(2);
        variance.max(0.0).sqrt() as f32
    }

    /// Share of the pixels that `chosen` takes.
    pub(crate) fn share(&self, chosen: impl Fn(u8) -> bool) -> f32 {
        mean(
            sum(&self.pixels, |pixel| u32::from(chosen(pixel))),
            self.pixels.len(),
        )
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
            let row = |y: usize| &self.pixels[y * width..(y + 1) * width];
            let (above, here, below) = (&row(y - 1)[1..], row(y), &row(y + 1)[1..]);
            // At most 4 * 255 a pixel, so one row's squares fit into 32 bits.
            let (mut row_sum, mut row_squares) = (0_i32, 0_i32);
            let neighbours = here.iter().zip(&here[1..]).zip(&here[2..]);
            for (((left, middle), right), (above, below)) in neighbours.zip(above.iter().zip(below)) {
                let level = |pixel: &u8| i16::from(*pixel);
                let laplacian = level(above)
                    .wrapping_add(level(below))
                    .wrapping_add(level(left))
                    .wrapping_add(level(right))
                    .wrapping_sub(level(middle).wrapping_mul(4));
                let laplacian = i32::from(laplacian);
                row_sum = row_sum.wrapping_add(laplacian);
                row_squares = row_squares.wrapping_add(laplacian.wrapping_mul(laplacian));
            }
            sum += i64::from(row_sum);
            squares += i64::from(row_squares);
        }
        let count = ((width - 2) * (height - 2)) as f64;
        let mean = sum as f64 / count;
        (squares as f64 / count - mean * mean).max(0.0) as f32
    }

    /// Mean absolute difference to `other`, which has the same size, over the pixels at `indices`, or over all.
    pub(crate) fn difference(&self, other: &Self, indices: Option<&[u32]>) -> f32 {
        let between = |a: u8, b: u8| u32::from(a.abs_diff(b));
        match indices {
            None => {
                let pairs = self.pixels.iter().zip(&other.pixels);
                let sum = pairs.fold(0_u32, |sum, (&a, &b)| sum.wrapping_add(between(a, b)));
                mean(sum, self.pixels.len())
            }
            Some(indices) => {
                let at = |index: &u32| between(self.pixels[*index as usize], other.pixels[*index as usize]);
                mean(indices.iter().map(at).fold(0, u32::wrapping_add), indices.len())
            }
        }
    }

    /// Mean over the pixels at `indices`.
    pub(crate) fn mean_at(&self, indices: &[u32]) -> f32 {
        let at = |index: &u32| u32::from(self.pixels[*index as usize]);
        mean(indices.iter().map(at).fold(0, u32::wrapping_add), indices.len())
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
        let level = |column: usize, row: usize| {
            let (xs, ys) = (span(column, COLUMNS, self.width), span(row, ROWS, self.height));
            let area = (xs.len() * ys.len()) as u64;
            let rows = ys.map(|y| &self.pixels[y * self.width + xs.start..y * self.width + xs.end]);
            let sum = rows.fold(0_u32, |total, row| total.wrapping_add(sum(row, u32::from)));
            // In 1/256 of a level, so that slight slopes have a direction too.
            u64::from(sum) * 256 / area
        };
        let mut bits = 0_u64;
        for row in 0..ROWS {
            let levels: [u64; COLUMNS] = std::array::from_fn(|column| level(column, row));
            for (column, pair) in levels.windows(2).enumerate() {
                bits |= u64::from(pair[1] > pair[0]) << (row * (COLUMNS - 1) + column);
            }
        }
        i64::from_ne_bytes(bits.to_ne_bytes())
    }
}

/// Appends the means of squares of four by four pixels.
///
/// Adds up four neighbours in one word: their even and their odd bytes each have 16 bits for a sum of at most 2,040.
fn means_of_fours(rows: [&[u8]; 4], pixels: &mut Vec<u8>) {
    const EVEN: u32 = 0x00ff_00ff;
    let [first, second, third, fourth] = rows.map(|row| row.as_chunks::<4>().0);
    let pairs = |four: &[u8; 4]| {
        let word = u32::from_le_bytes(*four);
        (word & EVEN).wrapping_add((word >> 8) & EVEN)
    };
    let upper = first.iter().zip(second);
    let lower = third.iter().zip(fourth);
    pixels.extend(upper.zip(lower).map(|((first, second), (third, fourth))| {
        let sums = pairs(first)
            .wrapping_add(pairs(second))
            .wrapping_add(pairs(third))
            .wrapping_add(pairs(fourth));
        let sum = (sums & 0xffff).wrapping_add(sums >> 16);
        (sum.wrapping_add(8) >> 4) as u8
    }));
}

/// Appends the means of squares `ACROSS` pixels wide, at most 3, and `rows` high, at most 4 too, of whose columns
/// `sums` are the sums.
fn means<const ACROSS: usize>(sums: &[u16], rows: usize, pixels: &mut Vec<u8>) {
    let area = (ACROSS * rows.max(1)) as u32;
    // For sums of at most 12 times 255, this part of 2^24 gives the same as a division: the rounding up adds less than
    // 4,096 / 2^24, and no quotient lies nearer below a whole number than 1/12.
    let part = (1_u32 << 24) / area + 1;
    let (squares, _) = sums.as_chunks::<ACROSS>();
    pixels.extend(squares.iter().map(|columns| {
        let sum = columns
            .iter()
            .fold(area / 2, |sum, &column| sum.wrapping_add(u32::from(column)));
        ((u64::from(sum) * u64::from(part)) >> 24) as u8
    }));
}

fn sum(pixels: &[u8], of: impl Fn(u8) -> u32) -> u32 {
    pixels.iter().fold(0, |sum, &pixel| sum.wrapping_add(of(pixel)))
}

fn mean(sum: u32, count: usize) -> f32 {
    (f64::from(sum) / count.max(1) as f64) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_of_squares_are_those_of_a_division() {
        for rows in 1..=4_u16 {
            for column in 0..=255 * rows {
                let mut pixels = Vec::new();
                means::<1>(&[column], usize::from(rows), &mut pixels);
                means::<2>(&[column, column / 2], usize::from(rows), &mut pixels);
                means::<3>(&[column, column / 3, column], usize::from(rows), &mut pixels);
                let mean = |sums: &[u16]| {
                    let (sum, area) = (sums.iter().sum::<u16>(), rows * sums.len() as u16);
                    ((sum + area / 2) / area) as u8
                };
                let wanted = [
                    mean(&[column]),
                    mean(&[column, column / 2]),
                    mean(&[column, column / 3, column]),
                ];
                assert_eq!(pixels, wanted, "{column} of {rows} rows");
            }
        }
    }

    #[test]
    fn means_of_fours_are_those_of_a_division() {
        // Every sum that sixteen pixels can have, its pixels at the beginning and at the end.
        for sum in 0..=16 * 255_usize {
            let square: Vec<u8> = (0..16)
                .map(|place| sum.saturating_sub(place * 255).min(255) as u8)
                .collect();
            let turned: Vec<u8> = square.iter().rev().copied().collect();
            let row = |of: usize| [&square[of * 4..of * 4 + 4], &turned[of * 4..of * 4 + 4]].concat();
            let rows = [row(0), row(1), row(2), row(3)];
            let mut pixels = Vec::new();
            means_of_fours(std::array::from_fn(|of| &rows[of][..]), &mut pixels);
            assert_eq!(pixels, [((sum + 8) / 16) as u8; 2]);
        }
    }
}
