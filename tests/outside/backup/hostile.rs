//! Files that are no backup, or not any more: nothing is touched, and what is wrong is named.

use super::{FILE, good, kept, run, temporary, whole};
use std::fs;
use std::path::Path;
use tar::{Builder, EntryType, Header};

/// A folder into which something is to be restored, and what a backup of it is.
fn backup() -> (tempfile::TempDir, Vec<u8>) {
    let dir = temporary();
    whole(dir.path());
    good(dir.path(), &["backup", FILE]);
    let bytes = fs::read(dir.path().join(FILE)).unwrap();
    (dir, bytes)
}

/// Tries to restore bytes, and returns what is said. Nothing was touched.
#[track_caller]
fn tried(bytes: &[u8]) -> String {
    let dir = temporary();
    fs::write(dir.path().join(FILE), bytes).unwrap();
    let done = run(dir.path(), &["restore", FILE, "--force"]);
    assert_eq!(done.code, 1, "{done:?}");
    assert_eq!(kept(dir.path()).len(), 0, "{done:?}");
    assert!(!dir.path().join("data").exists(), "{done:?}");
    done.said
}

#[test]
fn a_flipped_byte_is_named() {
    let (_dir, bytes) = backup();
    let at = |what: &[u8]| {
        let found = bytes.windows(what.len()).position(|part| part == what);
        found.unwrap_or_else(|| panic!("{what:?}"))
    };
    let long = "n".repeat(150);
    for (place, member) in [
        (at(b"server:\n  time"), "config/.config.yaml"),
        (at(b"another key"), "named/1-a.key"),
        (at(b"secret"), "state/token.key"),
        (at(b"SQLite format"), "state/fleet.db"),
        (at(b"firmware/x_1.0.bin\0") + 1000, "firmware/x_1.0.bin"),
        (at(b"firmware/x_1.0.bin\0") + 500_000, "firmware/x_1.0.bin"),
        (at(b"\"backup of"), "MANIFEST.json"),
        (at(format!("{long}_3.0.bin\0").as_bytes()), "firmware/"),
    ] {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x10;
        let said = tried(&damaged);
        assert!(said.contains(member), "{member}: {said}");
    }
    // Any byte: none goes by.
    let mut place = 7;
    while place < bytes.len() {
        let mut damaged = bytes.clone();
        damaged[place] ^= 1;
        tried(&damaged);
        place += bytes.len() / 40;
    }
}

#[test]
fn a_cut_backup_is_none() {
    let (_dir, bytes) = backup();
    for part in [0, 1, 511, 512, 513, 5000, 100_000] {
        tried(&bytes[..part]);
    }
    for missing in [1, 511, 512, 1024, 1025, 3000] {
        tried(&bytes[..bytes.len() - missing]);
    }
}

fn member(tar: &mut Builder<Vec<u8>>, name: &str, kind: EntryType, size: u64, content: &[u8]) {
    let mut header = Header::new_gnu();
    let field = &mut header.as_gnu_mut().unwrap().name;
    field[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    if kind == EntryType::Symlink {
        header.set_link_name("/etc/passwd").unwrap();
    }
    header.set_cksum();
    tar.append(&header, content).unwrap();
}

#[test]
fn what_no_backup_holds_is_refused_by_its_name() {
    for (name, kind, words) in [
        ("../evil", EntryType::Regular, "../evil"),
        ("/etc/evil", EntryType::Regular, "/etc/evil"),
        ("firmware/../../evil", EntryType::Regular, "evil"),
        ("config/a/b", EntryType::Regular, "config/a/b"),
        ("other", EntryType::Regular, "other"),
        ("state/lock", EntryType::Regular, "state/lock"),
        ("firmware/a", EntryType::Symlink, "a link"),
        ("firmware/a", EntryType::Link, "a link"),
        ("firmware/a", EntryType::Char, "a device"),
        ("firmware/a", EntryType::Block, "a device"),
        ("firmware/a", EntryType::Fifo, "a device or a pipe"),
        ("firmware", EntryType::Directory, "a folder"),
        ("firmware/a", EntryType::GNUSparse, "no plain file"),
        ("x", EntryType::XHeader, "no plain file"),
    ] {
        let mut tar = Builder::new(Vec::new());
        member(&mut tar, name, kind, 0, b"");
        let said = tried(&tar.into_inner().unwrap());
        assert!(said.contains(words), "{name}: {said}");
    }
    let mut tar = Builder::new(Vec::new());
    for _ in 0..2 {
        member(&mut tar, "firmware/a", EntryType::Regular, 1, b"a");
    }
    assert!(tried(&tar.into_inner().unwrap()).contains("twice"));
    // Sizes that nothing has, and a name that would fill the memory.
    for (kind, size) in [
        (EntryType::Regular, 1 << 50),
        (EntryType::GNULongName, 1 << 40),
    ] {
        let mut tar = Builder::new(Vec::new());
        member(&mut tar, "firmware/a", kind, size, b"");
        tried(&tar.into_inner().unwrap());
    }
    let mut tar = Builder::new(Vec::new());
    for n in 0..100_002 {
        member(
            &mut tar,
            &format!("firmware/{n}"),
            EntryType::Regular,
            0,
            b"",
        );
    }
    assert!(tried(&tar.into_inner().unwrap()).contains("more members"));
    for text in ["", "no tar at all", &"x".repeat(2000)] {
        tried(text.as_bytes());
    }
    tried(&vec![0; 10_240]);
}

#[test]
fn a_newer_layout_is_refused_in_words() {
    let manifest = b"{\"version\": 2}";
    let mut tar = Builder::new(Vec::new());
    member(
        &mut tar,
        "MANIFEST.json",
        EntryType::Regular,
        manifest.len() as u64,
        manifest,
    );
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, manifest);
    let hex = xiaozhi_device::hex::encode(digest.as_ref());
    let sums = format!("{hex}  MANIFEST.json\n");
    member(
        &mut tar,
        "SHA256SUMS",
        EntryType::Regular,
        sums.len() as u64,
        sums.as_bytes(),
    );
    let said = tried(&tar.into_inner().unwrap());
    assert!(said.contains("newer version"), "{said}");
    assert!(!Path::new(FILE).exists());
}
