//! Chains that are judged.
use super::*;
use crate::probe::report::StepVerdict;
use crate::probe::tls::tests::{Authority, HOST, WIFI, ca, ids, params};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, date_time_ymd,
};

/// 2026-06-01.
const NOW: i64 = 1_780_272_000;

/// Judges a chain at [`NOW`], by a device that knows `device` and a
/// browser that knows `all`.
fn found(
    chain: &[CertificateDer<'_>],
    device: &[&CertificateDer<'static>],
    all: &[&CertificateDer<'static>],
) -> Vec<(&'static str, StepVerdict)> {
    let anchors = |roots: &[&CertificateDer<'static>]| {
        let anchor = |der| webpki::anchor_from_trusted_cert(der).unwrap().to_owned();
        roots.iter().copied().map(anchor).collect()
    };
    let roots = Roots {
        all: anchors(all),
        device: anchors(device),
        extra: Vec::new(),
    };
    ids(&judge(chain, HOST, NOW, &roots, WIFI).findings)
}

#[test]
fn the_end_of_the_chain_decides() {
    let (old, new) = (Authority::root("old"), Authority::root("new"));
    let crossed = new.crossed("new", &old);
    let middle = Authority::below("middle", &new);
    let (leaf, m) = (middle.leaf().chain.remove(0), middle.own.clone());
    let (knows_old, knows_new) = (&[&old.own][..], &[&new.own][..]);
    let both = &[&old.own, &new.own][..];

    // The cross-signed certificate is what leads an old device to its root ...
    let whole = [leaf.clone(), m.clone(), crossed.clone()];
    assert_eq!(found(&whole, knows_old, both), []);
    // ... without it there is only the new one ...
    let short = [leaf.clone(), m.clone()];
    let lacking = [("root-not-in-espressif-bundle", StepVerdict::Fail)];
    assert_eq!(found(&short, knows_old, both), lacking);
    // ... and it leads a device astray that knows the new root alone.
    let astray = [("cross-signed-root", StepVerdict::Fail)];
    assert_eq!(found(&whole, knows_new, both), astray);
    assert_eq!(found(&short, knows_new, both), []);

    let upside_down = [leaf.clone(), crossed.clone(), m.clone()];
    let order = [("wrong-order", StepVerdict::Fail)];
    assert_eq!(found(&upside_down, knows_old, both), order);
    // Where the bundle knows the issuer of the last one, order does not matter.
    let root_first = [leaf.clone(), new.own.clone(), m.clone()];
    assert_eq!(found(&root_first, knows_new, both), []);

    let ed25519 = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let signer = Authority {
        own: ca("ed").self_signed(&ed25519).unwrap().into(),
        issuer: Issuer::new(ca("ed"), ed25519),
    };
    let chain = signer.leaf().chain;
    let unreadable = [("ed25519-certificate", StepVerdict::Fail)];
    assert_eq!(found(&chain, knows_old, both), unreadable);

    let stranger = Authority::root("stranger").own;
    let torn = [leaf.clone(), stranger.clone()];
    let broken = [("broken-chain", StepVerdict::Fail)];
    assert_eq!(found(&torn, knows_new, both), broken);
    // One of the same name that did not sign it.
    let namesake = Authority::below("middle", &new).own;
    assert_eq!(found(&[leaf, namesake], knows_new, both), broken);
}

#[test]
fn roots_that_are_known_by_name() {
    let google = Authority::root("GlobalSign Root CA");
    let middle = Authority::below("middle", &google);
    let chain = middle.leaf().with(&[&middle.own]).chain;
    assert_eq!(found(&chain, &[], &[]), [("old-root", StepVerdict::Warn)]);

    let mut params = ca("Root YE");
    params
        .distinguished_name
        .push(DnType::OrganizationName, "ISRG");
    let issuer = Issuer::new(params, KeyPair::generate().unwrap());
    let key = KeyPair::generate().unwrap();
    let below = ca("YE1").signed_by(&key, &issuer).unwrap().into();
    let middle = Authority {
        issuer: Issuer::new(ca("YE1"), key),
        own: below,
    };
    let chain = middle.leaf().with(&[&middle.own]).chain;
    let lacking = [("root-not-in-espressif-bundle", StepVerdict::Fail)];
    assert_eq!(found(&chain, &[], &[]), lacking);

    let trustasia = Authority::root("TrustAsia TLS RSA Root CA");
    let chain = trustasia.leaf().chain;
    let known = &[&trustasia.own][..];
    let some = [("root-not-in-espressif-bundle", StepVerdict::Warn)];
    assert_eq!(found(&chain, known, known), some);
}

#[test]
fn dates_are_told_of_and_do_not_count() {
    let root = Authority::root("root");
    let known = &[&root.own][..];
    for (from, until, id) in [
        (2020, 2025, "expired-certificate"),
        (2027, 2030, "not-yet-valid"),
    ] {
        let mut params = params(&[HOST]);
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let chain = root.sign(&params, &PKCS_ECDSA_P256_SHA256).chain;
        assert_eq!(found(&chain, known, known), [(id, StepVerdict::Warn)]);
        let unknown = found(&chain, &[], &[]);
        assert_eq!(
            unknown,
            [
                ("unknown-issuer", StepVerdict::Fail),
                (id, StepVerdict::Warn)
            ]
        );
    }
}

#[test]
fn what_a_leaf_says_of_itself() {
    let root = Authority::root("root");
    let known = &[&root.own][..];
    let leaf = |change: &dyn Fn(&mut CertificateParams)| {
        let mut params = params(&[HOST]);
        change(&mut params);
        root.sign(&params, &PKCS_ECDSA_P256_SHA256).chain
    };

    let chain = leaf(&|p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]);
    let usage = [("not-for-servers", StepVerdict::Fail)];
    assert_eq!(found(&chain, known, known), usage);

    let chain = leaf(&|p| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    let odd = [("odd-certificate", StepVerdict::Warn)];
    assert_eq!(found(&chain, known, known), odd);
    let unknown = [("unknown-issuer", StepVerdict::Fail)];
    assert_eq!(found(&chain, &[], &[]), unknown);

    let chain = leaf(&|p| {
        p.subject_alt_names.clear();
        p.distinguished_name.push(DnType::CommonName, HOST);
    });
    let subject = [("name-in-subject-only", StepVerdict::Warn)];
    assert_eq!(found(&chain, known, known), subject);

    // authorityInfoAccess: caIssuers, http://ca.test/a.crt
    let chain = leaf(&|p| {
        let mut der = vec![0x30, 0x23, 0x30, 0x21, 0x06, 0x08];
        der.extend([0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x02, 0x86, 0x15]);
        der.extend(b"http://ca.test/ab.crt");
        let oid = [1, 3, 6, 1, 5, 5, 7, 1, 1];
        p.custom_extensions = vec![CustomExtension::from_oid_content(&oid, der)];
    });
    let roots = Roots::new(Vec::new()).unwrap();
    let judged = judge(&chain, HOST, NOW, &roots, WIFI);
    assert_eq!(
        ids(&judged.findings),
        [("leaf-only-chain", StepVerdict::Fail)]
    );
    let evidence = judged.findings[0].evidence.to_string();
    assert!(evidence.ends_with("\nhttp://ca.test/ab.crt"), "{evidence}");

    let chain = leaf(&|p| {
        let oid = [1, 3, 6, 1, 4, 1, 99999, 1];
        p.custom_extensions = vec![CustomExtension::from_oid_content(&oid, vec![0; 16_384])];
    });
    let long = [("long-certificates", StepVerdict::Fail)];
    assert_eq!(found(&chain, known, known), long);

    let garbage = [CertificateDer::from(vec![0x30, 0x00])];
    let unreadable = [("unreadable-certificate", StepVerdict::Fail)];
    assert_eq!(found(&garbage, known, known), unreadable);
    assert_eq!(found(&[], known, known), unreadable);
}
