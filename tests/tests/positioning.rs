//! Reports of a positioning system that arrive in a watched folder reach the people who look.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use mineseal_system_tests::{Engines, Site};
use rustix::process::{Pid, Signal, kill_process};

const MINE: &str = "150602999105";

fn report(mine: &str, minute: u32, people: usize) -> (String, String) {
    let cards: String = (0..people).map(|card| format!("A{card};某;1~")).collect();
    (
        format!("{mine}_RYSS_2026092310{minute:02}19.txt"),
        format!("{mine};示范煤矿;人员定位;某系统;2026-09-23 10:{minute:02}:19~{cards}||"),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_folder_brings_reports_to_the_console() {
    let mut site = Site::new(Engines::Shared).unwrap();
    let mines = site.path("mines.toml");
    let text = format!("[[mine]]\ncode = \"{MINE}\"\nname = \"定位\"\nheadcount_limit = 5\n");
    fs::write(&mines, text).unwrap();
    site.start(Some(&mines)).unwrap();
    site.until_ready(Duration::from_secs(120)).await.unwrap();

    let folder = site.path("arrives");
    fs::create_dir(&folder).unwrap();
    // One is there before anybody watches, and one is of a mine that nobody knows.
    let (first, content) = report(MINE, 13, 3);
    fs::write(folder.join(&first), content).unwrap();
    let (unknown, content) = report("150602999199", 13, 1);
    fs::write(folder.join(&unknown), content).unwrap();
    let mut watcher = site
        .command(&["positioning", "--watch", &folder.to_string_lossy()])
        .unwrap()
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until(&site, 3).await;
    let (second, content) = report(MINE, 14, 4);
    // As a transfer does: under another name until it is whole.
    fs::write(folder.join("transfer.part"), content).unwrap();
    fs::rename(folder.join("transfer.part"), folder.join(&second)).unwrap();
    until(&site, 4).await;

    let process = Pid::from_raw(watcher.id().try_into().unwrap()).unwrap();
    kill_process(process, Signal::TERM).unwrap();
    assert!(watcher.wait().unwrap().success());
    for name in [&first, &second] {
        assert!(folder.join("done").join(name).is_file(), "{name}");
    }
    assert!(folder.join("refused").join(&unknown).is_file());
    let reason = fs::read_to_string(folder.join("refused").join(format!("{unknown}.reason"))).unwrap();
    assert!(reason.contains("150602999199 is not registered"), "{reason}");
    site.stop().unwrap();
}

async fn until(site: &Site, people: i64) {
    let began = Instant::now();
    loop {
        let shown = site.shown().await.unwrap();
        if shown["mines"][MINE]["positioning"]["people"] == people {
            return;
        }
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{people} are not shown: {shown:#}"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
