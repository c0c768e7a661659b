//! Bad releases and lost power in a simulated fleet: its book of truth is what our own
//! server saw.

use super::simulate::{command, run};
use super::support::noise;
use super::support::server::{Server, Setup};
use serde_json::{Value, json};
use xiaozhi_image_builder::Image;

fn server(scheme: &str) -> Server {
    let image = Image {
        payload: noise(100_000, 1),
        ..Image::new("1.7.0")
    };
    Setup::new()
        .file("esp32s3_1.7.0.bin", image.build())
        .start(&format!(
            "server: {{vision_explain: '{scheme}://ota.example.com/mcp/vision/explain'}}\n"
        ))
}

fn number(json: &Value, pointer: &str) -> u64 {
    let value = json.pointer(pointer).and_then(Value::as_u64);
    value.unwrap_or_else(|| panic!("{pointer}: {json}"))
}

/// What the log has of a device: how often the server offered it the image, and told it
/// that it runs the newest one.
fn seen(server: &Server, mac: &str) -> (usize, usize) {
    let new = [("device", mac), ("version", "1.7.0")];
    let told = |event, fields| server.events(event, fields).len();
    (told("offer", &new), told("up-to-date", &new))
}

#[test]
fn the_book_of_truth_is_what_the_server_saw() {
    let server = server("http");
    let arguments = [
        "-n",
        "60",
        "--bad",
        "15%:verify,15%:crash,15%:dead",
        "--power-loss",
        "20%",
        "--boots",
        "2",
    ];
    let (code, json, said) = run("http", server.address(), &arguments);
    assert_eq!((code, &json["ended"]), (1, &Value::from("done")), "{said}");
    assert_eq!(json["errors"], json!([]), "{json}");
    server.settle();

    let (mut lost, mut whole) = (0, 0);
    let mut met = [0; 4];
    let (back, silent) = ("rolled-back", "silent");
    for device in json["devices"].as_array().unwrap() {
        let mac = device["mac"].as_str().unwrap();
        let ends = device["ends"].as_array().unwrap();
        assert_eq!(device["end"], *ends.last().unwrap(), "{device}");
        let (offers, new) = seen(&server, mac);
        let (place, expected) = match device["bad"].as_str() {
            None => (0, vec![json!(["succeeded"])]),
            // Who lost its power had its second boot before.
            Some("verify") => (1, vec![json!([back, silent]), json!([silent])]),
            // What failed twice is offered no more.
            Some("crash") => (2, vec![json!([back, back])]),
            Some("dead") => (3, vec![json!([silent])]),
            Some(other) => panic!("{other}"),
        };
        assert!(expected.contains(&device["ends"]), "{device}");
        assert_eq!(new, usize::from(place == 0), "{device}");
        met[place] += 1;
        // The image is offered once more to who lost its power, and it is the same offer.
        let more = offers - ends.len();
        assert!(more <= 1, "{device}: {offers}");
        lost += more as u64;
        whole += ends.iter().filter(|end| **end != "interrupted").count() as u64;
    }
    let states = ["up_to_date", "bad_verify", "bad_crash", "bad_dead"];
    let states = states.map(|state| number(&json, &format!("/states/{state}")));
    assert_eq!(states, met, "{json}");
    assert!(met.iter().all(|count| *count > 2), "{met:?}");
    assert!(lost > 3, "{lost}");
    assert_eq!(number(&json, "/injected/power_losses"), lost);
    assert_eq!(number(&json, "/downloads/whole"), whole);
    assert_eq!(number(&json, "/versions/1.7.0"), met[0]);
    // To the server a loss of power looks like every other download.
    let sent = server.events("download.sent", &[]).len() as u64;
    assert_eq!(sent, whole + lost);
    assert_eq!(server.events("download.unfinished", &[]).len(), 0);
}

#[test]
fn power_is_lost_over_tls_too() {
    let server = server("https");
    let ca = server.dir.path().join("certs/self-signed.crt");
    let arguments = ["-n", "10", "--power-loss", "100%", "--ca"];
    let arguments = [&arguments[..], &[ca.to_str().unwrap()]].concat();
    let (code, json, said) = run("https", server.address(), &arguments);
    assert_eq!(code, 0, "{json}{said}");
    assert_eq!(number(&json, "/injected/power_losses"), 10);
    assert_eq!(number(&json, "/downloads/whole"), 10);
    server.settle();
    assert_eq!(server.events("download.sent", &[]).len(), 20);
    assert_eq!(server.events("download.unfinished", &[]).len(), 0);
}

#[test]
fn the_bad_ones_are_counted_by_name() {
    let server = server("http");
    for (lang, words) in [
        (
            "en",
            [
                "0 of 7 devices are up to date",
                "bad dead           7",
                "dead               7 never came again",
                "silent             7",
            ],
        ),
        (
            "zh",
            [
                "7 台设备中 0 台已是最新",
                "坏固件：失联       7",
                "dead               7 台：再也没有出现",
                "失联               7",
            ],
        ),
    ] {
        let arguments = ["-n", "7", "--bad", "100%:dead", "--lang", lang];
        let output = command("http", server.address(), &arguments).output();
        let output = output.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        for word in words {
            assert!(text.contains(word), "{word}: {text}");
        }
    }
}
