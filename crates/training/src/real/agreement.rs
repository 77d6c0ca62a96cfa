//! How far two detectors find the same on real pictures, of which no truth is known.

use mineseal_detector::{Detector, PictureRef, YoloxDetector};
use mineseal_domain::{Detection, ObjectGroup};

use crate::error::TrainingError;
use crate::real::RealFrame;

/// Boxes are the same from this intersection over union on.
const OVERLAP: f32 = 0.5;

/// What two detectors say of the same frames, for one group of classes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Agreement {
    /// Boxes of the teacher.
    pub teacher: usize,
    /// Boxes of the student.
    pub student: usize,
    /// Pairs of both that overlap by half or more; each box once.
    pub both: usize,
}

impl Agreement {
    /// Twice the pairs over all boxes; 1 where neither finds anything.
    #[must_use]
    pub fn f1(&self) -> f64 {
        let boxes = self.teacher + self.student;
        if boxes == 0 {
            1.0
        } else {
            2.0 * self.both as f64 / boxes as f64
        }
    }

    fn count(&mut self, teacher: &[&Detection], student: &[&Detection]) {
        let mut free: Vec<&&Detection> = teacher.iter().collect();
        for found in student {
            let overlap = |other: &Detection| found.bounding_box.intersection_over_union(&other.bounding_box);
            let best = (0..free.len()).max_by(|a, b| overlap(free[*a]).total_cmp(&overlap(free[*b])));
            if let Some(index) = best.filter(|index| overlap(free[*index]) >= OVERLAP) {
                free.remove(index);
                self.both += 1;
            }
        }
        self.teacher += teacher.len();
        self.student += student.len();
    }
}

/// Persons and vehicles (cars, buses and trucks together) on the frames, each detector with its own settings.
///
/// # Errors
/// A frame that a detector refuses.
pub fn agreement(
    teacher: &mut YoloxDetector,
    student: &mut YoloxDetector,
    frames: &[RealFrame],
) -> Result<[Agreement; 2], TrainingError> {
    let refused = |error: mineseal_detector::DetectorError| TrainingError::Detector(error.to_string());
    let mut result = [Agreement::default(); 2];
    for frame in frames {
        let picture = [PictureRef::Jpeg(&frame.jpeg)];
        let first = teacher.detect(&picture).map_err(refused)?;
        let second = student.detect(&picture).map_err(refused)?;
        let groups = [ObjectGroup::Person, ObjectGroup::Vehicle];
        for (sum, group) in result.iter_mut().zip(groups) {
            let of_group = |found: &Detection| found.class.group() == Some(group);
            let first: Vec<&Detection> = first.iter().flatten().filter(|one| of_group(one)).collect();
            let second: Vec<&Detection> = second.iter().flatten().filter(|one| of_group(one)).collect();
            sum.count(&first, &second);
        }
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mineseal_domain::{BoundingBox, ObjectClass};

    #[test]
    fn a_box_agrees_once() {
        let found = |left: f32| Detection {
            class: ObjectClass::Person,
            score: 0.9,
            bounding_box: BoundingBox {
                left,
                top: 0.0,
                width: 10.0,
                height: 20.0,
            },
        };
        let (a, b, c) = (found(0.0), found(1.0), found(50.0));
        let mut sum = Agreement::default();
        sum.count(&[&a, &c], &[&a, &b]);
        assert_eq!((sum.teacher, sum.student, sum.both), (2, 2, 1));
        assert!((sum.f1() - 0.5).abs() < 1e-9);
        assert!((Agreement::default().f1() - 1.0).abs() < 1e-9);
    }
}
