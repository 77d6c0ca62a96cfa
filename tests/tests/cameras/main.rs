//! Cameras through the whole system: those of the made-up mines, one that is turned, one behind a bad link. One program,
//! because the turned one takes its time and leaves the processor to the others.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod accept;
mod damaged_link;
mod demo;
#[allow(dead_code, reason = "the extractor's tests need all of it")]
#[path = "../../../services/frame-extractor/tests/support/rtsp.rs"]
mod rtsp;
