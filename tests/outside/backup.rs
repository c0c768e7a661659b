//! `backup` and `restore`, as an operator uses them: while a server runs, on another machine,
//! on damaged files and full disks, and killed in the middle.

mod changing;
mod folders;
mod hostile;
mod storm;

use super::disks::{full, in_namespace, strace};
use super::support::over::Over;
use super::support::server::{BINARY, Setup};
use super::support::{Server, noise, until};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const FILE: &str = "backup.tar";

/// End of a command.
#[derive(Debug)]
struct Done {
    code: i32,
    said: String,
}

fn done(command: &mut Command) -> Done {
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    Done {
        code: output.status.code().unwrap_or(-1),
        said: String::from_utf8_lossy(&text).into_owned(),
    }
}

fn run(dir: &Path, arguments: &[&str]) -> Done {
    done(Command::new(BINARY).args(arguments).current_dir(dir))
}

#[track_caller]
fn good(dir: &Path, arguments: &[&str]) -> String {
    let done = run(dir, arguments);
    assert_eq!(done.code, 0, "{done:?}");
    done.said
}

#[track_caller]
fn refused(dir: &Path, arguments: &[&str], words: &str) {
    let done = run(dir, arguments);
    assert!(
        done.code == 1 && done.said.contains(words),
        "{words}: {done:?}"
    );
}

/// A folder with everything in it that is kept, and some that is not.
fn whole(dir: &Path) {
    for folder in ["data/bin", "data/state", "certs/acme/x", "outside", "tmp"] {
        fs::create_dir_all(dir.join(folder)).unwrap();
    }
    let outside = dir.join("outside");
    let config = format!(
        "server:\n  timezone_offset: +9\ngateway:\n  ip: 127.0.0.1\n  ports: [0]\n  tls:\n    certificates:\n      - \
         {{cert: {0}/a.pem, key: {0}/a.key}}\n      - {{cert: certs/b.pem, key: certs/b.key}}\n  admin: {{tokens: [{{name: n, role: \
         read, token_file: {0}/token}}, {{name: m, role: read, token_file: data/state/other}}]}}\n",
        outside.display()
    );
    for (name, content) in [
        ("data/.config.yaml", config.as_bytes()),
        ("data/bin/x_1.0.bin", &noise(700_000, 1)),
        ("data/bin/x_1.0.md", b"notes"),
        ("data/bin/\u{578b}\u{53f7} \\ \n_2.0.bin", &noise(512, 2)),
        (&format!("data/bin/{}_3.0.bin", "n".repeat(150)), b"long"),
        ("data/bin/empty", b""),
        ("data/bin/.draft-x.tmp", b"a run's"),
        ("data/state/token.key", b"secret"),
        ("data/state/orders.json", b"{\"version\": 1, \"acts\": []}"),
        ("data/state/orders.json.broken-1", b"?"),
        ("data/state/lock", b"1\n"),
        ("certs/b.pem", b"a certificate"),
        ("certs/b.key", b"a key"),
        ("certs/acme/x/account.json", b"{}"),
        ("outside/a.pem", b"another certificate"),
        ("outside/a.key", b"another key"),
        ("outside/token", b"0123456789abcdef"),
        // It lies where all is taken, and is one member.
        ("data/state/other", b"fedcba9876543210"),
    ] {
        fs::write(dir.join(name), content).unwrap();
    }
    let key = dir.join("outside/a.key");
    fs::set_permissions(key, fs::Permissions::from_mode(0o600)).unwrap();
    let database = Connection::open(dir.join("data/state/fleet.db")).unwrap();
    database
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA user_version = 1; CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (7);",
        )
        .unwrap();
}

/// Files below a folder that a restore brings back, with their contents.
fn kept(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = super::support::files_below(dir).into_iter();
    let files = files.map(|file| (file.strip_prefix(dir).unwrap().to_owned(), file));
    let is_kept = |name: &Path| {
        let name = name.display().to_string();
        let passing = [
            "lock", ".draft-", "-wal", "-shm", FILE, "fleet.db", "outside",
        ];
        !passing.iter().any(|part| name.contains(part))
    };
    files
        .filter(|(name, _)| is_kept(name))
        .map(|(name, file)| (name, fs::read(file).unwrap()))
        .collect()
}

fn rows(dir: &Path) -> i64 {
    let database = Connection::open(dir.join("data/state/fleet.db")).unwrap();
    let rows = database.query_row("SELECT count(*) FROM t", [], |row| row.get(0));
    rows.unwrap()
}

fn temporary() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn what_is_kept_comes_back_as_it_was() {
    let (one, other) = (temporary(), temporary());
    whole(one.path());
    good(one.path(), &["backup", FILE]);
    let file = one.path().join(FILE);
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    // Without this program: tar and sha256sum.
    let plain = temporary();
    let script = format!(
        "tar xf '{}' && sha256sum -c --strict SHA256SUMS",
        file.display()
    );
    let tar = done(
        Command::new("sh")
            .args(["-c", &script])
            .current_dir(plain.path()),
    );
    assert_eq!(tar.code, 0, "{tar:?}");
    assert_eq!(
        fs::read(plain.path().join("firmware/x_1.0.bin")).unwrap(),
        noise(700_000, 1)
    );
    // What lay outside is gone, and comes back where the configuration has it.
    fs::remove_dir_all(one.path().join("outside")).unwrap();
    let said = good(other.path(), &["restore", file.to_str().unwrap()]);
    assert!(said.contains("restored from"), "{said}");
    assert_eq!(kept(other.path()), kept(one.path()));
    assert_eq!(rows(other.path()), 1);
    let key = one.path().join("outside/a.key");
    assert_eq!(fs::read(&key).unwrap(), b"another key");
    let token = fs::read(one.path().join("outside/token")).unwrap();
    assert_eq!(token, b"0123456789abcdef");
    assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let state = other.path().join("data/state").metadata().unwrap();
    assert_eq!(state.permissions().mode() & 0o777, 0o700);
    // Once more, over what is there.
    refused(
        other.path(),
        &["restore", file.to_str().unwrap()],
        "--force",
    );
    fs::write(other.path().join("data/bin/x_1.0.bin"), "changed").unwrap();
    fs::write(other.path().join("data/bin/y_1.0.bin"), "not in it").unwrap();
    fs::write(
        other.path().join("data/state/fleet.db-wal"),
        "of another database",
    )
    .unwrap();
    let said = good(
        other.path(),
        &["restore", file.to_str().unwrap(), "--force"],
    );
    assert!(said.contains("y_1.0.bin"), "{said}");
    fs::remove_file(other.path().join("data/bin/y_1.0.bin")).unwrap();
    assert_eq!(
        (kept(other.path()), rows(other.path())),
        (kept(one.path()), 1)
    );
    let mut left = super::support::files_below(other.path()).into_iter();
    assert!(left.all(|file| !file.display().to_string().contains(".restore-")));
}

#[test]
fn a_backup_of_a_running_server_is_of_one_moment() {
    let server = Server::start("", &["x_1.0.bin"]);
    let dir = server.dir.path();
    let state = dir.join("data/state");
    let end = AtomicBool::new(false);
    let other = temporary();
    thread::scope(|scope| {
        let _over = Over(&end);
        scope.spawn(|| {
            // Another process' writer: two tables that must agree.
            let database = Connection::open(state.join("fleet.db")).unwrap();
            database
                .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (n INTEGER); CREATE TABLE u (n INTEGER);")
                .unwrap();
            while !end.load(Ordering::Relaxed) {
                let both = "BEGIN; INSERT INTO t VALUES (1); INSERT INTO u VALUES (1); COMMIT;";
                database.execute_batch(both).unwrap();
                assert_eq!(server.check_in("x", "0.9").status, 200);
            }
        });
        until("the first rows", || {
            let database = Connection::open(state.join("fleet.db")).ok()?;
            let rows = database.query_row("SELECT count(*) FROM u", [], |row| row.get::<_, i64>(0));
            rows.ok().filter(|rows| *rows > 0)
        });
        for n in 0..3 {
            let file = format!("b{n}.tar");
            good(dir, &["backup", &file]);
            fs::rename(dir.join(&file), other.path().join(FILE)).unwrap();
            good(other.path(), &["restore", FILE, "--force"]);
            let database = Connection::open(other.path().join("data/state/fleet.db")).unwrap();
            let count = |table: &str| {
                let query = format!("SELECT count(*) FROM {table}");
                database
                    .query_row(&query, [], |row| row.get::<_, i64>(0))
                    .unwrap()
            };
            assert_eq!(count("t"), count("u"));
        }
        // A server has the folder.
        let held = ["restore", "x.tar", "--force"];
        fs::copy(other.path().join(FILE), dir.join("x.tar")).unwrap();
        refused(dir, &held, "a server is running");
    });
    // The same answers elsewhere.
    let there = Setup::new();
    fs::copy(other.path().join(FILE), there.path().join(FILE)).unwrap();
    good(there.path(), &["restore", FILE]);
    let token = |dir: &Path| fs::read(dir.join("data/state/token.key")).unwrap();
    assert_eq!(token(there.path()), token(dir));
    let config = fs::read_to_string(there.path().join("data/.config.yaml")).unwrap();
    let there = there.start(&config);
    assert_eq!(there.offered("x", "0.9"), Some("x_1.0.bin".to_owned()));
}

#[test]
fn nothing_is_overwritten_unasked_and_nothing_half_is_left() {
    let dir = temporary();
    let dir = dir.path();
    whole(dir);
    fs::write(dir.join(FILE), "precious").unwrap();
    refused(dir, &["backup", FILE], "--force");
    assert_eq!(fs::read(dir.join(FILE)).unwrap(), b"precious");
    refused(dir, &["backup", "-"], "- is none");
    refused(dir, &["restore", "-"], "- is none");
    refused(dir, &["backup", "none/x.tar"], "/none; make it first");
    refused(dir, &["backup", "data"], "folder");
    // Keys where everybody downloads, and what would eat what it is made of.
    refused(dir, &["backup", "data/bin/x_1.0.0.bin"], "elsewhere");
    refused(dir, &["backup", "data/state/x.tar"], "elsewhere");
    symlink("data/bin", dir.join("link")).unwrap();
    refused(dir, &["backup", "link/x.tar"], "elsewhere");
    fs::remove_file(dir.join("link")).unwrap();
    let config = fs::read(dir.join("data/.config.yaml")).unwrap();
    refused(
        dir,
        &["backup", "--force", "data/.config.yaml"],
        "overwritten",
    );
    assert_eq!(fs::read(dir.join("data/.config.yaml")).unwrap(), config);
    refused(dir, &["backup", "--force", "/dev/null"], "a device");
    refused(dir, &["backup", "/dev/full/x"], "/dev/full");
    // What the configuration names is not there: a backup without it would be none.
    fs::rename(dir.join("outside/a.key"), dir.join("outside/b.key")).unwrap();
    refused(dir, &["backup", "x.tar"], "a.key");
    assert!(!dir.join("x.tar").exists());
    fs::rename(dir.join("outside/b.key"), dir.join("outside/a.key")).unwrap();
    // Pipes and links that lead nowhere hold nothing.
    super::support::make_pipe(&dir.join("data/bin/pipe"));
    symlink("nowhere", dir.join("data/bin/link")).unwrap();
    good(dir, &["backup", FILE, "--force"]);
    // A disk that fills.
    let mut command = in_namespace(&full("full"));
    let said = done(command.args(["backup", "full/x.tar"]).current_dir(dir));
    assert!(
        said.code == 1 && said.said.contains("No space left"),
        "{said:?}"
    );
    let other = temporary();
    fs::copy(dir.join(FILE), other.path().join(FILE)).unwrap();
    let mut command = in_namespace(&full("data/bin"));
    let said = done(
        command
            .args(["restore", FILE, "--force"])
            .current_dir(other.path()),
    );
    assert!(
        said.code == 1 && said.said.contains("No space left"),
        "{said:?}"
    );
    let left: Vec<_> = kept(other.path()).into_keys().collect();
    assert!(left.is_empty(), "{left:?}");
}

/// What is known of devices is all of one time.
#[test]
fn what_the_backup_has_not_does_not_stay_beside_it() {
    let (one, other) = (temporary(), temporary());
    whole(one.path());
    let state = one.path().join("data/state");
    for name in ["fleet.db", "orders.json", "token.key"] {
        fs::remove_file(state.join(name)).unwrap();
    }
    good(one.path(), &["backup", FILE]);
    let dir = other.path();
    fs::copy(one.path().join(FILE), dir.join(FILE)).unwrap();
    let state = dir.join("data/state");
    fs::create_dir_all(&state).unwrap();
    let old = [
        "fleet.db",
        "fleet.db-wal",
        "fleet.db-shm",
        "orders.json",
        "token.key",
    ];
    for name in old.into_iter().chain(["admin.token"]) {
        fs::write(state.join(name), name).unwrap();
    }
    refused(dir, &["restore", FILE], "orders.json");
    // One that cannot be done leaves them.
    let mut command = in_namespace(&full("data/bin"));
    let said = done(command.args(["restore", FILE, "--force"]).current_dir(dir));
    assert_eq!(said.code, 1, "{said:?}");
    for name in old {
        assert_eq!(fs::read(state.join(name)).unwrap(), name.as_bytes());
    }
    good(dir, &["restore", FILE, "--force"]);
    for name in old {
        assert!(!state.join(name).exists(), "{name}");
    }
    assert_eq!(fs::read(state.join("admin.token")).unwrap(), b"admin.token");
}

/// A device that is forgotten while a backup is made must not come back with it.
#[test]
fn the_database_is_behind_the_orders() {
    let dir = temporary();
    whole(dir.path());
    good(dir.path(), &["backup", FILE]);
    let listed = done(Command::new("tar").arg("tf").arg(dir.path().join(FILE)));
    let at = |name: &str| listed.said.lines().position(|line| line == name).unwrap();
    for name in ["orders.json", "orders.json.broken-1", "token.key"] {
        assert!(
            at(&format!("state/{name}")) < at("state/fleet.db"),
            "{name}"
        );
    }
}

#[test]
fn a_configuration_from_elsewhere_is_asked_for() {
    let dir = temporary();
    let dir = dir.path();
    whole(dir);
    fs::rename(dir.join("data/.config.yaml"), dir.join("mine.yaml")).unwrap();
    good(dir, &["backup", FILE, "-c", "mine.yaml"]);
    let other = temporary();
    fs::copy(dir.join(FILE), other.path().join(FILE)).unwrap();
    refused(other.path(), &["restore", FILE, "--force"], "--config");
    good(
        other.path(),
        &["restore", FILE, "--force", "-c", "there.yaml"],
    );
    let there = fs::read(other.path().join("there.yaml")).unwrap();
    assert_eq!(there, fs::read(dir.join("mine.yaml")).unwrap());
}

#[test]
fn a_backup_from_another_folder_is_none() {
    let (dir, other) = (temporary(), temporary());
    whole(dir.path());
    let config = dir.path().join("data/.config.yaml");
    let words = ["backup", "x.tar", "-c", config.to_str().unwrap()];
    refused(other.path(), &words, "run this in the server's folder");
    let looked = other.path().join("data/bin");
    refused(other.path(), &words, looked.to_str().unwrap());
    let looked = other.path().join("data/state");
    refused(other.path(), &words, looked.to_str().unwrap());
    assert!(!other.path().join("x.tar").exists());
    good(dir.path(), &words);
}

#[test]
fn killed_in_the_middle_it_is_as_before_or_finished_by_the_next() {
    let one = temporary();
    whole(one.path());
    good(one.path(), &["backup", FILE]);
    let wanted = kept(one.path());
    let total = wanted.len() + 3;
    let (mut killed, mut finished) = (0, 0);
    let faults = (1..=2 * total)
        .step_by(3)
        .map(|n| format!("rename:signal=KILL:when={n}"));
    let early = [
        "fsync:signal=KILL:when=3",
        "fsync:signal=KILL:when=16",
        "unlink:signal=KILL:when=2",
    ];
    for fault in faults.chain(early.map(str::to_owned)) {
        let other = temporary();
        let dir = other.path();
        fs::create_dir_all(dir.join("data/bin")).unwrap();
        let before = [("data/.config.yaml", ""), ("data/bin/x_1.0.bin", "old")];
        for (name, text) in before {
            fs::write(dir.join(name), text).unwrap();
        }
        fs::copy(one.path().join(FILE), dir.join(FILE)).unwrap();
        let restore = ["restore", FILE, "--force"];
        let mut command = strace(&[&fault]);
        let end = command
            .arg(BINARY)
            .args(restore)
            .current_dir(dir)
            .output()
            .unwrap();
        if end.status.success() {
            continue;
        }
        killed += 1;
        if dir.join("data/state/.restore-journal").exists() {
            // No server takes what is neither.
            if dir.join("data/.config.yaml").exists() {
                refused(dir, &["serve"], "restore");
            }
            let said = good(dir, &["restore", FILE]);
            assert!(said.contains("is finished"), "{fault}: {said}");
            finished += 1;
        } else {
            let of = |name: &str| fs::read_to_string(dir.join(name)).unwrap();
            for (name, text) in before {
                let now = of(name);
                let new = String::from_utf8_lossy(&wanted[Path::new(name)]).into_owned();
                assert!(now == text || now == new, "{fault}: {name}");
            }
            good(dir, &restore);
        }
        assert_eq!(kept(dir), wanted, "{fault}");
    }
    assert!(finished >= 5 && killed > finished, "{killed} {finished}");
}
