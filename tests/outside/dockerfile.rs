//! `deploy/Dockerfile` builds from what it copies: Cargo wants the manifest of every
//! crate of the workspace, those of the tests too.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Copies `from` and what lies in it.
fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        for item in fs::read_dir(from).unwrap() {
            let item = item.unwrap();
            copy(&item.path(), &to.join(item.file_name()));
        }
    } else {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    }
}

#[test]
fn what_the_image_copies_is_a_whole_workspace() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dockerfile = fs::read_to_string(root.join("deploy/Dockerfile")).unwrap();
    let build = dockerfile.split("\nFROM ").nth(1).unwrap();
    assert!(build.contains(" AS build"), "{build}");
    let place = tempfile::tempdir().unwrap();
    let mut copied = 0;
    for line in build.lines().filter_map(|line| line.strip_prefix("COPY ")) {
        let names: Vec<&str> = line.split_whitespace().collect();
        let (into, sources) = names.split_last().unwrap();
        for source in sources {
            // A folder's name in front of the last word is where its content goes.
            let to = if *into == "./" { source } else { into };
            copy(&root.join(source), &place.path().join(to));
            copied += 1;
        }
    }
    assert!(copied >= 3, "{build}");
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--format-version=1"])
        .current_dir(place.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&metadata.stderr);
    assert!(metadata.status.success(), "{said}");
}
