//! What the commands make of the devices that a server knows: who would get a file, which
//! board a release is for, and what `prune` keeps.

use super::support::Server;
use super::support::server::{BINARY, Setup, request, without_privilege};
use super::support::until;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use xiaozhi_image_builder::{Flash, Image};

const EITHER: &str = "v2.2.6_waveshare-esp32-s3-touch-amoled-1.75.zip";
const WITH_MAKER: &str = "waveshare-esp32-s3-touch-amoled-1.75";
const WITHOUT: &str = "esp32-s3-touch-amoled-1.75";

/// A check-in of a device, which is a boot of its own.
fn check_in(server: &Server, number: u8, board: &str, version: &str, more: &Value) {
    let mut body = json!({
        "application": {"name": "xiaozhi", "version": version, "idf_version": "v5.4.1"},
        "board": {"type": "wifi", "name": board},
        "chip_model_name": "esp32s3",
    });
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    let id = format!("02:00:00:00:00:{number:02x}");
    let headers = [("Device-Id", &*id), ("Client-Id", "c")];
    let body = body.to_string();
    let reply = server.send(
        "http",
        &request("POST", "/xiaozhi/ota/", &headers, body.as_bytes()),
    );
    assert_eq!(reply.status, 200);
}

/// The partition table that a device reports.
fn table(has_assets: bool) -> Value {
    let slot = |label: &str, subtype: u8| json!({"label": label, "type": 0, "subtype": subtype, "address": 0, "size": 0x003f_0000});
    let mut table = vec![slot("ota_0", 0x10), slot("ota_1", 0x11)];
    if has_assets {
        let assets = json!({"label": "assets", "type": 1, "subtype": 0x82, "address": 0, "size": 0x0080_0000});
        table.push(assets);
    }
    json!({"partition_table": table, "ota": {"label": "ota_0"}})
}

/// Ends a server in good order, and returns its folder.
fn ended(mut server: Server) -> Server {
    server.signal("TERM");
    assert!(server.end().success());
    let state = server.dir.path().join("data/state");
    assert!(state.join("fleet.db").exists());
    server
}

/// A folder in which a server knew these devices: board, version, and what else they say.
fn known(files: &[(&str, Vec<u8>)], devices: &[(&str, &str, Value)]) -> Server {
    let setup = files.iter().fold(Setup::new(), |setup, (file, content)| {
        setup.file(file, content)
    });
    let server = setup.start("");
    for (number, (board, version, more)) in (1..).zip(devices) {
        check_in(&server, number, board, version, more);
    }
    ended(server)
}

fn told(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let code = output.status.code();
    (code, text(&output.stdout), text(&output.stderr))
}

fn by(command: &mut Command, dir: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let command = command.args(arguments).current_dir(dir);
    told(&command.stdin(Stdio::null()).output().unwrap())
}

fn run(dir: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    by(&mut Command::new(BINARY), dir, arguments)
}

#[track_caller]
fn has(text: &str, words: &str) {
    assert!(text.contains(words), "{words}: {text}");
}

fn image(version: &str) -> Vec<u8> {
    Image::new(version).build()
}

/// Three that would get 2.1.0, one without the partition for it, and another board.
fn fleet() -> [(&'static str, &'static str, Value); 5] {
    [
        ("my-board", "2.0.0", table(true)),
        ("my-board", "1.9.0", table(true)),
        ("my-board", "2.0.1", table(true)),
        ("my-board", "1.6.6", table(false)),
        ("another", "1.0.0", json!({})),
    ]
}

const GETS: &str = "known devices that it is for: 4; would get it at their next check: 3";
const STAYS: &str = "1 (now on 1.6.6) would not get it; not offered: firmware 2.x needs a partition named assets, and the device has none: \
                     flash it by cable once (withheld.no-assets)";

/// The page shows what is said here.
#[test]
fn the_page_shows_the_words() {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
    for page in ["images.md", "images.zh-CN.md"] {
        let page = fs::read_to_string(deploy.join(page)).unwrap();
        for line in [GETS, STAYS] {
            has(&page, &format!("data/bin/my-board_2.1.0.bin: {line}\n"));
        }
    }
}

#[test]
fn publish_says_who_would_get_it() {
    let server = known(&[], &fleet());
    let dir = server.dir.path();
    fs::write(dir.join("xiaozhi.bin"), image("2.1.0")).unwrap();
    let publish = ["publish", "xiaozhi.bin", "--model", "my-board"];
    for more in [&["--dry-run"][..], &[]] {
        let (code, text, error) = run(dir, &[&publish[..], more].concat());
        assert_eq!((code, &*error), (Some(0), ""), "{text}");
        has(&text, &format!("data/bin/my-board_2.1.0.bin: {GETS}\n"));
        has(&text, &format!("data/bin/my-board_2.1.0.bin: {STAYS}\n"));
    }
    let json = [&publish[..], &["--json", "--dry-run", "--force"]].concat();
    let (code, text, _) = run(dir, &json);
    assert_eq!(code, Some(0), "{text}");
    let json: Value = serde_json::from_str(&text).unwrap();
    let fleet = &json["sources"][0]["fleet"];
    let numbers = ["known", "of_model", "gets", "runs"].map(|key| fleet[key].as_u64().unwrap());
    assert_eq!(numbers, [5, 4, 3, 0], "{json}");
    assert_eq!(fleet["stays"][0]["why"], "withheld.no-assets", "{json}");
    assert_eq!(fleet["stays"][0]["devices"], 1, "{json}");
    // Below a higher one it is nobody's.
    let lower = [
        "publish",
        "xiaozhi.bin",
        "--model",
        "my-board",
        "--version",
        "2.0.5",
    ];
    let (_, text, _) = run(dir, &[&lower[..], &["--dry-run"]].concat());
    has(&text, "would get it at their next check: 0");
    has(
        &text,
        "my-board_2.1.0.bin is offered instead, which is higher (forecast.higher)",
    );
    let (_, text, _) = run(
        dir,
        &["publish", "xiaozhi.bin", "--model", "myboard", "--dry-run"],
    );
    has(
        &text,
        "it is for none of the devices that are known here (5)",
    );
}

#[test]
fn inspect_says_the_same_of_what_has_a_model() {
    let files = [
        ("my-board_2.1.0.bin", image("2.1.0")),
        ("my-board_2.2.0.bin", image("2.2.0")),
    ];
    let server = known(&[], &fleet());
    let dir = server.dir.path();
    for (file, content) in &files {
        fs::write(dir.join("data/bin").join(file), content).unwrap();
    }
    fs::write(dir.join("xiaozhi.bin"), image("2.1.0")).unwrap();
    fs::write(dir.join("another_1.1.0.bin"), image("1.1.0")).unwrap();
    let (code, text, _) = run(dir, &["inspect", "data/bin"]);
    assert_eq!(code, Some(0), "{text}");
    has(&text, &format!("  devices     {GETS}\n"));
    has(&text, &format!("  devices     {STAYS}\n"));
    has(
        &text,
        "  devices     3 (now on 1.9.0…2.0.1) would not get it; my-board_2.2.0.bin is offered instead, which is higher",
    );
    let (_, text, _) = run(dir, &["inspect", "another_1.1.0.bin", "--json"]);
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&json["fleet"]["gets"], &json["fleet"]["of_model"]),
        (&json!(1), &json!(1))
    );
    let (_, text, _) = run(dir, &["inspect", "xiaozhi.bin", "--json"]);
    let json: Value = serde_json::from_str(&text).unwrap();
    assert!(json.get("fleet").is_none(), "{text}");
}

/// A running server is read from at most a second behind.
#[test]
fn a_server_may_run_meanwhile() {
    let server = Setup::new().start("");
    let dir = server.dir.path();
    fs::write(dir.join("xiaozhi.bin"), image("2.1.0")).unwrap();
    let gets = || {
        let publish = [
            "publish",
            "xiaozhi.bin",
            "--model",
            "my-board",
            "--dry-run",
            "--json",
        ];
        let (code, text, error) = run(dir, &publish);
        assert_eq!((code, &*error), (Some(0), ""), "{text}");
        let json: Value = serde_json::from_str(&text).unwrap();
        json["sources"][0]["fleet"]["gets"].as_u64()
    };
    assert_eq!(gets(), None);
    for number in 1..=2_u8 {
        check_in(&server, number, "my-board", "1.0.0", &json!({}));
        until("the device to be known", || {
            (gets() == Some(number.into())).then_some(())
        });
    }
}

#[test]
fn a_board_that_a_name_leaves_open_is_the_one_that_devices_report() {
    let flash = Flash::v2_16mb().build(&[("ota_0", &image("2.2.6"))]);
    let release = xiaozhi_image_builder::zip::Zip::new()
        .file("merged-binary.bin", &flash)
        .bytes();
    let of = |boards: &[&'static str]| {
        let devices: Vec<_> = boards
            .iter()
            .map(|board| (*board, "2.0.0", json!({})))
            .collect();
        let server = known(&[], &devices);
        let dir = server.dir.path();
        fs::write(dir.join(EITHER), &release).unwrap();
        run(dir, &["publish", EITHER, "--json"])
    };
    for (board, other) in [(WITH_MAKER, WITHOUT), (WITHOUT, WITH_MAKER)] {
        let (code, text, error) = of(&[board, board, "x"]);
        assert_eq!(code, Some(0), "{text}{error}");
        let json: Value = serde_json::from_str(&text).unwrap();
        let row = &json["sources"][0];
        assert_eq!(
            (&row["model"], &row["model_reported_by"]),
            (&json!(board), &json!(2)),
            "{other}: {row}"
        );
        assert_eq!(row["fleet"]["gets"], 2, "{row}");
    }
    for boards in [&[WITHOUT, WITH_MAKER][..], &["x"]] {
        let (code, text, _) = of(boards);
        assert_eq!(code, Some(1), "{text}");
        let json: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            json["sources"][0]["candidates"],
            json!([WITH_MAKER, WITHOUT]),
            "{text}"
        );
    }
    // People are told why.
    let server = known(&[], &[(WITHOUT, "2.0.0", json!({}))]);
    let dir = server.dir.path();
    fs::write(dir.join(EITHER), &release).unwrap();
    let (_, text, _) = run(dir, &["publish", EITHER]);
    has(
        &text,
        &format!(
            "it is taken for {WITHOUT}, which is reported by known devices (1), and {WITH_MAKER} by none"
        ),
    );
}

#[test]
fn prune_keeps_what_devices_run() {
    let hashed = Image {
        elf_sha256: [7; 32],
        ..Image::new("1.2")
    };
    let files = [
        ("a_1.0.bin", image("1.0")),
        ("a_1.1.bin", image("1.1")),
        ("a_1.2.bin", hashed.build()),
        ("a_1.3.bin", image("1.3")),
        ("a_1.4.bin", image("1.4")),
        ("b_1.1.bin", image("1.1")),
        ("b_1.2.bin", image("1.2")),
    ];
    let devices = [
        ("a", "1.1.0", json!({})),
        ("a", "1.1", json!({})),
        // By its hash, whatever it calls itself.
        (
            "c",
            "9.9",
            json!({"application": {"version": "9.9", "elf_sha256": "07".repeat(32)}}),
        ),
    ];
    let server = known(&files, &devices);
    let dir = server.dir.path();
    let (code, text, _) = run(dir, &["prune", "--keep", "1", "--dry-run", "--json"]);
    assert_eq!(code, Some(0), "{text}");
    let rows: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let devices = |file: &str| {
        let row = rows
            .iter()
            .find(|row| row["file"] == format!("data/bin/{file}"));
        (
            row.unwrap()["action"].clone(),
            row.unwrap()["devices"].as_u64(),
        )
    };
    assert_eq!(devices("a_1.0.bin"), (json!("would-remove"), None));
    assert_eq!(devices("a_1.1.bin"), (json!("stays"), Some(2)));
    assert_eq!(devices("a_1.2.bin"), (json!("stays"), Some(1)));
    assert_eq!(devices("a_1.3.bin"), (json!("would-remove"), None));
    assert_eq!(devices("b_1.1.bin"), (json!("would-remove"), None));
    let (code, text, _) = run(dir, &["prune", "--keep", "1"]);
    assert_eq!(code, Some(0), "{text}");
    has(
        &text,
        "a_1.1.bin: stays: known devices that run this version, or were offered it last: 2",
    );
    let bin = dir.join("data/bin");
    let is_there =
        ["a_1.0.bin", "a_1.1.bin", "a_1.2.bin", "a_1.3.bin"].map(|file| bin.join(file).exists());
    assert_eq!(is_there, [false, true, true, false]);
}

#[test]
fn where_devices_cannot_be_read_the_commands_say_so_and_go_on() {
    let files = [("a_1.0.bin", image("1.0")), ("a_1.1.bin", image("1.1"))];
    let server = known(&files, &[("a", "1.0", json!({}))]);
    let dir = server.dir.path();
    fs::write(dir.join("xiaozhi.bin"), image("2.1.0")).unwrap();
    let store = dir.join("data/state/fleet.db");
    let whole = fs::read(&store).unwrap();
    let mut newer = whole.clone();
    // `user_version` (https://sqlite.org/fileformat2.html, section 1.3).
    newer[60..64].copy_from_slice(&[0, 0, 0, 200]);
    let other = |mode: u32| fs::set_permissions(&store, fs::Permissions::from_mode(mode)).unwrap();
    for (bytes, mode, words) in [
        (&b"garbage"[..], 0o600, "not a database"),
        (&newer, 0o600, "a newer program wrote it"),
        (&whole, 0, "rights"),
    ] {
        other(0o600);
        fs::write(&store, bytes).unwrap();
        other(mode);
        let (code, text, error) = by(
            &mut without_privilege(),
            dir,
            &["publish", "xiaozhi.bin", "--model", "a", "--dry-run"],
        );
        assert_eq!(code, Some(0), "{text}{error}");
        has(&text, "would be published");
        assert_eq!(error.lines().count(), 1, "{error}");
        has(&error, "what is known of devices cannot be read");
        has(&error, "data/state");
        has(&error, words);
        let (code, text, _) = by(
            &mut without_privilege(),
            dir,
            &["prune", "--keep", "1", "--dry-run"],
        );
        assert_eq!(code, Some(0), "{text}");
        has(&text, "a_1.0.bin: would be removed");
        has(&text, "warning: what is known of devices cannot be read");
    }
    // Nobody knows of devices where there was no server.
    fs::remove_dir_all(dir.join("data/state")).unwrap();
    let (code, text, error) = run(
        dir,
        &["publish", "xiaozhi.bin", "--model", "a", "--dry-run"],
    );
    assert_eq!((code, &*error), (Some(0), ""), "{text}");
    assert!(!text.contains("known"), "{text}");
    assert!(!dir.join("data/state").exists());
}

/// Whatever devices run, and whatever else is there.
#[test]
fn the_admin_address_says_who_could_get_each_file() {
    let files = [
        "my-board_2.1.0.bin",
        "my-board_1.0.0.bin",
        "another_0.9.0.bin",
        "nobody_1.0.bin",
    ];
    let setup = files.iter().fold(Setup::new(), |setup, file| {
        let version = file.trim_end_matches(".bin").rsplit('_').next().unwrap();
        setup.file(file, image(version))
    });
    let server = setup.start("gateway:\n  admin: {listen: 0}\n");
    for (number, (board, version, more)) in (1..).zip(fleet()) {
        check_in(&server, number, board, version, &more);
    }
    let (status, json) = server.admin_json("GET", "/api/v1/firmware", "");
    assert_eq!(status, 200, "{json}");
    let could_get = files.map(|file| {
        let found = json["files"].as_array().unwrap().iter();
        let row = found.clone().find(|row| row["file"] == file);
        row.unwrap()["could_get"].as_u64().unwrap()
    });
    assert_eq!(could_get, [3, 4, 1, 0], "{json}");
}
