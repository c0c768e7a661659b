//! `deploy/build-image` hands `deploy/Dockerfile` what it copies: one binary, and folders that
//! the user who is not root may write.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

/// Stands in for buildah: keeps what it is to build from, and writes an archive.
const BUILDAH: &str = r#"#!/bin/sh
echo "$@" >>"$SAID"
case $1 in
build) for last; do :; done; cp -a "$last" "$KEPT" ;;
push) echo archive >"$(echo "$4" | cut -d: -f2)" ;;
esac
"#;

#[test]
fn the_image_is_made_of_one_binary_and_its_folders() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    let executable = |path: &Path, text: &str| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    executable(&place.join("bin/buildah"), BUILDAH);
    executable(&place.join("target/static/xiaozhi-ota-aarch64"), "binary");
    let path = std::env::var("PATH").unwrap();
    let (said, kept) = (place.join("said"), place.join("kept"));
    let made = Command::new(root.join("deploy/build-image"))
        .arg("aarch64")
        .env("PATH", format!("{}:{path}", place.join("bin").display()))
        .env("CARGO_TARGET_DIR", place.join("target"))
        .envs([("SAID", &said), ("KEPT", &kept)])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let said = fs::read_to_string(said).unwrap();
    for word in [
        "--isolation chroot",
        "--platform linux/arm64",
        "-f deploy/Dockerfile",
    ] {
        assert!(said.contains(word), "{word}: {said}");
    }
    let archive = place.join("target/static/xiaozhi-ota-image-aarch64.tar");
    assert!(archive.exists());
    let dockerfile = fs::read_to_string(root.join("deploy/Dockerfile")).unwrap();
    let of = |word: &str| {
        let mut lines = dockerfile
            .lines()
            .filter_map(|line| line.strip_prefix(word));
        lines.next().unwrap_or_else(|| panic!("{word}")).to_owned()
    };
    assert_eq!(of("COPY --chown=65534:65534 "), "root/ /");
    assert_eq!(of("USER "), "65534:65534");
    let inside = |path: &str| kept.join("root").join(path.trim_start_matches('/'));
    let program = of("ENTRYPOINT ");
    let program = program.trim_matches(['[', ']', '"']);
    assert_eq!(fs::read_to_string(inside(program)).unwrap(), "binary");
    let volumes: Vec<String> = serde_json::from_str(&of("VOLUME ")).unwrap();
    assert_eq!(volumes.len(), 3);
    for volume in volumes {
        assert!(inside(&volume).is_dir(), "{volume}");
    }
    for private in ["certs", "state"] {
        let about = inside(&of("WORKDIR ")).join(private).metadata().unwrap();
        assert_eq!(about.permissions().mode() & 0o777, 0o700, "{private}");
    }
}
