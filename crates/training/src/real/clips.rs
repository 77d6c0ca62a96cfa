//! Frames of the open clips.

use std::path::Path;

use mineseal_video::{OpenSettings, Source, VideoReader};

use crate::error::TrainingError;

/// Clips that may be learnt from, with their path under `shared` (CC BY 4.0, Intel; the last MIT).
pub const TRAINING_CLIPS: [&str; 4] = [
    "data/video/one-by-one-person-detection.mp4",
    "data/video/people-detection.gif",
    "data/video/store-aisle-detection.gif",
    "data/video/bgslib_video03.avi",
];
/// Clips that nothing is learnt from: the agreement with the teacher is judged there (CC BY 4.0, Intel; the last is PETS
/// material, for evaluation only).
pub const HELD_OUT_CLIPS: [&str; 3] = [
    "data/video/worker-zone-detection.gif",
    "data/video/car-detection.mp4",
    "data/video/vtest_480x360.mp4",
];
/// JPEG quality of the frames that are kept.
const QUALITY: i32 = 92;

/// One frame of a clip.
#[derive(Clone, Debug, PartialEq)]
pub struct RealFrame {
    /// The clip's path under `shared`.
    pub clip: String,
    /// Number of the frame, from 0.
    pub index: usize,
    /// The frame, at the clip's own size.
    pub jpeg: Vec<u8>,
}

/// At most `count` frames of every clip, from its whole length, clip by clip.
///
/// # Errors
/// `shared` or a clip in it that is absent, a clip that cannot be read.
pub fn clip_frames(shared: &Path, clips: &[&str], count: usize) -> Result<Vec<RealFrame>, TrainingError> {
    let mut frames = Vec::new();
    for clip in clips {
        let path = shared.join(clip);
        if !path.is_file() {
            return Err(TrainingError::Settings(format!(
                "real pictures are needed, and {} is absent: give the folder that has data/video and models",
                path.display()
            )));
        }
        let of_clip = |error: mineseal_video::VideoError| TrainingError::Clip {
            path: path.clone(),
            reason: error.to_string(),
        };
        // Once to count: the files do not all say how many frames they have.
        let open = || VideoReader::open(&Source::File(path.clone()), &OpenSettings::default());
        let mut reader = open().map_err(of_clip)?;
        let mut length = 0;
        while reader.next().map_err(of_clip)?.is_some() {
            length += 1;
        }
        let wanted = count.min(length);
        let mut reader = open().map_err(of_clip)?;
        let mut taken = 0;
        for index in 0..length {
            let Some(picture) = reader.next().map_err(of_clip)? else {
                break;
            };
            if taken * length > index * wanted || taken == wanted {
                continue;
            }
            taken += 1;
            let picture = picture.rgb24().map_err(of_clip)?;
            let (width, height) = (picture.width() as usize, picture.height() as usize);
            let image = turbojpeg::Image {
                pixels: picture.pixels(),
                width,
                pitch: width * 3,
                height,
                format: turbojpeg::PixelFormat::RGB,
            };
            frames.push(RealFrame {
                clip: (*clip).to_owned(),
                index,
                jpeg: turbojpeg::compress(image, QUALITY, turbojpeg::Subsamp::Sub2x2)?.to_vec(),
            });
        }
    }
    Ok(frames)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_from_the_whole_length_and_a_missing_clip_is_named() {
        let error = clip_frames(Path::new("/nowhere"), &TRAINING_CLIPS, 3).unwrap_err();
        assert!(error.to_string().contains("one-by-one"), "{error}");
        let shared = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared"));
        if !shared.join(HELD_OUT_CLIPS[0]).is_file() {
            println!("skipped: frames of clips need ../shared/data, which is absent");
            return;
        }
        let frames = clip_frames(shared, &HELD_OUT_CLIPS[..1], 5).unwrap();
        let places: Vec<usize> = frames.iter().map(|frame| frame.index).collect();
        assert_eq!(places.len(), 5);
        assert!(places[0] == 0 && places[4] > 50, "{places:?}");
    }
}
