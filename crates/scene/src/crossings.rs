//! Lines and regions on the picture, and when figures cross a line.

use mineseal_domain::{Anchor, CountingLine, Direction, Line, Point, Region};

use crate::camera::Camera;
use crate::cast::{Cast, class_of};
use crate::math::{Vec3, clamp01};
use crate::places::Place;
use crate::raster::Extent;
use crate::{SceneScript, TruthCrossing};

/// Who comes no farther past the line than this share of the picture's height has not passed it.
const BUFFER: f32 = 0.03;

/// The middle of the lower edge of a figure's full extent.
pub(crate) fn foot(extent: &Extent) -> Point {
    Point {
        x: (extent.left + extent.right) / 2.0,
        y: extent.bottom,
    }
}

/// All crossings with the picture at which the foot point was first on the new side for good.
pub(crate) fn find(
    script: &SceneScript,
    cast: &Cast,
    camera: &Camera,
    lines: &[CountingLine],
) -> Vec<(u64, TruthCrossing)> {
    let (width, height) = (script.width as f32, script.height as f32);
    let mut found = Vec::new();
    for line in lines {
        let scaled = line.line.scaled(width, height);
        for (number, actor) in cast.actors.iter().enumerate() {
            if class_of(&actor.figure).group() != Some(line.group) {
                continue;
            }
            // The side on which the actor surely was; the picture at which he last changed sides.
            let (mut side, mut last, mut changed, mut within) = (0.0_f32, 0.0_f32, 0_u64, false);
            for index in 0..script.frame_count() {
                let seconds = script.media_time_micros(index) as f64 / 1e6;
                let Some(sprite) = cast.sprite(number, seconds, camera) else {
                    continue;
                };
                let point = foot(&sprite.extent);
                let distance = scaled.signed_distance(point);
                if distance * last <= 0.0 {
                    changed = index;
                    within = (0.0..=1.0).contains(&scaled.position_along(point));
                }
                last = distance;
                if distance.abs() > BUFFER * height && side != distance.signum() {
                    if side != 0.0 && within {
                        let direction = if distance > 0.0 {
                            Direction::In
                        } else {
                            Direction::Out
                        };
                        let crossing = TruthCrossing {
                            object: actor.id,
                            line: line.name.clone(),
                            direction,
                            group: line.group,
                        };
                        found.push((changed, crossing));
                    }
                    side = distance.signum();
                }
            }
        }
    }
    found.sort_by_key(|(index, crossing)| (*index, crossing.object));
    found
}

/// The counting lines of a place as the camera sees them, in fractions of the picture.
pub(crate) fn lines_of(place: &Place, camera: &Camera, script: &SceneScript) -> Vec<CountingLine> {
    let fraction = |point| fraction(camera, script, point);
    let line = place.line.and_then(|line| {
        Some(CountingLine {
            name: line.name.into(),
            line: clipped(Line {
                from: fraction(line.from),
                to: fraction(line.to),
            })?,
            group: line.group,
            anchor: Anchor::Foot,
            regular: true,
            gate: None,
        })
    });
    line.into_iter().collect()
}

/// The named regions of a place, in fractions of the picture, kept inside it.
pub(crate) fn regions_of(place: &Place, camera: &Camera, script: &SceneScript) -> Vec<Region> {
    let inside = |point| {
        let found = fraction(camera, script, point);
        Point {
            x: clamp01(found.x),
            y: clamp01(found.y),
        }
    };
    place
        .regions
        .iter()
        .map(|(name, corners)| Region {
            name: (*name).into(),
            corners: corners.iter().copied().map(inside).collect(),
        })
        .collect()
}

fn fraction(camera: &Camera, script: &SceneScript, point: Vec3) -> Point {
    let spot = camera.project(point);
    Point {
        x: spot.x / script.width as f32,
        y: spot.y / script.height as f32,
    }
}

/// The part of the line inside the picture (Liang and Barsky).
fn clipped(line: Line) -> Option<Line> {
    let (dx, dy) = (line.to.x - line.from.x, line.to.y - line.from.y);
    let (mut enters, mut leaves) = (0.0_f32, 1.0_f32);
    for (step, room) in [
        (-dx, line.from.x),
        (dx, 1.0 - line.from.x),
        (-dy, line.from.y),
        (dy, 1.0 - line.from.y),
    ] {
        if step == 0.0 {
            if room < 0.0 {
                return None;
            }
        } else if step < 0.0 {
            enters = enters.max(room / step);
        } else {
            leaves = leaves.min(room / step);
        }
    }
    let at = |share: f32| Point {
        x: line.from.x + dx * share,
        y: line.from.y + dy * share,
    };
    (enters < leaves).then(|| Line {
        from: at(enters),
        to: at(leaves),
    })
}

#[cfg(test)]
mod tests;
