//! Real clips with faults laid over them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod rehearsal;

use rehearsal::clips::{clips, judge, pictures};

#[test]
fn real_clips_are_without_fault_and_a_frozen_one_is_found() {
    let clips = clips();
    if clips.is_empty() {
        println!("skipped: no clips beside the checkout");
        return;
    }
    for path in clips {
        let pictures = pictures(&path, 5.0);
        let said = judge(pictures.iter().map(|(at, picture)| (*at, picture)));
        assert_eq!(said, [], "{}", path.display());
        // The last picture for half a minute more.
        let (last_at, last) = pictures.last().expect("a picture");
        let frozen = (1..150).map(|number| (last_at + number * 200_000, last));
        let said = judge(pictures.iter().map(|(at, picture)| (*at, picture)).chain(frozen));
        let conditions: Vec<_> = said.iter().map(|(_, condition)| *condition).collect();
        assert_eq!(
            conditions,
            [mineseal_domain::HealthCondition::Frozen],
            "{}",
            path.display()
        );
    }
}
