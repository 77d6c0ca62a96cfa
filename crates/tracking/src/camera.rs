use serde::{Deserialize, Serialize};

/// Fewer tracks than this say nothing about the camera: two may walk together.
const LEAST_TO_LEARN: usize = 3;

/// Fewer tracks than this cannot tell the camera's displacement, even where it is known to move.
const LEAST_TO_ESTIMATE: usize = 2;

/// Time constant with which it is forgotten how the camera moved, in seconds.
const MEMORY_SECONDS: f64 = 3.0;

/// A displacement below this share of the objects' mean size is left to the tracks' own filters.
const LEAST_SHARE: f64 = 0.01;

/// How far one detection lies from where its track expected it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Innovation {
    /// Of the centre, in pixels.
    pub(crate) offset: [f64; 2],
    /// Variance that the track's filter expects of it, square pixels.
    pub(crate) variance: [f64; 2],
    /// Longer side of the box, pixels.
    pub(crate) size: f64,
}

/// What the movement of all tracks has in common: the camera's own, which is carried, shaken by wind or trucks,
/// or turned.
///
/// An empirical Bayes estimate. If the camera stands still, the median of the tracks' innovations varies as the
/// filters say it should; what it varies beyond that is the camera's, and its mean square is learnt. The median
/// of a frame then counts in the proportion of that variance to its own: a camera that never moved gives
/// nothing, however the people walk, and one that moves all the time is followed at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct CameraMotion {
    /// Mean square speed in x and y, beyond that of the objects; square pixels per square second. Below zero by
    /// chance where the camera stands still.
    square_speed: [f64; 2],
}

impl CameraMotion {
    /// Takes what was seen `seconds` after the frame before; returns the displacement of the picture, in pixels.
    pub(crate) fn displacement(&mut self, seconds: f64, seen: &[Innovation]) -> [f64; 2] {
        let mut displacement = [0.0; 2];
        if seen.len() < LEAST_TO_ESTIMATE || seconds <= 0.0 {
            return displacement;
        }
        let size = seen.iter().map(|one| one.size).sum::<f64>() / seen.len() as f64;
        let square_seconds = seconds * seconds;
        for (axis, (moved, square_speed)) in displacement.iter_mut().zip(&mut self.square_speed).enumerate() {
            let common = median(seen.iter().map(|one| one.offset[axis]));
            // That of the weighted mean; the median's is hardly larger, since few tracks weigh alike.
            let variance = 1.0 / seen.iter().map(|one| one.variance[axis].recip()).sum::<f64>();
            if seen.len() >= LEAST_TO_LEARN {
                let gain = 1.0 - (-seconds / MEMORY_SECONDS).exp();
                *square_speed += gain * ((common * common - variance) / square_seconds - *square_speed);
            }
            let of_camera = square_speed.max(0.0) * square_seconds;
            *moved = common * of_camera / (of_camera + variance);
        }
        if displacement[0].hypot(displacement[1]) < LEAST_SHARE * size {
            return [0.0; 2];
        }
        displacement
    }
}

/// The middle one; of an even number the mean of both, so that a mirrored picture gives the mirrored value.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        count => (values[(count - 1) / 2] + values[count / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn innovations(offsets: &[f64]) -> Vec<Innovation> {
        let of = |&offset: &f64| Innovation {
            offset: [offset, 0.0],
            variance: [4.0, 4.0],
            size: 100.0,
        };
        offsets.iter().map(of).collect()
    }

    #[test]
    fn a_camera_that_stands_still_is_left_alone_however_people_walk() {
        let mut camera = CameraMotion::default();
        for frame in 0..200 {
            // They walk apart: nothing in common.
            let step = f64::from(frame % 3) - 1.0;
            let seen = innovations(&[2.0 * step, -2.0 * step, 2.5, -2.5, 0.4]);
            assert_eq!(camera.displacement(0.1, &seen), [0.0; 2]);
        }
    }

    #[test]
    fn a_camera_that_moves_is_followed_and_one_that_comes_to_rest_is_let_go() {
        let mut camera = CameraMotion::default();
        let mut last = 0.0;
        for frame in 0..60 {
            let shake = if frame % 2 == 0 { 30.0 } else { -30.0 };
            let seen = innovations(&[shake + 1.0, shake - 2.0, shake, shake + 2.0]);
            last = camera.displacement(0.1, &seen)[0] / shake;
        }
        assert!(last > 0.95, "{last} of the shake is taken for the camera's");
        for _ in 0..300 {
            last = camera.displacement(0.1, &innovations(&[1.0, -1.0, 2.0, -2.0]))[0];
        }
        assert_eq!(last, 0.0);
    }

    #[test]
    fn one_object_is_never_taken_for_the_camera() {
        let mut camera = CameraMotion::default();
        for _ in 0..100 {
            assert_eq!(camera.displacement(0.1, &innovations(&[50.0])), [0.0; 2]);
        }
    }
}
