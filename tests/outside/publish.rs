//! `publish` takes what people have: archives of releases, full flash images, app images, and
//! folders of them.

mod batch;
mod dry_run;
mod faults;
mod mending;
mod sources;

use super::support::noise;
use super::support::server::BINARY;
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;
use xiaozhi_image_builder::zip::Zip;
use xiaozhi_image_builder::{Flash, Image};

/// A board, and the name of its release.
const BOARD: &str = "bread-compact-wifi";
const RELEASE: &str = "v2.1.0_bread-compact-wifi.zip";
/// One whose name may be its manufacturer's, too.
const EITHER: &str = "v2.2.6_waveshare-esp32-s3-touch-amoled-1.75.zip";
const CANDIDATES: [&str; 2] = [
    "waveshare-esp32-s3-touch-amoled-1.75",
    "esp32-s3-touch-amoled-1.75",
];

/// An app image of this version, other than all of another number.
fn app(version: &str, number: u64) -> Vec<u8> {
    let image = Image {
        payload: noise(4096, number),
        ..Image::new(version)
    };
    image.build()
}

/// What `esptool merge-bin` makes of an app.
fn full(app: &[u8]) -> Vec<u8> {
    Flash::v2_16mb().build(&[("ota_0", app)])
}

/// What a release packs.
fn packed(member: &str, bytes: &[u8]) -> Vec<u8> {
    Zip::new().file(member, bytes).bytes()
}

fn release(app: &[u8]) -> Vec<u8> {
    packed("merged-binary.bin", &full(app))
}

/// A folder with files, and an empty firmware folder.
fn folder(files: &[(&str, Vec<u8>)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("data/bin")).unwrap();
    for (name, bytes) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    dir
}

/// End of a run.
#[derive(Debug)]
struct Done {
    code: i32,
    text: String,
    error: String,
}

impl Done {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self {
            code: output.status.code().unwrap_or(-1),
            text: text(output.stdout),
            error: text(output.stderr),
        }
    }

    /// The document for programs.
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// The row of a source.
    fn row(&self, source: &str) -> Value {
        let json = self.json();
        let rows = json["sources"].as_array().unwrap();
        let row = rows.iter().find(|row| row["source"] == source);
        row.unwrap_or_else(|| panic!("{source}: {self:?}")).clone()
    }
}

fn command(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command
        .arg("publish")
        .args(arguments)
        .current_dir(dir)
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null());
    command
}

fn publish(dir: &Path, arguments: &[&str]) -> Done {
    Done::of(command(dir, arguments).output().unwrap())
}

/// The same, with this on standard input.
fn publish_from(dir: &Path, input: &[u8], arguments: &[&str]) -> Done {
    let mut child = command(dir, arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let _ = stdin.write_all(input);
    drop(stdin);
    Done::of(child.wait_with_output().unwrap())
}

/// Runs a command as somebody copies it.
fn copied(dir: &Path, line: &str) -> Done {
    let output = Command::new("bash")
        .args([
            "-c",
            &format!("xiaozhi-ota() {{ '{BINARY}' \"$@\"; }}; {line}"),
        ])
        .current_dir(dir)
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .output();
    Done::of(output.unwrap())
}

/// All that a folder and those below it hold.
fn tree(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for item in fs::read_dir(dir).unwrap() {
        let path = item.unwrap().path();
        let name = path.display().to_string();
        if path.is_dir() {
            found.extend(tree(&path));
            found.push((name, Vec::new()));
        } else {
            found.push((name, fs::read(&path).unwrap_or_default()));
        }
    }
    found.sort();
    found
}
