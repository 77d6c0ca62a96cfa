use mineseal_domain::{Line, Point};

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

#[cfg(test)]
mod tests {
    use super::*;

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
