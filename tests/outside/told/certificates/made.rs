//! Certificates and keys for these tables, good and odd.

use super::Server;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, IsCa, Issuer,
    KeyPair, PKCS_ED25519,
};
use rustls::pki_types::ServerName;
use std::fs;
use std::path::Path;

pub(super) const HOST: &str = "ota.example.com";

/// A throw-away key on a curve that nobody here has.
pub(super) const SECP256K1: &str = "\
-----BEGIN PRIVATE KEY-----\n\
MIGEAgEAMBAGByqGSM49AgEGBSuBBAAKBG0wawIBAQQg6quyEtVJ3283PqS7y5hj\n\
N3xlirxURwBk5DwLQE6+ojihRANCAAT7lcQo9WsvldCcfaXCvHJ0eaKr9jLCzpY/\n\
5PRFMDLgWT8i6W4GfyI6fbjkNfBl6ZosOWp3bNnvFCDAsQ9inPOs\n\
-----END PRIVATE KEY-----\n\
";

/// A throw-away key that is too short for anything.
pub(super) const RSA_512: &str = "\
-----BEGIN RSA PRIVATE KEY-----\n\
MIIBPAIBAAJBAMfovJdBXjV+my4ofGXeQ7+GQhvP+bK13PtUKq7kF3JRywP2zch1\n\
RSQixNRqn3HUfPRby2sl9w4xlqMUhuGWVM0CAwEAAQJAEo+sewrJuYPQ2r9NlZPG\n\
jJDlsHlmAM7b/sX41JY/CxEdEx/zRR3FrwHh6XpgeDaEnCb9/d1TZrO/iIozCeEm\n\
QQIhAOsTpks233MpRg/qRUk0rBfIN7ynst0Z4187sxoGF8wxAiEA2bPGFLgpiewS\n\
TuDLRAogaMMmMnzMs2KGPqC779y0110CIQDO2PxzpHYcPE4lBOwwjUN8rbW1sA5o\n\
FTaH/t0K4h+gkQIhANJf0kPFb4azlUGaI3MdohH6u1fAmAOlavrsUpDJJAyVAiEA\n\
v0uRzIz/+xpshIhrboGIXZRDkPWIbFSFSGSbS3gYuhs=\n\
-----END RSA PRIVATE KEY-----\n\
";

/// A certificate of version 1, and its key.
pub(super) const VERSION_1: (&str, &str) = (
    "\
-----BEGIN CERTIFICATE-----\n\
MIIBMDCB1wIUSfXDBaXLZcCBe6ZK69guOYoGVPkwCgYIKoZIzj0EAwIwGjEYMBYG\n\
A1UEAwwPb3RhLmV4YW1wbGUuY29tMCAXDTI2MTEyNjAyMTMzOVoYDzIxMjYxMTAy\n\
MDIxMzM5WjAaMRgwFgYDVQQDDA9vdGEuZXhhbXBsZS5jb20wWTATBgcqhkjOPQIB\n\
BggqhkjOPQMBBwNCAAQiM/FBG8pmlNICiCHu/ftSxhNyg3lifjEaV0i+sGEjyCXd\n\
0YyljHF4eVwxOVZ2Z9vDqaJofyrQROwlRuqMoqMeMAoGCCqGSM49BAMCA0gAMEUC\n\
IQC9cBkKRxgKEZbrLy+mkNmYOIRcixAPX8DG3gFGu98OCAIgHD79fGE0M45LWvYS\n\
efwQ3MgrdRtK4lrnMnUOQ0oDNmo=\n\
-----END CERTIFICATE-----\n\
",
    "\
-----BEGIN PRIVATE KEY-----\n\
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgnl9oBJIu6ws7kuNa\n\
9YN8/6un+tSnZLmh5LhF1rE4FP+hRANCAAQiM/FBG8pmlNICiCHu/ftSxhNyg3li\n\
fjEaV0i+sGEjyCXd0YyljHF4eVwxOVZ2Z9vDqaJofyrQROwlRuqMoqMe\n\
-----END PRIVATE KEY-----\n\
",
);

/// A certificate and its key, whose curve's parameters are written out.
pub(super) const EXPLICIT_CURVE: &str = include_str!("explicit-curve.pem");

/// A certificate whose key is a compressed point, signed by another, and its key.
pub(super) const COMPRESSED_POINT: &str = include_str!("compressed-point.pem");

/// A certificate that ends at a part of a second, and its key.
pub(super) const DATE_FORM: &str = include_str!("date-form.pem");

/// A certificate with its key.
pub(super) struct Signed {
    pub(super) pem: String,
    pub(super) key: String,
}

pub(super) fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// Makes one that signs itself.
pub(super) fn pair() -> Signed {
    let key = KeyPair::generate().unwrap();
    Signed {
        pem: params(HOST).self_signed(&key).unwrap().pem(),
        key: key.serialize_pem(),
    }
}

/// Makes the folder of the pair another one, in one step.
pub(super) fn swap(folder: &Path, cert: &[u8], key: &[u8]) {
    let certs = folder.join("certs");
    fs::create_dir_all(&certs).unwrap();
    let pairs = tempfile::Builder::new().prefix("pair").tempdir_in(&certs);
    let pair = pairs.unwrap().keep();
    fs::write(pair.join("a.pem"), cert).unwrap();
    fs::write(pair.join("a.key"), key).unwrap();
    let draft = certs.join("draft");
    std::os::unix::fs::symlink(pair.file_name().unwrap(), &draft).unwrap();
    fs::rename(draft, certs.join("it's now")).unwrap();
}

pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// What stands between the marks.
pub(super) fn inner(pem: &str) -> String {
    let lines = pem.lines().filter(|line| !line.starts_with('-'));
    lines.collect::<Vec<_>>().join("\n")
}

pub(super) fn der(pem: &str) -> Vec<u8> {
    STANDARD.decode(inner(pem).replace('\n', "")).unwrap()
}

pub(super) fn request() -> String {
    let key = KeyPair::generate().unwrap();
    params(HOST).serialize_request(&key).unwrap().pem().unwrap()
}

pub(super) fn ed25519() -> String {
    KeyPair::generate_for(&PKCS_ED25519)
        .unwrap()
        .serialize_pem()
}

/// Returns a certificate that nobody can read, each with the reason that is told.
pub(super) fn malformed() -> Vec<(String, String, &'static str)> {
    let pem = |der: &[u8]| {
        format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            base64(der)
        )
    };
    let changed = |from: &[u8], to: &[u8]| {
        let pair = pair();
        let mut der = der(&pair.pem);
        let at = der.windows(from.len()).position(|part| part == from);
        let at = at.unwrap();
        der[at..at + to.len()].copy_from_slice(to);
        (pem(&der), pair.key)
    };
    let extension = |oid: &[u64]| {
        let key = KeyPair::generate().unwrap();
        let mut params = params(HOST);
        let mut extension = CustomExtension::from_oid_content(oid, vec![5, 0]);
        extension.set_criticality(true);
        params.custom_extensions.push(extension);
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    };
    let long = pair();
    let behind = [der(&long.pem), vec![0; 3]].concat();
    let table = [
        (
            changed(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x03"),
            "pair.version",
        ),
        // The fifteenth month, in a time of two digits for the year.
        (changed(b"\x17\x0d7501", b"\x17\x0d7515"), "pair.malformed"),
        // A time that is a number.
        (changed(b"\x17\x0d", b"\x02\x0d"), "pair.malformed"),
        ((pem(&behind), long.key), "pair.malformed"),
        (extension(&[1, 3, 6, 1, 4, 1, 99_999, 1]), "pair.extension"),
        (extension(&[1, 3, 6, 1, 5, 5, 7, 1, 24]), "pair.extension"),
        (
            extension(&[1, 3, 6, 1, 4, 1, 11_129, 2, 4, 3]),
            "pair.extension",
        ),
    ];
    table
        .into_iter()
        .map(|((cert, key), why)| (cert, key, why))
        .collect()
}

/// A throw-away RSA key as Windows keeps it.
pub(super) fn pvk() -> Vec<u8> {
    let der = der(RSA_512);
    // Version, modulus, exponents, primes, their exponents, coefficient.
    let mut numbers = Vec::new();
    let mut rest = &der[4..];
    while let [2, length, behind @ ..] = rest {
        let (number, behind) = behind.split_at(usize::from(*length));
        numbers.push(number);
        rest = behind;
    }
    let little = |number: &[u8], length: usize| {
        let mut bytes: Vec<u8> = number.iter().rev().copied().collect();
        bytes.resize(length, 0);
        bytes
    };
    let mut blob = b"\x07\x02\0\0\0\xa4\0\0RSA2\0\x02\0\0\x01\0\x01\0".to_vec();
    for (i, length) in [
        (1, 64),
        (4, 32),
        (5, 32),
        (6, 32),
        (7, 32),
        (8, 32),
        (3, 64),
    ] {
        blob.extend(little(numbers[i], length));
    }
    blob
}

/// A leaf, and two authorities above it.
pub(super) struct Tree {
    pub(super) leaf: Signed,
    pub(super) lower: String,
    pub(super) upper: String,
}

impl Tree {
    pub(super) fn new() -> Self {
        let authority = |name: &str| {
            let mut params = params(name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params
        };
        let [root_key, upper_key, lower_key, key] = [(); 4].map(|()| KeyPair::generate().unwrap());
        let root = Issuer::new(authority("root"), root_key);
        let upper = authority("upper").signed_by(&upper_key, &root).unwrap();
        let above = Issuer::new(authority("upper"), upper_key);
        let lower = authority("lower").signed_by(&lower_key, &above).unwrap();
        let above = Issuer::new(authority("lower"), lower_key);
        let leaf = params(HOST).signed_by(&key, &above).unwrap();
        Self {
            leaf: Signed {
                pem: leaf.pem(),
                key: key.serialize_pem(),
            },
            lower: lower.pem(),
            upper: upper.pem(),
        }
    }
}

/// The certificates that a client is sent.
pub(super) fn sent(server: &Server) -> Vec<Vec<u8>> {
    let config = super::super::tls::lenient();
    let name = ServerName::try_from(HOST).unwrap();
    let mut connection = rustls::ClientConnection::new(config, name).unwrap();
    connection.complete_io(&mut server.tcp()).unwrap();
    let sent = connection.peer_certificates().unwrap();
    sent.iter().map(|der| der.to_vec()).collect()
}
