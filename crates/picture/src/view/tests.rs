use proptest::prelude::*;

use super::*;
use crate::HealthMeter;

const WIDTH: usize = 160;
const HEIGHT: usize = 90;

/// A still scene with blocks, and sensor noise that is new in every frame; `walker` is somebody's place.
fn scene(frame: u32, shift: usize, walker: Option<f32>) -> Vec<u8> {
    (0..WIDTH * HEIGHT)
        .map(|place| {
            let (x, y) = (place % WIDTH, place / WIDTH);
            let block = ((x + shift) / 7 * 31 + y / 5 * 17) % 23;
            // Mixed so that the noise of near frames has nothing in common.
            let mut mixed = u64::from(frame) << 32 | place as u64;
            for _ in 0..2 {
                mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            }
            let noise = mixed >> 62;
            let there = walker.is_some_and(|at| (x as f32 - at).abs() < 6.0 && (30..70).contains(&y));
            let level = if there { 190 } else { 50 + block as u8 * 6 };
            level + noise as u8
        })
        .collect()
}

fn measure(meter: &mut HealthMeter, micros: i64, data: &[u8]) -> ViewMeasures {
    let plane = LumaPlane::new(WIDTH, HEIGHT, WIDTH, data).unwrap();
    meter.measure_all(UtcMicros(micros), &plane, None).1
}

/// Five frames a second, from frame `from` to before frame `to`; the last measures.
fn run(meter: &mut HealthMeter, from: u32, to: u32, of: impl Fn(u32) -> Vec<u8>) -> ViewMeasures {
    let mut last = ViewMeasures::default();
    for frame in from..to {
        last = measure(meter, i64::from(frame) * 200_000, &of(frame));
    }
    last
}

#[test]
fn a_view_is_learnt_known_again_and_missed() {
    let mut meter = HealthMeter::new(&[]);
    run(&mut meter, 0, 30, |frame| scene(frame, 0, None));
    assert!(!meter.view().has_view(), "six seconds are too few");
    let known = run(&mut meter, 30, 100, |frame| scene(frame, 0, None));
    assert!(known.kept_share > 0.95 && known.flat_share < 0.05, "{known:?}");
    assert!((0.8..1.2).contains(&known.detail), "{known:?}");
    let darker = run(&mut meter, 100, 105, |frame| {
        scene(frame, 0, None).iter().map(|luma| luma / 2).collect()
    });
    assert!(
        darker.kept_share > 0.9,
        "half the light is no other view: {darker:?}"
    );
    let moved = run(&mut meter, 105, 110, |frame| scene(frame, 10, None));
    assert!(moved.kept_share < 0.3 && moved.flat_share < 0.2, "{moved:?}");
    let covered = run(&mut meter, 110, 115, |_| vec![60; WIDTH * HEIGHT]);
    assert!(
        covered.kept_share < 0.05 && covered.flat_share > 0.9 && covered.blank_share == 1.0,
        "{covered:?}"
    );
    meter.view_mut().accept_view();
    assert!(!meter.view().has_view());
}

#[test]
fn a_frozen_picture_is_still_and_a_noisy_one_is_not() {
    let mut meter = HealthMeter::new(&[]);
    assert_eq!(
        run(&mut meter, 0, 1, |frame| scene(frame, 0, None)).still_share,
        -1.0
    );
    assert!(run(&mut meter, 1, 5, |frame| scene(frame, 0, None)).still_share < 0.1);
    // Only a clock in the first row of cells goes on.
    let frozen = |frame: u32| {
        let mut data = scene(4, 0, None);
        data[..40].fill(frame as u8 * 9);
        data
    };
    assert!(run(&mut meter, 5, 8, frozen).still_share > 0.9);
}

#[test]
fn a_small_shift_is_measured() {
    let mut meter = HealthMeter::new(&[]);
    // Soft blocks, so that half a pixel of 80 is a small step.
    let soft = |shift: f32| -> Vec<u8> {
        (0..WIDTH * HEIGHT)
            .map(|place| {
                let (x, y) = ((place % WIDTH) as f32 - shift, (place / WIDTH) as f32);
                (120.0 + 45.0 * (x / 4.0).sin() + 45.0 * (y / 3.5).sin()) as u8
            })
            .collect()
    };
    run(&mut meter, 0, 80, |_| soft(0.0));
    let shifted = run(&mut meter, 80, 81, |_| soft(1.0));
    assert!((shifted.shift_right - 1.0 / 160.0).abs() < 0.002, "{shifted:?}");
    assert!(shifted.shift_down.abs() < 0.001, "{shifted:?}");
}

/// Soft blocks that fill the picture, `shift` pixels to the right, and what else is done to each pixel.
fn soft(shift: f32, and: impl Fn(usize, f32) -> f32) -> Vec<u8> {
    (0..WIDTH * HEIGHT)
        .map(|place| {
            let (x, y) = ((place % WIDTH) as f32 - shift, (place / WIDTH) as f32);
            and(place, 100.0 + 30.0 * (x / 4.0).sin() + 30.0 * (y / 3.5).sin()) as u8
        })
        .collect()
}

#[test]
fn a_shift_is_told_beside_something_that_moves_over_a_third_of_the_picture() {
    let mut meter = HealthMeter::new(&[]);
    let still = |_: usize, luma: f32| luma;
    run(&mut meter, 0, 80, |_| soft(0.0, still));
    let lorry = |place: usize, luma: f32| {
        if place % WIDTH < 55 {
            170.0 - luma / 2.0
        } else {
            luma
        }
    };
    let shifted = run(&mut meter, 80, 81, |_| soft(1.0, lorry));
    assert!((shifted.shift_right - 1.0 / 160.0).abs() < 0.002, "{shifted:?}");
}

#[test]
fn a_lamp_that_lights_up_is_no_shift() {
    let mut meter = HealthMeter::new(&[]);
    let lit = |place: usize, luma: f32| {
        let (x, y) = ((place % WIDTH) as f32 - 40.0, (place / WIDTH) as f32 - 20.0);
        let near = 1.0 / (1.0 + (x * x + y * y) / 864.0);
        luma * (1.0 + 0.6 * near) + 14.0 * near
    };
    run(&mut meter, 0, 80, |_| soft(0.0, |_, luma| luma));
    let brighter = run(&mut meter, 80, 81, |_| soft(0.0, lit));
    assert_eq!(
        [brighter.shift_right, brighter.shift_down],
        [0.0; 2],
        "{brighter:?}"
    );
}

/// Where all is brighter below, a light from below looks like a shift upwards to whoever does not know of lamps.
#[test]
fn a_light_over_edges_of_one_kind_is_no_shift() {
    let mut meter = HealthMeter::new(&[]);
    let steps = |factor: f32| -> Vec<u8> {
        (0..WIDTH * HEIGHT)
            .map(|place| {
                let (x, y) = ((place % WIDTH) as f32, (place / WIDTH) as f32);
                let step = 10.0 * ((y / 10.0 + 0.2 * (x / 5.0).sin()).floor() + (x / 21.0).floor());
                ((20.0 + step) * factor) as u8
            })
            .collect()
    };
    run(&mut meter, 0, 80, |_| steps(1.0));
    let brighter = run(&mut meter, 80, 81, |_| steps(1.4));
    assert_eq!(
        [brighter.shift_right, brighter.shift_down],
        [0.0; 2],
        "{brighter:?}"
    );
}

#[test]
fn where_no_light_comes_in_faint_edges_are_those_of_the_view() {
    let mut meter = HealthMeter::new(&[]);
    run(&mut meter, 0, 100, |frame| scene(frame, 0, None));
    // A level at most, told from noise by how often it is there.
    let faint = |level: u8| {
        move |frame: u32| -> Vec<u8> {
            let dither =
                |place: usize| (place as u32).wrapping_mul(frame.wrapping_mul(0x9e37_79b9) | 1) >> 24;
            let pixels = scene(frame, 0, None).into_iter().enumerate();
            pixels
                .map(|(place, luma)| level + ((u32::from(luma) * 2 + dither(place)) / 256) as u8)
                .collect()
        }
    };
    let dark = run(&mut meter, 100, 101, faint(16));
    assert!(dark.kept_share > 0.6, "{dark:?}");
    let behind_a_sheet = run(&mut meter, 101, 102, faint(90));
    assert!(behind_a_sheet.kept_share < 0.2, "{behind_a_sheet:?}");
}

#[test]
fn a_replay_is_found_by_its_noise_though_nothing_happens_in_it() {
    let mut meter = HealthMeter::new(&[]);
    let live = run(&mut meter, 0, 300, |frame| scene(frame, 0, None));
    assert_eq!(live.repeat_micros, 0);
    // The last seven seconds again and again.
    let replayed = run(&mut meter, 300, 300 + 35 + 50, |frame| {
        scene(265 + (frame - 300) % 35, 0, None)
    });
    assert_eq!(replayed.repeat_micros, 7_000_000);
    let live = run(&mut meter, 385, 500, |frame| scene(frame, 0, None));
    assert_eq!(live.repeat_micros, 0);
}

/// Where somebody walks at that second: no two walks are alike.
fn walk(second: f32) -> Option<f32> {
    let turn = (second / 11.0).floor();
    let along = second - turn * 11.0;
    let (start, pace) = ((turn * turn * 29.0) % 150.0, 8.0 + (turn * turn * 7.3) % 13.0);
    let way = if (turn * turn) % 3.0 < 1.0 {
        -along * pace
    } else {
        along * pace
    };
    (along < 5.0 + (turn * 3.7) % 5.0).then_some((start + way).rem_euclid(170.0))
}

#[test]
fn a_replay_with_other_noise_is_found_by_what_happens_in_it() {
    let mut meter = HealthMeter::new(&[]);
    let live = run(&mut meter, 0, 600, |frame| {
        scene(frame, 0, walk(frame as f32 / 5.0))
    });
    assert_eq!(live.repeat_micros, 0);
    let again = |frame: u32| {
        let shown = 480 + (frame - 600) % 120;
        scene(frame, 0, walk(shown as f32 / 5.0))
    };
    // Period 24 s: within two periods and ten seconds.
    let replayed = run(&mut meter, 600, 600 + 170, again);
    assert!(
        (replayed.repeat_micros - 24_000_000).abs() <= 1_000_000,
        "{replayed:?}"
    );
}

#[test]
fn one_even_thing_hides_and_a_wall_does_not() {
    let mut meter = HealthMeter::new(&[]);
    // Blocks everywhere but on a wall to the right.
    let with_wall = |frame: u32| {
        let mut data = scene(frame, 0, None);
        for row in data.chunks_exact_mut(WIDTH) {
            row[100..].fill(120);
        }
        data
    };
    let known = run(&mut meter, 0, 100, with_wall);
    assert_eq!(known.hidden_share, 0.0, "{known:?}");
    let hidden = run(&mut meter, 100, 102, |frame| {
        let mut data = with_wall(frame);
        for row in data.chunks_exact_mut(WIDTH) {
            row[..50].fill(70);
        }
        data
    });
    assert!((0.3..0.7).contains(&hidden.hidden_share), "{hidden:?}");
    assert!(hidden.clipped_share == 0.0, "{hidden:?}");
    let white = run(&mut meter, 102, 104, |frame| {
        let mut data = with_wall(frame);
        for row in data.chunks_exact_mut(WIDTH) {
            row[..50].fill(235);
        }
        data
    });
    assert!(white.clipped_share > 0.3 && white.hidden_share < 0.1, "{white:?}");
}

#[test]
fn no_view_is_learnt_from_a_picture_without_light_or_without_blacks() {
    for (shade, lift) in [(10, 16), (3, 150)] {
        let mut meter = HealthMeter::new(&[]);
        let faulty = |frame: u32| -> Vec<u8> {
            scene(frame, 0, None)
                .iter()
                .map(|luma| lift + luma / shade)
                .collect()
        };
        run(&mut meter, 0, 300, faulty);
        assert!(!meter.view().has_view(), "{shade} {lift}");
        let right = run(&mut meter, 300, 380, |frame| scene(frame, 0, None));
        assert!(right.kept_share > 0.95, "{right:?}");
    }
}

#[test]
fn a_blinking_lamp_is_no_replay() {
    let mut meter = HealthMeter::new(&[]);
    for frame in 0..900 {
        let lit = frame / 8 % 2 == 0;
        let data: Vec<u8> = scene(frame, 0, None)
            .iter()
            .enumerate()
            .map(|(place, &luma)| luma + if lit { (place % WIDTH / 3) as u8 } else { 0 })
            .collect();
        let measures = measure(&mut meter, i64::from(frame) * 200_000, &data);
        assert_eq!(measures.repeat_micros, 0, "frame {frame}");
    }
}

#[test]
fn the_state_goes_on_where_it_was_kept() {
    let mut meter = HealthMeter::new(&[]);
    let of = |frame: u32| scene(frame, 0, walk(frame as f32 / 5.0));
    run(&mut meter, 0, 200, of);
    let mut bytes = Vec::new();
    ciborium::into_writer(meter.view(), &mut bytes).unwrap();
    let kept: ViewMeter = ciborium::from_reader(bytes.as_slice()).unwrap();
    assert!(kept.is_sound());
    let mut other = HealthMeter::new(&[]).with_view(kept);
    // The frame before is no part of what is kept: three later nothing is left of what it was compared with.
    let one = run(&mut meter, 200, 204, of);
    let again = run(&mut other, 200, 204, of);
    assert_eq!(one, again);
    assert_eq!(meter.view(), other.view());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_pictures_at_any_time_give_measures_in_their_ranges(
        frames in prop::collection::vec((any::<i64>(), 1_usize..700, 1_usize..400, any::<u32>(), any::<bool>()), 1..12),
    ) {
        let mut meter = HealthMeter::new(&[]);
        let mut at = 0_i64;
        for (time, width, height, seed, jump) in frames {
            at = if jump { time } else { at.saturating_add(300_000) };
            let mut state = seed;
            let data: Vec<u8> = (0..width * height)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 24) as u8
                })
                .collect();
            let plane = LumaPlane::new(width, height, width, &data).unwrap();
            let (_, view) = meter.measure_all(UtcMicros(at), &plane, Some(&[plane, plane]));
            for share in [view.still_share, view.blank_share, view.kept_share, view.flat_share] {
                prop_assert!(share == -1.0 || (0.0..=1.0).contains(&share));
            }
            prop_assert!(view.detail == -1.0 || view.detail >= 0.0);
            prop_assert!(view.shift_right.abs() <= 0.2 && view.shift_down.abs() <= 0.2);
            prop_assert!((0.0..=128.0).contains(&view.colour));
            prop_assert!((0..=602_000_000).contains(&view.repeat_micros));
            prop_assert!(meter.view().is_sound());
        }
    }
}
