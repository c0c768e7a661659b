//! Who may know whom. ARCHITECTURE.md says why, and shows the same table.

mod halls;
mod paths;
mod words;

use super::support::files_below;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms, and whom each may know. What is not here is forbidden.
const ROOMS: [(&str, &[&str]); 19] = [
    ("main", &["cli"]),
    (
        "cli",
        &[
            "app",
            "backup",
            "config",
            "device",
            "event",
            "firmware",
            "http",
            "ota",
            "probe",
            "simulate",
            "telemetry",
            "tls",
            "util",
        ],
    ),
    (
        "app",
        &[
            "admin",
            "config",
            "device",
            "event",
            "firmware",
            "fleet",
            "http",
            "ota",
            "server",
            "telemetry",
            "tls",
            "util",
        ],
    ),
    (
        "config",
        &[
            "admin",
            "device",
            "event",
            "firmware",
            "fleet",
            "http",
            "ota",
            "server",
            "telemetry",
            "tls",
            "util",
        ],
    ),
    (
        "admin",
        &["device", "event", "firmware", "fleet", "server", "util"],
    ),
    (
        "http",
        &[
            "device", "event", "firmware", "fleet", "ota", "server", "util",
        ],
    ),
    ("backup", &["event", "fleet", "util"]),
    ("fleet", &["device", "event", "firmware", "ota", "util"]),
    ("ota", &["device", "event", "firmware"]),
    ("tls", &["event", "trust", "util"]),
    ("trust", &[]),
    ("firmware", &["device", "event", "util"]),
    ("server", &["event", "util"]),
    ("telemetry", &["event", "util"]),
    ("probe", &["device", "event", "trust", "util"]),
    ("simulate", &["device", "event", "probe", "util"]),
    ("util", &["event"]),
    ("event", &["device"]),
    ("device", &[]),
];

/// Files, and folders of them, that take arguments and return a value.
const PURE: [&str; 53] = [
    "admin/counted.rs",
    "admin/fleet_source.rs",
    "admin/page/chart.rs",
    "admin/page/show.rs",
    "admin/query.rs",
    "admin/scan.rs",
    "admin/types.rs",
    "device",
    "event/device.rs",
    "event/kinds.rs",
    "event/kinds",
    "event/text.rs",
    "event/unseen.rs",
    "event/value.rs",
    "ota",
    "firmware/archive.rs",
    "firmware/archive",
    "firmware/folder/state.rs",
    "firmware/homes.rs",
    "firmware/name.rs",
    "firmware/name",
    "firmware/prune.rs",
    "firmware/release_name.rs",
    "firmware/release_name",
    "firmware/snapshot.rs",
    "fleet/crowd.rs",
    "fleet/forecast.rs",
    "fleet/overview.rs",
    "http/range.rs",
    "http/conditional.rs",
    "http/router.rs",
    "http/spelling.rs",
    "probe/address.rs",
    "probe/address",
    "probe/device.rs",
    "probe/framing.rs",
    "probe/image.rs",
    "probe/line.rs",
    "probe/reach.rs",
    "probe/reply.rs",
    "probe/reply",
    "probe/report.rs",
    "probe/rule.rs",
    "probe/rules",
    "probe/serial.rs",
    "probe/span.rs",
    "probe/table.rs",
    "server/turns/queue.rs",
    "telemetry/account.rs",
    "tls/acme/schedule.rs",
    "util/network.rs",
    "util/size.rs",
    "util/terminal.rs",
];

/// What none of those may know: the world, its time, and whom to tell of it.
const WORLD: [&str; 29] = [
    "tokio",
    "tokio_util",
    "hyper",
    "hyper_util",
    "tracing",
    "nix",
    "notify",
    "rustls",
    "signal_hook",
    "socket2",
    "tempfile",
    "std::os",
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::net::UdpSocket",
    "std::net::ToSocketAddrs",
    "std::time::SystemTime::now",
    "std::time::Instant",
    "jiff::Timestamp::now",
    "crate::event::say",
    "crate::event::way",
    "crate::event::keep",
    "crate::event::tell",
    "crate::util::durable",
    "crate::util::small_file",
];

/// Who asks for the time by a method.
const CLOCKS: [&str; 2] = [".elapsed", ".to_socket_addrs"];

fn source_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every source file below `place`, as its path in `src/`. A room's tests in files of
/// their own may do what the room may not.
fn sources(place: &str) -> Vec<String> {
    let path = source_folder().join(place);
    if path.is_file() {
        return vec![place.to_owned()];
    }
    let files = files_below(&path).into_iter();
    let files = files.map(|file| {
        let file = file.strip_prefix(source_folder()).unwrap();
        file.to_str().unwrap().to_owned()
    });
    files
        .filter(|file| file.ends_with(".rs") && !file.ends_with("/tests.rs"))
        .collect()
}

fn read(file: &str) -> String {
    fs::read_to_string(source_folder().join(file)).unwrap()
}

/// The module that a file is, in its crate.
fn module(file: &str) -> Vec<&str> {
    let path = file.strip_suffix(".rs").unwrap_or(file);
    let path = path.strip_prefix("device/").unwrap_or(path);
    let path = path.strip_suffix("/mod").unwrap_or(path);
    match path {
        "lib" | "main" => Vec::new(),
        path => path.split('/').collect(),
    }
}

fn room(file: &str) -> &str {
    let end = file.find(['/', '.']).unwrap_or(file.len());
    &file[..end]
}

/// The rooms that a file knows. `device` is one that is a crate.
fn rooms_known(file: &str, source: &str) -> BTreeSet<String> {
    let known = paths::of(source, &module(file)).into_iter();
    let known = known.filter_map(|path| match path.split_once("::") {
        Some(("xiaozhi_device", _)) => Some("device".to_owned()),
        Some(("crate", _)) if room(file) == "device" => None,
        Some(("crate", path)) => path.split("::").next().map(str::to_owned),
        _ if path == "xiaozhi_device" => Some("device".to_owned()),
        _ => (path == "#[path]" || path == "include!").then_some(path),
    });
    known.filter(|name| name != room(file)).collect()
}

/// What a file knows and may not, in words.
fn strangers(file: &str, source: &str) -> Vec<String> {
    let allowed = ROOMS.iter().find(|(name, _)| *name == room(file));
    let allowed = allowed.map_or(&[][..], |(_, allowed)| allowed);
    rooms_known(file, source)
        .into_iter()
        .filter(|name| !allowed.contains(&name.as_str()))
        .map(|name| format!("src/{file}: {} may not know {name}", room(file)))
        .collect()
}

/// What of the world a file knows that is to be pure, in words.
fn worldly(file: &str, source: &str) -> Vec<String> {
    let known = paths::of(source, &module(file)).into_iter();
    let known = known.filter(|known| {
        let is_or_leads_to = |path: &&str| -> bool {
            let below = |long: &str, short: &str| {
                let rest = long.strip_prefix(short);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
            };
            // A glob may bring what stands below it.
            let from_above = known.strip_suffix("::*");
            below(known, path) || from_above.is_some_and(|above| below(path, above))
        };
        WORLD.iter().any(is_or_leads_to) || CLOCKS.contains(&known.as_str())
    });
    known
        .map(|known| format!("src/{file}: {known} in a pure file"))
        .collect()
}

#[track_caller]
fn none(found: &[String]) {
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_room_knows_whom_it_may() {
    let found: Vec<_> = sources("")
        .iter()
        .filter(|file| *file != "lib.rs")
        .flat_map(|file| strangers(file, &read(file)))
        .collect();
    none(&found);
}

/// A table that allows what nobody needs says nothing.
#[test]
fn every_allowed_edge_is_there() {
    for (name, allowed) in ROOMS {
        let files = sources("");
        let files = files.iter().filter(|file| room(file) == name);
        let known = files.flat_map(|file| rooms_known(file, &read(file)));
        let known: BTreeSet<String> = known.collect();
        for room in allowed {
            assert!(
                known.contains(*room),
                "{name} does not know {room} any more"
            );
        }
    }
}

#[test]
fn architecture_shows_the_same_table() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    let page = fs::read_to_string(page).unwrap();
    for (name, allowed) in ROOMS {
        let mut shown: Vec<_> = allowed.iter().map(|room| format!("`{room}`")).collect();
        shown.sort();
        let shown = match shown.as_slice() {
            [] => "nobody".to_owned(),
            shown => shown.join(", "),
        };
        let row = format!("| `{name}` | {shown} |");
        assert!(page.contains(&row), "ARCHITECTURE.md lacks the row {row}");
    }
}

/// A stranger who is sent to a file is to find it.
#[test]
fn architecture_sends_nobody_to_a_file_that_is_gone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let quoted = page.split('`').skip(1).step_by(2);
    let is_file = |text: &&str| {
        text.ends_with(".rs")
            && text.contains('/')
            && text
                .chars()
                .all(|c| c.is_ascii_lowercase() || "/_.".contains(c))
    };
    let files: Vec<_> = quoted.filter(is_file).collect();
    assert!(files.len() > 20, "{files:?}");
    for file in files {
        let places = [source_folder(), root.to_owned(), root.join("tests/outside")];
        let is_there = places.iter().any(|place| place.join(file).is_file());
        assert!(is_there, "ARCHITECTURE.md names {file}");
    }
}

/// The compiler holds the crate pure as long as its manifest offers nothing else.
#[test]
fn the_device_crate_depends_on_nothing_that_waits_or_opens() {
    let manifest = read("device/Cargo.toml");
    let table = manifest
        .split("\n[")
        .find(|table| table.starts_with("dependencies]"));
    let lines = table.unwrap().lines().skip(1);
    let names: Vec<_> = lines
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["aws-lc-rs", "memchr"]);
}

#[test]
fn decisions_are_pure() {
    let files = PURE.iter().flat_map(|place| sources(place));
    let found: Vec<_> = files
        .flat_map(|file| worldly(&file, &read(&file)))
        .collect();
    none(&found);
}

/// A wall that nobody has tried is a promise.
#[test]
fn a_forbidden_path_is_seen_wherever_it_stands() {
    for planted in [
        "use crate::config::Settings;",
        "use crate::{config, http};",
        "use crate::{ota::{decide, reply}, config::{self, raw::Node}};",
        "pub(crate) use crate::config as c;",
        "use crate::*;",
        "use super::super::config;",
        "use super::super::{config::Settings as S};",
        "use xiaozhi_ota::config;",
        "#[cfg(test)] mod tests {} use crate::config;",
        "#[cfg(test)] mod tests { fn f() {} } fn g() { crate::config::load(None); }",
        "#[cfg(test)] use std::fs; fn f() -> crate::config::Settings { todo!() }",
        "#[cfg(not(test))] use crate::config;",
        "fn f() { use crate::config; }",
        "fn f() { let c = || crate::config::load(None); }",
        "fn f(x: &dyn Fn(crate::config::Settings)) {}",
        "impl From<crate::config::Fault> for X {}",
        "struct X { a: Vec<Option<crate::config::Fault>> }",
        "mod inner { fn f() { super::super::super::config::load(None) } }",
        "fn f() { println!(\"{}\", crate::config::DEFAULT_FILE); }",
        "macro_rules! m { () => { $crate::config::load(None) }; }",
        "macro_rules! m { () => { use crate::{ota, config}; }; }",
        "use crate as me; fn f() { me::config::load(None) }",
        "use super::super as above; fn f() { above::config::load(None) }",
        "#[derive(Debug)] #[x(crate::config::Fault)] struct X;",
        "#[path = \"../config/mod.rs\"] mod c;",
        "fn f() { include!(\"../config/mod.rs\") }",
        "const X: usize = crate::config::N;",
        "fn f() { match x { crate::config::Fault::A => {} } }",
        "trait T: crate::config::Read {}",
    ] {
        assert!(!strangers("ota/decide.rs", planted).is_empty(), "{planted}");
    }
    for planted in [
        "use tokio::time::sleep;",
        "use std::{collections::HashMap, fs};",
        "use std::*;",
        "use std::net::*;",
        "extern crate tokio;",
        "#[cfg(test)] mod tests {} use hyper::Method;",
        "use std::time; fn f() { time::SystemTime::now(); }",
        "use std::time::SystemTime as T; fn f() { T::now(); }",
        "fn f() { let t = std::time::Instant::now(); }",
        "fn f(since: T) { since.elapsed(); }",
        "use jiff::Timestamp; fn f() { Timestamp::now(); }",
        "fn f() { tracing::info!(\"x\"); }",
        "use tracing::info; fn f() { info!(\"x\"); }",
        "fn f() { assert!(std::env::args().count() > 1); }",
        "use crate::util::{durable, terminal};",
        "use crate::event::tell; fn f() { tell!(STOPPED); }",
        "fn f(event: &Event) { crate::event::say(event); }",
        "#[tokio::main] async fn f() {}",
        "use std::os::unix::net::UnixStream;",
        "fn f() { tempfile::tempdir(); }",
    ] {
        assert!(!worldly("ota/decide.rs", planted).is_empty(), "{planted}");
    }
    for fine in [
        "use xiaozhi_device::version::Version; use super::reply; use std::fmt;",
        "use std::time::SystemTime; fn f(now: SystemTime) {}",
        "#[cfg(test)] mod tests { use crate::config; use tokio::time; }",
        "#[cfg(test)] use crate::config::Settings;",
        "// use crate::config;\nconst X: &str = \"crate::config\";",
    ] {
        none(&strangers("ota/decide.rs", fine));
        none(&worldly("ota/decide.rs", fine));
    }
    // The crate's own modules are one room, and nothing of the server is.
    none(&strangers(
        "device/guards.rs",
        "use crate::checkin::Report; use crate::version;",
    ));
    assert!(!strangers("util/once.rs", "use xiaozhi_device::version;").is_empty());
    assert!(
        !strangers(
            "util/once.rs",
            "fn f() { xiaozhi_device::version::major(\"1\"); }"
        )
        .is_empty()
    );
}

/// Whether one of a file's paths ends like this.
fn ends(file: &str, ending: &[&str]) -> Vec<String> {
    let known = paths::of(&read(file), &module(file)).into_iter();
    let known = known.filter(|known| {
        let matches = |ending: &&str| {
            let rest = known.strip_suffix(ending);
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with("::"))
        };
        ending.iter().any(matches)
    });
    known.map(|known| format!("src/{file}: {known}")).collect()
}

#[test]
fn one_door_out() {
    let doors = ["Response::new", "Response::builder"];
    let files = sources("http");
    let files = files.iter().filter(|file| *file != "http/reply.rs");
    let found: Vec<_> = files.flat_map(|file| ends(file, &doors)).collect();
    none(&found);
    // And nothing anywhere that could make a device follow something.
    let elsewhere = [
        "LOCATION",
        "TEMPORARY_REDIRECT",
        "PERMANENT_REDIRECT",
        "MOVED_PERMANENTLY",
        "StatusCode::FOUND",
        "SEE_OTHER",
    ];
    let files = [sources("http"), sources("server")].concat();
    let found: Vec<_> = files
        .iter()
        .flat_map(|file| ends(file, &elsewhere))
        .collect();
    none(&found);
}

#[test]
fn one_reader_of_pem() {
    let files = sources("");
    let found: Vec<_> = files
        .iter()
        .filter(|file| *file != "tls/pem.rs")
        .filter(|file| {
            let known = paths::of(&read(file), &module(file));
            known
                .iter()
                .any(|known| known.starts_with("rustls_pemfile"))
        })
        .cloned()
        .collect();
    none(&found);
}
