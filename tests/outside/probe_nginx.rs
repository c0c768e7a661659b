//! The failure from 1.6.0 to 1.6.1, with a real Nginx: TLS there, port 80 sends
//! everybody to https, and `vision_explain` still says http. Then this server in
//! its place, for the same device.

use super::deploy::{
    self, Front, HTTP, HTTPS, StandIn, nginx, prepared, replaced, start_nginx, start_ours,
};
use super::support::probed::Probe;
use std::fs;
use std::path::Path;

fn probe(ota: &str, front: Front, authority: &Path) -> Probe {
    Probe::new(ota)
        .at(80, front.http)
        .at(443, front.https)
        .trusting(&fs::read_to_string(authority).unwrap())
}

/// What stands behind Nginx, and says http of itself.
fn stand_in(bin: &Path) -> StandIn {
    let (vision, voice) = (
        "http://ota.example.com/mcp/vision/explain",
        "wss://ota.example.com/xiaozhi/v1/",
    );
    StandIn::start(bin, vision, voice, "")
}

#[test]
#[ignore = "needs Nginx and python3-websockets: tests/run installs them"]
fn the_failure_from_1_6_0_to_1_6_1_is_found_and_gone_with_ours() {
    let program = nginx();
    let (setup, authority, _) = prepared();
    let behind = stand_in(&setup.path().join("data/bin"));
    let (front, process) = start_nginx(&program, setup.path(), behind.ports());

    // Typed in as http: the very first request is sent elsewhere.
    let probed = probe(HTTP, front, &authority).run();
    probed.finds(&["check fail redirect"]);
    let seen = probed.json()["steps"][4]["evidence"].to_string();
    assert!(
        seen.contains("301") && seen.contains("https://ota.example.com/"),
        "{seen}"
    );

    // Typed in as https: the check is fine, the image is not to be had. And Nginx
    // redirects the address without its last slash.
    let https = [
        "check warn http-behind-https",
        "check warn missing-slash",
        "download fail redirect",
    ];
    probe(HTTPS, front, &authority).run().finds(&https);
    for with in [["--version", "1.5.8"], ["--firmware-line", "v2"]] {
        let probed = probe(HTTPS, front, &authority).with(&with).run();
        probed.finds(&https);
    }
    // A blank behind the address is nothing to it.
    let blank = format!("{HTTPS} ");
    let probed = probe(&blank, front, &authority)
        .with(&["--firmware-line", "v2"])
        .run();
    probed.finds(&[
        "address warn trailing-blank",
        "check warn http-behind-https",
        "download fail redirect",
    ]);
    drop(process);

    // The same addresses: http is answered, and what could be mended is said.
    let shown = deploy::block("from-nginx.md", "yaml");
    let same = replaced(
        &shown,
        &[("vision_explain: https", "vision_explain: http".to_owned())],
    );
    let (front, server) = start_ours(setup, &same, "ports: [8003, 443, 80]", &behind);
    probe(HTTP, front, &authority).run().finds(&[]);
    let probed = probe(HTTPS, front, &authority).run();
    probed.finds(&["check warn http-behind-https"]);
    for step in ["websocket", "download", "image", "reboot"] {
        assert_eq!(probed.verdict(step), "ok", "{}", probed.stdout);
    }
    drop(server);

    // And as the page has it.
    let (setup, authority, _) = prepared();
    let behind = stand_in(&setup.path().join("data/bin"));
    let (front, _server) = start_ours(setup, &shown, "ports: [8003, 443, 80]", &behind);
    for ota in [HTTP, HTTPS] {
        probe(ota, front, &authority).run().finds(&[]);
    }
}
