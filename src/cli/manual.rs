//! `xiaozhi-ota manual`: man pages and completions, made of what `--help` is made of.

use super::output::print;
use crate::util::terminal::one_line;
use anyhow::Context as _;
use clap::{Args, Command};
use clap_complete::{Shell, generate_to};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Name of the program, as people type it.
const NAME: &str = "xiaozhi-ota";
/// Folder of the man pages of commands: section 1 (man-pages(7)).
const PAGES: &str = "man/man1";

#[derive(Debug, Args)]
pub(super) struct ManualArgs {
    /// Folder that gets man/, bash-completion/, zsh/ and fish/, such as
    /// /usr/local/share; what is there from an earlier version is overwritten
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

/// Returns where a shell looks for the completions of a command, below `/usr/share`, and
/// what the file has to be called there (<https://github.com/scop/bash-completion>,
/// zshcompsys(1), fish's `complete`).
const fn completion(shell: Shell) -> Option<(&'static str, &'static str)> {
    match shell {
        Shell::Bash => Some(("bash-completion/completions", NAME)),
        Shell::Zsh => Some(("zsh/site-functions", "_xiaozhi-ota")),
        Shell::Fish => Some(("fish/vendor_completions.d", "xiaozhi-ota.fish")),
        _ => None,
    }
}

impl ManualArgs {
    pub(super) fn run(self, command: Command) -> anyhow::Result<ExitCode> {
        let folder = &self.folder;
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            if let Some((place, name)) = completion(shell) {
                write_completion(shell, &mut command.clone(), &folder.join(place), name)?;
            }
        }
        write_pages(command, &folder.join(PAGES))?;
        let folder = one_line(&folder.display().to_string());
        print(&format!(
            "{folder}: wrote man pages, and completions for bash, zsh and fish\n"
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes a page for the program and one for each subcommand.
fn write_pages(command: Command, folder: &Path) -> anyhow::Result<()> {
    make(folder)?;
    clap_mangen::generate_to(command, folder).with_context(|| cannot_write(folder))
}

/// Writes the completions for a shell, by the name under which it looks for them.
fn write_completion(
    shell: Shell,
    command: &mut Command,
    folder: &Path,
    name: &str,
) -> anyhow::Result<()> {
    make(folder)?;
    let written = generate_to(shell, command, NAME, folder)
        .and_then(|path| fs::rename(&path, folder.join(name)));
    written.with_context(|| cannot_write(folder))
}

fn make(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| cannot_write(folder))
}

fn cannot_write(folder: &Path) -> String {
    let folder = one_line(&folder.display().to_string());
    format!("{folder}: cannot be written: give a folder that you may write, or use sudo")
}
