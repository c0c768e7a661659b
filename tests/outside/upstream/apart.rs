//! Each device gets its own: no reply, and no fault, of one is another's.

use super::super::support::server::BINARY;
use super::super::support::until;
use super::*;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection};
use std::collections::HashSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A reply whose token is the device's own.
fn own(device: &str) -> Vec<u8> {
    let body = format!(r#"{{"websocket":{{"url":"ws://h:8000/","token":"{device}"}}}}"#);
    reply("200 OK", "", &body)
}

fn own_of(request: &Request) -> Vec<u8> {
    own(request.headers("device-id")[0])
}

fn in_front_of(address: SocketAddr, more: &str) -> Server {
    let url = format!("http://{address}/xiaozhi/ota/");
    setup().start(&format!(
        "gateway:\n  upstream: {{url: '{url}', kind: other{more}}}\n"
    ))
}

/// Asks for many devices at once, and holds each to its own.
fn ask_for_many(server: &Server) {
    std::thread::scope(|scope| {
        for thread in 0..8 {
            scope.spawn(move || {
                for number in 0..30 {
                    let mac = format!("02:00:00:00:{thread:02x}:{number:02x}");
                    let told = check_in(server, &mac).whole_json();
                    assert_eq!(told["websocket"]["token"], *mac, "{told}");
                }
            });
        }
    });
}

#[test]
fn whatever_a_connection_brings_is_the_one_devices() {
    type Sends = fn(&Request, &mut Connection);
    let ways: [(&str, Sends); 4] = [
        ("a reply", |request, connection| {
            connection.send(own_of(request));
        }),
        ("two at once", |request, connection| {
            let twice = [own_of(request), own("another")].concat();
            connection.send(twice);
        }),
        ("a reply in pieces", |request, connection| {
            for piece in own_of(request).chunks(50) {
                connection.send(piece);
            }
        }),
        ("early words", |request, connection| {
            let early = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n".to_vec();
            connection.send([early, own_of(request)].concat());
        }),
    ];
    for (what, send) in ways {
        let behind = Backend::start(move |connection| {
            while let Some(request) = connection.request() {
                send(&request, connection);
            }
        });
        let server = in_front_of(behind.address, "");
        ask_for_many(&server);
        assert!(server.events("upstream.down", &[]).is_empty(), "{what}");
    }
}

#[test]
fn a_connection_that_ended_while_it_was_idle_costs_nobody_a_reply() {
    let behind = Backend::start(|connection| {
        if let Some(request) = connection.request() {
            connection.send(own_of(&request));
        }
    });
    ask_for_many(&in_front_of(behind.address, ""));
}

/// Makes two records for a device.
type Answers = fn(&str) -> [Vec<u8>; 2];

/// Serves TLS with a certificate of its own, a thread a connection; returns its address, and
/// the certificate.
fn over_tls(answer: Answers) -> (SocketAddr, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let pem = made.cert.pem();
    let chain = vec![CertificateDer::from(made.cert.der().to_vec())];
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let config = Arc::clone(&config);
            std::thread::spawn(move || serve(stream.unwrap(), config, answer));
        }
    });
    (address, pem)
}

fn serve(mut stream: TcpStream, config: Arc<ServerConfig>, answer: Answers) {
    let mut tls = ServerConnection::new(config).unwrap();
    let mut came = Vec::new();
    loop {
        let mut part = [0; 4096];
        let Ok(n @ 1..) = rustls::Stream::new(&mut tls, &mut stream).read(&mut part) else {
            return;
        };
        came.extend(&part[..n]);
        let text = String::from_utf8_lossy(&came).into_owned();
        // The body is the last of it, and ends so.
        if !text.ends_with('}') {
            continue;
        }
        came.clear();
        let device = text.lines().find_map(|l| l.strip_prefix("Device-Id: "));
        // Each is a record, and all go at once.
        for record in answer(device.unwrap()) {
            tls.writer().write_all(&record).unwrap();
        }
        while tls.wants_write() {
            tls.write_tls(&mut stream).unwrap();
        }
    }
}

#[test]
fn over_tls_what_stands_behind_a_reply_is_nobodys() {
    let answers: [Answers; 2] = [
        |device| [own(device), Vec::new()],
        // As long as what is read at once: the rest waits where no look at the socket sees it.
        |device| {
            let filled = |body: &str| {
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {:04}\r\n\r\n",
                    body.len()
                );
                head + body
            };
            let block = format!(r#""websocket":{{"url":"ws://h:8000/","token":"{device}"}}"#);
            let fill = 4096 - filled(&format!("{{{block},\"a\":\"\"}}")).len();
            let body = format!("{{{block},\"a\":\"{}\"}}", "x".repeat(fill));
            [filled(&body).into_bytes(), own("another")]
        },
    ];
    for answer in answers {
        let (address, pem) = over_tls(answer);
        let url = format!("https://localhost:{}/xiaozhi/ota/", address.port());
        let config = format!("gateway:\n  upstream: {{url: '{url}', kind: other}}\n");
        let roots = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(roots.path(), pem).unwrap();
        let mut command = Command::new(BINARY);
        command.env("SSL_CERT_FILE", roots.path());
        let server = setup().start_by(&config, &mut command);
        ask_for_many(&server);
    }
}

#[test]
fn a_device_has_one_name_and_one_client() {
    let behind = Backend::answering(own_of);
    let server = in_front_of(behind.address, "");
    let headers = [
        ("Device-Id", &*mac(1)),
        ("device_id", &*mac(2)),
        ("Device-Id", &*mac(3)),
        ("Client-Id", "c"),
        ("Client-Id", "d"),
        ("Connection", "Device-Id, X-Mine"),
        ("X-Mine", "1"),
        ("TE", "trailers"),
        ("Accept-Encoding", "gzip"),
    ];
    let body = check_in_of(&mac(1));
    let body = body.split(|b| *b == b'\n').next_back().unwrap();
    let sent = request("POST", "/xiaozhi/ota/", &headers, body);
    let told = server.send("http", &sent).whole_json();
    assert_eq!(told["websocket"]["token"], *mac(1));
    let request = behind.last();
    assert_eq!(request.headers("device-id"), [mac(1)]);
    assert_eq!(request.headers("client-id"), ["c"]);
    assert_eq!(request.headers("accept-encoding"), ["identity"]);
    for gone in ["device_id", "x-mine", "te", "connection"] {
        assert_eq!(request.headers(gone), Vec::<&str>::new(), "{gone}");
    }
}

#[test]
fn strangers_and_one_odd_device_keep_nobody_away() {
    // It refuses what is no MAC, and says nothing to one device.
    let behind = Backend::start(|connection| {
        while let Some(request) = connection.request() {
            let device = request.headers("device-id")[0].to_owned();
            if device.starts_with("junk") {
                connection.send(ok(r#"{"error":"Invalid device ID"}"#));
            } else if device == mac(0xff) {
                return;
            } else {
                connection.send(own(&device));
            }
        }
    });
    let server = in_front_of(behind.address, "");
    for number in 0..10 {
        assert_eq!(check_in(&server, &format!("junk{number}")).status, 503);
        assert_eq!(check_in(&server, &mac(0xff)).status, 503);
    }
    ask_for_many(&server);
    assert!(
        server
            .events("upstream.unanswered", &[("why", "upstream.tried")])
            .is_empty()
    );
}

#[test]
fn a_crowd_that_waits_for_its_turn_is_no_fault_of_the_server_behind() {
    let behind = Backend::start(|connection| {
        while let Some(request) = connection.request() {
            std::thread::sleep(Duration::from_millis(250));
            connection.send(own_of(&request));
        }
    });
    let server = in_front_of(behind.address, ", timeout: 1s");
    let statuses: HashSet<u16> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..200)
            .map(|n| {
                let (server, mac) = (&server, format!("02:00:00:00:01:{n:02x}"));
                scope.spawn(move || check_in(server, &mac).status)
            })
            .collect();
        asked.into_iter().map(|a| a.join().unwrap()).collect()
    });
    assert_eq!(statuses, HashSet::from([200, 503]));
    assert!(server.events("upstream.down", &[]).is_empty());
    // And behind the crowd it goes on as ever.
    assert_eq!(check_in(&server, &mac(1)).status, 200);
}

#[test]
fn what_an_owner_before_was_told_is_told_to_nobody() {
    let stand_in = StandIn::new(bound());
    let server = stand_in.in_front("manager-api");
    let down = || stand_in.sends(reply("500 Oh", "", ""));
    let is_told = |mac: &str| {
        let reply = check_in(&server, mac);
        (reply.status == 200).then(|| reply.whole_json())
    };
    // Its activation is one that no device can be given.
    for (number, activation) in [r#"{"code":123456}"#, r#"{"code":"1","challenge":null}"#]
        .iter()
        .enumerate()
    {
        let mac = mac(10 + u32::try_from(number).unwrap());
        stand_in.says(bound());
        assert!(is_told(&mac).is_some());
        stand_in.says(format!(r#"{{"activation":{activation}}}"#));
        assert_eq!(is_told(&mac), None, "{activation}");
        down();
        assert_eq!(is_told(&mac), None, "{activation}");
    }
    // Another client of the same device has another token.
    stand_in.says(bound());
    assert!(is_told(&mac(1)).is_some());
    down();
    assert!(is_told(&mac(1)).is_some());
    let other = String::from_utf8(check_in_of(&mac(1))).unwrap();
    let other = other.replace("Client-Id: c\r\n", "Client-Id: erased\r\n");
    assert_eq!(server.send("http", other.as_bytes()).status, 503);
    // And so has another server behind.
    let second = StandIn::new(bound());
    second.sends(reply("500 Oh", "", ""));
    server.configure(&second.config("manager-api", ""));
    server.reload();
    assert_eq!(is_told(&mac(1)), None);
}

#[test]
fn a_reply_that_is_too_long_is_none_and_a_long_one_leaves_no_room_for_an_offer() {
    let stand_in = StandIn::new(bound());
    let server = stand_in.in_front("other");
    let long = |length: usize| {
        let part = |n: usize| "v".repeat(n);
        let rest = length - 2 * 3990;
        format!(
            r#"{{"websocket":{{"url":"ws://h/","a":"{}","b":"{}","c":"{}"}}}}"#,
            part(3990),
            part(3990),
            part(rest)
        )
    };
    assert_eq!(check_in(&server, &mac(1)).status, 200);
    stand_in.says(long(8_300));
    let told = check_in(&server, &mac(1)).whole_json();
    assert_eq!(told["websocket"]["token"], "hush.1");
    server.event("upstream.kept", &[("why", "upstream.left-out")]);
    // And what was kept is kept still.
    stand_in.sends(reply("500 Oh", "", ""));
    assert_eq!(check_in(&server, &mac(1)).status, 200);
    stand_in.says(long(8_050));
    let told = check_in(&server, &mac(2)).whole_json();
    assert!(told["websocket"]["c"].is_string());
    assert_eq!(told["firmware"]["url"], "");
    server.event("withheld.long-reply", &[]);
}

#[test]
fn an_activation_is_held_to_what_devices_read_and_tells_little_of_the_server() {
    let is_broken = Arc::new(AtomicBool::new(true));
    let broken = Arc::clone(&is_broken);
    let behind = Backend::answering(move |request| {
        let is_activation = request.line().contains("/activate ");
        if broken.load(Ordering::SeqCst) {
            reply("500 Oh", "", "")
        } else if is_activation {
            ok(&format!("<html>{}</html>", "x".repeat(20_000)))
        } else {
            own_of(request)
        }
    });
    let server = in_front_of(behind.address, "");
    let activate = || {
        let headers = [("Device-Id", &*mac(1)), ("Client-Id", "c")];
        let path = "/xiaozhi/ota/activate";
        let sent = request("POST", path, &headers, b"{}");
        server.send("http", &sent)
    };
    until("the breaker to be open", || {
        for number in 0..4 {
            check_in(&server, &mac(number));
        }
        let tried = server.events("upstream.down", &[]);
        (!tried.is_empty()).then_some(())
    });
    for _ in 0..5 {
        assert_eq!(activate().status, 500);
        assert_eq!(check_in(&server, &mac(5)).status, 503);
    }
    assert!(server.events("upstream.back", &[]).is_empty());
    is_broken.store(false, Ordering::SeqCst);
    let told = activate();
    assert_eq!(told.status, 200);
    assert!(told.body.len() < 8_000, "{}", told.body.len());
    server.event("upstream.back", &[]);
}
