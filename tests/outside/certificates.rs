//! Certificates as TLS clients see them: which one they get, and what happens
//! when the files change.

use super::support::certificate::{Authority, Key};
use super::support::server::{Setup, check_in, exchange};
use super::support::{Server, until};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SignatureScheme};
use std::fs;
use std::sync::Arc;

const TWO_KEYS: &str = "gateway:\n  tls: {certificates: [{cert: certs/rsa.pem, key: certs/rsa.key}, {cert: certs/ec.pem, key: certs/ec.key}, \
                        {cert: certs/other.pem, key: certs/other.key}]}\n";

/// Shakes hands as `name`, offering only `schemes`, and says which leaf came.
fn leaf(
    server: &Server,
    authority: &Authority,
    name: &str,
    sni: bool,
    schemes: Option<&[SignatureScheme]>,
    tls13: bool,
) -> CertificateDer<'static> {
    let mut roots = RootCertStore::empty();
    roots
        .add(super::support::server::der(&authority.pem).remove(0))
        .unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Lenient {
        schemes: schemes.map(<[_]>::to_vec),
        provider: Arc::clone(&provider),
    };
    let versions: &[&rustls::SupportedProtocolVersion] = if tls13 {
        &[&rustls::version::TLS13]
    } else {
        &[&rustls::version::TLS12]
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.enable_sni = sni;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = server.tcp();
    connection.complete_io(&mut stream).unwrap();
    connection.peer_certificates().unwrap()[0]
        .clone()
        .into_owned()
}

/// Takes any certificate, but offers only some signature schemes.
#[derive(Debug)]
struct Lenient {
    schemes: Option<Vec<SignatureScheme>>,
    provider: Arc<rustls::crypto::CryptoProvider>,
}

impl rustls::client::danger::ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone().unwrap_or_else(|| {
            self.provider
                .signature_verification_algorithms
                .supported_schemes()
        })
    }
}

fn on_disk(server: &Server, file: &str) -> CertificateDer<'static> {
    super::support::server::der(&fs::read_to_string(server.dir.path().join(file)).unwrap())
        .remove(0)
}

#[test]
fn chosen_by_name_and_by_what_the_client_can_check() {
    let setup = Setup::new();
    let authority = Authority::new();
    let dir = setup.path().join("certs");
    authority.sign(&dir, "rsa", Key::Rsa, &["ota.example.com", "127.0.0.1"]);
    authority.sign(&dir, "ec", Key::P256, &["ota.example.com", "127.0.0.1"]);
    authority.sign(&dir, "other", Key::P256, &["*.other.example.com"]);
    let server = setup.start(TWO_KEYS);
    let [rsa, ec, other] =
        ["certs/rsa.pem", "certs/ec.pem", "certs/other.pem"].map(|f| on_disk(&server, f));
    let rsa_only: &[_] = &[
        SignatureScheme::RSA_PKCS1_SHA256,
        SignatureScheme::RSA_PSS_SHA256,
    ];
    let ec_only: &[_] = &[SignatureScheme::ECDSA_NISTP256_SHA256];
    for tls13 in [true, false] {
        let ask = |name, sni, schemes| leaf(&server, &authority, name, sni, schemes, tls13);
        assert_eq!(ask("ota.example.com", true, None), ec, "the cheaper one");
        assert_eq!(ask("ota.example.com", true, Some(rsa_only)), rsa);
        assert_eq!(ask("ota.example.com", true, Some(ec_only)), ec);
        assert_eq!(ask("a.other.example.com", true, None), other);
        // Nobody is sent away for the name that they ask for.
        assert_eq!(ask("ota.example.com", false, None), ec, "no SNI");
        assert_eq!(ask("127.0.0.1", true, None), ec, "an IP address");
        assert_eq!(
            ask("unknown.example.com", true, None),
            ec,
            "an unknown name"
        );
        assert_eq!(ask("unknown.example.com", true, Some(rsa_only)), rsa);
        // Not even where only another name's certificate can be checked.
        assert_eq!(ask("a.other.example.com", true, Some(rsa_only)), rsa);
    }
}

fn files(setup: &Setup) -> Authority {
    let authority = Authority::new();
    authority.sign(&setup.path().join("certs"), "a", Key::P256, &["localhost"]);
    authority
}

const FILES: &str = "gateway:\n  tls: {certificates: [{cert: certs/a.pem, key: certs/a.key}]}\n";

#[test]
fn new_files_are_taken_up_and_no_connection_is_dropped() {
    let setup = Setup::new().file("esp32s3_1.6.6.bin", "x");
    let authority = files(&setup);
    let server = setup.start(FILES);
    let first = on_disk(&server, "certs/a.pem");
    let mut kept = server.tls("localhost", Some(&authority.pem));
    assert_eq!(exchange(&mut kept, &check_in("esp32s3", "1.0")).status, 200);
    authority.sign(
        &server.dir.path().join("certs"),
        "a",
        Key::Rsa,
        &["localhost"],
    );
    server.event("certificate.replaced", &[]);
    let now = leaf(&server, &authority, "localhost", true, None, true);
    assert!(now != first && now == on_disk(&server, "certs/a.pem"));
    assert_eq!(exchange(&mut kept, &check_in("esp32s3", "1.0")).status, 200);
}

#[test]
fn a_bad_pair_is_refused_with_its_reason_and_the_last_good_one_stays() {
    let setup = Setup::new();
    let authority = files(&setup);
    let server = setup.start(FILES);
    let first = on_disk(&server, "certs/a.pem");
    let path = server.dir.path().join("certs/a.pem");
    let other = tempfile::tempdir().unwrap();
    authority.sign(other.path(), "a", Key::P256, &["localhost"]);
    for (content, why) in [
        (
            fs::read(other.path().join("a.pem")).unwrap(),
            "is not the key of",
        ),
        (
            b"-----BEGIN CERTIFICATE-----\nhalf".to_vec(),
            "holds no certificate",
        ),
        (Vec::new(), "holds no certificate"),
    ] {
        let before = server.events("certificate.not-replaced", &[]).len();
        // In one step: half of it would be found wanting for another reason.
        let draft = server.dir.path().join("certs/draft");
        fs::write(&draft, content).unwrap();
        fs::rename(&draft, &path).unwrap();
        let line = until(why, || {
            let lines = server.events("certificate.not-replaced", &[]);
            lines.into_iter().nth(before)
        });
        assert!(line.contains(why) || line.contains("PEM"), "{line}");
        assert_eq!(
            leaf(&server, &authority, "localhost", true, None, true),
            first
        );
    }
    fs::remove_file(&path).unwrap();
    server.event(
        "certificate.not-replaced",
        &[
            ("error", "pair.absent"),
            ("message", "a.pem: cannot be read"),
        ],
    );
    assert_eq!(
        leaf(&server, &authority, "localhost", true, None, true),
        first
    );
    // And a good one ends it.
    fs::copy(
        other.path().join("a.key"),
        server.dir.path().join("certs/a.key"),
    )
    .unwrap();
    fs::copy(other.path().join("a.pem"), &path).unwrap();
    server.event("certificate.replaced", &[]);
    assert_ne!(
        leaf(&server, &authority, "localhost", true, None, true),
        first
    );
}

#[test]
fn a_hangup_reads_certificates_and_firmware_again() {
    let setup = Setup::new();
    let _authority = files(&setup);
    let server = setup.start(FILES);
    server.signal("HUP");
    server.event("reload", &[]);
    server.event("certificate.same", &[]);
    assert_eq!(server.check_in("x", "1.0").status, 200);
}

#[test]
fn our_own_is_kept_and_used_again() {
    let setup = Setup::new();
    let path = setup.path().to_owned();
    let server = setup.start("");
    let own = on_disk(&server, "certs/self-signed.crt");
    let copy = tempfile::tempdir().unwrap();
    for file in ["self-signed.crt", "self-signed.key"] {
        fs::copy(path.join("certs").join(file), copy.path().join(file)).unwrap();
    }
    drop(server);
    let restart = |config: &str| {
        let setup = Setup::new();
        fs::create_dir(setup.path().join("certs")).unwrap();
        for file in ["self-signed.crt", "self-signed.key"] {
            fs::copy(
                copy.path().join(file),
                setup.path().join("certs").join(file),
            )
            .unwrap();
        }
        setup.start(config)
    };
    assert_eq!(on_disk(&restart(""), "certs/self-signed.crt"), own);
    let renamed = restart("gateway:\n  tls: {names: [new.example.com]}\n");
    assert_ne!(on_disk(&renamed, "certs/self-signed.crt"), own);
    renamed.event(
        "certificate.signed",
        &[("why", "certificate.names-changed")],
    );
}
