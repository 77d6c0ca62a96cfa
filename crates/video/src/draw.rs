use crate::RgbPicture;
use crate::font::{GLYPH_HEIGHT, GLYPH_WIDTH, glyph};

/// Draws on a picture; what lies outside it is cut off. Coordinates are pixels, colours red, green, blue.
pub struct Canvas<'picture> {
    width: i64,
    height: i64,
    pixels: &'picture mut [u8],
}

impl<'picture> Canvas<'picture> {
    /// A canvas over a picture.
    pub fn new(picture: &'picture mut RgbPicture) -> Self {
        let (width, height) = (i64::from(picture.width()), i64::from(picture.height()));
        Self {
            width,
            height,
            pixels: picture.pixels_mut(),
        }
    }

    /// A filled rectangle.
    pub fn fill(&mut self, left: i64, top: i64, width: i64, height: i64, colour: [u8; 3]) {
        let columns = left.clamp(0, self.width)..left.saturating_add(width).clamp(0, self.width);
        for y in top.clamp(0, self.height)..top.saturating_add(height).clamp(0, self.height) {
            for x in columns.clone() {
                self.set(x, y, colour);
            }
        }
    }

    /// The outline of a box, drawn inside its edges.
    pub fn outline(&mut self, left: f32, top: f32, width: f32, height: f32, thickness: i64, colour: [u8; 3]) {
        if ![left, top, width, height].iter().all(|side| side.is_finite()) {
            return;
        }
        let (left, top) = (left.round() as i64, top.round() as i64);
        let (width, height) = (width.round() as i64, height.round() as i64);
        self.fill(left, top, width, thickness, colour);
        self.fill(left, top + height - thickness, width, thickness, colour);
        self.fill(left, top, thickness, height, colour);
        self.fill(left + width - thickness, top, thickness, height, colour);
    }

    /// A line between two points.
    pub fn line(&mut self, from: (f32, f32), to: (f32, f32), thickness: i64, colour: [u8; 3]) {
        let steps = (to.0 - from.0).abs().max((to.1 - from.1).abs()).ceil();
        if !steps.is_finite() {
            return;
        }
        // Far ends outside the picture must not take forever.
        let steps = steps.clamp(1.0, 65_536.0);
        for step in 0..=steps as i64 {
            let share = step as f32 / steps;
            let x = from.0 + (to.0 - from.0) * share;
            let y = from.1 + (to.1 - from.1) * share;
            let (left, top) = (x.round() as i64 - thickness / 2, y.round() as i64 - thickness / 2);
            self.fill(left, top, thickness, thickness, colour);
        }
    }

    /// ASCII text with its upper left corner at (`left`, `top`), each dot of the 5x7 letters `scale` pixels
    /// wide; on a dark ground, to be read on any picture. Other characters show as a full box.
    pub fn text(&mut self, left: i64, top: i64, text: &str, scale: i64, colour: [u8; 3]) {
        let scale = scale.max(1);
        let (width, height) = text_size(text, scale);
        self.fill(
            left - scale,
            top - scale,
            width + 2 * scale,
            height + 2 * scale,
            [0, 0, 0],
        );
        for (index, character) in text.chars().enumerate() {
            let origin = left + index as i64 * (GLYPH_WIDTH as i64 + 1) * scale;
            for (row, bits) in glyph(character).into_iter().enumerate() {
                for column in 0..GLYPH_WIDTH {
                    if bits >> (GLYPH_WIDTH - 1 - column) & 1 == 1 {
                        let (x, y) = (origin + column as i64 * scale, top + row as i64 * scale);
                        self.fill(x, y, scale, scale, colour);
                    }
                }
            }
        }
    }

    fn set(&mut self, x: i64, y: i64, colour: [u8; 3]) {
        let at = ((y * self.width + x) * 3) as usize;
        if let Some(pixel) = self.pixels.get_mut(at..at + 3) {
            pixel.copy_from_slice(&colour);
        }
    }
}

/// Width and height in pixels that [`Canvas::text`] needs, without the ground's margin.
fn text_size(text: &str, scale: i64) -> (i64, i64) {
    let characters = text.chars().count() as i64;
    (
        (characters * (GLYPH_WIDTH as i64 + 1) - 1).max(0) * scale,
        GLYPH_HEIGHT as i64 * scale,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blank() -> RgbPicture {
        RgbPicture::from_pixels(20, 12, vec![40; 20 * 12 * 3]).unwrap()
    }

    fn lit(picture: &RgbPicture) -> Vec<(usize, usize)> {
        let pixels = picture.pixels().chunks(3).enumerate();
        pixels
            .filter(|(_, pixel)| pixel[0] == 255)
            .map(|(index, _)| (index % 20, index / 20))
            .collect()
    }

    const WHITE: [u8; 3] = [255, 255, 255];

    #[test]
    fn an_outline_has_four_edges_and_no_inside() {
        let mut picture = blank();
        Canvas::new(&mut picture).outline(2.0, 3.0, 5.0, 4.0, 1, WHITE);
        let lit = lit(&picture);
        assert_eq!(lit.len(), 5 + 5 + 2 + 2);
        assert!(lit.contains(&(2, 3)) && lit.contains(&(6, 6)) && !lit.contains(&(4, 5)));
    }

    #[test]
    fn lines_join_their_ends() {
        let mut picture = blank();
        Canvas::new(&mut picture).line((1.0, 1.0), (8.0, 8.0), 1, WHITE);
        assert_eq!(lit(&picture), (1..=8).map(|at| (at, at)).collect::<Vec<_>>());
    }

    #[test]
    fn whatever_lies_outside_is_cut_off() {
        let mut picture = blank();
        let mut canvas = Canvas::new(&mut picture);
        canvas.outline(-50.0, -50.0, 500.0, 500.0, 3, WHITE);
        canvas.outline(f32::NAN, 0.0, 5.0, 5.0, 1, WHITE);
        canvas.line((-1e9, 5.0), (1e9, f32::INFINITY), 1, WHITE);
        canvas.text(18, 10, "IN 12", 3, WHITE);
        canvas.text(-200, -200, "x", 1, WHITE);
        canvas.fill(i64::MAX - 1, 0, i64::MAX, 2, WHITE);
        assert_eq!(picture.pixels().len(), 20 * 12 * 3);
    }

    #[test]
    fn text_is_drawn_dot_by_dot() {
        let mut picture = blank();
        Canvas::new(&mut picture).text(2, 2, "1", 1, WHITE);
        let expected = [
            (4, 2),
            (3, 3),
            (4, 3),
            (4, 4),
            (4, 5),
            (4, 6),
            (4, 7),
            (3, 8),
            (4, 8),
            (5, 8),
        ];
        assert_eq!(lit(&picture), expected);
        assert_eq!(picture.pixels()[(20 + 1) * 3], 0, "dark ground");
    }
}
