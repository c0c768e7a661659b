//! Folders of a restore: state folders of two configurations, and those of another user.

use super::{FILE, good, temporary};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

/// A backup whose configuration names the state folder `kept`.
fn with_kept(dir: &Path) {
    for folder in ["data/bin", "kept"] {
        fs::create_dir_all(dir.join(folder)).unwrap();
    }
    let config = "gateway:\n  ports: [0]\n  state: kept\n";
    fs::write(dir.join("data/.config.yaml"), config).unwrap();
    fs::write(dir.join("kept/token.key"), "secret").unwrap();
    fs::write(dir.join("data/bin/x_1.0.0.bin"), "an image").unwrap();
    good(dir, &["backup", FILE]);
}

#[test]
fn a_restore_is_not_in_its_own_way() {
    let one = temporary();
    with_kept(one.path());
    // What is there now names no state folder, another one, the same by a link, or nothing.
    for (config, link) in [
        ("gateway: {ports: [0]}", None),
        ("gateway: {ports: [0], state: data/state}", None),
        ("gateway: {ports: [0]}", Some("kept")),
        ("gateway: {ports: [0], state: ./kept/../kept}", None),
        ("nonsense", None),
    ] {
        let other = temporary();
        let dir = other.path();
        fs::create_dir_all(dir.join("data")).unwrap();
        fs::write(dir.join("data/.config.yaml"), config).unwrap();
        fs::create_dir(dir.join("kept")).unwrap();
        match link {
            Some(link) => symlink(dir.join(link), dir.join("data/state")).unwrap(),
            None => fs::create_dir(dir.join("data/state")).unwrap(),
        }
        let from = one.path().join(FILE);
        good(dir, &["restore", from.to_str().unwrap(), "--force"]);
        let key = fs::read(dir.join("kept/token.key")).unwrap();
        assert_eq!(key, b"secret", "{config}");
    }
}
