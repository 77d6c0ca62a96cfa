//! A real RTSP server: pictures arrive, and whatever befalls the server shows in time and by its own error.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

use std::io::{BufRead, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mineseal_video::{
    Cancel, OpenSettings, PacketRing, RingSettings, Scaler, Source, Transport, VideoError, VideoReader,
};

struct Server {
    process: Child,
    port: u16,
}

impl Server {
    /// Starts the server, or says why the test is left out.
    fn start(login: &[&str]) -> Option<Self> {
        let python = Command::new("/usr/bin/python3")
            .args(["-c", "import gi; gi.require_version('GstRtspServer', '1.0')"])
            .stderr(Stdio::null())
            .status();
        if !python.is_ok_and(|status| status.success()) {
            println!(
                "skipped: an RTSP server needs gir1.2-gst-rtsp-server-1.0 and python3-gi, which are absent"
            );
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut process = Command::new("/usr/bin/python3")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rtsp_server.py"))
            .arg(port.to_string())
            .args(login)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert_eq!(line, "ready\n");
        Some(Self { process, port })
    }

    fn source(&self, path: &str) -> Source {
        Source::parse(&format!("rtsp://127.0.0.1:{}/{path}", self.port)).unwrap()
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .arg(name)
            .arg(self.process.id().to_string())
            .status()
            .unwrap();
        assert!(status.success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.signal("-KILL");
        self.process.wait().unwrap();
    }
}

fn settings(deadline_seconds: u64) -> OpenSettings {
    OpenSettings {
        deadline: Duration::from_secs(deadline_seconds),
        ..OpenSettings::default()
    }
}

/// Reads until something goes wrong.
fn until_error(reader: &mut VideoReader) -> VideoError {
    loop {
        match reader.next() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("a live source has no plain end"),
            Err(error) => return error,
        }
    }
}

#[test]
fn pictures_arrive_over_tcp_and_udp() {
    let Some(server) = Server::start(&[]) else { return };
    for transport in [Transport::Tcp, Transport::Udp] {
        let settings = OpenSettings {
            transport,
            ..settings(10)
        };
        let mut reader = VideoReader::open(&server.source("live"), &settings).unwrap();
        assert_eq!((reader.facts().width, reader.facts().height), (320, 240));
        assert_eq!(reader.facts().duration_micros, None);
        let mut last = -1;
        for _ in 0..50 {
            let picture = reader.next().unwrap().unwrap();
            assert!(picture.media_time_micros > last);
            last = picture.media_time_micros;
        }
        let off = (last - 49 * 40_000).abs();
        assert!(off < 200_000, "{transport:?}: the 50th picture lies at {last} µs");
    }
}

#[test]
fn h265_and_mjpeg_arrive_over_both_ways() {
    let Some(server) = Server::start(&[]) else { return };
    for (path, codec) in [("h265", "hevc"), ("mjpeg", "mjpeg")] {
        for transport in [Transport::Tcp, Transport::Udp] {
            let settings = OpenSettings {
                transport,
                ..settings(10)
            };
            let mut reader = VideoReader::open(&server.source(path), &settings).unwrap();
            assert_eq!(reader.facts().codec, codec);
            let mut last = -1;
            for _ in 0..40 {
                let picture = reader.next().unwrap().unwrap();
                assert_eq!(
                    (picture.width, picture.height),
                    (320, 240),
                    "{path} {transport:?}"
                );
                assert!(picture.media_time_micros > last);
                last = picture.media_time_micros;
            }
        }
    }
}

#[test]
fn another_size_in_mid_stream_goes_on() {
    let Some(server) = Server::start(&[]) else { return };
    let mut reader = VideoReader::open(&server.source("grows"), &settings(10)).unwrap();
    let mut scaler = Scaler::to_width(160);
    let (mut sizes, mut last) = (Vec::new(), -1);
    while sizes.len() < 2 {
        let picture = reader.next().unwrap().unwrap();
        assert!(picture.media_time_micros > last);
        last = picture.media_time_micros;
        assert!(last < 60_000_000, "only {sizes:?}");
        let small = scaler.scale(&picture).unwrap();
        assert_eq!((small.width(), small.height()), (160, 120));
        if sizes.last() != Some(&(picture.width, picture.height)) {
            sizes.push((picture.width, picture.height));
        }
    }
    assert_eq!(sizes, [(320, 240), (640, 480)]);
}

#[test]
fn another_codec_in_mid_stream_is_an_error_and_then_the_new_one() {
    let Some(server) = Server::start(&[]) else { return };
    let source = server.source("swaps");
    let mut reader = VideoReader::open(&source, &settings(3)).unwrap();
    assert_eq!(reader.facts().codec, "h264");
    let (mut pictures, mut last) = (0, -1);
    let error = loop {
        match reader.next() {
            Ok(Some(picture)) => {
                assert!(picture.media_time_micros > last);
                (pictures, last) = (pictures + 1, picture.media_time_micros);
            }
            Ok(None) => panic!("a live source has no plain end"),
            Err(error) => break error,
        }
    };
    // The packets go on, in a codec that nobody has told of.
    assert!(matches!(error, VideoError::Broken { .. }), "{error}");
    assert!(error.to_string().contains("no picture for 3s"), "{error}");
    assert!(pictures >= 50, "{pictures}");
    let mut reader = VideoReader::open(&source, &settings(3)).unwrap();
    assert_eq!(reader.facts().codec, "hevc");
    for _ in 0..40 {
        assert!(!reader.next().unwrap().unwrap().corrupt);
    }
}

#[test]
fn a_stream_without_pictures_says_so() {
    let Some(server) = Server::start(&[]) else { return };
    let error = VideoReader::open(&server.source("sound"), &settings(10))
        .err()
        .unwrap();
    assert!(matches!(error, VideoError::NoVideo { .. }), "{error}");
}

#[test]
fn a_camera_tells_its_time_by_sender_reports() {
    let Some(server) = Server::start(&[]) else { return };
    let mut reader = VideoReader::open(&server.source("live"), &settings(10)).unwrap();
    // The server sends the first report within its first seconds.
    let told = (0..500).find_map(|_| {
        let picture = reader.next().unwrap().unwrap();
        picture.camera_time_micros
    });
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as i64;
    let told = told.expect("no picture of twenty seconds had a time of its own");
    assert!(
        (now - told).abs() < 5_000_000,
        "it is {now}, the camera says {told}"
    );
}

#[test]
fn the_ring_gives_a_clip_from_a_key_frame_on_and_the_picture_of_its_moment() {
    let Some(server) = Server::start(&[]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let ring = Arc::new(PacketRing::new(RingSettings::default()));
    for path in ["live", "h265"] {
        let opening = OpenSettings {
            ring: Some(Arc::clone(&ring)),
            ..settings(10)
        };
        let mut reader = VideoReader::open(&server.source(path), &opening).unwrap();
        let mut pictures = Vec::new();
        for _ in 0..150 {
            let picture = reader.next().unwrap().unwrap();
            let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as i64;
            ring.note(at, picture.source_timestamp());
            pictures.push((at, picture.yuv().unwrap()));
        }
        let (moment, wanted) = &pictures[90];
        assert!(ring.has_come(*moment, pictures[149].0 - 1_000_000));
        let (before, after) = (Duration::from_secs(2), Duration::from_secs(1));
        let excerpt = ring.excerpt(*moment, before, after).unwrap();
        let picture = excerpt.picture().unwrap();
        assert_eq!(picture.planes()[0], wanted.planes()[0], "{path}: another picture");
        let file = folder.path().join(format!("{path}.mp4"));
        excerpt.write_mp4(&file).unwrap();
        let mut clip = VideoReader::open(&Source::File(file), &OpenSettings::default()).unwrap();
        let mut shown = Vec::new();
        while let Some(picture) = clip.next().unwrap() {
            assert!(
                !picture.corrupt && (!shown.is_empty() || picture.key_frame),
                "{path}"
            );
            shown.push((picture.media_time_micros, picture.yuv().unwrap()));
        }
        let (length, count) = (shown.last().unwrap().0, shown.len());
        // Two seconds before, one after, and at most a group of pictures of one second more.
        assert!((2_800_000..=4_300_000).contains(&length), "{path}: {length} µs");
        assert!((70..=108).contains(&count), "{path}: {count} pictures");
        assert!(
            shown
                .iter()
                .any(|(_, shown)| shown.planes()[0] == wanted.planes()[0])
        );
    }
}

#[test]
fn a_killed_server_is_an_error_at_once() {
    let Some(server) = Server::start(&[]) else { return };
    let mut reader = VideoReader::open(&server.source("live"), &settings(10)).unwrap();
    assert!(reader.next().unwrap().is_some());
    server.signal("-KILL");
    let begun = Instant::now();
    let error = until_error(&mut reader);
    assert!(matches!(error, VideoError::SourceEnded { .. }), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    let error = VideoReader::open(&server.source("live"), &settings(5))
        .err()
        .unwrap();
    assert!(matches!(error, VideoError::Unreachable { .. }), "{error}");
}

#[test]
fn a_server_that_stands_still_is_an_error_within_the_deadline() {
    let Some(server) = Server::start(&[]) else { return };
    let mut reader = VideoReader::open(&server.source("live"), &settings(3)).unwrap();
    assert!(reader.next().unwrap().is_some());
    server.signal("-STOP");
    let begun = Instant::now();
    let error = until_error(&mut reader);
    let took = begun.elapsed();
    assert!(matches!(error, VideoError::Stalled { .. }), "{error}");
    assert!(
        (Duration::from_secs(2)..Duration::from_secs(4)).contains(&took),
        "{took:?}"
    );
    let begun = Instant::now();
    drop(reader);
    // The system still takes connections for the stopped server, which never answers.
    let error = VideoReader::open(&server.source("live"), &settings(2))
        .err()
        .unwrap();
    assert!(matches!(error, VideoError::Unreachable { .. }), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    server.signal("-CONT");
}

#[test]
fn the_end_of_a_live_stream_is_an_error() {
    let Some(server) = Server::start(&[]) else { return };
    let mut reader = VideoReader::open(&server.source("end"), &settings(10)).unwrap();
    let error = until_error(&mut reader);
    assert!(
        matches!(error, VideoError::SourceEnded { .. } | VideoError::Stalled { .. }),
        "{error}"
    );
}

#[test]
fn waiting_can_be_called_off() {
    let Some(server) = Server::start(&[]) else { return };
    let cancel = Cancel::default();
    let settings = OpenSettings {
        cancel: cancel.clone(),
        ..settings(60)
    };
    let mut reader = VideoReader::open(&server.source("live"), &settings).unwrap();
    assert!(reader.next().unwrap().is_some());
    server.signal("-STOP");
    let reading = std::thread::spawn(move || {
        let error = until_error(&mut reader);
        (error, Instant::now())
    });
    let pause = std::sync::mpsc::channel::<()>();
    assert!(
        pause.1.recv_timeout(Duration::from_secs(1)).is_err(),
        "nobody sends"
    );
    let called_off = Instant::now();
    cancel.cancel();
    let (error, ended) = reading.join().unwrap();
    assert!(matches!(error, VideoError::Cancelled { .. }), "{error}");
    assert!(ended.duration_since(called_off) < Duration::from_secs(1));
    server.signal("-CONT");
}

#[test]
fn lost_packets_mark_pictures_as_corrupt() {
    let Some(server) = Server::start(&[]) else { return };
    let over_tcp = server.source("lossy");
    let over_udp = Source::parse(&format!("rtspu://127.0.0.1:{}/lossy", server.port)).unwrap();
    for source in [over_tcp, over_udp] {
        let mut reader = VideoReader::open(&source, &settings(10)).unwrap();
        let corrupt = (0..100)
            .filter(|_| reader.next().unwrap().unwrap().corrupt)
            .count();
        assert!(corrupt >= 5, "{source}: {corrupt} of 100");
    }
}

#[test]
fn logins_paths_and_hosts_fail_each_in_its_own_way() {
    let Some(server) = Server::start(&["operator", "s3c:ret/1"]) else {
        return;
    };
    let open = |source: &Source| VideoReader::open(source, &settings(10));
    let live = server.source("live");
    assert!(open(&live.clone().with_credential("operator", "s3c:ret/1")).is_ok());
    let wrong = live.clone().with_credential("operator", "guessed");
    for source in [&live, &wrong] {
        let error = open(source).err().unwrap();
        assert!(matches!(error, VideoError::WrongCredential { .. }), "{error}");
        assert!(!error.to_string().contains("guessed"), "{error}");
    }
    let none = server.source("none").with_credential("operator", "s3c:ret/1");
    let error = open(&none).err().unwrap();
    assert!(matches!(error, VideoError::NoSuchStream { .. }), "{error}");
    // Something that takes the call, says other things and hangs up.
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("rtsp://{}/live", stranger.local_addr().unwrap());
    let answering = std::thread::spawn(move || {
        stranger
            .accept()
            .unwrap()
            .0
            .write_all(b"220 ftp ready\r\n\r\n")
            .unwrap();
    });
    let error = open(&Source::parse(&address).unwrap()).err().unwrap();
    assert!(matches!(error, VideoError::Unreachable { .. }), "{error}");
    answering.join().unwrap();
    let nowhere = Source::parse("rtsp://no-such-host.invalid/live").unwrap();
    let error = open(&nowhere).err().unwrap();
    assert!(matches!(error, VideoError::Unreachable { .. }), "{error}");
}
