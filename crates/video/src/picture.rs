use crate::VideoError;

/// A picture in planar YUV 4:2:0, BT.601, video range (luma 16 to 235), rows without gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YuvPicture {
    width: u32,
    height: u32,
    planes: [Vec<u8>; 3],
}

/// Bytes of the three planes of a picture of this size; odd sizes round the chroma planes up.
fn plane_lengths(width: u32, height: u32) -> [usize; 3] {
    let chroma = width.div_ceil(2) as usize * height.div_ceil(2) as usize;
    [width as usize * height as usize, chroma, chroma]
}

impl YuvPicture {
    /// A picture from its planes Y, U, V. Row lengths are `width` and half of it, rounded up.
    ///
    /// # Errors
    /// [`VideoError::Size`] for an empty picture, [`VideoError::Buffer`] for planes of another length.
    pub fn from_planes(width: u32, height: u32, planes: [Vec<u8>; 3]) -> Result<Self, VideoError> {
        if width == 0 || height == 0 {
            return Err(VideoError::Size {
                width,
                height,
                reason: "must not be empty",
            });
        }
        let expected = plane_lengths(width, height);
        let got = [planes[0].len(), planes[1].len(), planes[2].len()];
        if got != expected {
            return Err(VideoError::Buffer {
                width,
                height,
                expected: expected.iter().sum(),
                got: got.iter().sum(),
            });
        }
        Ok(Self {
            width,
            height,
            planes,
        })
    }

    /// Pixels in a row.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The luma plane, `width` bytes a row.
    #[must_use]
    pub fn luma(&self) -> &[u8] {
        &self.planes[0]
    }

    /// The planes Y, U, V.
    #[must_use]
    pub fn planes(&self) -> &[Vec<u8>; 3] {
        &self.planes
    }

    /// Bytes in a row of plane `index`: 0 luma, 1 and 2 chroma.
    #[must_use]
    pub fn row_length(&self, index: usize) -> usize {
        if index == 0 {
            self.width as usize
        } else {
            self.width.div_ceil(2) as usize
        }
    }
}

/// A picture in packed RGB, three bytes a pixel, full range, rows without gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RgbPicture {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

impl RgbPicture {
    /// A picture from its pixels.
    ///
    /// # Errors
    /// [`VideoError::Size`] for an empty picture, [`VideoError::Buffer`] for another number of bytes.
    pub fn from_pixels(width: u32, height: u32, pixels: Vec<u8>) -> Result<Self, VideoError> {
        if width == 0 || height == 0 {
            return Err(VideoError::Size {
                width,
                height,
                reason: "must not be empty",
            });
        }
        let expected = width as usize * height as usize * 3;
        if pixels.len() != expected {
            return Err(VideoError::Buffer {
                width,
                height,
                expected,
                got: pixels.len(),
            });
        }
        Ok(Self {
            width,
            height,
            pixels,
        })
    }

    /// Pixels in a row.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// All bytes, row after row.
    #[must_use]
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// All bytes, to be drawn on.
    pub fn pixels_mut(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    /// The bytes without the picture.
    #[must_use]
    pub fn into_pixels(self) -> Vec<u8> {
        self.pixels
    }
}
