//! The text that the camera writes on its picture: time top left, mine and place bottom right.

use mineseal_domain::UtcMicros;

use crate::text::{Bitmap, Typeface};

/// Characters of the time.
const CLOCK: &str = "0123456789年月日: ";

/// Text ready to be laid on pictures of one size.
#[derive(Clone, Debug)]
pub(crate) struct Overlay {
    glyphs: Vec<(char, Bitmap)>,
    title: Bitmap,
    margin: usize,
}

impl Overlay {
    pub(crate) fn new(typeface: &Typeface, width: u32, height: u32, title: &str) -> Self {
        let size = (height as f32 * 0.052).max(11.0);
        let size = size.min(width as f32 * 0.045).max(9.0);
        Self {
            glyphs: CLOCK
                .chars()
                .map(|character| (character, typeface.line(&character.to_string(), size)))
                .collect(),
            title: typeface.line(title, size),
            margin: (height as usize / 40).max(3),
        }
    }

    /// Writes the time of `instant` and the title.
    pub(crate) fn write(&self, instant: UtcMicros, data: &mut [u8], columns: usize, rows: usize) {
        let text = clock_text(instant);
        let mut left = self.margin;
        for character in text.chars() {
            if let Some((_, glyph)) = self.glyphs.iter().find(|(known, _)| *known == character) {
                lay(glyph, left, self.margin, data, columns, rows);
                // Each bitmap has a border of one pixel and a rest of its advance.
                left += glyph.width.saturating_sub(2);
            }
        }
        let left = columns.saturating_sub(self.title.width + self.margin);
        let top = rows.saturating_sub(self.title.height + self.margin);
        lay(&self.title, left, top, data, columns, rows);
    }
}

/// `XXXX年XX月XX日 hh:mm:ss` in Asia/Shanghai (`domain.md` 2).
pub(crate) fn clock_text(instant: UtcMicros) -> String {
    let plain = instant.shanghai();
    let mut fields = plain.split([' ', '-']);
    let mut next = || fields.next().unwrap_or_default();
    let (year, month, day, time) = (next(), next(), next(), next());
    format!("{year}年{month}月{day}日 {time}")
}

/// White ink with a dark rim, so that it can be read on any ground.
fn lay(bitmap: &Bitmap, left: usize, top: usize, data: &mut [u8], columns: usize, rows: usize) {
    let ink = |column: usize, row: usize| {
        if column < bitmap.width {
            bitmap.ink.get(row * bitmap.width + column).copied().unwrap_or(0)
        } else {
            0
        }
    };
    for row in 0..bitmap.height {
        for column in 0..bitmap.width {
            let (x, y) = (left + column, top + row);
            if x >= columns || y >= rows {
                continue;
            }
            let own = ink(column, row);
            let around = [
                ink(column.saturating_sub(1), row),
                ink(column + 1, row),
                ink(column, row.saturating_sub(1)),
                ink(column, row + 1),
            ];
            let rim = around.into_iter().fold(own, u8::max);
            if rim == 0 {
                continue;
            }
            let (own, rim) = (f32::from(own) / 255.0, f32::from(rim) / 255.0);
            let offset = (y * columns + x) * 3;
            if let Some(pixel) = data.get_mut(offset..offset + 3) {
                for value in pixel {
                    let darkened = f32::from(*value) * (1.0 - 0.7 * rim);
                    *value = (darkened + (242.0 - darkened) * own) as u8;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_reads_as_the_norm_says() {
        assert_eq!(
            clock_text(UtcMicros(1_719_660_264_000_000)),
            "2024年06月29日 19:24:24"
        );
    }
}
