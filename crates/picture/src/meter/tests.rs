use proptest::prelude::*;

use super::*;

const WIDTH: usize = 640;
const HEIGHT: usize = 360;

fn plane(data: &[u8]) -> LumaPlane<'_> {
    LumaPlane::new(WIDTH, HEIGHT, WIDTH, data).unwrap()
}

fn drawn(luma: impl Fn(usize, usize) -> u8) -> Vec<u8> {
    (0..WIDTH * HEIGHT)
        .map(|index| luma(index % WIDTH, index / WIDTH))
        .collect()
}

fn left_half() -> Region {
    let corner = |x, y| Point { x, y };
    let corners = vec![
        corner(0.0, 0.0),
        corner(0.5, 0.0),
        corner(0.5, 1.0),
        corner(0.0, 1.0),
    ];
    Region {
        name: "belt".into(),
        corners,
    }
}

#[test]
fn an_even_picture_has_no_deviation_and_no_sharpness() {
    let measures = HealthMeter::new(&[]).measure(&plane(&drawn(|_, _| 100)));
    assert_eq!(
        measures,
        HealthMeasures {
            mean_luma: 100.0,
            change: -1.0,
            ..HealthMeasures::default()
        },
        "and no dark, no bright pixels, and no brighter neighbours"
    );
}

#[test]
fn dark_and_bright_shares_count_pixels() {
    let measures = HealthMeter::new(&[]).measure(&plane(&drawn(|x, _| match x {
        0..160 => 10,
        160..320 => 240,
        _ => 128,
    })));
    assert_eq!((measures.dark_share, measures.bright_share), (0.25, 0.25));
    assert!(measures.luma_deviation > 50.0);
}

#[test]
fn blurring_lowers_the_sharpness() {
    let stripes = drawn(|x, _| if x / 8 % 2 == 0 { 60 } else { 180 });
    let ramps = drawn(|x, _| 60 + (x % 128).min(128 - x % 128) as u8);
    let sharp = HealthMeter::new(&[]).measure(&plane(&stripes)).sharpness;
    let soft = HealthMeter::new(&[]).measure(&plane(&ramps)).sharpness;
    assert!(sharp > 100.0 * soft, "{sharp} against {soft}");
}

#[test]
fn change_and_motion_compare_with_the_frame_before() {
    let mut meter = HealthMeter::new(&[left_half()]);
    let first = meter.measure(&plane(&drawn(|_, _| 100)));
    assert_eq!(
        (first.change, first.regions[0].motion, first.regions[0].mean_luma),
        (-1.0, -1.0, 100.0)
    );
    let second = meter.measure(&plane(&drawn(|x, _| if x < WIDTH / 2 { 108 } else { 100 })));
    assert_eq!(
        (
            second.change,
            second.regions[0].motion,
            second.regions[0].mean_luma
        ),
        (4.0, 8.0, 108.0)
    );
    let third = meter.measure(&plane(&drawn(|x, _| if x < WIDTH / 2 { 108 } else { 120 })));
    assert_eq!((third.change, third.regions[0].motion), (10.0, 0.0));
    assert_eq!(third.regions[0].region, "belt");
}

#[test]
fn a_change_of_size_starts_the_comparison_anew() {
    let mut meter = HealthMeter::new(&[left_half()]);
    meter.measure(&plane(&drawn(|_, _| 100)));
    let small = [50_u8; 64 * 48];
    let measures = meter.measure(&LumaPlane::new(64, 48, 64, &small).unwrap());
    assert_eq!(
        (
            measures.change,
            measures.regions[0].motion,
            measures.regions[0].mean_luma
        ),
        (-1.0, -1.0, 50.0)
    );
}

#[test]
fn a_region_outside_the_picture_says_nothing() {
    let outside = Region {
        name: "nowhere".into(),
        corners: vec![Point { x: 5.0, y: 5.0 }; 3],
    };
    let mut meter = HealthMeter::new(&[outside]);
    meter.measure(&plane(&drawn(|_, _| 100)));
    let measures = meter.measure(&plane(&drawn(|_, _| 200)));
    assert_eq!(
        (measures.regions[0].motion, measures.regions[0].mean_luma),
        (-1.0, 0.0)
    );
}

#[test]
fn the_fingerprint_survives_light_but_not_another_view() {
    let scene = |x: usize, y: usize| ((x / 5 + y / 3) % 97 + (x * y / 900) % 60) as u8;
    let of = |data: &[u8]| HealthMeter::new(&[]).measure(&plane(data)).fingerprint;
    let (original, brighter) = (of(&drawn(scene)), of(&drawn(|x, y| scene(x, y) + 20)));
    let turned = of(&drawn(|x, y| scene(WIDTH - 1 - x, y)));
    assert!((original ^ brighter).count_ones() <= 2);
    assert!((original ^ turned).count_ones() > 16, "{original:x} {turned:x}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_plane_gives_finite_measures_in_their_ranges(
        width in 1_usize..400,
        height in 1_usize..400,
        padding in 0_usize..7,
        seed in any::<u32>(),
    ) {
        let stride = width + padding;
        let mut state = seed;
        let data: Vec<u8> = (0..stride * height)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        let mut meter = HealthMeter::new(&[left_half()]);
        for _ in 0..2 {
            let measures = meter.measure(&LumaPlane::new(width, height, stride, &data).unwrap());
            prop_assert!((0.0..=255.0).contains(&measures.mean_luma));
            prop_assert!((0.0..=128.0).contains(&measures.luma_deviation));
            prop_assert!(measures.sharpness.is_finite() && measures.sharpness >= 0.0);
            prop_assert!((0.0..=1.0).contains(&measures.dark_share));
            prop_assert!((0.0..=1.0).contains(&measures.bright_share));
            prop_assert!(measures.change == -1.0 || measures.change == 0.0);
        }
    }
}
