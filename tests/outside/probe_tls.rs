//! TLS with which a device cannot do anything, and what of it harms none.

use super::support::certificate::Key;
use super::support::chain::{Chain, Order, Tls};
use super::support::probed::{Case, Probe, hold};
use super::support::wrong::{Port, right};

const MODEM: [&str; 2] = ["--client", "ml307"];

#[test]
#[expect(clippy::too_many_lines, reason = "a table is as long as it is")]
fn certificates() {
    let self_signed = || right().chain(Chain::self_signed);
    let leaf_only = || right().chain(Chain::leaf_only);
    let elsewhere = || right().chain(|c| c.host("www.example.com"));
    let stranger = |case: Case| case.probed(Probe::distrusting);
    hold(vec![
        Case::new("a root that is trusted", right(), &[], &[]),
        Case::new("RSA", right().chain(|c| c.key(Key::Rsa)), &[], &[]),
        stranger(Case::new(
            "a private CA",
            right(),
            &[],
            &["tls fail unknown-issuer"],
        )),
        stranger(Case::new(
            "self-signed",
            self_signed(),
            &[],
            &["tls fail self-signed"],
        )),
        Case::new("self-signed, and trusted", self_signed(), &[], &[]),
        Case::new(
            "cert.pem for fullchain.pem",
            leaf_only(),
            &[],
            &["tls fail leaf-only-chain"],
        ),
        Case::new("another name", elsewhere(), &[], &["tls fail wrong-name"]),
        Case::new(
            "a wildcard",
            right().chain(|c| c.host("*.example.com")),
            &[],
            &[],
        ),
        // No device looks at dates, and browsers do.
        Case::new(
            "expired",
            right().chain(|c| c.years(2020, 2021)),
            &[],
            &["tls warn expired-certificate"],
        ),
        Case::new(
            "of tomorrow",
            right().chain(|c| c.years(2090, 2100)),
            &[],
            &["tls warn not-yet-valid"],
        ),
        Case::new(
            "Ed25519",
            right().chain(|c| c.key(Key::Ed25519)),
            &[],
            &["tls fail ed25519-certificate"],
        ),
        Case::new(
            "the upper before the lower intermediate",
            right().chain(|c| c.order(Order::Swapped)),
            &[],
            &["tls fail wrong-order"],
        ),
        Case::new(
            "somebody else's intermediate",
            right().chain(|c| c.order(Order::Stranger)),
            &[],
            &["tls fail broken-chain"],
        ),
        Case::new(
            "with its root",
            right().chain(|c| c.order(Order::WithRoot)),
            &[],
            &[],
        ),
        Case::new(
            "for clients",
            right().chain(Chain::for_clients),
            &[],
            &["tls fail not-for-servers"],
        ),
        Case::new(
            "an authority for a server",
            right().chain(Chain::of_an_authority),
            &[],
            &["tls warn odd-certificate"],
        ),
        Case::new(
            "a thousand names",
            right().chain(|c| c.more_names(1000)),
            &[],
            &["tls fail long-certificates"],
        ),
        Case::new(
            "a name in the CN",
            right().chain(Chain::without_names),
            &[],
            &["tls warn name-in-subject-only"],
        ),
        // The modem is told to look at nothing; the others are.
        Case::new(
            "another name, by modem",
            elsewhere(),
            &MODEM,
            &["tls warn wrong-name"],
        ),
        Case::new(
            "cert.pem, by modem",
            leaf_only(),
            &MODEM,
            &["tls warn leaf-only-chain"],
        ),
        // Told all the same, and gone on.
        Case::new("unlooked at", self_signed(), &[], &["tls fail self-signed"])
            .probed(|server| Probe::distrusting(server).with(&["--insecure"])),
    ]);
    let server = elsewhere().start();
    let json = Probe::of(&server).with(&MODEM).run().json();
    let tls = json["steps"]
        .as_array()
        .unwrap()
        .iter()
        .find(|s| s["step"] == "tls");
    let consequence = tls.unwrap()["consequence"].as_str().unwrap();
    let kinds = "These fail: Wi-Fi with any firmware.";
    assert!(consequence.contains(kinds), "{consequence}");
    assert!(!consequence.contains("ML307"), "{consequence}");
}

#[test]
fn handshakes() {
    hold(vec![
        Case::new(
            "TLS 1.3",
            right().tls(Tls::Only13),
            &[],
            &["tls fail tls13-only"],
        ),
        Case::new(
            "TLS 1.3, since 2.0",
            right().version("2.0.1").tls(Tls::Only13),
            &["--version", "2.0.0"],
            &["tls fail tls13-only"],
        ),
        Case::new(
            "no TLS there",
            right().port_443(Port::Plain),
            &[],
            &["tls fail wrong-scheme"],
        ),
        Case::new(
            "a redirect in plain text",
            right().port_443(Port::Redirects),
            &[],
            &["tls fail wrong-scheme"],
        ),
        Case::new(
            "TLS 1.2 with ChaCha20",
            right().tls(Tls::OnlyChacha),
            &[],
            &["tls fail chacha-only"],
        ),
        Case::new(
            "a certificate is wanted",
            right().tls(Tls::WantsCertificate),
            &[],
            &["tls fail client-certificate"],
        ),
        Case::new(
            "an alert",
            right().tls(Tls::Alert),
            &[],
            &["tls fail tls-alert"],
        ),
        Case::new(
            "closed at once",
            right().port_443(Port::Cuts),
            &[],
            &["tls fail handshake-cut"],
        ),
    ]);
}
