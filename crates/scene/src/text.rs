//! Text: a system font, and strings as coverage bitmaps.

use std::path::Path;

use ab_glyph::{Font, FontVec, Glyph, ScaleFont, point};

use crate::SceneError;

/// Fonts with Chinese glyphs, in the order in which they are tried.
const FONTS: [&str; 5] = [
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/wqy-microhei/wqy-microhei.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
];

/// How strongly each pixel is inked, 0 to 255.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bitmap {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) ink: Vec<u8>,
}

impl Bitmap {
    /// Ink as 0 to 1 at fractions of width and height, smooth between pixels.
    pub(crate) fn sample(&self, u: f32, v: f32) -> f32 {
        let (x, y) = (u * self.width as f32 - 0.5, v * self.height as f32 - 0.5);
        let (left, top) = (x.floor(), y.floor());
        let at = |column: f32, row: f32| {
            if column < 0.0 || row < 0.0 || column >= self.width as f32 || row >= self.height as f32 {
                return 0.0;
            }
            self.ink
                .get(row as usize * self.width + column as usize)
                .map_or(0.0, |&ink| f32::from(ink) / 255.0)
        };
        let (fx, fy) = (x - left, y - top);
        let upper = at(left, top) * (1.0 - fx) + at(left + 1.0, top) * fx;
        let lower = at(left, top + 1.0) * (1.0 - fx) + at(left + 1.0, top + 1.0) * fx;
        upper * (1.0 - fy) + lower * fy
    }
}

/// A font that has been read.
pub(crate) struct Typeface {
    font: FontVec,
}

impl Typeface {
    /// The first of the known fonts that is installed.
    pub(crate) fn installed() -> Result<Self, SceneError> {
        Self::first_of(&FONTS)
    }

    fn first_of(paths: &[&str]) -> Result<Self, SceneError> {
        for path in paths {
            let path = Path::new(path);
            match std::fs::read(path) {
                Ok(bytes) => {
                    return FontVec::try_from_vec_and_index(bytes, 0)
                        .map(|font| Self { font })
                        .map_err(|error| SceneError::FontBroken {
                            path: path.to_owned(),
                            reason: error.to_string(),
                        });
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(source) => {
                    return Err(SceneError::File {
                        path: path.to_owned(),
                        source,
                    });
                }
            }
        }
        Err(SceneError::FontMissing {
            looked_for: paths.join(", "),
        })
    }

    /// `text` in one row, `size` pixels high.
    pub(crate) fn line(&self, text: &str, size: f32) -> Bitmap {
        let scaled = self.font.as_scaled(size);
        let mut pen = 1.0;
        let mut glyphs: Vec<Glyph> = Vec::new();
        for character in text.chars() {
            let mut glyph = scaled.scaled_glyph(character);
            glyph.position = point(pen, 1.0 + scaled.ascent());
            pen += scaled.h_advance(glyph.id);
            glyphs.push(glyph);
        }
        let (width, height) = ((pen + 2.0) as usize, (scaled.height() + 3.0) as usize);
        let mut ink = vec![0_u8; width * height];
        for glyph in glyphs {
            let Some(outline) = scaled.outline_glyph(glyph) else {
                continue;
            };
            let bounds = outline.px_bounds();
            outline.draw(|column, row, coverage| {
                let x = column as i64 + bounds.min.x as i64;
                let y = row as i64 + bounds.min.y as i64;
                if x >= 0
                    && y >= 0
                    && (x as usize) < width
                    && let Some(pixel) = ink.get_mut(y as usize * width + x as usize)
                {
                    *pixel = (*pixel).max((coverage * 255.0).clamp(0.0, 255.0) as u8);
                }
            });
        }
        Bitmap { width, height, ink }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_font_names_the_package() {
        let error = Typeface::first_of(&["/nonexistent/a.ttc", "/nonexistent/b.ttc"])
            .err()
            .expect("an error");
        let text = error.to_string();
        assert!(
            text.contains("fonts-wqy-microhei") && text.contains("/nonexistent/b.ttc"),
            "{text}"
        );
    }

    #[test]
    fn chinese_text_leaves_ink() {
        let bitmap = Typeface::installed().expect("a font").line("煤矿", 32.0);
        let inked = bitmap.ink.iter().filter(|&&ink| ink > 128).count();
        assert!(inked > 150, "{inked}");
        assert!(bitmap.width >= 50, "{}", bitmap.width);
    }
}
