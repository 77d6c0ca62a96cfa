//! Average precision at an overlap of one half: how well detections agree with the truths.

use mineseal_domain::{BoundingBox, Detection};

use crate::layers::CLASSES;
use crate::truth::Truth;

/// A detection is right from this intersection over union on.
const OVERLAP: f32 = 0.5;

/// How well one class is found.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct ClassFigures {
    /// Name of the class.
    pub class: &'static str,
    /// Objects that count.
    pub objects: usize,
    /// Area under the precision-recall curve, all points, at an overlap of 0.5; 0 without objects.
    pub average_precision: f64,
    /// Share of the objects that are found with at least the asked score.
    pub recall: f64,
    /// Share of the detections with at least the asked score that are right; 1 without detections.
    pub precision: f64,
}

/// One picture's detections beside its truths.
#[derive(Clone, Debug)]
pub struct Judged<'a> {
    /// What was found.
    pub detections: Vec<Detection>,
    /// What is there, in the same pixels.
    pub truths: &'a [Truth],
}

/// Share of `inner` that lies in `outer`.
fn share_inside(inner: &BoundingBox, outer: &BoundingBox) -> f32 {
    let width = inner.right().min(outer.right()) - inner.left.max(outer.left);
    let height = inner.bottom().min(outer.bottom()) - inner.top.max(outer.top);
    if width <= 0.0 || height <= 0.0 {
        0.0
    } else {
        width * height / inner.area().max(1e-6)
    }
}

/// Scores of the detections of one class in one picture, with whether they are right; those on an ignored
/// object are left out. The better scored detection takes the object.
fn judge(picture: &Judged<'_>, class: usize) -> Vec<(f32, bool)> {
    let named = |detection: &&Detection| detection.class.name() == CLASSES[class];
    let mut detections: Vec<&Detection> = picture.detections.iter().filter(named).collect();
    detections.sort_by(|a, b| b.score.total_cmp(&a.score));
    let wanted: Vec<&Truth> = picture
        .truths
        .iter()
        .filter(|t| t.class == class && !t.ignored)
        .collect();
    let mut taken = vec![false; wanted.len()];
    let mut verdicts = Vec::new();
    for detection in detections {
        let overlap = |truth: &Truth| {
            detection
                .bounding_box
                .intersection_over_union(&truth.bounding_box)
        };
        let free = wanted.iter().enumerate().filter(|(index, _)| !taken[*index]);
        let best = free
            .map(|(index, truth)| (overlap(truth), index))
            .max_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((_, index)) = best.filter(|(overlap, _)| *overlap >= OVERLAP) {
            taken[index] = true;
            verdicts.push((detection.score, true));
            continue;
        }
        let ignored = picture.truths.iter().filter(|truth| truth.ignored).any(|truth| {
            overlap(truth) >= OVERLAP || share_inside(&detection.bounding_box, &truth.bounding_box) >= OVERLAP
        });
        if !ignored {
            verdicts.push((detection.score, false));
        }
    }
    verdicts
}

/// The figures of every class; recall and precision count detections from `score` on.
#[must_use]
pub fn figures(pictures: &[Judged<'_>], score: f32) -> [ClassFigures; CLASSES.len()] {
    let mut class = 0;
    CLASSES.map(|name| {
        let figures = class_figures(pictures, class, name, score);
        class += 1;
        figures
    })
}

fn class_figures(pictures: &[Judged<'_>], class: usize, name: &'static str, score: f32) -> ClassFigures {
    let counts = |picture: &Judged<'_>| {
        picture
            .truths
            .iter()
            .filter(|t| t.class == class && !t.ignored)
            .count()
    };
    let objects: usize = pictures.iter().map(counts).sum();
    let mut verdicts: Vec<(f32, bool)> = pictures
        .iter()
        .flat_map(|picture| judge(picture, class))
        .collect();
    verdicts.sort_by(|a, b| b.0.total_cmp(&a.0));
    let share = |part: usize, whole: usize, without: f64| {
        if whole == 0 {
            without
        } else {
            part as f64 / whole as f64
        }
    };
    let mut right = 0;
    let mut curve = Vec::with_capacity(verdicts.len());
    for (position, (_, correct)) in verdicts.iter().enumerate() {
        right += usize::from(*correct);
        curve.push((share(right, objects, 0.0), share(right, position + 1, 1.0)));
    }
    // Precision at a recall is the best one at that recall or a higher one.
    let mut average_precision = 0.0;
    let mut best = 0.0_f64;
    let mut later = curve.last().map_or(0.0, |(recall, _)| *recall);
    for (recall, precision) in curve.iter().rev() {
        average_precision += (later - recall) * best;
        best = best.max(*precision);
        later = *recall;
    }
    average_precision += later * best;
    let sure = verdicts.iter().filter(|(value, _)| *value >= score);
    let (count, right) = sure.fold((0, 0), |(count, right), (_, correct)| {
        (count + 1, right + usize::from(*correct))
    });
    ClassFigures {
        class: name,
        objects,
        average_precision,
        recall: share(right, objects, 0.0),
        precision: share(right, count, 1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mineseal_domain::ObjectClass;

    fn place(left: f32) -> BoundingBox {
        BoundingBox {
            left,
            top: 0.0,
            width: 10.0,
            height: 20.0,
        }
    }

    fn found(left: f32, score: f32) -> Detection {
        Detection {
            class: ObjectClass::Person,
            score,
            bounding_box: place(left),
        }
    }

    fn there(left: f32, ignored: bool) -> Truth {
        Truth {
            class: 0,
            bounding_box: place(left),
            ignored,
        }
    }

    #[test]
    fn average_precision_of_a_small_case_by_hand() {
        let truths = [there(0.0, false), there(100.0, false), there(200.0, true)];
        // Right, a double, a false one, one on the ignored object, right at last.
        let detections = vec![
            found(0.0, 0.9),
            found(1.0, 0.8),
            found(50.0, 0.7),
            found(200.0, 0.6),
            found(101.0, 0.5),
        ];
        let [person, car, ..] = figures(
            &[Judged {
                detections,
                truths: &truths,
            }],
            0.65,
        );
        // Recall 1/2 at precision 1, recall 1 at precision 2/4.
        assert!(
            (person.average_precision - (0.5 + 0.5 * 0.5)).abs() < 1e-9,
            "{person:?}"
        );
        assert_eq!(person.objects, 2);
        assert!((person.recall - 0.5).abs() < 1e-9 && (person.precision - 1.0 / 3.0).abs() < 1e-9);
        assert_eq!((car.objects, car.average_precision, car.precision), (0, 0.0, 1.0));
    }

    #[test]
    fn everything_right_is_one() {
        let truths = [there(0.0, false), there(100.0, false)];
        let detections = vec![found(0.0, 0.9), found(100.0, 0.8)];
        let [person, ..] = figures(
            &[Judged {
                detections,
                truths: &truths,
            }],
            0.5,
        );
        assert!((person.average_precision - 1.0).abs() < 1e-9 && person.recall == 1.0);
    }
}
