use std::io::Cursor;
use std::path::Path;

use mineseal_domain::Detection;

use crate::{Detector, DetectorError, PictureRef};

/// A decoded picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RgbPicture {
    /// Bytes red, green, blue; rows without gaps.
    pub data: Vec<u8>,
    /// Pixels.
    pub width: usize,
    /// Pixels.
    pub height: usize,
}

/// What was found in a picture file.
#[derive(Clone, Debug, PartialEq)]
pub struct FileDetections {
    /// The picture, for drawing on.
    pub picture: RgbPicture,
    /// Best score first, in pixels of the picture.
    pub detections: Vec<Detection>,
}

/// Reads a JPEG or PNG file (told by its first bytes, not by its name) and finds its objects.
///
/// # Errors
/// Where the file cannot be read or is no such picture.
pub fn detect_image_file(detector: &mut dyn Detector, path: &Path) -> Result<FileDetections, DetectorError> {
    let picture = read_image_file(path)?;
    let RgbPicture { width, height, .. } = picture;
    let mut found = detector.detect(&[PictureRef::Rgb {
        data: &picture.data,
        width,
        height,
    }])?;
    Ok(FileDetections {
        detections: found.pop().unwrap_or_default(),
        picture,
    })
}

/// Reads a JPEG or PNG file at its full size; a transparent part of a PNG shows the colour beneath.
///
/// # Errors
/// Where the file cannot be read or is no such picture.
pub fn read_image_file(path: &Path) -> Result<RgbPicture, DetectorError> {
    let bytes = std::fs::read(path).map_err(|source| DetectorError::Read {
        path: path.to_owned(),
        source,
    })?;
    let picture = if bytes.starts_with(&[0xff, 0xd8]) {
        decode_jpeg(&bytes)
    } else if bytes.starts_with(b"\x89PNG") {
        decode_png(&bytes)
    } else {
        Err("neither a JPEG nor a PNG file".to_owned())
    };
    picture.map_err(|reason| DetectorError::PictureFile {
        path: path.to_owned(),
        reason,
    })
}

fn decode_jpeg(bytes: &[u8]) -> Result<RgbPicture, String> {
    let image = turbojpeg::decompress(bytes, turbojpeg::PixelFormat::RGB)
        .map_err(|error| format!("not a usable JPEG: {error}"))?;
    Ok(RgbPicture {
        data: image.pixels,
        width: image.width,
        height: image.height,
    })
}

fn decode_png(bytes: &[u8]) -> Result<RgbPicture, String> {
    let refuse = |error: png::DecodingError| format!("not a usable PNG: {error}");
    let mut decoder = png::Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(refuse)?;
    let size = reader.output_buffer_size().ok_or("the PNG is too large")?;
    let mut pixels = vec![0; size];
    let frame = reader.next_frame(&mut pixels).map_err(refuse)?;
    pixels.truncate(frame.buffer_size());
    let data = match frame.color_type {
        png::ColorType::Rgb => pixels,
        png::ColorType::Rgba => pixels
            .chunks_exact(4)
            .flat_map(|pixel| [pixel[0], pixel[1], pixel[2]])
            .collect(),
        png::ColorType::Grayscale => pixels.iter().flat_map(|&grey| [grey; 3]).collect(),
        png::ColorType::GrayscaleAlpha => pixels.chunks_exact(2).flat_map(|pixel| [pixel[0]; 3]).collect(),
        png::ColorType::Indexed => return Err("the PNG's palette could not be applied".to_owned()),
    };
    Ok(RgbPicture {
        data,
        width: frame.width as usize,
        height: frame.height as usize,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(color: png::ColorType, pixels: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, 2, 1);
        encoder.set_color(color);
        encoder.set_depth(png::BitDepth::Eight);
        if color == png::ColorType::Indexed {
            encoder.set_palette(&[1, 2, 3, 40, 50, 60]);
        }
        encoder.write_header().unwrap().write_image_data(pixels).unwrap();
        bytes
    }

    #[test]
    fn every_kind_of_png_becomes_rgb() {
        for (color, pixels, expected) in [
            (png::ColorType::Rgb, &[1, 2, 3, 4, 5, 6][..], [1, 2, 3, 4, 5, 6]),
            (
                png::ColorType::Rgba,
                &[1, 2, 3, 0, 4, 5, 6, 9],
                [1, 2, 3, 4, 5, 6],
            ),
            (png::ColorType::Grayscale, &[7, 8], [7, 7, 7, 8, 8, 8]),
            (png::ColorType::GrayscaleAlpha, &[7, 0, 8, 9], [7, 7, 7, 8, 8, 8]),
            (png::ColorType::Indexed, &[1, 0], [40, 50, 60, 1, 2, 3]),
        ] {
            let found = decode_png(&png(color, pixels)).unwrap();
            assert_eq!(
                (found.width, found.height, found.data.as_slice()),
                (2, 1, &expected[..]),
                "{color:?}"
            );
        }
    }

    #[test]
    fn other_files_are_refused_with_their_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("picture.jpg");
        for (bytes, reason) in [
            (&b"GIF89a"[..], "neither a JPEG nor a PNG file"),
            (b"\x89PNG\r\n\x1a\n1234", "not a usable PNG"),
            (&[0xff, 0xd8, 0xff], "not a usable JPEG"),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let found = read_image_file(&path).unwrap_err().to_string();
            assert!(found.contains("picture.jpg") && found.contains(reason), "{found}");
        }
        assert!(matches!(
            read_image_file(folder.path()),
            Err(DetectorError::Read { .. })
        ));
    }
}
