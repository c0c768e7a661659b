//! The probe against this server, as it can be configured: a device gets the
//! whole way in every one of them, or one of the two is wrong.

use super::support::backend::Backend;
use super::support::certificate::{Authority, Key};
use super::support::probed::Probe;
use super::support::server::Setup;
use super::support::wrong::{HOST, Running, plain};
use std::fs;
use xiaozhi_image_builder::Image;

/// A configuration, and what of it a device needs to know.
struct Own {
    name: &'static str,
    /// The text, in which `VOICE` is where voice goes.
    config: &'static str,
    /// What is typed into the device.
    url: &'static str,
    /// The one file.
    file: &'static str,
    with: &'static [&'static str],
    /// Steps that there is nothing to do in.
    skipped: &'static [&'static str],
}

const HTTPS: Own = Own {
    name: "https",
    config: "server: {vision_explain: 'https://ota.example.com/mcp/vision/explain'}\n\
             gateway:\n  proxy: {websocket: 'http://VOICE'}\n",
    url: "https://ota.example.com/xiaozhi/ota/",
    file: "esp32s3_1.6.1.bin",
    with: &[],
    skipped: &[],
};

/// What manager-api answers a device that is bound, and has updates on.
const UPSTREAM: &str = "HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n\
     {\"server_time\":{\"timestamp\":1700000000123,\"timeZone\":\"Asia/Shanghai\",\"timezone_offset\":480},\
     \"firmware\":{\"version\":\"1.0.0\",\"url\":\"\"},\
     \"websocket\":{\"url\":\"wss://ota.example.com/xiaozhi/v1/\",\"token\":\"t\"}}";

const WITHOUT_UPDATE: &[&str] = &["download", "image", "reboot"];

const CONFIGURATIONS: &[Own] = &[
    HTTPS,
    Own {
        name: "http",
        config: "server: {vision_explain: 'http://ota.example.com/mcp/vision/explain'}\n\
                 gateway:\n  proxy: {websocket: 'http://VOICE'}\n",
        url: "http://ota.example.com/xiaozhi/ota/",
        ..HTTPS
    },
    Own {
        name: "http, and no TLS at all",
        config: "server: {vision_explain: 'http://ota.example.com:8003/mcp/vision/explain'}\n\
                 gateway:\n  tls: {mode: off}\n  proxy: {websocket: 'http://VOICE'}\n",
        url: "http://ota.example.com:8003/xiaozhi/ota/",
        ..HTTPS
    },
    Own {
        name: "typed in as http, handed out as https",
        url: "http://ota.example.com/xiaozhi/ota/",
        ..HTTPS
    },
    Own {
        name: "the end of http",
        config: "server: {vision_explain: 'https://ota.example.com/mcp/vision/explain'}\n\
                 gateway:\n  http_fallback: false\n  proxy: {websocket: 'http://VOICE'}\n",
        ..HTTPS
    },
    Own {
        name: "without the last slash",
        url: "https://ota.example.com/xiaozhi/ota",
        ..HTTPS
    },
    Own {
        name: "a certificate from files",
        config: "server: {vision_explain: 'https://ota.example.com/mcp/vision/explain'}\n\
                 gateway:\n  tls: {certificates: [{cert: certs/fullchain.pem, key: certs/fullchain.key}]}\n  \
                 proxy: {websocket: 'http://VOICE'}\n",
        ..HTTPS
    },
    Own {
        name: "another port",
        config: "server: {vision_explain: 'https://ota.example.com:8443/mcp/vision/explain'}\n\
                 gateway:\n  proxy: {websocket: 'http://VOICE'}\n",
        url: "https://ota.example.com:8443/xiaozhi/ota/",
        ..HTTPS
    },
    Own {
        name: "below a path",
        config: "server: {vision_explain: 'https://ota.example.com/a/b/mcp/vision/explain'}\n\
                 gateway:\n  proxy: {websocket: 'http://VOICE'}\n",
        url: "https://ota.example.com/a/b/xiaozhi/ota/",
        ..HTTPS
    },
    Own {
        name: "server.ota",
        config: "server: {ota: 'https://ota.example.com/xiaozhi/ota/'}\n\
                 gateway:\n  proxy: {websocket: 'http://VOICE'}\n",
        ..HTTPS
    },
    Own {
        name: "server.ota without a slash, vision elsewhere",
        config: "server:\n  ota: https://ota.example.com/xiaozhi/ota\n  \
                 vision_explain: http://pictures.example.com/mcp/vision/explain\n\
                 gateway:\n  proxy: {websocket: 'http://VOICE'}\n",
        ..HTTPS
    },
    Own {
        name: "vision_explain alone",
        config: "server: {vision_explain: 'https://ota.example.com/mcp/vision/explain'}\n",
        with: &["--skip", "websocket"],
        skipped: &["websocket"],
        ..HTTPS
    },
    Own {
        name: "MQTT",
        config: "server:\n  vision_explain: https://ota.example.com/mcp/vision/explain\n  \
                 mqtt_gateway: mqtt.example.com:8883\n  mqtt_signature_key: 0123456789abcdef\n",
        // Firmware before takes a host alone.
        with: &["--firmware-line", "v1.6.2"],
        skipped: &["websocket"],
        ..HTTPS
    },
    Own {
        name: "tokens",
        config: "server:\n  vision_explain: https://ota.example.com/mcp/vision/explain\n  \
                 auth_key: 0123456789abcdef\n  auth: {enabled: true}\n\
                 gateway:\n  proxy: {websocket: 'http://VOICE'}\n",
        ..HTTPS
    },
    Own {
        name: "in front of another server",
        config: "server: {vision_explain: 'https://ota.example.com/mcp/vision/explain'}\n\
                 gateway:\n  upstream: {url: 'http://UPSTREAM/xiaozhi/ota/', kind: manager-api}\n  \
                 proxy: {websocket: 'http://VOICE'}\n",
        ..HTTPS
    },
    Own {
        name: "images from the disk",
        config: "server: {vision_explain: 'https://ota.example.com/mcp/vision/explain'}\n\
                 gateway:\n  firmware: {memory: 1KiB}\n  proxy: {websocket: 'http://VOICE'}\n",
        ..HTTPS
    },
    Own {
        name: "a pin below",
        config: "server: {vision_explain: 'https://ota.example.com/mcp/vision/explain'}\n\
                 gateway:\n  firmware: {pin: {esp32s3: 1.5.9}}\n  proxy: {websocket: 'http://VOICE'}\n",
        file: "esp32s3_1.5.9.bin",
        ..HTTPS
    },
    Own {
        name: "a release after its pre-release",
        with: &["--version", "1.6.1-beta"],
        ..HTTPS
    },
    Own {
        name: "for whoever has none",
        file: "default_1.6.1.bin",
        ..HTTPS
    },
    Own {
        name: "nothing for this board",
        file: "other-board_1.6.1.bin",
        skipped: WITHOUT_UPDATE,
        ..HTTPS
    },
    Own {
        name: "up to date",
        with: &["--version", "1.6.1"],
        skipped: WITHOUT_UPDATE,
        ..HTTPS
    },
    Own {
        name: "newer than the file",
        with: &["--version", "1.7.0"],
        skipped: WITHOUT_UPDATE,
        ..HTTPS
    },
    Own {
        name: "an image that does not fit is not offered",
        with: &["--flash", "4"],
        skipped: WITHOUT_UPDATE,
        ..HTTPS
    },
    Own {
        name: "an image for another chip is not offered",
        with: &["--chip", "esp32c3"],
        skipped: WITHOUT_UPDATE,
        ..HTTPS
    },
    Own {
        name: "a device whose own version is none is told nothing of firmware",
        with: &["--version", "2.0.x", "--firmware-line", "v2"],
        skipped: WITHOUT_UPDATE,
        ..HTTPS
    },
];

/// A probe of a server with this configuration; what it said in the end.
fn hold(own: &Own, voice: &Running, with: &[&str]) {
    let (_, version) = own.file.trim_end_matches(".bin").rsplit_once('_').unwrap();
    let setup = Setup::new().file(own.file, Image::new(version).build());
    let authority = Authority::new();
    let certs = setup.path().join("certs");
    authority.sign(&certs, "fullchain", Key::P256, &[HOST]);
    let behind = Backend::answering(|_| UPSTREAM.into());
    let config = own.config.replace("VOICE", &voice.port_80.to_string());
    let config = config.replace("UPSTREAM", &behind.address.to_string());
    let server = setup.start(&config);
    let own_root = fs::read_to_string(certs.join("self-signed.crt"));
    let port = server.ports[0];
    let probe = [80, 443, 8003, 8443]
        .into_iter()
        .fold(Probe::new(own.url), |probe, public| probe.at(public, port));
    let probed = probe
        .trusting(&own_root.unwrap_or(authority.pem))
        .with(own.with)
        .with(with)
        .run();
    if let Some(why) = probed.differs_from(&[]) {
        panic!("{}: {why}", own.name);
    }
    for step in ["download", "image", "reboot", "websocket"] {
        let skipped = own.skipped.contains(&step);
        let expected = if skipped { "skipped" } else { "ok" };
        assert_eq!(
            probed.verdict(step),
            expected,
            "{}: {step}: {}",
            own.name,
            probed.stdout
        );
    }
}

#[test]
fn a_device_gets_the_whole_way_with_every_configuration() {
    let voice = plain().start();
    for own in CONFIGURATIONS {
        hold(own, &voice, &[]);
    }
    // One of them was with tokens.
    voice.saw("Authorization: Bearer ");
}

#[test]
fn every_kind_of_device_gets_the_whole_way() {
    let voice = plain().start();
    let lines = [
        "v1.5", "v1.6", "v1.6.2", "v1.6.6", "v1.7", "v1.7.5", "v1.7.7", "v1.8", "v1.8.2", "v1.8.5",
        "v1.9.2", "v2",
    ];
    for line in lines {
        for client in ["wifi", "ml307", "ec801e"] {
            if client != "ec801e" || line >= "v1.7.7" {
                hold(
                    &HTTPS,
                    &voice,
                    &["--firmware-line", line, "--client", client],
                );
            }
        }
    }
}
