//! Pairs that can be used, and that devices would refuse.

use super::made::{DATE_FORM, HOST, pair, params};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, DnValue,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    NameConstraints, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA512,
    PKCS_ED25519, SignatureAlgorithm, date_time_ymd,
};

type Fields = &'static [(&'static str, &'static str)];
type Make = Box<dyn Fn() -> (String, String)>;

/// Pairs that can be used, each with the event that devices' refusal raises here.
pub(super) fn unfit() -> Vec<(Make, &'static str, Fields)> {
    let mut table: Vec<(Make, &str, Fields)> = Vec::new();
    let mut leaf = |change: fn(&mut CertificateParams), event, fields| {
        let make = move || signed("an authority", change);
        table.push((Box::new(make), event, fields));
    };
    leaf(|p| p.subject_alt_names.clear(), "certificate.no-san", &[]);
    leaf(
        |p| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained),
        "certificate.is-ca",
        &[],
    );
    leaf(
        |p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth],
        "certificate.not-for-servers",
        &[("lacks", "serverAuth")],
    );
    leaf(
        |p| p.key_usages = vec![KeyUsagePurpose::KeyAgreement],
        "certificate.not-for-servers",
        &[("lacks", "digitalSignature")],
    );
    leaf(
        |p| p.not_after = date_time_ymd(2020, 1, 1),
        "certificate.expired",
        &[],
    );
    leaf(
        |p| {
            p.not_before = date_time_ymd(2090, 1, 1);
            p.not_after = date_time_ymd(2095, 1, 1);
        },
        "certificate.not-yet-valid",
        &[],
    );
    for (issuer, who) in [
        ("(STAGING) Wannabe Watercress R11", "authority.staging"),
        ("Fake LE Intermediate X1", "authority.staging"),
        ("mkcert me@here", "authority.mkcert"),
        (
            "CloudFlare Origin SSL Certificate Authority",
            "authority.cloudflare-origin",
        ),
        (
            "Caddy Local Authority - ECC Intermediate",
            "authority.local",
        ),
        ("my own", "authority.unknown"),
    ] {
        let who: Fields = match who {
            "authority.staging" => &[("who", "authority.staging")],
            "authority.cloudflare-origin" => &[("who", "authority.cloudflare-origin")],
            "authority.unknown" => &[("who", "authority.unknown")],
            _ => &[("who", "authority.local")],
        };
        let make = move || signed(issuer, |_| {});
        table.push((Box::new(make), "certificate.authority", who));
    }
    table.extend(unfit_names());
    table.extend(unfit_chains());
    table.extend(unfit_links());
    table.extend(unfit_roots());
    let date = || (DATE_FORM.to_owned(), DATE_FORM.to_owned());
    table.push((
        Box::new(date),
        "certificate.date-form",
        &[("date", "20350101000000.5Z")],
    ));
    let google = || signed("GlobalSign Root CA", |_| {});
    table.push((Box::new(google), "certificate.root-old", &[]));
    let ended = || {
        let mut root = params("an authority that ended");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.not_after = date_time_ymd(2021, 1, 1);
        sign_by(root, |_| {})
    };
    table.push((
        Box::new(ended),
        "certificate.chain-expired",
        &[
            ("subject", "an authority that ended"),
            ("day", "2021-01-01"),
        ],
    ));
    table
}

/// Pairs whose names are at fault, or whose length.
fn unfit_names() -> Vec<(Make, &'static str, Fields)> {
    let mut table: Vec<(Make, &str, Fields)> = Vec::new();
    let mut leaf = |change: fn(&mut CertificateParams), event, fields| {
        let make = move || signed("an authority", change);
        table.push((Box::new(make), event, fields));
    };
    leaf(
        |p| {
            let name = "*.*.example.com".try_into().unwrap();
            p.subject_alt_names = vec![rcgen::SanType::DnsName(name)];
        },
        "certificate.name-odd",
        &[("name", "*.*.example.com")],
    );
    leaf(
        |p| {
            let name = "ota.example.com.".try_into().unwrap();
            p.subject_alt_names = vec![rcgen::SanType::DnsName(name)];
        },
        "certificate.name-odd",
        &[("name", "ota.example.com.")],
    );
    leaf(
        |p| p.subject_alt_names = vec![rcgen::SanType::DnsName("".try_into().unwrap())],
        "certificate.name-odd",
        &[("name", "\"\"")],
    );
    leaf(
        |p| {
            let uri = "https://ota.example.com".try_into().unwrap();
            p.subject_alt_names = vec![rcgen::SanType::URI(uri)];
        },
        "certificate.no-san",
        &[],
    );
    leaf(
        |p| {
            let name = "other.example.com".try_into().unwrap();
            p.subject_alt_names = vec![rcgen::SanType::DnsName(name)];
        },
        "certificate.name",
        &[("host", "ota.example.com"), ("names", "other.example.com")],
    );
    leaf(
        |p| {
            let content = vec![0; 17_000];
            p.custom_extensions = vec![CustomExtension::from_oid_content(&[1, 3, 9, 1], content)];
        },
        "certificate.long",
        &[("count", "2")],
    );
    table
}

/// Pairs whose chain is at fault.
fn unfit_chains() -> Vec<(Make, &'static str, Fields)> {
    let both = |text: &'static str| (text.to_owned(), text.to_owned());
    let below = |change: fn(&mut CertificateParams), algorithm| {
        move || {
            let mut above = params("an authority");
            above.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            change(&mut above);
            sign_with(above, algorithm, |_| {})
        }
    };
    let early = |p: &mut CertificateParams| {
        p.not_before = date_time_ymd(2090, 1, 1);
        p.not_after = date_time_ymd(2095, 1, 1);
    };
    let constrained = |p: &mut CertificateParams| {
        let permitted_subtrees = vec![GeneralSubtree::DnsName("example.com".to_owned())];
        p.name_constraints = Some(NameConstraints {
            permitted_subtrees,
            excluded_subtrees: Vec::new(),
        });
    };
    vec![
        (
            Box::new(below(early, &PKCS_ECDSA_P256_SHA256)),
            "certificate.chain-early",
            &[("subject", "an authority"), ("day", "2090-01-01")],
        ),
        (
            Box::new(below(constrained, &PKCS_ECDSA_P256_SHA256)),
            "certificate.extension",
            &[("extension", "nameConstraints, 2.5.29.30")],
        ),
        (
            Box::new(below(|_| {}, &PKCS_ED25519)),
            "certificate.chain-ed25519",
            &[("subject", "an authority")],
        ),
        (
            Box::new(move || {
                let (cert, key) = signed("an authority", |_| {});
                (first(&cert).0.to_owned(), key)
            }),
            "certificate.no-chain",
            &[],
        ),
        (
            Box::new(move || {
                let (cert, key) = signed("an authority", |_| {});
                (first(&cert).0.to_owned() + &pair().pem, key)
            }),
            "certificate.chain-gap",
            &[("number", "1")],
        ),
        (
            Box::new(|| {
                let key = KeyPair::generate_for(&PKCS_ECDSA_P521_SHA512).unwrap();
                let pem = params(HOST).self_signed(&key).unwrap().pem();
                (pem, key.serialize_pem())
            }),
            "certificate.curve",
            &[],
        ),
        (
            Box::new(move || both(include_str!("rsa-4608.pem"))),
            "certificate.key-long",
            &[("bits", "4608")],
        ),
        (
            Box::new(move || both(include_str!("sha-1.pem"))),
            "certificate.weak",
            &[("subject", "CN=ota.example.com")],
        ),
    ]
}

/// Pairs with a certificate that does not stand for the one below it.
fn unfit_links() -> Vec<(Make, &'static str, Fields)> {
    let below = |change: fn(&mut CertificateParams)| {
        move || {
            let mut above = params("an authority");
            above.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            change(&mut above);
            sign_by(above, |_| {})
        }
    };
    let unable = "certificate.not-authority";
    vec![
        (
            Box::new(|| {
                let (cert, key) = signed("an authority", |_| {});
                let (other, _) = signed("an authority", |_| {});
                (first(&cert).0.to_owned() + first(&other).1, key)
            }),
            "certificate.bad-signature",
            &[
                ("last", "CN=ota.example.com"),
                ("issuer", "CN=an authority"),
            ],
        ),
        (
            Box::new(below(|p| p.is_ca = IsCa::ExplicitNoCa)),
            unable,
            &[("subject", "CN=an authority")],
        ),
        (
            Box::new(below(|p| {
                p.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            })),
            unable,
            &[("why", "keyCertSign")],
        ),
        (
            Box::new(|| {
                let mut root = params("above");
                root.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
                let key = KeyPair::generate().unwrap();
                let own = root.self_signed(&key).unwrap().pem();
                let (cert, key) = sign_under(&Issuer::new(root, key));
                (cert + &own, key)
            }),
            unable,
            &[("subject", "CN=above"), ("why", "pathlen")],
        ),
    ]
}

/// Pairs whose chain seems to lead to a root that is known.
fn unfit_roots() -> Vec<(Make, &'static str, Fields)> {
    vec![
        (
            Box::new(|| {
                let organization = |p: &mut CertificateParams, name: &str| {
                    let named = &mut p.distinguished_name;
                    named.push(DnType::OrganizationName, name);
                };
                let mut root = params("Root YR");
                organization(&mut root, "ISRG");
                root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
                sign_below(root, &PKCS_ECDSA_P256_SHA256)
            }),
            "certificate.root-unknown",
            &[("root", "Root YR")],
        ),
        (
            Box::new(|| sign_below(isrg("ISRG Root X2"), &PKCS_ECDSA_P384_SHA384)),
            "certificate.bad-signature",
            &[("last", "CN=between"), ("issuer", "ISRG Root X2")],
        ),
        (
            // The root's own key is of the other kind.
            Box::new(|| sign_below(isrg("ISRG Root X1"), &PKCS_ECDSA_P256_SHA256)),
            "certificate.bad-signature",
            &[("last", "CN=between"), ("issuer", "ISRG Root X1")],
        ),
    ]
}

fn isrg(name: &str) -> CertificateParams {
    let mut root = params(name);
    root.distinguished_name = DistinguishedName::new();
    for (kind, text) in [
        (DnType::CountryName, "US"),
        (DnType::OrganizationName, "Internet Security Research Group"),
        (DnType::CommonName, name),
    ] {
        root.distinguished_name.push(kind, printable(text));
    }
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    root
}

/// Parts the first certificate from those behind it.
fn first(pem: &str) -> (&str, &str) {
    let end = pem.find("-----END").unwrap();
    pem.split_at(end + pem[end..].find('\n').unwrap() + 1)
}

fn printable(text: &str) -> DnValue {
    DnValue::PrintableString(text.try_into().unwrap())
}

/// Makes a leaf below an intermediate, which a root signed that is not sent.
fn sign_below(root: CertificateParams, algorithm: &'static SignatureAlgorithm) -> (String, String) {
    sign_under(&Issuer::new(
        root,
        KeyPair::generate_for(algorithm).unwrap(),
    ))
}

fn sign_under(root: &Issuer<'_, KeyPair>) -> (String, String) {
    let (between_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut between = params("between");
    between.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let own = between.signed_by(&between_key, root).unwrap().pem();
    let leaf = params(HOST).signed_by(&key, &Issuer::new(between, between_key));
    (leaf.unwrap().pem() + &own, key.serialize_pem())
}

/// Makes a leaf below an intermediate of `issuer`.
fn signed(issuer: &str, change: fn(&mut CertificateParams)) -> (String, String) {
    let mut above = params(issuer);
    above.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    sign_by(above, change)
}

fn sign_by(above: CertificateParams, change: fn(&mut CertificateParams)) -> (String, String) {
    sign_with(above, &PKCS_ECDSA_P256_SHA256, change)
}

fn sign_with(
    above: CertificateParams,
    algorithm: &'static SignatureAlgorithm,
    change: fn(&mut CertificateParams),
) -> (String, String) {
    let root_key = KeyPair::generate_for(algorithm).unwrap();
    let key = KeyPair::generate().unwrap();
    let own = above.self_signed(&root_key).unwrap().pem();
    let mut leaf = params(HOST);
    change(&mut leaf);
    let leaf = leaf.signed_by(&key, &Issuer::new(above, root_key)).unwrap();
    (leaf.pem() + &own, key.serialize_pem())
}
