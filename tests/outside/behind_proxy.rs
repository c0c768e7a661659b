//! Something in front: who the client is by X-Forwarded-*, whose word on it
//! counts, and a real proxy.

use super::support::event::field;
use super::support::process::Process;
use super::support::server::{Setup, check_in, exchange, request};
use super::support::{PATIENCE, Reply, Reserved, Server, until};
use socket2::{Domain, Socket, Type};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

/// With one port that asks for a PROXY header, and one that does not.
pub(super) fn start(behind_proxy: &str) -> Server {
    start_within(behind_proxy, "1h")
}

/// The same, where a header must come within `headers`.
pub(super) fn start_within(behind_proxy: &str, headers: &str) -> Server {
    Setup::new().start(&format!(
        "log: {{log_level: DEBUG}}\ngateway:\n  ip: 127.0.0.1\n  ports: [{{port: 0, proxy_protocol: true}}, 0]\n  \
         behind_proxy: {behind_proxy}\n  limits: {{headers: {headers}, handshake: 1h}}\n"
    ))
}

/// From an address of this machine of one's own.
pub(super) fn connect(from: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

pub(super) fn plain_port(server: &Server) -> SocketAddr {
    ([127, 0, 0, 1], server.ports[1]).into()
}

/// A check-in with further header lines.
fn check_in_with(lines: &[(&str, &str)]) -> Vec<u8> {
    let own = [("Device-Id", "aa:bb:cc:dd:ee:ff"), ("Client-Id", "c")];
    request("POST", "/xiaozhi/ota/", &[&own, lines].concat(), b"{}")
}

/// The address that the last check-in was logged with.
pub(super) fn logged_peer(server: &Server, count: usize) -> String {
    let lines = until("the check-in's line", || {
        let lines = server.log().into_iter();
        let lines: Vec<_> = lines.filter(|l| l.contains("check-in reported")).collect();
        (lines.len() == count).then_some(lines)
    });
    field(lines.last().unwrap(), "peer").unwrap()
}

const NAME: &str = "X-Forwarded-For";

#[test]
fn forwarded_for_counts_from_the_right_and_from_proxies_only() {
    let server = start("[127.0.0.1, 10.0.0.0/8]");
    let mut count = 0;
    let mut peer = |from: [u8; 4], lines: &[(&str, &str)]| {
        let mut stream = connect(from, plain_port(&server));
        assert_eq!(exchange(&mut stream, &check_in_with(lines)).status, 200);
        count += 1;
        let peer = logged_peer(&server, count);
        if peer == stream.local_addr().unwrap().to_string() {
            "itself".to_owned()
        } else {
            peer
        }
    };
    for (lines, client) in [
        (&[][..], "itself"),
        (&[(NAME, "203.0.113.7")], "203.0.113.7:0"),
        (&[(NAME, "1.1.1.1, 203.0.113.7")], "203.0.113.7:0"),
        (
            &[(NAME, "127.0.0.1, 203.0.113.7, 10.0.0.2")],
            "203.0.113.7:0",
        ),
        (
            &[
                (NAME, "1.1.1.1"),
                ("x-forwarded-for", "203.0.113.7,10.1.2.3"),
            ],
            "203.0.113.7:0",
        ),
        (
            &[(NAME, "203.0.113.7"), ("X-Real-IP", "1.1.1.1")],
            "203.0.113.7:0",
        ),
        (&[(NAME, "203.0.113.7, <script>")], "itself"),
        (&[(NAME, "2001:db8::7")], "[2001:db8::7]:0"),
    ] {
        assert_eq!(peer([127, 0, 0, 1], lines), client, "{lines:?}");
        assert_eq!(peer([127, 0, 0, 2], lines), "itself", "{lines:?}");
    }
    // Behind a PROXY header it is the named client that is listed or not: the
    // proxy has not looked into what it passes on.
    let named = |client: &str, count: usize| {
        let lines = check_in_with(&[(NAME, "198.51.100.1"), ("X-Forwarded-Proto", "https")]);
        let header = format!("PROXY TCP4 {client} 127.0.0.1 1 2\r\n");
        let all = [header.as_bytes(), &lines].concat();
        assert_eq!(exchange(&mut server.tcp(), &all).status, 200);
        logged_peer(&server, count)
    };
    assert_eq!(named("203.0.113.7", count + 1), "203.0.113.7:1");
    assert_eq!(named("10.0.0.2", count + 2), "198.51.100.1:0");
}

#[test]
fn nothing_is_believed_with_true_alone() {
    let server = start("true");
    let lines = [
        ("X-Forwarded-For", "203.0.113.7"),
        ("X-Forwarded-Proto", "https"),
    ];
    let mut stream = connect([127, 0, 0, 1], plain_port(&server));
    assert_eq!(exchange(&mut stream, &check_in_with(&lines)).status, 200);
    assert_eq!(
        logged_peer(&server, 1),
        stream.local_addr().unwrap().to_string()
    );
    let line = server.line("check-in reported");
    assert_eq!(field(&line, "scheme").unwrap(), "http");
}

const HTTPS: &str = "server: {vision_explain: 'https://ota.example.com/mcp/vision/explain', websocket: 'wss://ota.example.com/xiaozhi/v1/'}\n";

/// A reply to a device that came to a proxy as it says.
fn told(server: &Server, from: [u8; 4], proto: Option<&str>, device: &str) -> Reply {
    let mut lines = vec![
        ("Device-Id", device),
        ("Client-Id", "c"),
        ("X-Forwarded-For", "203.0.113.7"),
    ];
    lines.extend(proto.map(|proto| ("X-Forwarded-Proto", proto)));
    let mut stream = connect(from, server.address());
    let request = request("POST", "/xiaozhi/ota/", &lines, b"{}");
    exchange(&mut stream, &request)
}

#[test]
fn https_is_believed_of_a_proxy_and_of_nobody_else() {
    const PROXY: [u8; 4] = [127, 0, 0, 1];
    const STRANGER: [u8; 4] = [127, 0, 0, 2];
    let ending = |end: &str| {
        Server::start(
            &format!(
                "{HTTPS}gateway:\n  http_fallback: {end}\n  behind_proxy: 127.0.0.1\n  tls: {{mode: off}}\n"
            ),
            &[],
        )
    };
    let server = ending("false");
    for (from, proto, device, status) in [
        (PROXY, Some("https"), "proxied-https", 200),
        (PROXY, Some("http, https"), "proxied-last", 200),
        (PROXY, Some("https, http"), "proxied-http", 403),
        (PROXY, None, "proxied-untold", 403),
        (STRANGER, Some("https"), "spoofed-https", 403),
    ] {
        let reply = told(&server, from, proto, device);
        reply.hold_to_contract(device);
        assert_eq!(reply.status, status, "{device}");
    }
    let named = |event: &str, device: &str, peer: &str| {
        server.event(event, &[("device", device), ("peer", peer)]);
    };
    named("plain-http.refused", "proxied-http", "203.0.113.7");
    named("plain-http.untold", "proxied-untold", "203.0.113.7");
    named("plain-http.refused", "spoofed-https", "127.0.0.2");
    assert_eq!(server.events_of("plain-http.", &[]).len(), 3);

    let server = ending("2099-12-31");
    for (from, proto, device) in [
        (PROXY, Some("https"), "proxied-https"),
        (PROXY, None, "proxied-untold"),
        (PROXY, Some("http"), "proxied-http"),
        (STRANGER, Some("https"), "spoofed-https"),
    ] {
        assert_eq!(told(&server, from, proto, device).status, 200, "{device}");
    }
    let named = |device: &str, peer: &str| {
        server.event("plain-http.ends", &[("device", device), ("peer", peer)]);
    };
    named("spoofed-https", "127.0.0.2");
    named("proxied-http", "203.0.113.7");
    assert_eq!(server.events_of("plain-http.", &[]).len(), 2);
}

#[test]
fn validate_shows_what_is_in_front() {
    let setup = Setup::new();
    let config = setup.path().join("c.yaml");
    let shown = |text: &str| {
        fs::write(&config, text).unwrap();
        let output = Command::new(super::support::server::BINARY)
            .arg("validate")
            .arg(&config)
            .current_dir(setup.path())
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(text).unwrap())
    };
    let ports = "ports: [{port: 8443, proxy_protocol: true}, 8003]";
    let (good, text) = shown(&format!(
        "gateway: {{{ports}, behind_proxy: [10.0.0.0/8, 192.0.2.7]}}"
    ));
    assert!(good, "{text}");
    assert!(text.contains("ports 8443 (PROXY protocol), 8003"), "{text}");
    assert!(
        text.contains("what 10.0.0.0/8, 192.0.2.7 says of its clients is believed"),
        "{text}"
    );
    assert!(!text.contains("warning: gateway"), "{text}");
    let (good, text) = shown(&format!("gateway: {{{ports}}}"));
    assert!(good, "{text}");
    assert!(text.contains("warning: gateway.ports: port 8443"), "{text}");
    // TLS ends here where clients are passed on as they come.
    for (front, ports, tls, is_told) in [
        ("10.0.0.0/8", ports, "self-signed", true),
        ("10.0.0.0/8", "ports: [8003]", "self-signed", false),
        ("10.0.0.0/8", ports, "off", false),
        ("false", "ports: [8003]", "self-signed", true),
    ] {
        let (good, text) = shown(&format!(
            "{HTTPS}gateway: {{{ports}, behind_proxy: {front}, tls: {{mode: {tls}}}}}"
        ));
        assert!(good, "{text}");
        assert_eq!(text.contains("crt is self-signed"), is_told, "{text}");
    }
    // A CA sends no PROXY header.
    for (ports, is_told) in [("443", false), ("{port: 443, proxy_protocol: true}", true)] {
        let (good, text) = shown(&format!(
            "{HTTPS}gateway: {{ports: [{ports}, 8003], tls: {{mode: acme, names: [ota.example.com]}}}}"
        ));
        assert!(good, "{text}");
        assert_eq!(text.contains("comes to port 443"), is_told, "{text}");
    }
    let (good, text) = shown("gateway: {behind_proxy: [10.0.0.1/8]}");
    assert!(!good, "{text}");
    assert!(
        text.contains("c.yaml:1: gateway.behind_proxy[0]: \"10.0.0.1/8\": write 10.0.0.0/8"),
        "{text}"
    );
}

/// A `HAProxy` in front. Ends with its value.
struct HaProxy {
    _process: Process,
    port: Reserved,
}

fn haproxy() -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|dir| dir.join("haproxy"))
        .find(|p| p.exists());
    found.expect("haproxy is missing: apt-get install haproxy")
}

impl HaProxy {
    /// In `mode`, with `line` after the server's address.
    fn start(binary: &Path, server: &Server, port: u16, mode: &str, line: &str) -> Self {
        let door = Reserved::new();
        let address = door.address();
        let forward = if mode == "http" {
            "  option forwardfor\n  http-request set-header X-Forwarded-Proto https\n"
        } else {
            ""
        };
        let config = format!(
            "defaults\n  mode {mode}\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n\
             listen door\n  bind {address}\n{forward}  server ours 127.0.0.1:{port} {line}\n"
        );
        let file = server.dir.path().join("haproxy.cfg");
        fs::write(&file, config).unwrap();
        let child = Command::new(binary)
            .args(["-db", "-q", "-f"])
            .arg(&file)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let proxy = Self {
            _process: Process(child),
            port: door,
        };
        until("HAProxy's port", || TcpStream::connect(address).ok());
        proxy
    }
}

#[test]
#[ignore = "needs HAProxy: tests/run installs it"]
fn haproxy_names_its_clients() {
    let binary = haproxy();
    let mut count = 0;
    let server = start("[127.0.0.1]");
    for line in [
        "send-proxy",
        "send-proxy-v2",
        // It checks by a header of its own, as often as it can.
        "send-proxy-v2 check inter 50ms",
        "send-proxy-v2-ssl-cn check inter 50ms",
    ] {
        let proxy = HaProxy::start(&binary, &server, server.ports[0], "tcp", line);
        for tls in [false, true] {
            let stream = connect([127, 0, 0, 42], proxy.port.address());
            let own = stream.local_addr().unwrap().to_string();
            let request = check_in("esp32s3", "1.0");
            let reply = if tls {
                exchange(&mut server.tls_over(stream, "localhost", None), &request)
            } else {
                exchange(&mut { stream }, &request)
            };
            assert_eq!(reply.status, 200, "{line}");
            count += 1;
            assert_eq!(logged_peer(&server, count), own, "{line}");
        }
    }
    let proxy = HaProxy::start(&binary, &server, server.ports[1], "http", "");
    let mut stream = connect([127, 0, 0, 42], proxy.port.address());
    let request = check_in_with(&[
        ("X-Forwarded-For", "1.1.1.1"),
        ("X-Forwarded-Proto", "http"),
    ]);
    stream.write_all(&request).unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");
    assert_eq!(logged_peer(&server, count + 1), "127.0.0.42:0");
    let line = server
        .log()
        .into_iter()
        .rfind(|l| l.contains("check-in reported"));
    assert_eq!(field(&line.unwrap(), "scheme").unwrap(), "https");
    assert_eq!(server.events_of("proxy-header.", &[]), [""; 0]);
}
