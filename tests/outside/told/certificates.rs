//! Files that are something else than the certificate or key that they should be.

mod commands;
mod made;
mod unfit;

use crate::support::certificate::{Authority, Key};
use crate::support::server::{Setup, without_privilege};
use crate::support::{Server, until};
use made::{Signed, pair, swap};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

const CONFIG: &str = "server: {vision_explain: 'https://ota.example.com/mcp/vision/explain'}\n\
     gateway:\n  tls: {certificates: [{cert: certs/it's now/a.pem, key: certs/it's now/a.key}]}\n";

/// Starts with a good pair, in a folder that can be swapped for another in one step.
fn start() -> (Server, Signed) {
    let setup = Setup::new();
    let good = pair();
    swap(setup.path(), good.pem.as_bytes(), good.key.as_bytes());
    (setup.start(CONFIG), good)
}

/// Puts a pair in the place of the last one, and returns what is said of it.
#[track_caller]
fn told(server: &Server, cert: impl AsRef<[u8]>, key: impl AsRef<[u8]>, why: &str) -> String {
    swap(server.dir.path(), cert.as_ref(), key.as_ref());
    refused(server, why)
}

/// Has the files read again, and returns the reason for which they are refused.
#[track_caller]
fn refused(server: &Server, why: &str) -> String {
    let fields = [("error", why)];
    let before = server.events("certificate.not-replaced", &fields).len();
    server.signal("HUP");
    until(why, || {
        let said = server.events("certificate.not-replaced", &fields);
        said.into_iter().nth(before)
    })
}

fn utf16(text: &str, big: bool, mark: bool) -> Vec<u8> {
    let mark = mark.then_some('\u{feff}');
    let units = mark.into_iter().chain(text.chars()).map(|c| c as u16);
    let bytes = units.flat_map(|unit| {
        if big {
            unit.to_be_bytes()
        } else {
            unit.to_le_bytes()
        }
    });
    bytes.collect()
}

/// What stands in the place of a certificate, by the reason that is told.
#[test]
fn what_is_no_certificate_is_named() {
    let (server, good) = start();
    let (pem, key) = (&*good.pem, &*good.key);
    let der = made::der(pem);
    let inner = made::inner(pem);
    let traefik = format!("{{\"le\": {{\"Certificates\": [{{\"certificate\": \"{inner}\"}}]}}}}");
    let secret = "apiVersion: v1\nkind: Secret\ndata:\n  tls.crt: LS0t\n  tls.key: LS0t\n";
    let block = |label: &str| pem.replace("CERTIFICATE", label);
    let container: [&[u8]; 2] = [
        // ContentInfo of PKCS #7: signedData.
        b"\x30\x0f\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x02\x30\x00",
        // PFX: version 3, and data.
        b"\x30\x12\x02\x01\x03\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\xa0\x00",
    ];
    let table: Vec<(Vec<u8>, &str)> = vec![
        (Vec::new(), "pair.empty"),
        (b" \r\n\t\n".to_vec(), "pair.empty"),
        (vec![0; 4096], "pair.zeros"),
        (utf16(pem, false, true), "pair.utf16"),
        (utf16(pem, true, true), "pair.utf16"),
        (utf16(pem, false, false), "pair.utf16"),
        (utf16(pem, true, false), "pair.utf16"),
        (format!("\u{feff}{pem}").into(), "pair.bom"),
        (pem.replace('\n', "\\n").into(), "pair.escaped-breaks"),
        (pem.replace('\n', " ").into(), "pair.run-together"),
        (pem.replace('\n', "").into(), "pair.run-together"),
        (pem.to_lowercase().into(), "pair.mark"),
        (
            pem.replacen("BEGIN CERTIF", "BEGIN CERIF", 1).into(),
            "pair.mark",
        ),
        (pem[..pem.len() / 3].into(), "pair.no-end"),
        (pem.replacen("MII", "M!!", 1).into(), "pair.no-base64"),
        (der.clone(), "pair.der"),
        (made::der(key), "pair.der"),
        (inner.clone().into(), "pair.base64"),
        (made::base64(pem.as_bytes()).into(), "pair.base64"),
        (container[0].to_vec(), "pair.pkcs7"),
        (block("PKCS7").into(), "pair.pkcs7"),
        (container[1].to_vec(), "pair.pkcs12"),
        (
            b"\xfe\xed\xfe\xed\x00\x00\x00\x02".to_vec(),
            "pair.key-store",
        ),
        (made::request().into(), "pair.request"),
        (made::der(&made::request()), "pair.request"),
        (block("X509 CRL").into(), "pair.revocations"),
        (block("PUBLIC KEY").into(), "pair.public-key"),
        (block("DH PARAMETERS").into(), "pair.parameters"),
        (block("TRUSTED CERTIFICATE").into(), "pair.old-label"),
        (block("PGP MESSAGE").into(), "pair.pgp"),
        (traefik.into(), "pair.store"),
        (secret.into(), "pair.store"),
        (
            b"<!DOCTYPE html><html>Sign in</html>".to_vec(),
            "pair.web-page",
        ),
        (b"SQLite format 3\0\x10".to_vec(), "pair.nss"),
        (b"{\"keys\": [{\"kty\": \"EC\"}]}".to_vec(), "pair.jwk"),
        (
            b"Certificate:\n    Data:\n    Signature Algorithm: x\n".to_vec(),
            "pair.printout",
        ),
        (b"PK\x03\x04rest".to_vec(), "pair.archive"),
        (b"\x1f\x8b\x08rest".to_vec(), "pair.archive"),
        (b"$ANSIBLE_VAULT;1.1;AES256\n6162".to_vec(), "pair.locked"),
        (b"\x00GITCRYPT\x00rest".to_vec(), "pair.locked"),
        (b"age-encryption.org/v1\n".to_vec(), "pair.locked"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid x\n".to_vec(),
            "pair.lfs",
        ),
        (
            b"../../archive/ota.example.com/fullchain1.pem".to_vec(),
            "pair.link-text",
        ),
        (
            b"ssh-rsa AAAAB3NzaC1yc2E me@here".to_vec(),
            "pair.ssh-public",
        ),
        (b"nothing of the sort".to_vec(), "pair.nothing"),
        (key.into(), "pair.key-here"),
        (
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec(),
            "pair.bad-certificate",
        ),
        // Behind the leaf, too.
        (
            format!("{pem}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").into(),
            "pair.bad-certificate",
        ),
        (
            format!("{{\"cert\": {:?}, \"key\": {:?}}}", pem, "-----BEGIN").into(),
            "pair.escaped-breaks",
        ),
    ];
    let table = table.into_iter().chain(torn(pem));
    for (content, why) in table {
        let line = told(&server, &content, key, why);
        // From the root on.
        let whole = server.dir.path().join("certs/it's now/a.pem");
        assert!(line.contains(whole.to_str().unwrap()), "{line}");
        // No word of the content, which may be a key.
        assert!(!line.contains(&inner[40..60]), "{line}");
    }
}

/// Marks that are amiss, most of them in files of two certificates of which one is not read.
fn torn(pem: &str) -> Vec<(Vec<u8>, &'static str)> {
    let other = pair().pem;
    let of_two = format!("{pem}{other}");
    let table = [
        (pem[28..].to_owned(), "pair.no-begin"),
        (pem.replace("END CERT", "END X509 CERT"), "pair.mark"),
        (pem.replace('\n', "<br>\n"), "pair.run-together"),
        (format!("{}{other}", pem.trim_end()), "pair.run-together"),
        (format!("{pem}  {other}"), "pair.mark"),
        (format!("{pem}\"{other}\""), "pair.mark"),
        (format!("{pem}\u{feff}{other}"), "pair.mark"),
        (
            pem.to_owned() + &other.replace("-----BEGIN", "—BEGIN"),
            "pair.mark",
        ),
        (
            pem.to_owned() + &other.replace("-----BEGIN", "----BEGIN"),
            "pair.mark",
        ),
        (
            pem.to_owned() + &other.replace("CERTIFICATE", "Certificate"),
            "pair.mark",
        ),
        (pem.to_owned() + &other[28..], "pair.no-begin"),
        (
            pem.to_owned() + &other.replace("CERTIFICATE", "X509 CERTIFICATE"),
            "pair.old-label",
        ),
        (
            pem.to_owned() + &other.replace("CERTIFICATE", "TRUSTED CERTIFICATE"),
            "pair.old-label",
        ),
        (
            pem.to_owned() + &other.replace("CERTIFICATE", "PKCS7"),
            "pair.pkcs7",
        ),
        (format!("\u{feff}{of_two}"), "pair.bom"),
        (format!("'{of_two}'"), "pair.mark"),
        (format!("TLS_CERT=\"{of_two}\""), "pair.mark"),
        (format!("<cert>{of_two}</cert>"), "pair.mark"),
        (format!("{{\\rtf1 {of_two}}}"), "pair.mark"),
    ];
    let table = table.map(|(text, why)| (text.into_bytes(), why));
    let latin = [b"\xe9\xe8", of_two.as_bytes()].concat();
    let others = [
        (latin, "pair.mark"),
        (b"{\"message\": \"Not Found\"}".to_vec(), "pair.json"),
        (
            pem.chars().flat_map(|c| (c as u32).to_le_bytes()).collect(),
            "pair.utf16",
        ),
        (b"\0\0\0\x02\0\0\0\x14rest of it".to_vec(), "pair.key-store"),
    ];
    table.into_iter().chain(others).collect()
}

#[test]
fn what_is_no_key_is_named() {
    let (server, good) = start();
    let (pem, key) = (&*good.pem, &*good.key);
    let other = pair().key;
    let encrypted = key.replace(" PRIVATE", " ENCRYPTED PRIVATE");
    let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n\
               -----END RSA PRIVATE KEY-----\n";
    let block = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
    for (content, why) in [
        (String::new(), "pair.empty"),
        (encrypted, "pair.pass-phrase"),
        (old.to_owned(), "pair.pass-phrase"),
        (block("OPENSSH PRIVATE KEY"), "pair.openssh"),
        (
            block("OPENSSH PRIVATE KEY").replace("AAAA", &made::base64(b"\0ssh-ed25519\0")),
            "pair.ed25519",
        ),
        // EncryptedPrivateKeyInfo, and another key's label.
        (
            block("PRIVATE KEY").replace("AAAA", &made::base64(b"\x30\x04\x30\0\x04\0")),
            "pair.pass-phrase",
        ),
        // The one that was meant is not read.
        (format!("  {key}{other}"), "pair.mark"),
        (
            "PuTTY-User-Key-File-3: ecdsa-sha2-nistp256".to_owned(),
            "pair.putty",
        ),
        (
            "{\"kty\": \"EC\", \"crv\": \"P-256\", \"d\": \"AAAA\"}".to_owned(),
            "pair.jwk",
        ),
        (
            "<RSAKeyValue><Modulus>AAAA</Modulus></RSAKeyValue>".to_owned(),
            "pair.xml-key",
        ),
        (
            "Private-Key: (256 bit)\npriv:\n    00\n".to_owned(),
            "pair.printout",
        ),
        ("\u{7}\u{2}\0\0\0\u{24}\0\0RSA1".to_owned(), "pair.nothing"),
        (key.replace("-----", "——"), "pair.mark"),
        (key.replace("BEGIN ", "BEGIN\n"), "pair.mark"),
        (
            include_str!("certificates/explicit-curve.key").to_owned(),
            "pair.curve",
        ),
        (block("DSA PRIVATE KEY"), "pair.key-kind"),
        (block("EC PARAMETERS"), "pair.parameters"),
        (block("PUBLIC KEY"), "pair.public-key"),
        (pem.to_owned(), "pair.certificate-here"),
        (made::request(), "pair.request"),
        (made::inner(key), "pair.base64"),
        (other.clone(), "pair.mismatch"),
        (format!("{other}{}", pair().key), "pair.mismatch"),
        (made::ed25519(), "pair.ed25519"),
        (made::SECP256K1.to_owned(), "pair.key-kind"),
        (made::RSA_512.to_owned(), "pair.key-length"),
        (block("PRIVATE KEY"), "pair.bad-key"),
    ] {
        let line = told(&server, pem, &content, why);
        assert!(line.contains("certs/it's now/a.key"), "{line}");
    }
    for (both, why) in [
        (made::EXPLICIT_CURVE, "pair.form"),
        (made::COMPRESSED_POINT, "pair.form"),
    ] {
        told(&server, both, both, why);
    }
    for (cert, key, why) in made::malformed() {
        told(&server, cert, key, why);
    }
    told(&server, key, pem, "pair.swapped");
    told(
        &server,
        made::VERSION_1.0,
        made::VERSION_1.1,
        "pair.version",
    );
}

/// What the file system has in the place of a file.
#[test]
fn what_cannot_be_read_is_named() {
    let (server, good) = start();
    let key = server.dir.path().join("certs/it's now/a.key");
    fs::remove_file(&key).unwrap();
    refused(&server, "pair.absent");
    symlink("../../archive/a.key", &key).unwrap();
    let line = refused(&server, "pair.dangling");
    assert!(line.contains("../../archive/a.key"), "{line}");
    fs::remove_file(&key).unwrap();
    fs::create_dir(&key).unwrap();
    let line = refused(&server, "pair.folder");
    assert!(line.contains("a.key/privkey.pem"), "{line}");
    fs::remove_dir(&key).unwrap();
    // A file of another user, by a program without the right of root to read it all.
    fs::write(&key, &good.key).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o000)).unwrap();
    let mut command = without_privilege();
    let validate = command
        .args(["validate", "-c", "data/.config.yaml"])
        .current_dir(server.dir.path());
    let told = validate.output().unwrap();
    let told = String::from_utf8([told.stdout, told.stderr].concat()).unwrap();
    assert!(
        told.contains("a.key") && told.contains("install -o "),
        "{told}"
    );
}

/// A file that is a little off is served as it should be, and the fault is named.
#[test]
fn what_can_be_mended_is_served_and_named() {
    let (server, _) = start();
    let tree = made::Tree::new();
    let (leaf, lower, upper) = (&*tree.leaf.pem, &*tree.lower, &*tree.upper);
    let key = &*tree.leaf.key;
    let parameters =
        "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    let ordered = format!("{leaf}{lower}{upper}");
    let table: Vec<(String, String, Option<&str>)> = vec![
        (ordered.clone(), key.to_owned(), None),
        (
            format!("{lower}{leaf}{upper}"),
            key.to_owned(),
            Some("certificate.order"),
        ),
        (
            format!("{upper}{lower}{leaf}"),
            key.to_owned(),
            Some("certificate.order"),
        ),
        (
            format!("{leaf}{upper}{lower}"),
            key.to_owned(),
            Some("certificate.order"),
        ),
        (
            format!("{leaf}{leaf}{lower}{upper}"),
            key.to_owned(),
            Some("certificate.doubles"),
        ),
        (
            ordered.clone(),
            format!("{}{key}", pair().key),
            Some("certificate.several-keys"),
        ),
        // What is nobody's fault.
        (ordered.clone(), format!("{parameters}{key}"), None),
        (ordered.replace('\n', "\r\n"), key.replace('\n', "\r"), None),
        (
            format!("Bag Attributes\n    friendlyName: x\n{ordered}"),
            format!("Key Attributes\n{key}"),
            None,
        ),
        (format!("{ordered}{key}"), format!("{key}{leaf}"), None),
        (
            format!("Begin Certificate\n# -----BEGIN CERTIFICATE-----\n# MII\n{ordered}"),
            key.replace("PRIVATE", "RSA PRIVATE"),
            None,
        ),
        (ordered, key.replace("PRIVATE", "EC PRIVATE"), None),
    ];
    for (i, (cert, key, event)) in table.into_iter().enumerate() {
        // Another leaf in between, for what is the same is no news.
        let other = pair();
        swap(
            server.dir.path(),
            other.pem.as_bytes(),
            other.key.as_bytes(),
        );
        server.signal("HUP");
        until("the one in between", || {
            (server.events("certificate.replaced", &[]).len() > 2 * i).then_some(())
        });
        let said = event.map_or(0, |event| server.events(event, &[]).len());
        swap(server.dir.path(), cert.as_bytes(), key.as_bytes());
        server.signal("HUP");
        until("the one that is off", || {
            (server.events("certificate.replaced", &[]).len() > 2 * i + 1).then_some(())
        });
        if let Some(event) = event {
            until(event, || {
                (server.events(event, &[]).len() > said).then_some(())
            });
        }
        let sent = made::sent(&server);
        let expected = [leaf, lower, upper].map(made::der).to_vec();
        assert_eq!(sent, expected, "{i}");
    }
    assert!(server.events("certificate.not-replaced", &[]).is_empty());
}

/// A pair that can be used, and that devices would refuse.
#[test]
fn what_devices_would_refuse_is_named() {
    let (server, _) = start();
    for (make, event, fields) in unfit::unfit() {
        let before = server.events(event, fields).len();
        let (cert, key) = make();
        swap(server.dir.path(), cert.as_bytes(), key.as_bytes());
        server.signal("HUP");
        until(event, || {
            (server.events(event, fields).len() > before).then_some(())
        });
    }
}

#[test]
fn one_kind_of_key_is_hinted_at_and_both_are_right() {
    let (server, _) = start();
    let hint = server.event("certificate.only-ecdsa", &[]);
    assert!(hint.contains(" - INFO - "), "{hint}");
    let setup = Setup::new();
    let authority = Authority::new();
    let certs = setup.path().join("certs");
    authority.sign(&certs, "ec", Key::P256, &["ota.example.com"]);
    authority.sign(&certs, "rsa", Key::Rsa, &["ota.example.com"]);
    let pairs =
        "[{cert: certs/ec.pem, key: certs/ec.key}, {cert: certs/rsa.pem, key: certs/rsa.key}]";
    let config = CONFIG.split_once("gateway").unwrap().0;
    let server = setup.start(&format!(
        "{config}gateway:\n  tls: {{certificates: {pairs}}}\n"
    ));
    server.event("certificate.authority", &[("who", "authority.unknown")]);
    assert!(server.events("certificate.only-ecdsa", &[]).is_empty());
}
