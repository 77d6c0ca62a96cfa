//! Products of the slopes of pictures, added up line by line for each column, which can be done for many columns at once,
//! and then over the columns of a cell.

use std::ops::Range;

use crate::look::MOST_COLUMNS;

/// One number for each inner pixel of a line.
pub(crate) type Line = [i16; MOST_COLUMNS];

/// Those of some columns or lines that have another on either side.
pub(crate) fn inner(span: &Range<usize>, side: usize) -> Range<usize> {
    span.start.max(1)..span.end.min(side - 1)
}

/// Slopes to the right and down of the inner pixels of line `y`, over two pixels each, of a picture of at most
/// `MOST_COLUMNS` columns.
pub(crate) fn slopes(luma: &[i16], width: usize, y: usize) -> [Line; 2] {
    let line = |y: usize| &luma[y * width..(y + 1) * width];
    let here = line(y);
    let (mut rights, mut downs) = ([0; MOST_COLUMNS], [0; MOST_COLUMNS]);
    for ((to, right), left) in rights.iter_mut().zip(&here[2..]).zip(here) {
        *to = right.wrapping_sub(*left);
    }
    for ((to, below), above) in downs.iter_mut().zip(&line(y + 1)[1..]).zip(&line(y - 1)[1..]) {
        *to = below.wrapping_sub(*above);
    }
    [rights, downs]
}

/// Sums of products, column by column. Slopes of up to 8,160 and the nine or so lines of a row of cells cannot make them
/// wrap; a picture that was read from somewhere could.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Products([i32; MOST_COLUMNS]);

impl Products {
    pub(crate) const NONE: Self = Self([0; MOST_COLUMNS]);

    /// Adds the products of two lines.
    pub(crate) fn add(&mut self, one: &Line, two: &Line) {
        for (sum, (&one, &two)) in self.0.iter_mut().zip(one.iter().zip(two)) {
            *sum = sum.wrapping_add(i32::from(one).wrapping_mul(i32::from(two)));
        }
    }

    /// The sum over some inner columns.
    pub(crate) fn within(&self, columns: &Range<usize>) -> i64 {
        // The first column has no slope.
        let sums = &self.0[columns.start - 1..columns.end - 1];
        sums.iter().map(|&sum| i64::from(sum)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_are_those_over_two_pixels_and_add_up() {
        // 4 columns, 3 lines.
        let luma = [1, 2, 4, 8, 3, 9, 27, 81, -5, 6, -7, 8];
        let [rights, downs] = slopes(&luma, 4, 1);
        assert_eq!((&rights[..2], &downs[..2]), (&[24, 72][..], &[4, -11][..]));
        let mut products = Products::NONE;
        products.add(&rights, &downs);
        products.add(&rights, &rights);
        assert_eq!(
            products.within(&inner(&(0..4), 4)),
            24 * 4 - 72 * 11 + 24 * 24 + 72 * 72
        );
        assert_eq!(products.within(&(2..3)), 72 * 72 - 72 * 11);
    }
}
