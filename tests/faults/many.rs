//! Many invented devices: what protects a device is not forgotten for strangers.

use super::clocks_and_disks::set_clock;
use super::log::pipeline;
use super::sized;
use super::watch::{IMAGE, Scenario, image};
use crate::support::device::Device;
use crate::support::server::{PATIENT, Server, Setup, request, with_clock};
use xiaozhi_image_builder::Image;

/// One of them, which may have the version that is never offered without force.
fn stranger(number: usize, version: &str) -> Vec<u8> {
    let device = format!(
        "02:00:00:{:02x}:{:02x}:{:02x}",
        number >> 16,
        number >> 8 & 255,
        number & 255
    );
    let elf = "dd".repeat(32);
    let body = format!(
        r#"{{"chip_model_name":"esp32s3","application":{{"name":"xiaozhi","version":"{version}","idf_version":"v5.4.1","elf_sha256":"{elf}"}},"board":{{"type":"a"}}}}"#
    );
    let headers = [("Device-Id", &*device), ("Client-Id", "c")];
    request("POST", "/xiaozhi/ota/", &headers, body.as_bytes())
}

/// Boots of a device an hour apart, until nothing is forced on it any more.
fn is_given_up(server: &Server) -> bool {
    let device = Device::new("1.8.0");
    (1..6).any(|hours| {
        let json = device.check_in(server).json();
        set_clock(server, hours);
        json["firmware"].get("force").is_none()
    })
}

#[test]
#[ignore = "needs faketime"]
fn strangers_make_nobody_forget() {
    let Some(scenario) = Scenario::new("strangers_make_nobody_forget") else {
        return;
    };
    let setup = Setup::new()
        .file(IMAGE, image())
        .file("a_1.7.0.bin", Image::new("1.7.0").build());
    let config = format!("gateway:\n{PATIENT}  firmware: {{pin: {{a: 1.7.0}}}}\n");
    let mut command = with_clock(&setup, "+0");
    let server = setup.start_by(&config, &mut command);
    assert!(is_given_up(&server), "it is forced for ever");
    let count = sized(2000, 34_000);
    let did = format!("twice {count} invented devices, the second ones forced themselves");
    scenario.kept(64).run(&server, did, |meanwhile| {
        pipeline(&server, count, |n| stranger(n, "1.7.0"));
        pipeline(&server, count, |n| stranger(n + count, "1.8.0"));
        meanwhile.while_it_asks(|| {});
    });
    let json = Device::new("1.8.0").check_in(&server).json();
    assert!(json["firmware"].get("force").is_none(), "{json}");
}
