//! Parses the command line, runs, and turns the outcome into an exit code.

use std::process::ExitCode;
use tikv_jemallocator::Jemalloc;
use xiaozhi_ota::cli::Cli;

/// Allocator of everything. What a storm took goes back to the machine: of 12,000 bodies
/// glibc keeps 350 MiB for good, in holes between small things that stay, and mimalloc as
/// much; this keeps 12 MiB after its ten seconds. A check-in costs the same with each.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    match Cli::of_command_line() {
        Ok(cli) => cli.run(),
        Err(code) => code,
    }
}
