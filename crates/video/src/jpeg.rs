use turbojpeg::{Compressor, Subsamp, YuvPlanesImage};

use crate::{VideoError, YuvPicture};

/// Encodes YUV pictures as JPEG by libjpeg-turbo, without a way over RGB.
pub struct JpegEncoder {
    compressor: Compressor,
    luma: [u8; 256],
    chroma: [u8; 256],
    planes: [Vec<u8>; 3],
}

impl JpegEncoder {
    /// An encoder of `quality` 1 (worst) to 100.
    ///
    /// # Errors
    /// [`VideoError::Jpeg`] for a quality outside that range.
    pub fn new(quality: u8) -> Result<Self, VideoError> {
        let fault = |error: turbojpeg::Error| VideoError::Jpeg(error.to_string());
        let mut compressor = Compressor::new().map_err(fault)?;
        compressor.set_quality(i32::from(quality)).map_err(fault)?;
        // JFIF pictures use the full range; video luma runs from 16 to 235, chroma 112 either side of 128.
        let stretch = |from: i32, share: f32, to: i32| {
            std::array::from_fn(|value| {
                ((value as i32 - from) as f32 * share + to as f32)
                    .round()
                    .clamp(0.0, 255.0) as u8
            })
        };
        Ok(Self {
            compressor,
            luma: stretch(16, 255.0 / 219.0, 0),
            chroma: stretch(128, 255.0 / 224.0, 128),
            planes: Default::default(),
        })
    }

    /// The picture as JPEG. Its sides must be even, as [`crate::Scaler`] makes them.
    ///
    /// # Errors
    /// [`VideoError::Size`] for odd sides, [`VideoError::Jpeg`].
    pub fn encode(&mut self, picture: &YuvPicture) -> Result<Vec<u8>, VideoError> {
        let (width, height) = (picture.width(), picture.height());
        if width % 2 != 0 || height % 2 != 0 {
            return Err(VideoError::Size {
                width,
                height,
                reason: "sides must be even",
            });
        }
        for (index, (into, from)) in self.planes.iter_mut().zip(picture.planes()).enumerate() {
            let table = if index == 0 { &self.luma } else { &self.chroma };
            into.clear();
            into.extend(from.iter().map(|&value| table[usize::from(value)]));
        }
        let image = YuvPlanesImage {
            y_plane: self.planes[0].as_slice(),
            u_plane: self.planes[1].as_slice(),
            v_plane: self.planes[2].as_slice(),
            width: width as usize,
            height: height as usize,
            y_stride: picture.row_length(0),
            u_stride: picture.row_length(1),
            v_stride: picture.row_length(2),
            subsamp: Subsamp::Sub2x2,
        };
        self.compressor
            .compress_yuv_planes_to_vec(&image)
            .map_err(|error| VideoError::Jpeg(error.to_string()))
    }
}

/// A JPEG as RGB; its own size.
///
/// # Errors
/// [`VideoError::Jpeg`] for bytes that are no JPEG.
pub fn decode_jpeg(bytes: &[u8]) -> Result<crate::RgbPicture, VideoError> {
    let image = turbojpeg::decompress(bytes, turbojpeg::PixelFormat::RGB)
        .map_err(|error| VideoError::Jpeg(error.to_string()))?;
    let (width, height) = (image.width as u32, image.height as u32);
    crate::RgbPicture::from_pixels(width, height, image.pixels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grey_levels_and_colours_survive() {
        let plane = |value, length| vec![value; length];
        for (yuv, rgb) in [
            ([16, 128, 128], [0, 0, 0]),
            ([235, 128, 128], [255, 255, 255]),
            ([81, 90, 240], [255, 0, 0]),
        ] {
            let planes = [
                plane(yuv[0], 64 * 32),
                plane(yuv[1], 32 * 16),
                plane(yuv[2], 32 * 16),
            ];
            let picture = YuvPicture::from_planes(64, 32, planes).unwrap();
            let bytes = JpegEncoder::new(90).unwrap().encode(&picture).unwrap();
            let decoded = decode_jpeg(&bytes).unwrap();
            assert_eq!((decoded.width(), decoded.height()), (64, 32));
            for (got, wanted) in decoded.pixels()[..3].iter().zip(rgb) {
                assert!(got.abs_diff(wanted) <= 3, "{yuv:?}: {:?}", &decoded.pixels()[..3]);
            }
        }
    }

    #[test]
    fn bad_input_is_refused() {
        assert!(JpegEncoder::new(0).is_err());
        let odd = YuvPicture::from_planes(3, 2, [vec![0; 6], vec![0; 2], vec![0; 2]]).unwrap();
        assert!(matches!(
            JpegEncoder::new(75).unwrap().encode(&odd),
            Err(VideoError::Size { .. })
        ));
        assert!(decode_jpeg(b"no picture").is_err());
    }
}
