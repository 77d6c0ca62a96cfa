//! Scenes that the tests of this crate make up.

use std::ops::Range;

use mineseal_domain::UtcMicros;

use crate::LumaPlane;
use crate::shrunk::Shrunk;

pub(crate) const WIDTH: usize = 160;
pub(crate) const HEIGHT: usize = 90;

/// A number that looks random and is the same each time.
pub(crate) fn mixed(number: u64) -> u64 {
    let mut mixed = number;
    for _ in 0..2 {
        mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    mixed ^ (mixed >> 29)
}

/// Hands over the pictures `frames`, five a second; what was said of the last one.
pub(crate) fn play(
    frames: Range<u64>,
    of: impl Fn(u64) -> Vec<u8>,
    mut take: impl FnMut(UtcMicros, &Shrunk) -> i64,
) -> i64 {
    let mut said = 0;
    for frame in frames {
        let data = of(frame);
        let mut shrunk = Shrunk::default();
        shrunk.take(&LumaPlane::new(WIDTH, HEIGHT, WIDTH, &data).unwrap());
        said = take(UtcMicros(frame as i64 * 200_000), &shrunk);
    }
    said
}
