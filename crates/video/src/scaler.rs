use crate::convert::{Converter, frame_of_yuv};
use crate::{DecodedPicture, RgbPicture, VideoError, YuvPicture};

/// Brings pictures to one width, height in proportion, both even. Small pictures are not enlarged.
pub struct Scaler {
    width: u32,
    converter: Converter,
    to_rgb: Converter,
}

impl Scaler {
    /// A scaler to `width` pixels; `u32::MAX` keeps every picture's size.
    #[must_use]
    pub fn to_width(width: u32) -> Self {
        Self {
            width,
            converter: Converter::default(),
            to_rgb: Converter::default(),
        }
    }

    /// The size that a picture of this size gets.
    #[must_use]
    pub fn size_for(&self, width: u32, height: u32) -> (u32, u32) {
        let even = |side: u32| (side / 2 * 2).max(2);
        if self.width >= width {
            return (even(width), even(height));
        }
        let scaled_width = even(self.width);
        let scaled_height = f64::from(height) * f64::from(scaled_width) / f64::from(width.max(1));
        (scaled_width, ((scaled_height / 2.0).round() as u32 * 2).max(2))
    }

    /// The picture in YUV 4:2:0.
    ///
    /// # Errors
    /// [`VideoError::Conversion`].
    pub fn scale(&mut self, picture: &DecodedPicture) -> Result<YuvPicture, VideoError> {
        let (width, height) = self.size_for(picture.width, picture.height);
        picture.with_frame(|frame| self.converter.yuv(frame, width, height))
    }

    /// The picture in RGB, straight from the decoder's format.
    ///
    /// # Errors
    /// [`VideoError::Conversion`].
    pub fn scale_rgb(&mut self, picture: &DecodedPicture) -> Result<RgbPicture, VideoError> {
        let (width, height) = self.size_for(picture.width, picture.height);
        picture.with_frame(|frame| self.to_rgb.rgb(frame, width, height))
    }

    /// A YUV picture in RGB, size unchanged.
    ///
    /// # Errors
    /// [`VideoError::Conversion`].
    pub fn rgb_of(&mut self, picture: &YuvPicture) -> Result<RgbPicture, VideoError> {
        self.to_rgb
            .rgb(&frame_of_yuv(picture), picture.width(), picture.height())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_even_and_in_proportion() {
        let scaler = Scaler::to_width(640);
        for (from, to) in [
            ((1920, 1080), (640, 360)),
            ((704, 576), (640, 524)),
            ((480, 360), (480, 360)),
            ((641, 481), (640, 480)),
            ((321, 241), (320, 240)),
            ((4000, 3), (640, 2)),
        ] {
            assert_eq!(scaler.size_for(from.0, from.1), to, "{from:?}");
        }
    }
}
