//! Faults of the machine itself: its log, its clock, its folders.

use super::super::command_line::run;
use super::super::support::event::{self, field};
use super::super::support::server::{BINARY, Setup, with_clock};
use super::super::support::{Server, make_pipe, until};
use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::thread;

const LOG: &str = "log: {log_dir: logs, log_file: ota.log}\n";

/// Has it log a line.
fn speak(server: &Server) {
    server.check_in("x", "1.0");
}

#[test]
fn the_start_names_its_files_from_the_root_on() {
    let server = Server::start("", &[]);
    let dir = fs::canonicalize(server.dir.path()).unwrap();
    let below = |path: &str| dir.join(path).display().to_string();
    for (id, name, path) in [
        ("config.read", "file", "data/.config.yaml"),
        ("folder", "dir", "data/bin"),
        ("certificate.signed", "cert", "certs/self-signed.crt"),
        ("certificate.in-use", "file", "certs/self-signed.crt"),
    ] {
        let line = server.event(id, &[]);
        assert_eq!(field(&line, name).as_deref(), Some(&*below(path)), "{line}");
    }
    let line = server.event("certificate.in-use", &[("key", "ECDSA 256")]);
    assert!(field(&line, "until").unwrap().starts_with("20"), "{line}");
    assert!(line.contains("localhost"), "{line}");
}

#[test]
fn a_folder_that_was_not_there_is_named() {
    let config = "gateway:\n  firmware: {dir: date/bin}\n";
    let server = Server::start(config, &[]);
    let dir = server.dir.path().join("date/bin").display().to_string();
    server.event("folder.made", &[("dir", &*dir)]);
    let server = server.stop().start(config);
    assert!(server.events("folder.made", &[]).is_empty());
}

#[test]
fn what_stands_in_a_folders_place_is_called_what_it_is() {
    for (lay, config, words) in [
        ("ln -s 'no where' data/bin", "", "data/bin is a link to"),
        ("ln -s 'no where' data/bin", "", "no where'), mount"),
        ("ln -s bin data/bin", "", "leads back to it"),
        ("touch data/bin", "", "data/bin is no folder"),
        ("ln -s nowhere logs", LOG, "logs is a link to"),
        ("ln -s logs logs", LOG, "leads back to it"),
        ("touch logs", LOG, "logs is no folder"),
        ("mkdir -p logs/ota.log", LOG, "ota.log is a folder"),
        (
            "mkdir logs; ln -s ota.log logs/ota.log",
            LOG,
            "leads back to it",
        ),
        (
            "mkdir logs; ln -s a/b logs/ota.log",
            LOG,
            "nothing is there",
        ),
    ] {
        let setup = Setup::new();
        let dir = setup.path();
        fs::remove_dir(dir.join("data/bin")).unwrap();
        let laid = Command::new("sh")
            .args(["-c", lay])
            .current_dir(dir)
            .status();
        assert!(laid.unwrap().success(), "{lay}");
        let config = format!("{config}gateway: {{ports: [0], ip: 127.0.0.1}}");
        fs::write(dir.join("data/.config.yaml"), config).unwrap();
        let (ok, _, said) = run(dir, &[]);
        assert!(!ok && said.contains(words), "{lay}: {said}");
    }
}

#[test]
fn a_log_that_takes_no_more_lines_is_named_on_the_console_by_each_reason() {
    let server = Setup::new().start(LOG);
    let logs = server.dir.path().join("logs");
    let log = logs.join("ota.log").display().to_string();
    // Somebody put a file in the folder's place, then a folder in the file's.
    fs::rename(&logs, server.dir.path().join("away")).unwrap();
    fs::write(&logs, "").unwrap();
    let fault = |why| {
        until(why, || {
            speak(&server);
            server
                .events("log.fault", &[("output", &log), ("error", why)])
                .pop()
        })
    };
    assert!(fault("exists").contains(" - WARNING - "));
    fs::remove_file(&logs).unwrap();
    fs::create_dir_all(logs.join("ota.log")).unwrap();
    let line = fault("directory");
    assert!(line.contains("ota.log is a folder"), "{line}");
    // Said once for each reason, not with each line.
    assert_eq!(server.events("log.fault", &[]).len(), 2);
    fs::remove_dir(logs.join("ota.log")).unwrap();
    until("a log that can be written again", || {
        speak(&server);
        let text = fs::read_to_string(logs.join("ota.log")).ok()?;
        text.contains("event=log.dropped").then_some(())
    });
}

/// Without a log file nobody else could tell.
#[test]
fn a_console_that_takes_no_lines_is_named_on_standard_error() {
    let setup = Setup::new();
    let config = "gateway: {ports: [0], ip: 127.0.0.1}";
    fs::write(setup.path().join("data/.config.yaml"), config).unwrap();
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut child = Command::new(BINARY)
        .current_dir(setup.path())
        .stdout(full)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let reading = thread::spawn(move || {
        let mut said = String::new();
        stderr.read_line(&mut said).unwrap();
        said
    });
    until("a line on standard error", || {
        reading.is_finished().then_some(())
    });
    let said = reading.join().unwrap();
    let said = said.trim_end();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        event::is(said, "log.fault", &[("error", "No space left")]),
        "{said}"
    );
}

#[test]
fn a_console_that_takes_no_lines_is_named_in_the_file() {
    let setup = Setup::new();
    fs::write(
        setup.path().join("data/.config.yaml"),
        format!("{LOG}gateway: {{ports: [0], ip: 127.0.0.1}}"),
    )
    .unwrap();
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let child = Command::new(BINARY)
        .current_dir(setup.path())
        .stdout(full)
        .stderr(Stdio::null())
        .spawn();
    let mut child = child.unwrap();
    until("a word of it in the file", || {
        let text = fs::read_to_string(setup.path().join("logs/ota.log")).ok()?;
        let says = |line| event::is(line, "log.fault", &[("output", "the console")]);
        text.lines().any(says).then_some(())
    });
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_log_whose_reader_stands_still_is_named_on_the_console() {
    let setup = Setup::new();
    fs::create_dir(setup.path().join("logs")).unwrap();
    let pipe = setup.path().join("logs/ota.log");
    make_pipe(&pipe);
    let open = move || {
        let reader = OpenOptions::new().read(true).write(true).open(pipe);
        reader.unwrap()
    };
    // It holds the pipe open, and never reads.
    let reader = open();
    let server = setup.start("log: {log_dir: logs, log_file: ota.log, log_level: DEBUG}\n");
    until("a writer that is held up", || {
        speak(&server);
        server
            .events("log.stalled", &[("output", "logs/ota.log")])
            .pop()
    });
    drop(reader);
}

/// Starts under another clock, which is read from a file.
fn start_at(time: &str) -> Server {
    let setup = Setup::new();
    let mut command = with_clock(&setup, time);
    setup.start_by("", &mut command)
}

#[test]
#[ignore = "needs faketime"]
fn a_clock_behind_the_build_is_named_once_and_so_is_its_end() {
    for time in ["@1970-01-01 00:10:00", "@2020-02-29 12:00:00"] {
        let server = start_at(time);
        let line = server.event("clock.behind", &[("now", &time[1..])]);
        assert!(line.contains(" - WARNING - "), "{line}");
        for what in ["tokens", "devices"] {
            assert!(line.contains(what), "{line}");
        }
        assert_eq!(server.check_in("x", "1.0").status, 200);
        fs::write(server.dir.path().join("clock"), "+0").unwrap();
        server.event("clock.set", &[]);
        assert_eq!(server.events("clock.behind", &[]).len(), 1);
    }
}

#[test]
#[ignore = "needs faketime"]
fn a_clock_that_is_right_is_no_news() {
    let server = start_at("+0");
    server.settle();
    assert!(server.events_of("clock.", &[]).is_empty());
}

/// A connection that is passed on takes two files.
#[test]
fn what_is_passed_on_waits_for_files_that_are_short() {
    let mut short = Command::new("sh");
    short.args(["-c", &format!("ulimit -n 1024; exec {BINARY}")]);
    let server = Setup::new().start_by("", &mut short);
    server.configure("gateway:\n  proxy: {websocket: 'http://127.0.0.1:9'}\n");
    server.reload();
    server.event("config.needs-restart-files", &[("key", "gateway.proxy")]);
}
