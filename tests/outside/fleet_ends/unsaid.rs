//! Check-ins that do not say what runs: whatever lost their bodies, they end nothing.

use super::{FILE, check_in, config, ends, fetch, known, until_end};
use crate::support::Server;
use crate::support::server::{Setup, request};
use xiaozhi_image_builder::Image;

const DEVICE: &str = "02:00:00:00:03:01";

/// Sends a body as it is.
#[track_caller]
fn send(server: &Server, body: &str) {
    let headers = [("Device-Id", DEVICE), ("Client-Id", "a-client")];
    let reply = server.send(
        "http",
        &request("POST", "/xiaozhi/ota/", &headers, body.as_bytes()),
    );
    assert_eq!(reply.status, 200, "{body}");
    let json = reply.whole_json();
    assert_eq!(
        json["firmware"]["url"].as_str().unwrap_or_default(),
        "",
        "{body}"
    );
}

const BODIES: [&str; 5] = [
    "",
    "{",
    "<html>502</html>",
    r#"{"chip_model_name":"esp32s3"}"#,
    r#"{"board":{"type":"esp32s3","name":"esp32s3"},"application":{"name":"xiaozhi""#,
];

#[test]
fn they_end_no_offer_and_change_nothing_that_is_known() {
    let setup = Setup::new().file(FILE, Image::new("1.7.0").build());
    let server = setup.start(&config("1h"));
    for (runs, end) in [("1.6.0", "rolled-back"), ("1.7.0", "succeeded")] {
        fetch(&server, DEVICE);
        for body in BODIES {
            send(&server, body);
            let known = known(&server, DEVICE).unwrap();
            assert_eq!(known["offers"][0]["end"], "fetched", "{body}");
            assert_eq!(known["version"], "1.6.0", "{body}");
            assert_eq!(known["board"]["type"], "esp32s3", "{body}");
            assert_eq!(known["chip"], "esp32s3", "{body}");
        }
        check_in(&server, DEVICE, runs);
        assert_eq!(ends(&server, DEVICE)[usize::from(end == "succeeded")], end);
        let event = format!("offer.{end}");
        server.event(&event, &[("device", DEVICE)]);
    }
}

#[test]
fn who_says_nothing_more_is_silent_in_the_end() {
    let setup = Setup::new().file(FILE, Image::new("1.7.0").build());
    let server = setup.start(&config("1h"));
    fetch(&server, DEVICE);
    send(&server, BODIES[4]);
    server.event("withheld.unsaid", &[("device", DEVICE)]);
    // A shorter term holds for whoever waits already.
    server.configure(&config("5s"));
    server.reload();
    until_end(&server, DEVICE, "silent");
    server.event("offer.silent", &[("device", DEVICE)]);
    check_in(&server, DEVICE, "1.7.0");
    assert_eq!(ends(&server, DEVICE), ["succeeded"]);
}

#[test]
fn a_longer_term_holds_for_who_waits_already() {
    let setup = Setup::new().file(FILE, Image::new("1.7.0").build());
    // So long that a busy machine comes to the reload before it is over.
    let server = setup.start(&config("60s"));
    fetch(&server, DEVICE);
    let other = "02:00:00:00:03:02";
    server.configure(&config("1d"));
    server.reload();
    // The first one waits on; a shorter one ends both of them.
    fetch(&server, other);
    assert_eq!(ends(&server, DEVICE), ["fetched"]);
    server.configure(&config("5s"));
    server.reload();
    for device in [DEVICE, other] {
        until_end(&server, device, "silent");
    }
}
