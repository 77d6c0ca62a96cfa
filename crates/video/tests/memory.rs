//! A thousand openings leave nothing behind. Alone in its process, as it measures it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::fs;
use std::sync::Arc;

use mineseal_video::{
    OpenSettings, PacketRing, RingSettings, Scaler, Source, VideoReader, VideoWriter, WriterSettings,
};

/// Resident memory of this process, bytes.
fn resident() -> i64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: i64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4_096
}

#[test]
fn a_thousand_openings_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let sources: Vec<Source> = [(320, 240), (640, 360), (176, 144)]
        .iter()
        .enumerate()
        .map(|(number, &(width, height))| {
            let path = folder.path().join(format!("{number}.mp4"));
            let mut writer =
                VideoWriter::create(&path, width, height, 25.0, &WriterSettings::default()).unwrap();
            for level in 0..3 {
                writer
                    .write_rgb(&vec![level * 70; (width * height * 3) as usize])
                    .unwrap();
            }
            writer.finish().unwrap();
            Source::File(path)
        })
        .collect();
    let ring = Arc::new(PacketRing::new(RingSettings {
        most_bytes: 100_000,
        ..RingSettings::default()
    }));
    let open = |number: usize| {
        let settings = OpenSettings {
            ring: Some(Arc::clone(&ring)),
            ..OpenSettings::default()
        };
        let mut reader = VideoReader::open(&sources[number % sources.len()], &settings).unwrap();
        let picture = reader.next().unwrap().unwrap();
        Scaler::to_width(160).scale(&picture).unwrap();
    };
    (0..300).for_each(open);
    let before = resident();
    let descriptors = fs::read_dir("/proc/self/fd").unwrap().count();
    (0..1_000).for_each(open);
    let grown = resident() - before;
    println!("a thousand openings: {grown} bytes");
    assert!(grown < 1_000_000, "{grown} bytes more");
    assert_eq!(fs::read_dir("/proc/self/fd").unwrap().count(), descriptors);
}
