//! Several files in one command.

use super::super::command_line::run;
use super::super::image_files::listing;
use super::super::support::noise;
use super::{EITHER, RELEASE, app, folder, full, publish, release};
use std::fs;
use xiaozhi_image_builder::Image;

const BATCH: usize = 60;

#[test]
fn of_sixty_archives_the_bad_one_alone_is_not_published() {
    let names: Vec<_> = (1..=BATCH)
        .map(|n| format!("v2.1.0_board-{n:02}.zip"))
        .collect();
    let image = |n: usize| app("2.1.0", n as u64);
    let mut files: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(n, name)| (&**name, release(&image(n))))
        .collect();
    let half = files[17].1.len() / 2;
    files[17].1.truncate(half);
    let dir = folder(&files);
    let dir = dir.path();
    let arguments: Vec<_> = names.iter().map(String::as_str).collect();
    let done = publish(dir, &arguments);
    assert_eq!(done.code, 1, "{done:?}");
    let lines: Vec<_> = done.text.lines().collect();
    for (n, name) in names.iter().enumerate() {
        let begin = format!("{}/{BATCH} {name}: ", n + 1);
        assert_eq!(
            lines.iter().filter(|line| line.starts_with(&begin)).count(),
            1,
            "{begin}: {done:?}"
        );
        let path = dir.join(format!("data/bin/board-{:02}_2.1.0.bin", n + 1));
        assert_eq!(fs::read(path).ok(), (n != 17).then(|| image(n)), "{name}");
    }
    assert_eq!(
        lines.last(),
        Some(&"published: 59; there already: 0; refused: 1")
    );
    let begin = format!("error: {}: ", names[17]);
    assert!(
        done.error.starts_with(&begin) && done.error.lines().count() == 1,
        "{done:?}"
    );
    // Once more, as after the bad one was fetched again.
    fs::write(dir.join(&names[17]), release(&image(17))).unwrap();
    let done = publish(dir, &[&["--json"], &arguments[..]].concat());
    assert_eq!(done.code, 0, "{done:?}");
    let json = done.json();
    assert_eq!(
        (&json["published"], &json["same"], &json["refused"]),
        (&1.into(), &59.into(), &0.into())
    );
    assert_eq!(done.error.lines().count(), BATCH, "a line each: {done:?}");
    assert_eq!(listing(dir).len(), BATCH);
}

#[test]
fn a_folder_stands_for_its_files() {
    let dir = folder(&[
        ("rel/v2.1.0_a.zip", release(&app("2.1.0", 1))),
        ("rel/b_2.1.0.bin", app("2.1.0", 2)),
        ("rel/.v2.1.0_c.zip", release(&app("2.1.0", 3))),
        ("rel/README.md", b"text".to_vec()),
        ("rel/SHA256SUMS", b"text".to_vec()),
        ("rel/below/v2.1.0_d.zip", release(&app("2.1.0", 4))),
    ]);
    let done = publish(dir.path(), &["rel"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(listing(dir.path()), ["a_2.1.0.bin", "b_2.1.0.bin"]);
    // What is no firmware in it is named, and keeps nothing back.
    fs::write(dir.path().join("rel/notes.txt"), "text").unwrap();
    let done = publish(dir.path(), &["rel", "--force"]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.error.contains("rel/notes.txt: "), "{done:?}");
    assert!(
        done.text
            .ends_with("published: 2; there already: 0; refused: 1\n")
    );
    for (files, words) in [("rel/below", ""), ("data", "a folder without files")] {
        let done = publish(dir.path(), &[files]);
        assert!(
            done.code == i32::from(!words.is_empty()) && done.error.contains(words),
            "{done:?}"
        );
    }
}

#[test]
fn of_two_that_come_to_one_name_the_first_goes_and_the_other_is_named() {
    let (one, other) = (app("2.1.0", 1), app("2.1.0", 2));
    for force in [&[][..], &["--force"]] {
        let dir = folder(&[
            ("x/v2.1.0_a.zip", release(&one)),
            ("y/v2.1.0_a.zip", release(&other)),
            ("y/a_2.1.0.bin", one.clone()),
        ]);
        let dir = dir.path();
        let named = ["x/v2.1.0_a.zip", "y/v2.1.0_a.zip", "y/a_2.1.0.bin"];
        let mut outcomes = Vec::new();
        for dry in [&["--dry-run", "--json"][..], &["--json"]] {
            let done = publish(dir, &[&named[..], force, dry].concat());
            assert_eq!(done.code, 1, "{done:?}");
            let second = done.row(named[1]);
            let reason = second["reason"].as_str().unwrap();
            assert!(
                second["outcome"] == "refused" && reason.contains(named[0]),
                "{reason}"
            );
            outcomes.push(named.map(|name| done.row(name)["outcome"].clone()));
        }
        assert_eq!(outcomes[0], ["planned", "refused", "same"]);
        assert_eq!(outcomes[1], ["published", "refused", "same"]);
        assert!(fs::read(dir.join("data/bin/a_2.1.0.bin")).unwrap() == one);
    }
}

#[test]
fn in_a_batch_nobody_is_asked_and_each_has_its_reason() {
    let dir = folder(&[
        (RELEASE, release(&app("2.1.0", 1))),
        (EITHER, release(&app("2.2.6", 2))),
        ("merged-binary.bin", full(&app("2.1.0", 3))),
        ("page.bin", b"<html>404</html>".to_vec()),
    ]);
    let named = [RELEASE, EITHER, "merged-binary.bin", "page.bin", "none.zip"];
    let done = publish(dir.path(), &named);
    assert_eq!(done.code, 1, "{done:?}");
    let errors: Vec<_> = done.error.lines().collect();
    assert_eq!(errors.len(), 4, "{done:?}");
    for (line, (file, words)) in errors.iter().zip([
        (EITHER, "--model esp32-s3-touch-amoled-1.75"),
        ("merged-binary.bin", "add --model"),
        ("page.bin", "a web page"),
        ("none.zip", "No such file"),
    ]) {
        assert!(
            line.starts_with(&format!("error: {file}: ")) && line.contains(words),
            "{line}"
        );
    }
    let done = publish(dir.path(), &[EITHER, "--json"]);
    let candidates = done.row(EITHER)["candidates"].clone();
    assert_eq!(candidates, serde_json::json!(super::CANDIDATES));
    let done = publish(
        dir.path(),
        &["merged-binary.bin", "page.bin", "--model", "z"],
    );
    assert!(done.code == 1 && listing(dir.path()).contains(&"z_2.1.0.bin".to_owned()));
}

#[test]
fn programs_are_told_all_of_it_in_one_document() {
    let image = app("2.1.0", 1);
    let dir = folder(&[(RELEASE, release(&image)), ("x.bin", b"text".to_vec())]);
    let done = publish(dir.path(), &[RELEASE, "x.bin", "--json"]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(!done.text.contains("null"), "{done:?}");
    let row = done.row(RELEASE);
    assert_eq!(
        (&row["outcome"], &row["slot"]),
        (&"published".into(), &"ota_0".into())
    );
    assert_eq!(row["member"], "merged-binary.bin");
    assert_eq!(row["sha256"].as_str().unwrap().len(), 64);
    let left: Vec<_> = row["left"].as_array().unwrap().iter().collect();
    assert!(
        left.iter()
            .any(|part| part.as_str().unwrap().starts_with("bootloader (")),
        "{row}"
    );
    assert!(row["warnings"].as_array().unwrap().is_empty(), "{row}");
    let row = done.row("x.bin");
    assert!(
        row["outcome"] == "refused" && row["path"].is_null(),
        "{row}"
    );
    assert!(row["reason"].as_str().unwrap().contains("x.bin"), "{row}");
    // The reason of one alone is in the document, too.
    let done = publish(dir.path(), &[RELEASE, "--json"]);
    let row = done.row(RELEASE);
    assert_eq!((done.code, &row["outcome"]), (1, &"same".into()), "{row}");
    assert!(
        done.error.contains("already, with the same content"),
        "{done:?}"
    );
}

/// Whatever is in what is published, `inspect` calls what comes out ready.
#[test]
fn what_is_published_is_what_inspect_calls_ready() {
    let image = Image {
        payload: noise(2048, 1),
        ..Image::new("2.1.0")
    };
    let image = image.build();
    let (full, packed) = (full(&image), release(&image));
    let mut files = Vec::new();
    for n in 0..240_usize {
        let mut bytes = match n % 3 {
            0 => full.clone(),
            1 => packed.clone(),
            _ => super::packed("xiaozhi.bin", &image),
        };
        let dice = noise(64, n as u64 + 1);
        let number = |at: usize| usize::from(dice[at]) << 8 | usize::from(dice[at + 1]);
        // Near what is read: headers, the table, the app.
        let base = match (n % 3, n % 5) {
            (0, 0) => 0x8000,
            (0, 1..4) => 0x2_0000,
            (0, _) => 0,
            (_, 0) => bytes.len() - 200,
            _ => 0,
        };
        let reach = [64, 400, 3000, bytes.len()][n / 3 % 4];
        for flip in 0..=usize::from(dice[0] % 3) {
            let at = (base + number(flip * 4 + 2) % reach) % bytes.len();
            bytes[at] ^= 1 << (dice[flip + 40] % 8);
        }
        match dice[60] % 4 {
            0 => bytes.truncate(bytes.len() - number(50) % bytes.len()),
            1 => bytes.extend(noise(number(50) % 5000, n as u64)),
            _ => {}
        }
        files.push((format!("b-{n}_2.1.0.bin"), bytes));
    }
    let files: Vec<_> = files
        .iter()
        .map(|(name, bytes)| (format!("in/{name}"), bytes.clone()))
        .collect();
    let files: Vec<_> = files
        .iter()
        .map(|(name, bytes)| (&**name, bytes.clone()))
        .collect();
    let dir = folder(&files);
    let done = publish(dir.path(), &["in", "--json"]);
    let json = done.json();
    let published = json["published"].as_u64().unwrap();
    assert!((10..230).contains(&published), "{published}");
    assert!(!done.error.contains("panic"), "{done:?}");
    assert_eq!(listing(dir.path()).len() as u64, published);
    let (ok, text, _) = run(dir.path(), &["inspect", "--json", "data/bin"]);
    assert!(ok, "{text}");
    for line in text.lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(row["state"], "ready", "{row}");
    }
    assert_eq!(text.lines().count() as u64, published);
}
