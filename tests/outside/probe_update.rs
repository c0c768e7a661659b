//! Downloads, images and restarts that are wrong on purpose.

use super::support::Reserved;
use super::support::probed::{Case, Probe, hold};
use super::support::wrong::{HOST, Page, Wrong, plain, right};
use serde_json::json;
use xiaozhi_image_builder::{Image, merged};

const V1_6: [&str; 0] = [];
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
