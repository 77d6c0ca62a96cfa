//! How much of a picture stands still, sensor noise included.
//!
//! A picture that stands still in front of an encoder does not behind it: with each key frame the encoder draws all of it
//! anew, and much of it a little otherwise. Of a living scene it draws everything otherwise, as the noise is new. So where some
//! cells are as they were, those that differ by as little as a redrawn one stand still as well; and a picture that differs from
//! the one before is compared with the last ones that did, too.

use serde::{Deserialize, Serialize};

use crate::look::still_share;
use crate::shrunk::Shrunk;

/// Mean absolute difference below which a cell is still, levels. Noise of a living sensor, averaged over the
/// pixels of one shrunk pixel, gives several times this.
const STILL: f32 = 0.1;
/// Where at least this share of the cells is still,
const SOME: f32 = 0.15;
/// the others are, too, below this, levels: they were drawn anew.
const REDRAWN: f32 = 1.5;
/// A picture stirs where less than this stands still.
const STIRRED: f32 = 0.95;
/// Pixels that are glanced at together, one of so many, and their mean absolute difference where pictures may be alike.
const GLANCE: usize = 64;
const GLANCED_ONE_OF: usize = 8;
const GLANCED_ALIKE: f32 = 0.3;
/// So many that stirred are kept: a key frame and what follows it.
const KEPT: usize = 2;

/// Pictures that stirred.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stillness {
    /// The latest last.
    stirred: Vec<Stirred>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Stirred {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Stillness {
    /// The share of the cells that stand still, of all: since the picture before or since one that stirred. Both pictures have
    /// the same size.
    pub(crate) fn take(&mut self, now: &Shrunk, before: &Shrunk) -> f32 {
        let share = still(now, &before.pixels);
        if share >= STIRRED {
            return share;
        }
        self.stirred
            .retain(|stirred| (stirred.width, stirred.height) == (now.width, now.height));
        let shares = self
            .stirred
            .iter()
            .filter(|stirred| looks_alike(&now.pixels, &stirred.pixels))
            .map(|stirred| still(now, &stirred.pixels));
        let share = shares.fold(share, f32::max);
        // The memory of the oldest is used again.
        let mut newest = if self.stirred.len() < KEPT {
            Stirred::default()
        } else {
            self.stirred.remove(0)
        };
        (newest.width, newest.height) = (now.width, now.height);
        newest.pixels.clone_from(&now.pixels);
        self.stirred.push(newest);
        share
    }

    /// Whether a state that was read from somewhere can be gone on with.
    pub(crate) fn is_sound(&self) -> bool {
        self.stirred.len() <= KEPT
            && self
                .stirred
                .iter()
                .all(|stirred| stirred.width.checked_mul(stirred.height) == Some(stirred.pixels.len()))
    }
}

fn still(now: &Shrunk, before: &[u8]) -> f32 {
    let share = still_share(now, before, STILL);
    if (SOME..STIRRED).contains(&share) {
        still_share(now, before, REDRAWN)
    } else {
        share
    }
}

/// Whether a glance at some of the pixels leaves room for cells that stand still: in a scene with noise it does not.
fn looks_alike(now: &[u8], before: &[u8]) -> bool {
    let chunks = now.chunks_exact(GLANCE).zip(before.chunks_exact(GLANCE));
    let (mut sum, mut count) = (0_u32, 0);
    for (now, before) in chunks.step_by(GLANCED_ONE_OF) {
        let pairs = now.iter().zip(before);
        sum = pairs.fold(sum, |sum, (&a, &b)| sum.wrapping_add(u32::from(a.abs_diff(b))));
        count += GLANCE;
    }
    sum as f32 <= GLANCED_ALIKE * count as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LumaPlane;
    use crate::testing::{HEIGHT, WIDTH, mixed};

    fn picture(of: u64) -> Shrunk {
        let data: Vec<u8> = (0..WIDTH * HEIGHT)
            .map(|place| 100 + (mixed(of << 20 | place as u64) >> 61) as u8)
            .collect();
        let mut shrunk = Shrunk::default();
        shrunk.take(&LumaPlane::new(WIDTH, HEIGHT, WIDTH, &data).unwrap());
        shrunk
    }

    #[test]
    fn what_an_encoder_draws_anew_alike_stands_still() {
        let mut stillness = Stillness::default();
        let (key, after) = (picture(1), picture(2));
        let mut shares = Vec::new();
        for _ in 0..3 {
            shares.push(stillness.take(&key, &after));
            shares.push(stillness.take(&after, &key));
            shares.push(stillness.take(&after, &after));
            assert!(stillness.is_sound());
        }
        assert_eq!(shares, [0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
    }

    /// A third of the picture stands, the rest is drawn a level otherwise; or somebody walks in it.
    #[test]
    fn what_is_drawn_a_little_otherwise_stands_still_and_what_moves_does_not() {
        let scene = |by: u8| {
            let data: Vec<u8> = (0..WIDTH * HEIGHT)
                .map(|place| if place % WIDTH < WIDTH / 3 { 100 } else { 100 + by })
                .collect();
            let mut shrunk = Shrunk::default();
            shrunk.take(&LumaPlane::new(WIDTH, HEIGHT, WIDTH, &data).unwrap());
            shrunk
        };
        assert_eq!(Stillness::default().take(&scene(1), &scene(0)), 1.0);
        assert!(Stillness::default().take(&scene(9), &scene(0)) < 0.4);
    }

    #[test]
    fn what_is_drawn_anew_otherwise_lives() {
        let mut stillness = Stillness::default();
        for number in 0..9 {
            assert_eq!(stillness.take(&picture(number + 1), &picture(number)), 0.0);
        }
    }
}
