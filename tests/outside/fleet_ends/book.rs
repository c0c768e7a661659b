//! A simulated fleet with bad releases and lost connections: its book of truth is what the
//! server knows, device by device, offer by offer.

use super::{all, ends_of};
use crate::faults::sized;
use crate::simulate::run;
use crate::support::server::{Server, Setup};
use crate::support::{PATIENCE, noise};
use serde_json::Value;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use xiaozhi_image_builder::Image;

/// Term of the server and of the book. A device that was rolled back comes 4 s after the end
/// of its download, and one that refused the image 12 s after it: this is as far from both.
const TERM: &str = "8s";
/// Lateness of a simulated device, or of its answer, up to which it does not come on the
/// other side of the term, in milliseconds.
const LATE: f64 = 2_500.0;

fn server(scheme: &str) -> Server {
    let image = |chip, length, seed| Image {
        chip,
        payload: noise(length, seed),
        ..Image::new("1.7.0")
    };
    Setup::new()
        .file("esp32s3_1.7.0.bin", image(9, 64 << 10, 1).build())
        .file("esp-box_1.7.0.bin", image(5, 400 << 10, 2).build())
        .start(&format!(
            "server: {{vision_explain: '{scheme}://ota.example.com/mcp/vision/explain'}}\n{}",
            super::config(TERM)
        ))
}

/// Returns what of the book the server knows otherwise.
fn differences(server: &Server, book: &[Value]) -> Vec<String> {
    let known: HashMap<String, Vec<String>> = all(server)
        .iter()
        .map(|device| (device["mac"].as_str().unwrap().to_owned(), ends_of(device)))
        .collect();
    let mut found = Vec::new();
    for device in book {
        let mac = device["mac"].as_str().unwrap();
        let ends = device["ends"].as_array().unwrap().iter();
        let ends: Vec<_> = ends.map(|end| end.as_str().unwrap()).collect();
        match known.get(mac) {
            Some(known) if *known == ends => {}
            // Nothing was ever heard of it.
            None if ends.is_empty() => {}
            known => found.push(format!("{device}: the server knows {known:?}")),
        }
    }
    found
}

fn milliseconds(json: &Value, pointer: &str) -> f64 {
    json.pointer(pointer).and_then(Value::as_f64).unwrap()
}

/// Holds the book of a fleet against what the server knows. A machine on which devices come
/// late holds nothing: their steps are on the wrong side of the term, and it tries again.
fn hold(scheme: &str) {
    for _ in 0..4 {
        let server = server(scheme);
        let count = sized(150, 5_000).to_string();
        let ca = server.dir.path().join("certs/self-signed.crt");
        let mut arguments = vec![
            "-n",
            &*count,
            "--boards",
            "esp32s3:60,esp-box@esp32c3:40",
            "--bad",
            sized(
                "10%:verify,10%:crash,10%:dead",
                "3%:verify,3%:crash,2%:dead",
            ),
            "--fail",
            "5%",
            "--power-loss",
            "10%",
            "--boots",
            "2",
            "--silent-after",
            TERM,
            "--ramp",
            sized("2s", "120s"),
        ];
        if scheme == "https" {
            arguments.extend(["--ca", ca.to_str().unwrap()]);
        }
        let (_, json, said) = run(scheme, server.address(), &arguments);
        assert_eq!(json["ended"], "done", "{said}");
        let book = json["devices"].as_array().unwrap();
        // What nobody comes for any more ends by its term.
        let end = Instant::now() + PATIENCE;
        let found = loop {
            let found = differences(&server, book);
            if found.is_empty() || Instant::now() > end {
                break found;
            }
            std::thread::sleep(Duration::from_millis(200));
        };
        let late = milliseconds(&json, "/simulator/late_ms")
            + milliseconds(&json, "/latency_ms/check/max");
        eprintln!(
            "| {scheme}: {} devices, {} differences; bad {}; power lost {}; up to {late:.0} ms late |",
            book.len(),
            found.len(),
            json["states"],
            json["injected"]
        );
        if found.is_empty() {
            let of = |end: &str| {
                let ends = book
                    .iter()
                    .flat_map(|device| device["ends"].as_array().unwrap());
                ends.filter(|one| *one == end).count()
            };
            for end in ["succeeded", "rolled-back", "silent"] {
                assert!(of(end) > 5, "{end}: {json}");
            }
            return;
        }
        assert!(late > LATE, "{} differences: {found:#?}", found.len());
    }
    panic!("this machine keeps devices from coming in time");
}

#[test]
fn every_end_is_that_of_the_book_over_http() {
    hold("http");
}

#[test]
fn every_end_is_that_of_the_book_over_https() {
    hold("https");
}
