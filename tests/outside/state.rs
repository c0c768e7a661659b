//! The state folder, as the system and other processes see it: one server has it, and no
//! device waits for it.

mod files;
mod lost;
mod token;

use super::disks::in_namespace;
use super::support::Server;
use super::support::event;
use super::support::server::{BINARY, Setup};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

/// Asks for the admin address at a port that the kernel chooses.
const ADMIN: &str = "gateway:\n  admin: {listen: 0}\n";

/// Runs another server in a running one's folder, to its end.
fn second(dir: &Path) -> Output {
    Command::new(BINARY).current_dir(dir).output().unwrap()
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn one_server_a_folder() {
    let server = Server::start("", &[]);
    let dir = server.dir.path();
    assert_eq!(mode(&dir.join("data/state")), 0o700);
    let refused = second(dir);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    let pid = server.pid().to_string();
    for part in ["data/state", "gateway.state", &*pid] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(server.check_in("x", "1.0").status, 200);
    // Another folder is another server's.
    let config = fs::read_to_string(server.config_file()).unwrap();
    let config = config.replace("gateway:\n", "gateway:\n  state: other\n");
    fs::write(dir.join("other.yaml"), config).unwrap();
    let mut other = Command::new(BINARY)
        .args(["-c", "other.yaml"])
        .current_dir(dir)
        .spawn()
        .unwrap();
    super::support::until("the other's lock", || {
        let lock = fs::read_to_string(dir.join("other/lock")).ok()?;
        lock.starts_with(&other.id().to_string()).then_some(())
    });
    other.kill().unwrap();
    other.wait().unwrap();
    // One that was killed is in nobody's way.
    let server = server.stop().start("");
    let lock = fs::read_to_string(server.dir.path().join("data/state/lock")).unwrap();
    assert!(lock.starts_with(&server.pid().to_string()), "{lock}");
}

#[test]
fn a_folder_that_cannot_be_written_stops_no_start() {
    let read_only = "mount --bind data data; mount -o remount,ro,bind data";
    let full = "mkdir data/state; mount -t tmpfs -o size=4k,mode=755 tmpfs data/state; \
                dd if=/dev/zero of=data/state/.draft-x bs=4k 2>/dev/null || true";
    let file = "touch data/state";
    for (prepare, is_named) in [(read_only, true), (file, true), (full, true)] {
        let server = Setup::new().start_by("", &mut in_namespace(prepare));
        let said = server.events("state.unwritable", &[("dir", "data/state")]);
        assert_eq!(said.len(), usize::from(is_named), "{prepare}: {said:?}");
        for line in said {
            assert!(
                line.contains(" - WARNING - ") && line.contains("gateway.state"),
                "{line}"
            );
        }
        assert_eq!(server.check_in("x", "1.0").status, 200);
    }
}

#[test]
fn under_systemd_it_is_the_units_and_found_by_hand() {
    let setup = Setup::new();
    let folders = format!("{}:/nowhere", setup.path().display());
    let mut command = Command::new(BINARY);
    let server = setup.start_by("", command.env("STATE_DIRECTORY", folders));
    let dir = server.dir.path();
    assert!(dir.join("state/lock").exists() && !dir.join("data/state").exists());
    // By hand, in the same folder, it is the same one.
    let refused = second(dir);
    let said = String::from_utf8(refused.stderr).unwrap();
    let state = dir.join("state").display().to_string();
    assert!(said.contains(&state), "{said}");
    assert!(!dir.join("data/state").exists());
}

#[test]
fn another_folder_needs_a_restart_and_the_rest_does_not() {
    let server = Server::start("", &[]);
    server.configure("gateway:\n  state: elsewhere\n  fleet: {silent_after: 5s, track: false}\n");
    let said = server.reload();
    let is = |id: &str, fields: &[(&str, &str)]| said.iter().any(|l| event::is(l, id, fields));
    assert!(
        is("config.needs-restart", &[("key", "gateway.state")]),
        "{said:#?}"
    );
    let keys = "gateway.fleet.silent_after, gateway.fleet.track";
    assert!(is("config.changed", &[("keys", keys)]), "{said:#?}");
    assert!(!server.dir.path().join("elsewhere").exists());
    // Nothing is made of what changed by itself since the start.
    server.configure("");
    assert!(
        server
            .reload()
            .iter()
            .all(|line| event::id(line) != Some("config.needs-restart"))
    );
}

#[test]
fn what_is_no_folder_is_named_before_the_start() {
    let setup = Setup::new();
    fs::write(setup.path().join("data/state"), "").unwrap();
    let (is_good, _, said) = super::command_line::run(setup.path(), &["validate"]);
    assert!(!is_good, "{said}");
    assert!(
        said.contains("gateway.state") && said.contains("data/state"),
        "{said}"
    );
}

/// SQLite takes paths for addresses where it is told to, and people take them from anywhere.
#[test]
fn a_folder_of_any_name_is_one() {
    let name = "st %41 \u{72b6}\u{6001}?x=#é&'(x)$";
    let config = format!("gateway:\n  state: \"elsewhere/{name}/s\"\n");
    let mut server = Setup::new().start(&config);
    assert_eq!(server.check_in("x", "1.0").status, 200);
    server.signal("TERM");
    assert!(server.end().success());
    let state = server.dir.path().join("elsewhere").join(name).join("s");
    assert!(state.join("fleet.db").is_file());
    let server = server.stop().start(&config);
    let line = server.event("store.read", &[]);
    assert!(line.contains("was read: 1,"), "{line}");
    let dir = server.dir.path();
    let (is_good, said, error) = super::command_line::run(dir, &["backup", "x.tar"]);
    assert!(is_good, "{said}{error}");
    assert_eq!(server.events_of("store.", &[]).len(), 1);
    assert!(!dir.join("data/state").exists());
    // By hand, as another user might: nothing can be made beside it.
    let mut server = server;
    server.signal("TERM");
    assert!(server.end().success());
    let dir = server.dir.path();
    fs::write(
        dir.join("xiaozhi.bin"),
        xiaozhi_image_builder::Image::new("1.1").build(),
    )
    .unwrap();
    let publish = ["publish", "xiaozhi.bin", "--model", "x", "--dry-run"];
    let (is_good, said, error) = super::command_line::run(dir, &publish);
    assert!(
        is_good && said.contains("known devices that it is for: 1"),
        "{said}{error}"
    );
}

/// What is written by this server lies where it may write, in each deployment that we ship.
#[test]
fn the_state_folder_can_be_written_as_shipped() {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
    let read = |name: &str| fs::read_to_string(deploy.join(name)).unwrap();
    let lines = |text: &str, begin: &str| -> Vec<String> {
        let lines = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix(begin));
        lines.map(str::to_owned).collect()
    };
    let dockerfile = read("Dockerfile");
    let [place] = &lines(&dockerfile, "ENV STATE_DIRECTORY=")[..] else {
        panic!("{dockerfile}");
    };
    let state = format!("{place}/state");
    let volumes = lines(&dockerfile, "VOLUME ").concat();
    assert!(volumes.contains(&format!("\"{state}\"")), "{volumes}");
    // It is another user's, and neither root's nor below what is mounted read-only.
    let owner = lines(&dockerfile, "COPY --chown=65534:65534 ").concat();
    assert_eq!(owner, "root/ /");
    let compose = read("docker-compose.yml");
    let mounts = lines(&compose, "- ./");
    assert!(mounts.contains(&format!("state:{state}")), "{mounts:?}");
    for mount in mounts.iter().filter(|mount| mount.ends_with(":ro")) {
        let target = mount.split(':').nth(1).unwrap();
        assert!(!state.starts_with(&format!("{target}/")), "{mount}");
    }
    let unit = read("xiaozhi-ota.service");
    assert_eq!(lines(&unit, "StateDirectory="), ["xiaozhi-ota"]);
    assert_eq!(lines(&unit, "ReadWritePaths="), ["/var/lib/xiaozhi-ota"]);
}
