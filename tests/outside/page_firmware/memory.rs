//! Machines with little memory: whoever sends a file does not have the server killed by it.

use super::super::disks::in_namespace;
use super::super::support::server::Setup;
use super::client::Browser;
use super::{ANY_PORT, Server, app, drafts, started};
use std::fs;
use xiaozhi_image_builder::zip::{Member, Zip};

const MIB: usize = 1 << 20;

/// The most memory that a server has had so far, in bytes.
fn peak(server: &Server) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib: usize = line.trim().trim_end_matches(" kB").parse().unwrap();
    kib << 10
}

/// Bytes that are no image, and of which no two blocks are alike.
fn junk(length: usize) -> Vec<u8> {
    let numbers = (0..length as u64 / 8).map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    numbers.flat_map(u64::to_le_bytes).collect()
}

#[test]
fn a_draft_takes_no_more_than_there_is_room_for() {
    let setup = Setup::new();
    let memory = setup.path().join("meminfo");
    fs::write(&memory, "MemTotal:         131072 kB\n").unwrap();
    let prepare = format!("mount --bind {} /proc/meminfo", memory.display());
    let server = setup.start_by(ANY_PORT, &mut in_namespace(&prepare));
    let browser = Browser::of(&server);
    let before = peak(&server);
    let large = Zip::new()
        .member(Member::stored("large.bin", &junk(40 * MIB)))
        .bytes();
    let swelling = Zip::new().file("a.bin", &vec![0; 33 * MIB]).bytes();
    for (name, bytes, said) in [
        ("v1.zip", &large, "has room for 33554432 bytes"),
        ("v2.zip", &swelling, "may have 33554432 together"),
        ("v3.bin", &junk(40 * MIB), "no ESP"),
    ] {
        let page = browser.get(&browser.draft(name, bytes));
        assert!(page.text().contains(said), "{name}: {}", page.text());
    }
    let taken = peak(&server).saturating_sub(before);
    assert!(taken < 16 * MIB, "{} MiB", taken / MIB);
}

#[test]
fn a_page_that_is_looked_at_again_reads_no_draft_anew() {
    let server = started();
    let browser = Browser::of(&server);
    let page = browser.draft("lichuang-dev_1.9.0.bin", &app("1.9.0", 1));
    let first = browser.get(&page);
    let own = fs::read_dir(drafts(&server)).unwrap().next().unwrap();
    fs::remove_file(own.unwrap().path().join("lichuang-dev_1.9.0.bin")).unwrap();
    let again = browser.get(&page);
    for page in [first, again] {
        assert!(
            page.text().contains("It can be published"),
            "{}",
            page.text()
        );
    }
    // What is published is what lies there.
    let published = browser.post(&format!("{page}/publish"), &[]);
    assert!(
        published.text().contains("cannot be read"),
        "{}",
        published.text()
    );
}
