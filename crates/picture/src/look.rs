use crate::LumaPlane;
use crate::cells::{CELL_COLUMNS, CELL_ROWS, CELLS, cells, span};
use crate::shrunk::Shrunk;

/// Side below which a picture has no cells, pixels after shrinking.
const LEAST_WIDTH: usize = 64;
const LEAST_HEIGHT: usize = 36;
/// Columns of a shrunk picture, at most,
const MOST_SHRUNK: usize = 160;
/// and of a look.
pub(crate) const MOST_COLUMNS: usize = MOST_SHRUNK / 2;

/// One picture as it is compared with others: half the size of the shrunk one, and some numbers of each cell.
#[derive(Clone, Debug, Default)]
pub(crate) struct Look {
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// Sums of four pixels: luma in quarters of a level.
    pub(crate) luma: Vec<i16>,
    /// Mean luma of each cell.
    pub(crate) means: Vec<f32>,
    /// Mean square of the Laplacian of the shrunk picture in each cell.
    pub(crate) fine: Vec<f32>,
    /// Brightest less darkest pixel of each cell.
    pub(crate) spread: Vec<u8>,
    /// Of the rows between those with text.
    pub(crate) inner: Inner,
}

/// Numbers of a picture without the rows in which cameras write: white letters on a black picture are no light.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Inner {
    pub(crate) mean: f32,
    /// Luma that one pixel of twenty does not exceed,
    pub(crate) black: f32,
    /// and that one of twenty exceeds.
    pub(crate) white: f32,
    /// Standard deviation by these two: letters that reach into the picture are few.
    pub(crate) deviation: f32,
    /// Mean square of the Laplacian that one cell of five exceeds, less what noise gives to it.
    pub(crate) sharpness: f32,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            mean: -1.0,
            black: -1.0,
            white: -1.0,
            deviation: -1.0,
            sharpness: -1.0,
        }
    }
}

impl Inner {
    fn of(shrunk: &Shrunk, fine: &[f32]) -> Self {
        let rows =
            span(1, CELL_ROWS, shrunk.height).start..span(CELL_ROWS - 1, CELL_ROWS, shrunk.height).start;
        let pixels = &shrunk.pixels[rows.start * shrunk.width..rows.end * shrunk.width];
        // Four of them, so that one pixel need not wait for the one before to be counted.
        let mut quarters = [[0_u32; 256]; 4];
        let (fours, rest) = pixels.as_chunks::<4>();
        let one_more = |counts: &mut [u32; 256], pixel: u8| {
            let count = &mut counts[usize::from(pixel)];
            *count = count.wrapping_add(1);
        };
        for four in fours {
            for (counts, &pixel) in quarters.iter_mut().zip(four) {
                one_more(counts, pixel);
            }
        }
        for (counts, &pixel) in quarters.iter_mut().zip(rest) {
            one_more(counts, pixel);
        }
        let counts: [u32; 256] =
            std::array::from_fn(|luma| quarters.iter().map(|counts| counts[luma]).sum::<u32>());
        let total = pixels.len().max(1) as u32;
        let (mut sum, mut below) = (0_u64, 0_u32);
        let (mut black, mut white) = (255_u32, 255_u32);
        for (luma, &count) in (0_u32..).zip(&counts) {
            sum += u64::from(luma) * u64::from(count);
            below += count;
            if black == 255 && below * 20 >= total {
                black = luma;
            }
            if white == 255 && below * 20 >= total * 19 {
                white = luma;
            }
        }
        let [black, white] = [black, white].map(|luma| luma as f32);
        Self {
            mean: (sum as f64 / f64::from(total)) as f32,
            black,
            white,
            deviation: (white - black) / NINE_TENTHS,
            sharpness: (share_of(fine, 4, 5) - share_of(fine, 1, 20)).max(0.0),
        }
    }

    /// Whether no view should be learnt from it: everything is black, or nothing is dark.
    pub(crate) fn is_out_of_range(&self) -> bool {
        self.white <= NO_LIGHT || (self.black >= NO_BLACK && self.mean >= ALL_BRIGHT)
    }
}

/// Standard deviations of a normal distribution in which nine tenths of it lie.
const NINE_TENTHS: f32 = 3.29;
/// Where hardly a pixel is brighter, there is no light.
pub(crate) const NO_LIGHT: f32 = 44.0;
/// Where hardly a pixel is darker, and the mean is at least `ALL_BRIGHT`, there is far too much.
pub(crate) const NO_BLACK: f32 = 100.0;
pub(crate) const ALL_BRIGHT: f32 = 160.0;

impl Look {
    /// Takes the shrunk picture in; false where it is too small to be compared.
    pub(crate) fn take(&mut self, shrunk: &Shrunk) -> bool {
        let (wide, high) = (shrunk.width, shrunk.height);
        self.luma.clear();
        self.means.clear();
        self.fine.clear();
        self.spread.clear();
        self.inner = Inner::default();
        (self.width, self.height) = (wide / 2, high / 2);
        if wide < LEAST_WIDTH || high < LEAST_HEIGHT {
            return false;
        }
        for y in 0..self.height {
            let row = |y: usize| {
                shrunk.pixels[y * wide..y * wide + self.width * 2]
                    .as_chunks::<2>()
                    .0
            };
            let sums = row(2 * y).iter().zip(row(2 * y + 1)).map(|(upper, lower)| {
                let level = |pixel: u8| i16::from(pixel);
                (level(upper[0]).wrapping_add(level(upper[1])))
                    .wrapping_add(level(lower[0]).wrapping_add(level(lower[1])))
            });
            self.luma.extend(sums);
        }
        for row in 0..CELL_ROWS {
            self.measure_row_of_cells(shrunk, span(row, CELL_ROWS, high));
        }
        self.inner = Inner::of(shrunk, &self.fine);
        true
    }

    /// Adds up whole lines column by column first, which can be done for many columns at once.
    fn measure_row_of_cells(&mut self, shrunk: &Shrunk, rows: std::ops::Range<usize>) {
        let (wide, high) = (shrunk.width, shrunk.height);
        let mut sums = [0_u16; MOST_SHRUNK];
        // At most 1,020 squared of each of some 17 lines.
        let mut squares = [0_u32; MOST_SHRUNK];
        let mut darkest = [u8::MAX; MOST_SHRUNK];
        let mut brightest = [0_u8; MOST_SHRUNK];
        for y in rows.clone() {
            let line = |y: usize| &shrunk.pixels[y * wide..(y + 1) * wide];
            let here = line(y);
            for ((sum, (dark, bright)), &pixel) in sums
                .iter_mut()
                .zip(darkest.iter_mut().zip(&mut brightest))
                .zip(here)
            {
                *sum = sum.wrapping_add(u16::from(pixel));
                *dark = pixel.min(*dark);
                *bright = pixel.max(*bright);
            }
            if y == 0 || y + 1 == high {
                continue;
            }
            let beside = here.iter().zip(&here[1..]).zip(&here[2..]);
            let across = line(y - 1)[1..].iter().zip(&line(y + 1)[1..]);
            for ((square, ((left, middle), right)), (up, down)) in
                squares[1..].iter_mut().zip(beside).zip(across)
            {
                let level = |pixel: &u8| i16::from(*pixel);
                let laplacian = level(up)
                    .wrapping_add(level(down))
                    .wrapping_add(level(left))
                    .wrapping_add(level(right))
                    .wrapping_sub(level(middle).wrapping_mul(4));
                let laplacian = i32::from(laplacian);
                *square = square.wrapping_add(laplacian.wrapping_mul(laplacian) as u32);
            }
        }
        for column in 0..CELL_COLUMNS {
            let columns = span(column, CELL_COLUMNS, wide);
            let count = (columns.len() * rows.len()).max(1) as f32;
            let sum = sums[columns.clone()]
                .iter()
                .map(|&sum| u32::from(sum))
                .sum::<u32>();
            // The first and the last column have no Laplacian.
            let square = squares[columns.clone()]
                .iter()
                .map(|&sum| u64::from(sum))
                .sum::<u64>();
            let darkest = darkest[columns.clone()].iter().min().copied().unwrap_or(u8::MAX);
            let brightest = brightest[columns].iter().max().copied().unwrap_or(0);
            self.means.push(sum as f32 / count);
            self.fine.push(square as f32 / count);
            self.spread.push(brightest.saturating_sub(darkest));
        }
    }

    pub(crate) fn same_size(&self, width: usize, height: usize) -> bool {
        (self.width, self.height) == (width, height)
    }

    /// Share of the cells that are even and have the most common brightness.
    pub(crate) fn blank_share(&self) -> f32 {
        let mut even: Vec<f32> = self
            .means
            .iter()
            .zip(&self.spread)
            .filter(|&(_, &spread)| spread <= 2)
            .map(|(&mean, _)| mean)
            .collect();
        let Some(common) = crate::cells::median(&mut even) else {
            return 0.0;
        };
        even.iter().filter(|&&mean| (mean - common).abs() <= 2.0).count() as f32 / CELLS as f32
    }
}

/// The detail that `part` of `of` inner cells do not exceed; 0 of a picture without cells.
fn share_of(fine: &[f32], part: usize, of: usize) -> f32 {
    if fine.len() != CELLS {
        return 0.0;
    }
    let mut inner: Vec<f32> = fine[CELL_COLUMNS..CELLS - CELL_COLUMNS].to_vec();
    let place = inner.len() * part / of;
    *inner.select_nth_unstable_by(place, f32::total_cmp).1
}

/// What sensor noise gives to the mean square of the Laplacian, at most: what the evenest cells have.
pub(crate) fn noise(fine: &[f32]) -> f32 {
    share_of(fine, 1, 20)
}

/// Share of the cells in which no more than `limit` of mean absolute difference lies between two pictures of
/// the same size.
pub(crate) fn still_share(now: &Shrunk, before: &[u8], limit: f32) -> f32 {
    let width = now.width;
    let still = cells(width, now.height).filter(|(_, columns, rows)| {
        let mut sum = 0_u32;
        for y in rows.clone() {
            let line = y * width + columns.start..y * width + columns.end;
            let pairs = now.pixels[line.clone()].iter().zip(&before[line]);
            sum = pairs.fold(sum, |sum, (&a, &b)| sum.wrapping_add(u32::from(a.abs_diff(b))));
        }
        sum as f32 <= limit * (columns.len() * rows.len()) as f32
    });
    still.count() as f32 / CELLS as f32
}

/// Mean distance of both chroma planes from grey, in levels, on every fourth pixel of every fourth row.
pub(crate) fn colour(chroma: &[LumaPlane<'_>; 2]) -> f32 {
    let (mut sum, mut count) = (0_u64, 0_u64);
    let away = |value: &u8| u32::from(value.abs_diff(128));
    for plane in chroma {
        for y in (0..plane.height()).step_by(4) {
            let (fours, rest) = plane.row(y).as_chunks::<4>();
            let last = rest.first().map_or(0, away);
            let row = fours
                .iter()
                .fold(last, |sum, four| sum.wrapping_add(away(&four[0])));
            sum += u64::from(row);
            count += fours.len() as u64 + u64::from(!rest.is_empty());
        }
    }
    sum as f32 / count.max(1) as f32
}
