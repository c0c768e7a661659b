//! Cipher suites that clients offer, and what they lack where none is spoken here.

use super::hello::{Hello, TLS13, is_grease};
use super::shown::list;
use crate::event::text::Text;
use crate::event::{Event, event};
use rustls::CipherSuite;
use std::net::SocketAddr;

/// Says what the client's cipher suites lack.
pub(super) fn event(hello: &Hello, peer: SocketAddr, version: u16) -> Event {
    // Two of them are signals, and no suites (RFC 5746, RFC 7507).
    let is_suite = |suite: &u16| !is_grease(*suite) && ![0x00ff, 0x5600].contains(suite);
    let offered: Vec<_> = hello.suites.iter().copied().filter(is_suite).collect();
    let names = offered.iter().map(|suite| match named(*suite) {
        Some(name) => name.to_owned(),
        None => format!("0x{suite:04x}"),
    });
    let names: Vec<_> = names.collect();
    let has = |begins: &str| names.iter().any(|name| name.starts_with(begins));
    let lacks = if offered.is_empty() {
        Text::new(
            "一个也没有（列表是空的）",
            "there is none: the list is empty",
        )
    } else if offered.iter().all(|suite| is_chinese(*suite)) {
        Text::new(
            "只有国密套件（SM4），而这里用国际算法",
            "none but those of China's SM4, which are not spoken here",
        )
    } else if has("TLS13_") && version != TLS13 {
        Text::new(
            "只有 TLS 1.3 的套件可用，而它没有提供 TLS 1.3",
            "none but those of TLS 1.3 would do, and it does not offer TLS 1.3",
        )
    } else if version == TLS13 {
        Text::new(
            "没有 TLS 1.3 的 AES-GCM 或 ChaCha20 套件，而它提供了 TLS 1.3",
            "none of TLS 1.3 with AES-GCM or ChaCha20, and it offers TLS 1.3",
        )
    } else if has("TLS_ECDHE_") {
        Text::new(
            "没有使用 AES-GCM 或 ChaCha20 的套件（只有 CBC、CCM 等）",
            "none with AES-GCM or ChaCha20 (CBC or CCM only)",
        )
    } else if has("TLS_DHE_") {
        Text::new(
            "没有 ECDHE（只有 DHE）",
            "none with ECDHE (the key exchange is DHE only)",
        )
    } else if offered
        .iter()
        .any(|suite| CipherSuite::from(*suite).as_str().is_some())
    {
        Text::new(
            "没有前向保密（密钥交换用静态 RSA 等，没有 ECDHE）",
            "none with forward secrecy (the key exchange is static RSA or the like, and no ECDHE)",
        )
    } else {
        Text::new("没有这里认识的套件", "none that is known here")
    };
    let shown = (!names.is_empty()).then(|| list(names));
    event!(
        TLS_CIPHER_SUITES,
        peer = peer,
        lacks = lacks,
        offered = shown
    )
}

/// Returns a suite's name, where rustls knows it, or people would not by its number.
pub(super) fn named(suite: u16) -> Option<&'static str> {
    Some(match suite {
        0x00c6 => "TLS_SM4_GCM_SM3",
        0x00c7 => "TLS_SM4_CCM_SM3",
        0xe011 => "ECDHE_SM4_CBC_SM3",
        0xe013 => "ECC_SM4_CBC_SM3",
        0xe051 => "ECDHE_SM4_GCM_SM3",
        0xe053 => "ECC_SM4_GCM_SM3",
        0xcc13 => "ECDHE_RSA_CHACHA20 (draft)",
        0xcc14 => "ECDHE_ECDSA_CHACHA20 (draft)",
        0xcc15 => "DHE_RSA_CHACHA20 (draft)",
        _ => return CipherSuite::from(suite).as_str(),
    })
}

/// Returns whether a suite is one of SM4's, in TLS 1.3 or in China's own TLCP.
fn is_chinese(suite: u16) -> bool {
    named(suite).is_some_and(|name| name.contains("SM4"))
}

/// Returns whether a suite of this name encrypts as is done today.
pub(super) fn is_modern(suite: &str) -> bool {
    suite.contains("_GCM_") || suite.contains("CHACHA20")
}
