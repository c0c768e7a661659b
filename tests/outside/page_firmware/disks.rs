//! Disks that are full or read-only: nothing half published, and the page says what to change.

use super::super::disks::{full, in_namespace, read_only};
use super::super::support::server::Setup;
use super::client::{Browser, between};
use super::{ANY_PORT, OPERATOR, Server, app, folder, until, waiting, with_tokens};
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

/// A tmpfs of so many MiB in place of `folder`, with what was there.
fn small(folder: &str, size: u8) -> String {
    format!(
        "mkdir -p {folder} kept; cp -a {folder}/. kept; mount -t tmpfs -o size={size}m tmpfs {folder}; cp -a kept/. {folder}"
    )
}

/// A path in the server's folder, as the server itself sees it.
fn inside(server: &Server, path: &str) -> PathBuf {
    let root = PathBuf::from(format!("/proc/{}/root", server.pid()));
    let dir = server.dir.path().strip_prefix("/").unwrap();
    root.join(dir).join(path)
}

/// What the server itself sees in its firmware folder.
fn seen(server: &Server) -> Vec<String> {
    let items = fs::read_dir(inside(server, "data/bin")).unwrap();
    let names = items.map(|item| item.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
fn read_only_data_is_said_before_anybody_sends_a_file() {
    let setup = Setup::new().file("a_1.0.bin", app("1.0", 1));
    let mut command = in_namespace(&read_only("data/bin"));
    let server = setup.start_by(ANY_PORT, &mut command);
    let browser = Browser::of(&server);
    let page = browser.get("/firmware");
    let text = page.text();
    assert!(text.contains("is mounted read-only"), "{text}");
    assert!(text.contains(&server.bin().display().to_string()), "{text}");
    assert!(
        text.contains("Remedy: ") && !text.contains("type=\"file\""),
        "{text}"
    );
    let refused = browser.upload("a_1.9.0.bin", &app("1.9.0", 1));
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(refused.text().contains("is mounted read-only"));
    assert_eq!(waiting(&server), 0);
    let page = browser.get("/firmware/files/a_1.0.bin/delete");
    assert!(
        page.text().contains("is mounted read-only"),
        "{}",
        page.text()
    );
    assert!(!page.text().contains("class=\"danger\""), "{}", page.text());
    let refused = browser.post("/firmware/files/a_1.0.bin/delete", &[]);
    assert_eq!(refused.status, 503);
    assert_eq!(folder(&server), ["a_1.0.bin"]);
    // It is fetched all the same.
    assert_eq!(browser.get("/firmware/files/a_1.0.bin").status, 200);
}

#[test]
fn a_full_firmware_folder_takes_nothing_and_says_so() {
    let setup = Setup::new();
    let mut command = in_namespace(&full("data/bin"));
    let server = setup.start_early(ANY_PORT, &mut command);
    let browser = Browser::of(&server);
    let before = seen(&server);
    let draft = browser.draft("a_1.9.0.bin", &app("1.9.0", 1));
    let page = browser.get(&draft);
    assert!(page.text().contains("No space left"), "{}", page.text());
    assert!(
        !page.text().contains("Send another file"),
        "{}",
        page.text()
    );
    let refused = browser.post(&format!("{draft}/publish"), &[]);
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(
        refused.text().contains("No space left"),
        "{}",
        refused.text()
    );
    assert_eq!(seen(&server), before);
    assert_eq!(server.events("admin.published", &[]).len(), 0);
    let orders = server.dir.path().join("data/state/orders.json");
    assert!(!orders.exists(), "nothing was ordered");
    // It waits until there is room.
    assert_eq!(waiting(&server), 1);
}

#[test]
fn a_full_or_read_only_state_folder_takes_no_file_and_no_order() {
    for (prepare, part) in [
        (full("data/state"), "No space left"),
        (read_only("data/state"), "gateway.state"),
    ] {
        let setup = Setup::new().file("a_1.0.bin", app("1.0", 1));
        let config = with_tokens(&setup);
        let server = setup.start_by(&config, &mut in_namespace(&prepare));
        let browser = Browser::sign_in(&server, OPERATOR);
        let refused = browser.upload("a_1.9.0.bin", &app("1.9.0", 1));
        assert_eq!(refused.status, 503, "{}", refused.text());
        assert!(refused.text().contains(part), "{}", refused.text());
        let path = "/firmware/files/a_1.0.bin/delete";
        let page = browser.get(path);
        let shown = between(page.text(), "name=\"shown\" value=\"", "\"").unwrap_or_default();
        let refused = browser.post(path, &[("shown", shown)]);
        assert_eq!(refused.status, 503, "{}", refused.text());
        assert_eq!(folder(&server), ["a_1.0.bin"]);
        assert_eq!(server.events("admin.deleted", &[]).len(), 0);
    }
}

#[test]
fn what_could_not_be_done_is_no_act() {
    let setup = Setup::new().file("a_1.9.0.bin", app("1.9.0", 1));
    let mut command = in_namespace("true");
    let server = setup.start_by(ANY_PORT, &mut command);
    let browser = Browser::of(&server);
    let draft = browser.draft("a_1.9.0.bin", &app("1.9.0", 2));
    let page = browser.get(&format!("{draft}?replace=1"));
    let over = between(page.text(), "name=\"over\" value=\"", "\"").unwrap();
    // Something is mounted there meanwhile, which nobody sees before it is tried.
    let file = server.bin().join("a_1.9.0.bin");
    let pid = server.pid().to_string();
    let mounted = Command::new("nsenter")
        .args(["-t", &pid, "-U", "-m", "--preserve-credentials"])
        .args(["mount", "--bind"])
        .args([&file, &file])
        .status();
    assert!(mounted.unwrap().success());
    let fields = [("replace", "1"), ("over", over)];
    let refused = browser.post(&format!("{draft}/publish"), &fields);
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(refused.text().contains("busy"), "{}", refused.text());
    assert!(
        !browser.get("/acts").text().contains("publish a file"),
        "nothing was published"
    );
    let orders = fs::read_to_string(inside(&server, "data/state/orders.json")).unwrap();
    assert!(!orders.contains("\"publish\""), "{orders}");
    assert!(fs::read(&file).unwrap() == app("1.9.0", 1));
}

/// Number of files that wait, whole or not, as the server itself sees it.
fn waiting_inside(server: &Server) -> usize {
    fs::read_dir(inside(server, "data/state/drafts")).map_or(0, Iterator::count)
}

#[test]
fn a_disk_that_fills_meanwhile_keeps_nothing_and_has_room_for_one_of_two() {
    let setup = Setup::new();
    let config = with_tokens(&setup);
    let mut command = in_namespace(&small("data/state", 15));
    let server = setup.start_by(&config, &mut command);
    let browser = Browser::sign_in(&server, OPERATOR);
    // Each of the two fits beside the eight that stay free, and both do not.
    let image = vec![0xE9; 4 << 20];
    let (mut stream, rest) = browser.begin("a_1.9.0.bin", &image, 300_000);
    until("a file that is coming", || {
        (waiting_inside(&server) == 1).then_some(())
    });
    let refused = browser.upload("b_1.9.0.bin", &image);
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(
        refused.text().contains("No space left"),
        "{}",
        refused.text()
    );
    assert_eq!(waiting_inside(&server), 1);
    // Somebody else takes all that is left.
    let filler = inside(&server, "data/state/filler");
    let mut file = fs::File::create(&filler).unwrap();
    while file.write(&[0; 4096]).is_ok_and(|count| count > 0) {}
    drop(file);
    stream.write_all(&rest).unwrap();
    let reply = Browser::read(&mut stream);
    assert_eq!(reply.status, 507, "{}", reply.text());
    assert!(reply.text().contains("No space left"), "{}", reply.text());
    assert_eq!(waiting_inside(&server), 0);
    fs::remove_file(filler).unwrap();
    browser.draft("a_1.9.0.bin", &image);
}

#[test]
fn a_file_that_is_published_leaves_room_for_what_is_kept_of_devices() {
    let setup = Setup::new();
    let config = with_tokens(&setup);
    let mut command = in_namespace(&small("data", 14));
    let server = setup.start_by(&config, &mut command);
    let browser = Browser::sign_in(&server, OPERATOR);
    let draft = browser.draft("a_1.9.0.bin", &app("1.9.0", 1));
    let filler = inside(&server, "data/filler");
    fs::write(&filler, vec![0; 6 << 20]).unwrap();
    let page = browser.get(&draft);
    assert!(page.text().contains("No space left"), "{}", page.text());
    let refused = browser.post(&format!("{draft}/publish"), &[]);
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert_eq!(seen(&server), [""; 0]);
    fs::remove_file(filler).unwrap();
    let done = browser.post(&format!("{draft}/publish"), &[]);
    assert_eq!(done.status, 303, "{}", done.text());
    assert_eq!(seen(&server), ["a_1.9.0.bin"]);
}
