use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use mineseal_schemas::Camera;
use mineseal_settings::Settings;
use mineseal_video::{
    JpegEncoder, OpenSettings, PacketRing, RingSettings, Scaler, Source, Transport, VideoReader,
};
use serde_json::json;

use crate::cli::{CameraCommand, SourceArguments};
use crate::commands::mines::{connect, now};
use crate::commands::{Failure, block_on};
use crate::output::{line, note};

/// What the norm for the networking of mine video (2024-12) asks of a camera.
const LEAST_WIDTH: u32 = 1_920;
const LEAST_HEIGHT: u32 = 1_080;
const LEAST_FRAMES_PER_SECOND: f64 = 15.0;
const LEAST_BITS_PER_SECOND: f64 = 2e6;
/// JPEG quality of snapshots.
const QUALITY: u8 = 90;
const BROKER_DEADLINE: Duration = Duration::from_secs(20);

pub(crate) fn run(settings: Settings, command: &CameraCommand) -> Result<(), Failure> {
    match command {
        CameraCommand::Probe {
            source,
            seconds,
            snapshot,
        } => probe(source, *seconds, snapshot.as_deref()),
        CameraCommand::Snapshot { source, file } => take_snapshot(source, file),
        CameraCommand::Accept { code } => block_on(accept(settings, code)),
    }
}

/// The source with its login, if a file of it is given.
fn source_of(arguments: &SourceArguments) -> Result<(Source, OpenSettings), Failure> {
    let mut source = Source::parse(&arguments.source)?;
    if let Some(file) = &arguments.credential {
        let text = fs::read_to_string(file).map_err(|error| anyhow!("{}: {error}", file.display()))?;
        let (user, password) = text
            .trim_end_matches(['\r', '\n'])
            .split_once(':')
            .ok_or_else(|| anyhow!("{}: it must hold user:password", file.display()))?;
        source = source.with_credential(user, password);
    }
    let settings = OpenSettings {
        transport: if arguments.udp {
            Transport::Udp
        } else {
            Transport::Tcp
        },
        ..OpenSettings::default()
    };
    Ok((source, settings))
}

fn probe(arguments: &SourceArguments, seconds: f64, snapshot: Option<&Path>) -> Result<(), Failure> {
    let (source, mut settings) = source_of(arguments)?;
    let ring = Arc::new(PacketRing::new(RingSettings {
        span: Duration::from_secs(3_600),
        most_bytes: 1 << 30,
    }));
    settings.ring = Some(Arc::clone(&ring));
    let mut reader = VideoReader::open(&source, &settings)?;
    let facts = reader.facts().clone();
    let (mut pictures, mut corrupt, mut key_frames) = (0_u32, 0_u32, 0_u32);
    let (mut first, mut last) = (None, 0_i64);
    let mut clock = None;
    let mut saved = None;
    while let Some(picture) = reader.next()? {
        let begun = *first.get_or_insert(picture.media_time_micros);
        last = picture.media_time_micros;
        pictures += 1;
        corrupt += u32::from(picture.corrupt);
        key_frames += u32::from(picture.key_frame);
        if let Some(time) = picture.camera_time_micros {
            clock = Some((time - now().0) as f64 / 1e6);
        }
        if let Some(file) = snapshot
            && saved.is_none()
            && !picture.corrupt
        {
            save(&picture, file)?;
            saved = Some(file.display().to_string());
        }
        if (last - begun) as f64 >= seconds * 1e6 {
            break;
        }
    }
    let span = (last - first.unwrap_or(0)) as f64 / 1e6;
    let rate = (pictures > 1 && span > 0.0).then(|| f64::from(pictures - 1) / span);
    let bits = (span > 0.0).then(|| ring.bytes() as f64 * 8.0 / span);
    let enough = |value: Option<f64>, least: f64| value.is_some_and(|value| value >= least);
    let size_is_enough = facts.width >= LEAST_WIDTH && facts.height >= LEAST_HEIGHT;
    line(json!({
        "source": source.to_string(),
        "codec": facts.codec,
        "width": facts.width,
        "height": facts.height,
        "frames_per_second": rounded(rate, 2),
        "frames_per_second_declared": rounded(facts.frames_per_second, 2),
        "bits_per_second": rounded(bits, 0),
        "pictures": pictures,
        "key_frames": key_frames,
        "corrupt_pictures": corrupt,
        "seconds": rounded(Some(span), 2),
        "time_source": if clock.is_some() { "rtcp" } else { "arrival" },
        "clock_ahead_seconds": rounded(clock, 3),
        "snapshot": saved,
        "grade": {
            "size": size_is_enough,
            "frames_per_second": enough(rate, LEAST_FRAMES_PER_SECOND),
            "bits_per_second": enough(bits, LEAST_BITS_PER_SECOND),
            "clock": clock.map(|ahead| ahead.abs() <= 1.0),
        },
    }))?;
    Ok(())
}

fn rounded(value: Option<f64>, places: i32) -> Option<f64> {
    let scale = 10_f64.powi(places);
    value.map(|value| (value * scale).round() / scale)
}

/// The first picture that the decoder could read whole.
fn take_snapshot(arguments: &SourceArguments, file: &Path) -> Result<(), Failure> {
    let (source, settings) = source_of(arguments)?;
    let mut reader = VideoReader::open(&source, &settings)?;
    while let Some(picture) = reader.next()? {
        if !picture.corrupt {
            save(&picture, file)?;
            note(format!("{source}: {}", file.display()));
            return Ok(());
        }
    }
    Err(anyhow!("{source}: no whole picture in it").into())
}

fn save(picture: &mineseal_video::DecodedPicture, file: &Path) -> Result<(), Failure> {
    let full = Scaler::to_width(u32::MAX).scale(picture)?;
    let jpeg = JpegEncoder::new(QUALITY)?.encode(&full)?;
    fs::write(file, jpeg).map_err(|error| anyhow!("{}: {error}", file.display()))?;
    Ok(())
}

/// Registers the camera anew as it is: its view and the size of its picture are then learnt anew.
async fn accept(settings: Settings, code: &str) -> Result<(), Failure> {
    let bus = connect(&settings, "mineseal-camera")?;
    bus.wait_until_ready(BROKER_DEADLINE).await?;
    let cameras = bus.table::<Camera>().await?;
    let Some(entry) = cameras.get(code) else {
        return Err(anyhow!("no camera {code} is registered; `mineseal mines list` shows all").into());
    };
    let camera = Camera {
        changed_at: now(),
        ..entry.value.clone()
    };
    bus.publisher()?.publish(&camera).await?;
    note(format!(
        "{code}: what it shows from now on is what it should show"
    ));
    Ok(())
}
