use mineseal_domain::BoundingBox;

/// From this share of the expected height on a box is whole: it breathes that much by itself.
const WHOLE: f32 = 0.8;

/// A smaller share than this says nothing: it is another object.
const LEAST_PART: f32 = 0.5;

/// How far the upper edge may lie from where it was expected to be the same edge, as a share of the expected
/// height.
const SAME_EDGE: f32 = 0.08;

/// The whole object of which `seen` is the upper part, if it is one: its upper edge is where it was expected and
/// the lower part is missing, since the detector lost the legs or something stands before them. `None` where the
/// box is whole, or is no part of what was expected.
///
/// The foot decides crossings, and it is the first thing to be lost.
pub(crate) fn whole_of(expected: &BoundingBox, seen: &BoundingBox) -> Option<BoundingBox> {
    let share = seen.height / expected.height;
    let top_off = (seen.top - expected.top).abs();
    let bottom_off = (seen.bottom() - expected.bottom()).abs();
    let is_part = (LEAST_PART..WHOLE).contains(&share)
        && top_off <= SAME_EDGE * expected.height
        && top_off < bottom_off;
    is_part.then_some(BoundingBox {
        height: expected.height,
        ..*seen
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERSON: BoundingBox = BoundingBox {
        left: 100.0,
        top: 100.0,
        width: 40.0,
        height: 100.0,
    };

    #[test]
    fn who_loses_the_legs_keeps_the_feet() {
        let no_legs = BoundingBox {
            left: 103.0,
            top: 102.0,
            height: 60.0,
            ..PERSON
        };
        let whole = whole_of(&PERSON, &no_legs).unwrap();
        assert_eq!((whole.left, whole.top, whole.bottom()), (103.0, 102.0, 202.0));
    }

    #[test]
    fn what_is_whole_or_has_its_head_elsewhere_is_taken_as_it_is() {
        let shorter = BoundingBox {
            height: 85.0,
            ..PERSON
        };
        let tiny = BoundingBox {
            height: 30.0,
            ..PERSON
        };
        let lower = BoundingBox {
            top: 140.0,
            height: 60.0,
            ..PERSON
        };
        for seen in [shorter, tiny, lower] {
            assert_eq!(whole_of(&PERSON, &seen), None);
        }
    }
}
