use super::*;
use proptest::prelude::*;

fn requests<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Requests {
    let mut requests = Requests::default();
    pieces.for_each(|piece| requests.look(&mut piece.to_vec()));
    requests
}

fn is_spaced<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> bool {
    requests(pieces).note_read()
}

#[test]
fn two_blanks_in_front_of_the_path_are_seen_in_any_pieces() {
    for (text, spaced) in [
        ("GET /x HTTP/1.1\r\n", false),
        ("POST /xiaozhi/ota/  HTTP/1.1\r\n", false),
        ("GET  /x HTTP/1.1\r\n", true),
        ("\r\nGET  /x HTTP/1.1\r\n", true),
        ("GET   /x", true),
        ("GET /x HTTP/1.1\r\n\r\nGET  /x", true),
        ("GET /x HTTP/1.1\nA: b\n\nGET  /x", true),
        (
            "POST /x HTTP/1.1\r\nContent-Length: 6\r\n\r\na  b  GET /x",
            false,
        ),
        (
            "POST /x HTTP/1.1\r\ncontent-length:6\r\n\r\na  b  GET  /x",
            true,
        ),
        ("GET /x HTTP/1.1\r\nUpgrade: websocket\r\n\r\na  b", false),
        (
            "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\na  b",
            false,
        ),
        (
            "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4;a=b\r\na  b\r\n0\r\n\r\nGET  /x",
            true,
        ),
    ] {
        for size in [1, 3, text.len()] {
            let spaced_here = is_spaced(text.as_bytes().chunks(size));
            assert_eq!(spaced_here, spaced, "{text:?}");
        }
    }
}

#[test]
fn a_head_is_known_by_its_beginning_until_all_of_it_has_come() {
    for (text, begin, lines, is_under_way) in [
        ("", "", 0, false),
        ("\r\n", "\r\n", 0, false),
        ("GE", "GE", 0, true),
        ("\x16\x03\x01", "\x16\x03\x01", 0, true),
        (
            "GET /x HTTP/1.1\r\nA: b\r\nC",
            "GET /x HTTP/1.1\r\nA: b\r\nC",
            1,
            true,
        ),
        (
            "GET /x HTTP/1.1\r\n\r\n",
            "GET /x HTTP/1.1\r\n\r\n",
            1,
            false,
        ),
        (
            "POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nab",
            "POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\n",
            2,
            false,
        ),
    ] {
        for size in [1, 3, text.len().max(1)] {
            let requests = requests(text.as_bytes().chunks(size));
            let head = requests.head().unwrap();
            assert_eq!(head.begin(), begin.as_bytes(), "{text:?} by {size}");
            assert_eq!(
                (head.lines, head.is_under_way()),
                (lines, is_under_way),
                "{text:?}"
            );
            assert_eq!(head.bytes, begin.len());
        }
    }
    // The next one takes its place; of two that came at once the first is kept.
    let both = ["GET /a HTTP/1.1\n\n", "GET /b HTTP/1.1\n\nGET /c"];
    let requests = requests(both.iter().map(|text| text.as_bytes()));
    assert_eq!(requests.head().unwrap().begin(), b"GET /b HTTP/1.1\n\n");
}

#[test]
fn a_request_is_whole_with_its_last_byte_until_the_next_one_begins() {
    let head = "POST /x HTTP/1.1\r\nHost: h\r\n";
    for (text, is_whole, is_lost) in [
        (String::new(), false, false),
        ("\r\n".to_owned(), false, false),
        (head.to_owned(), false, false),
        (format!("{head}\r\n"), true, false),
        (format!("{head}\r\n\r\n"), true, false),
        (format!("{head}\r\nG"), false, false),
        (format!("{head}\r\n{head}\r\n"), true, false),
        (format!("{head}Content-Length: 3\r\n\r\nab"), false, false),
        (format!("{head}Content-Length: 3\r\n\r\nabc"), true, false),
        (format!("{head}Content-Length: 3\r\n\r\nabcG"), false, false),
        (format!("{head}Content-Length: x\r\n\r\nabc"), false, true),
        (format!("{head}Upgrade: websocket\r\n\r\n"), true, true),
        (
            format!("{head}Upgrade: a\r\nContent-Length: 1\r\n\r\n"),
            false,
            true,
        ),
        (
            format!("{head}Transfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n"),
            false,
            false,
        ),
        (
            format!("{head}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
            true,
            false,
        ),
        (
            format!("{head}Transfer-Encoding: chunked\r\n\r\nA\r\n0\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n"),
            true,
            false,
        ),
        (
            format!("{head}Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n"),
            false,
            true,
        ),
        (
            format!("{head}Transfer-Encoding: chunked\r\n\r\n0\n\r\n"),
            false,
            true,
        ),
        (
            format!("{head}Transfer-Encoding: chunked\r\n\r\nx\r\n"),
            false,
            true,
        ),
        (
            format!("{head}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
            false,
            true,
        ),
        (
            format!("{head}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"),
            false,
            true,
        ),
    ] {
        for size in [1, 3, text.len().max(1)] {
            let requests = requests(text.as_bytes().chunks(size));
            let found = (requests.is_whole(), requests.is_lost());
            assert_eq!(found, (is_whole, is_lost), "{text:?} by {size}");
        }
    }
}

#[test]
fn a_tab_behind_the_address_is_a_blank() {
    for (text, becomes) in [
        (
            "POST /x\t HTTP/1.1\r\nA:\tb\r\n",
            "POST /x  HTTP/1.1\r\nA:\tb\r\n",
        ),
        ("POST\t/x HTTP/1.1\r\n", "POST\t/x HTTP/1.1\r\n"),
        (
            "POST /x HTTP/1.1\r\nContent-Length: 4\r\n\r\na b\t",
            "POST /x HTTP/1.1\r\nContent-Length: 4\r\n\r\na b\t",
        ),
    ] {
        let mut bytes = text.as_bytes().to_vec();
        Requests::default().look(&mut bytes);
        assert_eq!(String::from_utf8_lossy(&bytes), becomes);
    }
}

proptest! {
    #[test]
    fn a_body_is_no_request_line(
        requests in prop::collection::vec(("[ a-z\r\n:]{0,40}", prop::bool::weighted(0.2)), 1..6),
        size in 1usize..200,
    ) {
        let request = |(body, spaced): &(String, bool)| {
            let blanks = if *spaced { "  " } else { " " };
            format!("POST{blanks}/x HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\nAccept: */*\r\n\r\n{body}", body.len())
        };
        let text: String = requests.iter().map(request).collect();
        let spaced = requests.iter().any(|(_, spaced)| *spaced);
        prop_assert_eq!(is_spaced(text.as_bytes().chunks(size)), spaced);
    }

    #[test]
    fn any_bytes_can_be_looked_at(bytes in any::<Vec<u8>>(), size in 1usize..40) {
        let _ = is_spaced(bytes.chunks(size));
    }
}
