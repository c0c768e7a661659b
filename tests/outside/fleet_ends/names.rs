//! Ids of devices and what they say of their owners.

use super::{FILE, all, body, check_in, check_in_with, config, end, ends, fetch, known, until_end};
use crate::support::server::Setup;
use crate::support::{Server, files_below, until};
use serde_json::json;
use std::fs;
use xiaozhi_image_builder::Image;

const DEVICE: &str = "02:ab:cd:ef:07:01";
const SPELLINGS: [&str; 5] = [
    DEVICE,
    "02-AB-CD-EF-07-01",
    "02abcdef0701",
    "02AB.CDEF.0701",
    "02:Ab:cD:eF:07:01",
];

fn server(config: &str) -> Server {
    Setup::new()
        .file(FILE, Image::new("1.7.0").build())
        .start(config)
}

#[test]
fn one_address_is_one_device_however_it_is_spelt() {
    let server = server(&config("10m"));
    for spelling in SPELLINGS {
        assert!(check_in(&server, spelling, "1.6.0").is_some());
        assert_eq!(all(&server).len(), 1, "{spelling}");
        assert_eq!(ends(&server, spelling), ["offered"], "{spelling}");
        // The guide's lines go on with what was sent.
        server.event("check-in", &[("device", spelling)]);
    }
    let known = known(&server, DEVICE).unwrap();
    assert_eq!(
        (&known["mac"], &known["boots"]),
        (&DEVICE.into(), &1.into())
    );
    // Two failures under two spellings are twice.
    for spelling in ["02ABCDEF0701", "02-ab-cd-ef-07-01"] {
        fetch(&server, spelling);
        check_in(&server, spelling, "1.6.0");
    }
    assert_eq!(check_in(&server, DEVICE, "1.6.0"), None);
    let retry = "/api/v1/devices/02-AB-CD-EF-07-01/retry";
    assert_eq!(server.admin_json("POST", retry, "").1["retried"], 1);
    assert!(check_in(&server, DEVICE, "1.6.0").is_some());
    let delete = "/api/v1/devices/02abcdef0701";
    assert_eq!(server.admin_json("DELETE", delete, "").0, 200);
    assert_eq!(all(&server).len(), 0);
}

#[test]
fn an_id_that_is_no_address_is_kept_and_never_counts() {
    let server = server(&config("5s"));
    for id in [
        "kitchen",
        "00:00:00:00:00:00",
        "ff:ff:ff:ff:ff:ff",
        "02:ab:cd:ef:07",
    ] {
        let path = check_in(&server, id, "1.6.0").unwrap();
        assert!(!path.contains('?'), "{path}");
        assert!(server.get(&path).whole);
        check_in(&server, id, "1.7.0");
        let known = known(&server, &id.replace(' ', "%20")).unwrap();
        assert_eq!(
            (&known["mac"], &known["version"]),
            (&id.into(), &"1.7.0".into())
        );
    }
    server.settle();
    let (_, fleet) = server.admin_json("GET", "/api/v1/fleet", "");
    assert_eq!(fleet["devices"], 0, "{fleet}");
    assert_eq!(
        (&fleet["models"], &fleet["ends"]["succeeded"]),
        (&json!([]), &0.into())
    );
    check_in(&server, DEVICE, "1.6.0");
    let (_, fleet) = server.admin_json("GET", "/api/v1/fleet", "");
    assert_eq!(fleet["devices"], 1, "{fleet}");
    until_end(&server, DEVICE, "interrupted");
}

#[test]
fn what_tells_of_an_owner_is_nowhere() {
    const SECRETS: [&str; 3] = ["HomeOfTheSmiths", "867530900000017", "89860000000000000017"];
    let [ssid, imei, iccid] = SECRETS;
    let server = server(&format!("log: {{log_level: DEBUG}}\n{}", config("10m")));
    let mut wifi = body(&Image::new("1.6.0"));
    wifi["board"]["ssid"] = ssid.into();
    wifi["board"]["rssi"] = (-50).into();
    wifi["seen"] = "by the line".into();
    let mut modem = body(&Image::new("1.6.0"));
    modem["board"]["imei"] = imei.into();
    modem["board"]["iccid"] = iccid.into();
    for (device, body) in [(DEVICE, &wifi), ("02:ab:cd:ef:07:02", &modem)] {
        assert!(check_in_with(&server, device, "a-client", body).is_some());
    }
    server.settle();
    // The line with the body is there.
    let line = server.line("by the line");
    assert!(line.contains("ssid") && line.contains("rssi"), "{line}");
    assert!(server.find_line("iccid").is_some());
    let log = server.log().join("\n");
    let devices = all(&server);
    let shown = serde_json::to_string(&devices).unwrap();
    let state = server.dir.path().join("data/state");
    let holds = |what: &str| {
        let has = |file: &std::path::PathBuf| {
            let content = fs::read(file).unwrap_or_default();
            memchr::memmem::find(&content, what.as_bytes()).is_some()
        };
        files_below(&state).iter().any(has)
    };
    until("the store to have both", || {
        holds("esp32s3_1.7.0.bin").then_some(())
    });
    assert_eq!(end(&server, DEVICE), "offered");
    for secret in SECRETS {
        assert!(!log.contains(secret), "{log}");
        assert!(!shown.contains(secret), "{shown}");
        assert!(!holds(secret), "{secret} is in the state folder");
    }
}
