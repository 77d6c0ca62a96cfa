//! What weather, animals, machines and a disturbed camera lay over the picture.

use crate::math::{cosine, hash, hash2, sine, unit};

/// Sways of a camera, as shares of the picture's width, at that second: three swings of unlike length, so that
/// no sampling rate falls in with all of them.
pub(crate) fn sway(share: f32, seconds: f64, seed: u32) -> [f32; 2] {
    let phase = unit(hash(seed ^ 0x5a17));
    let swing = |per_second: f64, offset: f32| sine((seconds * per_second).rem_euclid(1.0) as f32 + offset);
    [
        share * (0.6 * swing(2.17, phase) + 0.4 * swing(5.31, phase * 1.7)),
        share * 0.7 * swing(3.19, phase * 2.3),
    ]
}

/// Moves the picture by that many pixels, mixing neighbours; what comes in at an edge repeats the edge.
pub(crate) fn shift(data: &mut [u8], columns: usize, rows: usize, by: [f32; 2]) {
    let source = data.to_vec();
    let pixel = |x: i64, y: i64, channel: usize| {
        let (x, y) = (x.clamp(0, columns as i64 - 1), y.clamp(0, rows as i64 - 1));
        let offset = (y as usize * columns + x as usize) * 3 + channel;
        source.get(offset).map_or(0.0, |&value| f32::from(value))
    };
    let [right, down] = by;
    let (whole_x, whole_y) = (right.floor(), down.floor());
    let (part_x, part_y) = (right - whole_x, down - whole_y);
    for (offset, value) in data.iter_mut().enumerate() {
        let (place, channel) = (offset / 3, offset % 3);
        let x = (place % columns) as i64 - whole_x as i64;
        let y = (place / columns) as i64 - whole_y as i64;
        let upper = pixel(x, y, channel) * (1.0 - part_x) + pixel(x - 1, y, channel) * part_x;
        let lower = pixel(x, y - 1, channel) * (1.0 - part_x) + pixel(x - 1, y - 1, channel) * part_x;
        *value = (upper * (1.0 - part_y) + lower * part_y)
            .round()
            .clamp(0.0, 255.0) as u8;
    }
}

/// Mixes `grey` into one pixel.
fn mix(data: &mut [u8], columns: usize, x: i64, y: i64, grey: f32, share: f32) {
    if x < 0 || y < 0 || x >= columns as i64 {
        return;
    }
    let offset = (y as usize * columns + x as usize) * 3;
    if let Some(pixel) = data.get_mut(offset..offset + 3) {
        for value in pixel {
            *value = (f32::from(*value) * (1.0 - share) + grey * share) as u8;
        }
    }
}

/// Streaks of rain that are elsewhere in every picture, and a little haze.
pub(crate) fn rain(data: &mut [u8], columns: usize, rows: usize, index: u64, seed: u32) {
    for value in data.iter_mut() {
        *value = (f32::from(*value) * 0.9 + 13.0) as u8;
    }
    let frame = hash(index as u32 ^ seed ^ 0x7a11);
    let length = (rows / 14).max(3) as i64;
    for streak in 0..(columns * rows / 500) as i32 {
        let x = (unit(hash2(streak, 1, frame)) * columns as f32) as i64;
        let y = (unit(hash2(streak, 2, frame)) * rows as f32) as i64;
        let share = 0.12 + 0.3 * unit(hash2(streak, 3, frame));
        for step in 0..length {
            mix(data, columns, x + step / 4, y + step, 205.0, share);
        }
    }
}

/// Three insects near the lens, out of focus and lit from beside it; each comes and goes.
pub(crate) fn insects(data: &mut [u8], columns: usize, rows: usize, seconds: f64, seed: u32) {
    for insect in 0..3_i32 {
        // Every visit has a path of its own.
        let stay = 2.0 + 3.0 * f64::from(insect);
        let visit = (seconds / stay).floor();
        let chance = |what: i32| unit(hash2(visit as i32, insect * 16 + what, seed ^ 0x1b5e));
        if chance(0) > 0.6 {
            continue;
        }
        let along = (seconds / stay - visit) as f32;
        let turn = 1.2 * along + chance(1);
        let across = chance(2) + (along - 0.5) * 1.4 * (chance(3) - 0.5) + 0.12 * sine(turn);
        let down = chance(4) + (along - 0.5) * 1.4 * (chance(5) - 0.5) + 0.12 * cosine(turn * 1.3);
        let radius = columns as f32 * (0.02 + 0.06 * chance(6));
        let (x, y) = (across * columns as f32, down * rows as f32);
        let span = radius.ceil() as i64;
        for dy in -span..=span {
            for dx in -span..=span {
                let away = ((dx * dx + dy * dy) as f32).sqrt() / radius;
                if away < 1.0 {
                    mix(
                        data,
                        columns,
                        x as i64 + dx,
                        y as i64 + dy,
                        225.0,
                        0.75 * (1.0 - away * away),
                    );
                }
            }
        }
    }
}

/// Light of a lamp beside the scene: it brightens what is near it.
pub(crate) fn lamp(data: &mut [u8], columns: usize, rows: usize, seed: u32) {
    let x = unit(hash(seed ^ 0x1a3b)) * columns as f32;
    let y = unit(hash(seed ^ 0x1a3c)) * rows as f32 * 0.6;
    let reach = columns as f32 * 0.45;
    for (place, pixel) in data.chunks_exact_mut(3).enumerate() {
        let (dx, dy) = ((place % columns) as f32 - x, (place / columns) as f32 - y);
        let near = 1.0 / (1.0 + (dx * dx + dy * dy) / (reach * reach) * 6.0);
        for value in pixel {
            *value = (f32::from(*value) * (1.0 + 0.9 * near) + 14.0 * near).min(255.0) as u8;
        }
    }
}

/// No colours: every pixel has its brightness in all channels.
pub(crate) fn grey(data: &mut [u8]) {
    for pixel in data.chunks_exact_mut(3) {
        if let [red, green, blue] = pixel {
            let level = f32::from(*red) * 0.299 + f32::from(*green) * 0.587 + f32::from(*blue) * 0.114;
            [*red, *green, *blue] = [level as u8; 3];
        }
    }
}

/// Something smooth and out of focus, such as a hand or a bag, over that share of the picture from the left.
pub(crate) fn cover_part(data: &mut [u8], columns: usize, share: f32, seed: u32) {
    let edge = share * columns as f32;
    let soft = columns as f32 * 0.04;
    let grey = 45.0 + 60.0 * unit(hash(seed ^ 0xc0e2));
    let rows = data.len() / 3 / columns.max(1);
    for (place, pixel) in data.chunks_exact_mut(3).enumerate() {
        let (x, y) = (
            (place % columns) as f32,
            (place / columns) as f32 / rows.max(1) as f32,
        );
        let covered = ((edge - x) / soft + 0.5).clamp(0.0, 1.0);
        let level = grey + 18.0 * y;
        for value in pixel {
            *value = (f32::from(*value) * (1.0 - covered) + level * covered) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: usize = 40;
    const ROWS: usize = 20;

    fn ramp() -> Vec<u8> {
        (0..COLUMNS * ROWS)
            .flat_map(|place| [(place % COLUMNS * 4) as u8, 40, 90])
            .collect()
    }

    #[test]
    fn a_shift_moves_by_whole_pixels_and_by_parts_of_them() {
        let mut moved = ramp();
        shift(&mut moved, COLUMNS, ROWS, [3.0, 1.0]);
        assert_eq!(moved[(5 * COLUMNS + 10) * 3], 28);
        let mut moved = ramp();
        shift(&mut moved, COLUMNS, ROWS, [-0.5, 0.0]);
        assert_eq!(moved[(5 * COLUMNS + 10) * 3], 42);
    }

    #[test]
    fn sways_stay_within_their_share() {
        for step in 0..2_000 {
            let [right, down] = sway(0.02, f64::from(step) * 0.13, 7);
            assert!(right.abs() <= 0.0201 && down.abs() <= 0.0201);
        }
    }

    #[test]
    fn every_overlay_changes_the_picture_and_is_the_same_again() {
        let overlays: [fn(&mut [u8]); 5] = [
            |data| rain(data, COLUMNS, ROWS, 5, 9),
            |data| (0..40).for_each(|step| insects(data, COLUMNS, ROWS, f64::from(step), 9)),
            |data| lamp(data, COLUMNS, ROWS, 9),
            grey,
            |data| cover_part(data, COLUMNS, 0.5, 9),
        ];
        for (number, overlay) in overlays.into_iter().enumerate() {
            let (mut one, mut other) = (ramp(), ramp());
            overlay(&mut one);
            overlay(&mut other);
            assert_eq!(one, other, "{number}");
            assert_ne!(one, ramp(), "{number}");
        }
    }

    #[test]
    fn a_part_cover_leaves_the_other_part() {
        let mut data = ramp();
        cover_part(&mut data, COLUMNS, 0.5, 3);
        let pixel = |data: &[u8], x: usize| data[(10 * COLUMNS + x) * 3 + 2];
        assert_eq!(pixel(&data, 35), 90);
        assert_eq!(pixel(&data, 0), pixel(&data, 10));
    }
}
