//! TLS handshakes that find no common ground, each by its reason.

use crate::support::PATIENCE;
use crate::support::certificate::{Authority, Key};
use crate::support::server::{Setup, check_in, exchange};
use crate::support::{Server, until};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme,
    StreamOwned,
};
use socket2::{Domain, Socket, Type};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

/// ECDHE with AES-GCM, for ECDSA and for RSA.
const GOOD: &[u16] = &[0xc02b, 0xc02f];
/// X25519 and P-256.
const GROUPS: &[u16] = &[29, 23];
/// ECDSA P-256 and RSA, with SHA-256.
const SCHEMES: &[u16] = &[0x0403, 0x0401];

/// A `ClientHello`, with what of it the table changes.
pub(super) struct Hello {
    pub(super) version: u16,
    pub(super) suites: &'static [u16],
    pub(super) groups: &'static [u16],
    pub(super) schemes: &'static [u16],
    pub(super) extra: Vec<u8>,
}

pub(super) fn long(body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&length[..], body].concat()
}

pub(super) fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &long(body)].concat()
}

fn list(numbers: &[u16]) -> Vec<u8> {
    let bytes = numbers.iter().flat_map(|n| n.to_be_bytes());
    long(&bytes.collect::<Vec<_>>())
}

/// The `server_name` extension with these names.
pub(super) fn asked(names: &[&str]) -> Vec<u8> {
    let names = names
        .iter()
        .map(|name| [&[0][..], &long(name.as_bytes())].concat());
    extension(0, &long(&names.collect::<Vec<_>>().concat()))
}

/// The ALPN extension with one protocol.
pub(super) fn speaks(protocol: &str) -> Vec<u8> {
    let length = u8::try_from(protocol.len()).unwrap();
    let list = [&[length][..], protocol.as_bytes()].concat();
    extension(16, &long(&list))
}

impl Hello {
    pub(super) fn good() -> Self {
        Self {
            version: 0x0303,
            suites: GOOD,
            groups: GROUPS,
            schemes: SCHEMES,
            extra: Vec::new(),
        }
    }

    pub(super) fn with(extra: Vec<u8>) -> Self {
        Self {
            extra,
            ..Self::good()
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut extensions = self.extra.clone();
        if !self.groups.is_empty() {
            extensions.extend(extension(10, &list(self.groups)));
        }
        if !self.schemes.is_empty() {
            extensions.extend(extension(13, &list(self.schemes)));
        }
        let body = [
            &self.version.to_be_bytes()[..],
            &[7; 32],
            &[0],
            &list(self.suites),
            &[1, 0],
            &long(&extensions),
        ]
        .concat();
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        let message = [&[1][..], &length[1..], &body].concat();
        [&[0x16, 3, 1][..], &long(&message)].concat()
    }
}

/// A connection from an address of its own: each client is told of once an hour.
fn from(number: u8, server: &Server) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let own = SocketAddr::from(([127, 0, 9, number], 0));
    socket.bind(&own.into()).unwrap();
    socket.connect(&server.address().into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Starts with one certificate of this key.
pub(super) fn start(key: Key) -> Server {
    let setup = Setup::new();
    let authority = Authority::new();
    authority.sign(&setup.path().join("certs"), "a", key, &["ota.example.com"]);
    setup.start("gateway:\n  tls: {certificates: [{cert: certs/a.pem, key: certs/a.key}]}\n")
}

/// A hello, the event that it raises, and fields of that.
pub(super) type Case = (Hello, &'static str, &'static [(&'static str, &'static str)]);

/// Sends each hello from an address of its own, and waits for its event.
pub(super) fn told(server: &Server, table: Vec<Case>) {
    for (number, (hello, event, fields)) in table.into_iter().enumerate() {
        let mut stream = from(u8::try_from(number + 1).unwrap(), server);
        stream.write_all(&hello.bytes()).unwrap();
        let peer = stream.local_addr().unwrap().to_string();
        let fields = [fields, &[("peer", &*peer)]].concat();
        server.event(event, &fields);
        // And the client is sent an alert.
        let mut answer = [0; 7];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer[0], 0x15, "{event}: {answer:?}");
    }
}

#[test]
fn what_a_client_lacks_is_named() {
    let hello = Hello::good;
    let old = |version| Hello { version, ..hello() };
    let suites = |suites| Hello { suites, ..hello() };
    let groups = |groups| Hello { groups, ..hello() };
    let schemes = |schemes| Hello { schemes, ..hello() };
    let rsa: &'static [_] = &[("wanted", "RSA"), ("kind", "rsa")];
    let table: Vec<Case> = vec![
        (old(0x0302), "tls.old-version", &[("version", "TLS 1.1")]),
        (old(0x0301), "tls.old-version", &[("version", "TLS 1.0")]),
        (old(0x0300), "tls.old-version", &[("version", "SSL 3.0")]),
        // As they really come: without a word of signatures.
        (
            Hello {
                version: 0x0302,
                schemes: &[],
                ..hello()
            },
            "tls.old-version",
            &[("version", "TLS 1.1")],
        ),
        (
            Hello::with(extension(43, &[4, 3, 2, 3, 1])),
            "tls.old-version",
            &[("version", "TLS 1.1")],
        ),
        // Static RSA, CBC and GCM.
        (
            suites(&[0x002f, 0x0035, 0x009c, 0x00ff]),
            "tls.cipher-suites",
            &[("lacks", "forward secrecy")],
        ),
        (
            suites(&[0x009e, 0x0033]),
            "tls.cipher-suites",
            &[("lacks", "DHE only")],
        ),
        (
            suites(&[0xc009, 0xc013, 0xc027]),
            "tls.cipher-suites",
            &[("lacks", "CBC")],
        ),
        (
            suites(&[0xc0ac]),
            "tls.cipher-suites",
            &[("offered", "CCM")],
        ),
        (
            suites(&[0x00a8]),
            "tls.cipher-suites",
            &[("offered", "PSK")],
        ),
        (groups(&[25]), "tls.groups", &[("offered", "secp521r1")]),
        (
            groups(&[24, 26]),
            "tls.groups",
            &[("offered", "secp384r1, brainpoolP256r1")],
        ),
        (groups(&[256]), "tls.groups", &[("offered", "FFDHE2048")]),
        (
            groups(&[]),
            "tls.groups",
            &[("offered", "no extension supported_groups")],
        ),
        (schemes(&[0x0401, 0x0804]), "tls.key-type", rsa),
        (suites(&[0xc02f, 0xc030]), "tls.key-type", rsa),
        (schemes(&[0x0503]), "tls.hash", &[("wanted", "SHA-384")]),
        (
            schemes(&[0x0201, 0x0203]),
            "tls.signatures",
            &[("offered", "RSA_PKCS1_SHA1")],
        ),
        (
            schemes(&[]),
            "tls.signatures",
            &[("offered", "no extension signature_algorithms")],
        ),
    ];
    told(&start(Key::P256), table);
    let ecdsa: &'static [_] = &[("wanted", "ECDSA P-256"), ("kind", "ecdsa")];
    let table: Vec<Case> = vec![
        (schemes(&[0x0403]), "tls.key-type", ecdsa),
        (suites(&[0xc02b]), "tls.key-type", ecdsa),
    ];
    told(&start(Key::Rsa), table);
}

#[test]
fn a_client_is_told_where_no_tls_is_spoken() {
    let server = Setup::new().start("gateway:\n  tls: {mode: off}\n");
    let mut stream = from(1, &server);
    stream.write_all(&Hello::good().bytes()).unwrap();
    let _ = stream.read_to_end(&mut Vec::new());
    server.event("tls.off", &[]);
}

#[test]
fn a_client_is_told_of_once_an_hour_for_each_reason() {
    let server = start(Key::P256);
    let old = Hello {
        version: 0x0302,
        ..Hello::good()
    };
    let rsa = Hello {
        schemes: &[0x0401],
        ..Hello::good()
    };
    let send = |hello: &Hello| {
        let mut stream = from(1, &server);
        stream.write_all(&hello.bytes()).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    };
    for _ in 0..3 {
        send(&old);
    }
    send(&rsa);
    // A client sees the end of its connection before the server has said why.
    server.event("tls.old-version", &[]);
    server.event("tls.key-type", &[]);
    server.settle();
    let told = server.events_of("tls.", &[]);
    assert_eq!(told.len(), 2, "{told:#?}");
}

/// What Nginx takes is answered here, too: with the first certificate, and in HTTP/1.1.
#[test]
fn what_does_no_harm_is_taken() {
    let server = start(Key::P256);
    for extra in [
        asked(&["ota.example.com."]),
        asked(&["OTA.Example.COM"]),
        asked(&["ota_server.example.com"]),
        asked(&["unknown.example.com"]),
        asked(&["localhost"]),
        asked(&["192.168.1.7"]),
        asked(&["fe80::1"]),
        speaks("h2"),
        speaks("spdy/3.1"),
        speaks("mqtt"),
        speaks("http/1.1"),
        Vec::new(),
    ] {
        let mut stream = server.tcp();
        stream
            .write_all(&Hello::with(extra.clone()).bytes())
            .unwrap();
        let mut answer = [0; 6];
        stream.read_exact(&mut answer).unwrap();
        // A ServerHello.
        assert_eq!([answer[0], answer[5]], [0x16, 2], "{extra:?}");
    }
    for protocol in ["h2", "mqtt", "http/1.1", "http/1.0"] {
        let mut stream = client(&server, protocol);
        let reply = exchange(&mut stream, &check_in("esp32s3", "1.0"));
        assert_eq!(reply.status, 200, "{protocol}");
        let chosen = stream.conn.alpn_protocol();
        let is_ours = protocol.starts_with("http");
        assert_eq!(chosen, is_ours.then_some(protocol.as_bytes()));
    }
    // Some of these clients went away, and no more is said of them.
    let said = server.events_of("tls.", &[]);
    assert!(
        said.iter().all(|line| line.ends_with("event=tls.ended")),
        "{said:?}"
    );
}

/// A client that offers one protocol.
fn client(server: &Server, protocol: &str) -> StreamOwned<ClientConnection, TcpStream> {
    let file = server.dir.path().join("certs/a.pem");
    let mut roots = RootCertStore::empty();
    let pem = std::fs::read_to_string(file).unwrap();
    roots
        .add(crate::support::server::der(&pem).pop().unwrap())
        .unwrap();
    let mut config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let name = ServerName::try_from("ota.example.com").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    StreamOwned::new(connection, server.tcp())
}

#[test]
fn what_a_client_says_of_our_certificate_is_told() {
    let server = start(Key::P256);
    for (number, (alert, event, why)) in [
        (48, "certificate.distrusted", "distrust.authority"),
        // What mbedTLS says where Espressif's bundle has no root.
        (49, "certificate.distrusted", "distrust.authority"),
        (42, "certificate.distrusted", "distrust.name"),
        (45, "certificate.distrusted", "distrust.time"),
        (44, "certificate.distrusted", "distrust.revoked"),
        (43, "certificate.distrusted", "distrust.kind"),
        (46, "certificate.distrusted", "distrust.silent"),
        (40, "tls.alert", "alert.no-ground"),
        (71, "tls.alert", "alert.no-ground"),
        (50, "tls.alert", "alert.unreadable"),
        (22, "tls.alert", "alert.unreadable"),
        (20, "tls.alert", "alert.damaged"),
        (51, "tls.alert", "alert.damaged"),
        (80, "tls.alert", "alert.memory"),
        (199, "tls.alert", "alert.other"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut stream = from(u8::try_from(number + 1).unwrap(), &server);
        stream.write_all(&Hello::good().bytes()).unwrap();
        stream.read_exact(&mut [0; 6]).unwrap();
        stream.write_all(&[0x15, 3, 3, 0, 2, 2, alert]).unwrap();
        let peer = stream.local_addr().unwrap().to_string();
        server.event(event, &[("peer", &peer), ("why", why)]);
    }
}

#[test]
fn who_leaves_or_speaks_no_tls_is_told_of() {
    let server = start(Key::P256);
    let good = Hello::good().bytes();
    let ways: [(&[u8], usize, &str); 7] = [
        (&good[..40], 0, "tls.ended"),
        (&good, 6, "tls.ended"),
        (b"\x16\x03\x01\x00\x04\xff\x00\x00\x00", 0, "tls.broken"),
        (b"\x16\x03\x01\xff\xff", 0, "tls.broken"),
        // Longer than anything that TLS has.
        (b"\x16\x03\x01\x00\x04\x01\xff\xff\xff", 0, "tls.broken"),
        // A hello of SSL 2.0, and one that begins so and offers TLS 1.2.
        (
            b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10",
            0,
            "tls.old-version",
        ),
        (
            b"\x80\x2e\x01\x03\x03\x00\x15\x00\x00\x00\x10",
            0,
            "tls.ssl2-hello",
        ),
    ];
    for (number, (bytes, answer, event)) in ways.into_iter().enumerate() {
        let mut stream = from(u8::try_from(number + 1).unwrap(), &server);
        stream.write_all(bytes).unwrap();
        stream.read_exact(&mut vec![0; answer]).unwrap();
        let peer = stream.local_addr().unwrap().to_string();
        if event == "tls.ended" {
            drop(stream);
            server.event(event, &[("peer", &peer)]);
        } else {
            server.event(event, &[("peer", &peer)]);
        }
    }
}

#[test]
fn a_handshake_that_is_late_is_told_of() {
    let setup = Setup::new();
    let config = "gateway:\n  limits: {handshake: 1s, headers: 1h, idle: 1h, drain: 1h}\n";
    let server = setup.start(config);
    let good = Hello::good().bytes();
    for (number, bytes, stage) in [
        (1, &good[..40], "before its first message"),
        (2, &good[..], "after our certificate"),
    ] {
        let mut stream = from(number, &server);
        stream.write_all(bytes).unwrap();
        let peer = stream.local_addr().unwrap().to_string();
        let fields = [("peer", &*peer), ("stage", stage)];
        until("its line", || server.events("tls.late", &fields).pop());
    }
}

/// A client that takes any certificate, and shows what it is sent.
pub(super) fn lenient() -> Arc<ClientConfig> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let config = ClientConfig::builder()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Lenient(provider)))
        .with_no_client_auth();
    Arc::new(config)
}

#[derive(Debug)]
struct Lenient(rustls::crypto::CryptoProvider);

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
