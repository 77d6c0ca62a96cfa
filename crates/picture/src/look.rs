use crate::LumaPlane;
use crate::cells::{CELL_COLUMNS, CELL_ROWS, CELLS, cells, span};
use crate::shrunk::Shrunk;

/// Side below which a picture has no cells, pixels after shrinking.
const LEAST_WIDTH: usize = 64;
const LEAST_HEIGHT: usize = 36;

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
        let mut counts = [0_u32; 256];
        for &pixel in pixels {
            counts[usize::from(pixel)] += 1;
        }
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
            let row = |y: usize| shrunk.pixels[y * wide..y * wide + self.width * 2].chunks_exact(2);
            let sums = row(2 * y).zip(row(2 * y + 1)).map(|(upper, lower)| {
                i16::from(upper[0]) + i16::from(upper[1]) + i16::from(lower[0]) + i16::from(lower[1])
            });
            self.luma.extend(sums);
        }
        for (_, columns, rows) in cells(wide, high) {
            let (mut sum, mut darkest, mut brightest) = (0_u32, u8::MAX, 0_u8);
            let mut squares = 0_i64;
            let count = (columns.len() * rows.len()).max(1);
            let (inner_start, inner_end) = (columns.start.max(1), columns.end.min(wide - 1));
            for y in rows {
                let line = &shrunk.pixels[y * wide..(y + 1) * wide];
                for &pixel in &line[columns.clone()] {
                    sum = sum.wrapping_add(u32::from(pixel));
                    darkest = darkest.min(pixel);
                    brightest = brightest.max(pixel);
                }
                if y == 0 || y + 1 == high {
                    continue;
                }
                let above = &shrunk.pixels[(y - 1) * wide + inner_start..(y - 1) * wide + inner_end];
                let below = &shrunk.pixels[(y + 1) * wide + inner_start..(y + 1) * wide + inner_end];
                let here = &line[inner_start - 1..inner_end + 1];
                let mut row_squares = 0_i32;
                for (three, (&up, &down)) in here.windows(3).zip(above.iter().zip(below)) {
                    let laplacian =
                        (i32::from(up) + i32::from(down) + i32::from(three[0]) + i32::from(three[2]))
                            .wrapping_sub(4 * i32::from(three[1]));
                    row_squares = row_squares.wrapping_add(laplacian.wrapping_mul(laplacian));
                }
                squares += i64::from(row_squares);
            }
            self.means.push(sum as f32 / count as f32);
            self.fine.push(squares as f32 / count as f32);
            self.spread.push(brightest.saturating_sub(darkest));
        }
        self.inner = Inner::of(shrunk, &self.fine);
        true
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
pub(crate) fn still_share(now: &Shrunk, before: &Shrunk, limit: f32) -> f32 {
    let width = now.width;
    let still = cells(width, now.height).filter(|(_, columns, rows)| {
        let mut sum = 0_u32;
        for y in rows.clone() {
            let line = |of: &Shrunk| y * width + columns.start..y * width + columns.end.min(of.width);
            let pairs = now.pixels[line(now)].iter().zip(&before.pixels[line(before)]);
            sum = pairs.fold(sum, |sum, (&a, &b)| sum.wrapping_add(u32::from(a.abs_diff(b))));
        }
        sum as f32 <= limit * (columns.len() * rows.len()) as f32
    });
    still.count() as f32 / CELLS as f32
}

/// Mean distance of both chroma planes from grey, in levels, on every fourth pixel of every fourth row.
pub(crate) fn colour(chroma: &[LumaPlane<'_>; 2]) -> f32 {
    let (mut sum, mut count) = (0_u64, 0_u64);
    for plane in chroma {
        for y in (0..plane.height()).step_by(4) {
            for &value in plane.row(y).iter().step_by(4) {
                sum += u64::from(value.abs_diff(128));
                count += 1;
            }
        }
    }
    sum as f32 / count.max(1) as f32
}
