use mineseal_domain::{Anchor, BoundingBox, Detection};
use pathfinding::prelude::{Matrix, kuhn_munkres};

use crate::kalman::LARGEST_JITTER;
use crate::partial::whole_of;
use crate::track::Track;

/// A likeness of 1 as an integer: the assignment works on integers, so that its result does not hang on the
/// order in which sums are rounded.
const ONE: f64 = 1e6;

/// Squared Mahalanobis distance of the centre beyond which nothing is possible: one in 400 of a track's own
/// detections lies farther out (chi-squared, two degrees of freedom).
const MOST_SURPRISE: f64 = 12.0;

/// The uncertainty of a track that was long not seen grows without end; what it may claim does not. In sizes.
const MOST_DEVIATION: f64 = 0.4;

/// People bend, boxes flicker; what differs by more, and is no part of the other, is another object.
const LEAST_HEIGHT_RATIO: f64 = 0.7;

/// As for heights; arms and legs change the width more.
const LEAST_WIDTH_RATIO: f64 = 0.33;

/// Distance, in sizes, that halves the likeness.
const HALF_LIKENESS: f64 = 0.1;

/// A track and a detection that may belong together.
#[derive(Clone, Copy, Debug)]
struct Pair {
    track: usize,
    detection: usize,
    /// 1 to [`ONE`].
    likeness: i64,
}

/// Pairs tracks with detections so that the sum of their likenesses is greatest, and returns the pairs as
/// indices into both slices.
pub(crate) fn associate(tracks: &[&Track], detections: &[&Detection]) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    for (track_index, track) in tracks.iter().enumerate() {
        let expected = track.expectation();
        for (detection_index, detection) in detections.iter().enumerate() {
            let likeness = (likeness(&expected, &detection.bounding_box) * ONE) as i64;
            if likeness > 0 {
                pairs.push(Pair {
                    track: track_index,
                    detection: detection_index,
                    likeness,
                });
            }
        }
    }
    let mut assigned: Vec<(usize, usize)> = clusters(&pairs, tracks.len(), detections.len())
        .iter()
        .flat_map(|cluster| assign(cluster))
        .collect();
    assigned.sort_unstable();
    assigned
}

/// Where a track's next detection is expected.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expectation {
    pub(crate) bounding_box: BoundingBox,
    /// Standard deviations of a detection's centre around the box's, in pixels.
    pub(crate) deviation: [f64; 2],
    /// Whether a part of it may be taken for the whole.
    pub(crate) completes: bool,
}

/// How likely it is that what was expected was seen there: 0 for not at all, else up to 1.
///
/// What is possible is decided by the filter's own uncertainty, which knows how long ago the object was seen and
/// how fast it may be; boxes need not overlap. What is likelier is decided by the distance in sizes of the
/// object, so that a track that is unsure of itself does not take the detection of one that is sure.
fn likeness(expected: &Expectation, seen: &BoundingBox) -> f64 {
    let predicted = &expected.bounding_box;
    let ratio = |a: f32, b: f32| f64::from(a.min(b) / a.max(b));
    let height_ratio = ratio(predicted.height, seen.height);
    let width_ratio = ratio(predicted.width, seen.width);
    let whole = expected.completes.then(|| whole_of(predicted, seen)).flatten();
    let least_height_ratio = if whole.is_some() { 0.0 } else { LEAST_HEIGHT_RATIO };
    let (from, to) = (
        predicted.anchor(Anchor::Centre),
        whole.unwrap_or(*seen).anchor(Anchor::Centre),
    );
    let (dx, dy) = (f64::from(to.x - from.x), f64::from(to.y - from.y));
    let size = f64::from(predicted.width.max(predicted.height));
    let [deviation_x, deviation_y] = expected.deviation.map(|pixels| pixels.min(MOST_DEVIATION * size));
    let surprise = (dx / deviation_x).powi(2) + (dy / deviation_y).powi(2);
    if surprise > MOST_SURPRISE || height_ratio < least_height_ratio || width_ratio < LEAST_WIDTH_RATIO {
        return 0.0;
    }
    let square_distance = (dx * dx + dy * dy) / (HALF_LIKENESS * size).powi(2);
    // Of two detections at equal distance, the one of the same height: neighbours differ in height more than one
    // person does from frame to frame.
    let height_likeness = height_ratio * height_ratio * height_ratio.sqrt();
    // Of two tracks at equal distance, the one that is surer of its place: the other one was not seen of late.
    let doubt = ((deviation_x * deviation_y).sqrt() / (LARGEST_JITTER * size)).max(1.0);
    height_likeness / ((1.0 + square_distance) * doubt.sqrt())
}

/// Splits the pairs into clusters that share neither track nor detection: many small assignments instead of a
/// large one.
fn clusters(pairs: &[Pair], tracks: usize, detections: usize) -> Vec<Vec<Pair>> {
    let mut parent: Vec<usize> = (0..tracks + detections).collect();
    for pair in pairs {
        let (a, b) = (
            root(&mut parent, pair.track),
            root(&mut parent, tracks + pair.detection),
        );
        parent[a.max(b)] = a.min(b);
    }
    let mut by_root = vec![Vec::new(); tracks];
    for pair in pairs {
        // The smallest member of a cluster is a track, since tracks are numbered first.
        let root = root(&mut parent, pair.track);
        by_root[root].push(*pair);
    }
    by_root.retain(|cluster| !cluster.is_empty());
    by_root
}

fn root(parent: &mut [usize], mut node: usize) -> usize {
    while parent[node] != node {
        parent[node] = parent[parent[node]];
        node = parent[node];
    }
    node
}

/// The best assignment of one cluster.
fn assign(cluster: &[Pair]) -> Vec<(usize, usize)> {
    if let [pair] = cluster {
        return vec![(pair.track, pair.detection)];
    }
    let mut tracks: Vec<usize> = cluster.iter().map(|pair| pair.track).collect();
    let mut detections: Vec<usize> = cluster.iter().map(|pair| pair.detection).collect();
    for indices in [&mut tracks, &mut detections] {
        indices.sort_unstable();
        indices.dedup();
    }
    // The library wants at least as many columns as rows. Places without a pair weigh nothing, so that to leave
    // a row unpaired is a choice like any other.
    let upright = tracks.len() <= detections.len();
    let (rows, columns) = if upright {
        (&tracks, &detections)
    } else {
        (&detections, &tracks)
    };
    let mut weights = Matrix::new(rows.len(), columns.len(), 0_i64);
    for pair in cluster {
        let (row, column) = if upright {
            (pair.track, pair.detection)
        } else {
            (pair.detection, pair.track)
        };
        if let (Ok(row), Ok(column)) = (rows.binary_search(&row), columns.binary_search(&column)) {
            weights[(row, column)] = pair.likeness;
        }
    }
    let (_, columns_of_rows) = kuhn_munkres(&weights);
    let mut assigned = Vec::with_capacity(rows.len());
    for (row, column) in columns_of_rows.into_iter().enumerate() {
        if weights[(row, column)] > 0 {
            let (a, b) = (rows[row], columns[column]);
            assigned.push(if upright { (a, b) } else { (b, a) });
        }
    }
    assigned
}
