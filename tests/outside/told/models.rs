//! Models without a file, beside files whose names are nearly theirs.

use super::shown;
use crate::command_line::run;
use crate::support::Server;
use crate::support::server::{Setup, post, request};
use xiaozhi_image_builder::Image;

/// Checks in as a device that reports these names, and returns the file that it is
/// offered.
#[track_caller]
fn offered(server: &Server, device: &str, board: &str, version: &str) -> Option<String> {
    let body = format!(
        r#"{{"application":{{"name":"xiaozhi","version":"{version}"}},"board":{{{board}}}}}"#
    );
    let headers = [("Device-Id", device), ("Client-Id", "a-client")];
    let reply = server.send(
        "http",
        &request("POST", "/xiaozhi/ota/", &headers, body.as_bytes()),
    );
    let (_, url) = reply.firmware();
    let file = url.rsplit('/').next().map(str::to_owned);
    file.filter(|file| !file.is_empty())
}

fn named(name: &str) -> String {
    format!(r#""type":"{name}","name":"{name}""#)
}

/// Files, a model that has none, and the name that the file should have.
const NEAR: [(&str, &str, &str); 25] = [
    ("Xmini-C3_2.0.6.bin", "xmini-c3", "xmini-c3_2.0.6.bin"),
    ("XMINI-C3_2.0.6.bin", "xmini-c3", "xmini-c3_2.0.6.bin"),
    ("xmini_c3_2.0.6.bin", "xmini-c3", "xmini-c3_2.0.6.bin"),
    ("xmini-c3__2.0.6.bin", "xmini-c3", "xmini-c3_2.0.6.bin"),
    ("xmini-c3 _2.0.6.bin", "xmini-c3", "xmini-c3_2.0.6.bin"),
    (" xmini-c3_2.0.6.bin", "xmini-c3", "xmini-c3_2.0.6.bin"),
    ("xmini c3_2.0.6.bin", "xmini-c3", "xmini-c3_2.0.6.bin"),
    ("xminic3_2.0.6.bin", "xmini-c3", "xmini-c3_2.0.6.bin"),
    ("ｘｍｉｎｉ-c3_2.0.6.bin", "xmini-c3", "xmini-c3_2.0.6.bin"),
    (
        "xmini\u{200b}-c3_2.0.6.bin",
        "xmini-c3",
        "xmini-c3_2.0.6.bin",
    ),
    ("1.7.0_xmini-c3.bin", "xmini-c3", "xmini-c3_1.7.0.bin"),
    ("v1.7.0_xmini-c3.bin", "xmini-c3", "xmini-c3_1.7.0.bin"),
    ("xmini-c3_v2.0.6.bin", "xmini-c3", "xmini-c3_2.0.6.bin"),
    ("xmini-c3-2.0.6.bin", "xmini-c3", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_2.0.6 (1).bin", "xmini-c3", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_2.0.6.BIN", "xmini-c3", "xmini-c3_2.0.6.bin"),
    ("xmini-c3.bin", "xmini-c3", "xmini-c3_VERSION.bin"),
    ("xmni-c3_2.0.6.bin", "xmini-c3", "xmini-c3_2.0.6.bin"),
    ("xmiin-c3_2.0.6.bin", "xmini-c3", "xmini-c3_2.0.6.bin"),
    (
        "lichuang-dew_2.0.6.bin",
        "lichuang-dev",
        "lichuang-dev_2.0.6.bin",
    ),
    (
        "v2.1.0_bread-compact-wifi.zip",
        "bread-compact-wifi",
        "bread-compact-wifi_2.1.0.bin",
    ),
    (
        "v2.2.4_waveshare-s3-rlcd-4.2.zip",
        "s3-rlcd-4.2",
        "s3-rlcd-4.2_2.2.4.bin",
    ),
    (
        "waveshare-s3-rlcd-4.2_2.2.4.bin",
        "s3-rlcd-4.2",
        "s3-rlcd-4.2_2.2.4.bin",
    ),
    (
        "s3-rlcd-4.2_2.2.4.bin",
        "waveshare-s3-rlcd-4.2",
        "waveshare-s3-rlcd-4.2_2.2.4.bin",
    ),
    (
        "Réseau_2.0.6.bin",
        "re\u{301}seau",
        "re\u{301}seau_2.0.6.bin",
    ),
];

#[test]
fn the_file_whose_name_is_nearly_the_models() {
    for (file, model, name) in NEAR {
        let server = Setup::new()
            .file(file, Image::new("2.0.6").build())
            .file("other-board_1.0.bin", Image::new("1.0").build())
            .start_early(
                "",
                &mut std::process::Command::new(crate::support::server::BINARY),
            );
        server.event("file.ready", &[("file", "other-board_1.0.bin")]);
        let device = ("device", "aa:bb:cc:00:00:01");
        for _ in 0..3 {
            assert_eq!(
                offered(&server, device.1, &named(model), "1.0"),
                None,
                "{file}"
            );
        }
        let file = &*shown(file);
        let fields = [device, ("model", model), ("file", file), ("message", name)];
        server.event("model.near", &fields);
        // Once an hour for each device.
        let other = ("device", "aa:bb:cc:00:00:02");
        offered(&server, other.1, &named(model), "1.0");
        server.event("model.near", &[other, ("file", file)]);
        assert_eq!(server.events("model.near", &[device]).len(), 1, "{file}");
    }
}

#[test]
fn a_model_that_no_file_name_can_carry() {
    const MODEL: &str = "lilygo-t-cameraplus-s3_v1_2";
    const FILE: &str = "lilygo-t-cameraplus-s3_v1_2_2.0.6.bin";
    const NAME: &str = "lilygo-t-cameraplus-s3-v1-2_2.0.6.bin";
    const ALIAS: &str = "{lilygo-t-cameraplus-s3-v1-2: lilygo-t-cameraplus-s3_v1_2}";
    let server = Server::start("", &[FILE]);
    assert_eq!(offered(&server, "d", &named(MODEL), "1.0"), None);
    let fields = [("device", "d"), ("message", NAME), ("message", ALIAS)];
    server.event("model.unnameable", &fields);
    // What is advised helps.
    std::fs::rename(server.bin().join(FILE), server.bin().join(NAME)).unwrap();
    server.event("file.ready", &[("file", NAME)]);
    server.configure(&format!("gateway:\n  firmware: {{alias: {ALIAS}}}\n"));
    server.reload();
    let file = offered(&server, "d", &named(MODEL), "1.0");
    assert_eq!(file.as_deref(), Some(NAME));
}

#[test]
fn no_board_is_taken_for_another_one() {
    let files = [
        "esp32-s3-touch-lcd-1.85_2.0.bin",
        "esp32-s3-touch-lcd-1.85b_2.0.bin",
        "atoms3-echo-base_2.0.bin",
        "magiclick-2p4_2.0.bin",
        "kevin-box-1_2.0.bin",
        "xmini-c3_2.0.bin",
        "default_2.0.bin",
    ];
    let server = Server::start("", &files);
    for model in [
        "esp32-s3-touch-lcd-1.85c",
        "atoms3r-echo-base",
        "magiclick-2p5",
        "kevin-box-2",
        "xmini-c3-v3",
        "xmini-c3-4g",
        "unknown",
    ] {
        let file = offered(&server, model, &named(model), "1.0");
        assert_eq!(file.as_deref(), Some("default_2.0.bin"), "{model}");
    }
    server.settle();
    assert_eq!(server.events("model.near", &[]), [""; 0]);
    // Who has files of its own hears nothing of what is near.
    offered(&server, "own", &named("xmini-c3"), "1.0");
    offered(
        &server,
        "own",
        r#""type":"xmini-c3","name":"Xmini-C3""#,
        "1.0",
    );
    server.settle();
    assert_eq!(server.events("model.near", &[]), [""; 0]);
}

#[test]
fn a_near_file_is_named_to_who_gets_default_and_with_the_name_in_a_header() {
    let server = Server::start("", &["lichuang-dew_2.0.6.bin", "default_1.5.bin"]);
    let file = offered(&server, "a", &named("lichuang-dev"), "1.0");
    assert_eq!(file.as_deref(), Some("default_1.5.bin"));
    server.event(
        "model.near",
        &[
            ("device", "a"),
            ("file", "lichuang-dew_2.0.6.bin"),
            ("message", "default"),
        ],
    );
    // The board's own name has files, and a header hides it.
    let headers = [
        ("Device-Id", "b"),
        ("Client-Id", "c"),
        ("Device-Model", "gateway"),
    ];
    let body = br#"{"application":{"version":"1.0"},"board":{"name":"lichuang-dew"}}"#;
    server.send("http", &request("POST", "/xiaozhi/ota/", &headers, body));
    let fields = [
        ("device", "b"),
        ("model", "gateway"),
        ("message", "{lichuang-dew: gateway}"),
    ];
    server.event("model.near", &fields);
}

/// Files that are meant for a model under a name, or in a place, that does not do.
const WRONG: [(&str, &str); 10] = [
    ("xmini-c4", "xmini-c4_v1.6.6.bin"),
    ("xmini-c6", "xmini-c6_1.6.6 (1).bin"),
    ("xmini-c7", "xmini-c7-1.6.6.bin"),
    ("xmini-c8", "xmini-c8_1.6.6.BIN"),
    ("xmini-d1", "xmini-d1_1.6.6.zip"),
    ("xmini-d3", "Xmini-D3_1.6.6.bin"),
    ("xmini-d4", "xmini_d4_1.6.6.bin"),
    ("xmini-d5", "xmini-d5.bin"),
    ("xmini-d6", "boards/xmini-d6_1.6.6.bin"),
    ("lilygo_v1_2", "lilygo_v1_2_1.6.6.bin"),
];

#[test]
fn who_has_a_file_under_a_name_that_does_not_do_gets_no_default() {
    let setup = Setup::new();
    std::fs::create_dir(setup.path().join("data/bin/boards")).unwrap();
    let lay =
        |setup: Setup, (_, file): &(&str, &str)| setup.file(file, Image::new("1.6.6").build());
    let setup = setup.file("default_1.9.0.bin", Image::new("1.9.0").build());
    let server = WRONG.iter().fold(setup, lay).start("");
    for (model, file) in WRONG {
        for _ in 0..2 {
            assert_eq!(
                offered(&server, model, &named(model), "1.0.0"),
                None,
                "{file}"
            );
        }
        let device = ("device", model);
        let withheld = [device, ("file", "default_1.9.0.bin"), ("near", file)];
        server.event("withheld.near-name", &withheld);
        let can_be_named = !model.starts_with("lilygo");
        let id = ["model.unnameable", "model.near"][usize::from(can_be_named)];
        let line = server.event(id, &[device, ("file", file)]);
        assert!(line.contains("waits"), "{line}");
    }
    // Boards that are merely alike get it, and who names none.
    for model in ["xmini-d3-4g", "xmini-d33", "xmini-e1", "boards"] {
        let file = offered(&server, model, &named(model), "1.0.0");
        assert_eq!(file.as_deref(), Some("default_1.9.0.bin"), "{model}");
    }
    let file = offered(&server, "unnamed", "", "1.0.0");
    assert_eq!(file.as_deref(), Some("default_1.9.0.bin"));
}

#[test]
fn a_file_that_is_not_used_is_named_to_who_waits_for_it() {
    let merged = xiaozhi_image_builder::merged(&Image::new("1.8.0"), 0);
    let server = Setup::new()
        .file("lichuang-dev_1.8.0.bin", &merged)
        .file("lichuang-dev_1.7.0.bin", Image::new("1.7.0").build())
        .file("xmini-c3_99999999999.bin", Image::new("1.8.0").build())
        .file("default_1.9.0.bin", Image::new("1.9.0").build())
        .start("");
    let ask =
        |device: &str, model: &str, version: &str| offered(&server, device, &named(model), version);
    let lower = ask("a", "lichuang-dev", "1.6.0");
    assert_eq!(lower.as_deref(), Some("lichuang-dev_1.7.0.bin"));
    for _ in 0..2 {
        assert_eq!(ask("b", "lichuang-dev", "1.7.0"), None);
        assert_eq!(ask("c", "xmini-c3", "1.0.0"), None);
    }
    assert_eq!(ask("d", "lichuang-dev", "1.8.0"), None);
    for (device, model, file, why) in [
        (
            "b",
            "lichuang-dev",
            "lichuang-dev_1.8.0.bin",
            "image.full-flash",
        ),
        (
            "c",
            "xmini-c3",
            "xmini-c3_99999999999.bin",
            "name.unsafe-version",
        ),
    ] {
        let fields = [
            ("device", device),
            ("model", model),
            ("file", file),
            ("why", why),
        ];
        server.event("model.unused", &fields);
        server.get(&format!("/xiaozhi/ota/download/{file}"));
        server.event("download.unknown", &[("file", file), ("unused", why)]);
    }
    server.settle();
    assert_eq!(server.events("model.unused", &[]).len(), 2);
}

#[test]
fn a_renamed_board_is_named_and_gets_no_other_boards_firmware() {
    let files = ["echoear_2.0.0.bin", "default_9.0.0.bin"];
    let server = Server::start("", &files);
    let old = named("echoear");
    let file = offered(&server, "d", &old, "1.9.0");
    assert_eq!(file.as_deref(), Some("echoear_2.0.0.bin"));
    assert_eq!(offered(&server, "d", &old, "2.0.0"), None);
    // Its update has renamed it.
    for name in ["esp-vocat", "esp-vocat", "esp-vocat-2"] {
        assert_eq!(offered(&server, "d", &named(name), "2.2.3"), None);
    }
    let renamed = [
        ("device", "d"),
        ("message", "echoear"),
        ("message", "{echoear: esp-vocat}"),
    ];
    server.event("model.renamed", &renamed);
    server.settle();
    assert_eq!(server.events("model.renamed", &[]).len(), 2);
    let withheld = [
        ("device", "d"),
        ("file", "default_9.0.0.bin"),
        ("message", "echoear"),
    ];
    server.event("withheld.renamed", &withheld);
    // Other devices are boards of their own.
    let file = offered(&server, "e", &named("esp-vocat"), "2.2.3");
    assert_eq!(file.as_deref(), Some("default_9.0.0.bin"));
    // Who names no model gets what is for those, but for one that had files of its own.
    let unnamed = r#""ssid":"x""#;
    assert_eq!(offered(&server, "d", unnamed, "2.2.3"), None);
    let file = offered(&server, "f", unnamed, "2.2.3");
    assert_eq!(file.as_deref(), Some("default_9.0.0.bin"));

    server.configure("gateway:\n  firmware: {alias: {echoear: esp-vocat}}\n");
    let said = server.reload();
    assert!(
        said.iter()
            .any(|line| line.contains("gateway.firmware.alias")),
        "{said:#?}"
    );
    let file = offered(&server, "d", &named("esp-vocat"), "1.0.0");
    assert_eq!(file.as_deref(), Some("echoear_2.0.0.bin"));
    // Nor does it fall to default where nothing is new.
    assert_eq!(offered(&server, "d", &named("esp-vocat"), "2.2.3"), None);
    assert_eq!(offered(&server, "e", &named("esp-vocat"), "2.2.3"), None);
    server.settle();
    assert_eq!(server.events("model.renamed", &[]).len(), 2);
    // It has that name still, and had its files by the alias alone.
    server.configure("");
    server.reload();
    assert_eq!(offered(&server, "d", &named("esp-vocat"), "2.2.3"), None);
    let unaliased = [
        ("device", "d"),
        ("model", "esp-vocat"),
        ("files", "echoear"),
        ("message", "{esp-vocat: echoear}"),
    ];
    server.event("model.unaliased", &unaliased);
    let withheld = [("device", "d"), ("files", "echoear")];
    server.event("withheld.unaliased", &withheld);
    // A further name is one as which it did come, with the files that it had.
    assert_eq!(offered(&server, "d", &named("esp-vocat-3"), "2.2.3"), None);
    let renamed = [
        ("old", "esp-vocat"),
        ("files", "echoear"),
        ("new", "esp-vocat-3"),
        ("message", "{echoear: esp-vocat-3}"),
    ];
    server.event("model.renamed", &renamed);
}

#[test]
fn a_type_that_is_renamed_counts_like_a_name() {
    let server = Server::start("", &["old-type_2.0.bin", "default_9.0.bin"]);
    let board = |kind: &str| format!(r#""type":"{kind}","name":"variant""#);
    let file = offered(&server, "d", &board("old-type"), "1.0");
    assert_eq!(file.as_deref(), Some("old-type_2.0.bin"));
    assert_eq!(offered(&server, "d", &board("new-type"), "1.0"), None);
    server.event("model.renamed", &[("device", "d"), ("message", "old-type")]);
    server.event("withheld.renamed", &[("device", "d")]);
}

#[test]
fn two_names_are_one_model_both_ways() {
    let files = [
        "old_1.5.bin",
        "old_2.1.bin",
        "new_2.0.bin",
        "new_2.2.bin",
        "new_2.1.bin",
        "default_9.0.bin",
    ];
    let server = Server::start(
        "gateway:\n  firmware: {alias: {old: new, new: newest}}\n",
        &files,
    );
    let from = |name: &str, version: &str| offered(&server, "d", &named(name), version);
    for name in ["old", "new", "newest"] {
        // The highest of all, whatever its name.
        assert_eq!(from(name, "1.0").as_deref(), Some("new_2.2.bin"), "{name}");
        assert_eq!(from(name, "2.2"), None, "{name}");
    }
    server.event("candidates", &[("message", "old"), ("message", "5")]);
    server.event("alias.both", &[("old", "old"), ("new", "new")]);
    let (_, text, _) = run(server.dir.path(), &["validate"]);
    assert!(text.contains("old and new have files each"), "{text}");
    // Of equal versions the own name's goes first; a pin of one is a pin of all.
    let pinned = "gateway:\n  firmware: {alias: {old: new}, pin: {new: 2.1}}\n";
    server.configure(pinned);
    server.reload();
    assert_eq!(from("old", "1.0").as_deref(), Some("old_2.1.bin"));
    assert_eq!(from("new", "1.0").as_deref(), Some("new_2.1.bin"));
    // A model without a file that is pinned waits, under whichever name.
    server.configure("gateway:\n  firmware: {alias: {a: b}, pin: {a: 3.0}}\n");
    server.reload();
    server.event("alias.no-file", &[("old", "a"), ("new", "b")]);
    server.configure("gateway:\n  firmware: {alias: {a: b, xmini: ' OLD'}, pin: {a: 3.0}}\n");
    server.reload();
    let near = [("name", "OLD"), ("near", "old_2.1.bin"), ("model", "old")];
    server.event("alias.near", &near);
    assert_eq!(server.events("alias.no-file", &[]).len(), 1);
    server.event("pin.missing", &[("model", "a")]);
    assert_eq!(offered(&server, "f", &named("b"), "1.0"), None);
    server.event("withheld.pin-missing", &[("device", "f")]);
}

#[test]
fn each_file_of_an_alias_is_held_against_the_device() {
    let other_chip = Image {
        chip: 5,
        ..Image::new("2.2")
    };
    let server = Setup::new()
        .file("new_2.2.bin", other_chip.build())
        .file("old_2.1.bin", Image::new("2.1").build())
        .start("gateway:\n  firmware: {alias: {old: new}}\n");
    let body = br#"{"chip_model_name":"esp32s3","application":{"name":"xiaozhi","version":"2.0.0"},"board":{"type":"new"}}"#;
    let (_, url) = server.send("http", &post("/xiaozhi/ota/", body)).firmware();
    assert!(url.ends_with("/old_2.1.bin"), "{url}");
    server.event("withheld.chip", &[("file", "new_2.2.bin")]);
}
