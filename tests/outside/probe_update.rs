//! Downloads, images, restarts and `WebSockets` that are wrong on purpose.

use super::support::Reserved;
use super::support::probed::{Case, Probe, hold};
use super::support::wrong::{HOST, Page, Wrong, plain, right, text_frame};
use serde_json::json;
use xiaozhi_image_builder::{Image, merged};

const V1_6: [&str; 0] = [];
/// What runs the version that is usual here, by the rules of the newest.
const NEWEST: [&str; 2] = ["--firmware-line", "v2"];
/// The first that reads where its voice server is.
const V1_6_2: [&str; 2] = ["--firmware-line", "v1.6.2"];
const V1_8: [&str; 2] = ["--firmware-line", "v1.8"];
const V2: [&str; 4] = ["--version", "2.0.0", "--firmware-line", "v2"];

fn download(
    name: &'static str,
    spoil: impl Fn(&mut Page) + Send + Sync + 'static,
    with: &[&str],
    finds: &[&'static str],
) -> Case {
    Case::new(name, right().download(spoil), with, finds)
}

/// Another file than the one that should be there.
fn file(
    name: &'static str,
    file: impl Into<Vec<u8>>,
    with: &[&str],
    finds: &[&'static str],
) -> Case {
    Case::new(name, right().image(file), with, finds)
}

fn image() -> Image {
    Image::new("1.6.1")
}

/// The right one, whose firmware is elsewhere.
fn firmware_at(url: &'static str) -> Wrong {
    right().offer(move |json| json["firmware"]["url"] = json!(url))
}

fn voice_at(url: &'static str) -> Wrong {
    right().json(move |json| json["websocket"]["url"] = json!(url))
}

#[test]
fn downloads() {
    let elsewhere = |page: &mut Page| page.redirect("https://cdn.example.com/a.bin");
    let partial = |page: &mut Page| {
        "206 Partial Content".clone_into(&mut page.status);
        page.put("Content-Range", "bytes 0-99/100");
    };
    let gzip = |page: &mut Page| page.put("Content-Encoding", "gzip");
    let short = |page: &mut Page| page.put("Content-Length", &(page.body.len() + 9).to_string());
    hold(vec![
        download("301", elsewhere, &V1_6, &["download fail redirect"]),
        download(
            "404",
            |p| p.set_status("404 Not Found"),
            &V1_6,
            &["download fail status"],
        ),
        download(
            "403, since 1.7",
            |p| p.set_status("403 Forbidden"),
            &["--firmware-line", "v1.7"],
            &["download fail status"],
        ),
        download("206", partial, &V1_8, &["download fail partial-content"]),
        // Nobody looked at the status before 1.7, and it is all there.
        download(
            "206, before 1.7",
            partial,
            &["--firmware-line", "v1.6.6"],
            &["download warn partial-content"],
        ),
        download("chunks", Page::chunk, &V1_6, &["download fail chunked"]),
        Case::new(
            "chunks, since 2.0",
            right().version("2.0.1").download(Page::chunk),
            &V2,
            &["download fail chunked"],
        ),
        download("gzip", gzip, &V1_6, &["download fail compressed"]),
        download(
            "no length",
            |p| p.take("Content-Length"),
            &V1_8,
            &["download fail no-content-length"],
        ),
        download(
            "empty",
            |p| p.set_body(""),
            &V1_8,
            &["download fail zero-content-length"],
        ),
        download("cut", short, &V1_6, &["download fail cut-short"]),
        // By whom it is read decides.
        download(
            "lower case",
            Page::lower_case,
            &V1_8,
            &["download fail lower-case-names"],
        ),
        download(
            "lower case, 1.8.4",
            Page::lower_case,
            &["--firmware-line", "v1.8.2"],
            &["download fail lower-case-names"],
        ),
        download(
            "lower case, since 1.8.5",
            Page::lower_case,
            &["--firmware-line", "v1.8.5"],
            &["download warn lower-case-names"],
        ),
        download(
            "lower case with an ML307",
            Page::lower_case,
            &["--client", "ml307"],
            &["download fail lower-case-names"],
        ),
        Case::new(
            "lower case, since 2.0",
            right().version("2.0.1").download(Page::lower_case),
            &V2,
            &["download warn lower-case-names"],
        ),
        download(
            "lower case, before 1.7.7",
            Page::lower_case,
            &V1_6,
            &["download warn lower-case-names"],
        ),
        download(
            "closed",
            |p| p.raw = Some(Vec::new()),
            &V1_6,
            &["download fail no-reply"],
        ),
        download(
            "no HTTP",
            |p| p.raw = Some(b"220 ProFTPD\r\n".to_vec()),
            &V1_6,
            &["download fail not-http"],
        ),
    ]);
}

#[test]
fn where_the_image_is_not() {
    let plain_port = firmware_at("https://ota.example.com:80/xiaozhi/ota/download/a_1.6.1.bin");
    let closed = Reserved::new();
    hold(vec![
        Case::new(
            "https to a port without TLS",
            plain_port,
            &V1_6,
            &["download fail wrong-scheme"],
        ),
        Case::new(
            "nobody listens",
            firmware_at("https://ota.example.com:8003/xiaozhi/ota/download/a_1.6.1.bin"),
            &V1_6,
            &["download fail refused"],
        )
        .probed(|server| Probe::of(server).at(8003, closed.port())),
        Case::new(
            "no such name",
            firmware_at("https://no-such-name.invalid/xiaozhi/ota/download/a_1.6.1.bin"),
            &V1_6,
            &["download fail name-not-found"],
        ),
        // What the guide warns of: an address inside of Docker, or this machine.
        Case::new(
            "the server's own machine",
            plain().offer(|json| {
                let url = "http://127.0.0.1:8003/xiaozhi/ota/download/a_1.6.1.bin";
                json["firmware"]["url"] = json!(url);
            }),
            &V1_6,
            &["check fail loopback"],
        )
        .probed(|server| Probe::of(server).placed("127.0.0.1:8003", server.port_80.port())),
        Case::new(
            "a container",
            plain().offer(|json| {
                let url = "http://172.17.0.2:8003/xiaozhi/ota/download/a_1.6.1.bin";
                json["firmware"]["url"] = json!(url);
            }),
            &V1_6,
            &["check fail container-address"],
        )
        .probed(|server| Probe::of(server).placed("172.17.0.2", server.port_80.port())),
        Case::new(
            "relative",
            firmware_at("/xiaozhi/ota/download/a_1.6.1.bin"),
            &V1_6,
            &["check fail no-scheme"],
        ),
        // Checks and downloads of an ML307 were never bound to a port.
        Case::new(
            "TLS on another port with an ML307",
            firmware_at("https://ota.example.com:8443/xiaozhi/ota/download/a_1.6.1.bin"),
            &[],
            &[],
        )
        .probed(|server| {
            Probe::of(server)
                .at(8443, server.port_443.port())
                .with(&["--client", "ml307"])
        }),
        Case::new(
            "without TLS to a modem",
            plain(),
            &["--client", "ec801e", "--firmware-line", "v1.8"],
            &[],
        ),
    ]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table is as long as it is")]
fn files() {
    let whole = image().build();
    let mut damaged = whole.clone();
    damaged[400] ^= 1;
    let named = |version: &str| Image::new(version).build();
    let mut longer = whole.clone();
    longer.extend([0x55; 100]);
    let mut esp8266 = b"\xE9\x01\x02\x40\0\0\x10\x40\0\0\x10\x40\x10\0\0\0".to_vec();
    esp8266.resize(64, 0);
    let bootloader = Image {
        descriptor: false,
        ..image()
    };
    let big = Image {
        payload: vec![7; 0x38_0000],
        ..image()
    };
    let (other_chip, new_chip) = (
        Image { chip: 5, ..image() },
        Image {
            min_revision: 300,
            ..image()
        },
    );
    hold(vec![
        file(
            "a page",
            "<html>not here</html>",
            &V1_6,
            &["image fail not-an-image"],
        ),
        file(
            "half of it",
            &whole[..whole.len() / 2],
            &V1_6,
            &["image fail truncated-image"],
        ),
        file(
            "a bit turned",
            damaged,
            &V1_6,
            &["image fail damaged-image"],
        ),
        file(
            "the whole flash",
            merged(&image(), 0),
            &V1_6,
            &["image fail merged-image"],
        ),
        file(
            "for an ESP8266",
            esp8266,
            &V1_6,
            &["image fail esp8266-image"],
        ),
        file(
            "a bootloader",
            bootloader.build(),
            &V1_6,
            &["image fail bootloader"],
        ),
        file(
            "more behind it",
            longer,
            &V1_6,
            &["image fail trailing-bytes"],
        ),
        file(
            "a version that is none",
            named("v1.6.1"),
            &V1_6,
            &["image fail version-inside-crashes"],
        ),
        file(
            "for an ESP32-C3",
            other_chip.build(),
            &V1_6,
            &["image fail wrong-chip"],
        ),
        file(
            "for a newer chip",
            new_chip.build(),
            &V1_6,
            &["image fail chip-revision"],
        ),
        file(
            "3.6 MB for 8 MB of flash",
            big.build(),
            &["--flash", "8"],
            &["image fail too-big"],
        ),
        file("3.6 MB for 16 MB of flash", big.build(), &V1_6, &[]),
        file(
            "for 4 MB of flash",
            whole,
            &["--flash", "4"],
            &["image fail no-slot"],
        ),
        Case::new(
            "2.0 to 1.6",
            right().version("2.0.0"),
            &V1_6,
            &["image fail no-assets"],
        ),
        file(
            "what it runs, renamed",
            named("1.6.0"),
            &V1_6,
            &["image fail same-version"],
        ),
    ]);
}

#[test]
fn restarts() {
    let renamed = right().version("2.0.1").image(Image::new("2.0.0").build());
    let fails_then = right().each_check(|page, asked| {
        if asked.updated {
            page.set_status("500 Internal Server Error");
        }
    });
    let stepwise = right().each_check(|page, asked| {
        if asked.updated {
            let url = format!("https://{HOST}/xiaozhi/ota/download/esp32s3_1.6.2.bin");
            page.json(|json| json["firmware"] = json!({"version": "1.6.2", "url": url}));
        }
    });
    let forever = right().json(|json| {
        json["firmware"]["version"] = json!("1.6.1");
        json["firmware"]["url"] = json!(format!(
            "https://{HOST}/xiaozhi/ota/download/esp32s3_1.6.1.bin"
        ));
        json["firmware"]["force"] = json!(1);
    });
    let strange = Image {
        project: "hello_world",
        ..Image::new("1.6.1")
    };
    hold(vec![
        Case::new(
            "another project's image",
            right().image(strange.build()),
            &V1_6,
            &["image warn other-project"],
        ),
        Case::new(
            "what it runs, renamed, since 2.0",
            renamed,
            &V2,
            &["image warn other-version", "reboot fail loop"],
        ),
        Case::new(
            "the second check",
            fails_then,
            &V1_6,
            &["reboot fail not-marked-valid"],
        ),
        Case::new(
            "one step after the other",
            stepwise,
            &V1_6,
            &["reboot warn another-update"],
        ),
        Case::new(
            "force without an end",
            forever,
            &V1_6,
            &["reboot fail loop"],
        ),
    ]);
}

/// A text in three frames, with a ping behind the first.
fn in_parts(text: &[u8]) -> Vec<u8> {
    let frame = |first: u8, part: &[u8]| {
        let mut frame = text_frame(part);
        frame[0] = first;
        frame
    };
    [
        frame(0x01, &text[..5]),
        frame(0x89, b"ping"),
        frame(0x00, &text[5..9]),
        frame(0x80, &text[9..]),
    ]
    .concat()
}

#[test]
fn voice_servers() {
    let closed = Reserved::new();
    let ended = [0x88, 2, 3, 0xE8];
    hold(vec![
        Case::new(
            "nobody listens",
            voice_at("wss://ota.example.com:8000/xiaozhi/v1/"),
            &V1_6_2,
            &["websocket fail websocket-unreachable"],
        )
        .probed(|server| Probe::of(server).at(8000, closed.port()).with(&V1_6_2)),
        Case::new(
            "a page",
            right().websocket(|p| p.set_status("200 OK")),
            &V1_6_2,
            &["websocket fail websocket-status"],
        ),
        Case::new(
            "401",
            right().websocket(|p| p.set_status("401 Unauthorized")),
            &V1_6_2,
            &["websocket fail websocket-status"],
        ),
        Case::new(
            "401, to firmware that has its voice server built in",
            right().websocket(|p| p.set_status("401 Unauthorized")),
            &V1_6,
            &["websocket warn websocket-status"],
        ),
        Case::new(
            "a goodbye for a hello",
            right().hello(ended),
            &V1_6_2,
            &["websocket fail websocket-no-hello"],
        ),
        Case::new(
            "a hello in three parts, and a ping between",
            right().hello(in_parts(br#"{"type":"hello","transport":"websocket"}"#)),
            &V1_6_2,
            &[],
        ),
        Case::new(
            "another transport",
            right().hello(text_frame(b"{\"type\":\"hello\",\"transport\":\"udp\"}")),
            &V1_6_2,
            &["websocket fail websocket-bad-hello"],
        ),
        Case::new(
            "wss to a port without TLS",
            voice_at("wss://ota.example.com:80/xiaozhi/v1/"),
            &V1_6_2,
            &["websocket fail wrong-scheme"],
        ),
        Case::new(
            "the server's own machine",
            plain()
                .json(|json| json["websocket"]["url"] = json!("ws://127.0.0.1:8000/xiaozhi/v1/")),
            &V1_6_2,
            &["websocket fail loopback"],
        )
        .probed(|server| {
            let place = server.port_80.port();
            Probe::of(server)
                .placed("127.0.0.1:8000", place)
                .with(&V1_6_2)
        }),
        Case::new(
            "skipped",
            right().hello(ended),
            &["--skip", "websocket"],
            &[],
        ),
    ]);
}

#[test]
fn addresses_of_voice_servers() {
    let by_port = |name, url: &'static str, with: &[&str], finds: &[&'static str]| {
        let (line, mut modem) = (with.to_vec(), vec!["--client", "ml307"]);
        modem.extend(line);
        let modem: Vec<String> = modem.iter().map(ToString::to_string).collect();
        Case::new(name, voice_at(url), &[], finds).probed(move |server| {
            let modem: Vec<&str> = modem.iter().map(String::as_str).collect();
            Probe::of(server)
                .at(8443, server.port_443.port())
                .at(8000, server.port_80.port())
                .with(&modem)
        })
    };
    let old = ["--firmware-line", "v1.7.5"];
    let new = ["--firmware-line", "v1.7.7"];
    hold(vec![
        Case::new(
            "words for a port",
            voice_at("wss://ota.example.com:port/xiaozhi/v1/"),
            &V1_6_2,
            &["websocket fail websocket-aborts"],
        ),
        Case::new(
            "a colon in the query",
            voice_at("wss://ota.example.com/xiaozhi/v1/?id=aa:bb"),
            &NEWEST,
            &["websocket fail websocket-aborts"],
        ),
        Case::new(
            "words for a port, and nobody reads them",
            voice_at("wss://ota.example.com:port/xiaozhi/v1/"),
            &V1_6,
            &["websocket warn websocket-aborts"],
        ),
        Case::new(
            "two colons",
            voice_at("wss://192.168.1:4:8015/xiaozhi/v1/"),
            &NEWEST,
            &["websocket fail websocket-mute"],
        ),
        Case::new(
            "https for wss",
            voice_at("https://ota.example.com/xiaozhi/v1/"),
            &V1_6_2,
            &["websocket fail websocket-mute"],
        ),
        // It works, whatever was meant.
        Case::new(
            "http for ws",
            plain().json(|json| {
                json["websocket"]["url"] = json!("http://ota.example.com/xiaozhi/v1/");
            }),
            &V1_6_2,
            &["websocket warn unknown-scheme"],
        ),
        by_port(
            "TLS elsewhere with an ML307",
            "wss://ota.example.com:8443/xiaozhi/v1/",
            &old,
            &["websocket fail ml307-port"],
        ),
        by_port(
            "no TLS on 443 with an ML307",
            "ws://ota.example.com:443/xiaozhi/v1/",
            &old,
            // The port answers TLS.
            &["check warn ws-behind-https", "websocket warn ml307-port"],
        ),
        by_port(
            "TLS elsewhere, on a port without it",
            "wss://ota.example.com:8000/xiaozhi/v1/",
            &old,
            &["websocket warn ml307-port"],
        ),
        by_port(
            "TLS elsewhere with an ML307, since 1.7.7",
            "wss://ota.example.com:8443/xiaozhi/v1/",
            &new,
            &["websocket warn ml307-port"],
        ),
    ]);
}

#[test]
fn endpoints_of_mqtt() {
    let mqtt_at = |endpoint: &'static str| {
        right().json(move |json| {
            json["mqtt"] = json!({"endpoint": endpoint, "client_id": "a", "publish_topic": "b"});
            json.as_object_mut().unwrap().remove("websocket");
        })
    };
    let case = |endpoint: &'static str, with: &[&str], finds: &[&'static str]| {
        Case::new(endpoint, mqtt_at(endpoint), with, finds)
    };
    hold(vec![
        case("mqtt.example.com", &V1_6, &[]),
        case("mqtt.example.com:1883", &V1_6_2, &[]),
        case("192.168.1.7:1883/", &NEWEST, &["check warn mqtt-mute"]),
        // A port as it is to be written, before it was read.
        case("mqtt.example.com:1884", &V1_6, &["check fail mqtt-mute"]),
        case(
            "mqtt://192.168.1.7:1883",
            &V1_6_2,
            &["check fail mqtt-aborts"],
        ),
        case(
            "mqtt://192.168.1.8:1883",
            &V1_6,
            &["check fail mqtt-mute", "check warn mqtt-aborts"],
        ),
        case("192.168.1:7:1883", &NEWEST, &["check fail mqtt-mute"]),
        // Where they lead.
        case("0.0.0.0:1883", &NEWEST, &["check fail unspecified-address"]),
        case("198.18.3.7:1883", &V1_6_2, &["check fail fake-address"]),
        case("169.254.3.7", &V1_6, &["check fail link-local-address"]),
        case("203.0.113.7", &NEWEST, &["check fail nobodys-address"]),
        case("localhost:1883", &NEWEST, &["check fail loopback"]),
        case(
            "127.0.1.1:1883/",
            &NEWEST,
            &["check fail loopback", "check warn mqtt-mute"],
        ),
        case(
            "172.17.0.2:1883",
            &NEWEST,
            &["check fail container-address"],
        ),
        case("broker:1883", &NEWEST, &["check warn short-name"]),
        case(
            "mqtt.example.com:99999999999",
            &NEWEST,
            &["check fail mqtt-aborts"],
        ),
    ]);
}
