//! What earlier versions left behind: this one takes it up. `tests/versions` has a folder for
//! each of them, as it lay after its server had ended.
//!
//! `UPDATE_VERSIONS=1` writes that of this version, which is kept once it is released.

use super::fleet_ends::{FILE, check_in, ends, fetch, known};
use super::support::files_below;
use super::support::server::{Server, Setup};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use xiaozhi_image_builder::Image;

const UPDATED: &str = "02:00:00:00:02:01";
const FAILED: &str = "02:00:00:00:02:02";
const FORGIVEN: &str = "02:00:00:00:02:03";
const OFFERED: &str = "02:00:00:00:02:04";

fn versions() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/versions")
}

/// Copies the files below a folder, with their places.
fn copy(from: &Path, to: &Path) {
    for file in files_below(from) {
        let place = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::copy(file, place).unwrap();
    }
}

/// What a server knows of each device, as far as a version after it has to know it, too.
fn knowledge(server: &Server) -> Value {
    let devices = [UPDATED, FAILED, FORGIVEN, OFFERED];
    let known: BTreeMap<_, _> = devices
        .iter()
        .filter_map(|device| {
            let known = known(server, device)?;
            let [version, first_seen, boots, failed] =
                ["version", "first_seen", "boots", "failed"].map(|key| known[key].clone());
            Some((
                device,
                json!({
                    "version": version,
                    "first_seen": first_seen,
                    "boots": boots,
                    "failed": failed,
                    "ends": ends(server, device),
                }),
            ))
        })
        .collect();
    json!(known)
}

/// With an address to ask, which no version has in its configuration.
fn with_admin(config: &str) -> String {
    assert!(config.contains("gateway:\n"), "{config}");
    config.replace("gateway:\n", "gateway:\n  admin: {listen: 0}\n")
}

/// Fails twice with what it is offered.
fn fail_twice(server: &Server, device: &str) {
    for _ in 0..2 {
        fetch(server, device);
        check_in(server, device, "1.6.0");
    }
}

fn end(mut server: Server) -> Setup {
    server.signal("TERM");
    assert!(server.end().success());
    server.stop()
}

/// Writes the folder of this version.
fn keep() {
    let setup = Setup::new().file(FILE, Image::new("1.7.0").build());
    let config = "gateway:\n  limits: {idle: 60s}\n";
    let server = setup.start(&with_admin(config));
    fetch(&server, UPDATED);
    assert_eq!(check_in(&server, UPDATED, "1.7.0"), None);
    fail_twice(&server, FAILED);
    fail_twice(&server, FORGIVEN);
    let retry = format!("/api/v1/devices/{FORGIVEN}/retry");
    assert_eq!(server.admin_json("POST", &retry, "").0, 200);
    let path = check_in(&server, OFFERED, "1.6.0").unwrap();
    let left = json!({"path": path, "knowledge": knowledge(&server)});
    let setup = end(server);
    let place = versions().join(env!("CARGO_PKG_VERSION"));
    let _ = fs::remove_dir_all(&place);
    for part in ["data", "certs"] {
        copy(&setup.path().join(part), &place.join(part));
    }
    fs::remove_file(place.join("data/.config.yaml")).unwrap();
    fs::remove_file(place.join("data/state/lock")).unwrap();
    fs::write(place.join("config.yaml"), config).unwrap();
    let left = serde_json::to_string_pretty(&left).unwrap() + "\n";
    fs::write(place.join("left.json"), left).unwrap();
}

#[test]
fn what_each_version_left_is_taken_up() {
    if std::env::var_os("UPDATE_VERSIONS").is_some() {
        keep();
    }
    let mut seen = Vec::new();
    for folder in fs::read_dir(versions()).unwrap() {
        let folder = folder.unwrap().path();
        let version = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let setup = Setup::new().file(FILE, Image::new("1.7.0").build());
        copy(&folder, setup.path());
        let config = fs::read_to_string(folder.join("config.yaml")).unwrap();
        let server = setup.start(&with_admin(&config));
        // Devices that trust the key go on trusting it.
        let key = |dir: &Path| fs::read(dir.join("certs/self-signed.key")).unwrap();
        assert_eq!(key(server.dir.path()), key(&folder), "{version}");
        for fault in [
            "store.broken",
            "store.newer",
            "store.damaged",
            "state.unwritable",
        ] {
            assert_eq!(server.events(fault, &[]).len(), 0, "{version}");
        }
        let left = fs::read(folder.join("left.json")).unwrap();
        let left: Value = serde_json::from_slice(&left).unwrap();
        assert_eq!(knowledge(&server), left["knowledge"], "{version}");
        if let Some(path) = left["path"].as_str() {
            let token = fs::read_to_string(folder.join("data/state/admin.token")).unwrap();
            assert_eq!(server.admin_token(), token.trim(), "{version}");
            // What failed is offered no more, but where that was forgiven.
            assert_eq!(check_in(&server, FAILED, "1.6.0"), None, "{version}");
            assert!(check_in(&server, FORGIVEN, "1.6.0").is_some(), "{version}");
            // A download address of then tells its device still.
            let reply = server.get(path);
            assert!(reply.status == 200 && reply.whole, "{version}");
            super::fleet_ends::until_end(&server, OFFERED, "fetched");
        }
        fetch(&server, "02:00:00:00:02:05");
        seen.push(version);
    }
    let own = env!("CARGO_PKG_VERSION").to_owned();
    assert!(seen.len() > 1 && seen.contains(&own), "{seen:?}");
}
