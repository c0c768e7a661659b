//! Handshakes with real servers.
use super::*;
use crate::probe::line::{Hardware, Line};
use crate::probe::report::StepVerdict;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256,
    PKCS_ED25519, SanType, SignatureAlgorithm,
};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, cipher_suite};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use std::net::{IpAddr, SocketAddr};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

pub(super) const HOST: &str = "ota.example.com";
pub(super) const WIFI: Kind = Kind {
    line: Line::V2,
    hardware: Hardware::Wifi,
};
const MODEM: Kind = Kind {
    line: Line::V2,
    hardware: Hardware::Ml307,
};
/// Far longer than a handshake on this machine takes.
const LIMIT: Duration = Duration::from_secs(20);

/// Somebody who signs.
pub(super) struct Authority {
    pub(super) issuer: Issuer<'static, KeyPair>,
    pub(super) own: CertificateDer<'static>,
}

pub(super) fn ca(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

impl Authority {
    pub(super) fn root(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let own = ca(name).self_signed(&key).unwrap().into();
        Self {
            issuer: Issuer::new(ca(name), key),
            own,
        }
    }

    pub(super) fn below(name: &str, above: &Self) -> Self {
        let key = KeyPair::generate().unwrap();
        let own = ca(name).signed_by(&key, &above.issuer).unwrap().into();
        Self {
            issuer: Issuer::new(ca(name), key),
            own,
        }
    }

    /// Its name and key, signed by another.
    pub(super) fn crossed(&self, name: &str, above: &Self) -> CertificateDer<'static> {
        let signed = ca(name).signed_by(self.issuer.key(), &above.issuer);
        signed.unwrap().into()
    }

    pub(super) fn sign(
        &self,
        params: &CertificateParams,
        algorithm: &'static SignatureAlgorithm,
    ) -> Pair {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap().into();
        Pair {
            chain: vec![leaf],
            key,
        }
    }

    pub(super) fn leaf(&self) -> Pair {
        self.sign(&params(&[HOST]), &PKCS_ECDSA_P256_SHA256)
    }
}

pub(super) struct Pair {
    pub(super) chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

impl Pair {
    pub(super) fn with(mut self, above: &[&CertificateDer<'static>]) -> Self {
        self.chain.extend(above.iter().copied().cloned());
        self
    }
}

pub(super) fn params(hosts: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "leaf");
    for host in hosts {
        params.subject_alt_names.push(match host.parse::<IpAddr>() {
            Ok(ip) => SanType::IpAddress(ip),
            Err(_) => SanType::DnsName((*host).try_into().unwrap()),
        });
    }
    params
}

fn self_signed() -> Pair {
    let key = KeyPair::generate().unwrap();
    let leaf = params(&[HOST]).self_signed(&key).unwrap().into();
    Pair {
        chain: vec![leaf],
        key,
    }
}

fn provider(suites: &[rustls::SupportedCipherSuite]) -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    if !suites.is_empty() {
        provider.cipher_suites = suites.to_vec();
    }
    provider
}

type Versions = &'static [&'static rustls::SupportedProtocolVersion];
static BOTH: Versions = &[&TLS12, &TLS13];
static ONLY_12: Versions = &[&TLS12];
static ONLY_13: Versions = &[&TLS13];

fn config(pair: &Pair, provider: CryptoProvider, versions: Versions) -> ServerConfig {
    let key = PrivateKeyDer::try_from(pair.key.serialize_der()).unwrap();
    ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(pair.chain.clone(), key)
        .unwrap()
}

/// Shakes hands with whoever comes.
async fn serve(config: ServerConfig) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let _ = stream.read(&mut [0; 1]).await;
                }
            });
        }
    });
    address
}

async fn serve_pair(pair: &Pair) -> SocketAddr {
    serve(config(pair, provider(&[]), BOTH)).await
}

fn client(kind: Kind, extra: &[&CertificateDer<'static>]) -> TlsClient {
    TlsClient::new(kind, extra.iter().copied().cloned().collect()).unwrap()
}

/// A handshake, and what is found in it or why it failed.
async fn shake(
    client: &TlsClient,
    address: SocketAddr,
    host: &str,
    limit: Duration,
) -> Vec<Finding> {
    let stream = TcpStream::connect(address).await.unwrap();
    match client.handshake(stream, host, limit).await {
        Ok(secured) => secured.findings,
        Err(refused) => {
            assert!(!refused.findings.is_empty());
            let connect = || TcpStream::connect(address);
            client.diagnose(refused, connect, host, limit).await
        }
    }
}

pub(super) fn ids(findings: &[Finding]) -> Vec<(&'static str, StepVerdict)> {
    findings.iter().map(|f| (f.rule.id, f.verdict)).collect()
}

#[tokio::test]
async fn a_chain_to_a_known_root_has_no_fault() {
    let root = Authority::root("root");
    let middle = Authority::below("middle", &root);
    let address = serve_pair(&middle.leaf().with(&[&middle.own])).await;
    let client = client(WIFI, &[&root.own]);
    let stream = TcpStream::connect(address).await.unwrap();
    let mut secured = client.handshake(stream, HOST, LIMIT).await.unwrap();
    assert_eq!(secured.findings, []);
    assert!(
        secured
            .seen
            .starts_with("TLS 1.2, TLS_ECDHE_ECDSA_WITH_AES_")
            && secured.seen.ends_with("CN=leaf, until 4096-01-01"),
        "{}",
        secured.seen
    );
    secured.stream.write_all(b"x").await.unwrap();
    // The second time it is remembered; another host is another question.
    assert_eq!(shake(&client, address, HOST, LIMIT).await, []);
    assert_eq!(client.judged.lock().unwrap().len(), 1);
    let wrong = shake(&client, address, "example.com", LIMIT).await;
    assert_eq!(ids(&wrong), [("wrong-name", StepVerdict::Fail)]);
    assert_eq!(
        wrong[0].evidence.to_string(),
        "for ota.example.com, not for example.com"
    );
}

#[tokio::test]
async fn faults_that_devices_mind_and_modems_do_not() {
    let root = Authority::root("root");
    let middle = Authority::below("middle", &root);
    let cases = [
        (self_signed(), vec![], "self-signed"),
        (root.leaf(), vec![], "unknown-issuer"),
        (root.leaf().with(&[&root.own]), vec![], "unknown-issuer"),
        (middle.leaf(), vec![&root.own], "leaf-only-chain"),
    ];
    for (pair, extra, id) in cases {
        let address = serve_pair(&pair).await;
        let found = shake(&client(WIFI, &extra), address, HOST, LIMIT).await;
        assert_eq!(ids(&found), [(id, StepVerdict::Fail)]);
        assert!(found[0].serial.as_ref().unwrap().ends_with("-0x3000"));
        let found = shake(&client(MODEM, &extra), address, HOST, LIMIT).await;
        assert_eq!(ids(&found), [(id, StepVerdict::Warn)]);
        assert!(found[0].hit.iter().all(|kind| kind.verifies()));
        assert_eq!(found[0].serial, None);
    }
    // A certificate of its own that the firmware holds.
    let own = self_signed();
    let address = serve_pair(&own).await;
    let client = client(WIFI, &[&own.chain[0]]);
    assert_eq!(shake(&client, address, HOST, LIMIT).await, []);
}

#[tokio::test]
async fn an_address_in_the_certificate() {
    let root = Authority::root("root");
    let client = client(WIFI, &[&root.own]);
    let pair = root.sign(&params(&["127.0.0.1"]), &PKCS_ECDSA_P256_SHA256);
    let address = serve_pair(&pair).await;
    assert_eq!(shake(&client, address, "127.0.0.1", LIMIT).await, []);
    let found = shake(&client, address, "127.0.0.2", LIMIT).await;
    assert_eq!(ids(&found), [("wrong-name", StepVerdict::Fail)]);
}

#[tokio::test]
async fn what_devices_cannot_speak() {
    let root = Authority::root("root");
    let pair = root.leaf();
    let ed25519 = root.sign(&params(&[HOST]), &PKCS_ED25519);
    let chacha = [cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256];
    let asks = {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(root.own.clone()).unwrap();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(provider(&[])))
                .build()
                .unwrap();
        let key = PrivateKeyDer::try_from(pair.key.serialize_der()).unwrap();
        ServerConfig::builder_with_provider(Arc::new(provider(&[])))
            .with_protocol_versions(ONLY_12)
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(pair.chain.clone(), key)
            .unwrap()
    };
    let cases = [
        (config(&pair, provider(&[]), ONLY_13), vec!["tls13-only"]),
        (
            config(&pair, provider(&chacha), ONLY_12),
            vec!["chacha-only"],
        ),
        (
            config(&ed25519, provider(&[]), BOTH),
            vec!["ed25519-certificate"],
        ),
        (
            config(&ed25519, provider(&[]), ONLY_13),
            vec!["tls13-only", "ed25519-certificate"],
        ),
        (asks, vec!["client-certificate"]),
    ];
    for (config, expected) in cases {
        let address = serve(config).await;
        let found = shake(&client(WIFI, &[&root.own]), address, HOST, LIMIT).await;
        let expected: Vec<_> = expected.iter().map(|id| (*id, StepVerdict::Fail)).collect();
        assert_eq!(ids(&found), expected);
        assert!(found[0].serial.as_ref().unwrap().ends_with("-0x7780"));
    }
    // Neither TLS 1.2 nor a group that is known: no device gets through.
    let mut hybrid = provider(&[]);
    hybrid.kx_groups = vec![aws_lc_rs::kx_group::X25519MLKEM768];
    let address = serve(config(&pair, hybrid, ONLY_13)).await;
    let found = shake(&client(WIFI, &[]), address, HOST, LIMIT).await;
    assert_eq!(ids(&found), [("tls-alert", StepVerdict::Fail)]);
    assert_eq!(found[0].evidence.to_string(), "alert protocol_version (70)");
}

/// Answers whatever comes with these bytes, and closes.
async fn answer(bytes: &'static [u8], reads: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            if reads {
                let _ = stream.read(&mut [0; 4096]).await;
            }
            let _ = stream.write_all(bytes).await;
        }
    });
    address
}

#[tokio::test]
async fn what_is_no_tls() {
    let client = client(WIFI, &[]);
    let http = answer(b"HTTP/1.1 400 Bad Request\r\nServer: \x1b[2J\r\n\r\n", true).await;
    let found = shake(&client, http, HOST, LIMIT).await;
    assert_eq!(ids(&found), [("wrong-scheme", StepVerdict::Fail)]);
    let expected = "without TLS it answers: HTTP/1.1 400 Bad Request";
    assert_eq!(found[0].evidence.to_string(), expected);
    assert!(found[0].serial.as_ref().unwrap().ends_with("-0x7200"));

    // Closed with the ClientHello unread, which makes it a reset.
    let resetting = answer(b"", false).await;
    let found = shake(&client, resetting, HOST, LIMIT).await;
    assert_eq!(ids(&found), [("handshake-cut", StepVerdict::Fail)]);

    let closing = answer(b"", true).await;
    let found = shake(&client, closing, HOST, LIMIT).await;
    assert_eq!(ids(&found), [("handshake-cut", StepVerdict::Fail)]);
    assert!(found[0].serial.as_ref().unwrap().ends_with("-0x7280"));

    let alert = answer(b"\x15\x03\x03\x00\x02\x02\x70", true).await;
    let found = shake(&client, alert, HOST, LIMIT).await;
    assert_eq!(ids(&found), [("tls-alert", StepVerdict::Fail)]);
    assert_eq!(
        found[0].evidence.to_string(),
        "alert unrecognized_name (112)"
    );

    let refusing = answer(b"\x15\x03\x03\x00\x02\x02\x28", true).await;
    let found = shake(&client, refusing, HOST, LIMIT).await;
    assert_eq!(ids(&found), [("cannot-be-judged", StepVerdict::Warn)]);

    // Accepted by the kernel, and by nobody else.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let short = Duration::from_millis(50);
    let found = shake(&client, address, HOST, short).await;
    assert_eq!(ids(&found), [("handshake-timeout", StepVerdict::Fail)]);
}

#[tokio::test]
async fn plain_answers_are_bounded_and_harmless() {
    let ask = async |address| {
        let stream = TcpStream::connect(address).await.unwrap();
        plain_answer(stream, HOST, "/", LIMIT).await
    };
    let line = ask(answer(b"\x1b[2Jhello\r\nmore", true).await).await;
    assert_eq!(line.as_deref(), Some("\\u{1b}[2Jhello"));
    let line = ask(answer(&[b'a'; 1000], true).await).await;
    assert_eq!(line.map(|line| line.len()), Some(128));
    assert_eq!(ask(answer(b"", true).await).await, None);
    let alert = b"\x15\x03\x01\x00\x02\x02\x46";
    assert_eq!(ask(answer(alert, true).await).await, None);
    assert!(is_tls(alert) && is_tls(b"\x16\x03\x03"));
    assert!(!is_tls(b"HTTP/1.1") && !is_tls(b"\x15"));
}
