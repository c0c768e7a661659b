//! Servers that want to keep a probe, to fill its memory, or to write on the
//! terminal. It ends by itself, with a verdict, in bounded memory.

use super::support::kernel::held;
use super::support::probed::{Case, Probe, hold, hold_together};
use super::support::until;
use super::support::wrong::{HOST, Page, Port, Then, plain, right, text_frame};
use serde_json::json;
use socket2::{Domain, Socket, Type};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Firmware that reads where its voice server is.
const READS_VOICE: [&str; 2] = ["--firmware-line", "v1.6.2"];

/// A reply that goes on like this.
fn endless(page: &mut Page, bytes: &[u8]) {
    page.then = Then::Endless(bytes.repeat(64 * 1024 / bytes.len()), Duration::ZERO);
}

#[test]
fn what_has_no_end_is_not_waited_for() {
    let head = |page: &mut Page| {
        page.raw = Some(b"HTTP/1.1 200 OK\r\n".to_vec());
        endless(page, b"X-Filler: abcdefgh\r\n");
    };
    let body = |page: &mut Page| {
        page.take("Content-Length");
        endless(page, b" ");
    };
    let chunks = |page: &mut Page| {
        page.take("Content-Length");
        page.put("Transfer-Encoding", "chunked");
        page.body = [b"ffffffffff\r\n", &page.body[..]].concat();
        endless(page, b" ");
    };
    let empty_lines = |page: &mut Page| {
        page.take("Content-Length");
        page.put("Transfer-Encoding", "chunked");
        page.body.clear();
        endless(page, b"\r\n");
    };
    let line = |page: &mut Page| {
        page.raw = Some(b"HTTP/1.1 200 ".to_vec());
        endless(page, b"x");
    };
    let huge = |page: &mut Page| page.put("Content-Length", "1073741824");
    let beyond = |page: &mut Page| page.put("Content-Length", "99999999999999999999999");
    // Two on the way at once would share the machine; what is held is memory.
    hold(
        vec![
            Case::new(
                "a head without an end",
                plain().check(head),
                &[],
                &["check fail broken-http"],
            ),
            Case::new(
                "a status line without an end",
                plain().check(line),
                &[],
                &["check fail broken-http"],
            ),
            Case::new(
                "a body without an end",
                plain().check(body),
                &["--firmware-line", "v2"],
                &["check fail too-long", "check warn no-content-length"],
            ),
            Case::new(
                "300 KB",
                plain().json(|json| json["filler"] = json!("x".repeat(300_000))),
                &["--firmware-line", "v2"],
                &["check fail too-long"],
            ),
            Case::new(
                "a chunk without an end",
                plain().check(chunks),
                &["--firmware-line", "v2"],
                &["check fail too-long", "check warn chunked"],
            ),
            Case::new(
                "a gigabyte of ten bytes",
                plain().check(huge),
                &[],
                &["check fail cut-short"],
            ),
            Case::new(
                "more bytes than there are",
                plain().check(beyond),
                &[],
                &["check fail bad-content-length"],
            ),
            Case::new(
                "an image's head without an end",
                plain().download(head),
                &[],
                &["download fail broken-http"],
            ),
            Case::new(
                "a gigabyte of an image",
                plain().download(huge),
                &[],
                &["download fail too-big"],
            ),
            Case::new(
                "empty lines for a chunk of an image",
                plain().download(empty_lines),
                &[],
                &["download fail broken-http", "download fail chunked"],
            ),
            Case::new(
                "a voice without an end",
                plain().websocket(head),
                &READS_VOICE,
                &["websocket fail broken-http"],
            ),
        ]
        .into_iter()
        .map(Case::in_little_memory)
        .collect(),
    );
}

#[test]
fn words_that_nobody_can_take() {
    let deep = |page: &mut Page| page.set_body(format!("{}{}", "[".repeat(4000), "]".repeat(3000)));
    let deeper = |page: &mut Page| {
        page.set_body(format!(
            "{{\"firmware\":{}1{}}}",
            "{\"a\":".repeat(1000),
            "}".repeat(1000)
        ));
    };
    let invalid = |page: &mut Page| page.set_body(b"\xff\xfe{\0\"firmware\0");
    let frame = [&[0x81, 127][..], &(1u64 << 63).to_be_bytes()].concat();
    let big = [&[0x81, 127][..], &(1u64 << 40).to_be_bytes(), &[b' '; 5000]].concat();
    hold(
        vec![
            Case::new(
                "brackets",
                right().check(deep),
                &[],
                &["check fail not-json"],
            ),
            Case::new(
                "objects in objects",
                right().check(deeper),
                &[],
                &["check fail not-json"],
            ),
            Case::new(
                "no UTF-8",
                right().check(invalid),
                &[],
                &["check fail not-json"],
            ),
            Case::new(
                "a frame of 2^63 bytes",
                right().hello(frame),
                &READS_VOICE,
                &["websocket fail websocket-no-hello"],
            ),
            Case::new(
                "a frame of 2^40 bytes",
                right().hello(big),
                &READS_VOICE,
                &["websocket fail websocket-no-hello"],
            ),
            Case::new(
                "redirects, one behind the other",
                right().each_check(|page, asked| {
                    page.redirect(&format!("https://{HOST}/{}", asked.before));
                }),
                &[],
                &["check fail redirect"],
            ),
        ]
        .into_iter()
        .map(Case::in_little_memory)
        .collect(),
    );
}

#[test]
fn nothing_that_a_server_says_steers_the_terminal() {
    const ESCAPE: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\r\u{8}\u{202e}";
    let says = || {
        [
            right().json(|j| j["firmware"]["version"] = json!(format!("1.6.{ESCAPE}"))),
            right().json(|j| j["firmware"]["url"] = json!(format!("https://{HOST}/{ESCAPE}"))),
            right().json(|j| j["websocket"]["url"] = json!(format!("wss://{HOST}/{ESCAPE}"))),
            right().json(|j| *j = json!({"success": false, "message": ESCAPE})),
            right().check(|p| p.set_body(ESCAPE)),
            right().check(|p| p.redirect(ESCAPE)),
            right().check(|p| p.set_status(&format!("500 {ESCAPE}"))),
            right().check(|p| p.raw = Some(ESCAPE.into())),
            right().download(|p| p.redirect(ESCAPE)),
            right().hello(text_frame(ESCAPE.as_bytes())),
            right().chain(|c| c.common_name(ESCAPE).host("x.example.com")),
        ]
    };
    for (i, wrong) in says().into_iter().enumerate() {
        let server = wrong.start();
        for lang in ["zh", "en"] {
            let told = Probe::of(&server).with(&READS_VOICE).told(lang);
            assert_eq!(told.code, Some(2), "{i}: {}{}", told.stdout, told.stderr);
            let steers = |c: char| {
                (c.is_control() && c != '\n')
                    || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            };
            let text = format!("{}{}", told.stdout, told.stderr);
            assert!(!text.contains(steers), "{i}: {text:?}");
        }
        // JSON is escaped by its own rules.
        let json = Probe::of(&server).with(&READS_VOICE).run();
        assert_eq!(json.code, Some(2), "{i}");
        assert!(
            !json.stdout.contains(|c: char| c.is_control() && c != '\n'),
            "{i}: {:?}",
            json.stdout
        );
    }
}

#[test]
fn nobodys_token_is_in_a_report() {
    let address = format!("https://me:H7shh@{HOST}/a?token=H7shh");
    let says = || {
        let (first, second, third) = (address.clone(), address.clone(), address.clone());
        [
            right()
                .json(|j| j["websocket"] = json!({"url": "wss://h:x/?t=H7shh", "token": "H7shh"})),
            right().json(|j| j["mqtt"] = json!({"endpoint": "", "password": "H7shh"})),
            right().check(|p| {
                p.set_body("{\"websocket\": {\"url\": \"wss://h/\", \"token\": \"H7shh");
            }),
            right().check(|p| {
                p.set_body("{\"success\": false, \"message\": \"x\", \"token\": \"H7shh\"}");
            }),
            right().check(move |p| p.redirect(&first)),
            right().download(move |p| p.redirect(&second)),
            right().json(move |j| j["firmware"]["url"] = json!(third)),
        ]
    };
    for (i, wrong) in says().into_iter().enumerate() {
        let server = wrong.start();
        let json = Probe::of(&server).with(&READS_VOICE).run();
        assert_ne!(json.code, Some(0), "{i}: {}", json.stdout);
        let words = Probe::of(&server).with(&READS_VOICE).told("en");
        for text in [json.stdout, words.stdout, json.stderr, words.stderr] {
            assert!(!text.contains("H7shh"), "{i}: {text}");
        }
    }
}

/// A port that lets nobody in and sends nobody away: its queue is full.
fn full() -> (u16, TcpStream, Socket) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any: SocketAddr = ([127, 0, 0, 1], 0).into();
    socket.bind(&any.into()).unwrap();
    // One more than that is let in.
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let stream = TcpStream::connect(address).unwrap();
    until("a full queue", || {
        let mut sockets = held(address).into_iter();
        sockets.any(|s| s.listens && s.unread == 1).then_some(())
    });
    (address.port(), stream, socket)
}

/// A device waits for 30 s; all of these wait together.
#[test]
fn silence_is_waited_for_as_a_device_waits() {
    let silence = |page: &mut Page| {
        page.body.truncate(100);
        page.then = Then::Silence;
    };
    let drip = |page: &mut Page| {
        page.body.clear();
        page.then = Then::Endless(b" ".to_vec(), Duration::from_millis(900));
    };
    let (port, _queue, _socket) = full();
    hold_together(vec![
        Case::at(
            "a queue that is full",
            Probe::new(&format!("http://{HOST}/xiaozhi/ota/")).at(80, port),
            &["tcp fail connect-timeout"],
        ),
        Case::new(
            "no greeting",
            right().port_443(Port::Silent),
            &[],
            &["tls fail handshake-timeout"],
        ),
        Case::new(
            "a server that waits for a line of HTTP",
            right().port_443(Port::Patient),
            &[],
            &["tls fail wrong-scheme"],
        ),
        Case::new(
            "no answer",
            plain().port_80(Port::Silent),
            &[],
            &["check fail no-reply"],
        ),
        Case::new(
            "half an answer",
            right().check(silence),
            &[],
            &["check fail stalled"],
        ),
        Case::new("a drip", right().check(drip), &[], &["check fail stalled"]),
        Case::new(
            "half an image",
            right().download(silence),
            &[],
            &["download fail stalled"],
        ),
        Case::new(
            "a drip of an image",
            right().download(drip),
            &[],
            &["download fail stalled"],
        ),
        Case::new(
            "no hello",
            right().hello(""),
            &READS_VOICE,
            &["websocket fail websocket-no-hello"],
        ),
        Case::new(
            "no hello for a hello",
            right().hello(text_frame(b"{\"type\":\"goodbye\"}")),
            &READS_VOICE,
            &["websocket fail websocket-no-hello"],
        ),
        Case::new(
            "a late answer",
            right().check(|page| page.delay = Duration::from_secs(12)),
            &[],
            &["check warn slow-reply"],
        ),
    ]);
}
