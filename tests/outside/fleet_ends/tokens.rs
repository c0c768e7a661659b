//! Tokens of download addresses: what carries a good one counts for its device, and all else
//! is served and counts for nothing.

use super::{FILE, body, check_in, check_in_with, config, end, ends, known, path, until_end};
use crate::support::server::{Setup, request};
use crate::support::{Server, until};
use rusqlite::{Connection, OpenFlags};
use std::fs;
use xiaozhi_image_builder::Image;

const DEVICE: &str = "02:00:00:00:05:01";
const OTHER: &str = "02:00:00:00:05:02";

fn image(version: &str) -> Image {
    Image::new(version)
}

fn server() -> Server {
    Setup::new()
        .file(FILE, image("1.7.0").build())
        .file("esp-box_1.7.0.bin", image("1.7.0").build())
        .start(&config("10m"))
}

/// Splits the address of a download from its token.
fn parted(path: &str) -> (&str, &str) {
    path.split_once("?t=").unwrap()
}

/// Fetches whole, and waits until the server has seen the end of it.
#[track_caller]
fn fetch_whole(server: &Server, path: &str) {
    let before = server.events("download.sent", &[]).len();
    let reply = server.get(path);
    assert!(
        reply.status == 200 && reply.whole,
        "{path}: {}",
        reply.status
    );
    assert_eq!(reply.body, image("1.7.0").build(), "{path}");
    until("the end of the download", || {
        (server.events("download.sent", &[]).len() > before).then_some(())
    });
    server.settle();
}

#[track_caller]
fn board(server: &Server, device: &str, board: &str) -> String {
    let mut body = body(&image("1.6.0"));
    body["board"]["type"] = board.into();
    body["board"]["name"] = board.into();
    path(&check_in_with(server, device, "c", &body).unwrap())
}

#[test]
fn what_has_no_good_token_is_served_whole_and_counts_for_nothing() {
    let server = server();
    let whole = check_in(&server, DEVICE, "1.6.0").unwrap();
    let (bare, token) = parted(&whole);
    let (foreign, same) = (board(&server, OTHER, "esp-box"), "02:00:00:00:05:03");
    let of_other_device = check_in(&server, same, "1.6.0").unwrap();
    let mut wrong = vec![
        bare.to_owned(),
        format!("{bare}?t="),
        format!("{bare}?t={}", "A".repeat(22)),
        format!("{bare}?t={token}A"),
        format!("{bare}?t={}", &token[1..]),
        format!("{bare}?x={token}"),
        format!("{bare}?t={}", parted(&foreign).1),
        format!("{}?t={token}", parted(&foreign).0),
        of_other_device.clone(),
    ];
    for at in 0..token.len() {
        let mut forged = token.as_bytes().to_vec();
        // The last letter holds four bits that nobody reads: this changes one that is read.
        forged[at] = if forged[at] == b'g' { b'w' } else { b'g' };
        wrong.push(format!("{bare}?t={}", String::from_utf8(forged).unwrap()));
    }
    for path in &wrong {
        fetch_whole(&server, path);
        assert_eq!(ends(&server, DEVICE), ["offered"], "{path}");
        assert_eq!(ends(&server, OTHER), ["offered"], "{path}");
    }
    // Whoever has another's address is that device, for what anybody knows.
    until_end(&server, same, "fetched");
    // A look at it, and a part of it.
    let part = [("Range", "bytes=0-99")];
    let rest = [("Range", "bytes=100-")];
    for (method, headers, status) in [
        ("HEAD", &[][..], 200),
        ("GET", &part, 206),
        ("GET", &rest, 206),
    ] {
        let reply = server.send("http", &request(method, &whole, headers, b""));
        assert_eq!(reply.status, status);
        server.settle();
        assert_eq!(ends(&server, DEVICE), ["offered"], "{method} {headers:?}");
    }
    // An operator copies the address from the log.
    let line = server.event("offer", &[("device", DEVICE)]);
    assert!(
        !server.log().iter().any(|line| line.contains(token)),
        "{line}"
    );
    let url = line.split("-> ").nth(1).unwrap().split(' ').next();
    let url = url.unwrap().to_owned();
    fetch_whole(&server, &path(&url));
    assert_eq!(ends(&server, DEVICE), ["offered"]);
    // And the token was good all the time.
    fetch_whole(&server, &whole);
    until_end(&server, DEVICE, "fetched");
    assert_eq!(server.events("offer.silent", &[]).len(), 0);
}

#[test]
fn a_token_of_an_older_offer_counts_for_nothing() {
    let server = server();
    let older = check_in(&server, DEVICE, "1.6.0").unwrap();
    fs::write(
        server.bin().join("esp32s3_1.8.0.bin"),
        image("1.8.0").build(),
    )
    .unwrap();
    server.event("file.ready", &[("file", "esp32s3_1.8.0.bin")]);
    let newer = until("the newer file", || {
        check_in(&server, DEVICE, "1.6.0").filter(|path| path.contains("1.8.0"))
    });
    assert_eq!(ends(&server, DEVICE), ["superseded", "offered"]);
    fetch_whole(&server, &older);
    assert_eq!(ends(&server, DEVICE), ["superseded", "offered"]);
    assert_eq!(server.get(&newer).status, 200);
    until_end(&server, DEVICE, "fetched");
    check_in(&server, DEVICE, "1.8.0");
    assert_eq!(ends(&server, DEVICE), ["superseded", "succeeded"]);
}

#[test]
fn addresses_of_ordinary_names_are_short() {
    let name = "v2.2.6_waveshare-esp32-s3-touch-amoled-1.75";
    let server = Setup::new()
        .file(&format!("{name}_1.7.0.bin"), image("1.7.0").build())
        .start(&format!(
            "server: {{vision_explain: 'https://firmware.department.some-company.example.com:8443/mcp/vision/explain'}}\n{}",
            config("10m")
        ));
    let mut body = body(&image("1.6.0"));
    body["board"]["name"] = name.into();
    body["board"]["type"] = name.into();
    let url = check_in_with(&server, DEVICE, "c", &body).unwrap();
    let (_, query) = url.split_once('?').unwrap();
    assert!(query.len() <= 24 && url.len() < 256, "{} {url}", url.len());
}

#[test]
fn without_tracking_no_address_has_a_query_and_checks_alone_tell() {
    let start = |track: &str| {
        Setup::new()
            .file(FILE, image("1.7.0").build())
            .start(&format!(
                "server: {{vision_explain: 'http://ota.example.com:8003/mcp/vision/explain'}}\n\
                 gateway:\n  admin: {{listen: 0}}\n  fleet: {{track: {track}}}\n"
            ))
    };
    let [tracked, untracked] = ["true", "false"].map(start);
    let headers = [("Device-Id", DEVICE), ("Client-Id", "c")];
    let text = body(&image("1.6.0")).to_string();
    let asked = request("POST", "/xiaozhi/ota/", &headers, text.as_bytes());
    let [with, without] = [&tracked, &untracked].map(|server| server.send("http", &asked));
    // Byte for byte the same, but for the token and the time.
    let plain = |text: &str| {
        let bare = text.split("?t=").collect::<Vec<_>>();
        let bare = match bare[..] {
            [before, behind] => before.to_owned() + &behind[22..],
            _ => text.to_owned(),
        };
        let (front, rest) = bare.split_once("\"timestamp\":").unwrap();
        let rest = rest
            .trim_start()
            .trim_start_matches(|c: char| c.is_ascii_digit());
        format!("{front}{rest}")
    };
    assert!(
        with.text().contains("?t=") && !without.text().contains('?'),
        "{}",
        without.text()
    );
    assert_eq!(plain(with.text()), plain(without.text()));
    let names = |reply: &crate::support::Reply| {
        reply
            .headers
            .iter()
            .map(|(name, _)| name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&with), names(&without));

    let server = untracked;
    assert_eq!(ends(&server, DEVICE), ["offered"]);
    let url = without.json()["firmware"]["url"]
        .as_str()
        .unwrap()
        .to_owned();
    fetch_whole(&server, &path(&url));
    assert_eq!(ends(&server, DEVICE), ["offered"]);
    check_in(&server, DEVICE, "1.7.0");
    assert_eq!(ends(&server, DEVICE), ["succeeded"]);
    assert_eq!(known(&server, DEVICE).unwrap()["version"], "1.7.0");
}

#[test]
fn a_token_of_before_a_kill_counts() {
    let server = server();
    let path = check_in(&server, DEVICE, "1.6.0").unwrap();
    let file = server.dir.path().join("data/state/fleet.db");
    until("the store to have the offer", || {
        let open = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let connection = Connection::open_with_flags(&file, open).ok()?;
        let count = "SELECT count(*) FROM device WHERE id = x'01020000000501'";
        let count: i64 = connection.query_row(count, [], |row| row.get(0)).ok()?;
        (count == 1).then_some(())
    });
    let server = server.stop().start(&config("10m"));
    fetch_whole(&server, &path);
    until_end(&server, DEVICE, "fetched");
    check_in(&server, DEVICE, "1.7.0");
    assert_eq!(end(&server, DEVICE), "succeeded");
}
