use super::sketch::{ZONE_COLUMNS, ZONES, product};
use super::*;
use crate::testing::{HEIGHT, WIDTH, mixed, play};

/// A scene with noise that is new in each picture, and noise of picture `shown`, which may come again.
fn scene(frame: u64, shown: u64) -> Vec<u8> {
    (0..WIDTH * HEIGHT)
        .map(|place| {
            let block = (place % WIDTH / 7 * 31 + place / WIDTH / 5 * 17) % 23;
            let noise = |of: u64| mixed(of << 20 | place as u64) >> 62;
            (60 + block as u64 * 5 + noise(frame + 1_000_000) + noise(shown)) as u8
        })
        .collect()
}

/// Five pictures a second; the last period, microseconds.
fn run(recurrences: &mut Recurrences, frames: std::ops::Range<u64>, of: impl Fn(u64) -> Vec<u8>) -> i64 {
    play(frames, of, |at, shrunk| {
        let found = recurrences.take(at, shrunk);
        assert!(recurrences.is_sound());
        found
    })
}

#[test]
fn half_of_the_noise_that_comes_back_is_enough() {
    let mut recurrences = Recurrences::default();
    assert_eq!(run(&mut recurrences, 0..400, |frame| scene(frame, frame)), 0);
    // The last 4.2 seconds again and again.
    let again = |frame: u64| scene(frame, 379 + (frame - 400) % 21);
    assert_eq!(run(&mut recurrences, 400..492, again), 4_200_000);
    assert_eq!(run(&mut recurrences, 492..650, |frame| scene(frame, frame)), 0);
}

#[test]
fn a_machine_that_turns_in_its_place_is_no_replay() {
    // A wheel of blades over a quarter of the picture, the same again after 20 pictures, that stops at times.
    let of = |frame: u64| {
        let mut data = scene(frame, frame);
        let turned = if frame / 150 % 3 == 2 {
            0.0
        } else {
            (frame % 20) as f32 * 58.5
        };
        for (place, luma) in data.iter_mut().enumerate() {
            let (x, y) = ((place % WIDTH) as f32 - 40.0, (place / WIDTH) as f32 - 45.0);
            if x * x + y * y < 900.0 {
                let angle = y.atan2(x).to_degrees() + turned;
                *luma = if angle.rem_euclid(90.0) < 45.0 { 180 } else { 60 };
            }
        }
        data
    };
    let mut recurrences = Recurrences::default();
    for part in 0..20 {
        assert_eq!(run(&mut recurrences, part * 50..(part + 1) * 50, of), 0, "{part}");
    }
}

#[test]
fn what_has_always_come_back_is_a_habit_that_lasts() {
    let mut recurrences = Recurrences::default();
    let always = |frame: u64| scene(frame, frame % 20);
    for part in 0..12 {
        assert_eq!(run(&mut recurrences, part * 50..(part + 1) * 50, always), 0);
    }
    assert_eq!(recurrences.habits, [20]);
    let kept = recurrences.lasting();
    assert!(kept.is_kept_habit(20) && kept.is_kept_habit(60) && !kept.is_kept_habit(30));
}

/// A camera that trembles in step with 70 s, and a lorry every 70 s; they began three periods ago.
#[test]
fn what_has_come_back_three_times_is_a_habit_though_it_had_a_beginning() {
    let mut recurrences = Recurrences::default();
    assert_eq!(run(&mut recurrences, 0..1_600, |frame| scene(frame, frame)), 0);
    let period = 350;
    for bin in [period, 3 * period, 4 * period] {
        assert!(recurrences.likeness(bin).is_some_and(|likeness| likeness < 0.2));
    }
    // Told by the first multiple alone: those beyond it lie before the beginning.
    for (bin, likeness) in [(period, 0.5), (2 * period, 0.5), (3 * period, 0.45)] {
        recurrences.periods[bin].product = likeness * recurrences.zones;
        recurrences.periods[bin].zones = recurrences.zones;
    }
    assert_eq!(recurrences.is_habit(period, 0.5), Some(true));
    recurrences.periods[3 * period].product = 0.0;
    assert_eq!(recurrences.is_habit(period, 0.5), Some(false));
}

#[test]
fn multiples_are_known_with_their_rounding() {
    assert!(is_multiple(30, 15) && is_multiple(31, 15) && is_multiple(33, 16));
    assert!(!is_multiple(37, 15) && !is_multiple(20, 15));
    assert!(is_told_multiple(33, 16) && is_told_multiple(150, 10));
    // 97.3 times: with as many roundings anything is one.
    assert!(is_multiple(2_725, 28) && !is_told_multiple(2_725, 28));
}

/// The left half of the picture comes round every eight seconds, as a belt does, and stands for most of the time.
#[test]
fn zones_in_which_a_machine_turns_tell_nothing_about_long_periods() {
    // As thrifty encoders do it, noise is drawn anew with each key frame.
    let noise = |frame: u64| scene(frame / 10, frame / 10);
    let belt = |frame: u64| {
        let mut data = noise(frame);
        let turned = frame % 40 / 10 * 10 + (frame % 10).min(3);
        for (place, luma) in data.iter_mut().enumerate() {
            if place % WIDTH < WIDTH / 2 {
                let mark = mixed(turned << 20 | (place / 3) as u64) >> 60;
                *luma = luma.wrapping_add(mark as u8);
            }
        }
        data
    };
    let mut recurrences = Recurrences::default();
    assert_eq!(run(&mut recurrences, 0..500, belt), 0);
    let all: Vec<(usize, f32)> = (SHORTEST..BINS)
        .filter_map(|bin| Some((bin, recurrences.likeness(bin)?)))
        .collect();
    let left = std::array::from_fn(|zone| zone % ZONE_COLUMNS < ZONE_COLUMNS / 2);
    assert_eq!(recurrences.machines(HABIT_KNOWN + 1, &all), left);
    assert_eq!(recurrences.machines(HABIT_KNOWN, &all), [false; ZONES]);
    // Where nothing turns, no zone is left out.
    let mut recurrences = Recurrences::default();
    run(&mut recurrences, 0..500, noise);
    assert_eq!(recurrences.machines(HABIT_KNOWN + 1, &all), [false; ZONES]);
}

/// What moves in the left quarter of a picture without noise, as thrifty encoders show it; a picture that was shown may come again.
fn traffic(shown: Option<u64>) -> Vec<u8> {
    traffic_in(1, shown)
}

/// The same in so many quarters.
fn traffic_in(quarters: usize, shown: Option<u64>) -> Vec<u8> {
    (0..WIDTH * HEIGHT)
        .map(|place| {
            let (x, y) = (place % WIDTH, place / WIDTH);
            let part = shown.filter(|_| x < quarters * WIDTH / ZONE_COLUMNS);
            60 + part.map_or(0, |shown| {
                (mixed(shown << 20 | (x / 4 * 100 + y / 4) as u64) >> 59) as u8
            })
        })
        .collect()
}

#[test]
fn a_few_zones_are_enough_where_nothing_like_it_has_come_back_before() {
    let mut recurrences = Recurrences::default();
    let living = |frame: u64| traffic(Some(frame));
    assert_eq!(run(&mut recurrences, 0..400, living), 0);
    let again = |frame: u64| traffic(Some(379 + (frame - 400) % 21));
    assert_eq!(run(&mut recurrences, 400..492, again), 4_200_000);
}

/// Eight seconds, half a minute later as before.
#[test]
fn a_lorry_that_passes_as_one_of_its_kind_did_is_no_replay() {
    let mut recurrences = Recurrences::default();
    let course = |frame: u64| {
        let passing = match frame {
            0..700 if frame % 9 < 3 => Some(frame),
            700..740 => Some(frame),
            850..890 => Some(frame - 150),
            _ => None,
        };
        traffic(passing)
    };
    for part in 0..20 {
        assert_eq!(
            run(&mut recurrences, part * 50..(part + 1) * 50, course),
            0,
            "{part}"
        );
    }
    // It is what would be told if it lasted.
    let for_longer = |frame: u64| traffic(Some(if frame < 1_150 { frame } else { frame - 150 }));
    assert_eq!(run(&mut recurrences, 1_000..1_280, for_longer), 30_000_000);
}

/// The rubber of a belt comes round after a hundred seconds, half a minute long, and hides under coal again.
#[test]
fn zones_that_are_never_at_rest_tell_nothing_about_long_periods() {
    let shown = |frame: u64| if frame < 700 { frame } else { frame - 500 };
    let belt = |frame: u64| traffic_in(2, Some(shown(frame)));
    let mut recurrences = Recurrences::default();
    for part in 0..17 {
        assert_eq!(
            run(&mut recurrences, part * 50..(part + 1) * 50, belt),
            0,
            "{part}"
        );
    }
    // What comes and goes is told, once it has come again twice.
    let gate = |frame: u64| {
        let shown = shown(frame);
        let comes = [30..95, 205..280, 310..330, 395..455, 520..570, 640..660];
        traffic_in(
            2,
            comes.iter().any(|comes| comes.contains(&shown)).then_some(shown),
        )
    };
    let mut recurrences = Recurrences::default();
    assert_eq!(run(&mut recurrences, 0..700, gate), 0);
    assert_eq!(run(&mut recurrences, 700..970, gate), 100_000_000);
}

#[test]
fn products_are_those_of_wider_numbers() {
    let plain = |one: &[i8; SUMS], other: &[i8; SUMS]| -> i32 {
        let products = one.iter().zip(other);
        products
            .map(|(&one, &other)| i32::from(one) * i32::from(other))
            .sum()
    };
    let drawn = |seed: u64| -> [i8; SUMS] {
        std::array::from_fn(|place| ((mixed(seed << 20 | place as u64) % 201) as i16 - 100) as i8)
    };
    let mut all = vec![[100; SUMS], [-100; SUMS], [0; SUMS]];
    all.extend((0..20).map(drawn));
    for one in &all {
        for other in &all {
            assert_eq!(product(&one.map(i16::from), other), plain(one, other));
        }
    }
}
