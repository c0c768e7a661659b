//! Reasons of handshakes that failed: what client and server do not have in common, or
//! what the client said when it left.

use super::cipher_suites;
use super::handshake::{Cause, Failure, Stage};
use super::hello::{Hello, TLS13, is_grease};
use super::server_name;
use super::shown::{list, shown};
use crate::event::text::Text;
use crate::event::{Event, Value, event};
use crate::util::alert::alert_name;
use rustls::crypto::CryptoProvider;
use rustls::{
    AlertDescription, Error, InvalidMessage, NamedGroup, PeerIncompatible, PeerMisbehaved,
    ServerConfig, SignatureScheme,
};
use std::net::SocketAddr;

const SSL2: u16 = 0x0002;
const TLS12: u16 = 0x0303;
/// Message of rustls where none of our certificates is one that the client can check.
const UNRESOLVED: &str = "no server certificate chain resolved";

/// Names the reason of a handshake that failed.
pub(super) fn reason(failure: &Failure, peer: SocketAddr, config: &ServerConfig) -> Event {
    let stage = match failure.stage {
        Stage::Hello => Text::new(
            "在它的第一条消息完整之前",
            "before its first message had come whole",
        ),
        Stage::Waiting => return crowded(failure, peer),
        Stage::Answered => Text::new("在我方证书发出之后", "after our certificate had gone out"),
    };
    let error = match &failure.cause {
        Cause::Late => return event!(TLS_LATE, peer = peer, stage = stage),
        Cause::Ended => return event!(TLS_ENDED, peer = peer, stage = stage),
        Cause::Tls(Error::AlertReceived(alert)) => return left(*alert, peer, stage),
        Cause::Tls(error) => error,
    };
    let hello = Hello::read(&failure.hello);
    let found = hello.and_then(|hello| match error {
        Error::PeerMisbehaved(PeerMisbehaved::ServerNameMustContainOneHostName)
        | Error::InvalidMessage(InvalidMessage::InvalidServerName) => {
            let fault = server_name::fault(&hello)
                .unwrap_or(Text::new("不是主机名", "that is no host name"));
            Some(server_name::event(&hello, peer, fault))
        }
        Error::InvalidMessage(_) => malformed(&hello, peer),
        Error::PeerIncompatible(
            PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled
            | PeerIncompatible::NoCipherSuitesInCommon
            | PeerIncompatible::NoKxGroupsInCommon
            | PeerIncompatible::NoSignatureSchemesInCommon
            | PeerIncompatible::SignatureAlgorithmsExtensionRequired,
        ) => Some(lacking(&hello, peer, config.crypto_provider())),
        Error::General(text) if text == UNRESOLVED => {
            Some(lacking(&hello, peer, config.crypto_provider()))
        }
        _ => None,
    });
    found.unwrap_or_else(|| match error {
        Error::PeerIncompatible(_) => {
            event!(TLS_REFUSED, peer = peer, error = error.to_string())
        }
        _ => event!(TLS_BROKEN, peer = peer, error = error.to_string()),
    })
}

/// Tells of a client whose turn did not come: it has seen nothing of us, our certificate
/// neither.
fn crowded(failure: &Failure, peer: SocketAddr) -> Event {
    let end = match failure.cause {
        Cause::Late => Text::new(
            "未能及时轮到它（gateway.limits.handshake）",
            "the client's turn did not come in time (gateway.limits.handshake)",
        ),
        Cause::Ended | Cause::Tls(_) => Text::new(
            "还没轮到它，它就断开了",
            "the client left before its turn came",
        ),
    };
    let (others, own) = (failure.crowd.all, failure.crowd.own);
    event!(
        TLS_CROWDED,
        peer = peer,
        end = end,
        others = others,
        own = own
    )
}

/// Tells of a client that begins as SSL 2.0 has it, and says the highest version that it
/// speaks there.
pub(super) fn ssl2(peer: SocketAddr, highest: Option<u16>) -> Event {
    let highest = highest.unwrap_or(SSL2);
    if highest >= TLS12 {
        event!(
            TLS_SSL2_HELLO,
            peer = peer,
            version = named_version(highest)
        )
    } else {
        event!(TLS_OLD, peer = peer, version = named_version(highest))
    }
}

/// Names what is wrong with the lists that rustls reads itself.
fn malformed(hello: &Hello, peer: SocketAddr) -> Option<Event> {
    let protocols = hello.protocols.as_deref();
    if protocols.is_some_and(|list| list.is_empty() || list.iter().any(Vec::is_empty)) {
        return Some(event!(TLS_PROTOCOLS, peer = peer));
    }
    let fault = server_name::fault(hello)?;
    Some(server_name::event(hello, peer, fault))
}

/// Names what client and server do not have in common.
fn lacking(hello: &Hello, peer: SocketAddr, ours: &CryptoProvider) -> Event {
    let version = if hello.speaks(TLS13) {
        TLS13
    } else if hello.speaks(TLS12) {
        TLS12
    } else {
        return event!(TLS_OLD, peer = peer, version = version(hello));
    };
    if hello.protocols.as_deref() == Some(&[super::hello::CHALLENGE.to_vec()]) {
        let name = hello.names.as_ref().and_then(|names| names.first());
        let name = name.map(|name| shown(name));
        return event!(TLS_NO_CHALLENGE, peer = peer, name = name);
    }
    let is_common = |suite: &u16| {
        let suites = ours.cipher_suites.iter();
        let mut suites = suites.filter(|ours| u16::from(ours.version().version) == version);
        suites.any(|ours| u16::from(ours.suite()) == *suite)
    };
    if !hello.suites.iter().any(is_common) {
        return cipher_suites::event(hello, peer, version);
    }
    let groups = hello.groups.as_deref().unwrap_or_default();
    let has_group = |group: &u16| {
        let mut known = ours.kx_groups.iter();
        known.any(|known| u16::from(known.name()) == *group)
    };
    if !groups.iter().any(has_group) {
        let names = groups.iter().copied().filter(|group| !is_grease(*group));
        let names = names.map(|group| match NamedGroup::from(group) {
            NamedGroup::Unknown(_) => old_group(group),
            known => format!("{known:?}"),
        });
        let offered = offered(hello.groups.is_some(), names.collect(), NO_GROUPS);
        return event!(TLS_GROUPS, peer = peer, offered = offered);
    }
    signatures(hello, peer, version)
}

/// Names the keys of which the client could check a signature: nobody here has one.
fn signatures(hello: &Hello, peer: SocketAddr, version: u16) -> Event {
    let schemes = hello.schemes.as_deref().unwrap_or_default();
    // In TLS 1.2 the cipher suite says whose signature it is, too.
    let has_suite = |kind: &str| {
        let mut names = hello
            .suites
            .iter()
            .filter_map(|suite| cipher_suites::named(*suite));
        version == TLS13
            || names.any(|name| name.starts_with(kind) && cipher_suites::is_modern(name))
    };
    let (rsa, ecdsa) = (has_suite("TLS_ECDHE_RSA_"), has_suite("TLS_ECDHE_ECDSA_"));
    let rsa = rsa
        && schemes.iter().any(|scheme| match scheme {
            0x0804..=0x0806 => true,
            0x0401 | 0x0501 | 0x0601 => version == TLS12,
            _ => false,
        });
    let curves = [
        (0x0403, "ECDSA P-256"),
        (0x0503, "ECDSA P-384"),
        (0x0603, "ECDSA P-521"),
    ];
    let curves = curves
        .into_iter()
        .filter(|(scheme, _)| ecdsa && schemes.contains(scheme));
    let mut wanted: Vec<_> = curves.map(|(_, name)| name.to_owned()).collect();
    if rsa {
        wanted.insert(0, "RSA".to_owned());
    }
    // In TLS 1.2 they name the hash alone, and rustls signs with that of the key's curve.
    if version == TLS12 && !wanted.is_empty() && !rsa && !schemes.contains(&0x0403) {
        let hashes = [(0x0503, "SHA-384"), (0x0603, "SHA-512")];
        let hashes = hashes.iter().filter(|(scheme, _)| schemes.contains(scheme));
        let hashes: Vec<_> = hashes.map(|(_, hash)| *hash).collect();
        return event!(TLS_HASH, peer = peer, wanted = &*hashes);
    }
    if wanted.is_empty() {
        let names = schemes.iter().copied().filter(|scheme| !is_grease(*scheme));
        let names = names.map(|scheme| match SignatureScheme::from(scheme).as_str() {
            Some(name) => name.to_owned(),
            None => format!("0x{scheme:04x}"),
        });
        let offered = offered(hello.schemes.is_some(), names.collect(), NO_SCHEMES);
        return event!(TLS_SIGNATURES, peer = peer, offered = offered);
    }
    event!(
        TLS_KEY_TYPE,
        peer = peer,
        wanted = &*wanted,
        kind = if rsa { "rsa" } else { "ecdsa" }
    )
}

/// Names the version that the client speaks.
fn version(hello: &Hello) -> String {
    let versions = hello.versions.iter().flatten().copied();
    let highest = versions.filter(|version| !is_grease(*version)).max();
    named_version(highest.unwrap_or(hello.version))
}

fn named_version(version: u16) -> String {
    match version {
        0x0002 => "SSL 2.0".to_owned(),
        0x0300 => "SSL 3.0".to_owned(),
        0x0301 => "TLS 1.0".to_owned(),
        0x0302 => "TLS 1.1".to_owned(),
        TLS12 => "TLS 1.2".to_owned(),
        TLS13 => "TLS 1.3".to_owned(),
        0x7f00..=0x7fff => format!("TLS 1.3 draft {}", version & 0xff),
        _ => format!("0x{version:04x}"),
    }
}

/// Names a group that rustls does not know.
fn old_group(group: u16) -> String {
    match group {
        0x0013 => "secp192r1".to_owned(),
        0x0015 => "secp224r1".to_owned(),
        0x0016 => "secp256k1".to_owned(),
        0x001a => "brainpoolP256r1".to_owned(),
        0x001b => "brainpoolP384r1".to_owned(),
        0x001c => "brainpoolP512r1".to_owned(),
        _ => format!("0x{group:04x}"),
    }
}

const NO_GROUPS: Text = Text::new(
    "0 条（它没有发送 supported_groups 扩展）",
    "none (it sends no extension supported_groups)",
);
const NO_SCHEMES: Text = Text::new(
    "0 种（它没有发送 signature_algorithms 扩展）",
    "none (it sends no extension signature_algorithms)",
);

/// Shows what is offered, or that there `is` no such list at all.
fn offered(is: bool, names: Vec<String>, no_list: Text) -> Value {
    if is { list(names) } else { no_list.into() }
}

/// Says what a client meant by the alert with which it left.
fn left(alert: AlertDescription, peer: SocketAddr, stage: Text) -> Event {
    use AlertDescription as A;
    let name = alert_name(alert);
    let distrust = match alert {
        // mbedTLS sends the second where Espressif's bundle finds no root.
        A::UnknownCA | A::AccessDenied => event!(DISTRUST_AUTHORITY),
        A::BadCertificate => event!(DISTRUST_NAME),
        A::CertificateExpired => event!(DISTRUST_TIME),
        A::CertificateRevoked => event!(DISTRUST_REVOKED),
        A::UnsupportedCertificate => event!(DISTRUST_KIND),
        A::CertificateUnknown | A::CertificateUnobtainable | A::NoCertificate => {
            event!(DISTRUST_SILENT)
        }
        A::CloseNotify | A::UserCanceled => {
            return event!(TLS_ENDED, peer = peer, stage = stage);
        }
        other => {
            let why = match other {
                A::HandshakeFailure
                | A::InsufficientSecurity
                | A::ProtocolVersion
                | A::IllegalParameter
                | A::UnsupportedExtension
                | A::MissingExtension
                | A::NoApplicationProtocol
                | A::UnrecognisedName => event!(ALERT_NO_GROUND),
                A::DecodeError | A::UnexpectedMessage | A::RecordOverflow => {
                    event!(ALERT_UNREADABLE)
                }
                A::BadRecordMac | A::DecryptError | A::DecryptionFailed => event!(ALERT_DAMAGED),
                A::InternalError => event!(ALERT_MEMORY),
                _ => event!(ALERT_OTHER),
            };
            return event!(TLS_ALERT, peer = peer, alert = name, why = why);
        }
    };
    event!(
        CERTIFICATE_DISTRUSTED,
        peer = peer,
        alert = name,
        why = distrust
    )
}

#[cfg(test)]
mod tests {
    use super::super::hello::made::{extension, hello, list, long};
    use super::*;
    use crate::event::text::Lang;
    use proptest::prelude::*;
    use rustls::crypto::aws_lc_rs::{self, kx_group};

    const PEER: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7);
    /// ECDHE with AES-GCM, for ECDSA and for RSA.
    const GOOD: [u16; 2] = [0xc02b, 0xc02f];

    fn found(bytes: &[u8]) -> Event {
        let mut provider = aws_lc_rs::default_provider();
        provider.kx_groups = vec![kx_group::X25519, kx_group::SECP256R1];
        lacking(&Hello::read(bytes).unwrap(), PEER, &provider)
    }

    fn extensions(groups: &[u16], schemes: &[u16]) -> Vec<u8> {
        [extension(10, &list(groups)), extension(13, &list(schemes))].concat()
    }

    #[test]
    fn what_is_not_in_common_is_named() {
        let usual = extensions(&[29, 23], &[0x0403, 0x0401]);
        let rsa = extensions(&[29, 23], &[0x0401, 0x0804]);
        let tls13 = [usual.clone(), extension(43, &[2, 3, 4])].concat();
        let draft = [usual.clone(), extension(43, &[2, 0x7f, 28])].concat();
        let challenge = [usual.clone(), extension(16, &long(b"\x0aacme-tls/1"))].concat();
        for (bytes, id, shows) in [
            (hello(0x0302, &GOOD, &usual), "tls.old-version", "TLS 1.1"),
            (hello(0x0301, &[0x2f], &[]), "tls.old-version", "TLS 1.0"),
            (hello(0x0300, &[0x2f], &[]), "tls.old-version", "SSL 3.0"),
            (hello(0x0303, &GOOD, &draft), "tls.old-version", "draft 28"),
            (
                hello(0x0303, &[0x2f, 0x9c, 0xff], &usual),
                "tls.cipher-suites",
                "forward secrecy",
            ),
            (
                hello(0x0303, &[0x9e], &usual),
                "tls.cipher-suites",
                "DHE only",
            ),
            (
                hello(0x0303, &[0xc013, 0xc009], &usual),
                "tls.cipher-suites",
                "CBC",
            ),
            (
                hello(0x0303, &GOOD, &tls13),
                "tls.cipher-suites",
                "AES_128_GCM",
            ),
            (
                hello(0x0303, &GOOD, &extensions(&[25, 26, 256], &[0x0401])),
                "tls.groups",
                "secp521r1, brainpoolP256r1, FFDHE2048",
            ),
            (
                hello(0x0303, &GOOD, &extension(13, &list(&[0x0401]))),
                "tls.groups",
                "-",
            ),
            (hello(0x0303, &GOOD, &rsa), "tls.key-type", "RSA keys only"),
            (
                hello(0x0303, &[0xc02f], &usual),
                "tls.key-type",
                "RSA keys only",
            ),
            (
                hello(0x0303, &[0xc02b], &usual),
                "tls.key-type",
                "ECDSA P-256 keys only",
            ),
            (
                hello(0x0303, &GOOD, &extensions(&[29], &[0x0503])),
                "tls.hash",
                "with SHA-384 only",
            ),
            (
                hello(0x0303, &GOOD, &extensions(&[29], &[0x0503, 0x0603])),
                "tls.hash",
                "with SHA-384, SHA-512 only",
            ),
            (
                hello(
                    0x0303,
                    &[0x1301],
                    &[extensions(&[29], &[0x0503]), extension(43, &[2, 3, 4])].concat(),
                ),
                "tls.key-type",
                "ECDSA P-384 keys only",
            ),
            (
                hello(0x0303, &GOOD, &extensions(&[29], &[0x0201])),
                "tls.signatures",
                "RSA_PKCS1_SHA1",
            ),
            (
                hello(0x0303, &GOOD, &extension(10, &list(&[29]))),
                "tls.signatures",
                "-",
            ),
            (hello(0x0303, &GOOD, &challenge), "tls.no-challenge", ""),
        ] {
            let event = found(&bytes);
            assert_eq!(event.kind.id, id, "{event}");
            assert!(event.to_string().contains(shows), "{shows}: {event}");
            assert!(!event.message(Lang::Zh).is_empty());
        }
    }

    proptest! {
        #[test]
        fn every_failure_has_a_reason(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            alert in any::<u8>(),
        ) {
            let text = left(AlertDescription::from(alert), PEER, Text::new("", "")).to_string();
            prop_assert!(!text.is_empty());
            prop_assert!(!shown(&bytes).contains('\n'));
        }
    }
}
