//! A detector that errs as detectors do: from what is truly in a picture to what such a detector tells of it.
//!
//! Nothing here is measured on one detector; the figures are chosen on the bad side of what YOLOX-Nano shows on
//! street clips. Every error is drawn from one seeded generator, so that the same seed errs the same way.

use std::collections::BTreeMap;

use mineseal_domain::{BoundingBox, Detection, ObjectClass};
use mineseal_scene::TruthObject;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The errors, as chances for each object and picture unless something else is said. Lengths are shares of the
/// box's height (vertical) and width (sideways).
#[derive(Clone, Debug)]
pub(crate) struct Errors {
    /// A figure in full sight is not found.
    pub(crate) missed: f64,
    /// What was missed is missed in the next picture too: misses come in runs.
    pub(crate) missed_again: f64,
    /// Standard deviation of each edge of a box.
    pub(crate) jitter: f64,
    /// The legs are not found: the lower third of the box is lost.
    pub(crate) legs_lost: f64,
    /// The score falls below half.
    pub(crate) score_drop: f64,
    /// A second box lies over the first.
    pub(crate) doubled: f64,
    /// Boxes where nobody is, in a picture.
    pub(crate) false_boxes: f64,
    /// Whatever has its centre in here is hidden: a pillar before the scene.
    pub(crate) pillar: Option<BoundingBox>,
}

impl Default for Errors {
    fn default() -> Self {
        Self {
            missed: 0.05,
            missed_again: 0.4,
            jitter: 0.025,
            legs_lost: 0.03,
            score_drop: 0.06,
            doubled: 0.01,
            false_boxes: 0.03,
            pillar: None,
        }
    }
}

pub(crate) struct Eye {
    errors: Errors,
    size: (f32, f32),
    dice: ChaCha8Rng,
    missed_before: BTreeMap<i64, bool>,
}

impl Eye {
    /// An eye on pictures of this width and height.
    pub(crate) fn new(errors: Errors, size: (f32, f32), seed: u64) -> Self {
        Self {
            errors,
            size,
            dice: ChaCha8Rng::seed_from_u64(seed),
            missed_before: BTreeMap::new(),
        }
    }

    /// What is told of a picture that shows these objects.
    pub(crate) fn look(&mut self, objects: &[TruthObject]) -> Vec<Detection> {
        let mut found = Vec::new();
        for object in objects {
            self.look_at(object, &mut found);
        }
        if self.chance(self.errors.false_boxes) {
            let (width, height) = self.size;
            let tall = height * self.between(0.08, 0.3);
            let bounding_box = BoundingBox {
                left: self.between(0.0, 0.9) * width,
                top: self.between(0.0, 0.7) * height,
                width: tall * 0.4,
                height: tall,
            };
            let score = self.between(0.1, 0.6);
            found.extend(self.in_picture(ObjectClass::Person, score, bounding_box));
        }
        found
    }

    fn look_at(&mut self, object: &TruthObject, found: &mut Vec<Detection>) {
        let seen = object.bounding_box;
        let share = f64::from(object.visible_share);
        let centre = (seen.left + seen.width / 2.0, seen.top + seen.height / 2.0);
        let behind_pillar = self.errors.pillar.is_some_and(|pillar| {
            (pillar.left..pillar.right()).contains(&centre.0)
                && (pillar.top..pillar.bottom()).contains(&centre.1)
        });
        // Whose half is hidden is mostly found, of whom a third is left mostly not.
        let hidden = ((0.6 - share) / 0.45).clamp(0.0, 1.0);
        let mut chance = self.errors.missed + (1.0 - self.errors.missed) * hidden;
        if self.missed_before.get(&object.id) == Some(&true) {
            chance = chance.max(self.errors.missed_again);
        }
        let missed = behind_pillar || self.chance(chance);
        self.missed_before.insert(object.id, missed);
        if missed {
            return;
        }
        let jitter = self.errors.jitter;
        let sideways = |eye: &mut Self| (eye.normal() * jitter * 1.5) as f32 * seen.width;
        let vertical = |eye: &mut Self| (eye.normal() * jitter) as f32 * seen.height;
        let left = seen.left + sideways(self);
        let right = seen.right() + sideways(self);
        let top = seen.top + vertical(self);
        let mut bottom = seen.bottom() + vertical(self);
        if self.chance(self.errors.legs_lost) {
            bottom -= seen.height / 3.0;
        }
        let mut score = (0.45 + 0.4 * share + 0.08 * self.normal()).clamp(0.06, 0.97) as f32;
        if self.chance(self.errors.score_drop) {
            score *= 0.4;
        }
        let bounding_box = BoundingBox {
            left,
            top,
            width: (right - left).max(2.0),
            height: (bottom - top).max(2.0),
        };
        found.extend(self.in_picture(object.class, score, bounding_box));
        if self.chance(self.errors.doubled) {
            let second = BoundingBox {
                left: bounding_box.left + 0.25 * bounding_box.width,
                top: bounding_box.top + 0.1 * bounding_box.height,
                ..bounding_box
            };
            found.extend(self.in_picture(object.class, score * 0.6, second));
        }
    }

    /// The part of the box inside the picture, if there is one.
    fn in_picture(&self, class: ObjectClass, score: f32, whole: BoundingBox) -> Option<Detection> {
        let (left, top) = (whole.left.max(0.0), whole.top.max(0.0));
        let bounding_box = BoundingBox {
            left,
            top,
            width: whole.right().min(self.size.0) - left,
            height: whole.bottom().min(self.size.1) - top,
        };
        bounding_box.is_sound().then_some(Detection {
            class,
            score,
            bounding_box,
        })
    }

    fn chance(&mut self, chance: f64) -> bool {
        self.dice.random::<f64>() < chance
    }

    fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.dice.random::<f32>()
    }

    /// Standard normal, by the sum of twelve (Irwin and Hall): no tails beyond six.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.dice.random::<f64>()).sum::<f64>() - 6.0
    }
}
