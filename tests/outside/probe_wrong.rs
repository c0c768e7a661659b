//! Answers to a check that are wrong on purpose, one rule each.

use super::support::probed::{Case, Probe, hold};
use super::support::wrong::{HOST, Page, Port, Wrong, plain, right};
use serde_json::{Value, json};

/// Firmware of a line on Wi-Fi, where another than 1.6 is asked.
const V1_5: [&str; 2] = ["--firmware-line", "v1.5"];
const V1_6: [&str; 0] = [];
const V1_6_2: [&str; 2] = ["--firmware-line", "v1.6.2"];
const V1_6_6: [&str; 2] = ["--firmware-line", "v1.6.6"];
const V1_8: [&str; 2] = ["--firmware-line", "v1.8"];
const V2: [&str; 2] = ["--firmware-line", "v2"];

/// A check's reply that is spoiled, asked by a device of a line.
fn check(
    name: &'static str,
    spoil: impl Fn(&mut Page) + Send + Sync + 'static,
    with: &[&str],
    finds: &[&'static str],
) -> Case {
    Case::new(name, right().check(spoil), with, finds)
}

/// JSON that is spoiled while an update is offered.
fn offer(
    name: &'static str,
    change: impl Fn(&mut Value) + Send + Sync + 'static,
    with: &[&str],
    finds: &[&'static str],
) -> Case {
    Case::new(name, right().offer(change), with, finds)
}

/// JSON that is spoiled always.
fn says(
    name: &'static str,
    change: impl Fn(&mut Value) + Send + Sync + 'static,
    with: &[&str],
    finds: &[&'static str],
) -> Case {
    Case::new(name, right().json(change), with, finds)
}

fn remove(json: &mut Value, key: &str) {
    json.as_object_mut().unwrap().remove(key);
}

#[test]
fn statuses() {
    let elsewhere = |page: &mut Page| page.redirect("https://example.com/");
    let plain_to_tls = |page: &mut Page| {
        page.set_status("400 Bad Request");
        page.set_body("<center>The plain HTTP request was sent to HTTPS port</center>nginx/1.22.1");
    };
    let teapot = |page: &mut Page| "500 Internal Server Error".clone_into(&mut page.status);
    hold(vec![
        check("301", elsewhere, &V1_6, &["check fail redirect"]),
        check(
            "301 to a new device",
            elsewhere,
            &V2,
            &["check fail redirect"],
        ),
        Case::new(
            "port 80 redirects",
            plain().port_80(Port::Redirects),
            &V1_6,
            &["check fail redirect"],
        ),
        check(
            "404",
            |p| p.set_status("404 Not Found"),
            &V1_6,
            &["check fail status"],
        ),
        check(
            "502",
            |p| p.set_status("502 Bad Gateway"),
            &V2,
            &["check fail status"],
        ),
        // Old firmware reads what comes, and finds that it is all there.
        check("500 with the JSON", teapot, &V1_6, &["check warn status"]),
        check(
            "500 with the JSON, since 1.6.6",
            teapot,
            &V1_6_6,
            &["check fail status"],
        ),
        check(
            "500 with the JSON, to a modem that opens none",
            teapot,
            &["--client", "ml307"],
            &["check fail status"],
        ),
        Case::new(
            "http to a TLS port",
            plain().port_80(Port::Tls),
            &V1_6,
            &["check fail wrong-scheme"],
        ),
        Case::new(
            "http to a TLS port of Nginx",
            plain().check(plain_to_tls),
            &V1_6,
            &["check fail wrong-scheme"],
        ),
        Case::new(
            "closed at once",
            plain().port_80(Port::Cuts),
            &V1_6,
            &["check fail no-reply"],
        ),
        Case::new(
            "a shell",
            plain().port_80(Port::Says(b"SSH-2.0-OpenSSH_9.2p1\r\n")),
            &V1_6,
            &["check fail not-http"],
        ),
    ]);
}

#[test]
fn both_forms_of_the_address() {
    let strict = || {
        right().each_check(|page, asked| {
            if asked.path.ends_with("/ota") {
                page.set_status("404 Not Found");
            }
        })
    };
    let redirecting = || {
        right().each_check(|page, asked| {
            if asked.path.ends_with("/ota") {
                page.redirect("/xiaozhi/ota/");
            }
        })
    };
    let short = |case: Case| {
        case.probed(|server| Probe::of(server).url(&format!("https://{HOST}/xiaozhi/ota")))
    };
    hold(vec![
        Case::new("with", strict(), &[], &["check warn missing-slash"]),
        Case::new(
            "redirected",
            redirecting(),
            &[],
            &["check warn missing-slash"],
        ),
        short(Case::new("without", strict(), &[], &["check fail status"])),
        short(Case::new(
            "without, redirected",
            redirecting(),
            &[],
            &["check fail redirect"],
        )),
        short(Case::new("both", right(), &[], &[])),
    ]);
}

#[test]
fn a_blank_behind_the_address() {
    // As many servers do.
    let strict = || {
        right().each_check(|page, asked| {
            if asked.line.split(' ').count() != 3 {
                page.set_status("400 Bad Request");
            }
        })
    };
    let pasted = |name, wrong: Wrong, path: &str, with: &[&str], finds: &[&'static str]| {
        let url = format!("https://{HOST}{path}");
        let with: Vec<String> = with.iter().map(ToString::to_string).collect();
        Case::new(name, wrong, &[], finds).probed(move |server| {
            let with: Vec<&str> = with.iter().map(String::as_str).collect();
            Probe::of(server).url(&url).with(&with)
        })
    };
    let (blank, modem) = ("/xiaozhi/ota/ ", ["--client", "ml307"]);
    hold(vec![
        pasted(
            "answered",
            right(),
            blank,
            &V2,
            &["address warn trailing-blank"],
        ),
        pasted(
            "refused",
            strict(),
            blank,
            &V2,
            &["address warn trailing-blank", "check fail status"],
        ),
        pasted(
            "answered to a modem",
            right(),
            blank,
            &modem,
            &["address warn trailing-blank"],
        ),
        // It asks nobody.
        pasted(
            "before 1.7.7",
            right(),
            blank,
            &V1_6_6,
            &["address fail trailing-blank"],
        ),
        pasted(
            "in the middle",
            strict(),
            "/xiao zhi/ota/",
            &V2,
            &["address warn bad-character", "check fail status"],
        ),
        pasted(
            "none of ASCII",
            strict(),
            "/小智/ota/",
            &V2,
            &["address warn bad-character"],
        ),
    ]);
    let server = right().start();
    let url = format!("https://{HOST}{blank}");
    Probe::of(&server).url(&url).with(&V2).run();
    server.saw("POST /xiaozhi/ota/  HTTP/1.1\r\n");
}

#[test]
fn activation() {
    let asks = |spoil: fn(&mut Page)| {
        right().each_check(move |page, asked| {
            if asked.path.ends_with("/activate") {
                page.set_body("{}");
                spoil(page);
            } else {
                page.json(|j| j["activation"] = json!({"code": "123456", "challenge": "c"}));
            }
        })
    };
    let pending = |page: &mut Page| page.set_status("202 Accepted");
    let empty = |page: &mut Page| page.set_body("");
    let refused = ["check fail activate-refused", "check warn activation"];
    // Without one the device has nothing to answer, and asks nobody.
    let no_challenge = right().each_check(|page, asked| {
        if asked.path.ends_with("/activate") {
            page.set_status("404 Not Found");
        } else {
            page.json(|j| j["activation"] = json!({"code": "123456"}));
        }
    });
    hold(vec![
        Case::new("done", asks(|_| {}), &[], &refused[1..]),
        Case::new("not yet", asks(pending), &[], &refused[1..]),
        Case::new("redirected", asks(|page| page.redirect("/")), &[], &refused),
        Case::new("no challenge", no_challenge, &V2, &refused[1..]),
        Case::new(
            "redirected, and nobody asks",
            asks(|page| page.redirect("/")),
            &V1_5,
            &refused[1..],
        ),
        Case::new(
            "nobody there",
            asks(|page| page.set_status("404 Not Found")),
            &V2,
            &refused,
        ),
        Case::new("no body", asks(empty), &V1_6_2, &refused),
        Case::new("no body, since 1.6.6", asks(empty), &V1_6_6, &refused[1..]),
        Case::new(
            "no body, to a newer device",
            asks(empty),
            &V2,
            &refused[1..],
        ),
    ]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table is as long as it is")]
fn lengths_and_names() {
    let no_length = |page: &mut Page| page.take("Content-Length");
    let gzip = |page: &mut Page| {
        page.set_body(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00\x43\xbf\xa6\xa3\x02\x00\x00\x00");
        page.put("Content-Encoding", "gzip");
    };
    let short = |page: &mut Page| page.put("Content-Length", &(page.body.len() + 9).to_string());
    let long = |page: &mut Page| page.json(|json| json["filler"] = json!("x".repeat(9000)));
    hold(vec![
        check("chunks", Page::chunk, &V1_6, &["check fail chunked"]),
        check(
            "chunks, since 1.6.6",
            Page::chunk,
            &V1_6_6,
            &["check fail chunked"],
        ),
        check(
            "chunks, since 1.7.7",
            Page::chunk,
            &V1_8,
            &["check warn chunked"],
        ),
        check(
            "chunks, and nobody knows it by that name",
            |page| {
                page.chunk();
                page.lower_case();
            },
            &V1_8,
            &["check fail chunked"],
        ),
        check("gzip", gzip, &V1_6, &["check fail compressed"]),
        check("gzip, since 2.0", gzip, &V2, &["check fail compressed"]),
        check(
            "no length",
            no_length,
            &V1_6,
            &["check fail no-content-length"],
        ),
        check(
            "no length, since 2.0",
            no_length,
            &V2,
            &["check warn no-content-length"],
        ),
        check(
            "empty",
            |p| p.set_body(""),
            &V1_6,
            &["check fail zero-content-length"],
        ),
        check(
            "empty, and without a length",
            |p| {
                p.set_body("");
                p.take("Content-Length");
            },
            &V2,
            &["check fail not-json", "check warn no-content-length"],
        ),
        // The coding that is none.
        check(
            "identity",
            |p| p.put("Content-Encoding", "identity"),
            &V1_6,
            &[],
        ),
        check(
            "a length in words",
            |p| p.put("Content-Length", "all"),
            &V1_6,
            &["check fail bad-content-length"],
        ),
        check(
            "a length in words, with an ML307",
            |p| p.put("Content-Length", "all"),
            &["--client", "ml307", "--firmware-line", "v2"],
            &["check fail bad-content-length"],
        ),
        check(
            "a length in words, since 1.7.7",
            |p| p.put("Content-Length", "all"),
            &V2,
            &["check warn bad-content-length"],
        ),
        check("cut", short, &V1_6, &["check fail cut-short"]),
        check(
            "lower case",
            Page::lower_case,
            &V1_6,
            &["check warn lower-case-names"],
        ),
        check(
            "lower case, 1.8",
            Page::lower_case,
            &V1_8,
            &["check warn lower-case-names"],
        ),
        // The queue of 8 KB came with 1.8, was longer for a while, and came again.
        check("9 KB", long, &V1_6, &["check warn too-long"]),
        check("9 KB, since 1.8", long, &V1_8, &["check fail too-long"]),
        check(
            "9 KB, since 1.8.2",
            long,
            &["--firmware-line", "v1.8.2"],
            &["check warn too-long"],
        ),
        check("9 KB, since 2.0", long, &V2, &["check fail too-long"]),
    ]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table is as long as it is")]
fn values() {
    let null = |json: &mut Value| json["firmware"]["url"] = Value::Null;
    let null_token = |json: &mut Value| json["websocket"]["token"] = Value::Null;
    let number = |json: &mut Value| json["firmware"]["version"] = json!(161);
    let long_key = |json: &mut Value| json["websocket"]["a_key_too_long_for_nvs"] = json!("x");
    let long_value = |json: &mut Value| json["websocket"]["token"] = json!("x".repeat(4001));
    hold(vec![
        check(
            "a page",
            |p| p.set_body("<html>Sign in</html>"),
            &V1_6,
            &["check fail not-json"],
        ),
        check(
            "a list",
            |p| p.set_body("[]"),
            &V2,
            &["check fail not-json"],
        ),
        says("null", null, &V1_6, &["check fail null-field"]),
        says("null, in 1.6.2", null, &V1_6_2, &["check fail null-field"]),
        says(
            "null, since 1.6.6",
            null,
            &V1_6_6,
            &["check warn null-field"],
        ),
        says(
            "null where it is not read",
            null_token,
            &V1_6,
            &["check warn null-field"],
        ),
        offer(
            "a number for a version",
            number,
            &V1_6,
            &["check fail wrong-type"],
        ),
        says("a long key", long_key, &V1_6_2, &["check fail long-key"]),
        says(
            "a long key that nobody reads",
            long_key,
            &V1_6,
            &["check warn long-key"],
        ),
        says(
            "a long key, since 2.0",
            long_key,
            &V2,
            &["check fail long-key"],
        ),
        says("a long value", long_value, &V2, &["check fail long-value"]),
        says(
            "refused",
            |json| *json = json!({"success": false, "message": "Invalid device ID"}),
            &V1_6,
            &["check fail request-error"],
        ),
        says(
            "no firmware",
            |j| remove(j, "firmware"),
            &V1_5,
            &["check fail no-firmware"],
        ),
        says(
            "no firmware, since 1.6",
            |j| remove(j, "firmware"),
            &V1_6,
            &["check warn no-firmware"],
        ),
        says(
            "no protocol",
            |j| remove(j, "websocket"),
            &V1_6,
            &["check warn no-protocol"],
        ),
        says(
            "no time",
            |j| remove(j, "server_time"),
            &V1_6,
            &["check warn no-server-time"],
        ),
        says(
            "seconds",
            |j| j["server_time"]["timestamp"] = json!(1_750_000_000),
            &V1_6,
            &["check warn server-time"],
        ),
        says(
            "a time zone in hours",
            |j| j["server_time"]["timezone_offset"] = json!(8),
            &V1_6,
            &["check warn server-time"],
        ),
        says(
            "an empty mqtt",
            |j| {
                remove(j, "websocket");
                j["mqtt"] = json!({});
            },
            &V1_6_2,
            &["check fail empty-mqtt"],
        ),
        says(
            "both protocols",
            |j| {
                j["mqtt"] =
                    json!({"endpoint": "mqtt.example.com", "client_id": "a", "publish_topic": "b"});
            },
            &V1_6,
            &["check warn mqtt-and-websocket"],
        ),
        says(
            "activation",
            |j| {
                j["activation"] =
                    json!({"code": "123456", "message": "xiaozhi.me\n123456", "challenge": "c"});
            },
            &V1_6,
            &["check warn activation"],
        ),
    ]);
}

#[test]
fn offers() {
    let url = |port: &str, scheme: &str| {
        format!("{scheme}://{HOST}{port}/xiaozhi/ota/download/esp32s3_1.6.1.bin")
    };
    let (http, to_tls) = (url("", "http"), url(":443", "http"));
    hold(vec![
        offer(
            "a version that is none",
            |j| j["firmware"]["version"] = json!("v1.6.1"),
            &V1_6,
            &["check fail crash-version"],
        ),
        offer(
            "a date",
            |j| j["firmware"]["version"] = json!("1.202611221200"),
            &V2,
            &["check fail crash-version"],
        ),
        offer(
            "to a device whose own is none",
            |_| {},
            &["--version", "2.0.x", "--firmware-line", "v2"],
            &["check fail own-version-crashes"],
        ),
        offer(
            "an older one",
            |j| j["firmware"]["version"] = json!("1.5.9"),
            &V1_6,
            &["check warn not-newer"],
        ),
        offer(
            "a suffix",
            |j| j["firmware"]["version"] = json!("1.6.0-beta"),
            &V1_6,
            &["check warn not-newer"],
        ),
        offer(
            "nowhere",
            |j| j["firmware"]["url"] = json!(""),
            &V1_6,
            &["check fail empty-url"],
        ),
        offer(
            "force in words",
            |j| j["firmware"]["force"] = json!(true),
            &V1_6,
            &["check warn force-not-a-number"],
        ),
        offer(
            "http behind https",
            move |j| j["firmware"]["url"] = json!(http),
            &V1_6,
            &["check warn http-behind-https"],
        ),
        offer(
            "http to a TLS port",
            move |j| j["firmware"]["url"] = json!(to_tls),
            &V1_6,
            &["check warn http-behind-https", "download fail wrong-scheme"],
        ),
        says(
            "ws behind https",
            |j| j["websocket"]["url"] = json!(format!("ws://{HOST}/xiaozhi/v1/")),
            &V1_6,
            &["check warn ws-behind-https"],
        ),
        Case::new(
            "forced again and again",
            right().version("1.6.0").json(|j| {
                let url = format!("https://{HOST}/xiaozhi/ota/download/esp32s3_1.6.0.bin");
                j["firmware"] = json!({"version": "1.6.0", "url": url, "force": 1});
            }),
            &V1_6,
            &["check fail force-loop", "image fail same-version"],
        ),
        Case::new(
            "forced again and again, since 2.0",
            right().version("2.0.0").json(|j| {
                let url = format!("https://{HOST}/xiaozhi/ota/download/esp32s3_2.0.0.bin");
                j["firmware"] = json!({"version": "2.0.0", "url": url, "force": 1});
            }),
            &["--version", "2.0.0"],
            &["check fail force-loop", "reboot fail loop"],
        ),
    ]);
}
