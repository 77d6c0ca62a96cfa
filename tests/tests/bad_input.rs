//! What goes wrong is said: what, where, how to mend it; before anything starts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use mineseal_system_tests::{Engines, Site};

const MINES: &str = include_str!("../../config/mines.example.toml");

/// Exit code and everything that the program printed.
fn run(site: &Site, arguments: &[&str]) -> (i32, String) {
    let output = site.command(arguments).unwrap().output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

fn site() -> Site {
    Site::new(Engines::Shared).unwrap()
}

fn assert_says(answer: (i32, String), code: i32, words: &[&str]) {
    for word in words {
        assert!(answer.1.contains(word), "{word:?} is not in:\n{}", answer.1);
    }
    assert_eq!(answer.0, code, "{}", answer.1);
}

#[test]
fn a_mine_code_that_is_not_twelve_digits() {
    let site = site();
    let file = site.path("mines.toml");
    fs::write(&file, MINES.replace("150602999001\"", "15060299900\"")).unwrap();
    let answer = run(&site, &["config", "check", "--mines", file.to_str().unwrap()]);
    assert_says(answer, 64, &["mines.toml", "示例一号煤矿", "12 digits", "help:"]);
    let answer = run(&site, &["up", "--mines", file.to_str().unwrap()]);
    assert_says(answer, 64, &["12 digits"]);
}

#[test]
fn a_line_outside_the_picture() {
    let site = site();
    let file = site.path("mines.toml");
    fs::write(&file, MINES.replace("to = [0.1, 0.6]", "to = [-0.1, 0.6]")).unwrap();
    let answer = run(&site, &["config", "check", "--mines", file.to_str().unwrap()]);
    assert_says(answer, 64, &["line", "mouth", "leaves the picture"]);
}

#[test]
fn a_video_that_is_missing_or_broken() {
    let site = site();
    let answer = run(&site, &["count", "nowhere.mp4", "--line", "0,0,10,10"]);
    assert_says(answer, 1, &["nowhere.mp4"]);
    let broken = site.path("broken.mp4");
    fs::write(&broken, b"this is no video at all").unwrap();
    let answer = run(&site, &["count", broken.to_str().unwrap(), "--line", "0,0,10,10"]);
    assert_says(answer, 1, &["broken.mp4"]);
    let answer = run(
        &site,
        &["count", broken.to_str().unwrap(), "--line", "0,0,ten,10"],
    );
    assert_says(answer, 1, &["ten"]);
    let file = site.path("mines.toml");
    fs::write(&file, MINES).unwrap();
    let answer = run(&site, &["up", "--mines", file.to_str().unwrap()]);
    assert_says(answer, 64, &["videos/shaft.mp4", "does not exist"]);
}

#[test]
fn weights_that_are_missing_or_of_the_wrong_shape() {
    let site = site();
    let picture = site.path("picture.jpg");
    fs::write(&picture, b"no picture").unwrap();
    let answer = run(
        &site,
        &[
            "detect",
            picture.to_str().unwrap(),
            "--weights",
            "nowhere.safetensors",
        ],
    );
    assert_says(answer, 1, &["nowhere.safetensors"]);
    // The product's own weights with the tail of one tensor given to the next.
    let own = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../config/models/mineseal-yolox-nano.safetensors"
    );
    let mut bytes = fs::read(own).unwrap();
    let right = b"\"shape\":[16,12,3,3]";
    let place = bytes.windows(right.len()).position(|part| part == right);
    let place = place.expect("the stem's shape");
    bytes[place..place + right.len()].copy_from_slice(b"\"shape\":[12,16,3,3]");
    let wrong = site.path("wrong.safetensors");
    fs::write(&wrong, bytes).unwrap();
    let answer = run(
        &site,
        &[
            "detect",
            picture.to_str().unwrap(),
            "--weights",
            wrong.to_str().unwrap(),
        ],
    );
    assert_says(answer, 1, &["stem", "[12, 16, 3, 3]", "[16, 12, 3, 3]"]);
    let answer = run(&site, &["detect", picture.to_str().unwrap()]);
    assert_says(answer, 1, &["picture.jpg"]);
}

#[test]
fn a_port_that_is_taken() {
    let mut site = site();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    site.set("MINESEAL_CONSOLE__LISTEN", &address);
    let answer = run(&site, &["up"]);
    assert_says(
        answer,
        1,
        &[&address, "console.listen", "MINESEAL_CONSOLE__LISTEN"],
    );
}

#[test]
fn a_data_folder_that_cannot_be_written() {
    let site = site();
    fs::write(site.path("data"), b"a file where the folder should be").unwrap();
    let answer = run(&site, &["up"]);
    assert_says(answer, 1, &["cannot write to the data folder", "--data"]);
    fs::remove_file(site.path("data")).unwrap();
    fs::create_dir(site.path("data")).unwrap();
    fs::set_permissions(site.path("data"), fs::Permissions::from_mode(0o555)).unwrap();
    // Root writes everywhere, so there is nothing to refuse it.
    if !rustix::process::geteuid().is_root() {
        let answer = run(&site, &["up"]);
        assert_says(answer, 1, &["cannot write to the data folder"]);
    }
}

#[test]
fn a_wrong_setting_names_variable_and_key() {
    let mut site = site();
    site.set("MINESEAL_INFERENCE__WORKERS", "many");
    let answer = run(&site, &["up"]);
    assert_says(
        answer,
        64,
        &["MINESEAL_INFERENCE__WORKERS", "inference.workers", "help:"],
    );
}

#[test]
fn nothing_runs_and_nothing_is_stopped() {
    let site = site();
    assert_says(run(&site, &["down"]), 0, &["nothing runs"]);
    assert_says(run(&site, &["status"]), 1, &["telemetry.listen"]);
}

#[test]
fn what_config_show_prints_config_check_takes() {
    let site = site();
    let (code, shown) = run(&site, &["config", "show"]);
    assert_eq!(code, 0, "{shown}");
    let file = site.path("mineseal.toml");
    fs::write(&file, shown).unwrap();
    let answer = run(&site, &["--config", file.to_str().unwrap(), "config", "check"]);
    assert_says(answer, 0, &["configuration: good"]);
    let (code, schema) = run(&site, &["config", "schema"]);
    assert_eq!(code, 0);
    assert!(schema.contains("stall_seconds"));
}
