use super::*;

#[test]
fn a_stalled_output_costs_lines_and_says_how_many() {
    let sink = Arc::new(Output::Console.sink());
    let line = format!("{}\n", "x".repeat(1023));
    for _ in 0..5000 {
        sink.push(&line);
    }
    assert_eq!(sink.waiting().dropped, 5000 - 4096);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("logs/server.log");
    sink.waiting().closed = true;
    let mut file = Output::File {
        path: path.clone(),
        file: Some(open(&path).unwrap()),
        torn: false,
    };
    sink.write_out(Style::default(), &mut file, None);
    let text = fs::read_to_string(path).unwrap();
    assert_eq!(text.lines().count(), 4097);
    assert!(
        text.lines()
            .next_back()
            .unwrap()
            .ends_with("lines=904 event=log.dropped"),
        "{text:.200}"
    );
}

#[test]
fn a_write_that_does_not_return_is_found_once() {
    let sink = Output::Console.sink();
    sink.waiting().writing = Instant::now().checked_sub(STALLED);
    assert!(sink.push("a line\n").is_some_and(|since| since >= STALLED));
    assert_eq!(sink.push("another\n"), None);
    sink.waiting().writing = Some(Instant::now());
    assert_eq!(sink.push("a third\n"), None);
}

#[test]
fn a_rotated_file_is_opened_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("server.log");
    let mut output = Output::File {
        path: path.clone(),
        file: Some(open(&path).unwrap()),
        torn: false,
    };
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
