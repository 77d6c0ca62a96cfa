//! Truth against the pixels that were drawn.

use super::*;
use crate::{DemoCourse, Disturbance, SceneScript};

fn clip(kind: SceneKind, seed: u64) -> SceneScript {
    SceneScript {
        width: 480,
        height: 270,
        ..SceneScript::demo(kind, seed, 90.0, DemoCourse::default())
    }
}

/// Bounding box of the pixels that differ, and how many there are.
fn difference(one: &RgbPicture, other: &RgbPicture) -> (BoundingBox, usize) {
    let width = one.width as usize;
    let (mut left, mut top, mut right, mut bottom, mut count) = (usize::MAX, usize::MAX, 0, 0, 0);
    for (offset, (a, b)) in one
        .data
        .chunks_exact(3)
        .zip(other.data.chunks_exact(3))
        .enumerate()
    {
        if a.iter().zip(b).any(|(a, b)| a.abs_diff(*b) > 3) {
            let (x, y) = (offset % width, offset / width);
            (left, right) = (left.min(x), right.max(x + 1));
            (top, bottom) = (top.min(y), bottom.max(y + 1));
            count += 1;
        }
    }
    let found = BoundingBox {
        left: left as f32,
        top: top as f32,
        width: right.saturating_sub(left) as f32,
        height: bottom.saturating_sub(top) as f32,
    };
    (found, count)
}

/// Compares the true boxes of wholly visible figures with what their bodies change in the picture.
fn compare_boxes(kind: SceneKind, seed: u64, step: usize) -> usize {
    let mut script = clip(kind, seed);
    for actor in &mut script.actors {
        if let crate::Figure::Person(look) = &mut actor.figure {
            look.carries = None;
        }
    }
    let scene = Scene::new(script).expect("a scene");
    let (mut with, mut without) = (RgbPicture::default(), RgbPicture::default());
    let mut compared = 0;
    for index in (0..scene.frame_count()).step_by(step) {
        scene.render_without(
            index,
            &mut with,
            Without {
                body: None,
                noise: true,
            },
        );
        for object in scene.truth(index).objects {
            if object.visible_share < 0.999 {
                continue;
            }
            let number = scene.script.actors.iter().position(|actor| actor.id == object.id);
            scene.render_without(
                index,
                &mut without,
                Without {
                    body: number,
                    noise: true,
                },
            );
            let (drawn, count) = difference(&with, &without);
            let told = object.bounding_box;
            assert!(
                count > 30,
                "{kind:?} {seed} picture {index}, actor {}: nothing drawn",
                object.id
            );
            for (side, drawn, told) in [
                ("left", drawn.left, told.left),
                ("top", drawn.top, told.top),
                ("right", drawn.right(), told.right()),
                ("bottom", drawn.bottom(), told.bottom()),
            ] {
                assert!(
                    (drawn - told).abs() < 2.0,
                    "{kind:?} {seed} picture {index}, actor {}: {side} drawn at {drawn}, told {told}",
                    object.id
                );
            }
            compared += 1;
        }
    }
    compared
}

#[test]
fn boxes_are_where_figures_are_drawn() {
    assert!(compare_boxes(SceneKind::ShaftMouth, 3, 23) > 20);
    assert!(compare_boxes(SceneKind::VehicleGate, 4, 23) > 20);
    assert!(compare_boxes(SceneKind::DispatchRoom, 5, 6) > 3);
}

#[test]
fn who_stands_behind_another_is_seen_in_part() {
    let mut script = clip(SceneKind::ShaftMouth, 6);
    script.actors.truncate(2);
    for (actor, z) in script.actors.iter_mut().zip([-3.0_f32, -1.8]) {
        for (number, point) in actor.way.iter_mut().enumerate() {
            // In one line with the camera, which stands aside.
            let x = 1.1 * (z / -9.2);
            (point.at_seconds, point.x, point.z) = (number as f64 * 30.0 - 1.0, x, z);
        }
    }
    let scene = Scene::new(script).expect("a scene");
    let objects = scene.truth(100).objects;
    let [front, behind] = objects.as_slice() else {
        panic!("{objects:?}")
    };
    assert!(front.visible_share > 0.99, "{front:?}");
    assert!(
        behind.visible_share < 0.7 && behind.visible_share > 0.01,
        "{behind:?}"
    );
}

#[test]
fn the_same_index_gives_the_same_bytes_in_any_order() {
    for kind in SceneKind::ALL {
        let scene = Scene::new(clip(kind, 8)).expect("a scene");
        let again = Scene::new(clip(kind, 8)).expect("a scene");
        let mut in_order = Vec::new();
        for index in 100..104 {
            let mut picture = RgbPicture::default();
            scene.render(index, &mut picture);
            in_order.push(picture);
        }
        // One picture buffer for all, backwards.
        let mut picture = RgbPicture::default();
        for index in (100..104).rev() {
            again.render(index, &mut picture);
            assert_eq!(
                Some(&picture),
                in_order.get(index as usize - 100),
                "{kind:?} {index}"
            );
            assert_eq!(scene.truth(index), again.truth(index));
        }
        assert_ne!(
            in_order.first(),
            in_order.get(1),
            "{kind:?}: noise at least differs"
        );
        let other = Scene::new(clip(kind, 9)).expect("a scene");
        other.render(100, &mut picture);
        assert_ne!(
            Some(&picture),
            in_order.first(),
            "{kind:?}: another seed, another picture"
        );
    }
}

fn mean(picture: &RgbPicture) -> f64 {
    picture.data.iter().map(|&value| f64::from(value)).sum::<f64>() / picture.data.len() as f64
}

/// Mean absolute difference.
fn apart(one: &RgbPicture, other: &RgbPicture) -> f64 {
    let sum: u64 = one
        .data
        .iter()
        .zip(&other.data)
        .map(|(a, b)| u64::from(a.abs_diff(*b)))
        .sum();
    sum as f64 / one.data.len() as f64
}

/// Mean absolute step between neighbours in a row, text left out.
fn sharpness(picture: &RgbPicture) -> f64 {
    let row = picture.width as usize * 3;
    let (from, to) = (
        picture.height as usize / 6 * row,
        picture.height as usize * 5 / 6 * row,
    );
    let middle = picture.data.get(from..to).expect("rows");
    let sum: u64 = middle
        .iter()
        .zip(middle.iter().skip(3))
        .map(|(a, b)| u64::from(a.abs_diff(*b)))
        .sum();
    sum as f64 / middle.len() as f64
}

fn disturbed(kind: DisturbanceKind, index: u64) -> (Scene, RgbPicture, RgbPicture) {
    let mut script = clip(SceneKind::ShaftMouth, 11);
    script.look.noise = 0.0;
    let mut plain = RgbPicture::default();
    Scene::new(script.clone())
        .expect("a scene")
        .render(index, &mut plain);
    script.disturbances.push(Disturbance {
        from_seconds: 20.0,
        until_seconds: 30.0,
        kind,
    });
    let scene = Scene::new(script).expect("a scene");
    let mut picture = RgbPicture::default();
    scene.render(index, &mut picture);
    (scene, plain, picture)
}

#[test]
fn disturbances_do_what_they_say() {
    let at = 250;
    let (scene, plain, covered) = disturbed(DisturbanceKind::Covered, at);
    assert!(
        mean(&covered) < 45.0 && mean(&plain) > 60.0,
        "{} {}",
        mean(&covered),
        mean(&plain)
    );
    assert!(scene.truth(at).objects.is_empty());
    assert_eq!(scene.truth(at).disturbance, Some(DisturbanceKind::Covered));
    let mut after = RgbPicture::default();
    scene.render(300, &mut after);
    assert!(mean(&after) > 60.0, "the cover is gone at its end");

    let (_, plain, dark) = disturbed(DisturbanceKind::Dark, at);
    assert!(
        mean(&dark) < 0.2 * mean(&plain),
        "{} {}",
        mean(&dark),
        mean(&plain)
    );
    let (_, _, bright) = disturbed(DisturbanceKind::OverExposed, at);
    assert!(mean(&bright) > 225.0, "{}", mean(&bright));
    let (_, plain, blurred) = disturbed(DisturbanceKind::Blurred, at);
    assert!(
        sharpness(&blurred) < 0.4 * sharpness(&plain),
        "{} {}",
        sharpness(&blurred),
        sharpness(&plain)
    );

    let (_, plain, moved) = disturbed(DisturbanceKind::Moved, at);
    let (_, _, turned) = disturbed(DisturbanceKind::Turned, at);
    assert!(apart(&plain, &moved) > 8.0, "{}", apart(&plain, &moved));
    assert!(apart(&plain, &turned) > 8.0, "{}", apart(&plain, &turned));
    assert!((mean(&moved) - mean(&plain)).abs() < 25.0, "still the same place");
}

#[test]
fn a_moved_camera_moves_the_true_boxes() {
    let (scene, _, _) = disturbed(DisturbanceKind::Moved, 250);
    let straight = Scene::new(clip(SceneKind::ShaftMouth, 11))
        .expect("a scene")
        .truth(250)
        .objects;
    let moved = scene.truth(250).objects;
    let pair = straight
        .iter()
        .find_map(|one| Some((one, moved.iter().find(|other| other.id == one.id)?)));
    let (one, other) = pair.expect("somebody in both pictures");
    assert!(
        (one.bounding_box.left - other.bounding_box.left).abs() > 10.0,
        "{one:?} {other:?}"
    );
}

#[test]
fn frozen_pictures_are_all_the_last_one() {
    let (scene, plain, frozen) = disturbed(DisturbanceKind::Frozen, 250);
    let mut last = RgbPicture::default();
    scene.render(199, &mut last);
    assert_eq!(frozen, last);
    assert_ne!(frozen, plain);
    assert_eq!(scene.truth(250).objects, scene.truth(199).objects);
}

#[test]
fn looped_pictures_come_again_and_the_clock_as_told() {
    for clock_runs in [false, true] {
        let kind = DisturbanceKind::Looped {
            seconds: 3.0,
            clock_runs,
        };
        let (scene, _, first) = disturbed(kind, 205);
        let (mut original, mut again) = (RgbPicture::default(), RgbPicture::default());
        scene.render(175, &mut original);
        scene.render(235, &mut again);
        if clock_runs {
            // Only the clock's corner differs.
            let (drawn, count) = difference(&first, &original);
            assert!(
                count > 5 && drawn.bottom() < 40.0 && drawn.right() < 240.0,
                "{drawn:?}"
            );
        } else {
            assert_eq!(first, original);
            assert_eq!(first, again);
        }
        assert_eq!(scene.truth(205).objects, scene.truth(175).objects);
    }
}

#[test]
fn the_belt_moves_in_its_region_while_it_runs() {
    let scene = Scene::new(clip(SceneKind::Belt, 12)).expect("a scene");
    let region = scene
        .regions()
        .into_iter()
        .find(|region| region.name == "belt")
        .expect("the region");
    let motion = |index: u64| {
        let (mut one, mut other) = (RgbPicture::default(), RgbPicture::default());
        scene.render(index, &mut one);
        scene.render(index + 5, &mut other);
        let (mut sum, mut count) = (0.0, 0.0);
        for (offset, (a, b)) in one
            .data
            .chunks_exact(3)
            .zip(other.data.chunks_exact(3))
            .enumerate()
        {
            let (x, y) = (offset as u32 % one.width, offset as u32 / one.width);
            if region.contains(Point {
                x: x as f32 / one.width as f32,
                y: y as f32 / one.height as f32,
            }) {
                sum += a
                    .iter()
                    .zip(b)
                    .map(|(a, b)| f64::from(a.abs_diff(*b)))
                    .sum::<f64>()
                    / 3.0;
                count += 1.0;
            }
        }
        sum / count
    };
    // The script's times at 90 s: stops at 31.5, starts at 43.2, no coal fed from 52.2 to 68.4.
    let (coal, stopped, empty) = (motion(200), motion(380), motion(640));
    let told = |index: u64| (scene.truth(index).belt_running, scene.truth(index).coal_on_belt);
    assert_eq!(told(200), (Some(true), Some(true)));
    assert_eq!(told(380), (Some(false), Some(true)));
    assert_eq!(told(640), (Some(true), Some(false)));
    assert!(
        coal > 2.0 * stopped && empty > 1.6 * stopped,
        "coal {coal}, stopped {stopped}, empty {empty}"
    );
}

#[test]
fn the_post_is_manned_as_told() {
    let script = SceneScript::demo(SceneKind::DispatchRoom, 13, 120.0, DemoCourse::Stopped);
    let scene = Scene::new(SceneScript {
        width: 320,
        height: 180,
        ..script
    })
    .expect("a scene");
    let people = |seconds: u64| scene.truth(seconds * 5).people_at_post;
    assert_eq!((people(1), people(20)), (Some(1), Some(1)));
    assert_eq!((people(40), people(90)), (Some(0), Some(0)));
    assert_eq!(people(112), Some(1));
    assert_eq!(scene.truth(5).objects.len(), 1);
}
