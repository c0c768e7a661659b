//! Folders of a restore: state folders of two configurations, and those of another user.

use super::{FILE, good, refused, temporary};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown, lchown, symlink};
use std::path::Path;

/// A user whom no file here belongs to.
const NOBODY: u32 = 65_533;

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

/// The folders are the server's user's, who is no friend of root's once somebody broke into the
/// server.
#[test]
fn root_follows_no_link_that_the_servers_user_made() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let one = temporary();
    with_kept(one.path());
    let from = one.path().join(FILE);
    let restore = ["restore", from.to_str().unwrap(), "--force"];
    for link in ["kept", "kept/token.key", "data/bin", "data"] {
        let (other, outside) = (temporary(), temporary());
        let dir = other.path();
        let theirs = outside.path().join("theirs");
        fs::write(&theirs, "precious").unwrap();
        fs::create_dir_all(dir.join(link).parent().unwrap()).unwrap();
        let leads = if link.contains("key") {
            &theirs
        } else {
            outside.path()
        };
        symlink(leads, dir.join(link)).unwrap();
        for made in ["", "data", "kept"] {
            let _ = lchown(dir.join(made), Some(NOBODY), Some(NOBODY));
        }
        lchown(dir.join(link), Some(NOBODY), Some(NOBODY)).unwrap();
        refused(dir, &restore, "was made by user 65533");
        assert_eq!(fs::read(&theirs).unwrap(), b"precious", "{link}");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1, "{link}");
        assert_eq!(fs::metadata(&theirs).unwrap().uid(), 0);
        // One to that user's own things is as good as the things.
        for own in [outside.path(), &theirs] {
            chown(own, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        good(dir, &restore);
        let key = fs::metadata(dir.join("kept/token.key")).unwrap();
        assert_eq!(key.uid(), NOBODY, "{link}");
    }
}
