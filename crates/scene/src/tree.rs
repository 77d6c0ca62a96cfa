//! Boxes within boxes, so that a ray asks only the bodies near its way.

use crate::math::{Vec3, vec3};
use crate::solid::Solid;

#[derive(Clone, Debug)]
struct Node {
    low: Vec3,
    high: Vec3,
    /// Inner nodes: number of the second child (the first follows directly); leaves: first place in `order`.
    next: u32,
    /// Bodies of a leaf; 0 for inner nodes.
    count: u32,
}

/// A tree over bodies.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
    order: Vec<u32>,
    /// Bodies without end.
    endless: Vec<u32>,
}

const LEAF: usize = 2;

impl Tree {
    pub(crate) fn new(solids: &[Solid]) -> Self {
        let mut tree = Self::default();
        let mut boxes = Vec::new();
        for (number, solid) in solids.iter().enumerate() {
            match solid.bounds() {
                Some((low, high)) => boxes.push((number as u32, low, high)),
                None => tree.endless.push(number as u32),
            }
        }
        if !boxes.is_empty() {
            tree.split(&mut boxes);
        }
        tree
    }

    fn split(&mut self, boxes: &mut [(u32, Vec3, Vec3)]) {
        let mut low = vec3(f32::INFINITY, f32::INFINITY, f32::INFINITY);
        let mut high = vec3(f32::NEG_INFINITY, f32::NEG_INFINITY, f32::NEG_INFINITY);
        for (_, from, to) in boxes.iter() {
            low = vec3(low.x.min(from.x), low.y.min(from.y), low.z.min(from.z));
            high = vec3(high.x.max(to.x), high.y.max(to.y), high.z.max(to.z));
        }
        let number = self.nodes.len();
        if boxes.len() <= LEAF {
            self.nodes.push(Node {
                low,
                high,
                next: self.order.len() as u32,
                count: boxes.len() as u32,
            });
            self.order.extend(boxes.iter().map(|&(body, _, _)| body));
            return;
        }
        self.nodes.push(Node {
            low,
            high,
            next: 0,
            count: 0,
        });
        let size = high - low;
        let key = |(_, from, to): &(u32, Vec3, Vec3)| {
            let middle = *from + *to;
            if size.x >= size.y && size.x >= size.z {
                middle.x
            } else if size.y >= size.z {
                middle.y
            } else {
                middle.z
            }
        };
        boxes.sort_by(|one, other| key(one).total_cmp(&key(other)).then(one.0.cmp(&other.0)));
        let half = boxes.len() / 2;
        let (first, second) = boxes.split_at_mut(half);
        self.split(first);
        let next = self.nodes.len() as u32;
        if let Some(node) = self.nodes.get_mut(number) {
            node.next = next;
        }
        self.split(second);
    }

    /// Asks `body` about every body that the ray may meet before the distance that `body` last returned;
    /// `reach` is the first such distance.
    pub(crate) fn visit(
        &self,
        origin: Vec3,
        direction: Vec3,
        reach: f32,
        mut body: impl FnMut(u32, f32) -> f32,
    ) {
        let mut reach = reach;
        for &number in &self.endless {
            reach = body(number, reach);
        }
        let inverse = |value: f32| 1.0 / if value.abs() < 1e-9 { 1e-9 } else { value };
        let inverse = vec3(inverse(direction.x), inverse(direction.y), inverse(direction.z));
        let mut stack = [0_u32; 32];
        let mut height = usize::from(!self.nodes.is_empty());
        while height > 0 && reach > 0.0 {
            height -= 1;
            let Some(&number) = stack.get(height) else { return };
            let Some(node) = self.nodes.get(number as usize) else {
                return;
            };
            let (x0, x1) = (
                (node.low.x - origin.x) * inverse.x,
                (node.high.x - origin.x) * inverse.x,
            );
            let (y0, y1) = (
                (node.low.y - origin.y) * inverse.y,
                (node.high.y - origin.y) * inverse.y,
            );
            let (z0, z1) = (
                (node.low.z - origin.z) * inverse.z,
                (node.high.z - origin.z) * inverse.z,
            );
            let near = x0.min(x1).max(y0.min(y1)).max(z0.min(z1));
            let far = x0.max(x1).min(y0.max(y1)).min(z0.max(z1));
            if near > far || far < 0.0 || near > reach {
                continue;
            }
            if node.count > 0 {
                let from = node.next as usize;
                for &number in self
                    .order
                    .get(from..from + node.count as usize)
                    .unwrap_or_default()
                {
                    reach = body(number, reach);
                }
            } else {
                for child in [node.next, number + 1] {
                    if let Some(place) = stack.get_mut(height) {
                        *place = child;
                        height += 1;
                    }
                }
            }
        }
    }
}
