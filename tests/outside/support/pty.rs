//! A terminal of a given width, and what a program shows on it.

use super::server::BINARY;
use nix::pty::{Winsize, openpty};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::Command;

/// Runs the built program on a terminal that has so many columns, with these variables
/// and no others of a locale, and returns what it has shown there.
pub(crate) fn on_terminal(
    columns: u16,
    dir: &Path,
    variables: &[(&str, &str)],
    arguments: &[&str],
) -> String {
    let size = Winsize {
        // Some tell their width alone.
        ws_row: if columns == 40 { 0 } else { 24 },
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let pty = openpty(&size, None).unwrap();
    let end = || pty.slave.try_clone().unwrap();
    let mut command = Command::new(BINARY);
    for name in [
        "LANG",
        "LANGUAGE",
        "LC_ALL",
        "LC_CTYPE",
        "LC_MESSAGES",
        "COLUMNS",
        "NO_COLOR",
        "CLICOLOR",
    ] {
        command.env_remove(name);
    }
    let mut child = command
        .args(arguments)
        .env("TERM", "xterm")
        .envs(variables.iter().copied())
        .current_dir(dir)
        .stdin(end())
        .stdout(end())
        .stderr(end())
        .spawn()
        .unwrap();
    drop(command);
    drop(pty.slave);
    let mut bytes = Vec::new();
    let mut master = File::from(pty.master);
    let mut block = [0; 4096];
    // The kernel says EIO where nobody has the other end any more.
    while let Ok(n @ 1..) = master.read(&mut block) {
        bytes.extend_from_slice(&block[..n]);
    }
    child.wait().unwrap();
    String::from_utf8(bytes).unwrap().replace("\r\n", "\n")
}
