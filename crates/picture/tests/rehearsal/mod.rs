//! Rendered cameras, looked at as the extractor and the counter look at them.
#![allow(dead_code)]

pub(crate) mod cases;
pub(crate) mod clips;

use mineseal_domain::{HealthCondition, UtcMicros, ViewMeasures};
use mineseal_picture::{Evidence, HealthMeter, LumaPlane, PictureJudge, PictureSettings};
use mineseal_scene::{
    Daylight, DemoCourse, Disturbance, DisturbanceKind, RgbPicture, Scene, SceneKind, SceneScript,
};

/// Size of the rendered pictures, pixels: what the meter measures after shrinking.
const SIZE: (u32, u32) = (160, 90);
/// So many times larger, both ways, is a picture that goes through an encoder: an encoder works on the camera's own picture, and of
/// what it makes of noise and motion only means of many pixels are measured.
const ENCODED_TIMES: u32 = 4;
/// Sensor noise of the larger pictures, levels: that of a good camera in good light, and that of a cheap one.
pub(crate) const QUIET: f32 = 1.3;
pub(crate) const NOISY: f32 = 3.6;

/// Luma and chroma of a picture, BT.601, limited range.
#[derive(Default)]
pub(crate) struct Planes {
    width: usize,
    height: usize,
    luma: Vec<u8>,
    chroma: [Vec<u8>; 2],
}

impl Planes {
    pub(crate) fn take(&mut self, picture: &RgbPicture) {
        (self.width, self.height) = (picture.width as usize, picture.height as usize);
        self.luma.clear();
        self.chroma.iter_mut().for_each(Vec::clear);
        for (place, pixel) in picture.data.chunks_exact(3).enumerate() {
            let [red, green, blue] = [pixel[0], pixel[1], pixel[2]].map(i32::from);
            self.luma
                .push((16 + ((66 * red + 129 * green + 25 * blue + 128) >> 8)) as u8);
            let (x, y) = (place % self.width, place / self.width);
            if x % 2 == 0 && y % 2 == 0 {
                self.chroma[0].push((128 + ((-38 * red - 74 * green + 112 * blue + 128) >> 8)) as u8);
                self.chroma[1].push((128 + ((112 * red - 94 * green - 18 * blue + 128) >> 8)) as u8);
            }
        }
    }
}

/// One camera with its meter and its judge.
pub(crate) struct Watch {
    pub(crate) meter: HealthMeter,
    pub(crate) judge: PictureJudge,
    pub(crate) settings: PictureSettings,
    pub(crate) planes: Planes,
    pub(crate) source_size: (u32, u32),
    /// What the judge has said: when, and what.
    pub(crate) said: Vec<(UtcMicros, HealthCondition)>,
    pub(crate) last: ViewMeasures,
    pub(crate) last_health: mineseal_domain::HealthMeasures,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            meter: HealthMeter::new(&[]),
            judge: PictureJudge::new(),
            settings: PictureSettings::default(),
            planes: Planes::default(),
            source_size: (1_920, 1_080),
            said: Vec::new(),
            last: ViewMeasures::default(),
            last_health: mineseal_domain::HealthMeasures::default(),
        }
    }
}

impl Watch {
    pub(crate) fn see(&mut self, at: UtcMicros, picture: &RgbPicture) {
        let mut planes = std::mem::take(&mut self.planes);
        planes.take(picture);
        let plane = |data| {
            LumaPlane::new(
                planes.width.div_ceil(2),
                planes.height.div_ceil(2),
                planes.width.div_ceil(2),
                data,
            )
            .unwrap()
        };
        let chroma = [plane(&planes.chroma[0]), plane(&planes.chroma[1])];
        let luma = LumaPlane::new(planes.width, planes.height, planes.width, &planes.luma).unwrap();
        self.see_planes(at, &luma, Some(&chroma));
        self.planes = planes;
    }

    pub(crate) fn see_planes(
        &mut self,
        at: UtcMicros,
        luma: &LumaPlane<'_>,
        chroma: Option<&[LumaPlane<'_>; 2]>,
    ) {
        let (health, view) = self.meter.measure_all(at, luma, chroma);
        let evidence = Evidence {
            health: &health,
            view: &view,
            source_size: self.source_size,
        };
        if let Some(change) = self.judge.step(&self.settings, at, &evidence) {
            self.said.push((at, change.condition));
        }
        self.last = view;
        self.last_health = health;
    }
}

/// A camera's pictures: what it looks at, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Camera {
    pub(crate) kind: SceneKind,
    pub(crate) seed: u64,
    pub(crate) daylight: Daylight,
    /// Of its own pictures, levels.
    pub(crate) noise: f32,
    /// Through x264 with this quality, as an encoder that is fed with it would give it.
    pub(crate) encoded: Option<u8>,
    /// What happens there keeps a timetable to the tenth of a second, as nothing does that people drive.
    pub(crate) by_the_clock: bool,
}

impl Camera {
    /// A place at work for that long: one demonstration after the other, each with people of its own; in the parts
    /// that `idle` names nobody comes.
    pub(crate) fn script(&self, seconds: f64, idle: impl Fn(u64) -> bool) -> SceneScript {
        const PART: f64 = 100.0;
        let Self { kind, seed, .. } = *self;
        let part = |number: u64| {
            SceneScript::demo(
                kind,
                seed.wrapping_mul(1_000).wrapping_add(number),
                PART,
                DemoCourse::Working { peak_people: 12 },
            )
        };
        let mut whole = part(0);
        whole.actors.clear();
        whole.events.clear();
        let (mut number, mut later) = (0, 0.0);
        // W. Press et al., Numerical Recipes, 7.1: between 0 and 1.
        let mut chance = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut drawn = || {
            chance = chance
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (chance >> 40) as f64 / (1 << 24) as f64
        };
        while later < seconds {
            if !idle(number) {
                for mut actor in part(number).actors {
                    actor.id = whole.actors.len() as i64 + 1;
                    // No two drive or walk alike.
                    let pace = if self.by_the_clock {
                        1.0
                    } else {
                        0.85 + 0.3 * drawn()
                    };
                    let first = actor.way.first().map_or(0.0, |point| point.at_seconds);
                    for point in &mut actor.way {
                        point.at_seconds = later + first + (point.at_seconds - first) * pace;
                    }
                    whole.actors.push(actor);
                }
                for mut event in part(number).events {
                    event.at_seconds += later;
                    whole.events.push(event);
                }
            }
            later += if self.by_the_clock {
                PART
            } else {
                PART + 20.0 * drawn()
            };
            number += 1;
        }
        let times = if self.encoded.is_some() { ENCODED_TIMES } else { 1 };
        whole.seed = seed;
        (whole.width, whole.height) = (SIZE.0 * times, SIZE.1 * times);
        whole.frames_per_second = 25.0;
        whole.seconds = seconds;
        whole.look.daylight = self.daylight;
        whole.look.noise = self.noise * times as f32 / ENCODED_TIMES as f32;
        whole
    }
}

pub(crate) fn disturb(script: &mut SceneScript, from: f64, until: f64, kind: DisturbanceKind) {
    script.disturbances.push(Disturbance {
        from_seconds: from,
        until_seconds: until,
        kind,
    });
}

/// A rendered camera whose picture is at fault from some second on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) camera: Camera,
    pub(crate) fault: DisturbanceKind,
    /// Frames of the source (25 a second) from one looked at to the next.
    pub(crate) every: u64,
    /// The camera has never shown anything else.
    pub(crate) from_start: bool,
    /// Seconds that are looked at beyond those within which it has to be found.
    pub(crate) longer: f64,
}

/// What came of a case.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// Seconds from the fault's beginning until it was reported.
    pub(crate) found_after: Option<f64>,
    /// What was reported before anything was wrong.
    pub(crate) before: Vec<HealthCondition>,
    /// All that was said: seconds, and what.
    pub(crate) said: Vec<(f64, HealthCondition)>,
    /// What was measured in the last picture, with the fault.
    pub(crate) last: (mineseal_domain::HealthMeasures, ViewMeasures),
}

pub(crate) fn condition(fault: DisturbanceKind) -> HealthCondition {
    match fault {
        DisturbanceKind::Covered | DisturbanceKind::PartlyCovered { .. } => HealthCondition::Covered,
        DisturbanceKind::Turned | DisturbanceKind::Moved => HealthCondition::Moved,
        DisturbanceKind::Dark => HealthCondition::Dark,
        DisturbanceKind::OverExposed => HealthCondition::OverExposed,
        DisturbanceKind::Blurred => HealthCondition::Blurred,
        DisturbanceKind::Frozen => HealthCondition::Frozen,
        DisturbanceKind::Looped { seconds, .. } if seconds < 1.0 => HealthCondition::Frozen,
        DisturbanceKind::Looped { .. } => HealthCondition::Replayed,
        DisturbanceKind::Shaking { .. } => HealthCondition::Shaking,
        DisturbanceKind::Grey => HealthCondition::GreyOnly,
        _ => HealthCondition::Normal,
    }
}

/// Seconds within which a fault has to be found.
pub(crate) fn allowed(fault: DisturbanceKind) -> f64 {
    match fault {
        DisturbanceKind::Looped { seconds, .. } if seconds >= 1.0 => 2.0 * seconds + 10.0,
        _ => 30.0,
    }
}

impl Case {
    /// When the fault begins, seconds.
    pub(crate) fn from(&self) -> f64 {
        match self.fault {
            _ if self.from_start => 0.0,
            DisturbanceKind::Looped { seconds, .. } => 60.0 + seconds,
            _ => 60.0,
        }
    }

    /// Seconds within which it has to be found.
    pub(crate) fn allowed(&self) -> f64 {
        if self.from_start {
            45.0
        } else {
            allowed(self.fault)
        }
    }

    /// Whether that is a right thing to say. Of a camera whose view nobody knows a cover may be anything dark or
    /// without detail.
    fn is_right(&self, said: HealthCondition) -> bool {
        let wanted = condition(self.fault);
        said == wanted
            || (self.from_start
                && wanted == HealthCondition::Covered
                && [HealthCondition::Dark, HealthCondition::Blurred].contains(&said))
    }

    pub(crate) fn run(&self) -> Outcome {
        let from = self.from();
        let until = from + self.allowed() + 1.0 + self.longer;
        let mut script = self.camera.script(until, |_| false);
        disturb(&mut script, from, until, self.fault);
        let scene = Scene::new(script).expect("a scene");
        let mut watch = Watch::default();
        let mut picture = RgbPicture::default();
        let indices = (0..scene.frame_count()).step_by(self.every as usize);
        let at = |index: u64| UtcMicros(1_767_571_200_000_000 + scene.script().media_time_micros(index));
        match self.camera.encoded {
            None => {
                for index in indices {
                    scene.render(index, &mut picture);
                    watch.see(at(index), &picture);
                }
            }
            Some(quality) => {
                let frames: Vec<u64> = indices.collect();
                // A key frame every two seconds, as cameras give them.
                let key_frames = (50 / self.every).max(1) as u32;
                through_encoder(
                    quality,
                    key_frames,
                    frames.len(),
                    |number, into| scene.render(frames[number], into),
                    |number, luma, chroma| {
                        watch.see_planes(at(frames[number]), luma, Some(chroma));
                    },
                );
            }
        }
        let start = at(0);
        let said: Vec<(f64, HealthCondition)> = watch
            .said
            .iter()
            .map(|(at, condition)| (at.micros_since(start) as f64 / 1e6, *condition))
            .collect();
        Outcome {
            found_after: said
                .iter()
                .find(|(at, found)| *at >= from && self.is_right(*found))
                .map(|(at, _)| at - from),
            before: said
                .iter()
                .filter(|(at, _)| *at < from)
                .map(|(_, found)| *found)
                .collect(),
            said,
            last: (watch.last_health, watch.last),
        }
    }
}

/// Encodes pictures with x264 and shows what a decoder makes of them.
pub(crate) fn through_encoder(
    quality: u8,
    key_frame_interval: u32,
    count: usize,
    mut render: impl FnMut(usize, &mut RgbPicture),
    mut show: impl FnMut(usize, &LumaPlane<'_>, &[LumaPlane<'_>; 2]),
) {
    use mineseal_video::{OpenSettings, Source, VideoReader, VideoWriter, WriterSettings};
    static NUMBER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("mineseal-picture-{}-{number}.mp4", std::process::id()));
    let settings = WriterSettings {
        quality,
        key_frame_interval,
        ..WriterSettings::default()
    };
    let (width, height) = (SIZE.0 * ENCODED_TIMES, SIZE.1 * ENCODED_TIMES);
    let mut writer = VideoWriter::create(&path, width, height, 25.0, &settings).expect("a writer");
    let mut picture = RgbPicture::default();
    for index in 0..count {
        render(index, &mut picture);
        writer.write_rgb(&picture.data).expect("written");
    }
    writer.finish().expect("finished");
    let mut reader =
        VideoReader::open(&Source::File(path.clone()), &OpenSettings::default()).expect("a reader");
    let mut index = 0;
    while let Some(decoded) = reader.next().expect("decoded") {
        let yuv = decoded.yuv().expect("planes");
        show_yuv(&yuv, |luma, chroma| show(index, luma, chroma));
        index += 1;
    }
    std::fs::remove_file(&path).expect("removed");
}

/// The planes of a decoded picture.
pub(crate) fn show_yuv(
    yuv: &mineseal_video::YuvPicture,
    show: impl FnOnce(&LumaPlane<'_>, &[LumaPlane<'_>; 2]),
) {
    let (width, height) = (yuv.width() as usize, yuv.height() as usize);
    let [luma, blue, red] = yuv.planes();
    let luma = LumaPlane::new(width, height, yuv.row_length(0), luma).expect("luma");
    let half = |data, plane| {
        LumaPlane::new(width.div_ceil(2), height.div_ceil(2), yuv.row_length(plane), data).expect("chroma")
    };
    show(&luma, &[half(blue, 1), half(red, 2)]);
}
