//! Parses the command line, runs, and turns the outcome into an exit code.

use std::process::ExitCode;
use xiaozhi_ota::cli::Cli;

fn main() -> ExitCode {
    match Cli::of_command_line() {
        Ok(cli) => cli.run(),
        Err(code) => code,
    }
}
