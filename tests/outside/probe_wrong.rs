//! Answers to a check whose HTTP is wrong on purpose, one rule each.

use super::support::probed::{Case, Probe, hold};
use super::support::wrong::{HOST, Page, Port, Wrong, plain, right};
use serde_json::json;

/// Firmware of a line on Wi-Fi, where another than 1.6 is asked.
const V1_5: [&str; 2] = ["--firmware-line", "v1.5"];
const V1_6: [&str; 0] = [];
const V1_6_2: [&str; 2] = ["--firmware-line", "v1.6.2"];
const V1_6_6: [&str; 2] = ["--firmware-line", "v1.6.6"];
const V1_8: [&str; 2] = ["--firmware-line", "v1.8"];
const V2: [&str; 2] = ["--firmware-line", "v2"];

/// A check's reply that is spoiled, asked by a device of a line.
pub(super) fn check(
    name: &'static str,
    spoil: impl Fn(&mut Page) + Send + Sync + 'static,
    with: &[&str],
    finds: &[&'static str],
) -> Case {
    Case::new(name, right().check(spoil), with, finds)
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
