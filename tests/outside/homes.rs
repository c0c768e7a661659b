//! Images that carry another home: the OTA address of another server is compiled in, and ours
//! is not.

use super::command_line::run;
use super::image_files::listing;
use super::support::server::{BINARY, Setup};
use super::support::{Server, event, until};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;
use xiaozhi_image_builder::{Image, texts};

const OURS: &str = "https://ota.example.com/xiaozhi/ota/";
const VENDOR: &str = "https://api.vendor.example/xiaozhi/ota/";

/// A configuration with a public address, and what more stands in `gateway.firmware`.
fn config(ours: &str, firmware: &str) -> String {
    format!(
        "server: {{ota: '{ours}', websocket: 'wss://v.example.com/'}}\ngateway:\n  firmware: {{{firmware}}}\n"
    )
}

/// An image with these addresses among its texts.
fn image(version: &str, homes: &[&str]) -> Vec<u8> {
    let rodata = texts(&[&["Ota"][..], homes, &["%s/activate"]].concat());
    let image = Image {
        rodata,
        ..Image::new(version)
    };
    image.build()
}

/// Files, each with the addresses in its image, and whether another home is compiled in.
fn rows() -> Vec<(&'static str, Vec<&'static str>, bool)> {
    vec![
        ("own_2.0.bin", vec![OURS], false),
        (
            "slash_2.0.bin",
            vec!["https://ota.example.com/xiaozhi/ota"],
            false,
        ),
        (
            "case_2.0.bin",
            vec!["https://OTA.example.com:443/xiaozhi/ota/"],
            false,
        ),
        ("both_2.0.bin", vec![VENDOR, OURS], false),
        ("none_2.0.bin", vec![], false),
        (
            "path_2.0.bin",
            vec!["https://api.vendor.example/xiaozhi/ota/activate"],
            false,
        ),
        ("vendor_2.0.bin", vec![VENDOR], true),
        (
            "two_2.0.bin",
            vec![VENDOR, "http://192.168.1.9:8002/xiaozhi/ota"],
            true,
        ),
        (
            "http_2.0.bin",
            vec!["http://ota.example.com/xiaozhi/ota/"],
            true,
        ),
        (
            "port_2.0.bin",
            vec!["https://ota.example.com:8443/xiaozhi/ota/"],
            true,
        ),
        (
            "host_2.0.bin",
            vec!["https://ota.example.org/xiaozhi/ota/"],
            true,
        ),
        (
            "six_2.0.bin",
            vec!["http://[fd00::1]:8003/xiaozhi/ota/"],
            true,
        ),
    ]
}

fn folder() -> Setup {
    let files = rows().into_iter();
    files.fold(Setup::new(), |setup, (file, homes, _)| {
        setup.file(file, image("2.0", &homes))
    })
}

fn remarks(server: &Server, file: &str) -> Vec<String> {
    let fields = [("file", file), ("what", "image.other-home")];
    server.events("file.remark", &fields)
}

/// Waits for so many of them.
#[track_caller]
fn remarked(server: &Server, file: &str, times: usize) -> Vec<String> {
    until(file, || {
        let said = remarks(server, file);
        (said.len() >= times).then_some(said)
    })
}

fn model(file: &str) -> &str {
    file.split('_').next().unwrap_or_default()
}

/// The exit code, and all that was said.
fn done(dir: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(BINARY)
        .args(arguments)
        .current_dir(dir)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn it_is_said_once_and_the_image_is_offered() {
    let server = folder().start(&config(OURS, ""));
    server.settle();
    for (file, homes, is_other) in rows() {
        assert_eq!(server.offered(model(file), "1.9"), Some(file.into()));
        let ready = server.event("file.ready", &[("file", file)]);
        let named = event::field(&ready, "home");
        let kept: Vec<_> = homes
            .iter()
            .filter(|home| !home.ends_with("activate"))
            .copied()
            .collect();
        assert_eq!(named.unwrap_or_default(), kept.join(", "), "{ready}");
        for line in remarked(&server, file, usize::from(is_other)) {
            assert!(line.contains(" - WARNING - "), "{line}");
            for words in [&kept.join(", "), OURS, "compiled in", "typed"] {
                assert!(line.contains(words), "{words}: {line}");
            }
        }
    }
    // Another look is no news.
    server.reload();
    server.settle();
    for (file, _, is_other) in rows() {
        assert_eq!(
            remarks(&server, file).len(),
            usize::from(is_other),
            "{file}"
        );
    }
    // Another image is.
    let again = server.bin().join("draft");
    fs::write(&again, image("2.0", &[VENDOR, "http://h/ota"])).unwrap();
    fs::rename(&again, server.bin().join("vendor_2.0.bin")).unwrap();
    remarked(&server, "vendor_2.0.bin", 2);
}

#[test]
fn refused_it_is_offered_to_nobody() {
    let setup = folder().file("vendor_1.9.5.bin", image("1.9.5", &[OURS]));
    let server = setup.start(&config(OURS, "foreign_home: refuse"));
    for (file, homes, is_other) in rows() {
        if !is_other {
            assert_eq!(server.offered(model(file), "1.9"), Some(file.into()));
            continue;
        }
        let fields = [("file", file), ("why", "image.home-refused")];
        let line = server.event("file.refused", &fields);
        for words in [homes[0], OURS, "gateway.firmware.foreign_home"] {
            assert!(line.contains(words), "{words}: {line}");
        }
        assert_eq!(remarks(&server, file), [""; 0]);
        let path = format!("/xiaozhi/ota/download/{file}");
        assert_eq!(server.get(&path).status, 404, "{file}");
        let instead = (file == "vendor_2.0.bin").then(|| "vendor_1.9.5.bin".to_owned());
        assert_eq!(server.offered(model(file), "1.9"), instead, "{file}");
    }
}

#[test]
fn a_change_of_the_configuration_withdraws_it_and_brings_it_back() {
    let server = Setup::new()
        .file("a_2.0.bin", image("2.0", &[VENDOR]))
        .file("b_2.0.bin", image("2.0", &[OURS]))
        .start(&config(OURS, ""));
    assert_eq!(server.offered("a", "1.0"), Some("a_2.0.bin".into()));
    let changed = |config: &str| {
        server.configure(config);
        let said = server.reload();
        let line = said
            .iter()
            .find(|line| event::is(line, "config.changed", &[]));
        event::field(line.unwrap(), "keys").unwrap_or_default()
    };
    let keys = changed(&config(OURS, "foreign_home: refuse"));
    assert_eq!(keys, "gateway.firmware.foreign_home");
    let refused = [("file", "a_2.0.bin"), ("why", "image.home-refused")];
    server.event("file.refused", &refused);
    until("it is withdrawn", || {
        server.offered("a", "1.0").is_none().then_some(())
    });
    assert_eq!(server.offered("b", "1.0"), Some("b_2.0.bin".into()));
    // The public address is another one now, and theirs; ours is another home.
    let keys = changed(&config(VENDOR, "foreign_home: refuse"));
    assert!(keys.contains("server.ota"), "{keys}");
    until("it is offered", || server.offered("a", "1.0"));
    server.event(
        "file.refused",
        &[("file", "b_2.0.bin"), ("why", "image.home-refused")],
    );
    until("it is withdrawn", || {
        server.offered("b", "1.0").is_none().then_some(())
    });
    changed(&config(VENDOR, ""));
    until("it is offered", || server.offered("b", "1.0"));
    remarked(&server, "b_2.0.bin", 1);
    // Without a reading: it is offered all the while.
    assert_eq!(remarks(&server, "a_2.0.bin").len(), 1);
    changed(&config(OURS, ""));
    remarked(&server, "a_2.0.bin", 2);
    assert_eq!(
        server.events("file.ready", &[("file", "b_2.0.bin")]).len(),
        2
    );
}

#[test]
fn without_a_public_address_it_is_only_named() {
    let server = Setup::new()
        .file("a_2.0.bin", image("2.0", &[VENDOR]))
        .start("gateway:\n  firmware: {foreign_home: refuse}\n");
    server.event("config.home-unknown", &[]);
    server.event("file.ready", &[("file", "a_2.0.bin"), ("home", VENDOR)]);
    assert_eq!(server.offered("a", "1.0"), Some("a_2.0.bin".into()));
    server.settle();
    assert_eq!(server.events("file.remark", &[]), [""; 0]);
    let (code, text) = done(server.dir.path(), &["inspect", "data/bin/a_2.0.bin"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains(&format!("  OTA address {VENDOR}\n")),
        "{text}"
    );
    assert!(!text.contains("warning"), "{text}");
}

#[test]
fn firmware_that_reads_no_typed_in_address_takes_every_device_along() {
    let server = Setup::new()
        .file("a_1.6.1.bin", image("1.6.1", &[VENDOR]))
        .file("a_1.6.2.bin", image("1.6.2", &[VENDOR]))
        .start(&config(OURS, ""));
    let words = [("a_1.6.1.bin", true), ("a_1.6.2.bin", false)];
    for (file, takes_all) in words {
        let said = remarked(&server, file, 1).concat();
        assert_eq!(said.contains("every device"), takes_all, "{said}");
    }
}

#[test]
fn another_projects_image_is_not_spoken_of() {
    let other = |project| {
        let image = Image {
            project,
            rodata: texts(&[VENDOR]),
            ..Image::new("2.0")
        };
        image.build()
    };
    let server = Setup::new()
        .file("a_2.0.bin", other("hello_world"))
        .file("b_2.0.bin", other("my-fork"))
        .start(&config(
            OURS,
            "foreign_home: refuse, projects: [xiaozhi, my-fork]",
        ));
    server.event("file.ready", &[("file", "a_2.0.bin")]);
    let fields = [("file", "b_2.0.bin"), ("why", "image.home-refused")];
    server.event("file.refused", &fields);
}

#[test]
fn inspect_and_publish_name_it_and_refuse_it() {
    let setup = Setup::new();
    let dir = setup.path();
    for (file, homes) in [("own.bin", OURS), ("vendor.bin", VENDOR)] {
        fs::write(dir.join(file), image("2.0", &[homes])).unwrap();
    }
    let use_config = |firmware: &str| {
        let config = config(OURS, firmware).replace("firmware: {}", "ip: 127.0.0.1");
        fs::write(dir.join("data/.config.yaml"), config).unwrap();
    };
    use_config("foreign_home: warn");
    let (code, text) = done(dir, &["inspect", "vendor.bin"]);
    assert_eq!(code, Some(0), "{text}");
    for words in [
        "vendor.bin: ready\n",
        "  OTA address https://api.vendor.example/xiaozhi/ota/\n",
        "  warning: the OTA address in it is https://api.vendor.example/xiaozhi/ota/, and not the public address \
         https://ota.example.com/xiaozhi/ota/: a device whose own address was compiled in",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let (code, text) = done(dir, &["inspect", "own.bin"]);
    assert!(
        code == Some(0) && text.contains(OURS) && !text.contains("warning"),
        "{text}"
    );
    let (_, text, _) = run(dir, &["inspect", "--json", "vendor.bin"]);
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["image"]["ota_addresses"], serde_json::json!([VENDOR]));
    assert_eq!(json["warnings"].as_array().unwrap().len(), 1, "{text}");
    let (code, text) = done(dir, &["publish", "vendor.bin", "--model", "a"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains(VENDOR) && text.contains("warning: the OTA address in it is"),
        "{text}"
    );
    assert_eq!(listing(dir), ["a_2.0.bin"]);

    use_config("foreign_home: refuse");
    let words = "gateway.firmware.foreign_home is refuse";
    for file in ["vendor.bin", "data/bin/a_2.0.bin"] {
        let (code, text) = done(dir, &["inspect", file]);
        assert_eq!(code, Some(1), "{text}");
        let rejected = format!("{file}: rejected: the OTA address in it is {VENDOR}");
        assert!(text.contains(&rejected) && text.contains(words), "{text}");
        assert!(!text.contains("warning"), "{text}");
    }
    let (code, text) = done(dir, &["publish", "vendor.bin", "--model", "b"]);
    assert!(code == Some(1) && text.contains(words), "{text}");
    let (code, text) = done(dir, &["publish", "own.bin", "--model", "c"]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(listing(dir), ["a_2.0.bin", "c_2.0.bin"]);
}
