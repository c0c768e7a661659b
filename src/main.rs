//! Parses the command line, runs, and turns the outcome into an exit code.

use clap::Parser;
use std::process::ExitCode;
use xiaozhi_ota::cli::Cli;

fn main() -> ExitCode {
    Cli::parse().run()
}
