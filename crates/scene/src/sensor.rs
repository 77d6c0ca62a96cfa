//! What the sensor adds and what is done to the picture.

use crate::math::{Dice, clamp01, cloud, hash, hash2, unit};

/// Numbers of the noise store; rows take their noise from anywhere in it.
const STORE: usize = 1 << 16;

/// Noise of the sensor, drawn once.
#[derive(Clone, Debug)]
pub(crate) struct Noise {
    store: Vec<i8>,
    seed: u32,
}

impl Noise {
    /// `deviation` in grey levels; a row takes up to `widest` values.
    pub(crate) fn new(deviation: f32, widest: usize, seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ 0x6e6f);
        let mut store: Vec<i8> = Vec::with_capacity(STORE + widest);
        while store.len() < STORE + widest {
            // Brightness noise for the pixel and a little colour noise; sums of evenly spread values.
            let luma = (0..4).map(|_| dice.between(-1.0, 1.0)).sum::<f32>() * (0.866 * deviation);
            for _ in 0..3 {
                let chroma = dice.between(-1.0, 1.0) * (0.55 * deviation);
                store.push((luma + chroma).round().clamp(-100.0, 100.0) as i8);
            }
        }
        Self {
            store,
            seed: (seed ^ (seed >> 32)) as u32,
        }
    }

    /// Adds the noise of picture `index`.
    pub(crate) fn add(&self, index: u64, data: &mut [u8], columns: usize) {
        let frame = hash(index as u32 ^ self.seed);
        for (row, line) in data.chunks_exact_mut(columns * 3).enumerate() {
            let start = (hash(frame ^ (row as u32).wrapping_mul(0x9e37_79b1)) as usize % (STORE / 3)) * 3;
            let Some(noise) = self.store.get(start..start + line.len()) else {
                continue;
            };
            for (value, &add) in line.iter_mut().zip(noise) {
                *value = i16::from(*value).wrapping_add(i16::from(add)).clamp(0, 255) as u8;
            }
        }
    }
}

/// The picture with a cloth before the lens: nearly black, a little light at one edge.
pub(crate) fn covered(columns: usize, rows: usize, seed: u32) -> Vec<u8> {
    let mut data = Vec::with_capacity(columns * rows * 3);
    for row in 0..rows {
        for column in 0..columns {
            let (u, v) = (column as f32 / columns as f32, row as f32 / rows as f32);
            let fold = cloud(u * 3.0, v * 1.5, seed);
            let leak = clamp01(1.0 - (u * 0.9 + v * 0.5) * 3.2);
            let weave = unit(hash2(column as i32 / 2, row as i32 / 2, seed)) * 3.0;
            let grey = 12.0 + 16.0 * fold + 70.0 * leak * leak + weave;
            data.extend([grey * 1.04, grey, grey * 0.9].map(|value| value.min(255.0) as u8));
        }
    }
    data
}

/// Hardly any light.
pub(crate) fn darken(data: &mut [u8]) {
    for value in data {
        *value = (f32::from(*value) * 0.07) as u8;
    }
}

/// Far too much light.
pub(crate) fn over_expose(data: &mut [u8]) {
    for value in data {
        *value = (f32::from(*value) * 2.6 + 105.0).min(255.0) as u8;
    }
}

/// Out of focus: three box filters both ways, close to a bell shape.
pub(crate) fn blur(data: &mut [u8], columns: usize, rows: usize) {
    let radius = (columns / 110).max(2);
    let mut line = vec![0_u8; columns.max(rows)];
    for _ in 0..3 {
        for row in 0..rows {
            for channel in 0..3 {
                box_line(data, row * columns * 3 + channel, 3, columns, radius, &mut line);
            }
        }
        for column in 0..columns {
            for channel in 0..3 {
                box_line(data, column * 3 + channel, columns * 3, rows, radius, &mut line);
            }
        }
    }
}

/// Box filter along one line of `count` values that lie `step` apart from `first` on.
fn box_line(data: &mut [u8], first: usize, step: usize, count: usize, radius: usize, line: &mut [u8]) {
    let at = |data: &[u8], place: i64| {
        let place = place.clamp(0, count as i64 - 1) as usize;
        data.get(first + place * step)
            .map_or(0, |&value| u32::from(value))
    };
    let span = radius as i64;
    let mut sum: u32 = (-span..=span).map(|place| at(data, place)).sum();
    let width = 2 * radius as u32 + 1;
    for (place, value) in line.iter_mut().take(count).enumerate() {
        *value = (sum / width) as u8;
        let place = place as i64;
        sum = sum + at(data, place + span + 1) - at(data, place - span);
    }
    for (place, &value) in line.iter().take(count).enumerate() {
        if let Some(pixel) = data.get_mut(first + place * step) {
            *pixel = value;
        }
    }
}
