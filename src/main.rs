//! Parses the command line, runs, and turns the outcome into an exit code.

use std::process::ExitCode;
use tikv_jemallocator::Jemalloc;
use xiaozhi_ota::cli::Cli;

/// Allocator of all that is not C: `util/allocator.rs` has the reason.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    match Cli::of_command_line() {
        Ok(cli) => cli.run(),
        Err(code) => code,
    }
}
