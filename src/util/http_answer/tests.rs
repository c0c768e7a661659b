use super::*;
use proptest::prelude::*;

const LONGEST: usize = 1000;

/// Reads an answer that comes in pieces of these lengths, and then ends.
fn in_pieces(sent: &[u8], pieces: &[usize]) -> Result<Answer, Odd> {
    let mut reader = AnswerReader::new(LONGEST);
    let (mut at, mut lengths) = (0, pieces.iter().cycle());
    while at < sent.len() {
        let next = (at + lengths.next().unwrap_or(&1)).min(sent.len());
        if let Some(answer) = reader.take(&sent[at..next])? {
            return Ok(answer);
        }
        at = next;
    }
    reader.end()
}

fn at_once(sent: &str) -> Result<Answer, Odd> {
    in_pieces(sent.as_bytes(), &[sent.len().max(1)])
}

#[track_caller]
fn is(sent: &str, status: u16, body: &str, is_kept: bool) {
    let answer = at_once(sent).unwrap();
    let read = (answer.status.as_u16(), &*answer.body, answer.is_kept);
    assert_eq!(read, (status, body.as_bytes(), is_kept), "{sent:?}");
}

#[test]
fn answers_end_where_they_say() {
    is(
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        200,
        "{}",
        true,
    );
    is(
        "HTTP/1.1 200\r\ncontent-length:2\r\n\r\n{}",
        200,
        "{}",
        true,
    );
    is(
        "\r\nHTTP/1.1 200 OK\nContent-Length: 2\n\n{}",
        200,
        "{}",
        true,
    );
    is(
        "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
        202,
        "",
        true,
    );
    is("HTTP/1.1 204 No Content\r\n\r\n", 204, "", true);
    is(
        "HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno",
        500,
        "no",
        true,
    );
    is("HTTP/1.1 200 OK\r\n\r\n{}", 200, "{}", false);
    is(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n1;x=y\r\n{\r\n01 \r\n}\r\n0\r\nX: y\r\n\r\n",
        200,
        "{}",
        true,
    );
    is(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        200,
        "{}",
        true,
    );
    // Twice the same is one.
    is(
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        200,
        "{}",
        true,
    );
}

#[test]
fn a_connection_is_kept_where_both_sides_know_where_they_are() {
    is(
        "HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 2\r\n\r\n{}",
        200,
        "{}",
        false,
    );
    is(
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        200,
        "{}",
        false,
    );
    is(
        "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\n{}",
        200,
        "{}",
        true,
    );
    is(
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\n",
        200,
        "{}",
        false,
    );
    is(
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        200,
        "{}",
        false,
    );
}

#[test]
fn a_redirect_says_where_and_its_body_is_not_waited_for() {
    let answer =
        at_once("HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 9\r\n\r\n").unwrap();
    assert_eq!(answer.location.as_deref(), Some(&b"/x"[..]));
    assert!(!answer.is_kept);
}

#[test]
fn what_is_no_answer_is_named() {
    let no_http = |sent: &str| {
        let odd = at_once(sent).unwrap_err();
        assert!(matches!(odd, Odd::NoHttp(_)), "{sent:?}: {odd:?}");
    };
    no_http("SSH-2.0-OpenSSH_9.2\r\n");
    no_http("HTTP/2.0 200 OK\r\n\r\n");
    no_http("HTTP/1.1 099 OK\r\n\r\n");
    no_http("HTTP/1.1 101 Switching Protocols\r\n\r\n");
    no_http("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}");
    no_http("HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}");
    no_http("HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\n{}");
    no_http("HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n{}");
    no_http("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n");
    no_http("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n0\r\n\r\n");
    no_http("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n;x\r\n\r\n");
    no_http("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{}}");
    for (sent, odd) in [
        ("", Odd::Nothing),
        ("HTTP/1.1 200 O", Odd::Cut),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}", Odd::Cut),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
            Odd::Cut,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            Odd::Cut,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            Odd::Coded("gzip, chunked".to_owned()),
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\n",
            Odd::Coded("br".to_owned()),
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n",
            Odd::TooBig,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
            Odd::TooBig,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3E9\r\n",
            Odd::TooBig,
        ),
    ] {
        assert_eq!(at_once(sent), Err(odd), "{sent:?}");
    }
}

#[test]
fn nothing_without_an_end_is_waited_for() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (begin, more) in [
        ("HTTP/1.1 200 OK\r\n", "X: 0123456789\r\n"),
        ("HTTP/1.1 200 OK\r\nX:", "0123456789"),
        ("HTTP/1.1 200 OK\r\n\r\n", "0123456789"),
        (chunked, "1\r\nx\r\n"),
        (&format!("{chunked}1;"), "0123456789"),
        (&format!("{chunked}0\r\n"), "X: 0123456789\r\n"),
        (&format!("{chunked}0\r\n"), "0123456789"),
    ] {
        let mut reader = AnswerReader::new(LONGEST);
        let mut read = reader.take(begin.as_bytes());
        for _ in 0..LONGEST_LINE {
            if read.is_err() {
                break;
            }
            assert_eq!(read, Ok(None));
            read = reader.take(more.as_bytes());
        }
        assert!(read.is_err(), "{begin:?} {more:?}");
    }
}

proptest! {
    #[test]
    fn it_reads_the_same_however_it_is_cut(
        body in "[ -~]{0,60}",
        chunk in 1..20_usize,
        is_chunked: bool,
        pieces in prop::collection::vec(1..9_usize, 1..9),
    ) {
        let sent = if is_chunked {
            let parts = body.as_bytes().chunks(chunk);
            let parts = parts.map(|part| format!("{:x}\r\n{}\r\n", part.len(), String::from_utf8_lossy(part)));
            let parts: String = parts.collect();
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{parts}0\r\n\r\n")
        } else {
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        };
        let answer = in_pieces(sent.as_bytes(), &pieces).unwrap();
        prop_assert_eq!(&*answer.body, body.as_bytes());
        prop_assert!(answer.is_kept);
    }

    #[test]
    fn pieces_of_the_grammar_read_the_same_however_they_are_cut(
        parts in prop::collection::vec(prop::sample::select(vec![
            "HTTP/1.1 200 OK\r\n", "HTTP/1.0 200\r\n", "HTTP/1.1 100 Continue\r\n\r\n", "\r\n", "\n",
            "Content-Length: 3\r\n", "Content-Length: 0\r\n", "Transfer-Encoding: chunked\r\n",
            "Connection: close\r\n", "1\r\n", "0\r\n", "a", "{}", "3;x\r\nabc\r\n", "0\r\n\r\n", "X: y\r\n",
        ]), 0..9),
        pieces in prop::collection::vec(1..9_usize, 1..9),
    ) {
        let sent = format!("HTTP/1.1 200 OK\r\n{}", parts.concat());
        // What stands behind an answer is not seen where it did not come with it.
        let read = |pieces: &[usize]| {
            in_pieces(sent.as_bytes(), pieces).map(|answer| (answer.status, answer.body)).map_err(drop)
        };
        prop_assert_eq!(read(&pieces), read(&[sent.len()]));
    }
}
