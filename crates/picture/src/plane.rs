use thiserror::Error;

/// What is wrong with a luma plane.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PlaneError {
    /// There is no picture in it.
    #[error("a luma plane of {width} x {height} pixels is empty")]
    Empty {
        /// Pixels.
        width: usize,
        /// Pixels.
        height: usize,
    },
    /// Rows would overlap.
    #[error(
        "the stride of a luma plane is {stride} bytes, its width {width} pixels; the stride must not be smaller"
    )]
    Stride {
        /// Bytes from row to row.
        stride: usize,
        /// Pixels.
        width: usize,
    },
    /// Bytes are missing.
    #[error("a luma plane of {width} x {height} pixels with stride {stride} has {bytes} bytes, too few")]
    Short {
        /// Pixels.
        width: usize,
        /// Pixels.
        height: usize,
        /// Bytes from row to row.
        stride: usize,
        /// What there is.
        bytes: usize,
    },
}

/// The brightness of a picture, one byte a pixel: the Y plane of a decoded frame.
#[derive(Clone, Copy, Debug)]
pub struct LumaPlane<'data> {
    width: usize,
    height: usize,
    stride: usize,
    data: &'data [u8],
}

impl<'data> LumaPlane<'data> {
    /// A plane of `width` by `height` pixels whose rows begin `stride` bytes apart; the last row may end with
    /// its last pixel.
    ///
    /// # Errors
    /// See [`PlaneError`].
    pub fn new(width: usize, height: usize, stride: usize, data: &'data [u8]) -> Result<Self, PlaneError> {
        if width == 0 || height == 0 {
            return Err(PlaneError::Empty { width, height });
        }
        if stride < width {
            return Err(PlaneError::Stride { stride, width });
        }
        let needed = stride
            .checked_mul(height - 1)
            .and_then(|bytes| bytes.checked_add(width));
        if needed.is_none_or(|needed| needed > data.len()) {
            return Err(PlaneError::Short {
                width,
                height,
                stride,
                bytes: data.len(),
            });
        }
        Ok(Self {
            width,
            height,
            stride,
            data,
        })
    }

    /// Pixels.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Pixels.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// The pixels of row `y`, from the top.
    pub(crate) fn row(&self, y: usize) -> &'data [u8] {
        let start = y * self.stride;
        &self.data[start..start + self.width]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_that_do_not_hold_their_pixels_are_refused() {
        let data = [0_u8; 100];
        assert!(LumaPlane::new(10, 10, 10, &data).is_ok());
        assert!(LumaPlane::new(9, 10, 10, &data[..99]).is_ok());
        assert_eq!(
            LumaPlane::new(0, 10, 10, &data).err(),
            Some(PlaneError::Empty { width: 0, height: 10 })
        );
        assert_eq!(
            LumaPlane::new(11, 1, 10, &data).err(),
            Some(PlaneError::Stride {
                stride: 10,
                width: 11
            })
        );
        assert!(matches!(
            LumaPlane::new(10, 11, 10, &data),
            Err(PlaneError::Short { bytes: 100, .. })
        ));
        assert!(matches!(
            LumaPlane::new(1, usize::MAX, usize::MAX, &data),
            Err(PlaneError::Short { .. })
        ));
    }
}
