//! Archives and full flash images that lie in the firmware folder: the log and `inspect` name
//! the command that makes firmware of them, and it does.

use super::super::command_line::run;
use super::super::image_files::listing;
use super::super::support::server::{BINARY, Setup};
use super::super::support::until;
use super::{BOARD, RELEASE, app, copied, full, release};
use std::fs;
use std::process::Command;

/// The command in a text, to the end of the text or the bracket that holds it.
fn command(text: &str) -> String {
    let at = text
        .find("xiaozhi-ota publish /")
        .or_else(|| text.find("xiaozhi-ota publish d"));
    let line = &text[at.unwrap_or_else(|| panic!("{text}"))..];
    let end = line.find([')', '\n', '"']).unwrap_or(line.len());
    line[..end].trim().to_owned()
}

#[test]
fn an_archive_in_the_firmware_folder_names_the_command() {
    let image = app("2.1.0", 1);
    let server = Setup::new()
        .file(RELEASE, release(&image))
        .file("v2.0.0_other-board.bin", release(&app("2.0.0", 2)))
        .start("");
    let dir = server.dir.path();
    for (file, why, model) in [
        (RELEASE, "name.archive", BOARD),
        ("v2.0.0_other-board.bin", "image.zip", "other-board"),
    ] {
        let line = server.event("file.refused", &[("file", file), ("why", why)]);
        let path = server.bin().join(file).display().to_string();
        let wanted = format!("xiaozhi-ota publish {path}");
        // Typed anywhere, it is the server's folder that gets it.
        let there = fs::canonicalize(dir).unwrap();
        let anywhere = format!("(cd {} && {wanted})", there.display());
        assert!(line.contains(&anywhere), "{anywhere}: {line}");
        let path = format!("data/bin/{file}");
        let (_, text, _) = run(dir, &["inspect", &path]);
        assert_eq!(command(&text), format!("xiaozhi-ota publish {path}"));
        // And where the folder is looked through.
        let (_, text, _) = run(dir, &["inspect", "data/bin"]);
        assert!(
            text.contains(&format!("xiaozhi-ota publish {path}")),
            "{text}"
        );
        let done = copied(dir, &wanted);
        assert_eq!(done.code, 0, "{done:?}");
        assert!(done.text.contains("can be deleted"), "{done:?}");
        until("the offer", || server.offered(model, "1.0.0"));
    }
    assert!(fs::read(server.bin().join(format!("{BOARD}_2.1.0.bin"))).unwrap() == image);
}

/// Each under a firmware's name: it is replaced by its app.
#[test]
fn a_full_image_under_a_firmware_s_name_is_replaced_by_its_app() {
    for (version, held) in [
        ("2.1.0", full(&app("2.1.0", 1))),
        ("1.0", full(&app("2.1.0", 1))),
        ("2.0.9", release(&app("2.1.0", 1))),
    ] {
        let file = format!("a_{version}.bin");
        let server = Setup::new().file(&file, &held).start("");
        let dir = server.dir.path();
        let (_, said, _) = run(dir, &["inspect", &format!("data/bin/{file}")]);
        let wanted = format!("xiaozhi-ota publish data/bin/{file} --model a --force");
        assert_eq!(command(&said), wanted);
        let id = if said.contains("full flash") {
            "file.refused"
        } else {
            "file.foreign"
        };
        let line = server.event(id, &[("file", &file)]);
        let typed = command(&line);
        let path = server.bin().join(&file).display().to_string();
        let begin = format!("xiaozhi-ota publish {path} --model a --force");
        assert!(typed.starts_with(&begin), "{typed}");
        let planned = copied(dir, &format!("{begin} --dry-run"));
        assert_eq!(planned.code, 0, "{planned:?}");
        assert_eq!(listing(dir), [&*file]);
        let done = copied(dir, &begin);
        assert_eq!(done.code, 0, "{done:?}");
        assert_eq!(listing(dir), ["a_2.1.0.bin"], "{done:?}");
        let removed = format!("{path}: removed");
        assert_eq!(done.text.contains(&removed), version != "2.1.0", "{done:?}");
        let is_there = |file: &String| file == "a_2.1.0.bin";
        until("the offer", || {
            server.offered("a", "1.0.0").filter(is_there)
        });
        let got = server.get("/xiaozhi/ota/download/a_2.1.0.bin");
        assert!(got.body == app("2.1.0", 1));
    }
}

#[test]
fn without_force_nothing_in_the_folder_goes() {
    let setup = Setup::new().file("a_1.0.bin", full(&app("2.1.0", 1)));
    let dir = setup.path();
    let done = super::publish(dir, &["data/bin/a_1.0.bin"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(listing(dir), ["a_1.0.bin", "a_2.1.0.bin"]);
    // Nor does what lies elsewhere.
    fs::write(dir.join("a_1.0.bin"), full(&app("2.1.0", 1))).unwrap();
    let done = super::publish(dir, &["a_1.0.bin", "--force"]);
    assert!(done.code == 0 && dir.join("a_1.0.bin").exists(), "{done:?}");
}

/// A configuration that was named is named again, and a path is quoted.
#[test]
fn the_command_names_the_configuration_and_is_what_a_shell_takes() {
    let setup = Setup::new();
    let odd = setup.path().join("my firmware's/bin");
    fs::create_dir_all(&odd).unwrap();
    fs::write(odd.join(RELEASE), release(&app("2.1.0", 1))).unwrap();
    let config = setup.path().join("c d.yaml");
    let text = format!(
        "gateway: {{firmware: {{dir: \"{}\"}}, ports: [0], ip: 127.0.0.1, tls: {{mode: off}}}}\n",
        odd.display()
    );
    fs::write(&config, &text).unwrap();
    // The command line wins over the file that lies there.
    let server = setup.start_by(
        "gateway:\n  ports: [0]\n  ip: 127.0.0.1\n",
        Command::new(BINARY).args(["-c", "c d.yaml"]),
    );
    let line = server.event("file.refused", &[("file", RELEASE)]);
    let at = line.find("xiaozhi-ota publish").unwrap();
    let typed = line[at..].split(" event=").next().unwrap();
    let typed = typed.split(" file=").next().unwrap();
    let file = odd
        .join(RELEASE)
        .display()
        .to_string()
        .replace('\'', r"'\''");
    let wanted = format!(
        "xiaozhi-ota publish '{file}' --config '{}'",
        config.display()
    );
    assert!(typed.starts_with(&wanted), "{wanted}: {typed}");
    // From anywhere.
    let done = copied(std::path::Path::new("/"), &wanted);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(odd.join(format!("{BOARD}_2.1.0.bin")).is_file());
    until("the offer", || server.offered(BOARD, "1.0.0"));
}
