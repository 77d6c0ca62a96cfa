//! Writes pictures of a scene as PNG, for a look: `frames KIND SEED FOLDER INDEX...`, with `boxes` as a further
//! word to draw the true boxes and lines on them, `random` for a training scene instead of the demonstration,
//! `stopped` for the stopped mine's clip, the name of a light (`day`, `overcast`, `dusk`, `night`), and that of a
//! disturbance (`covered`, `turned`, `moved`, `dark`, `bright`, `blurred`) for the whole clip; `time` measures,
//! `clip` writes the whole clip with its truth.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

use std::time::Instant;

use mineseal_scene::{
    Daylight, DemoCourse, Disturbance, DisturbanceKind, RgbPicture, Scene, SceneKind, SceneScript,
};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let kind = match words[0].as_str() {
        "mouth" => SceneKind::ShaftMouth,
        "gate" => SceneKind::VehicleGate,
        "belt" => SceneKind::Belt,
        "room" => SceneKind::DispatchRoom,
        other => panic!("{other} is not one of mouth, gate, belt, room"),
    };
    let seed: u64 = words[1].parse().expect("seed");
    let folder = &words[2];
    let boxes = words.iter().any(|word| word == "boxes");
    let has = |wanted: &str| words.iter().any(|word| word == wanted);
    let mut script = if has("random") {
        SceneScript::random(kind, seed, 640, 360, 30.0)
    } else if has("stopped") {
        SceneScript::demo(kind, seed, 120.0, DemoCourse::Stopped)
    } else {
        SceneScript::demo(kind, seed, 120.0, DemoCourse::Working { peak_people: 6 })
    };
    for (word, light) in [
        ("day", Daylight::Day),
        ("overcast", Daylight::Overcast),
        ("dusk", Daylight::Dusk),
        ("night", Daylight::Night),
    ] {
        if has(word) {
            script.look.daylight = light;
        }
    }
    for (word, kind) in [
        ("covered", DisturbanceKind::Covered),
        ("turned", DisturbanceKind::Turned),
        ("moved", DisturbanceKind::Moved),
        ("dark", DisturbanceKind::Dark),
        ("bright", DisturbanceKind::OverExposed),
        ("blurred", DisturbanceKind::Blurred),
    ] {
        if has(word) {
            script.disturbances.push(Disturbance {
                from_seconds: 0.0,
                until_seconds: script.seconds,
                kind,
            });
        }
    }
    let began = Instant::now();
    let scene = Scene::new(script).expect("scene");
    println!("prepared in {:?}", began.elapsed());
    let mut picture = RgbPicture::default();
    if has("time") {
        let count = scene.frame_count().min(600);
        let began = Instant::now();
        for index in 0..count {
            scene.render(index, &mut picture);
        }
        println!(
            "{count} pictures, {:.2} ms each",
            began.elapsed().as_secs_f64() * 1e3 / count as f64
        );
        let began = Instant::now();
        for index in 0..count {
            std::hint::black_box(scene.truth(index));
        }
        println!(
            "their truth, {:.2} ms each",
            began.elapsed().as_secs_f64() * 1e3 / count as f64
        );
    }
    if has("clip") {
        let began = Instant::now();
        let path = format!("{folder}/{}_{seed}.mp4", words[0]);
        mineseal_scene::write_video(&scene, std::path::Path::new(&path), |_, _| {}).expect("clip");
        println!("{path} in {:?}", began.elapsed());
    }
    for index in words[3..].iter().filter_map(|word| word.parse::<u64>().ok()) {
        let began = Instant::now();
        scene.render(index, &mut picture);
        let took = began.elapsed();
        if boxes {
            draw_truth(&scene, index, &mut picture);
        }
        let truth = scene.truth(index);
        let path = format!("{folder}/{}_{seed}_{index}.png", words[0]);
        let file = std::fs::File::create(&path).expect("create");
        let mut encoder = png::Encoder::new(std::io::BufWriter::new(file), picture.width, picture.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder
            .write_header()
            .and_then(|mut writer| writer.write_image_data(&picture.data))
            .expect("png");
        println!(
            "{path} in {took:?}: {} objects, crossings {:?}",
            truth.objects.len(),
            truth.crossings
        );
    }
}

fn draw_truth(scene: &Scene, index: u64, picture: &mut RgbPicture) {
    let (width, height) = (picture.width as i32, picture.height as i32);
    let mut dot = |x: i32, y: i32, colour: [u8; 3]| {
        if x >= 0 && y >= 0 && x < width && y < height {
            let offset = ((y * width + x) * 3) as usize;
            picture.data[offset..offset + 3].copy_from_slice(&colour);
        }
    };
    for object in scene.truth(index).objects {
        let found = object.bounding_box;
        let colour = if object.visible_share > 0.5 {
            [0, 255, 0]
        } else {
            [255, 160, 0]
        };
        let (left, right) = (found.left.floor() as i32 - 1, found.right().ceil() as i32);
        let (top, bottom) = (found.top.floor() as i32 - 1, found.bottom().ceil() as i32);
        for x in left..=right {
            dot(x, top, colour);
            dot(x, bottom, colour);
        }
        for y in top..=bottom {
            dot(left, y, colour);
            dot(right, y, colour);
        }
    }
    for line in scene.lines() {
        let line = line.line.scaled(width as f32, height as f32);
        for step in 0..1000 {
            let share = step as f32 / 1000.0;
            let x = line.from.x + (line.to.x - line.from.x) * share;
            let y = line.from.y + (line.to.y - line.from.y) * share;
            dot(x as i32, y as i32, [255, 0, 0]);
        }
    }
    for region in scene.regions() {
        for (index, corner) in region.corners.iter().enumerate() {
            let next = region.corners[(index + 1) % region.corners.len()];
            for step in 0..1000 {
                let share = step as f32 / 1000.0;
                let x = (corner.x + (next.x - corner.x) * share) * width as f32;
                let y = (corner.y + (next.y - corner.y) * share) * height as f32;
                dot(x as i32, y as i32, [0, 160, 255]);
            }
        }
    }
}
