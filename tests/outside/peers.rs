//! Foreign TLS clients: mbedTLS as ESP-IDF ships it (2.28 and 3.6), openssl,
//! curl. `tests/peers/build` makes or installs them; `tests/run` does that and
//! includes the tests that need them.

use super::support::certificate::{Authority, Key};
use super::support::server::{Setup, check_in, request};
use super::support::{Reply, Server, noise};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const MBEDTLS: [&str; 2] = ["2.28", "3.6"];
const FILE: &str = "esp32s3_1.6.6.bin";

/// Returns the place of a program that `tests/peers/build` makes or fetches.
pub(super) fn peer(name: &str) -> PathBuf {
    let target = Path::new(BINARY_DIR).parent().unwrap();
    let folders = [
        target.join("peers"),
        Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers"),
    ];
    let path = folders.iter().map(|f| f.join(name)).find(|p| p.exists());
    path.unwrap_or_else(|| panic!("{name} is missing: tests/peers/build makes it"))
}

fn device(version: &str) -> PathBuf {
    peer(&format!("device-{version}"))
}

const BINARY_DIR: &str = {
    // target/debug/xiaozhi-ota -> target/debug
    let binary = env!("CARGO_BIN_EXE_xiaozhi-ota").as_bytes();
    let length = binary.len() - "/xiaozhi-ota".len();
    match std::str::from_utf8(binary.split_at(length).0) {
        Ok(dir) => dir,
        Err(_) => panic!("the target folder's path is not UTF-8"),
    }
};

struct Door {
    server: Server,
    image: Vec<u8>,
    authority: PathBuf,
}

/// RSA and P-256 side by side, for a name and for an address.
fn door(certificates: &[(&str, Key)]) -> Door {
    let image = noise(2 << 20, 11);
    let setup = Setup::new().file(FILE, &image);
    let authority = Authority::new();
    let mut pairs = Vec::new();
    for (name, key) in certificates {
        authority.sign(
            &setup.path().join("certs"),
            name,
            *key,
            &["localhost", "127.0.0.1"],
        );
        pairs.push(format!("{{cert: certs/{name}.pem, key: certs/{name}.key}}"));
    }
    let root = setup.path().join("authority.pem");
    std::fs::write(&root, &authority.pem).unwrap();
    let config = format!(
        "server: {{vision_explain: 'https://localhost:8003/mcp/vision/explain'}}\ngateway:\n  tls: {{certificates: [{}]}}\n",
        pairs.join(", ")
    );
    Door {
        server: setup.start(&config),
        image,
        authority: root,
    }
}

fn run(mut command: Command, input: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // A client that gives up early closes its end.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

/// What the mbedTLS client says of its handshake, and the reply it got.
fn ask(binary: &Path, door: &Door, arguments: &[&str], request: &[u8]) -> (String, Reply) {
    let mut command = Command::new(binary);
    command
        .arg("--connect")
        .arg(door.server.address().to_string())
        .arg("--ca")
        .arg(&door.authority)
        .args(arguments);
    let output = run(command, request);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    (said, Reply::parse(&output.stdout, false))
}

#[test]
#[ignore = "needs an mbedTLS client: tests/run builds it"]
fn an_mbedtls_device_makes_the_whole_journey() {
    let door = door(&[("rsa", Key::Rsa), ("ec", Key::P256)]);
    for version in MBEDTLS {
        let binary = device(version);
        for name in [
            &["--server-name", "localhost"][..],
            &["--server-name", "127.0.0.1"],
        ] {
            for (auth, key) in [
                ("ecdsa", "cert_key=EC"),
                ("rsa", "cert_key=RSA"),
                ("any", "cert_key=EC"),
            ] {
                let arguments = [name, &["--auth", auth]].concat();
                let (said, reply) = ask(&binary, &door, &arguments, &check_in("esp32s3", "1.6.0"));
                assert!(
                    said.contains("TLSv1.2") && said.contains(key),
                    "{arguments:?}: {said}"
                );
                reply.hold_to_contract(version);
                let (offered, url) = reply.firmware();
                assert_eq!(offered, "1.6.6");
                let path = url
                    .strip_prefix("https://localhost:8003")
                    .expect("the public address");
                let (_, image) = ask(&binary, &door, &arguments, &request("GET", path, &[], b""));
                image.hold_to_contract(version);
                assert!(image.status == 200 && image.whole && image.body == door.image);
            }
        }
    }
}

#[test]
#[ignore = "needs an mbedTLS client: tests/run builds it"]
fn an_mbedtls_device_without_sni_or_with_one_key_type_is_answered() {
    for (name, key, said_key) in [
        ("rsa", Key::Rsa, "cert_key=RSA"),
        ("ec", Key::P256, "cert_key=EC"),
    ] {
        let door = door(&[(name, key)]);
        for version in MBEDTLS {
            let binary = device(version);
            let (said, reply) = ask(
                &binary,
                &door,
                &["--no-server-name"],
                &check_in("esp32s3", "1.6.0"),
            );
            assert!(reply.status == 200 && said.contains(said_key), "{said}");
            // rustls follows the client's order of groups: only cheap ones are offered.
            assert!(
                ["curve=x25519", "curve=secp256r1"]
                    .iter()
                    .any(|c| said.contains(c)),
                "{said}"
            );
        }
    }
}

#[test]
#[ignore = "needs an mbedTLS client: tests/run builds it"]
fn an_mbedtls_device_accepts_our_own_certificate_by_address() {
    let image = noise(100_000, 12);
    let server = Setup::new().file(FILE, &image).start("");
    let authority = server.dir.path().join("certs/self-signed.crt");
    let door = Door {
        server,
        image,
        authority,
    };
    for version in MBEDTLS {
        let binary = device(version);
        for name in ["127.0.0.1", "localhost"] {
            let path = format!("/xiaozhi/ota/download/{FILE}");
            let (_, reply) = ask(
                &binary,
                &door,
                &["--server-name", name],
                &request("GET", &path, &[], b""),
            );
            assert!(reply.body == door.image, "{name} by mbedTLS {version}");
        }
    }
}

#[test]
#[ignore = "needs an mbedTLS client: tests/run builds it"]
fn a_device_that_does_not_trust_the_certificate_is_told_of_in_the_log() {
    let door = door(&[("ec", Key::P256)]);
    let binary = device("3.6");
    let mut command = Command::new(binary);
    command
        .arg("--connect")
        .arg(door.server.address().to_string())
        .arg("--ca")
        .arg(&door.authority);
    command.args(["--server-name", "wrong.example.com"]);
    assert!(!run(command, b"").status.success());
    door.server.event("certificate.distrusted", &[]);
}

#[test]
fn openssl_by_name_by_address_and_without_sni() {
    let door = door(&[("rsa", Key::Rsa), ("ec", Key::P256)]);
    let names: [&[&str]; 4] = [
        &["-servername", "localhost"],
        &["-servername", "127.0.0.1"],
        &["-noservername"],
        &["-servername", "unknown.example.com"],
    ];
    for version in ["-tls1_2", "-tls1_3"] {
        for name in names {
            for (sigalgs, kind) in [
                ("RSA+SHA256:RSA-PSS+SHA256", "RSA"),
                ("ECDSA+SHA256", "ECDSA"),
            ] {
                let mut command = Command::new("openssl");
                command
                    .args(["s_client", "-quiet", "-verify_return_error", "-CAfile"])
                    .arg(&door.authority);
                command
                    .args([
                        "-connect",
                        &door.server.address().to_string(),
                        version,
                        "-sigalgs",
                        sigalgs,
                    ])
                    .args(name);
                let close = request("GET", "/xiaozhi/ota/", &[("Connection", "close")], b"");
                let output = run(command, &close);
                let said = String::from_utf8_lossy(&output.stderr);
                let reply = Reply::parse(&output.stdout, false);
                assert_eq!(reply.status, 200, "{version} {name:?} {kind}: {said}");
            }
        }
    }
    // Older versions are not spoken.
    let mut command = Command::new("openssl");
    command.args([
        "s_client",
        "-tls1_1",
        "-cipher",
        "DEFAULT@SECLEVEL=0",
        "-connect",
        &door.server.address().to_string(),
    ]);
    assert!(!run(command, b"").status.success());
}

#[test]
fn curl_makes_the_whole_journey_over_both_schemes() {
    let door = door(&[("ec", Key::P256)]);
    for scheme in ["http", "https"] {
        let base = format!("{scheme}://localhost:{}", door.server.ports[0]);
        let curl = |arguments: &[&str], url: String| {
            let mut command = Command::new("curl");
            command
                .args(["--silent", "--show-error", "--fail", "--ipv4", "--cacert"])
                .arg(&door.authority)
                .args(arguments)
                .arg(url);
            let output = run(command, b"");
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            output.stdout
        };
        let body = r#"{"application":{"version":"1.6.0"},"board":{"type":"esp32s3"}}"#;
        let reply = curl(
            &["-H", "Device-Id: aa", "-H", "Client-Id: c", "-d", body],
            format!("{base}/xiaozhi/ota/"),
        );
        let reply: serde_json::Value = serde_json::from_slice(&reply).unwrap();
        let url = reply["firmware"]["url"].as_str().unwrap();
        let path = url.strip_prefix("https://localhost:8003").unwrap();
        assert!(curl(&[], format!("{base}{path}")) == door.image);
        // Resumed, and by a browser's protocols.
        assert!(curl(&["--http2", "-C", "1000"], format!("{base}{path}")) == door.image[1000..]);
    }
}
