use mineseal_domain::{Detection, ObjectClass, ObjectGroup};

/// Candidates that are looked at, the best: every pair of them may have to be compared. The default input has 5,040
/// cells.
const MOST_CANDIDATES: usize = 5_040;

/// Keeps the best box of each object: of two boxes of one kind that overlap more than `iou`, the weaker goes. Cars,
/// buses and trucks are one kind, because one vehicle is often found as two of them. The best score comes first;
/// of equal ones, the one that came first.
pub(crate) fn suppress(mut candidates: Vec<Detection>, iou: f32) -> Vec<Detection> {
    candidates.sort_by(|one, other| other.score.total_cmp(&one.score));
    candidates.truncate(MOST_CANDIDATES);
    let mut kept: Vec<Detection> = Vec::new();
    for candidate in candidates {
        let hidden = kept.iter().any(|better| {
            same_kind(better.class, candidate.class)
                && better
                    .bounding_box
                    .intersection_over_union(&candidate.bounding_box)
                    > iou
        });
        if !hidden {
            kept.push(candidate);
        }
    }
    kept
}

fn same_kind(one: ObjectClass, other: ObjectClass) -> bool {
    one == other || (one.group() == Some(ObjectGroup::Vehicle) && other.group() == Some(ObjectGroup::Vehicle))
}

#[cfg(test)]
mod tests {
    use mineseal_domain::BoundingBox;

    use super::*;

    fn found(class: ObjectClass, score: f32, left: f32) -> Detection {
        Detection {
            class,
            score,
            bounding_box: BoundingBox {
                left,
                top: 0.0,
                width: 10.0,
                height: 10.0,
            },
        }
    }

    #[test]
    fn one_vehicle_is_not_a_car_and_a_truck() {
        let kept = suppress(
            vec![
                found(ObjectClass::Car, 0.5, 0.0),
                found(ObjectClass::Truck, 0.6, 1.0),
            ],
            0.45,
        );
        assert_eq!(kept, [found(ObjectClass::Truck, 0.6, 1.0)]);
    }

    #[test]
    fn a_person_before_a_truck_stays() {
        let both = vec![
            found(ObjectClass::Truck, 0.6, 0.0),
            found(ObjectClass::Person, 0.5, 0.0),
        ];
        assert_eq!(suppress(both.clone(), 0.45), both);
    }

    #[test]
    fn neighbours_stay_and_the_order_is_by_score() {
        let kept = suppress(
            vec![
                found(ObjectClass::Person, 0.3, 0.0),
                found(ObjectClass::Person, 0.9, 8.0),
                found(ObjectClass::Person, 0.9, 40.0),
            ],
            0.45,
        );
        assert_eq!(
            kept.iter().map(|one| one.bounding_box.left).collect::<Vec<_>>(),
            [8.0, 40.0, 0.0]
        );
    }
}
