//! What is left of a motion without its strongest swings.

/// Swings that are taken out: one for a lamp, two for a wheel.
pub(crate) const SWINGS: usize = 3;
/// Steps of the power iteration for each.
const STEPS: usize = 6;
/// What is left of a cell counts from here on, levels; less may come from noise and rounding.
const LEAST_LEVEL: f32 = 2.0;
/// Part of the squares that must be left of numbers without a unit.
const LEAST_PART: f32 = 0.1;
/// Mean sum of squares of what must be left in a row,
const LEAST_LEFT: f32 = 3.0;
/// and part of all squares: an encoder shows a blinking lamp with traces of its own, which come back with it.
const LEAST_PART_OF_LEVELS: f32 = 0.02;

/// How far two matrices of equal shape (rows of `columns`) agree after the strongest swings of the first are
/// taken out of both: their normalised correlation, or 0 where hardly anything is left.
pub(crate) fn agreement(mut one: Vec<f32>, mut other: Vec<f32>, columns: usize) -> f32 {
    centre(&mut one, columns);
    let whole = dot(&one, &one);
    if !take_out(&mut one, &mut other, columns, SWINGS) || dot(&one, &one) < LEAST_PART_OF_LEVELS * whole {
        return 0.0;
    }
    let rows = (one.len() / columns.max(1)).max(1) as f32;
    let left = |matrix: &[f32]| {
        let counting = matrix.iter().filter(|value| value.abs() > LEAST_LEVEL);
        counting.map(|value| value * value).sum::<f32>()
    };
    if left(&one).min(left(&other)) < LEAST_LEFT * rows {
        return 0.0;
    }
    likeness(&one, &other)
}

/// The same of numbers that have no unit: 0 where less than a tenth of their squares is left.
pub(crate) fn agreement_beyond(mut one: Vec<f32>, mut other: Vec<f32>, columns: usize, swings: usize) -> f32 {
    let whole = dot(&one, &one).min(dot(&other, &other));
    if whole <= f32::EPSILON || !take_out(&mut one, &mut other, columns, swings) {
        return 0.0;
    }
    if dot(&one, &one).min(dot(&other, &other)) < LEAST_PART * whole {
        return 0.0;
    }
    likeness(&one, &other)
}

fn likeness(one: &[f32], other: &[f32]) -> f32 {
    dot(one, other) / (dot(one, one).sqrt() * dot(other, other).sqrt())
}

/// Takes the strongest swings of the first out of both; false where nothing swings.
fn take_out(one: &mut [f32], other: &mut [f32], columns: usize, swings: usize) -> bool {
    centre(one, columns);
    centre(other, columns);
    for swing in 0..swings {
        // Any start that is not at right angles to the swing.
        let mut mode: Vec<f32> = (0..columns)
            .map(|place| 1.0 + ((place * 7 + swing * 3) % 11) as f32 * 0.1)
            .collect();
        for _ in 0..STEPS {
            let mut next = vec![0.0_f32; columns];
            for row in one.chunks_exact(columns) {
                let along = dot(row, &mode);
                for (value, &cell) in next.iter_mut().zip(row) {
                    *value += along * cell;
                }
            }
            let length = dot(&next, &next).sqrt();
            if length <= f32::EPSILON {
                return false;
            }
            mode = next.into_iter().map(|value| value / length).collect();
        }
        for row in one
            .chunks_exact_mut(columns)
            .chain(other.chunks_exact_mut(columns))
        {
            let along = dot(row, &mode);
            for (cell, &value) in row.iter_mut().zip(&mode) {
                *cell -= along * value;
            }
        }
    }
    true
}

fn dot(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).fold(0.0, |sum, (a, b)| sum + a * b)
}

/// Takes the mean of each column out.
fn centre(matrix: &mut [f32], columns: usize) {
    let rows = (matrix.len() / columns.max(1)).max(1) as f32;
    let mut means = vec![0.0_f32; columns];
    for row in matrix.chunks_exact(columns) {
        for (mean, &value) in means.iter_mut().zip(row) {
            *mean += value / rows;
        }
    }
    for row in matrix.chunks_exact_mut(columns) {
        for (value, &mean) in row.iter_mut().zip(&means) {
            *value -= mean;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: usize = 24;

    /// 60 rows of something drawn from `of(row, column)`.
    fn drawn(of: impl Fn(usize, usize) -> f32) -> Vec<f32> {
        (0..60 * COLUMNS)
            .map(|place| of(place / COLUMNS, place % COLUMNS))
            .collect()
    }

    /// Somebody walks: a bump that moves from column to column.
    fn walk(row: usize, column: usize) -> f32 {
        let at = (row as f32 * 0.7) % 40.0;
        30.0 * (1.0 - (column as f32 - at).abs() / 2.0).max(0.0)
    }

    #[test]
    fn a_walk_agrees_with_itself_and_not_with_another() {
        assert!(agreement(drawn(walk), drawn(walk), COLUMNS) > 0.95);
        assert!(agreement(drawn(walk), drawn(|row, column| walk(row + 20, column)), COLUMNS) < 0.4);
    }

    #[test]
    fn a_blinking_lamp_and_a_turning_wheel_leave_nothing() {
        let lamp = |row: usize, column: usize| {
            if (row / 3).is_multiple_of(2) {
                column as f32
            } else {
                0.0
            }
        };
        assert_eq!(agreement(drawn(lamp), drawn(lamp), COLUMNS), 0.0);
        let wheel = |row: usize, column: usize| 20.0 * (row as f32 * 0.8 + column as f32 * 0.5).sin();
        assert_eq!(agreement(drawn(wheel), drawn(wheel), COLUMNS), 0.0);
    }

    /// A lamp of 120 levels, and traces that come back with it.
    #[test]
    fn the_traces_that_an_encoder_leaves_of_a_lamp_are_too_little() {
        let lamp = |traces: f32| {
            move |row: usize, column: usize| {
                let lit = if (row / 3).is_multiple_of(2) { 120.0 } else { 0.0 };
                lit + if (row % 6 * 7 + column * 11).is_multiple_of(5) {
                    traces
                } else {
                    0.0
                }
            }
        };
        assert_eq!(agreement(drawn(lamp(8.0)), drawn(lamp(8.0)), COLUMNS), 0.0);
        assert!(agreement(drawn(lamp(80.0)), drawn(lamp(80.0)), COLUMNS) > 0.9);
    }

    #[test]
    fn nothing_agrees_with_nothing() {
        assert_eq!(agreement(drawn(|_, _| 7.0), drawn(|_, _| 7.0), COLUMNS), 0.0);
    }
}
