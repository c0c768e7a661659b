//! The administrator's token, which SIGHUP reads again.

use super::ADMIN;
use crate::command_line::run;
use crate::support::Server;
use crate::support::server::Setup;
use std::fs;
use std::path::PathBuf;

fn file(server: &Server) -> PathBuf {
    server.dir.path().join("data/state/admin.token")
}

/// Returns the statuses that requests with these tokens get.
fn statuses<const N: usize>(server: &Server, tokens: [&str; N]) -> [u16; N] {
    tokens.map(|token| server.admin("GET", "/api/v1/fleet", token, "").status)
}

/// Asks by the command, which reads the file. Returns what it says where it is refused.
fn ask(server: &Server) -> Option<String> {
    let address = format!("http://{}", server.admin_address());
    let dir = server.dir.path();
    let (is_good, _, said) = run(dir, &["fleet", "--lang", "en", "--server", &address]);
    (!is_good).then_some(said)
}

#[test]
fn a_token_that_was_replaced_counts_after_a_reload() {
    let server = Setup::new().start(ADMIN);
    let (old, new) = (server.admin_token(), "b".repeat(42) + "A");
    fs::write(file(&server), &new).unwrap();
    assert_eq!(statuses(&server, [&old, &new]), [200, 401]);
    let said = ask(&server).unwrap();
    assert!(said.contains("SIGHUP"), "{said}");
    server.reload();
    server.event(
        "admin-token.replaced",
        &[("file", "data/state/admin.token")],
    );
    assert_eq!(statuses(&server, [&old, &new]), [401, 200]);
    assert_eq!(ask(&server), None);
    // A configuration that is refused keeps no token in force that somebody else knows.
    let third = "c".repeat(42) + "A";
    fs::write(file(&server), format!("{third}\n")).unwrap();
    server.configure("gateway:\n  nonsense: 1\n  admin: {listen: 0}\n");
    let said = server.reload();
    assert!(
        said.iter().any(|line| line.contains("nonsense")),
        "{said:?}"
    );
    assert_eq!(statuses(&server, [&new, &third]), [401, 200]);
    server.configure(ADMIN);
    server.reload();
    // What is the same is no news.
    assert_eq!(server.events_of("admin-token.", &[]).len(), 2);
    assert_eq!(server.count_lines(&new) + server.count_lines(&third), 0);
    let server = server.stop().start(ADMIN);
    assert_eq!(statuses(&server, [&third]), [200]);
}

#[test]
fn a_token_that_was_removed_is_made_anew() {
    let server = Setup::new().start(ADMIN);
    let old = server.admin_token();
    fs::remove_file(file(&server)).unwrap();
    assert_eq!(statuses(&server, [&old]), [200]);
    server.reload();
    let line = server.event("admin-token.anew", &[]);
    assert!(line.contains(" - WARNING - "), "{line}");
    let new = server.admin_token();
    assert_eq!(statuses(&server, [&old, &new]), [401, 200]);
    assert_eq!(super::mode(&file(&server)), 0o600);
    assert_eq!(ask(&server), None);
    server.reload();
    assert_eq!(server.events_of("admin-token.", &[]).len(), 1);
}

#[test]
fn what_is_no_token_replaces_none() {
    let server = Setup::new().start(ADMIN);
    let (file, old) = (file(&server), server.admin_token());
    for (number, broken) in ["", "openssl rand -hex 24\n"].into_iter().enumerate() {
        fs::write(&file, broken).unwrap();
        server.reload();
        let lines = server.events("admin-token.kept", &[]);
        let line = &lines[number];
        assert!(
            line.contains("admin.token") && line.contains("Remedy: "),
            "{line}"
        );
        assert_eq!(statuses(&server, [&old]), [200]);
        assert_eq!(fs::read_to_string(&file).unwrap(), broken);
        assert!(ask(&server).is_some());
    }
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    server.reload();
    assert_eq!(server.events("admin-token.kept", &[]).len(), 3);
    assert_eq!(statuses(&server, [&old]), [200]);
    fs::remove_dir(&file).unwrap();
    fs::write(&file, &old).unwrap();
    server.reload();
    assert_eq!(ask(&server), None);
    assert_eq!(server.events_of("admin-token.", &[]).len(), 3);
}
