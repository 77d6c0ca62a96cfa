use std::collections::VecDeque;

use mineseal_counting::{CrossingCounter, CrossingRule, LineCrossing, past_the_edges};
use mineseal_domain::{Analysis, CountingLine, Detection, ObjectGroup, UtcMicros};
use mineseal_schemas::{Camera, Detections, FrameLocation};
use mineseal_tracking::{Tracker, TrackerSettings};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Frames whose place on the bus is remembered: a crossing is sometimes decided some frames after the last frame
/// that shows it. Longer than a counter remembers its tracks, at the usual rates.
const REMEMBERED_FRAMES: usize = 48;

/// Time may go back by this much without the clock having been set, microseconds; more than tracks are kept.
const SET_BACK_MICROS: i64 = 10_000_000;

/// A crossing, and where it comes from.
#[derive(Clone, Debug)]
pub(crate) struct Counted {
    pub(crate) line: CountingLine,
    pub(crate) crossing: LineCrossing,
    pub(crate) session: Uuid,
    pub(crate) model: String,
    pub(crate) frame: FrameLocation,
}

/// What to do with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// The next one of the session.
    Next,
    /// The first one of a new session.
    NewSession,
    /// The next one, by a clock that was set back.
    ClockSetBack,
    /// It was here already.
    Repeated,
    /// Of a session that is over.
    OlderSession,
    /// Not later than the one before.
    TimeBack,
}

/// One session of one camera: where it stands, and the objects that it follows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reading {
    session: Uuid,
    sequence: i64,
    captured_at: UtcMicros,
    width: i32,
    height: i32,
    model: String,
    tracker: Tracker,
    lines: Vec<CountedLine>,
    recent: VecDeque<(i64, FrameLocation)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct CountedLine {
    line: CountingLine,
    counter: CrossingCounter,
}

impl Reading {
    /// The session that `input` is the first frame of.
    pub(crate) fn new(input: &Detections) -> Self {
        Self {
            session: input.session,
            sequence: input.sequence,
            captured_at: input.captured_at,
            width: input.width,
            height: input.height,
            model: input.model.clone(),
            tracker: Tracker::new(TrackerSettings::default()),
            lines: Vec::new(),
            recent: VecDeque::new(),
        }
    }

    pub(crate) fn order(&self, input: &Detections) -> Order {
        if input.session < self.session {
            return Order::OlderSession;
        }
        if input.session > self.session {
            return Order::NewSession;
        }
        if input.sequence <= self.sequence {
            return Order::Repeated;
        }
        match input.captured_at.micros_since(self.captured_at) {
            1.. => Order::Next,
            back if back < -SET_BACK_MICROS => Order::ClockSetBack,
            _ => Order::TimeBack,
        }
    }

    /// Takes the next frame of the session; returns the crossings that it decides, by line and track.
    pub(crate) fn follow(&mut self, camera: &Camera, input: &Detections) -> Vec<Counted> {
        self.sequence = input.sequence;
        self.captured_at = input.captured_at;
        let mut counted = self.arrange(camera, input);
        // A frame that no detector saw says nothing about who is in it, and one that the decoder could not read whole
        // says what may not be true. Those before and after it are followed as if it had been left out.
        if self.lines.is_empty() || input.model.is_empty() || input.corrupt {
            return counted;
        }
        if self.model != input.model {
            self.model.clone_from(&input.model);
        }
        if self.recent.len() == REMEMBERED_FRAMES {
            self.recent.pop_front();
        }
        self.recent.push_back((input.sequence, input.frame));

        let detections: Vec<Detection> = input
            .boxes
            .iter()
            .map(|found| Detection {
                class: found.class,
                score: found.score,
                bounding_box: found.bounding_box,
            })
            .collect();
        let objects = self.tracker.update(input.captured_at, &detections);
        let mut decided = Vec::new();
        for counted_line in &mut self.lines {
            let crossings = counted_line
                .counter
                .update(input.captured_at, input.sequence, &objects);
            decided.extend(
                crossings
                    .into_iter()
                    .map(|crossing| (counted_line.line.clone(), crossing)),
            );
        }
        counted.extend(
            decided
                .into_iter()
                .map(|(line, crossing)| self.counted(line, crossing, input.frame)),
        );
        counted
    }

    /// Ends the session; returns the crossings that this decides. `frame` stands in for a place that is no
    /// longer remembered.
    pub(crate) fn finish(&mut self, frame: FrameLocation) -> Vec<Counted> {
        let lines = std::mem::take(&mut self.lines);
        lines
            .into_iter()
            .flat_map(|line| self.finish_line(line, frame))
            .collect()
    }

    /// Brings the counters into accord with the registration and the size of the picture. The counter of a line
    /// that stays as it is goes on; the others end.
    fn arrange(&mut self, camera: &Camera, input: &Detections) -> Vec<Counted> {
        let resized = (self.width, self.height) != (input.width, input.height);
        let wanted = camera.lines.iter().filter(|line| is_counted(camera, line));
        if !resized && self.lines.iter().map(|counted| &counted.line).eq(wanted.clone()) {
            return Vec::new();
        }
        if resized {
            (self.width, self.height) = (input.width, input.height);
            self.tracker = Tracker::new(TrackerSettings::default());
        }
        let mut before: Vec<Option<CountedLine>> =
            std::mem::take(&mut self.lines).into_iter().map(Some).collect();
        let lines = wanted.map(|line| {
            let same = |counted: &&mut Option<CountedLine>| {
                !resized && counted.as_ref().is_some_and(|counted| counted.line == *line)
            };
            let kept = before.iter_mut().find(same).and_then(Option::take);
            kept.unwrap_or_else(|| CountedLine {
                line: line.clone(),
                counter: counter(line, input),
            })
        });
        self.lines = lines.collect();
        before
            .into_iter()
            .flatten()
            .flat_map(|line| self.finish_line(line, input.frame))
            .collect()
    }

    fn finish_line(&self, mut ended: CountedLine, frame: FrameLocation) -> Vec<Counted> {
        let crossings = ended.counter.finish();
        crossings
            .into_iter()
            .map(|crossing| self.counted(ended.line.clone(), crossing, frame))
            .collect()
    }

    fn counted(&self, line: CountingLine, crossing: LineCrossing, otherwise: FrameLocation) -> Counted {
        let deciding = self
            .recent
            .iter()
            .find(|(sequence, _)| *sequence == crossing.to_sequence);
        let frame = deciding.map_or(otherwise, |(_, frame)| *frame);
        Counted {
            line,
            crossing,
            session: self.session,
            model: self.model.clone(),
            frame,
        }
    }
}

/// As `mineseal count` counts: a line that is drawn up to an edge goes on past it, and whom an edge cuts off is
/// counted where he stands.
fn counter(line: &CountingLine, input: &Detections) -> CrossingCounter {
    let (width, height) = (input.width as f32, input.height as f32);
    let pixels = past_the_edges(line.line.scaled(width, height), width, height);
    CrossingCounter::new(pixels, line.anchor, line.group, CrossingRule::default()).in_picture(width, height)
}

/// Whether the camera is asked to count what this line counts.
fn is_counted(camera: &Camera, line: &CountingLine) -> bool {
    camera.analyses.contains(&match line.group {
        ObjectGroup::Person => Analysis::PersonCrossing,
        ObjectGroup::Vehicle => Analysis::VehicleCrossing,
    })
}
