//! A device that decodes gives the same pictures; where there is none the processor gives them, and the log says so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use mineseal_video::{
    DecodeDevice, Decoding, OpenSettings, Scaler, Source, VideoReader, VideoWriter, WriterSettings,
    YuvPicture,
};
use tracing::Level;

/// What this process logs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// It is listened to before anything is decoded: `tracing` asks once for each line of code whether somebody wants
    /// what it says, and where only one subscriber exists it asks the thread that gets there first (tokio-rs/tracing
    /// issue 3611). A subscriber of one thread would miss what another thread was the first to come by.
    fn of_the_process() -> &'static Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        LOG.get_or_init(|| {
            let log = Self::default();
            let writer = log.clone();
            let subscriber = tracing_subscriber::fmt()
                .with_max_level(Level::INFO)
                .with_ansi(false)
                .with_writer(move || writer.clone())
                .finish();
            tracing::subscriber::set_global_default(subscriber).unwrap();
            log
        })
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

const WIDTH: u32 = 320;
const HEIGHT: u32 = 240;

/// A square that wanders over a slope of grey.
fn write_clip(path: &Path) {
    let mut writer = VideoWriter::create(path, WIDTH, HEIGHT, 25.0, &WriterSettings::default()).unwrap();
    for number in 0..40 {
        let mut pixels = Vec::new();
        for y in 0..HEIGHT {
            for x in 0..WIDTH {
                let inside = (number * 6..number * 6 + 50).contains(&x) && (90..140).contains(&y);
                pixels.extend(if inside {
                    [200, 30, 60]
                } else {
                    [(x / 2) as u8, y as u8, 90]
                });
            }
        }
        writer.write_rgb(&pixels).unwrap();
    }
    writer.finish().unwrap();
}

fn decoded(path: &Path, decoding: Decoding) -> Vec<(i64, YuvPicture)> {
    Log::of_the_process();
    let settings = OpenSettings {
        decoding,
        ..OpenSettings::default()
    };
    let source = Source::parse(path.to_str().unwrap()).unwrap();
    let mut reader = VideoReader::open(&source, &settings).unwrap();
    let mut scaler = Scaler::to_width(u32::MAX);
    std::iter::from_fn(|| reader.next().unwrap())
        .map(|picture| (picture.media_time_micros, scaler.scale(&picture).unwrap()))
        .collect()
}

#[test]
fn pictures_are_the_same_whatever_decodes_them() {
    let folder = tempfile::tempdir().unwrap();
    let clip = folder.path().join("clip.mp4");
    write_clip(&clip);
    let wanted = decoded(&clip, Decoding::default());
    assert_eq!(wanted.len(), 40);
    assert!(wanted[0].1 != wanted[39].1);
    for device in ["vaapi", "vaapi:/dev/dri/renderD199", "cuda:0", "cuda:99"] {
        let device: DecodeDevice = device.parse().unwrap();
        // Where a device decodes, H.264 leaves it no choice: every decoder gives the same pictures.
        assert!(decoded(&clip, Decoding::by(device.clone())) == wanted, "{device}");
    }
}

#[test]
fn the_log_says_once_that_a_device_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let clip = folder.path().join("clip.mp4");
    write_clip(&clip);
    for _ in 0..3 {
        let device = DecodeDevice::Vaapi("/dev/dri/renderD198".to_owned());
        assert_eq!(decoded(&clip, Decoding::by(device)).len(), 40);
    }
    let text = Log::of_the_process().text();
    let told = text.lines().filter(|line| {
        line.contains("the device cannot be used") && line.contains("vaapi:/dev/dri/renderD198")
    });
    assert_eq!(told.count(), 1, "{text}");
}
