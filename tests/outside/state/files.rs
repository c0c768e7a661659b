//! Files of the state folder that a crash left empty, that are none, or that others may reach.

use super::super::fleet_ends::{FILE, check_in};
use super::{ADMIN, mode};
use crate::support::server::{Server, Setup};
use crate::support::{make_pipe, until};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use xiaozhi_image_builder::Image;

const DEVICE: &str = "02:00:00:00:08:01";

fn setup() -> Setup {
    let setup = Setup::new().file(FILE, Image::new("1.7.0").build());
    fs::create_dir(setup.path().join("data/state")).unwrap();
    setup
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[track_caller]
fn is_ready(server: &Server) {
    until("a server that lacks nothing", || {
        let reply = server.admin("GET", "/readyz", "", "");
        (reply.status == 200).then_some(())
    });
}

#[test]
fn an_empty_store_is_told_of_and_begun_anew() {
    let mut server = setup().start(ADMIN);
    assert!(check_in(&server, DEVICE, "1.6.0").is_some());
    is_ready(&server);
    server.signal("TERM");
    assert!(server.end().success());
    assert_eq!(server.events_of("store.", &[]), [""; 0]);
    let setup = server.stop();
    let state = setup.path().join("data/state");
    fs::write(state.join("fleet.db"), "").unwrap();
    fs::write(state.join("fleet.db-wal"), "").unwrap();
    let mut server = setup.start(ADMIN);
    let line = server.event("store.empty", &[("file", "data/state/fleet.db")]);
    for part in [" - WARNING - ", "restore", "go on"] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert!(check_in(&server, DEVICE, "1.6.0").is_some());
    is_ready(&server);
    // It is a store from now on.
    server.signal("TERM");
    assert!(server.end().success());
    let server = server.stop().start(ADMIN);
    server.event("store.read", &[]);
    assert_eq!(server.events_of("store.", &[]).len(), 1);
}

#[test]
fn other_empty_files_are_named_and_made_anew() {
    let setup = setup();
    let state = setup.path().join("data/state");
    let names = ["orders.json", "token.key", "admin.token"];
    for name in names.into_iter().chain(["lock"]) {
        fs::write(state.join(name), "").unwrap();
    }
    let server = setup.start(ADMIN);
    for name in names {
        let lines = server.events("state.set-aside", &[("file", name)]);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("it is empty"), "{lines:?}");
    }
    assert!(check_in(&server, DEVICE, "1.6.0").is_some());
    is_ready(&server);
    let path = format!("/api/v1/devices/{DEVICE}");
    let reply = server.admin("DELETE", &path, &server.admin_token(), "");
    assert_eq!(reply.status, 200, "{}", reply.text());
    for name in names {
        assert!(state.join(name).metadata().unwrap().len() > 0, "{name}");
        assert_eq!(mode(&state.join(name)), 0o600, "{name}");
    }
}

type Make<'a> = &'a dyn Fn(&Path);

#[test]
fn what_is_no_file_is_refused_by_its_name_and_devices_are_served() {
    let ways: [(&str, Make<'_>); 4] = [
        ("a pipe", &make_pipe),
        ("a folder", &|path| fs::create_dir(path).unwrap()),
        ("a socket", &|path| drop(UnixListener::bind(path).unwrap())),
        ("a device", &|path| symlink("/dev/zero", path).unwrap()),
    ];
    for (found, make) in ways {
        let setup = setup();
        let file = setup.path().join("data/state/fleet.db");
        make(&file);
        let server = setup.start(ADMIN);
        let fields = [("file", "data/state/fleet.db"), ("found", found)];
        server.event("store.no-file", &fields);
        until("what is told", || {
            let reply = server.admin("GET", "/readyz", &server.admin_token(), "");
            (reply.status == 503 && reply.text().contains(found)).then_some(())
        });
        // It holds nothing that had to be known.
        until("an offer", || check_in(&server, DEVICE, "1.6.0"));
        fs::rename(&file, file.with_extension("away")).unwrap();
        server.event("store.recovered", &[]);
        is_ready(&server);
        assert!(file.metadata().unwrap().is_file());
        server.settle();
        let said = server.events_of("store.", &[]);
        assert_eq!(said.len(), 2, "{said:?}");
    }
}

#[test]
fn who_could_reach_the_folder_is_told_of() {
    // Of its own it is shut.
    let own = setup();
    let state = own.path().join("data/state");
    for name in ["token.key", "admin.token"] {
        let secret = "A".repeat(43);
        fs::write(state.join(name), secret).unwrap();
        set_mode(&state.join(name), 0o644);
    }
    set_mode(&state, 0o777);
    let server = own.start(ADMIN);
    server.event("state.narrowed", &[("mode", "0777")]);
    for name in ["token.key", "admin.token"] {
        let file = format!("data/state/{name}");
        let fields = [("file", &*file), ("mode", "0644")];
        assert_eq!(server.events("state.secret-open", &fields).len(), 1);
        assert_eq!(mode(&state.join(name)), 0o600, "{name}");
    }
    assert_eq!(mode(&state), 0o700);
    assert_eq!(server.events_of("state.", &[]).len(), 3);
    // Among what others put there it stays as it is.
    for (wide, event, command) in [
        (0o777, "state.replaceable", "chmod 700 "),
        (0o770, "state.replaceable", "chmod go-w "),
        (0o1777, "state.wide", "chmod 700 "),
        (0o755, "state.wide", "chmod 700 "),
    ] {
        let setup = setup();
        let state = setup.path().join("data/state");
        fs::write(state.join("others.txt"), "").unwrap();
        set_mode(&state, wide);
        let server = setup.start(ADMIN);
        let line = server.event(event, &[("mode", &format!("{wide:04o}"))]);
        assert!(
            line.contains(command) && line.contains("data/state"),
            "{line}"
        );
        server.reload();
        assert_eq!(server.events_of("state.", &[]).len(), 1);
        for name in ["token.key", "admin.token"] {
            assert_eq!(mode(&state.join(name)), 0o600, "{name}");
        }
        assert_eq!(mode(&state) & 0o777, wide & 0o777);
    }
}
