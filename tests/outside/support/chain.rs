//! Certificate chains that a device would not take, and what TLS is spoken with
//! them.

use super::certificate::{Key, key_pair};
use super::wrong::HOST;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, RootCertStore, ServerConfig};
use std::sync::Arc;

/// What TLS a port speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tls {
    /// 1.2 and 1.3.
    Both,
    /// 1.3.
    Only13,
    /// 1.2 with ChaCha20-Poly1305.
    OnlyChacha,
    /// 1.2 and 1.3, for clients with a certificate of their own.
    WantsCertificate,
    /// An alert in answer to every greeting.
    Alert,
}

/// What is sent behind the leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// The intermediate.
    Right,
    /// Nothing: `cert.pem` in place of `fullchain.pem`.
    Alone,
    /// The intermediate and the root.
    WithRoot,
    /// Of two intermediates the upper one first.
    Swapped,
    /// The intermediate of another authority.
    Stranger,
}

/// Root, intermediate and leaf. Every test says only what is wrong with them.
#[derive(Debug, Clone)]
pub(crate) struct Chain {
    host: String,
    common_name: String,
    key: Key,
    years: (i32, i32),
    self_signed: bool,
    order: Order,
    usage: ExtendedKeyUsagePurpose,
    names: bool,
    more_names: usize,
    is_authority: bool,
}

impl Chain {
    /// One that a device takes if it trusts the root.
    pub(crate) fn new() -> Self {
        Self {
            host: HOST.to_owned(),
            common_name: HOST.to_owned(),
            key: Key::P256,
            years: (2020, 2100),
            self_signed: false,
            order: Order::Right,
            usage: ExtendedKeyUsagePurpose::ServerAuth,
            names: true,
            more_names: 0,
            is_authority: false,
        }
    }

    pub(crate) fn host(self, host: &str) -> Self {
        Self {
            host: host.to_owned(),
            ..self
        }
    }

    /// What nobody looks at but who reads the certificate.
    pub(crate) fn common_name(self, name: &str) -> Self {
        Self {
            common_name: name.to_owned(),
            ..self
        }
    }

    pub(crate) fn key(self, key: Key) -> Self {
        Self { key, ..self }
    }

    /// Valid from the first year's begin to the second one's.
    pub(crate) fn years(self, from: i32, to: i32) -> Self {
        Self {
            years: (from, to),
            ..self
        }
    }

    pub(crate) fn self_signed(self) -> Self {
        Self {
            self_signed: true,
            ..self
        }
    }

    pub(crate) fn order(self, order: Order) -> Self {
        Self { order, ..self }
    }

    pub(crate) fn leaf_only(self) -> Self {
        self.order(Order::Alone)
    }

    pub(crate) fn for_clients(self) -> Self {
        Self {
            usage: ExtendedKeyUsagePurpose::ClientAuth,
            ..self
        }
    }

    /// No `subjectAltName`.
    pub(crate) fn without_names(self) -> Self {
        Self {
            names: false,
            ..self
        }
    }

    /// Others beside its own.
    pub(crate) fn more_names(self, more_names: usize) -> Self {
        Self { more_names, ..self }
    }

    /// `CA:TRUE`.
    pub(crate) fn of_an_authority(self) -> Self {
        Self {
            is_authority: true,
            ..self
        }
    }

    /// The root's PEM, and a server's configuration.
    pub(crate) fn issue(&self, tls: Tls) -> (String, Arc<ServerConfig>) {
        let (root, root_issuer) = authority("Test Root", None);
        let (middle, issuer) = authority("Test Intermediate", Some(&root_issuer));
        let (lower, lower_issuer) = authority("Lower Intermediate", Some(&issuer));
        let swapped = self.order == Order::Swapped;
        let issuer = if swapped { lower_issuer } else { issuer };
        let key = key_pair(self.key);
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, self.common_name.as_str());
        if self.names {
            let name = SanType::DnsName(self.host.as_str().try_into().unwrap());
            params.subject_alt_names.push(name);
        }
        for n in 0..self.more_names {
            let name = format!("device-{n:04}.example.com").try_into().unwrap();
            params.subject_alt_names.push(SanType::DnsName(name));
        }
        if self.is_authority {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![self.usage.clone()];
        params.not_before = date_time_ymd(self.years.0, 1, 1);
        params.not_after = date_time_ymd(self.years.1, 1, 1);
        let leaf = if self.self_signed {
            params.self_signed(&key).unwrap()
        } else {
            params.signed_by(&key, &issuer).unwrap()
        };
        let mut chain = vec![leaf.der().clone()];
        let (middle, top) = (middle.der().clone(), root.der().clone());
        match self.order {
            _ if self.self_signed => {}
            Order::Alone => {}
            Order::Right => chain.push(middle),
            Order::WithRoot => chain.extend([middle, top]),
            Order::Swapped => chain.extend([middle, lower.der().clone()]),
            Order::Stranger => {
                let (_, stranger) = authority("Another Root", None);
                let (other, _) = authority("Another Intermediate", Some(&stranger));
                chain.push(other.der().clone());
            }
        }
        let trusted = if self.self_signed { &leaf } else { &root };
        (trusted.pem(), config(tls, chain, &key, root.der()))
    }
}

fn authority(
    name: &str,
    above: Option<&Issuer<'static, KeyPair>>,
) -> (Certificate, Issuer<'static, KeyPair>) {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.use_authority_key_identifier_extension = true;
    let key = key_pair(Key::P256);
    let certificate = match above {
        Some(issuer) => params.signed_by(&key, issuer).unwrap(),
        None => params.self_signed(&key).unwrap(),
    };
    (certificate, Issuer::new(params, key))
}

#[derive(Debug)]
struct Nothing;

impl ResolvesServerCert for Nothing {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        None
    }
}

fn config(
    tls: Tls,
    chain: Vec<CertificateDer<'static>>,
    key: &KeyPair,
    clients: &CertificateDer<'static>,
) -> Arc<ServerConfig> {
    let mut provider = aws_lc_rs::default_provider();
    if tls == Tls::OnlyChacha {
        provider.cipher_suites.retain(|suite| {
            matches!(
                suite.suite(),
                CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
            )
        });
    }
    let versions: &[_] = match tls {
        Tls::Only13 => &[&TLS13],
        Tls::OnlyChacha => &[&TLS12],
        Tls::Both | Tls::Alert | Tls::WantsCertificate => &[&TLS12, &TLS13],
    };
    let provider = Arc::new(provider);
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .unwrap();
    let builder = if tls == Tls::WantsCertificate {
        let mut roots = RootCertStore::empty();
        roots.add(clients.clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        builder.with_client_cert_verifier(verifier.build().unwrap())
    } else {
        builder.with_no_client_auth()
    };
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    Arc::new(if tls == Tls::Alert {
        builder.with_cert_resolver(Arc::new(Nothing))
    } else {
        builder.with_single_cert(chain, key).unwrap()
    })
}
