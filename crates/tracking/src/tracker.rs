use std::cmp::Ordering;

use mineseal_domain::{Detection, UtcMicros};
use serde::{Deserialize, Serialize};

use crate::association::associate;
use crate::camera::CameraMotion;
use crate::track::{Kind, Track};
use crate::{TrackedObject, TrackerSettings};

/// Coordinates beyond this are no picture's; the bound keeps areas and squares finite.
const LARGEST_COORDINATE: f32 = 1e6;

/// The tracks of one camera.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tracker {
    settings: TrackerSettings,
    tracks: Vec<Track>,
    next_number: i64,
    last: Option<UtcMicros>,
    /// States of earlier versions have none.
    #[serde(default)]
    camera: CameraMotion,
}

/// The detections of one kind in one frame, and the tracks that may be among them.
struct Search<'a> {
    /// Indices of the tracks of this kind.
    open: Vec<usize>,
    high: Vec<&'a Detection>,
    low: Vec<&'a Detection>,
    /// Tracks and detections with high scores that belong together: indices into `open` and `high`.
    pairs: Vec<(usize, usize)>,
}

impl Tracker {
    /// A tracker that has seen nothing. Settings out of range are brought into it.
    #[must_use]
    pub fn new(settings: TrackerSettings) -> Self {
        Self {
            settings: settings.in_range(),
            tracks: Vec::new(),
            next_number: 1,
            last: None,
            camera: CameraMotion::default(),
        }
    }

    /// Takes the detections of the frame of time `at` and returns the objects found in it, by track number.
    ///
    /// Detections without a sound box or score are left out; of too many the best by score are kept. A frame
    /// that is not later than the last one gives nothing and changes nothing, unless time went back by more than
    /// tracks are kept: then the clock was set, and following starts anew.
    pub fn update(&mut self, at: UtcMicros, detections: &[Detection]) -> Vec<TrackedObject> {
        if let Some(last) = self.last {
            let seconds = at.seconds_since(last);
            if seconds < -self.settings.keep_seconds {
                self.tracks.clear();
                self.camera = CameraMotion::default();
            } else if seconds <= 0.0 {
                return Vec::new();
            }
            self.forget(last, at);
            for track in &mut self.tracks {
                track.predict(seconds);
            }
        }
        let detections = self.usable(detections);
        let mut searches = self.searches(&detections);
        self.follow_camera(at, &mut searches);
        let mut found = Vec::new();
        for search in searches {
            self.follow(at, search, &mut found);
        }
        self.last = Some(at);
        found.sort_unstable_by_key(|object| object.track);
        found
    }

    /// The detections by kind, those with high scores assigned to the tracks.
    fn searches<'a>(&self, detections: &'a [Detection]) -> Vec<Search<'a>> {
        let mut kinds: Vec<Kind> = detections
            .iter()
            .map(|detection| Kind::of(detection.class))
            .collect();
        kinds.sort_unstable();
        kinds.dedup();
        let search = |kind| {
            let (high, low): (Vec<&Detection>, Vec<&Detection>) = detections
                .iter()
                .filter(|detection| Kind::of(detection.class) == kind)
                .partition(|detection| detection.score >= self.settings.high_score);
            let open: Vec<usize> = (0..self.tracks.len())
                .filter(|&index| self.tracks[index].kind == kind)
                .collect();
            let pairs = self.pairs(&open, &high);
            Search {
                open,
                high,
                low,
                pairs,
            }
        };
        kinds.into_iter().map(search).collect()
    }

    /// Pairs of the tracks at the `open` indices with detections, as indices into both slices.
    fn pairs(&self, open: &[usize], detections: &[&Detection]) -> Vec<(usize, usize)> {
        let candidates: Vec<&Track> = open.iter().map(|&index| &self.tracks[index]).collect();
        associate(&candidates, detections)
    }

    /// If the camera moved since the frame before, moves all tracks with it and assigns anew. Tracks that were
    /// found in that frame, and whose speed is known, tell.
    fn follow_camera(&mut self, at: UtcMicros, searches: &mut [Search<'_>]) {
        let Some(last) = self.last else { return };
        let mut seen = Vec::new();
        for search in searches.iter() {
            for &(candidate, index) in &search.pairs {
                let track = &self.tracks[search.open[candidate]];
                if track.seen_at == last && track.hits > 1 {
                    seen.push(track.innovation(search.high[index]));
                }
            }
        }
        let displacement = self.camera.displacement(at.seconds_since(last), &seen);
        if displacement == [0.0; 2] {
            return;
        }
        for track in &mut self.tracks {
            track.shift(displacement);
        }
        for search in searches {
            search.pairs = self.pairs(&search.open, &search.high);
        }
    }

    /// Detections of one kind: first those with high scores to all tracks, then those with low scores to the
    /// tracks that were found in the frame before; what is left with a high score starts a track.
    fn follow(&mut self, at: UtcMicros, search: Search<'_>, found: &mut Vec<TrackedObject>) {
        let Search {
            mut open,
            high,
            low,
            pairs,
        } = search;
        let rest = self.assign(at, &mut open, high, &pairs, found);
        if let Some(last) = self.last {
            open.retain(|&index| self.tracks[index].seen_at == last);
        }
        if !low.is_empty() {
            let pairs = self.pairs(&open, &low);
            self.assign(at, &mut open, low, &pairs, found);
        }
        for detection in rest {
            if detection.score >= self.settings.new_track_score {
                let track = Track::new(self.next_number, at, detection);
                found.push(track.object(*detection, &self.settings));
                self.tracks.push(track);
                self.next_number = self.next_number.saturating_add(1);
            }
        }
    }

    /// Gives the tracks at the `open` indices their detections, takes them out of `open` and returns the
    /// detections that found no track.
    fn assign<'a>(
        &mut self,
        at: UtcMicros,
        open: &mut Vec<usize>,
        detections: Vec<&'a Detection>,
        pairs: &[(usize, usize)],
        found: &mut Vec<TrackedObject>,
    ) -> Vec<&'a Detection> {
        let mut free = vec![true; detections.len()];
        let mut still_open = vec![true; open.len()];
        for &(candidate, index) in pairs {
            let (detection, track) = (detections[index], &mut self.tracks[open[candidate]]);
            track.correct(at, detection);
            found.push(track.object(*detection, &self.settings));
            free[index] = false;
            still_open[candidate] = false;
        }
        let mut positions = still_open.into_iter();
        open.retain(|_| positions.next().unwrap_or(true));
        detections
            .into_iter()
            .zip(free)
            .filter_map(|(detection, free)| free.then_some(detection))
            .collect()
    }

    fn forget(&mut self, last: UtcMicros, at: UtcMicros) {
        let settings = self.settings;
        self.tracks.retain(|track| {
            let keep = if track.hits > 1 {
                settings.keep_seconds
            } else {
                settings.keep_new_seconds
            };
            // Where frames are few, one gap between them may be longer than a new track is kept.
            let unseen = if track.hits > 1 { at } else { last };
            unseen.seconds_since(track.seen_at) <= keep
        });
        // The tracks stand in the order of their birth; of too many the oldest unseen ones go.
        let most = 2 * settings.max_detections;
        if self.tracks.len() > most {
            let mut times: Vec<UtcMicros> = self.tracks.iter().map(|track| track.seen_at).collect();
            times.sort_unstable();
            let cut = times[self.tracks.len() - most];
            self.tracks.retain(|track| track.seen_at >= cut);
            self.tracks.truncate(most);
        }
    }

    /// The detections that can be followed, best first.
    fn usable(&self, detections: &[Detection]) -> Vec<Detection> {
        let mut usable: Vec<Detection> = detections
            .iter()
            .filter(|detection| {
                let seen = detection.bounding_box;
                let sides = [seen.left, seen.top, seen.width, seen.height];
                seen.is_sound()
                    && sides.iter().all(|side| side.abs() <= LARGEST_COORDINATE)
                    && detection.score >= self.settings.low_score
            })
            .copied()
            .collect();
        usable.sort_by(best_first);
        usable.truncate(self.settings.max_detections);
        usable
    }
}

/// By score, best first; the rest only makes the order of the input meaningless.
fn best_first(a: &Detection, b: &Detection) -> Ordering {
    let (here, there) = (a.bounding_box, b.bounding_box);
    b.score
        .total_cmp(&a.score)
        .then_with(|| here.left.total_cmp(&there.left))
        .then_with(|| here.top.total_cmp(&there.top))
        .then_with(|| here.width.total_cmp(&there.width))
        .then_with(|| here.height.total_cmp(&there.height))
        .then_with(|| a.class.cmp(&b.class))
}
