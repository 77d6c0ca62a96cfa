use serde::{Deserialize, Serialize};

/// A point of a picture: `x` to the right, `y` downwards. In pixels, or in fractions of the picture's width
/// and height (0 to 1), as the owner of the point says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// To the right.
    pub x: f32,
    /// Downwards.
    pub y: f32,
}

/// A box of a picture, in pixels of that picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BoundingBox {
    /// Left edge.
    pub left: f32,
    /// Top edge.
    pub top: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
}

impl BoundingBox {
    /// All four numbers are finite and the box has an area.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.left.is_finite()
            && self.top.is_finite()
            && self.width.is_finite()
            && self.height.is_finite()
            && self.width > 0.0
            && self.height > 0.0
    }

    /// Right edge.
    #[must_use]
    pub fn right(&self) -> f32 {
        self.left + self.width
    }

    /// Bottom edge.
    #[must_use]
    pub fn bottom(&self) -> f32 {
        self.top + self.height
    }

    /// Area in square pixels.
    #[must_use]
    pub fn area(&self) -> f32 {
        self.width * self.height
    }

    /// Intersection over union with `other`, 0 to 1; 0 where either box has no area.
    #[must_use]
    pub fn intersection_over_union(&self, other: &Self) -> f32 {
        let width = self.right().min(other.right()) - self.left.max(other.left);
        let height = self.bottom().min(other.bottom()) - self.top.max(other.top);
        if width <= 0.0 || height <= 0.0 {
            return 0.0;
        }
        let common = width * height;
        let union = self.area() + other.area() - common;
        if union > 0.0 { common / union } else { 0.0 }
    }

    /// The point of the box that stands for the object.
    #[must_use]
    pub fn anchor(&self, anchor: Anchor) -> Point {
        let x = self.left + self.width / 2.0;
        match anchor {
            Anchor::Foot => Point { x, y: self.bottom() },
            Anchor::Centre => Point {
                x,
                y: self.top + self.height / 2.0,
            },
        }
    }
}

/// Which point of a box crosses the line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Anchor {
    /// The middle of the lower edge: where a standing person or a vehicle touches the ground.
    #[default]
    Foot,
    /// The middle of the box: for pictures that cut the feet off.
    Centre,
}

/// Which way a crossing goes. `In` is towards the mine (入井, 进场).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Towards the mine.
    In,
    /// Away from it.
    Out,
}

/// A directed segment. With the sign of (x2−x1)(y−y1)−(y2−y1)(x−x1), going from negative to positive is
/// [`Direction::In`]; to turn the direction round, exchange the ends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// First end.
    pub from: Point,
    /// Second end.
    pub to: Point,
}

impl Line {
    /// Length of the segment.
    #[must_use]
    pub fn length(&self) -> f32 {
        (self.to.x - self.from.x).hypot(self.to.y - self.from.y)
    }

    /// Distance of `point` from the endless line through the segment, signed as the type's rule says.
    /// NaN where the ends fall together.
    #[must_use]
    pub fn signed_distance(&self, point: Point) -> f32 {
        let (dx, dy) = (self.to.x - self.from.x, self.to.y - self.from.y);
        (dx * (point.y - self.from.y) - dy * (point.x - self.from.x)) / self.length()
    }

    /// Where `point`'s foot falls along the segment: 0 at `from`, 1 at `to`, outside that range beyond an end.
    #[must_use]
    pub fn position_along(&self, point: Point) -> f32 {
        let (dx, dy) = (self.to.x - self.from.x, self.to.y - self.from.y);
        ((point.x - self.from.x) * dx + (point.y - self.from.y) * dy) / (dx * dx + dy * dy)
    }

    /// The same line with `x` multiplied by `width` and `y` by `height`: from fractions to pixels.
    #[must_use]
    pub fn scaled(&self, width: f32, height: f32) -> Self {
        let scale = |point: Point| Point {
            x: point.x * width,
            y: point.y * height,
        };
        Self {
            from: scale(self.from),
            to: scale(self.to),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vertical_line_downwards_counts_right_to_left_as_in() {
        let line = Line {
            from: Point { x: 200.0, y: 0.0 },
            to: Point { x: 200.0, y: 360.0 },
        };
        assert!(line.signed_distance(Point { x: 250.0, y: 100.0 }) < 0.0);
        assert!(line.signed_distance(Point { x: 150.0, y: 100.0 }) > 0.0);
        assert_eq!(line.position_along(Point { x: 0.0, y: 180.0 }), 0.5);
    }

    #[test]
    fn overlap_of_equal_and_of_distant_boxes() {
        let square = BoundingBox {
            left: 0.0,
            top: 0.0,
            width: 2.0,
            height: 2.0,
        };
        let far = BoundingBox { left: 5.0, ..square };
        assert_eq!(square.intersection_over_union(&square), 1.0);
        assert_eq!(square.intersection_over_union(&far), 0.0);
        assert_eq!(square.anchor(Anchor::Foot), Point { x: 1.0, y: 2.0 });
    }
}
