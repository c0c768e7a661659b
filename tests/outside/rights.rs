//! What is published can be read by the user of the server, whatever the umask of who
//! publishes, or it is said that it cannot.

use super::support::server::{BINARY, PATIENT, Setup};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;
use std::process::Command;
use xiaozhi_image_builder::Image;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

/// Runs a line of a shell in which `$X` is the program; the text that it says.
fn shell(dir: &Path, line: &str) -> String {
    let output = Command::new("bash")
        .args(["-c", line])
        .env("X", BINARY)
        .current_dir(dir)
        .output()
        .unwrap();
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    let text = String::from_utf8(text).unwrap();
    assert!(output.status.success(), "{line}: {text}");
    text
}

/// A folder without `data`, and with an image and notes.
fn built() -> Setup {
    let setup = Setup::new();
    fs::remove_dir_all(setup.path().join("data")).unwrap();
    fs::write(setup.path().join("x.bin"), Image::new("1.6.6").build()).unwrap();
    fs::write(setup.path().join("x.md"), "notes").unwrap();
    setup
}

const PUBLISH: &str = "$X publish x.bin --model a --notes x.md";

#[test]
fn whatever_the_umask_all_may_read_what_is_published() {
    for (umask, file, folder) in [
        ("077", 0o644, 0o755),
        ("022", 0o644, 0o755),
        ("002", 0o664, 0o775),
        ("777", 0o644, 0o755),
    ] {
        let setup = built();
        let text = shell(setup.path(), &format!("umask {umask}; {PUBLISH}"));
        assert!(!text.contains("others than"), "{umask}: {text}");
        for (path, wanted) in [
            ("data", folder),
            ("data/bin", folder),
            ("data/bin/a_1.6.6.bin", file),
            ("data/bin/a_1.6.6.md", file),
        ] {
            let found = mode(&setup.path().join(path));
            assert_eq!(found, wanted, "{umask}: {path}: {found:o}");
        }
        // Over another one, too.
        shell(setup.path(), &format!("umask {umask}; {PUBLISH} --force"));
        assert_eq!(mode(&setup.path().join("data/bin/a_1.6.6.bin")), file);
    }
}

#[test]
fn what_the_folder_grants_beyond_that_stays() {
    let setup = built();
    let bin = setup.path().join("data/bin");
    fs::create_dir_all(&bin).unwrap();
    let is_root = nix::unistd::geteuid().is_root();
    if is_root {
        chown(&bin, None, Some(65534)).unwrap();
    }
    fs::set_permissions(&bin, fs::Permissions::from_mode(0o2770)).unwrap();
    let text = shell(setup.path(), &format!("umask 007; {PUBLISH}"));
    let about = fs::metadata(bin.join("a_1.6.6.bin")).unwrap();
    assert_eq!(about.mode() & 0o777, 0o664);
    if is_root {
        assert_eq!(about.gid(), 65534);
        // It was given to that group on purpose.
        assert!(!text.contains("others than"), "{text}");
    }
    // As `setfacl -d -m u:65534:rw,g::r,m::rw,o::- data/bin` does.
    let acl = "python3 -c 'import os, struct\n\
               entries = [(1, 7, -1), (2, 6, 65534), (4, 4, -1), (16, 6, -1), (32, 0, -1)]\n\
               acl = struct.pack(\"<I\", 2) + b\"\".join(struct.pack(\"<HHi\", *e) for e in entries)\n\
               os.setxattr(\"data/bin\", \"system.posix_acl_default\", acl)'";
    shell(setup.path(), acl);
    shell(setup.path(), &format!("umask 077; {PUBLISH} --force"));
    // The bits of the group are what an ACL grants at most.
    assert_eq!(mode(&bin.join("a_1.6.6.bin")), 0o664);
    let granted = "python3 -c 'import os; print(os.getxattr(\"data/bin/a_1.6.6.bin\", \"system.posix_acl_access\").hex())'";
    assert!(shell(setup.path(), granted).contains("02000600feff0000"));
}

#[test]
fn a_folder_that_others_cannot_enter_is_named_with_the_command() {
    let setup = built();
    let dir = setup.path();
    shell(dir, "umask 077; mkdir -p data/bin");
    let text = shell(dir, PUBLISH);
    let user = shell(dir, "id -un");
    let user = user.trim();
    for folder in ["data", "data/bin"] {
        let path = dir.join(folder).display().to_string();
        let words = format!(
            "warning: others than {user} cannot read {path} (mode 0700): is the server run by {user}? If it is not: chmod \
             a+rX {path}\n"
        );
        assert!(text.contains(&words), "{words}{text}");
    }
    // And that does it.
    for line in text.lines() {
        if let Some((_, command)) = line.split_once("If it is not: ") {
            shell(dir, command);
        }
    }
    let text = shell(dir, &format!("{PUBLISH} --force"));
    assert!(!text.contains("others than"), "{text}");
}

/// As under systemd, or in a container.
#[test]
fn a_server_of_another_user_offers_what_was_published_with_umask_077() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let setup = built();
    let dir = setup.path();
    shell(dir, &format!("umask 077; {PUBLISH}"));
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
    let binary = dir.join("server");
    fs::copy(BINARY, &binary).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    command.arg(&binary);
    let config =
        format!("gateway:\n  ports: [0]\n  ip: 127.0.0.1\n  tls: {{mode: off}}\n{PATIENT}");
    let server = setup.start_by(&config, &mut command);
    assert_eq!(server.offered("a", "1.0").as_deref(), Some("a_1.6.6.bin"));
    let image = server.get("/xiaozhi/ota/download/a_1.6.6.bin");
    assert!(image.body == Image::new("1.6.6").build());
}
