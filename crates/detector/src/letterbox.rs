use crate::InputSize;

/// Colours of a pixel.
pub(crate) const COLOURS: usize = 3;
/// The grey beside the picture.
const GREY: u8 = 114;
/// Weights of the interpolation are whole numbers out of this.
const WHOLE: i32 = 1 << 11;

/// How a picture is laid into the net's input: scaled by one ratio, at the top left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Letterbox {
    /// Pixels of the input for one of the picture.
    pub(crate) ratio: f64,
    /// Of the scaled picture.
    pub(crate) width: usize,
    /// Of the scaled picture.
    pub(crate) height: usize,
}

/// Which colour comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ColourOrder {
    RedFirst,
    BlueFirst,
}

impl Letterbox {
    pub(crate) fn fit(width: usize, height: usize, input: InputSize) -> Self {
        let ratio = (input.height as f64 / height as f64).min(input.width as f64 / width as f64);
        let scaled = |length: usize, limit: usize| ((length as f64 * ratio) as usize).clamp(1, limit);
        Self {
            ratio,
            width: scaled(width, input.width),
            height: scaled(height, input.height),
        }
    }

    /// Scales a picture of `width` x `height` pixels into `input`, blue first, and fills the rest with grey.
    pub(crate) fn draw(
        &self,
        pixels: &[u8],
        (width, height): (usize, usize),
        order: ColourOrder,
        input: &mut [u8],
        input_width: usize,
    ) {
        let row_length = input_width * COLOURS;
        let (inside, below) = input.split_at_mut(self.height * row_length);
        below.fill(GREY);
        for row in inside.chunks_exact_mut(row_length) {
            row[self.width * COLOURS..].fill(GREY);
        }
        let rows = inside
            .chunks_exact_mut(row_length)
            .map(|row| &mut row[..self.width * COLOURS]);
        if (width, height) == (self.width, self.height) {
            for (row, source) in rows.zip(pixels.chunks_exact(width * COLOURS)) {
                match order {
                    ColourOrder::BlueFirst => row.copy_from_slice(source),
                    ColourOrder::RedFirst => swap_colours(source, row),
                }
            }
            return;
        }
        let columns: Vec<Tap> = (0..self.width).map(|x| Tap::at(x, width, self.width)).collect();
        let mut upper = ScaledRow::new(self.width);
        let mut lower = ScaledRow::new(self.width);
        for (y, row) in rows.enumerate() {
            let tap = Tap::at(y, height, self.height);
            if lower.holds(tap.first) {
                std::mem::swap(&mut upper, &mut lower);
            }
            upper.scale(pixels, width, tap.first, &columns, order);
            lower.scale(pixels, width, tap.second, &columns, order);
            for ((slot, &above), &below) in row.iter_mut().zip(&upper.numbers).zip(&lower.numbers) {
                let sum = above * tap.first_weight + below * tap.second_weight;
                *slot = ((sum + WHOLE * WHOLE / 2) / (WHOLE * WHOLE)) as u8;
            }
        }
    }
}

fn swap_colours(source: &[u8], target: &mut [u8]) {
    for (from, to) in source.chunks_exact(COLOURS).zip(target.chunks_exact_mut(COLOURS)) {
        to.copy_from_slice(&[from[2], from[1], from[0]]);
    }
}

/// Two neighbours along one axis and their weights: half-pixel centres and weights of 11 bits, as OpenCV's
/// `INTER_LINEAR` has them for bytes.
#[derive(Clone, Copy, Debug)]
struct Tap {
    first: usize,
    second: usize,
    first_weight: i32,
    second_weight: i32,
}

impl Tap {
    fn at(place: usize, source: usize, target: usize) -> Self {
        let position = ((place as f64 + 0.5) * (source as f64 / target as f64) - 0.5) as f32;
        let last = source - 1;
        let whole = position.floor();
        let (first, share) = match whole {
            before if before < 0.0 => (0, 0.0),
            beyond if beyond >= last as f32 => (last, 0.0),
            _ => (whole as usize, position - whole),
        };
        let weight = |share: f32| (share * WHOLE as f32).round_ties_even() as i32;
        Self {
            first,
            second: (first + 1).min(last),
            first_weight: weight(1.0 - share),
            second_weight: weight(share),
        }
    }
}

/// One row of the picture, scaled along the row; kept, because the next row of the input often needs it again.
struct ScaledRow {
    row: Option<usize>,
    numbers: Vec<i32>,
}

impl ScaledRow {
    fn new(width: usize) -> Self {
        Self {
            row: None,
            numbers: vec![0; width * COLOURS],
        }
    }

    fn holds(&self, row: usize) -> bool {
        self.row == Some(row)
    }

    fn scale(&mut self, pixels: &[u8], width: usize, row: usize, columns: &[Tap], order: ColourOrder) {
        if self.holds(row) {
            return;
        }
        self.row = Some(row);
        let source = &pixels[row * width * COLOURS..(row + 1) * width * COLOURS];
        for (target, tap) in self.numbers.chunks_exact_mut(COLOURS).zip(columns) {
            let first = &source[tap.first * COLOURS..(tap.first + 1) * COLOURS];
            let second = &source[tap.second * COLOURS..(tap.second + 1) * COLOURS];
            for (colour, slot) in target.iter_mut().enumerate() {
                let colour = if order == ColourOrder::BlueFirst {
                    colour
                } else {
                    COLOURS - 1 - colour
                };
                *slot = i32::from(first[colour]) * tap.first_weight
                    + i32::from(second[colour]) * tap.second_weight;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INPUT: InputSize = InputSize {
        width: 64,
        height: 32,
    };

    #[test]
    fn fits_by_the_tighter_side_and_rounds_down() {
        let wide = Letterbox::fit(1920, 1080, InputSize::DEFAULT);
        assert_eq!((wide.width, wide.height), (640, 360));
        let tall = Letterbox::fit(480, 900, InputSize::DEFAULT);
        assert_eq!((tall.width, tall.height), (204, 384));
        let line = Letterbox::fit(10_000, 1, InputSize::DEFAULT);
        assert_eq!((line.width, line.height), (640, 1));
    }

    #[test]
    fn a_picture_of_the_right_size_is_copied_and_the_rest_is_grey() {
        let pixels: Vec<u8> = (0..64 * 16 * 3).map(|n| (n % 251) as u8).collect();
        let letterbox = Letterbox::fit(64, 16, INPUT);
        let mut input = vec![0; 64 * 32 * 3];
        letterbox.draw(&pixels, (64, 16), ColourOrder::BlueFirst, &mut input, 64);
        assert_eq!(input[..64 * 16 * 3], pixels);
        assert!(input[64 * 16 * 3..].iter().all(|&byte| byte == GREY));
        letterbox.draw(&pixels, (64, 16), ColourOrder::RedFirst, &mut input, 64);
        assert_eq!(input[..3], [pixels[2], pixels[1], pixels[0]]);
    }

    #[test]
    fn scaling_an_even_picture_keeps_its_colour_and_order() {
        let pixels = [10, 20, 30].repeat(100 * 7);
        let letterbox = Letterbox::fit(100, 7, INPUT);
        let mut input = vec![0; 64 * 32 * 3];
        letterbox.draw(&pixels, (100, 7), ColourOrder::RedFirst, &mut input, 64);
        assert_eq!(letterbox.height, 4);
        assert!(
            input[..64 * 4 * 3]
                .chunks_exact(3)
                .all(|pixel| pixel == [30, 20, 10])
        );
    }

    #[test]
    fn interpolates_between_the_centres_of_pixels() {
        // Two pixels drawn as four: centres at -0.25, 0.25, 0.75 and 1.25 of the source.
        let tap = |place| Tap::at(place, 2, 4);
        assert_eq!((tap(0).first, tap(0).second_weight), (0, 0));
        assert_eq!((tap(1).first, tap(1).second_weight), (0, WHOLE / 4));
        assert_eq!((tap(2).first, tap(2).second_weight), (0, WHOLE * 3 / 4));
        assert_eq!((tap(3).first, tap(3).second_weight), (1, 0));
    }
}
