//! Names of files that fit no rule, and the sign in them that does not.

use super::shown;
use crate::support::server::{BINARY, Setup, without_privilege};
use crate::support::{Server, make_pipe, until};
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use xiaozhi_image_builder::Image;

/// A file that lies in each folder: once it is ready, everything was looked at.
const GOOD: &str = "good-board_9.0.bin";

fn image() -> Vec<u8> {
    Image::new("2.0.6").build()
}

/// Starts a server whose folder `lay` has filled, and waits until all was looked at.
#[track_caller]
fn beside(lay: impl Fn(&Path)) -> Server {
    beside_by(&mut Command::new(BINARY), "", lay)
}

#[track_caller]
fn beside_by(command: &mut Command, config: &str, lay: impl Fn(&Path)) -> Server {
    let setup = Setup::new().file(GOOD, image());
    lay(&setup.path().join("data/bin"));
    let server = setup.start_early(config, command);
    server.event("file.ready", &[("file", GOOD)]);
    // What a look has found is said before what was read.
    server
}

/// Names of images, the reason for which each is refused, the sign in it that does not fit, and
/// the name that would do: by the version inside.
#[rustfmt::skip]
const MISNAMED: &[(&str, &str, &str, &str)] = &[
    ("a-c3_2.0.6 (1).bin", "name.no-version", "' '", "a-c3_2.0.6.bin"),
    ("b-c3_2.0.6(2).bin", "name.no-version", "'('", "b-c3_2.0.6.bin"),
    ("c-c3_2.0.6 - 副本.bin", "name.no-version", "' '", "c-c3_2.0.6.bin"),
    ("d-c3_2.0.6 - Copy.bin", "name.no-version", "' '", "d-c3_2.0.6.bin"),
    ("e-c3_2.0.6 copy.bin", "name.no-version", "' '", "e-c3_2.0.6.bin"),
    ("f-c3_2.0.6_副本.bin", "name.no-version", "'副' (U+526F)", "f-c3_2.0.6.bin"),
    ("g-c3_２.０.６.bin", "name.no-version", "'２' (U+FF12)", "g-c3_2.0.6.bin"),
    ("h-c3_2．0．6.bin", "name.no-version", "'．' (U+FF0E)", "h-c3_2.0.6.bin"),
    ("i-c3＿2.0.6.bin", "name.no-version", "'＿' (U+FF3F)", "i-c3_2.0.6.bin"),
    ("j-c3_2.0.6+build.5.bin", "name.no-version", "'+'", "j-c3_2.0.6.bin"),
    ("k-c3_v2.0.6.bin", "name.no-version", "'v'", "k-c3_2.0.6.bin"),
    ("l-c3_V2.bin", "name.no-version", "'V'", "l-c3_2.0.6.bin"),
    ("m-c3-2.0.6.bin", "name.no-version", "'-'", "m-c3_2.0.6.bin"),
    ("n-c3 2.0.6.bin", "name.no-version", "' '", "n-c3_2.0.6.bin"),
    ("o-c3_2.0.6 .bin", "name.no-version", "' '", "o-c3_2.0.6.bin"),
    ("1.7.0_p-c3.bin", "name.no-version", "", "p-c3_2.0.6.bin"),
    ("v2.1.0_q-compact-wifi.bin", "name.no-version", "", "q-compact-wifi_2.0.6.bin"),
    ("r-c3_2025年12月11日.bin", "name.no-version", "'年' (U+5E74)", "r-c3_2.0.6.bin"),
    ("s-c3_2.0.6正式版.bin", "name.no-version", "'正' (U+6B63)", "s-c3_2.0.6.bin"),
    ("t-c3_2.0.6.BIN", "name.not-bin", "", "t-c3_2.0.6.bin"),
    ("u-c3_2.0.6.bin.txt", "name.not-bin", "'.'", "u-c3_2.0.6.bin"),
    ("v-c3_2.0.6", "name.not-bin", "", "v-c3_2.0.6.bin"),
    ("w-c3_2.0.6.bin.", "name.not-bin", "'.'", "w-c3_2.0.6.bin"),
    ("x-c3_2.0.6.bin ", "name.not-bin", "' '", "x-c3_2.0.6.bin"),
    ("y-c3_2.0.6.bin.bin", "name.unsafe-version", "", "y-c3_2.0.6.bin"),
    ("z-c3_20251211153000.bin", "name.unsafe-version", "", "z-c3_2.0.6.bin"),
    ("aa-c3_2.0.x.bin", "name.unsafe-version", "", "aa-c3_2.0.6.bin"),
    ("ab-c3\n_2.0.6.bin", "name.control-character", "U+000A", "ab-c3_2.0.6.bin"),
    ("ac-c3_2.0.6\u{202e}.bin", "name.no-version", "U+202E", "ac-c3_2.0.6.bin"),
    ("ad-c3_\u{200b}2.0.6.bin", "name.no-version", "U+200B", "ad-c3_2.0.6.bin"),
    ("v2.1.0_ae-compact-wifi.zip", "name.not-bin", "", "ae-compact-wifi_2.0.6.bin"),
    ("af-c3_2.0.6%20(1).bin", "name.no-version", "'%'", "af-c3_2.0.6.bin"),
    ("ag-c3_2.0.6 - Kopya.bin", "name.no-version", "' '", "ag-c3_2.0.6.bin"),
    ("ah-c3_release-2.0.6.bin", "name.no-version", "'r'", "ah-c3_2.0.6.bin"),
    ("ai-c3：2.0.6.bin", "name.no-version", "'：' (U+FF1A)", "ai-c3_2.0.6.bin"),
    ("“aj-c3_2.0.6”的副本.bin", "name.no-version", "", "aj-c3_2.0.6.bin"),
    ("ak-c3_٢.٠.٦.bin", "name.no-version", "U+0662", "ak-c3_2.0.6.bin"),
    ("al-c3_2.0.6.bin.gpg", "name.not-bin", "'.'", "al-c3_2.0.6.bin"),
    ("merged-binary.bin", "name.no-version", "", ""),
    ("nounderscore.bin", "name.no-version", "", ""),
    ("notes.txt", "name.not-bin", "", ""),
];

#[test]
fn the_sign_that_does_not_fit_and_a_name_that_would() {
    // A start would name the first of each kind alone.
    let server = beside(|_| {});
    for (file, ..) in MISNAMED {
        fs::write(server.bin().join(file), image()).unwrap();
    }
    for (file, why, sign, name) in MISNAMED {
        let file = &shown(file);
        let fields = [
            ("file", &**file),
            ("why", why),
            ("message", name),
            ("message", sign),
        ];
        server.event("file.refused", &fields);
    }
    // Each name that was suggested is a name.
    for (file, _, _, name) in MISNAMED {
        if !name.is_empty() {
            fs::rename(server.bin().join(file), server.bin().join(name)).unwrap();
            server.event("file.ready", &[("file", name)]);
        }
    }
}

#[test]
fn what_no_other_name_makes_an_image_is_called_what_it_is() {
    let rows: &[(&str, &[u8], &str)] = &[
        ("a_1.0.uf2", b"UF2\n\x57\x51\x5d\x9e", "image.uf2"),
        ("b_1.0.bin.lzma", b"\x5d\0\0\x80\0", "image.archive"),
        ("c_1.0.bin.enc", b"Salted__12345678", "image.locked"),
        ("d_1.0.bin.age", b"age-encryption.org/v1\n", "image.locked"),
        (
            "e_1.0.bin.pem",
            b"-----BEGIN PRIVATE KEY-----\n",
            "image.private-key",
        ),
        (
            "f_1.0.bin - 快捷方式.lnk",
            b"L\0\0\0\x01\x14\x02\0",
            "image.document",
        ),
        ("g_1.0.7z.001", b"7z\xbc\xaf\x27\x1c", "image.archive"),
        ("h_1.0.tbz2", b"BZh91AY", "image.bzip2"),
        ("i_1.0.bsdiff", b"BSDIFF40", "image.delta"),
        ("j_1.0.s19", b"S00F000068656C6C6F202020\n", "image.encoded"),
        ("k_1.0.txz", b"\xfd7zXZ\0", "image.xz"),
        ("l_1.0.elf", b"\x7fELF\x01\x01", "image.elf"),
        (
            "m_1.0.iso.bin.html",
            b"<!DOCTYPE html><title>404</title>",
            "image.web-page",
        ),
        ("n_v1.0.bin", b"\x1f\x8b\x08\0", "image.gzip"),
        ("o_1.0.img", &[0; 300], "image.blank"),
        // Of these the name says as much.
        ("p_v1.0.zip", b"PK\x03\x04\x14\0", "name.archive"),
        ("q_1.0.json", b"{\"a\": 1}", "name.not-bin"),
        // Nobody knows what it is.
        ("r_v1.0.bin", b"\x01\x02\x03", "name.no-version"),
        ("s_1.0.bin.br", b"\x01\x02\x03", "name.not-bin"),
        ("t_1.0.bin.txt", b"404: Not Found", "name.not-bin"),
    ];
    let server = beside(|_| {});
    for (file, bytes, _) in rows {
        fs::write(server.bin().join(file), bytes).unwrap();
    }
    symlink("gone", server.bin().join("lnk")).unwrap();
    for (file, _, why) in rows {
        let line = server.event("file.refused", &[("file", file), ("why", why)]);
        assert!(!line.contains("would do"), "{line}");
        let said = server.events_of("file.", &[("file", file)]);
        assert_eq!(said.len(), 1, "{said:?}");
        let path = format!("/xiaozhi/ota/download/{file}");
        assert_ne!(server.get(&path).status, 200, "{file}");
    }
    let dangling = [("file", "lnk"), ("message", "a link to gone")];
    server.event("file.refused", &dangling);
}

#[test]
fn thousands_of_odd_files_take_a_few_lines_at_a_start_and_one_each_later() {
    let server = beside(|bin| {
        for n in 0..30 {
            fs::write(bin.join(format!("odd-{n}.bin")), image()).unwrap();
            fs::write(bin.join(format!("odd-{n}.log")), "text").unwrap();
            fs::write(bin.join(format!("odd-{n}_1.0.bin")), "no image").unwrap();
        }
    });
    let dir = fs::canonicalize(server.bin()).unwrap();
    let all = format!("xiaozhi-ota inspect {}", dir.display());
    for (id, kind, command) in [
        ("file.refused", "name.no-version", all.clone()),
        ("file.refused", "name.not-bin", format!("{all}/*")),
        ("file.foreign", "image.text", all.clone()),
    ] {
        let more = [("kind", kind), ("more", "20"), ("message", &*command)];
        server.event("files.more", &more);
        let field = if id == "file.refused" { "why" } else { "kind" };
        assert_eq!(server.events(id, &[(field, kind)]).len(), 10, "{kind}");
    }
    assert_eq!(server.events("files.more", &[]).len(), 3);
    for n in 30..45 {
        let file = &*format!("odd-{n}.bin");
        fs::write(server.bin().join(file), image()).unwrap();
        server.event("file.refused", &[("file", file)]);
    }
    // One that lay there is said, too, once it is another.
    for n in 0..15 {
        let file = &*format!("odd-{n}_1.0.bin");
        fs::write(server.bin().join(file), [0; 300]).unwrap();
        let blank = [("file", file), ("why", "image.blank")];
        server.event("file.refused", &blank);
    }
}

#[test]
fn a_full_image_by_its_name() {
    // Of what is in it nobody can tell more.
    let server = beside(|bin| fs::write(bin.join("Merged-Binary (1).bin"), "bytes").unwrap());
    let fields = [
        ("file", "Merged-Binary (1).bin"),
        ("why", "name.full-flash"),
    ];
    server.event("file.refused", &fields);
}

#[test]
fn a_name_that_is_taken_is_not_suggested() {
    let server = beside(|bin| {
        for file in ["a-c3_2.0.6 (1).bin", "a-c3_2.0.6.bin"] {
            fs::write(bin.join(file), image()).unwrap();
        }
    });
    let fields = [
        ("file", "a-c3_2.0.6 (1).bin"),
        ("message", "a-c3_2.0.6_2.bin would do"),
        ("message", "a-c3_2.0.6.bin is there already"),
    ];
    server.event("file.refused", &fields);
}

#[test]
fn bytes_that_are_no_text() {
    // As a zip from a Chinese Windows has it.
    let server = beside(|bin| {
        let file = OsStr::from_bytes(b"a-c3_v1.0 - \xb8\xb1\xb1\xbe.bin");
        fs::write(bin.join(file), image()).unwrap();
    });
    let fields = [
        ("why", "name.not-utf8"),
        ("message", "0xB8"),
        ("message", "a-c3_2.0.6.bin"),
    ];
    server.event("file.refused", &fields);
}

#[test]
fn what_is_plainly_no_firmware_is_passed_over() {
    const FILES: [&str; 32] = [
        "Thumbs.db",
        "thumbs.db",
        ".DS_Store",
        "desktop.ini",
        "._a-c3_2.0.6.bin",
        ".~lock.a-c3_2.0.6.bin#",
        "~$a-c3_2.0.6.bin",
        ".a-c3_2.0.6.bin.AbC123",
        "a-c3_2.0.6.bin.md5",
        "a-c3_2.0.6.bin.sha256",
        "SHA256SUMS",
        "a-c3_2.0.6.bin.part",
        "a-c3_2.0.6.bin.crdownload",
        "a-c3_2.0.6.bin.tmp",
        "a-c3_2.0.6.bin:Zone.Identifier",
        "README.md",
        "readme.txt",
        "a-c3_2.0.6.bin~",
        "a-c3_2.0.6.bin.swp",
        ".gitignore",
        "#a-c3_2.0.6.bin#",
        "a-c3_2.0.6.bin.asc",
        "LICENSE",
        "ehthumbs.db",
        "md5.txt",
        "CHECKSUM",
        "SHA3SUMS",
        "a-c3_2.0.6.bin.par2",
        "a-c3_2.0.6.bin.incomplete",
        "a-c3_2.0.6.bin:Zone.Identifier:$DATA",
        "COPYING",
        "说明.txt",
    ];
    const FOLDERS: [&str; 7] = [
        "@eaDir",
        "lost+found",
        "#recycle",
        "$RECYCLE.BIN",
        "System Volume Information",
        ".git",
        "__MACOSX",
    ];
    let server = beside(|bin| {
        for file in FILES {
            fs::write(bin.join(file), image()).unwrap();
        }
        for folder in FOLDERS {
            fs::create_dir(bin.join(folder)).unwrap();
            fs::write(bin.join(folder).join("a-c3_2.0.6.bin"), image()).unwrap();
        }
    });
    for name in FILES.into_iter().chain(FOLDERS) {
        assert_eq!(server.events_of("", &[("file", name)]), [""; 0], "{name}");
    }
    for model in ["a-c3", "~$a-c3", "._a-c3"] {
        assert_eq!(server.offered(model, "1.0"), None, "{model}");
    }
    // Nor later, when one comes: what comes after it is told of.
    fs::write(server.bin().join("b-c3_1.0.bin.part"), "x").unwrap();
    fs::write(server.bin().join("b-c3_1.0.bin"), image()).unwrap();
    server.event("file.ready", &[("file", "b-c3_1.0.bin")]);
    let part = [("file", "b-c3_1.0.bin.part")];
    assert_eq!(server.events_of("", &part), [""; 0]);
}

#[test]
fn what_stands_in_a_files_place_is_called_what_it_is() {
    let server = beside(|bin| {
        fs::create_dir_all(bin.join("old/2.0")).unwrap();
        fs::write(bin.join("old/2.0/a-c3_2.0.bin"), image()).unwrap();
        fs::create_dir(bin.join("empty")).unwrap();
        fs::create_dir(bin.join("b-c3_1.0.bin")).unwrap();
        make_pipe(&bin.join("c-c3_1.0.bin"));
        UnixListener::bind(bin.join("d-c3_1.0.bin")).unwrap();
        symlink("/dev/null", bin.join("e-c3_1.0.bin")).unwrap();
        symlink("builds/gone.bin", bin.join("f-c3_1.0.bin")).unwrap();
        symlink("g-c3_1.0.bin", bin.join("g-c3_1.0.bin")).unwrap();
        symlink("old", bin.join("h-c3_1.0.bin")).unwrap();
    });
    for (file, why, words) in [
        ("old", "image.no-file", "a folder"),
        ("old", "image.no-file", "old/2.0/a-c3_2.0.bin"),
        ("empty", "image.no-file", "a folder"),
        ("b-c3_1.0.bin", "image.no-file", "a folder"),
        ("c-c3_1.0.bin", "image.no-file", "a pipe"),
        ("d-c3_1.0.bin", "image.no-file", "a socket"),
        ("e-c3_1.0.bin", "image.no-file", "a device"),
        (
            "f-c3_1.0.bin",
            "image.unreadable",
            "a link to builds/gone.bin",
        ),
        ("g-c3_1.0.bin", "image.unreadable", "a link to g-c3_1.0.bin"),
        ("h-c3_1.0.bin", "image.no-file", "a folder"),
    ] {
        server.event(
            "file.refused",
            &[("file", file), ("why", why), ("message", words)],
        );
    }
}

#[test]
fn what_only_its_owner_may_read_names_owner_and_mode() {
    let user = fs::metadata("/proc/self").unwrap().uid();
    let server = beside_by(&mut without_privilege(), "firmware_cache_ttl: 1\n", |bin| {
        let file = bin.join("a-c3_2.0.6.bin");
        fs::write(&file, image()).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o200)).unwrap();
        fs::create_dir(bin.join("shut")).unwrap();
        fs::write(bin.join("shut/b-c3_2.0.6.bin"), image()).unwrap();
        symlink("shut/b-c3_2.0.6.bin", bin.join("b-c3_2.0.6.bin")).unwrap();
        fs::set_permissions(bin.join("shut"), Permissions::from_mode(0o000)).unwrap();
    });
    let user = user.to_string();
    for (file, words) in [
        ("a-c3_2.0.6.bin", "mode 0200"),
        ("a-c3_2.0.6.bin", &format!("belongs to user {user}")),
        ("a-c3_2.0.6.bin", "data/bin/a-c3_2.0.6.bin, or give it"),
        ("b-c3_2.0.6.bin", "chmod a+x "),
        ("b-c3_2.0.6.bin", "/data/bin/shut, on the way to "),
    ] {
        let fields = [
            ("file", file),
            ("why", "image.unreadable"),
            ("message", words),
        ];
        server.event("file.refused", &fields);
    }
    let mode = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    mode(&server.bin().join("a-c3_2.0.6.bin"), 0o644);
    server.event("file.ready", &[("file", "a-c3_2.0.6.bin")]);
    // The firmware folder itself.
    mode(&server.bin(), 0o000);
    let event = server.event("folder.unavailable", &[]);
    mode(&server.bin(), 0o755);
    mode(&server.bin().join("shut"), 0o755);
    assert!(
        event.contains("mode 0000") && event.contains("/data/bin, or give it"),
        "{event}"
    );
}

#[test]
fn a_model_with_blanks_or_underscores_around_it_is_remarked_on() {
    let files = [
        ("a-c3__2.0.6.bin", "a-c3_2.0.6.bin"),
        (" b-c3_2.0.6.bin", "b-c3_2.0.6.bin"),
        ("c-c3 _2.0.6.bin", "c-c3_2.0.6.bin"),
        ("d-c3\u{200b}_2.0.6.bin", "d-c3_2.0.6.bin"),
        ("Copy of e-c3_2.0.6.bin", "e-c3_2.0.6.bin"),
        ("ｆ-c3_2.0.6.bin", "f-c3_2.0.6.bin"),
    ];
    let server = beside(|bin| {
        for (file, _) in files {
            fs::write(bin.join(file), image()).unwrap();
        }
    });
    for (file, name) in files {
        let fields = [
            ("file", &*shown(file)),
            ("what", "name.odd-model"),
            ("message", name),
        ];
        server.event("file.remark", &fields);
    }
    // To the letter it is a model, and somebody may report it.
    assert_eq!(
        server.offered("a-c3_", "1.0").as_deref(),
        Some("a-c3__2.0.6.bin")
    );
}

#[test]
fn letters_and_accents_apart_are_the_same_model() {
    const APART: &str = "re\u{301}seau";
    const COMPOSED: &str = "r\u{e9}seau";
    let server = beside(|bin| {
        fs::write(bin.join(format!("{APART}_2.0.6.bin")), image()).unwrap();
    });
    server.event("file.ready", &[("version", "2.0.6")]);
    for model in [APART, COMPOSED] {
        let url = until("the offer", || server.offered(model, "1.0"));
        // Under its real name, as the disk has it.
        assert_eq!(url, "re%CC%81seau_2.0.6.bin", "{model}");
        let reply = server.get(&format!("/xiaozhi/ota/download/{url}"));
        assert_eq!((reply.status, reply.body == image()), (200, true));
    }
    // Beside the same name in letters that have theirs on them nothing shows which is which.
    fs::write(
        server.bin().join(format!("{COMPOSED}_2.0.6.bin")),
        Image::new("2.0.6").build(),
    )
    .unwrap();
    let rm = "/data/bin/re\\xcc\\x81seau_2.0.6.bin'";
    server.event("file.twin", &[("message", rm)]);
    let config = format!("gateway:\n  firmware: {{pin: {{{APART}: 2.0.5}}}}\n");
    server.configure(&config);
    server.reload();
    assert_eq!(server.offered(COMPOSED, "1.0"), None);
}
