use std::collections::BTreeMap;
use std::path::Path;

use mineseal_counting::LineCrossing;
use mineseal_domain::{Anchor, Line};
use mineseal_tracking::TrackedObject;
use mineseal_video::{Canvas, DecodedPicture, RgbPicture, Scaler, VideoError, VideoWriter, WriterSettings};

use crate::CountSettings;

/// Wider videos are drawn at this width.
const MOST_WIDTH: u32 = 1280;

/// Frames for which a counted track keeps its mark.
const MARKED_FRAMES: u32 = 10;

const LINE_COLOUR: [u8; 3] = [255, 200, 0];
const COUNTED_COLOUR: [u8; 3] = [0, 230, 60];
const TEXT_COLOUR: [u8; 3] = [255, 255, 255];

/// Colours of tracks, by number, far from one another.
const TRACK_COLOURS: [[u8; 3]; 6] = [
    [80, 160, 255],
    [255, 120, 120],
    [200, 120, 255],
    [120, 220, 220],
    [255, 170, 70],
    [190, 190, 90],
];

/// Writes the sampled frames with what was seen in them.
pub(crate) struct Drawing {
    writer: VideoWriter,
    scaler: Scaler,
    /// Drawn pixels for a pixel of the video, to the right and downwards.
    scale: (f32, f32),
    line: Line,
    anchor: Anchor,
    /// Counted tracks and the frames for which they are still marked.
    marked: BTreeMap<i64, u32>,
}

impl Drawing {
    pub(crate) fn create(
        path: &Path,
        (width, height): (u32, u32),
        frames_per_second: f64,
        settings: &CountSettings,
    ) -> Result<Self, VideoError> {
        let scaler = Scaler::to_width(MOST_WIDTH);
        let drawn = scaler.size_for(width, height);
        let writer = VideoWriter::create(
            path,
            drawn.0,
            drawn.1,
            frames_per_second,
            &WriterSettings::default(),
        )?;
        Ok(Self {
            writer,
            scaler,
            scale: (drawn.0 as f32 / width as f32, drawn.1 as f32 / height as f32),
            line: settings.line,
            anchor: settings.anchor,
            marked: BTreeMap::new(),
        })
    }

    /// The picture to draw on later.
    pub(crate) fn canvas(&mut self, picture: &DecodedPicture) -> Result<RgbPicture, VideoError> {
        self.scaler.scale_rgb(picture)
    }

    pub(crate) fn write(
        &mut self,
        mut picture: RgbPicture,
        objects: &[TrackedObject],
        crossings: &[LineCrossing],
        (entered, left): (i64, i64),
    ) -> Result<(), VideoError> {
        self.marked.retain(|_, frames| {
            *frames -= 1;
            *frames > 0
        });
        self.marked
            .extend(crossings.iter().map(|crossing| (crossing.track, MARKED_FRAMES)));
        let (scale_x, scale_y) = self.scale;
        let size = i64::from(picture.width() / 480).max(1);
        let mut canvas = Canvas::new(&mut picture);
        let line = self.line.scaled(scale_x, scale_y);
        canvas.line(
            (line.from.x, line.from.y),
            (line.to.x, line.to.y),
            size,
            LINE_COLOUR,
        );
        for object in objects.iter().filter(|object| object.confirmed) {
            let counted = self.marked.contains_key(&object.track);
            let of_track = TRACK_COLOURS[object.track.rem_euclid(TRACK_COLOURS.len() as i64) as usize];
            let colour = if counted { COUNTED_COLOUR } else { of_track };
            let seen = object.detection.bounding_box;
            let (x, y) = (seen.left * scale_x, seen.top * scale_y);
            let thickness = if counted { 2 * size } else { size };
            canvas.outline(
                x,
                y,
                seen.width * scale_x,
                seen.height * scale_y,
                thickness,
                colour,
            );
            let foot = seen.anchor(self.anchor);
            let (foot_x, foot_y) = ((foot.x * scale_x) as i64, (foot.y * scale_y) as i64);
            canvas.fill(foot_x - size, foot_y - size, 2 * size + 1, 2 * size + 1, colour);
            let name = format!("{} {}", object.track, object.detection.class.name());
            canvas.text(x as i64, (y as i64 - 9 * size).max(0), &name, size, colour);
        }
        canvas.text(
            4 * size,
            4 * size,
            &format!("in {entered}  out {left}"),
            2 * size,
            TEXT_COLOUR,
        );
        self.writer.write_rgb(picture.pixels())
    }

    pub(crate) fn finish(self) -> Result<(), VideoError> {
        self.writer.finish()
    }
}
