use super::*;
use crate::testing::{HEIGHT, WIDTH, mixed, play};

/// What a thrifty encoder makes of a scene: one picture of ten is new everywhere, and the next one, the others only where
/// something goes on. `shown` is the picture that the camera sees, `belt` how far a belt in the lower half has run.
fn encoded(shown: u64, belt: u64) -> Vec<u8> {
    let group = shown / 10;
    (0..WIDTH * HEIGHT)
        .map(|place| {
            let (x, y) = (place % WIDTH, place / WIDTH);
            let block = (x / 7 * 31 + y / 5 * 17) % 23;
            let key = u64::from(shown.is_multiple_of(10));
            let noise = mixed(((2 * group + key) << 20) | place as u64) >> 63;
            let coal = if y > 50 {
                mixed(((x as u64 / 4 + belt) << 20) | (y as u64 / 4)) >> 58
            } else {
                0
            };
            (60 + block as u64 * 5 + noise + coal) as u8
        })
        .collect()
}

/// Five pictures a second; the last period, microseconds.
fn run(echoes: &mut Echoes, frames: std::ops::Range<u64>, of: impl Fn(u64) -> Vec<u8>) -> i64 {
    play(frames, of, |at, shrunk| {
        let found = echoes.take(at, shrunk);
        assert!(echoes.is_sound());
        found
    })
}

#[test]
fn key_frames_that_come_back_are_a_replay_though_nothing_moves() {
    let mut echoes = Echoes::default();
    assert_eq!(run(&mut echoes, 0..400, |frame| encoded(frame, 0)), 0);
    // The last two seconds again and again: found within two periods and ten seconds.
    let again = |frame: u64| encoded(390 + frame % 10, 0);
    assert_eq!(run(&mut echoes, 400..470, again), 2_000_000);
    assert_eq!(run(&mut echoes, 470..600, |frame| encoded(frame, 0)), 0);
}

#[test]
fn a_running_belt_that_comes_back_is_a_replay() {
    let mut echoes = Echoes::default();
    assert_eq!(run(&mut echoes, 0..400, |frame| encoded(frame, frame)), 0);
    let again = |frame: u64| {
        let shown = 370 + (frame - 400) % 30;
        encoded(shown, shown)
    };
    assert_eq!(run(&mut echoes, 400..500, again), 6_000_000);
}

#[test]
fn a_scene_whose_noise_was_always_wiped_out_is_no_replay() {
    let mut echoes = Echoes::default();
    for part in 0..40 {
        let found = run(&mut echoes, part * 50..(part + 1) * 50, |frame| {
            encoded(frame % 10, 0)
        });
        assert_eq!(found, 0, "{part}");
    }
}

/// While the belt ran, no picture was like another; now that it stands, the encoder makes the same of all.
#[test]
fn a_belt_that_stops_is_no_replay() {
    let mut echoes = Echoes::default();
    let flicker = |frame: u64, belt: u64| {
        let mut data = encoded(0, belt);
        // What the encoder makes of a still picture: slightly another one after each key frame.
        for (place, luma) in data.iter_mut().enumerate() {
            *luma += u8::from(frame.is_multiple_of(10) && place % 3 == 0);
        }
        data
    };
    assert_eq!(run(&mut echoes, 0..600, |frame| flicker(frame, frame)), 0);
    for part in 12..40 {
        let found = run(&mut echoes, part * 50..(part + 1) * 50, |frame| {
            flicker(frame, 600)
        });
        assert_eq!(found, 0, "{part}");
    }
}
