//! Throw-away certificates.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256, SanType,
};
use std::fs;
use std::net::IpAddr;
use std::path::Path;

/// The key of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    P256,
    Rsa,
    Ed25519,
}

pub(super) fn key_pair(key: Key) -> KeyPair {
    KeyPair::generate_for(match key {
        Key::P256 => &PKCS_ECDSA_P256_SHA256,
        Key::Rsa => &PKCS_RSA_SHA256,
        Key::Ed25519 => &PKCS_ED25519,
    })
    .unwrap()
}

/// An authority that signs for tests.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate, as PEM.
    pub(crate) pem: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = key_pair(Key::P256);
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// Writes `{name}.pem` and `{name}.key` into `dir`, for host names and IP
    /// addresses; an address stands there as a host name too, as old mbedTLS
    /// needs it.
    pub(crate) fn sign(&self, dir: &Path, name: &str, key: Key, hosts: &[&str]) {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        for host in hosts {
            if let Ok(ip) = host.parse::<IpAddr>() {
                params.subject_alt_names.push(SanType::IpAddress(ip));
            }
            params
                .subject_alt_names
                .push(SanType::DnsName((*host).try_into().unwrap()));
        }
        let key = key_pair(key);
        let chain = params.signed_by(&key, &self.issuer).unwrap().pem() + &self.pem;
        fs::create_dir_all(dir).unwrap();
        fs::write(dir.join(format!("{name}.pem")), chain).unwrap();
        fs::write(dir.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
}
