//! `mineseal`: the operator's command.

mod cli;
mod commands;
mod data_directory;
mod output;

use std::process::ExitCode;

use clap::Parser;

/// Inference and JPEG buffers come and go by the frame: an allocator that keeps their pages saves page faults.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match commands::dispatch(cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => mineseal_service::fail(error.as_ref()),
    }
}
