//! Files are written and read back picture by picture; broken input gives the error that fits.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

use std::fs;
use std::path::{Path, PathBuf};

use mineseal_video::{
    Cancel, DecodedPicture, JpegEncoder, OpenSettings, RgbPicture, Sampler, Scaler, Source, VideoError,
    VideoReader, VideoWriter, WriterSettings, probe,
};

/// A picture whose grey level tells its number.
fn numbered(number: u64, width: u32, height: u32) -> Vec<u8> {
    vec![(number * 5 % 250) as u8; (width * height * 3) as usize]
}

fn write_clip(path: &Path, pictures: u64, rate: f64) {
    let mut writer = VideoWriter::create(path, 64, 48, rate, &WriterSettings::default()).unwrap();
    for number in 0..pictures {
        writer.write_rgb(&numbered(number, 64, 48)).unwrap();
    }
    assert_eq!(writer.pictures(), pictures as i64);
    writer.finish().unwrap();
}

fn open(path: &Path) -> Result<VideoReader, VideoError> {
    VideoReader::open(&Source::parse(path.to_str().unwrap())?, &OpenSettings::default())
}

fn all(reader: &mut VideoReader) -> Vec<DecodedPicture> {
    std::iter::from_fn(|| reader.next().unwrap()).collect()
}

fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data/video")
        .join(name);
    if !path.exists() {
        println!("skipped: {name} needs ../shared/data/video/{name} which is absent");
        return None;
    }
    Some(path)
}

#[test]
fn every_container_gives_back_count_times_and_order() {
    let folder = tempfile::tempdir().unwrap();
    for (name, rate) in [
        ("a.mp4", 25.0),
        ("b.mkv", 12.5),
        ("c.ts", 25.0),
        ("d.mov", 10.0),
        ("e: f.mp4", 30.0),
        ("g.avi", 8.0),
    ] {
        let path = folder.path().join(name);
        write_clip(&path, 120, rate);
        let mut reader = open(&path).unwrap();
        let facts = reader.facts().clone();
        assert_eq!(
            (facts.codec.as_str(), facts.width, facts.height),
            ("h264", 64, 48),
            "{name}"
        );
        assert!(
            (facts.frames_per_second.unwrap() - rate).abs() < 0.01,
            "{name}: {facts:?}"
        );
        let seconds = facts.duration_micros.unwrap() as f64 / 1e6;
        assert!((seconds - 120.0 / rate).abs() < 0.1, "{name}: {seconds}");
        let pictures = all(&mut reader);
        assert_eq!(pictures.len(), 120, "{name}");
        for (number, picture) in pictures.iter().enumerate() {
            let due = (number as f64 * 1e6 / rate).round() as i64;
            let off = (picture.media_time_micros - due).abs();
            // Matroska counts in milliseconds.
            assert!(
                off <= 1000,
                "{name}: picture {number} at {}",
                picture.media_time_micros
            );
            assert!(!picture.corrupt, "{name}: picture {number}");
            assert_eq!(picture.key_frame, number % 50 == 0, "{name}: picture {number}");
            let grey = picture.rgb24().unwrap().pixels()[3 * 500];
            assert!(
                grey.abs_diff((number * 5 % 250) as u8) <= 4,
                "{name}: picture {number} is {grey}"
            );
        }
        assert!(reader.next().unwrap().is_none(), "the end stays the end");
    }
    let left: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 6, "{left:?}");
}

#[test]
fn the_same_pictures_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("1.mp4"), folder.path().join("2.mp4"));
    write_clip(&first, 30, 25.0);
    write_clip(&second, 30, 25.0);
    assert_eq!(fs::read(first).unwrap(), fs::read(second).unwrap());
}

#[test]
fn an_unfinished_video_leaves_nothing_and_overwrites_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.mp4");
    fs::write(&path, b"old").unwrap();
    let mut writer = VideoWriter::create(&path, 64, 48, 25.0, &WriterSettings::default()).unwrap();
    writer.write_rgb(&numbered(1, 64, 48)).unwrap();
    assert!(matches!(
        writer.write_rgb(&[0; 5]),
        Err(VideoError::Buffer { .. })
    ));
    drop(writer);
    let writer = VideoWriter::create(&path, 64, 48, 25.0, &WriterSettings::default()).unwrap();
    assert!(
        matches!(writer.finish(), Err(VideoError::Write { .. })),
        "no picture"
    );
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_writer_says_what_it_cannot_do() {
    let folder = tempfile::tempdir().unwrap();
    let create = |name: &str, width, rate, preset: &str| {
        let settings = WriterSettings {
            preset: preset.to_owned(),
            ..WriterSettings::default()
        };
        VideoWriter::create(folder.path().join(name), width, 48, rate, &settings)
            .err()
            .unwrap()
    };
    assert!(matches!(
        create("a.mp4", 63, 25.0, "veryfast"),
        VideoError::Size { width: 63, .. }
    ));
    for (name, rate, preset, words) in [
        ("a.mp4", 0.0, "veryfast", "0 frames per second"),
        ("a.webm", 25.0, "veryfast", "webm"),
        ("a.mp4", 25.0, "warp", "warp"),
        ("no/such/a.mp4", 25.0, "veryfast", "No such file"),
    ] {
        let error = create(name, 64, rate, preset).to_string();
        assert!(error.contains(words) && error.contains("a."), "{error}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn skipping_goes_on_with_exactly_the_next_picture() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.mp4", "b.mkv", "c.ts", "d.avi"] {
        let path = folder.path().join(name);
        write_clip(&path, 160, 25.0);
        let times: Vec<i64> = all(&mut open(&path).unwrap())
            .iter()
            .map(|picture| picture.media_time_micros)
            .collect();
        for at in [0, 1, 48, 49, 50, 51, 119, 158, 159] {
            let mut reader = open(&path).unwrap();
            reader.skip_past(times[at]).unwrap();
            let rest: Vec<i64> = all(&mut reader)
                .iter()
                .map(|picture| picture.media_time_micros)
                .collect();
            assert_eq!(rest, times[at + 1..], "{name} after picture {at}");
        }
        let mut reader = open(&path).unwrap();
        reader.skip_past(60_000_000).unwrap();
        assert!(reader.next().unwrap().is_none(), "{name}: past the end");
    }
}

#[test]
fn key_frames_alone_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mp4");
    write_clip(&path, 160, 25.0);
    let settings = OpenSettings {
        key_frames_only: true,
        ..OpenSettings::default()
    };
    let mut reader = VideoReader::open(&Source::File(path), &settings).unwrap();
    let times: Vec<i64> = all(&mut reader)
        .iter()
        .map(|picture| picture.media_time_micros)
        .collect();
    assert_eq!(times, [0, 2_000_000, 4_000_000, 6_000_000]);
}

#[test]
fn a_folder_of_pictures_is_a_source() {
    let folder = tempfile::tempdir().unwrap();
    let mut encoder = JpegEncoder::new(90).unwrap();
    let clip = folder.path().join("clip.mp4");
    write_clip(&clip, 12, 10.0);
    let pictures = folder.path().join("pictures");
    fs::create_dir(&pictures).unwrap();
    for (number, picture) in all(&mut open(&clip).unwrap()).iter().enumerate() {
        let jpeg = encoder.encode(&picture.yuv().unwrap()).unwrap();
        fs::write(pictures.join(format!("{}.JPG", number + 1)), jpeg).unwrap();
    }
    fs::write(pictures.join("notes.txt"), b"no picture").unwrap();
    let mut reader = open(&pictures).unwrap();
    assert_eq!(reader.facts().duration_micros, Some(1_200_000));
    let read = all(&mut reader);
    assert_eq!(read.len(), 12);
    for (number, picture) in read.iter().enumerate() {
        assert_eq!(picture.media_time_micros, number as i64 * 100_000);
        let grey = picture.rgb24().unwrap().pixels()[900];
        assert!(grey.abs_diff(number as u8 * 5) <= 5, "picture {number} is {grey}");
    }
    let mut reader = open(&pictures).unwrap();
    reader.skip_past(1_000_000).unwrap();
    assert_eq!(all(&mut reader).len(), 1);

    fs::write(pictures.join("5.JPG"), b"damaged").unwrap();
    let mut reader = open(&pictures).unwrap();
    let error = loop {
        match reader.next() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("a damaged picture went unseen"),
            Err(error) => break error,
        }
    };
    assert!(matches!(&error, VideoError::Broken { source_name, .. } if source_name.ends_with("5.JPG")));
}

#[test]
fn each_bad_source_has_its_own_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    assert!(matches!(open(&path("none.mp4")), Err(VideoError::Missing { .. })));
    fs::write(path("empty.mp4"), b"").unwrap();
    assert!(matches!(open(&path("empty.mp4")), Err(VideoError::Broken { .. })));
    fs::write(path("text.mp4"), b"this is no video at all, only words").unwrap();
    assert!(matches!(open(&path("text.mp4")), Err(VideoError::Broken { .. })));
    fs::create_dir(path("folder")).unwrap();
    assert!(matches!(
        open(&path("folder")),
        Err(VideoError::NoPictures { .. })
    ));
    write_clip(&path("whole.mp4"), 60, 25.0);
    let bytes = fs::read(path("whole.mp4")).unwrap();
    // The index stands in front, so the file opens although its end is gone.
    let pictures_begin = bytes.windows(4).position(|word| word == b"mdat").unwrap();
    fs::write(path("cut.mp4"), &bytes[..(pictures_begin + bytes.len()) / 2]).unwrap();
    let mut reader = open(&path("cut.mp4")).unwrap();
    let mut count = 0;
    while let Ok(Some(_)) = reader.next() {
        count += 1;
    }
    assert!(count > 0 && count < 60, "{count}");
    fs::write(path("sound.wav"), wav()).unwrap();
    assert!(matches!(
        open(&path("sound.wav")),
        Err(VideoError::NoVideo { .. })
    ));
    // A play list is not followed elsewhere.
    fs::write(
        path("list.m3u8"),
        "#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n",
    )
    .unwrap();
    assert!(open(&path("list.m3u8")).is_err());
    for error in [open(&path("none.mp4")).err(), open(&path("sound.wav")).err()] {
        let text = error.unwrap().to_string();
        assert!(text.contains(folder.path().to_str().unwrap()), "{text}");
    }
}

/// A tenth of a second of silence.
fn wav() -> Vec<u8> {
    let mut bytes =
        b"RIFF\x64\x03\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data".to_vec();
    bytes.extend(800_u32.to_le_bytes());
    bytes.extend([128; 800]);
    bytes
}

#[test]
fn reading_can_be_called_off() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mp4");
    write_clip(&path, 30, 25.0);
    let cancel = Cancel::default();
    let settings = OpenSettings {
        cancel: cancel.clone(),
        ..OpenSettings::default()
    };
    let mut reader = VideoReader::open(&Source::File(path), &settings).unwrap();
    assert!(reader.next().unwrap().is_some());
    cancel.cancel();
    assert!(matches!(reader.next(), Err(VideoError::Cancelled { .. })));
}

#[test]
fn readers_and_writers_may_change_threads() {
    fn assert_send<T: Send>() {}
    assert_send::<VideoReader>();
    assert_send::<VideoWriter>();
    assert_send::<Scaler>();
    assert_send::<JpegEncoder>();
    assert_send::<DecodedPicture>();
    assert_send::<RgbPicture>();
}

#[test]
fn vtest_at_five_frames_is_every_second_frame() {
    let Some(path) = shared("vtest_480x360.mp4") else {
        return;
    };
    let mut reader = open(&path).unwrap();
    let mut sampler = Sampler::new(5.0, reader.facts().frames_per_second).unwrap();
    let mut scaler = Scaler::to_width(320);
    let mut encoder = JpegEncoder::new(75).unwrap();
    let (mut count, mut taken) = (0_i64, Vec::new());
    while let Some(picture) = reader.next().unwrap() {
        if sampler.take(picture.media_time_micros) {
            taken.push(count);
            let small = scaler.scale(&picture).unwrap();
            assert_eq!((small.width(), small.height()), (320, 240));
            assert!(encoder.encode(&small).unwrap().len() > 2000);
        }
        count += 1;
    }
    assert_eq!(count, 795);
    assert_eq!(taken, (0..795).step_by(2).collect::<Vec<i64>>());
}

#[test]
fn other_formats_are_read() {
    for (name, codec, size, count) in [
        ("worker-zone-detection.gif", "gif", (480, 270), 71),
        ("people-detection.gif", "gif", (480, 270), 23),
        // 1702 packets, three of them without a picture.
        ("bgslib_video03.avi", "mpeg4", (320, 240), 1699),
    ] {
        let Some(path) = shared(name) else { continue };
        let facts = probe(
            &Source::parse(path.to_str().unwrap()).unwrap(),
            &OpenSettings::default(),
        )
        .unwrap();
        assert_eq!(
            (facts.codec.as_str(), (facts.width, facts.height)),
            (codec, size),
            "{name}"
        );
        let mut reader = open(&path).unwrap();
        let mut scaler = Scaler::to_width(240);
        let (mut read, mut last) = (0, -1);
        while let Some(picture) = reader.next().unwrap() {
            assert!(picture.media_time_micros > last, "{name}");
            last = picture.media_time_micros;
            if read % 20 == 0 {
                let luma = scaler.scale(&picture).unwrap().luma().to_vec();
                let mean = luma.iter().map(|&value| f64::from(value)).sum::<f64>() / luma.len() as f64;
                assert!((30.0..220.0).contains(&mean), "{name}: mean {mean}");
            }
            read += 1;
        }
        assert_eq!(read, count, "{name}");
    }
}
