//! Who may know whom. ARCHITECTURE.md says why.

use std::fs;
use std::path::{Path, PathBuf};

/// The code of a room, its own tests left out.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.split("#[cfg(test)]").next().unwrap().to_owned()
}

fn sources(room: &str) -> Vec<PathBuf> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(room);
    if place.is_file() {
        return vec![place];
    }
    let items = fs::read_dir(&place).unwrap_or_else(|e| panic!("{}: {e}", place.display()));
    items
        .flat_map(|item| {
            let path = item.unwrap().path();
            if path.is_dir() {
                sources(path.to_str().unwrap())
            } else {
                vec![path]
            }
        })
        // A room's tests may do what the room may not.
        .filter(|path| !path.ends_with("tests.rs"))
        .collect()
}

#[track_caller]
fn has_none_of(rooms: &[&str], forbidden: &[&str]) {
    let files = rooms.iter().flat_map(|room| {
        let files = sources(room);
        assert!(!files.is_empty(), "{room}");
        files
    });
    for path in files {
        for (number, line) in code(&path).lines().enumerate() {
            let line = line.split("//").next().unwrap_or_default();
            for word in forbidden {
                assert!(
                    !line.contains(word),
                    "{}:{}: {word}",
                    path.display(),
                    number + 1
                );
            }
        }
    }
}

#[test]
fn decisions_are_pure() {
    let pure = [
        "ota",
        "firmware/chip.rs",
        "firmware/image.rs",
        "firmware/image",
        "firmware/name.rs",
        "firmware/project.rs",
        "firmware/version.rs",
        "firmware/snapshot.rs",
        "http/range.rs",
        "http/conditional.rs",
        "http/router.rs",
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
        "probe/text.rs",
        "tls/acme/schedule.rs",
        "util/redact.rs",
    ];
    has_none_of(
        &pure,
        &[
            "tokio",
            "hyper",
            "std::fs",
            "std::net::Tcp",
            "std::env",
            "std::thread",
            "SystemTime::now",
            "Instant::now",
            "tracing",
            "util::durable",
            "util::small_file",
        ],
    );
}

#[test]
fn one_direction() {
    has_none_of(&["util"], &["crate::"]);
    has_none_of(
        &["firmware"],
        &[
            "crate::fleet",
            "crate::ota",
            "crate::http",
            "crate::server",
            "crate::tls",
            "crate::app",
            "crate::cli",
        ],
    );
    has_none_of(
        &["tls"],
        &[
            "crate::ota",
            "crate::http",
            "crate::server",
            "crate::firmware",
            "crate::app",
            "crate::cli",
        ],
    );
    has_none_of(
        &["server"],
        &[
            "crate::ota",
            "crate::http",
            "crate::tls",
            "crate::firmware",
            "crate::app",
            "crate::cli",
        ],
    );
    has_none_of(
        &["fleet"],
        &[
            "crate::http",
            "crate::server",
            "crate::tls",
            "crate::app",
            "crate::cli",
            "crate::telemetry",
            "tokio",
            "hyper",
            "Instant::now",
            "SystemTime::now",
        ],
    );
    has_none_of(
        &["ota"],
        &[
            "crate::fleet",
            "crate::http",
            "crate::server",
            "crate::tls",
            "crate::app",
            "crate::cli",
            "crate::telemetry",
        ],
    );
    has_none_of(&["http"], &["crate::tls", "crate::app", "crate::cli"]);
    // They judge servers, this one among them, and must share no code with what
    // answers.
    has_none_of(
        &["probe", "simulate"],
        &[
            "crate::fleet",
            "crate::http",
            "crate::server",
            "crate::tls",
            "crate::app",
            "crate::cli",
            "crate::telemetry",
        ],
    );
    has_none_of(&["probe"], &["crate::simulate"]);
    let below = [
        "firmware",
        "fleet",
        "ota",
        "tls",
        "server",
        "http",
        "probe",
        "telemetry",
        "simulate",
        "finding.rs",
    ];
    has_none_of(&below, &["crate::config"]);
}

#[test]
fn one_door_out() {
    for path in sources("http") {
        if !path.ends_with("reply.rs") {
            let text = code(&path);
            assert!(
                !text.contains("Response::new") && !text.contains("Response::builder"),
                "{}",
                path.display()
            );
        }
    }
    // And nothing anywhere that could make a device follow something.
    has_none_of(
        &["http", "server"],
        &[
            "header::LOCATION",
            "TEMPORARY_REDIRECT",
            "PERMANENT_REDIRECT",
            "MOVED_PERMANENTLY",
            "StatusCode::FOUND",
        ],
    );
}

#[test]
fn one_reader_of_pem() {
    for room in [
        "app.rs",
        "cli",
        "config",
        "firmware",
        "http",
        "ota",
        "server",
        "telemetry",
    ] {
        has_none_of(&[room], &["rustls_pemfile"]);
    }
    has_none_of(
        &[
            "tls/mod.rs",
            "tls/resolver.rs",
            "tls/self_signed.rs",
            "tls/audit.rs",
            "tls/acme.rs",
            "tls/acme",
        ],
        &["rustls_pemfile"],
    );
}

#[test]
fn files_are_rooms_and_not_halls() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for item in fs::read_dir(folder).unwrap() {
            let path = item.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let lines = fs::read_to_string(&path).unwrap().lines().count();
                assert!(
                    lines <= 600,
                    "{}: {lines} lines: two rooms in one?",
                    path.display()
                );
            }
        }
    }
}
