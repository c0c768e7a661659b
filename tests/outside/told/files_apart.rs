//! Images beside others of their model: signed by other keys, or made for other chips.

use crate::command_line::run;
use crate::support::device::Device;
use crate::support::server::Setup;
use serde_json::json;
use std::fs;
use xiaozhi_image_builder::{Image, key_digest, signed};

fn built(version: &str) -> Vec<u8> {
    Image::new(version).build()
}

#[test]
fn a_signature_that_the_models_earlier_images_do_not_have_is_a_warning_everywhere() {
    let (first, second) = (key_digest(1), key_digest(2));
    let v1 = |version: &str| [&built(version)[..], &[0; 4], &[5; 64]].concat();
    let rows = [
        ("same", signed(&built("2.0.1"), &[1]), ""),
        ("both", signed(&built("2.0.1"), &[2, 1]), ""),
        ("plain", built("2.0.1"), "file.unsigned"),
        ("other", signed(&built("2.0.1"), &[2]), "file.other-key"),
        ("scheme", v1("2.0.1"), "file.other-key"),
    ];
    for (model, later, id) in rows {
        let earlier = signed(&built("2.0.0"), &[1]);
        let setup = Setup::new().file(&format!("{model}_2.0.0.bin"), &earlier);
        fs::write(setup.path().join("new.bin"), &later).unwrap();
        let (ok, text, error) = run(setup.path(), &["publish", "new.bin", "--model", model]);
        assert!(ok, "{error}");
        let file = format!("{model}_2.0.1.bin");
        let says = |text: &str| match id {
            "" => !text.contains("warning"),
            _ => {
                text.contains("warning: ")
                    && text.contains(&format!("{model}_2.0.0.bin"))
                    && text.contains(&first)
            }
        };
        assert!(says(&text), "{model}: {text}");
        let (ok, text, _) = run(setup.path(), &["inspect", &format!("data/bin/{file}")]);
        assert!(ok && says(&text), "{model}: {text}");
        let server = setup.start("firmware_cache_ttl: 1\n");
        let fields = [("file", &*file), ("model", model), ("before", &first)];
        if id.is_empty() {
            server.event("file.ready", &[("file", &file)]);
            server.event("file.ready", &[("file", &format!("{model}_2.0.0.bin"))]);
            assert_eq!(server.events("file.unsigned", &[]), [""; 0]);
            assert_eq!(server.events("file.other-key", &[]), [""; 0]);
        } else {
            server.event(id, &fields);
        }
        if !id.is_empty() {
            // By the scheme that the model's devices know.
            server.event(id, &[("message", "--version 2 ")]);
        }
        if model == "other" {
            server.event(id, &[("key", &second)]);
        }
        // A later one is told of, too, and nothing twice.
        fs::write(
            server.bin().join(format!("{model}_2.0.2.bin")),
            built("2.0.2"),
        )
        .unwrap();
        let later = format!("{model}_2.0.2.bin");
        server.event("file.unsigned", &[("file", &later)]);
        if !id.is_empty() {
            assert_eq!(server.events(id, &fields).len(), 1);
        }
    }
}

#[test]
fn what_is_to_be_signed_for_version_1_says_so() {
    let signed = [&built("1.0")[..], &[0; 4], &[5; 64]].concat();
    let server = Setup::new()
        .file("a_1.0.bin", signed)
        .file("a_1.1.bin", built("1.1"))
        .file(
            "b_1.0.bin",
            Image {
                chip: 18,
                min_revision: 300,
                max_revision: 100,
                ..Image::new("1.0")
            }
            .build(),
        )
        .start("");
    let fields = [("file", "a_1.1.bin"), ("message", "--version 1 ")];
    server.event("file.unsigned", &fields);
    // And an image that no chip runs.
    let fields = [("file", "b_1.0.bin"), ("what", "image.no-revision")];
    server.event("file.remark", &fields);
}

#[test]
fn what_was_never_signed_is_nothing_to_warn_of() {
    let c3 = Image {
        chip: 5,
        ..Image::new("1.0")
    };
    let server = Setup::new()
        .file("a_1.0.bin", built("1.0"))
        .file("a_1.1.bin", built("1.1"))
        .file("a_1.2.bin", signed(&built("1.2"), &[1]))
        // Another chip's keys are another matter.
        .file("b_1.0.bin", signed(&c3.build(), &[1]))
        .file("b_1.1.bin", built("1.1"))
        .start("");
    for family in ["file.unsigned", "file.other-key"] {
        assert_eq!(server.events(family, &[]), [""; 0]);
    }
}

#[test]
fn inspect_shows_the_digests_of_the_keys() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.bin"), signed(&built("1.0"), &[1, 2])).unwrap();
    let (_, text, _) = run(dir.path(), &["inspect", "a.bin"]);
    for key in [1, 2] {
        let line = format!("key digest  {}", key_digest(key));
        assert!(text.contains(&line), "{text}");
    }
    let (_, text, _) = run(dir.path(), &["inspect", "--json", "a.bin"]);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        json["image"]["key_digests"],
        json!([key_digest(1), key_digest(2)])
    );
}

/// An image for the ESP32-P4.
fn p4(min_revision: u16, max_revision: u16) -> Vec<u8> {
    let image = Image {
        chip: 18,
        min_revision,
        max_revision,
        elf_sha256: [u8::try_from(min_revision / 100).unwrap(); 32],
        ..Image::new("2.2.4")
    };
    image.build()
}

#[test]
fn two_images_of_one_version_for_two_revisions_go_each_to_its_own_chips() {
    let setup = Setup::new().file("p_2.2.4.bin", p4(100, 299));
    fs::write(setup.path().join("new.bin"), p4(300, 0)).unwrap();
    let publish = ["publish", "new.bin", "--model", "p"];
    let (ok, _, error) = run(setup.path(), &publish);
    assert!(!ok, "{error}");
    for words in ["v1.0-v2.99", ">=v3.0", "--version 2.2.4.0"] {
        assert!(error.contains(words), "{error}");
    }
    let beside = [&publish[..], &["--version", "2.2.4.0"]].concat();
    let (ok, text, _) = run(setup.path(), &beside);
    assert!(
        ok && text.contains("p_2.2.4.bin for esp32p4 v1.0-v2.99"),
        "{text}"
    );
    let (_, text, _) = run(setup.path(), &["inspect", "data/bin/p_2.2.4.bin"]);
    assert!(text.contains("revision v1.0 to v2.99"), "{text}");
    assert!(text.contains("p_2.2.4.0.bin for esp32p4 >=v3.0"), "{text}");
    let server = setup.start("");
    server.event("file.twin-chips", &[("message", "p_2.2.4.0.bin")]);
    assert_eq!(server.events("file.twin", &[]), [""; 0]);
    server.event(
        "file.ready",
        &[("file", "p_2.2.4.bin"), ("revision", "v1.0-v2.99")],
    );
    for (revision, file) in [
        (103, "p_2.2.4.bin"),
        (300, "p_2.2.4.0.bin"),
        (301, "p_2.2.4.0.bin"),
    ] {
        let device = Device {
            model: "p",
            more: json!({
                "chip_model_name": "esp32p4",
                "chip_info": {"model": 18, "revision": revision},
                "partition_table": [
                    {"label": "ota_0", "type": 0, "subtype": 16, "size": 4_128_768},
                    {"label": "ota_1", "type": 0, "subtype": 17, "size": 4_128_768},
                    {"label": "assets", "type": 1, "subtype": 130, "size": 8_388_608},
                ],
            }),
            ..Device::new("2.2.3")
        };
        assert_eq!(device.offered(&server).as_deref(), Some(file), "{revision}");
        // And that is the end of it.
        assert_eq!(device.live(&server), [file]);
    }
}

#[test]
fn a_device_whose_chip_is_too_old_or_too_new_is_told_of_with_the_remedy() {
    for (image, revision, id, fields) in [
        (
            p4(300, 0),
            103,
            "withheld.revision-low",
            [("needed", "v3.0"), ("has", "v1.3")],
        ),
        (
            p4(100, 199),
            301,
            "withheld.revision-high",
            [("allowed", "v1.99"), ("has", "v3.1")],
        ),
    ] {
        let server = Setup::new().file("p_2.2.4.bin", image).start("");
        let device = Device {
            model: "p",
            more: json!({"chip_model_name": "esp32p4", "chip_info": {"model": 18, "revision": revision}}),
            ..Device::new("2.2.3")
        };
        assert_eq!(device.offered(&server), None);
        let line = server.event(id, &fields);
        assert!(
            line.contains("CONFIG_ESP32P4_SELECTS_REV_LESS_V3"),
            "{line}"
        );
    }
}
