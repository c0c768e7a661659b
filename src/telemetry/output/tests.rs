use super::*;

fn log(path: &Path, turnover: Turnover) -> Output {
    let file = open(path).unwrap();
    Output::File(LogFile::new(path.to_owned(), Some(file), turnover))
}

/// The names in a folder, and the text of each.
fn files(folder: &Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let mut files: Vec<_> = entries
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read_to_string(entry.path()).unwrap_or_default())
        })
        .collect();
    files.sort();
    files
}

#[test]
fn a_file_turns_over_between_two_lines() {
    for keep in 0..4 {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("server.log");
        let turnover = Turnover {
            max_size: 100,
            keep,
        };
        let mut output = log(&path, turnover);
        let lines: Vec<_> = (0..100).map(|n| format!("line {n:04}\n")).collect();
        // Whatever comes at once.
        for batch in lines.chunks(7) {
            output.write(batch.concat().as_bytes()).unwrap();
        }
        let files = files(dir.path());
        let names: Vec<_> = files.iter().map(|(name, _)| &**name).collect();
        let all = ["server.log", "server.log.1", "server.log.2", "server.log.3"];
        assert_eq!(names, &all[..=keep as usize]);
        // Ten lines a file, in their order.
        let text: String = files.iter().rev().map(|(_, text)| &**text).collect();
        assert_eq!(text, lines[90 - 10 * keep as usize..].concat());
        assert!(output.trouble().is_none());
    }
}

#[test]
fn a_turn_removes_what_is_no_longer_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("server.log");
    let turnover = Turnover {
        max_size: 4,
        keep: 1,
    };
    let mut output = log(&path, turnover);
    for name in ["server.log.4", "server.log.1000", "server.log.2026"] {
        fs::write(dir.path().join(name), name).unwrap();
    }
    output.write(b"one\n").unwrap();
    assert_eq!(files(dir.path()).len(), 4);
    output.write(b"two\n").unwrap();
    let files = files(dir.path());
    let names: Vec<_> = files.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["server.log", "server.log.1", "server.log.2026"]);
}

#[test]
fn a_line_of_any_length_is_written_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("server.log");
    let mut output = log(
        &path,
        Turnover {
            max_size: 10,
            keep: 9,
        },
    );
    let long = format!("{}\n", "x".repeat(50));
    for text in ["a\n", &long, "b\n", &format!("{long}c\n{long}")] {
        output.write(text.as_bytes()).unwrap();
    }
    let files = files(dir.path());
    let texts: Vec<_> = files.iter().map(|(_, text)| &**text).collect();
    assert_eq!(texts, [&long, "c\n", &*long, "b\n", &*long, "a\n"]);
}

#[test]
fn what_cannot_be_turned_over_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("server.log");
    // What stands there is no file, and is not replaced.
    fs::create_dir_all(dir.path().join("server.log.1/x")).unwrap();
    let mut output = log(
        &path,
        Turnover {
            max_size: 10,
            keep: 1,
        },
    );
    for text in ["one\ntwo\n", "three\n", "four\nfive\n"] {
        output.write(text.as_bytes()).unwrap();
    }
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text, "one\ntwo\nthree\nfour\nfive\n");
    let names: Vec<_> = files(dir.path())
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["server.log", "server.log.1"]);
    assert_eq!(output.trouble().unwrap().kind.id, "log.not-turned-over");
    assert!(output.trouble().is_none());
}

#[test]
fn a_link_stays_and_what_is_no_file_of_its_own_never_turns() {
    let dir = tempfile::tempdir().unwrap();
    let there = dir.path().join("there");
    fs::create_dir(&there).unwrap();
    let path = dir.path().join("server.log");
    std::os::unix::fs::symlink("there/real.log", &path).unwrap();
    let turnover = Turnover {
        max_size: 4,
        keep: 1,
    };
    let mut output = log(&path, turnover);
    output.write(b"one\ntwo\n").unwrap();
    let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let turned = [file("real.log", "two\n"), file("real.log.1", "one\n")];
    assert_eq!(files(&there), turned);
    output.write(b"six\n").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "six\n");
    let opened = File::open(there.join("real.log")).unwrap();
    let of_process = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&opened));
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(of_process, &link).unwrap();
    let mut output = log(&link, turnover);
    output.write(b"ten\nfew\n").unwrap();
    output.write(b"end\n").unwrap();
    let text = fs::read_to_string(there.join("real.log")).unwrap();
    assert_eq!(text, "six\nten\nfew\nend\n");
    assert!(output.trouble().is_none());
}

#[test]
fn whoever_copies_and_truncates_has_no_second_turn() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("server.log");
    let mut output = log(
        &path,
        Turnover {
            max_size: 10,
            keep: 1,
        },
    );
    for _ in 0..5 {
        output.write(b"12345678\n").unwrap();
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(0)
            .unwrap();
    }
    assert_eq!(files(dir.path()).len(), 1);
}

#[test]
fn who_may_read_it_stays_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("server.log");
    let mut output = log(
        &path,
        Turnover {
            max_size: 4,
            keep: 1,
        },
    );
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    output.write(b"one\ntwo\n").unwrap();
    let mode = path.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_rotated_file_is_opened_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("server.log");
    let mut output = log(&path, Turnover::default());
    output.write(b"one\n").unwrap();
    fs::rename(&path, dir.path().join("server.log.1")).unwrap();
    output.write(b"two\n").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
}

#[test]
fn the_file_is_for_its_owner_and_group() {
    let dir = tempfile::tempdir().unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    let new = dir.path().join("new.log");
    open(&new).unwrap();
    assert_eq!(mode(&new) & !MODE, 0);
    let old = dir.path().join("old.log");
    fs::write(&old, "a line\n").unwrap();
    fs::set_permissions(&old, Permissions::from_mode(0o666)).unwrap();
    open(&old).unwrap();
    assert_eq!(mode(&old), MODE);
    fs::set_permissions(&old, Permissions::from_mode(0o600)).unwrap();
    open(&old).unwrap();
    assert_eq!(mode(&old), 0o600);
}
