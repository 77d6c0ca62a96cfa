//! The crowd that walks through the mouths, and the oracle that knows before each frame goes in what must come out.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use mineseal_bus::Bus;
use mineseal_domain::{
    Analysis, Anchor, BoundingBox, CameraCode, CountingLine, Direction, Line, MineCode, MineState,
    ObjectClass, ObjectGroup, PlaceClass, Point, UtcMicros,
};
use mineseal_schemas::{Camera, Crossing, DetectedBox, Detections, Mine};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use uuid::Uuid;

use crate::common::{mine, sample};

/// Frames of one walk: half of them on each side of the line.
const FRAMES: i64 = 12;
/// People who walk side by side, at most.
const LANES: usize = 20;
const WIDTH: i32 = 1920;
const HEIGHT: i32 = 1080;
/// Foot of the first lane, and distance to the next, pixels.
const FIRST_LANE: f32 = 60.0;
const LANE: f32 = 50.0;
/// Between two frames, microseconds.
const FRAME_MICROS: i64 = 100_000;
/// Between two walks, microseconds: every track of the one before has ended.
const PAUSE_MICROS: i64 = 10_000_000;
/// A clock that is set back goes back by so much, microseconds.
const SET_BACK_MICROS: i64 = 60_000_000;

/// What was fed and must not count, for one mine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fed {
    pub(crate) frames: u64,
    pub(crate) repeated: u64,
    pub(crate) older_session: u64,
    pub(crate) time_back: u64,
    pub(crate) clock_set_back: u64,
}

/// People who walk together, and how often each of them came out.
struct Walk {
    first_sequence: i64,
    direction: Direction,
    seen: Vec<u32>,
}

/// One mine with its one camera.
struct Mouth {
    mine: MineCode,
    camera: CameraCode,
    sessions: Vec<Uuid>,
    /// By session, in the order of their sequences.
    walks: BTreeMap<Uuid, Vec<Walk>>,
    next_sequence: i64,
    now: UtcMicros,
    fed: Fed,
}

/// What must come out.
pub(crate) struct Oracle {
    mouths: Mutex<Vec<Mouth>>,
}

/// What did not come out as it must.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) crossings: u64,
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    pub(crate) unknown: u64,
}

/// A mine at the end.
pub(crate) struct Expected {
    pub(crate) mine: MineCode,
    pub(crate) entered: i64,
    pub(crate) left: i64,
    pub(crate) fed: Fed,
}

fn session(mouth: usize, number: usize) -> Uuid {
    Uuid::from_u128(0x0190_64a2_0000_7000_8000_0000_0000_0000 + ((number as u128) << 64) + mouth as u128)
}

/// The mouth's camera with a line down the middle; what goes to the left goes in.
pub(crate) fn registration(number: usize) -> (Mine, Camera) {
    let sample = sample();
    let code = mine(number as i64);
    let camera = Camera {
        code: format!("15060200419996007866{number:04}").parse().unwrap(),
        mine: code.clone(),
        place: PlaceClass::AUXILIARY_SHAFT,
        analyses: vec![Analysis::PersonCrossing],
        lines: vec![CountingLine {
            name: "mouth".into(),
            line: Line {
                from: Point { x: 0.5, y: 0.0 },
                to: Point { x: 0.5, y: 1.0 },
            },
            group: ObjectGroup::Person,
            anchor: Anchor::Foot,
            regular: true,
            gate: None,
        }],
        regions: Vec::new(),
        ..sample.camera
    };
    let mine = Mine {
        code,
        state: MineState::Producing,
        headcount_limit: 1_000_000,
        ..sample.mine
    };
    (mine, camera)
}

impl Oracle {
    pub(crate) fn new(mines: usize) -> Self {
        let mouths = (0..mines).map(|number| {
            let (mine, camera) = registration(number);
            Mouth {
                mine: mine.code,
                camera: camera.code,
                sessions: vec![session(number, 1)],
                walks: BTreeMap::new(),
                next_sequence: 0,
                now: sample().detections.captured_at,
                fed: Fed::default(),
            }
        });
        Self {
            mouths: Mutex::new(mouths.collect()),
        }
    }

    /// Crossings registered so far.
    pub(crate) fn registered(&self) -> u64 {
        let mouths = self.mouths.lock().unwrap();
        let walks = mouths.iter().flat_map(|mouth| mouth.walks.values().flatten());
        walks.map(|walk| walk.seen.len() as u64).sum()
    }

    /// Marks a crossing that came out.
    pub(crate) fn mark(&self, crossing: &Crossing, verdict: &mut Verdict) {
        verdict.crossings += 1;
        let mut mouths = self.mouths.lock().unwrap();
        let walk = mouths
            .iter_mut()
            .find(|mouth| mouth.mine == crossing.mine && mouth.camera == crossing.camera)
            .and_then(|mouth| mouth.walks.get_mut(&crossing.session))
            .and_then(|walks| {
                let after = walks.partition_point(|walk| walk.first_sequence <= crossing.to_sequence);
                walks[..after].last_mut()
            })
            .filter(|walk| {
                crossing.to_sequence < walk.first_sequence + FRAMES
                    && crossing.from_sequence >= walk.first_sequence
                    && walk.direction == crossing.direction
            });
        let lane = crossing.path.last().map(|point| (point.y - FIRST_LANE) / LANE);
        let lane = lane.filter(|lane| (lane - lane.round()).abs() < 0.2);
        match (walk, lane) {
            (Some(walk), Some(lane)) if (lane.round() as usize) < walk.seen.len() => {
                walk.seen[lane.round() as usize] += 1;
            }
            _ => {
                println!("nobody walked there: {crossing:?}");
                verdict.unknown += 1;
            }
        }
    }

    /// After all were marked.
    pub(crate) fn judge(&self, verdict: &mut Verdict) -> Vec<Expected> {
        let mouths = self.mouths.lock().unwrap();
        let expected = mouths.iter().map(|mouth| {
            let (mut entered, mut left) = (0, 0);
            for walk in mouth.walks.values().flatten() {
                verdict.lost += walk.seen.iter().filter(|&&times| times == 0).count() as u64;
                verdict.doubled += walk
                    .seen
                    .iter()
                    .map(|&times| u64::from(times.saturating_sub(1)))
                    .sum::<u64>();
                let people = walk.seen.len() as i64;
                match walk.direction {
                    Direction::In => entered += people,
                    Direction::Out => left += people,
                }
            }
            Expected {
                mine: mouth.mine.clone(),
                entered,
                left,
                fed: mouth.fed,
            }
        });
        expected.collect()
    }

    /// The next walk of one mouth, with all that a bad network and a bad clock do to it. What must come out is
    /// registered when this returns.
    fn next_walk(&self, number: usize, random: &mut ChaCha8Rng) -> Vec<Detections> {
        let mut mouths = self.mouths.lock().unwrap();
        let mouth = &mut mouths[number];
        mouth.now = mouth.now.plus_micros(PAUSE_MICROS);
        if random.random_bool(0.02) {
            // The extractor was started again.
            mouth.sessions.push(session(number, mouth.sessions.len() + 1));
            mouth.next_sequence = 0;
        } else if mouth.next_sequence > 0 && random.random_bool(0.02) {
            mouth.now = mouth.now.plus_micros(-SET_BACK_MICROS);
            mouth.fed.clock_set_back += 1;
        }
        let session = mouth.sessions[mouth.sessions.len() - 1];
        let people = random.random_range(LANES - 4..=LANES);
        let direction = if random.random_bool(0.55) {
            Direction::In
        } else {
            Direction::Out
        };
        let frame = |step: i64, session: Uuid, first: i64, began: UtcMicros| {
            let way = -33.0 + 6.0 * step as f32;
            let middle = WIDTH as f32 / 2.0;
            let x = match direction {
                Direction::In => middle - way,
                Direction::Out => middle + way,
            };
            let boxes = (0..people).map(|lane| DetectedBox {
                class: ObjectClass::Person,
                score: 0.9,
                bounding_box: BoundingBox {
                    left: x - 10.0,
                    top: FIRST_LANE + LANE * lane as f32 - 40.0,
                    width: 20.0,
                    height: 40.0,
                },
            });
            let base = sample().detections;
            let captured_at = began.plus_micros(step * FRAME_MICROS);
            Detections {
                camera: mouth.camera.clone(),
                mine: mouth.mine.clone(),
                place: PlaceClass::AUXILIARY_SHAFT,
                session,
                sequence: first + step,
                captured_at,
                published_at: captured_at.plus_micros(40_000),
                inferred_at: captured_at.plus_micros(90_000),
                width: WIDTH,
                height: HEIGHT,
                boxes: boxes.collect(),
                ..base
            }
        };
        let first = mouth.next_sequence;
        let mut frames: Vec<Detections> = (0..FRAMES)
            .map(|step| frame(step, session, first, mouth.now))
            .collect();
        let mut fed = mouth.fed;
        if random.random_bool(0.05) {
            // A displaced extractor still tells of the same walk.
            if let Some(&older) = mouth.sessions.iter().rev().nth(1) {
                frames.extend((0..FRAMES).map(|step| frame(step, older, first + 1_000_000, mouth.now)));
                fed.older_session += FRAMES as u64;
            }
        }
        if random.random_bool(0.1) {
            // Some come once more, in whatever order.
            for _ in 0..random.random_range(1..5) {
                let again = random.random_range(0..FRAMES);
                frames.push(frame(again, session, first, mouth.now));
                fed.repeated += 1;
            }
        }
        if random.random_bool(0.05) {
            let mut late = frame(FRAMES, session, first, mouth.now);
            late.captured_at = mouth.now;
            frames.push(late);
            fed.time_back += 1;
        }
        fed.frames += frames.len() as u64;
        mouth.fed = fed;
        mouth.now = mouth.now.plus_micros((FRAMES - 1) * FRAME_MICROS);
        mouth.next_sequence = first + FRAMES;
        mouth.walks.entry(session).or_default().push(Walk {
            first_sequence: first,
            direction,
            seen: vec![0; people],
        });
        frames
    }
}

/// Feeds walks, at most `per_second` frames, until `enough` says so. Returns the number of frames.
pub(crate) async fn feed(
    bus: &Bus,
    oracle: &Oracle,
    mines: usize,
    per_second: u64,
    mut random: ChaCha8Rng,
    enough: impl Fn() -> bool,
) -> u64 {
    let publisher = bus.publisher().unwrap();
    let began = Instant::now();
    let mut deliveries = VecDeque::new();
    let mut frames = 0;
    while !enough() {
        // A few mines by turns, frame by frame, as their cameras give them.
        let mut walks: Vec<VecDeque<Detections>> = (0..mines)
            .map(|number| oracle.next_walk(number, &mut random).into())
            .collect();
        while walks.iter().any(|walk| !walk.is_empty()) {
            for walk in &mut walks {
                if let Some(next) = walk.pop_front() {
                    deliveries.push_back(publisher.enqueue(&next, Default::default()).await.unwrap());
                    frames += 1;
                }
            }
            while deliveries.len() > 4_000 {
                deliveries.pop_front().unwrap().acknowledged().await.unwrap();
            }
            let due = Duration::from_secs_f64(frames as f64 / per_second as f64);
            tokio::time::sleep(due.saturating_sub(began.elapsed())).await;
        }
    }
    for delivery in deliveries {
        delivery.acknowledged().await.unwrap();
    }
    frames
}
