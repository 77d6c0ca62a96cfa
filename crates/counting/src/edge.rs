use mineseal_domain::{BoundingBox, Line, ObjectGroup, Point};

/// How near to the picture's edge an end of a line counts as on it, as a share of the picture's side.
const NEAR: f32 = 0.02;

/// The line with its ends that lie on the picture's edge moved outside, along the line, by the picture's size.
///
/// Whoever draws a line up to the edge means everybody who passes there; but the box of a person whom the edge
/// cuts off reaches over it, and his foot with it.
#[must_use]
pub fn past_the_edges(line: Line, width: f32, height: f32) -> Line {
    let on_edge = |point: Point| {
        let near = |value: f32, side: f32| value <= NEAR * side || value >= (1.0 - NEAR) * side;
        near(point.x, width) || near(point.y, height)
    };
    let length = line.length();
    if length.is_nan() || length <= 0.0 {
        return line;
    }
    let reach = width.max(height) / length;
    let along = |end: Point, other: Point| Point {
        x: end.x + (end.x - other.x) * reach,
        y: end.y + (end.y - other.y) * reach,
    };
    Line {
        from: if on_edge(line.from) {
            along(line.from, line.to)
        } else {
            line.from
        },
        to: if on_edge(line.to) {
            along(line.to, line.from)
        } else {
            line.to
        },
    }
}

/// How near to the edge the side of a box counts as cut by it, as a share of the picture's side: detectors do
/// not draw boxes to the last pixel.
const CUT: f32 = 0.008;

/// Width of a walking person as a share of his height.
const PERSON_WIDTH: f32 = 0.36;

/// Which sides of a box the edges of the picture cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    left: bool,
    right: bool,
}

impl Cut {
    pub(crate) fn of(seen: &BoundingBox, (width, _): (f32, f32)) -> Self {
        Self {
            left: seen.left <= CUT * width,
            right: seen.right() >= (1.0 - CUT) * width,
        }
    }

    pub(crate) fn sideways(self) -> bool {
        self.left || self.right
    }

    /// The box with the part that was cut off, for an object of that width. Who reaches over both edges is left
    /// as he is.
    pub(crate) fn uncut(self, seen: &BoundingBox, width: f32) -> BoundingBox {
        let missing = (width - seen.width).max(0.0);
        match (self.left, self.right) {
            (true, false) => BoundingBox {
                left: seen.left - missing,
                width: seen.width + missing,
                ..*seen
            },
            (false, true) => BoundingBox {
                width: seen.width + missing,
                ..*seen
            },
            _ => *seen,
        }
    }
}

/// Width of an object that was never seen between the edges.
pub(crate) fn usual_width(group: ObjectGroup, seen: &BoundingBox) -> f32 {
    match group {
        ObjectGroup::Person => PERSON_WIDTH * seen.height,
        ObjectGroup::Vehicle => seen.width,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_that_an_edge_cuts_is_completed_beyond_it() {
        let seen = |left: f32, width: f32| BoundingBox {
            left,
            top: 100.0,
            width,
            height: 100.0,
        };
        let picture = (640.0, 360.0);
        for (part, whole) in [
            (seen(0.0, 10.0), seen(-26.0, 36.0)),
            (seen(630.0, 10.0), seen(630.0, 36.0)),
            (seen(200.0, 10.0), seen(200.0, 10.0)),
            (seen(0.0, 640.0), seen(0.0, 640.0)),
            (seen(0.0, 50.0), seen(0.0, 50.0)),
        ] {
            let width = usual_width(ObjectGroup::Person, &part);
            assert_eq!(Cut::of(&part, picture).uncut(&part, width), whole);
        }
    }

    #[test]
    fn only_ends_on_the_edge_move_and_only_outwards() {
        let line = Line {
            from: Point { x: 200.0, y: 100.0 },
            to: Point { x: 200.0, y: 359.0 },
        };
        let longer = past_the_edges(line, 480.0, 360.0);
        assert_eq!(longer.from, line.from);
        assert_eq!(longer.to, Point { x: 200.0, y: 839.0 });
        let slanting = Line {
            from: Point { x: 0.0, y: 100.0 },
            to: Point { x: 480.0, y: 200.0 },
        };
        let longer = past_the_edges(slanting, 480.0, 360.0);
        for end in [longer.from, longer.to] {
            assert!(
                slanting.signed_distance(end).abs() < 0.01,
                "stays on the same endless line"
            );
        }
        let point = Line {
            from: line.from,
            to: line.from,
        };
        assert_eq!(past_the_edges(point, 480.0, 360.0), point);
    }
}
