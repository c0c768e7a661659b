//! What devices make of what they are offered: the right image once, a wrong
//! one never.

use crate::support::device::Device;
use crate::support::event::{self, field};
use crate::support::server::{Setup, post};
use crate::support::{Server, until};
use serde_json::json;
use std::fs::{self, File};
use std::io::Write;
use std::thread;
use xiaozhi_image_builder::{Image, merged};

const PATH: &str = "/xiaozhi/ota/";

#[test]
fn every_update_ends_after_one_install() {
    let image = Image::new;
    let mislabelled = image("1.6.9");
    let rows: Vec<(&str, &str, &str, Image, Option<&str>)> = vec![
        (
            "a plain update",
            "1.6.0",
            "a_1.7.0.bin",
            image("1.7.0"),
            None,
        ),
        (
            "a mislabelled image",
            "1.6.0",
            "a_1.8.0.bin",
            mislabelled,
            None,
        ),
        (
            "one that holds the version that runs",
            "2.0.9",
            "a_2.1.0.bin",
            image("2.0.9"),
            None,
        ),
        (
            "a pin downwards",
            "2.1.0",
            "a_1.7.0.bin",
            image("1.7.0"),
            Some("1.7.0"),
        ),
        (
            "a mislabelled pin",
            "2.1.0",
            "a_1.7.0.bin",
            image("1.6.9"),
            Some("1.7.0"),
        ),
        (
            "a release over its pre-release",
            "1.7.0-beta",
            "a_1.7.0.bin",
            image("1.7.0"),
            None,
        ),
        (
            "a later build",
            "1.9.2",
            "a_1.9.2_2.bin",
            image("1.9.2_2"),
            None,
        ),
        (
            "a later build in name only",
            "2.9.2",
            "a_2.9.2_2.bin",
            image("2.9.2"),
            None,
        ),
    ];
    for (what, own, file, image, pin) in rows {
        let config = pin.map_or_else(String::new, |pin| {
            format!("gateway:\n  firmware: {{pin: {{a: {pin}}}}}\n")
        });
        let server = Setup::new().file(file, image.build()).start(&config);
        assert_eq!(Device::new(own).live(&server), [file], "{what}");
        // A device that reports no hash is installed once at most, too.
        let silent = Device {
            elf: None,
            ..Device::new(own)
        };
        assert!(silent.live(&server).len() <= 1, "{what}");
    }
}

#[test]
fn what_the_device_would_refuse_after_the_download_is_not_offered() {
    let server = Setup::new()
        .file("a_1.9.0.bin", "saved from a page that was not found")
        .file("a_1.8.0.bin", Image::new("1.7.0").build())
        .file("a_1.7.1.bin", Image::new("1.7.1").build())
        .start("");
    // Another build of the version that runs, and what is no image at all.
    let device = Device::new("1.7.0");
    assert_eq!(device.offered(&server).as_deref(), Some("a_1.7.1.bin"));
    server.event("withheld.no-image", &[("file", "a_1.9.0.bin")]);
    server.event(
        "withheld.same-version",
        &[("file", "a_1.8.0.bin"), ("inside", "1.7.0")],
    );
}

#[test]
fn force_is_a_number_and_is_there_only_while_it_is_needed() {
    let server = Setup::new()
        .file("a_1.7.0.bin", Image::new("1.7.0").build())
        .start("gateway:\n  firmware: {pin: {a: 1.7.0}}\n");
    for (own, force) in [("1.8.0", Some(1)), ("1.6.0", None), ("1.7.0", None)] {
        let reply = Device::new(own).check_in(&server).json();
        let found = reply["firmware"].get("force");
        assert_eq!(found.cloned(), force.map(|n| json!(n)), "{own}: {reply}");
    }
    let line = server.event("offer", &[("version", "1.7.0")]);
    assert_eq!(field(&line, "force").as_deref(), Some("1"), "{line}");
}

#[test]
fn what_would_fail_on_every_device_is_never_offered_nor_served() {
    let whole = Image::new("1.9.0").build();
    let bootloader = Image {
        descriptor: false,
        ..Image::new("1.9.0")
    };
    let mut damaged = whole.clone();
    damaged[400] ^= 1;
    let wrong: [(&str, Vec<u8>, &str); 6] = [
        (
            "a_1.9.1.bin",
            merged(&Image::new("1.9.0"), 0),
            "image.full-flash",
        ),
        ("a_1.9.2.bin", bootloader.build(), "image.bootloader"),
        (
            "a_1.9.3.bin",
            whole[..whole.len() - 1].to_vec(),
            "image.cut",
        ),
        ("a_1.9.4.bin", damaged, "image.checksum"),
        (
            "a_1.9.5.bin",
            Image::new("2.0.x").build(),
            "image.unsafe-version",
        ),
        ("a_1.9.6.bin", vec![0; 5000], "image.blank"),
    ];
    let setup = wrong
        .iter()
        .fold(Setup::new(), |setup, (name, content, _)| {
            setup.file(name, content)
        });
    let server = setup
        .file("a_1.6.5.bin", Image::new("1.6.5").build())
        .start("");
    for (name, _, why) in &wrong {
        server.event("file.refused", &[("file", name), ("why", why)]);
        assert_eq!(
            server.get(&format!("/xiaozhi/ota/download/{name}")).status,
            404
        );
    }
    assert_eq!(
        Device::new("1.6.0").offered(&server).as_deref(),
        Some("a_1.6.5.bin")
    );
    assert_eq!(server.events("file.ready", &[]).len(), 1);

    // Mended, it is offered.
    fs::write(server.bin().join("a_1.9.3.bin"), &whole).unwrap();
    until("the offer", || {
        Device::new("1.6.0")
            .offered(&server)
            .filter(|file| file == "a_1.9.3.bin")
    });
}

#[test]
fn files_that_are_no_images_are_offered_unless_that_is_forbidden() {
    let files = |config: &str| {
        Setup::new()
            .file("a_1.7.0.bin", "no image at all")
            .start(config)
    };
    // For a device of another kind, that is.
    let device = |version: &str| Device {
        more: json!({}),
        ..Device::new(version)
    };
    let server = files("");
    assert_eq!(
        device("1.6.0").offered(&server).as_deref(),
        Some("a_1.7.0.bin")
    );
    server.event("file.foreign", &[("file", "a_1.7.0.bin")]);
    // What is not known to end is not forced.
    assert_eq!(device("1.7.0-beta").offered(&server), None);

    let server = files("gateway:\n  firmware: {verify: strict}\n");
    assert_eq!(device("1.6.0").offered(&server), None);
    server.event("file.refused", &[("why", "image.strict")]);
}

#[test]
fn what_is_no_image_goes_to_no_esp32_whatever_it_runs() {
    let server = Setup::new()
        .file("a_1.7.0.bin", "no image at all")
        .start("");
    for (more, offered) in [
        (json!({"chip_model_name": "esp32s3"}), false),
        (json!({"chip_model_name": "ESP32-S3-WROOM-1"}), false),
        (json!({"chip_info": {"model": 9}}), false),
        (json!({"chip_model_name": "bk7258"}), true),
        (json!({}), true),
    ] {
        let mut body = more.clone();
        body["application"] = json!({"name": "my-fork", "version": "1.6.0"});
        body["board"] = json!({"type": "a"});
        let reply = server.send("http", &post(PATH, body.to_string().as_bytes()));
        assert_eq!(!reply.firmware().1.is_empty(), offered, "{more}");
    }
}

#[test]
fn another_projects_image_is_held_back_unless_it_is_one_project() {
    let of = |project, version: &str| {
        Image {
            project,
            ..Image::new(version)
        }
        .build()
    };
    let start = |config: &str| {
        Setup::new()
            .file("a_1.7.0.bin", Image::new("1.7.0").build())
            .file("a_1.9.0.bin", of("my-fork", "1.9.0"))
            .file("a_1.8.0.bin", of("hello_world", "1.8.0"))
            .start(config)
    };
    let offered = |server: &Server, project: &str| {
        let body = json!({
            "chip_model_name": "esp32s3", "application": {"name": project, "version": "1.6.0"}, "board": {"type": "a"},
        });
        let reply = server.send("http", &post(PATH, body.to_string().as_bytes()));
        reply.firmware().0
    };
    let server = start("");
    for file in ["a_1.8.0.bin", "a_1.9.0.bin"] {
        server.event(
            "file.remark",
            &[("file", file), ("what", "image.other-project")],
        );
    }
    assert_eq!(server.events("file.remark", &[]).len(), 2);
    assert_eq!(offered(&server, "xiaozhi"), "1.7.0");
    server.event(
        "withheld.project",
        &[
            ("file", "a_1.8.0.bin"),
            ("image", "\"hello_world\""),
            ("runs", "\"xiaozhi\""),
        ],
    );
    assert_eq!(offered(&server, "my-fork"), "1.9.0");
    assert_eq!(offered(&server, "hello_world"), "1.8.0");
    assert_eq!(offered(&server, "nobody"), "1.6.0");

    let server = start("gateway:\n  firmware: {projects: [xiaozhi, my-fork]}\n");
    assert_eq!(offered(&server, "xiaozhi"), "1.9.0");
    assert_eq!(offered(&server, "my-fork"), "1.9.0");
    assert_eq!(offered(&server, "hello_world"), "1.8.0");
    assert_eq!(server.events("file.remark", &[]).len(), 1);
}

#[test]
fn a_device_gets_what_fits_it_and_hears_why_not_once() {
    let other_chip = Image {
        chip: 5,
        ..Image::new("1.9.0")
    };
    let mut big = Image::new("1.8.0").build();
    big.resize(70_000, 0xFF);
    let server = Setup::new()
        .file("a_1.9.0.bin", other_chip.build())
        .file("a_1.8.0.bin", big)
        .file("a_1.7.0.bin", Image::new("1.7.0").build())
        .start("");
    let device = Device {
        more: json!({
            "chip_model_name": "esp32s3",
            "partition_table": [
                {"label": "ota_0", "type": 0, "subtype": 16, "address": 65536, "size": 65536},
                {"label": "ota_1", "type": 0, "subtype": 17, "address": 131_072, "size": 65536},
            ],
            "ota": {"label": "ota_1"},
        }),
        ..Device::new("1.6.0")
    };
    for _ in 0..3 {
        assert_eq!(device.offered(&server).as_deref(), Some("a_1.7.0.bin"));
    }
    server.event(
        "withheld.chip",
        &[
            ("file", "a_1.9.0.bin"),
            ("image", "esp32c3"),
            ("chip", "esp32s3"),
        ],
    );
    server.event(
        "withheld.slot-size",
        &[
            ("file", "a_1.8.0.bin"),
            ("size", "70000"),
            ("slot", "ota_0"),
            ("room", "65536"),
        ],
    );
    let withheld = || {
        let lines = server.log();
        let ids = lines.iter().filter_map(|line| event::id(line));
        ids.filter(|id| id.starts_with("withheld.")).count()
    };
    assert_eq!(withheld(), 2);

    // Something changes, and it is said again.
    fs::remove_file(server.bin().join("a_1.9.0.bin")).unwrap();
    server.event("file.removed", &[("file", "a_1.9.0.bin")]);
    assert_eq!(device.offered(&server).as_deref(), Some("a_1.7.0.bin"));
    until("the line", || (withheld() == 3).then_some(()));
}

#[test]
fn half_a_copy_is_offered_to_nobody() {
    const CLIENTS: usize = 50;
    let image = Image {
        payload: crate::support::noise(4 << 20, 7),
        ..Image::new("1.7.0")
    }
    .build();
    let server = Setup::new()
        .file("a_1.6.5.bin", Image::new("1.6.5").build())
        .start("");
    let offers = || -> Vec<Option<String>> {
        thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|_| scope.spawn(|| Device::new("1.6.0").offered(&server)))
                .collect();
            clients.into_iter().map(|c| c.join().unwrap()).collect()
        })
    };
    let path = server.bin().join("a_1.7.0.bin");
    let mut file = File::create(&path).unwrap();
    for (n, block) in image.chunks(image.len() / 12).enumerate() {
        file.write_all(block).unwrap();
        if n == 5 {
            // Somebody else closes it: for the kernel that is a writer's end.
            drop(fs::OpenOptions::new().append(true).open(&path).unwrap());
            server.event("file.refused", &[("why", "image.cut")]);
        }
        for offer in offers() {
            assert_eq!(offer.as_deref(), Some("a_1.6.5.bin"), "after {n} blocks");
        }
    }
    drop(file);
    until("the whole image", || {
        let all = offers().into_iter();
        let whole: Vec<_> = all
            .filter(|offer| offer.as_deref() == Some("a_1.7.0.bin"))
            .collect();
        (whole.len() == CLIENTS).then_some(())
    });
    let got = server.get("/xiaozhi/ota/download/a_1.7.0.bin");
    assert!(got.body == image);
}

#[test]
fn a_body_that_breaks_is_used_as_far_as_it_goes() {
    let server = Setup::new()
        .file("a_1.7.0.bin", Image::new("1.7.0").build())
        .file("default_1.7.0.bin", Image::new("1.7.0").build())
        .start("");
    let front =
        r#"{"chip_model_name":"esp32c3","application":{"version":"1.6.0"},"board":{"type":"a","#;
    for rest in [
        r#""ssid":"my "home" wifi","rssi":-50}}"#,
        "\"ssid\":\"x\x01\n\",\"rssi\":-50}}",
        r#""ssid":"back\slash"}}"#,
        r#""ssid":"#,
    ] {
        let reply = server.send("http", &post(PATH, format!("{front}{rest}").as_bytes()));
        assert_eq!(reply.status, 200);
        let json = reply.json();
        // Model, version and chip were read: its file is known not to fit it.
        assert_eq!(json["firmware"]["url"], "", "{rest}");
        assert!(json["websocket"]["url"].is_string());
    }
    let invalid = [front.as_bytes(), b"\"ssid\":\"\xff\xfe\"}}"].concat();
    assert_eq!(server.send("http", &post(PATH, &invalid)).status, 200);
    server.event(
        "withheld.chip",
        &[("file", "a_1.7.0.bin"), ("chip", "esp32c3")],
    );
    // Too little to know the board: nobody else's firmware, and its voice.
    let cut = server.send(
        "http",
        &post(PATH, br#"{"chip_model_name":"esp32s3","application":{"ver"#),
    );
    let json = cut.json();
    assert_eq!(json["firmware"]["url"], "");
    assert!(json["websocket"]["url"].is_string());
}
