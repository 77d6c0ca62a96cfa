//! What is changed on a picture before the net sees it, so that it learns the objects and not the picture.

use mineseal_domain::BoundingBox;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::layers::{INPUT_HEIGHT, INPUT_WIDTH};
use crate::truth::Truth;

/// Grey that fills what lies outside the picture, as in the detector's letterbox.
pub(crate) const FILL: f32 = 114.0;
/// Objects of which less than this share is left in the picture are ignored.
const SMALLEST_SHARE: f32 = 0.35;

/// A picture in RGB, rows of pixels of three bytes.
pub(crate) struct Source<'a> {
    pub(crate) pixels: &'a [u8],
    pub(crate) width: usize,
    pub(crate) height: usize,
}

/// Width and height of what the net sees, multiples of 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Size {
    pub(crate) width: usize,
    pub(crate) height: usize,
}

impl Size {
    /// That of a training on rendered scenes alone.
    pub(crate) const RENDERED: Self = Self {
        width: INPUT_WIDTH,
        height: INPUT_HEIGHT,
    };
}

/// A picture for the net: BGR, 0 to 255, of the size asked for, and its truths there.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Example {
    pub(crate) pixels: Vec<f32>,
    pub(crate) truths: Vec<Truth>,
}

/// How one picture is changed.
#[derive(Clone, Copy, Debug)]
struct Change {
    /// Pixels of the net's input per pixel of the source.
    scale: f32,
    /// Where the source's corner goes.
    left: f32,
    top: f32,
    mirrored: bool,
    /// Factor and addend of each of B, G, R.
    factor: [f32; 3],
    addend: f32,
    /// How far colours are drawn to grey: 0 not at all, 1 wholly.
    grey: f32,
    /// Half the width of the even noise.
    noise: f32,
}

impl Change {
    /// The letterbox alone.
    fn none(source: &Source<'_>, size: Size) -> Self {
        let scale = (size.width as f32 / source.width as f32).min(size.height as f32 / source.height as f32);
        Self {
            scale,
            left: 0.0,
            top: 0.0,
            mirrored: false,
            factor: [1.0; 3],
            addend: 0.0,
            grey: 0.0,
            noise: 0.0,
        }
    }

    fn random(source: &Source<'_>, size: Size, generator: &mut ChaCha8Rng) -> Self {
        let plain = Self::none(source, size);
        let contrast = generator.random_range(0.85..1.18_f32);
        let mut change = Self {
            mirrored: generator.random_bool(0.5),
            factor: [0; 3].map(|_| contrast * generator.random_range(0.92..1.08_f32)),
            addend: generator.random_range(-15.0..15.0),
            grey: if generator.random_bool(0.1) {
                generator.random_range(0.0..1.0)
            } else {
                0.0
            },
            noise: if generator.random_bool(0.25) {
                generator.random_range(0.0..12.0)
            } else {
                0.0
            },
            ..plain
        };
        // Most pictures keep close to the size that the detector sees.
        if generator.random_bool(0.4) {
            change.scale *= generator.random_range(0.85..1.2_f32);
            let spare_x = size.width as f32 - source.width as f32 * change.scale;
            let spare_y = size.height as f32 - source.height as f32 * change.scale;
            change.left = spare_x * generator.random_range(0.0..1.0_f32);
            change.top = spare_y * generator.random_range(0.0..1.0_f32);
        }
        change
    }

    /// Colours as in [`Self::random`], sizes from half to twice, any part of the picture.
    fn wide(source: &Source<'_>, size: Size, generator: &mut ChaCha8Rng) -> Self {
        let mut change = Self::random(source, size, generator);
        let larger = 2.0_f32.powf(generator.random_range(-1.0..1.0));
        change.scale = Self::none(source, size).scale * larger;
        change.factor = change
            .factor
            .map(|factor| factor * generator.random_range(0.9..1.1_f32));
        let spare = |length: usize, of_source: usize| length as f32 - of_source as f32 * change.scale;
        let (x, y) = (spare(size.width, source.width), spare(size.height, source.height));
        change.left = x * generator.random_range(0.0..1.0_f32);
        change.top = y * generator.random_range(0.0..1.0_f32);
        change
    }
}

/// The example as the detector would see it.
pub(crate) fn plain(source: &Source<'_>, truths: &[Truth], size: Size) -> Example {
    let change = Change::none(source, size);
    Example {
        pixels: pixels(source, size, &change, &mut ChaCha8Rng::seed_from_u64(0)),
        truths: moved(source, size, &change, truths),
    }
}

/// The example changed by chance that follows from `seed`.
pub(crate) fn varied(source: &Source<'_>, truths: &[Truth], size: Size, seed: u64) -> Example {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let change = Change::random(source, size, &mut generator);
    Example {
        pixels: pixels(source, size, &change, &mut generator),
        truths: moved(source, size, &change, truths),
    }
}

/// A view made of four pictures, or of the first alone where `single`, widely changed by chance that follows from `seed`:
/// few clips are to show much. Its objects are not known.
pub(crate) fn view(sources: [&Source<'_>; 4], single: bool, size: Size, seed: u64) -> Vec<f32> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    if single {
        let change = Change::wide(sources[0], size, &mut generator);
        return pixels(sources[0], size, &change, &mut generator);
    }
    let mut cut = |length: usize| (length as f32 * generator.random_range(0.3..0.7_f32)) as usize;
    let (x, y) = (cut(size.width), cut(size.height));
    let mut result = vec![FILL; size.width * size.height * 3];
    let corners = [(0, 0), (x, 0), (0, y), (x, y)];
    for (source, (left, top)) in sources.into_iter().zip(corners) {
        let part = Size {
            width: if left == 0 { x } else { size.width - x },
            height: if top == 0 { y } else { size.height - y },
        };
        let change = Change::wide(source, part, &mut generator);
        let rows = pixels(source, part, &change, &mut generator);
        for (row, values) in rows.chunks_exact(part.width * 3).enumerate() {
            let start = ((top + row) * size.width + left) * 3;
            result[start..start + values.len()].copy_from_slice(values);
        }
    }
    result
}

/// Where a row or column of the result takes its values from: two places and the second one's weight.
/// `None` outside the source.
fn taps(
    length: usize,
    source_length: usize,
    scale: f32,
    offset: f32,
    mirrored: bool,
) -> Vec<Option<(usize, usize, f32)>> {
    let tap = |index: usize| {
        let place = (index as f32 + 0.5 - offset) / scale - 0.5;
        if place < -0.5 || place > source_length as f32 - 0.5 {
            return None;
        }
        let place = if mirrored {
            source_length as f32 - 1.0 - place
        } else {
            place
        };
        let place = place.clamp(0.0, source_length as f32 - 1.0);
        let first = place as usize;
        Some((first, (first + 1).min(source_length - 1), place - first as f32))
    };
    (0..length).map(tap).collect()
}

fn pixels(source: &Source<'_>, size: Size, change: &Change, generator: &mut ChaCha8Rng) -> Vec<f32> {
    let mut result = vec![FILL; size.width * size.height * 3];
    let columns = taps(
        size.width,
        source.width,
        change.scale,
        change.left,
        change.mirrored,
    );
    let rows = taps(size.height, source.height, change.scale, change.top, false);
    // A cheap generator for the noise of single pixels, started from the good one.
    let mut state: u32 = generator.random_range(1..u32::MAX);
    for (out_row, row) in result.chunks_exact_mut(size.width * 3).zip(&rows) {
        let Some((upper, lower, down)) = *row else {
            continue;
        };
        let row_at = |row: usize| &source.pixels[row * source.width * 3..(row + 1) * source.width * 3];
        let (upper, lower) = (row_at(upper), row_at(lower));
        for (out, column) in out_row.chunks_exact_mut(3).zip(&columns) {
            let Some((left, right, across)) = *column else {
                continue;
            };
            let mut colour = [0.0; 3];
            for (channel, value) in colour.iter_mut().enumerate() {
                // The net takes BGR.
                let at = |row: &[u8], column: usize| f32::from(row[column * 3 + 2 - channel]);
                let mix = |row: &[u8]| at(row, left) + across * (at(row, right) - at(row, left));
                let (first, second) = (mix(upper), mix(lower));
                *value = first + down * (second - first);
            }
            let grey = 0.114 * colour[0] + 0.587 * colour[1] + 0.299 * colour[2];
            for (channel, out) in out.iter_mut().enumerate() {
                let mut value = colour[channel] + change.grey * (grey - colour[channel]);
                value = value * change.factor[channel] + change.addend;
                if change.noise > 0.0 {
                    state ^= state << 13;
                    state ^= state >> 17;
                    state ^= state << 5;
                    value += change.noise * (state as f32 / u32::MAX as f32 * 2.0 - 1.0);
                }
                *out = value.clamp(0.0, 255.0);
            }
        }
    }
    result
}

fn moved(source: &Source<'_>, size: Size, change: &Change, truths: &[Truth]) -> Vec<Truth> {
    let mut result = Vec::new();
    for truth in truths {
        let b = truth.bounding_box;
        let left = if change.mirrored {
            source.width as f32 - b.right()
        } else {
            b.left
        };
        let whole = BoundingBox {
            left: left * change.scale + change.left,
            top: b.top * change.scale + change.top,
            width: b.width * change.scale,
            height: b.height * change.scale,
        };
        let (left, top) = (whole.left.max(0.0), whole.top.max(0.0));
        let (right, bottom) = (
            whole.right().min(size.width as f32),
            whole.bottom().min(size.height as f32),
        );
        if right - left < 1.0 || bottom - top < 1.0 {
            continue;
        }
        let bounding_box = BoundingBox {
            left,
            top,
            width: right - left,
            height: bottom - top,
        };
        let ignored = truth.ignored || bounding_box.area() < SMALLEST_SHARE * whole.area();
        result.push(Truth {
            class: truth.class,
            bounding_box,
            ignored,
        });
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A grey picture with one red rectangle.
    fn picture() -> (Vec<u8>, Truth) {
        let mut pixels = vec![100; 640 * 360 * 3];
        for y in 100..180 {
            for x in 200..240 {
                pixels[(y * 640 + x) * 3..(y * 640 + x) * 3 + 3].copy_from_slice(&[250, 10, 10]);
            }
        }
        let bounding_box = BoundingBox {
            left: 200.0,
            top: 100.0,
            width: 40.0,
            height: 80.0,
        };
        (
            pixels,
            Truth {
                class: 0,
                bounding_box,
                ignored: false,
            },
        )
    }

    #[test]
    fn the_plain_picture_is_the_letterbox() {
        let (pixels, truth) = picture();
        let example = plain(
            &Source {
                pixels: &pixels,
                width: 640,
                height: 360,
            },
            &[truth],
            Size::RENDERED,
        );
        let at = |x: usize, y: usize| &example.pixels[(y * 320 + x) * 3..(y * 320 + x) * 3 + 3];
        assert_eq!(at(110, 60), [10.0, 10.0, 250.0]);
        assert_eq!(at(20, 20), [100.0; 3]);
        assert_eq!(at(20, 185), [FILL; 3]);
        let expected = BoundingBox {
            left: 100.0,
            top: 50.0,
            width: 20.0,
            height: 40.0,
        };
        assert_eq!(example.truths[0].bounding_box, expected);
    }

    #[test]
    fn boxes_follow_the_changed_picture() {
        let (pixels, truth) = picture();
        let source = Source {
            pixels: &pixels,
            width: 640,
            height: 360,
        };
        let mut seen = 0;
        for seed in 0..60 {
            let example = varied(&source, &[truth], Size::RENDERED, seed);
            let Some(found) = example.truths.first().filter(|t| !t.ignored) else {
                continue;
            };
            seen += 1;
            let b = found.bounding_box;
            let redness = |x: f32, y: f32| {
                let pixel = (y as usize * INPUT_WIDTH + x as usize) * 3;
                example.pixels[pixel + 2] - example.pixels[pixel]
            };
            let middle = redness(b.left + b.width / 2.0, b.top + b.height / 2.0);
            let beside = redness((b.left - 6.0).max(0.0), b.top + b.height / 2.0);
            // Fully grey pictures have no red to look for.
            if middle > 60.0 && b.left > 8.0 {
                assert!(beside < middle / 2.0, "seed {seed}: {middle} and {beside}");
            }
        }
        assert!(seen > 40);
        assert_eq!(
            varied(&source, &[truth], Size::RENDERED, 5),
            varied(&source, &[truth], Size::RENDERED, 5)
        );
    }

    #[test]
    fn a_view_of_four_shows_each_and_follows_from_its_seed() {
        let plain = |value: u8| vec![value; 64 * 48 * 3];
        let pictures = [plain(40), plain(90), plain(150), plain(220)];
        let sources = pictures.each_ref().map(|pixels| Source {
            pixels,
            width: 64,
            height: 48,
        });
        let size = Size {
            width: 96,
            height: 64,
        };
        let sources = sources.each_ref();
        let four = view(sources, false, size, 7);
        assert_eq!(four.len(), 96 * 64 * 3);
        assert_eq!(four, view(sources, false, size, 7));
        assert_ne!(four, view(sources, false, size, 8));
        assert_ne!(four, view(sources, true, size, 7));
        // Each of the four is to be seen: another picture in its place makes another view.
        let other = plain(10);
        let other = Source {
            pixels: &other,
            width: 64,
            height: 48,
        };
        for place in 0..4 {
            let mut changed = sources;
            changed[place] = &other;
            assert_ne!(four, view(changed, false, size, 7), "picture {place}");
        }
    }
}
