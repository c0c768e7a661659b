//! A state folder that is removed, or replaced, while a server has it.

use super::super::fleet_ends::{FILE, check_in, end, fetch, until_end};
use super::{ADMIN, in_namespace, mode, second};
use crate::support::process::Process;
use crate::support::server::{BINARY, Server, Setup};
use crate::support::until;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use xiaozhi_image_builder::Image;

const DEVICE: &str = "02:00:00:00:07:01";
const OTHER: &str = "02:00:00:00:07:02";

fn started() -> Server {
    let setup = Setup::new().file(FILE, Image::new("1.7.0").build());
    let server = setup.start(ADMIN);
    is_ready(&server);
    server
}

fn state(server: &Server) -> PathBuf {
    server.dir.path().join("data/state")
}

/// Returns why the store is not ready, if it is not, as the bearer of a token is told.
fn lacks(server: &Server, token: &str) -> Option<String> {
    let reply = server.admin("GET", "/readyz", token, "");
    let why = &reply.json()["checks"]["store"]["why"];
    assert_eq!(reply.status == 200, why.is_null(), "{}", reply.text());
    why.as_str().map(str::to_owned)
}

#[track_caller]
fn is_ready(server: &Server) {
    until("a store that is ready", || {
        lacks(server, "").is_none().then_some(())
    });
}

/// Returns what lies in a folder, but for the store, which is being written.
fn content(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = fs::read_dir(dir).unwrap().map(|item| item.unwrap().path());
    let is_kept = |path: &PathBuf| !path.to_string_lossy().contains("fleet.db");
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).unwrap();
        (path, bytes)
    };
    paths.filter(is_kept).map(read).collect()
}

/// Removes a folder, in one step: what is made in it meanwhile keeps nobody from it.
fn remove(dir: &Path) {
    let gone = dir.with_extension("gone");
    fs::rename(dir, &gone).unwrap();
    fs::remove_dir_all(gone).unwrap();
}

/// Orders that a device be forgotten, and returns the status and the text of the reply.
fn forget(server: &Server, device: &str) -> (u16, String) {
    let path = format!("/api/v1/devices/{device}");
    let reply = server.admin("DELETE", &path, &server.admin_token(), "");
    (reply.status, reply.text().to_owned())
}

#[track_caller]
fn is_refused(server: &Server) -> String {
    let refused = second(server.dir.path());
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("data/state"), "{said}");
    said
}

#[test]
fn a_removed_lock_lets_no_second_server_in() {
    let server = started();
    let lock = state(&server).join("lock");
    fs::remove_file(&lock).unwrap();
    // At once, and after it was seen.
    is_refused(&server);
    server.event("state.lock-again", &[("dir", "data/state")]);
    let pid = server.pid().to_string();
    assert!(fs::read_to_string(&lock).unwrap().starts_with(&pid));
    assert!(is_refused(&server).contains(&pid));
    server.settle();
    assert_eq!(server.events_of("state.", &[]).len(), 1);
    assert_eq!(lacks(&server, ""), None);
}

#[test]
fn a_folder_that_is_made_again_is_taken_with_all_that_is_in_use() {
    let server = started();
    fetch(&server, OTHER);
    assert_eq!(forget(&server, OTHER).0, 200);
    // A link in flight.
    let link = check_in(&server, DEVICE, "1.6.0").unwrap();
    let (dir, token) = (state(&server), server.admin_token());
    let before = content(&dir);
    remove(&dir);
    server.event("state.lost", &[("dir", "data/state")]);
    let why = lacks(&server, &token).unwrap();
    assert!(why.contains("No such file"), "{why}");
    assert!(check_in(&server, DEVICE, "1.6.0").is_some());
    let reply = server.admin("DELETE", &format!("/api/v1/devices/{DEVICE}"), &token, "");
    assert!(reply.status >= 500 && reply.text().contains("data/state"));
    fs::create_dir(&dir).unwrap();
    server.event("state.taken-again", &[("dir", "data/state")]);
    is_ready(&server);
    until("all of it", || (content(&dir) == before).then_some(()));
    for name in ["token.key", "admin.token", "orders.json", "lock"] {
        assert_eq!(mode(&dir.join(name)), 0o600, "{name}");
    }
    assert_eq!(mode(&dir), 0o700);
    is_refused(&server);
    assert_eq!(server.get(&link).status, 200);
    until_end(&server, DEVICE, "fetched");
    assert_eq!(forget(&server, OTHER).0, 404);
    for id in ["state.lost", "state.taken-again", "store.recovered"] {
        assert_eq!(server.events(id, &[]).len(), 1, "{id}");
    }
    // A later one, and without a moment between.
    let link = check_in(&server, OTHER, "1.6.0").unwrap();
    remove(&dir);
    fs::create_dir(&dir).unwrap();
    until("the second one", || {
        (server.events("state.taken-again", &[]).len() == 2).then_some(())
    });
    until("all of it again", || {
        (content(&dir) == before).then_some(())
    });
    is_ready(&server);
    let mut server = server;
    server.signal("TERM");
    assert!(server.end().success());
    let server = server.stop().start(ADMIN);
    is_ready(&server);
    assert_eq!(server.get(&link).status, 200);
    until_end(&server, OTHER, "fetched");
    assert_eq!(end(&server, DEVICE), "fetched");
    assert_eq!(server.admin_token(), token);
}

#[test]
fn another_servers_folder_is_left_alone_until_it_goes() {
    let server = started();
    fetch(&server, DEVICE);
    let (dir, token) = (state(&server), server.admin_token());
    // It has a folder of its own, which is put in the place of this server's.
    let at = |name: &str| server.dir.path().join(name);
    let config = fs::read_to_string(server.config_file()).unwrap();
    let config = config.replace("gateway:\n", "gateway:\n  state: other\n");
    fs::write(at("other.yaml"), config).unwrap();
    let mut command = Command::new(BINARY);
    let command = command.args(["-c", "other.yaml"]).current_dir(at(""));
    let other = Process(command.stdout(Stdio::null()).spawn().unwrap());
    let pid = other.0.id().to_string();
    until("the other's folder", || {
        at("other/admin.token").exists().then_some(())
    });
    fs::rename(&dir, at("away")).unwrap();
    fs::rename(at("other"), &dir).unwrap();
    let line = until("the other's name", || {
        let lines = server.events("state.lost", &[]);
        lines.into_iter().find(|line| line.contains(&pid))
    });
    assert!(line.contains(" - ERROR - "), "{line}");
    let before = content(&dir);
    assert!(lacks(&server, &token).unwrap().contains(&pid));
    assert_eq!(server.check_in("esp32s3", "1.6.0").status, 200);
    // By its own token: the file has the other's.
    let path = format!("/api/v1/devices/{DEVICE}");
    let reply = server.admin("DELETE", &path, &token, "");
    assert!(reply.status >= 500, "{}", reply.text());
    assert!(reply.text().contains(&pid), "{}", reply.text());
    server.reload();
    let kept = server.event("admin-token.kept", &[]);
    assert!(kept.contains(&pid), "{kept}");
    assert_eq!(server.admin("GET", &path, &token, "").status, 200);
    assert_eq!(content(&dir), before);
    drop(other);
    server.event("state.taken-again", &[]);
    server.event("state.other-key", &[("file", "data/state/token.key")]);
    server.event("admin-token.replaced", &[]);
    is_ready(&server);
    assert_ne!(server.admin_token(), token);
    assert_eq!(end(&server, DEVICE), "fetched");
    assert_eq!(forget(&server, DEVICE).0, 200);
    for id in ["state.taken-again", "admin-token.kept"] {
        assert_eq!(server.events(id, &[]).len(), 1, "{id}");
    }
}

/// As where the disk is mounted once the server runs, and goes again.
#[test]
fn a_disk_that_is_mounted_over_the_folder_is_taken() {
    let server = Setup::new().start_by(ADMIN, &mut in_namespace("true"));
    is_ready(&server);
    let (key, token) = ["token.key", "admin.token"]
        .map(|name| fs::read(state(&server).join(name)).unwrap())
        .into();
    let run = |command: &str| {
        let pid = server.pid().to_string();
        let done = Command::new("nsenter")
            .args([
                "-t",
                &pid,
                "-U",
                "-m",
                "--preserve-credentials",
                "sh",
                "-ec",
            ])
            .arg(format!("cd {}; {command}", server.dir.path().display()))
            .status();
        assert!(done.unwrap().success(), "{command}");
    };
    run("mount -t tmpfs -o size=8m,mode=700 tmpfs data/state");
    let dir = server.dir.path().strip_prefix("/").unwrap();
    let root = PathBuf::from(format!("/proc/{}/root", server.pid()));
    let mounted = root.join(dir).join("data/state");
    server.event("state.taken-again", &[]);
    is_ready(&server);
    assert_eq!(fs::read(mounted.join("token.key")).unwrap(), key);
    assert_eq!(fs::read(mounted.join("admin.token")).unwrap(), token);
    assert_eq!(server.check_in("x", "1.0").status, 200);
    run("umount -l data/state");
    until("the one below", || {
        (server.events("state.taken-again", &[]).len() == 2).then_some(())
    });
    is_ready(&server);
    server.event("store.gone", &[]);
    assert_eq!(server.events("state.other-key", &[]).len(), 0);
}
