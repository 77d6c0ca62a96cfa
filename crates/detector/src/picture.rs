use turbojpeg::{Decompressor, Image, PixelFormat, ScalingFactor};

use crate::letterbox::{COLOURS, ColourOrder, Letterbox};
use crate::{DetectorError, InputSize};

/// More pixels than any camera gives: beyond it, a picture is not decoded.
const MOST_PIXELS: usize = 1 << 27;

/// A picture to look at.
#[derive(Clone, Copy, Debug)]
pub enum PictureRef<'a> {
    /// Bytes red, green, blue; rows without gaps.
    Rgb {
        /// `3 * width * height` bytes.
        data: &'a [u8],
        /// Pixels.
        width: usize,
        /// Pixels.
        height: usize,
    },
    /// A whole JPEG file. One that is much larger than the net's input is decoded at a half, a quarter or an
    /// eighth of its size.
    Jpeg(&'a [u8]),
    /// Planes of video by BT.601, colour at half size (rounded up); rows without gaps.
    Yuv420 {
        /// `width * height` bytes.
        luma: &'a [u8],
        /// `ceil(width / 2) * ceil(height / 2)` bytes.
        blue: &'a [u8],
        /// As `blue`.
        red: &'a [u8],
        /// Pixels.
        width: usize,
        /// Pixels.
        height: usize,
        /// Luma runs from 0 to 255 (as in JPEG) and not from 16 to 235 (as in video).
        full_range: bool,
    },
}

/// Brings pictures to the net's input. Keeps its buffers.
pub(crate) struct PictureReader {
    jpeg: Decompressor,
    decoded: Vec<u8>,
}

impl PictureReader {
    pub(crate) fn new() -> Result<Self, DetectorError> {
        let jpeg = Decompressor::new().map_err(|error| DetectorError::JpegDecoder(error.to_string()))?;
        Ok(Self {
            jpeg,
            decoded: Vec::new(),
        })
    }

    /// Draws the picture into `input`, which has the net's input size, and tells how. The error is the reason why
    /// the picture cannot be used.
    pub(crate) fn draw(
        &mut self,
        picture: &PictureRef<'_>,
        size: InputSize,
        input: &mut [u8],
    ) -> Result<Letterbox, String> {
        match *picture {
            PictureRef::Rgb { data, width, height } => {
                check_size(width, height)?;
                check_plane("picture", data, COLOURS * width * height)?;
                let letterbox = Letterbox::fit(width, height, size);
                letterbox.draw(data, (width, height), ColourOrder::RedFirst, input, size.width);
                Ok(letterbox)
            }
            PictureRef::Jpeg(bytes) => {
                let header = self
                    .jpeg
                    .read_header(bytes)
                    .map_err(|error| format!("not a usable JPEG: {error}"))?;
                check_size(header.width, header.height)?;
                let letterbox = Letterbox::fit(header.width, header.height, size);
                let factor = smallest_factor((header.width, header.height), &letterbox);
                let decoded = (factor.scale(header.width), factor.scale(header.height));
                self.jpeg
                    .set_scaling_factor(factor)
                    .map_err(|error| error.to_string())?;
                self.decode(bytes, decoded)?;
                letterbox.draw(&self.decoded, decoded, ColourOrder::BlueFirst, input, size.width);
                Ok(letterbox)
            }
            PictureRef::Yuv420 {
                luma,
                blue,
                red,
                width,
                height,
                full_range,
            } => {
                check_size(width, height)?;
                check_plane("luma plane", luma, width * height)?;
                let half = (width.div_ceil(2), height.div_ceil(2));
                check_plane("blue plane", blue, half.0 * half.1)?;
                check_plane("red plane", red, half.0 * half.1)?;
                self.decoded.clear();
                for (y, row) in luma.chunks_exact(width).enumerate() {
                    let colours = y / 2 * half.0;
                    for (x, &luma) in row.iter().enumerate() {
                        let colour = colours + x / 2;
                        self.decoded
                            .extend(blue_green_red(luma, blue[colour], red[colour], full_range));
                    }
                }
                let letterbox = Letterbox::fit(width, height, size);
                letterbox.draw(
                    &self.decoded,
                    (width, height),
                    ColourOrder::BlueFirst,
                    input,
                    size.width,
                );
                Ok(letterbox)
            }
        }
    }

    fn decode(&mut self, bytes: &[u8], (width, height): (usize, usize)) -> Result<(), String> {
        self.decoded.resize(width * height * COLOURS, 0);
        let pixels = self.decoded.as_mut_slice();
        let image = Image {
            pixels,
            width,
            pitch: width * COLOURS,
            height,
            format: PixelFormat::BGR,
        };
        self.jpeg
            .decompress(bytes, image)
            .map_err(|error| format!("not a usable JPEG: {error}"))
    }
}

fn check_size(width: usize, height: usize) -> Result<(), String> {
    match width.checked_mul(height) {
        Some(1..=MOST_PIXELS) => Ok(()),
        _ => Err(format!(
            "{width}x{height} pixels; from 1 to {MOST_PIXELS} can be looked at"
        )),
    }
}

fn check_plane(name: &str, bytes: &[u8], expected: usize) -> Result<(), String> {
    if bytes.len() == expected {
        return Ok(());
    }
    Err(format!(
        "the {name} has {} bytes, expected {expected}",
        bytes.len()
    ))
}

/// The smallest of the factors that libjpeg-turbo is fast at, with no side smaller than it will be drawn.
fn smallest_factor((width, height): (usize, usize), letterbox: &Letterbox) -> ScalingFactor {
    let enough = |factor: &ScalingFactor| {
        factor.scale(width) >= letterbox.width && factor.scale(height) >= letterbox.height
    };
    [
        ScalingFactor::ONE_EIGHTH,
        ScalingFactor::ONE_QUARTER,
        ScalingFactor::ONE_HALF,
    ]
    .into_iter()
    .find(enough)
    .unwrap_or(ScalingFactor::ONE)
}

/// BT.601 with weights of 16 bits.
fn blue_green_red(luma: u8, blue: u8, red: u8, full_range: bool) -> [u8; COLOURS] {
    let (luma, blue, red) = (i32::from(luma), i32::from(blue) - 128, i32::from(red) - 128);
    let sums = if full_range {
        let luma = luma << 16;
        [
            luma + 116_130 * blue,
            luma - 22_554 * blue - 46_802 * red,
            luma + 91_881 * red,
        ]
    } else {
        let luma = 76_309 * (luma - 16);
        [
            luma + 132_201 * blue,
            luma - 25_675 * blue - 53_279 * red,
            luma + 104_597 * red,
        ]
    };
    sums.map(|sum| ((sum + (1 << 15)) >> 16).clamp(0, 255) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: InputSize = InputSize {
        width: 64,
        height: 32,
    };

    fn drawn(picture: &PictureRef<'_>) -> Result<Vec<u8>, String> {
        let mut input = vec![0; SIZE.width * SIZE.height * COLOURS];
        PictureReader::new().unwrap().draw(picture, SIZE, &mut input)?;
        Ok(input)
    }

    fn jpeg(width: usize, height: usize) -> Vec<u8> {
        let pixels = [200, 100, 50].repeat(width * height);
        let image = Image {
            pixels: pixels.as_slice(),
            width,
            pitch: width * 3,
            height,
            format: PixelFormat::RGB,
        };
        turbojpeg::compress(image, 95, turbojpeg::Subsamp::Sub2x2)
            .unwrap()
            .to_vec()
    }

    #[test]
    fn all_kinds_of_pictures_give_the_same_colours() {
        let rgb = [200, 100, 50].repeat(64 * 32);
        let from_rgb = drawn(&PictureRef::Rgb {
            data: &rgb,
            width: 64,
            height: 32,
        })
        .unwrap();
        assert_eq!(from_rgb[..3], [50, 100, 200]);
        let near = |found: &[u8]| found.iter().zip(&from_rgb).all(|(&a, &b)| a.abs_diff(b) <= 3);
        assert!(near(&drawn(&PictureRef::Jpeg(&jpeg(64, 32))).unwrap()));
        // Four times as large: decoded at a quarter.
        assert!(near(&drawn(&PictureRef::Jpeg(&jpeg(256, 128))).unwrap()));
        // BT.601 of the same colour.
        for (full_range, [luma, blue, red]) in [(true, [124, 86, 182]), (false, [123, 92, 175])] {
            let (luma, blue, red) = (vec![luma; 64 * 32], vec![blue; 32 * 16], vec![red; 32 * 16]);
            let (luma, blue, red) = (luma.as_slice(), blue.as_slice(), red.as_slice());
            let picture = PictureRef::Yuv420 {
                luma,
                blue,
                red,
                width: 64,
                height: 32,
                full_range,
            };
            assert!(near(&drawn(&picture).unwrap()), "full range {full_range}");
        }
    }

    #[test]
    fn large_jpegs_are_decoded_small_and_never_too_small() {
        let factor = |width, height| {
            smallest_factor(
                (width, height),
                &Letterbox::fit(width, height, InputSize::DEFAULT),
            )
        };
        assert_eq!(factor(640, 360), ScalingFactor::ONE);
        assert_eq!(factor(1920, 1080), ScalingFactor::ONE_HALF);
        assert_eq!(factor(2560, 1440), ScalingFactor::ONE_QUARTER);
        assert_eq!(factor(7680, 4320), ScalingFactor::ONE_EIGHTH);
    }

    #[test]
    fn unusable_pictures_say_why() {
        // Cut in the middle of its picture, and in its header.
        let whole = jpeg(1024, 1024);
        let (cut, header) = (&whole[..whole.len() * 9 / 10], &whole[..100]);
        for (picture, reason) in [
            (PictureRef::Jpeg(b"GIF89a"), "not a usable JPEG"),
            (PictureRef::Jpeg(&[]), "not a usable JPEG"),
            (PictureRef::Jpeg(cut), "not a usable JPEG"),
            (PictureRef::Jpeg(header), "not a usable JPEG"),
            (
                PictureRef::Rgb {
                    data: &[0; 5],
                    width: 2,
                    height: 1,
                },
                "5 bytes, expected 6",
            ),
            (
                PictureRef::Rgb {
                    data: &[],
                    width: 0,
                    height: 7,
                },
                "0x7 pixels",
            ),
        ] {
            let found = drawn(&picture).unwrap_err();
            assert!(found.contains(reason), "{found}");
        }
    }
}
