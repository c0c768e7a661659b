mod hostile;

use super::*;
use proptest::prelude::*;
use std::sync::LazyLock;
use xiaozhi_device::image::is_zip;
use xiaozhi_image_builder::zip::{Member, Zip, extra};
use xiaozhi_image_builder::{Image, assets, merged, signed};

static APP: LazyLock<Vec<u8>> = LazyLock::new(|| Image::new("2.1.0").build());
static FULL: LazyLock<Vec<u8>> = LazyLock::new(|| merged(&Image::new("2.1.0"), 0));

const NAME: &str = "merged-binary.bin";

/// An archive as a release is one.
fn release() -> Zip {
    Zip::new().file(NAME, &FULL)
}

/// Reads an archive where there is memory for it.
fn whole(archive: &[u8]) -> Result<Packed, ArchiveFault> {
    image_in(archive, TOGETHER)
}

fn fault(zip: &Zip) -> ArchiveFault {
    whole(&zip.bytes()).expect_err("an archive to be refused")
}

/// The image of an archive, and what was left in it.
fn image(zip: &Zip) -> Packed {
    let packed = whole(&zip.bytes());
    packed.unwrap_or_else(|fault| panic!("{fault}"))
}

#[track_caller]
fn is_the_release(zip: &Zip) {
    let packed = image(zip);
    assert_eq!((&*packed.member, packed.is_flash), (NAME, true));
    assert!(packed.bytes == *FULL);
}

/// The fault of an archive, of which every one names the member.
#[track_caller]
fn names(zip: &Zip, member: &str, part: &str) {
    let fault = fault(zip).to_string();
    assert!(fault.contains(part), "{fault}");
    assert!(fault.starts_with(&format!("{member:?}: ")), "{fault}");
}

#[test]
fn an_archive_is_known_by_its_first_bytes() {
    assert!(is_zip(&release().bytes()) && is_zip(&Zip::new().bytes()));
    for other in [&APP[..], &FULL, b"", b"PK", b"PK\x01\x02"] {
        assert!(!is_zip(other));
    }
}

#[test]
fn a_release_holds_its_full_image() {
    is_the_release(&release());
    assert_eq!(image(&release()).left, [""; 0]);
    let stored = Zip::new().member(Member::stored("build/xiaozhi.bin", &APP));
    let packed = image(&stored);
    assert_eq!(
        (&*packed.member, packed.is_flash),
        ("build/xiaozhi.bin", false)
    );
    assert!(packed.bytes == *APP);
}

#[test]
fn archives_of_every_program_are_read() {
    for signed in [false, true] {
        for wide in [false, true] {
            let member = Member::deflated(NAME, &FULL).streamed(signed, wide);
            let with = |set: fn(&mut Member)| Zip::new().member(member.clone().with(set));
            is_the_release(&with(|_| {}));
            // Info-ZIP marks the sizes of what it reads from a pipe, which it calls a pipe.
            is_the_release(&with(|m| {
                m.wide = true;
                m.external = 0o010_600 << 16;
            }));
            // And some say them twice.
            is_the_release(&with(|m| m.own_sizes = m.sizes));
            is_the_release(&Zip {
                wide: true,
                ..with(|m| m.wide = true)
            });
        }
    }
    is_the_release(&Zip {
        comment: b"PK\x05\x06 built by somebody, at night".to_vec(),
        ..release()
    });
    is_the_release(&Zip {
        wide: true,
        ..release().with(|m| m.wide = true)
    });
    // No system at all, a folder's header of no system, a Mac's leavings, times of Unix.
    let times = extra(0x5455, &[1, 0, 0, 0, 0]);
    is_the_release(
        &Zip::new()
            .member(Member::stored("out/", b"").with(|m| m.external = 0))
            .folder("out/empty/")
            .file(NAME, &FULL)
            .with(|m| {
                (m.made_by, m.external) = (0, 0);
                m.extra = [times.clone(), [&times[..], &[0; 3]].concat()];
            })
            .file(
                "__MACOSX/._merged-binary.bin",
                b"\0\x05\x16\x07\0\x02\0\0Mac OS X",
            )
            .file(".DS_Store", b"\0\0\0\x01Bud1")
            .member(Member::stored("empty", b"").with(|m| (m.method, m.own_method) = (8, 8))),
    );
}

#[test]
fn what_is_no_image_is_left() {
    let elf = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x02\0";
    let zip = release()
        .file("README.md", b"# Hello")
        .file("xiaozhi.elf", elf)
        .file(
            "xiaozhi.map",
            b"Archive member included to satisfy reference by file",
        )
        .file(
            "libmain.a",
            b"!<arch>\n/               0           0     0     0       4         `\n",
        );
    let packed = image(&zip);
    let left = ["README.md", "xiaozhi.elf", "xiaozhi.map", "libmain.a"];
    assert_eq!(packed.left, left);
    assert!(packed.is_flash);
}

#[test]
fn assets_of_93_files_are_no_archive() {
    let files = [("smile.png", &b"12345"[..]); 93];
    let zip = release().file("assets.bin", &assets(&files));
    assert_eq!(image(&zip).left, ["assets.bin"]);
}

/// As `zip -r` packs what a build makes.
fn build_folder() -> Zip {
    let bootloader = Image {
        descriptor: false,
        ..Image::new("2.1.0")
    };
    let table = &FULL[0x8000..0x8C00];
    Zip::new()
        .folder("build/")
        .folder("build/bootloader/")
        .file("build/bootloader/bootloader.bin", &bootloader.build())
        .folder("build/partition_table/")
        .file("build/partition_table/partition-table.bin", table)
        .file("build/ota_data_initial.bin", &[0xFF; 0x2000])
        .file(
            "build/generated_assets.bin",
            &assets(&[("a.png", b"12345")]),
        )
}

#[test]
fn of_a_builds_folder_the_app_is_taken() {
    let packed = image(&build_folder().file("build/xiaozhi.bin", &APP));
    assert_eq!(
        (&*packed.member, packed.is_flash),
        ("build/xiaozhi.bin", false)
    );
    assert_eq!(packed.left.len(), 4);
    // A signed one, too, and one that is filled up: in the full image it is not.
    let signed_app = signed(&APP, &[1]);
    let signed_full = [&FULL[..0x10000], &signed_app].concat();
    let padded = [&APP[..], &[0xFF; 32]].concat();
    for (app, full) in [
        (&*APP, &*FULL),
        (&signed_app, &signed_full),
        (&padded, &*FULL),
    ] {
        for zip in [
            build_folder()
                .file("build/xiaozhi.bin", app)
                .file("build/merged-binary.bin", full),
            build_folder()
                .file("build/merged-binary.bin", full)
                .file("build/xiaozhi.bin", app),
        ] {
            let packed = image(&zip);
            assert_eq!(packed.member, "build/xiaozhi.bin");
            assert!(packed.bytes == *app && !packed.is_flash);
            assert!(packed.left.contains(&"build/merged-binary.bin".to_owned()));
        }
    }
    let packed = image(&build_folder().file("build/merged-binary.bin", &FULL));
    assert!(packed.is_flash);
    // What was flashed is signed, and the app beside it is from before.
    let before = build_folder()
        .file("build/xiaozhi-unsigned.bin", &APP)
        .file("build/merged-binary.bin", &signed_full);
    let packed = image(&before);
    assert!(packed.bytes == signed_full && packed.is_flash);
}

/// The app is the one that would be cut out, not one that stands somewhere in the file.
#[test]
fn an_app_of_another_slot_is_another_one() {
    let other = Image::new("2.1.1").build();
    let mut full = FULL.clone();
    full.resize(full.len().next_multiple_of(4096), 0xFF);
    full.extend(&other);
    let zip = Zip::new().file(NAME, &full).file("xiaozhi.bin", &other);
    assert!(matches!(fault(&zip), ArchiveFault::Different { .. }));
}

#[test]
fn of_several_images_none_is_taken() {
    let other = Image::new("2.1.1").build();
    let two = Zip::new().file("a.bin", &APP).file("b/b.bin", &other);
    let members = vec!["a.bin".to_owned(), "b/b.bin".to_owned()];
    assert_eq!(fault(&two), ArchiveFault::Several { members });
    let five = (0..5).fold(Zip::new(), |zip, n| zip.file(&format!("{n}.bin"), &FULL));
    let said = fault(&five).to_string();
    assert!(
        said.starts_with("it holds 5 images: \"0.bin\", \"1.bin\""),
        "{said}"
    );
    let beside = Zip::new().file(NAME, &FULL).file("xiaozhi.bin", &other);
    let said = fault(&beside).to_string();
    assert!(
        said.starts_with("\"xiaozhi.bin\" is not the app that is in \"merged-binary.bin\""),
        "{said}"
    );
    // One that is signed later is not the one that was flashed.
    let later = Zip::new()
        .file(NAME, &FULL)
        .file("xiaozhi.bin", &signed(&APP, &[1]));
    assert!(matches!(fault(&later), ArchiveFault::Different { .. }));
}

#[test]
fn without_an_image_it_says_what_there_is() {
    let said = |zip: &Zip| fault(zip).to_string();
    assert!(said(&Zip::new()).contains("holds no file"));
    assert!(said(&Zip::new().folder("empty/")).contains("holds no file"));
    let mut damaged = APP.clone();
    damaged[400] ^= 1;
    let zip = Zip::new()
        .file("README", b"read me")
        .file("xiaozhi.bin", &damaged);
    let said = said(&zip);
    let at = said
        .find("\"xiaozhi.bin\": ")
        .expect("the member that is nearly one");
    assert!(
        said.find("\"README\": ").is_some_and(|other| other > at),
        "{said}"
    );
    assert!(said.contains("is damaged"), "{said}");
}

#[test]
fn names_of_other_code_pages_are_read() {
    let named = |raw: &[u8], flags| {
        let set = |m: &mut Member| {
            (m.name, m.own_name, m.flags) = (raw.to_vec(), raw.to_vec(), flags);
        };
        whole(&release().with(set).bytes())
    };
    let name = |raw: &[u8]| named(raw, 0).map(|packed| packed.member);
    assert_eq!(name("固件.bin".as_bytes()), Ok("固件.bin".to_owned()));
    // The second byte of the first letter is a backslash's.
    assert_eq!(name(b"\x84\x5c\xb9\xcc.bin"), Ok("刓固.bin".to_owned()));
    assert!(name(b"\xff\xff.bin").is_ok());
    let said = named(b"\xff.bin", 1 << 11)
        .expect_err("no UTF-8")
        .to_string();
    assert!(said.contains("UTF-8"), "{said}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_was_packed_comes_out(
        payload in prop::collection::vec(any::<u8>(), 0..2000),
        others in prop::collection::btree_map("[a-z]{1,8}", "[ -~]{0,200}", 0..4),
        at in 0..4usize,
        is_stored: bool,
        streamed in prop::option::of((any::<bool>(), any::<bool>())),
        wide: bool,
    ) {
        let mut payload = payload;
        payload.resize(payload.len().next_multiple_of(4), 0);
        let app = Image { payload, ..Image::new("1.2.3") }.build();
        let pack = if is_stored { Member::stored } else { Member::deflated };
        let member = |name: &str, bytes: &[u8]| {
            let member = pack(name, bytes).with(|m| m.wide = wide);
            match streamed {
                Some((signed, wide)) => member.streamed(signed, wide),
                None => member,
            }
        };
        let texts = others.iter().map(|(name, text)| {
            member(&format!("{name}.txt"), format!("text: {text}").as_bytes())
        });
        let mut zip = Zip { wide, ..texts.fold(Zip::new(), Zip::member) };
        let at = at.min(zip.members.len());
        zip.members.insert(at, member("xiaozhi.bin", &app));
        let packed = whole(&zip.bytes()).expect("an archive");
        prop_assert_eq!(packed.member, "xiaozhi.bin");
        prop_assert!(packed.bytes == app);
        prop_assert_eq!(packed.left.len(), others.len());
    }

    #[test]
    fn no_changed_byte_brings_another_image(at in any::<prop::sample::Index>(), flip in 1..=255u8) {
        let zip = Zip::new().file("README", b"read me").file("xiaozhi.bin", &APP);
        let mut bytes = zip.bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok(packed) = whole(&bytes) {
            prop_assert!(packed.bytes == *APP);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = whole(&bytes);
        let _ = whole(&[b"PK\x03\x04", &bytes[..]].concat());
    }
}

/// Archives that Python's `zipfile` packed, and what was changed in some of them:
/// `tests/fuzz/seeds.py`.
#[test]
fn what_python_packs_is_read_and_what_was_changed_in_it_is_seen() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz/corpus/archive");
    let read = |name: &str| std::fs::read(format!("{folder}/{name}")).unwrap();
    for (seed, member) in [
        ("release", NAME),
        ("app-stored", "xiaozhi.bin"),
        ("piped", "xiaozhi.bin"),
        ("piped-zip64", "xiaozhi.bin"),
        ("comment", "xiaozhi.bin"),
        ("name-unicode", "固件.bin"),
        ("build-folder", "build/xiaozhi.bin"),
        // A megabyte of nothing is no bomb.
        ("bomb", "xiaozhi.bin"),
    ] {
        let packed = whole(&read(seed)).map(|packed| packed.member);
        assert_eq!(packed.as_deref(), Ok(member), "{seed}");
    }
    for (seed, part) in [
        ("empty", "no file"),
        ("no-image", "\"README.md\": "),
        ("two-images", "2 images: \"a.bin\", \"b.bin\""),
        ("app-and-other-flash", "is not the app that is in"),
        ("nested", "archive in the archive (zip)"),
        ("name-out", "\"../xiaozhi.b\": "),
        ("name-root", "\"/xiaozhi.bin\": "),
        ("name-windows", "\"a\\\\xiaozhi.bi\": "),
        ("name-drive", "\"C:xiaozhi.bi\": "),
        ("twice", "\"a.bin\": two members"),
        ("link", "\"link\": it is a link"),
        ("device", "\"null\": it is a device"),
        ("encrypted", "\"a.bin\": it is encrypted"),
        ("bzip2", "packed by bzip2"),
        ("lies-checksum", "its checksum does not fit"),
        ("lies-size", "two sizes"),
        ("lies-header", "in its own header"),
        ("stray", "not where it says"),
        ("cut", "cut off or damaged"),
    ] {
        let fault = whole(&read(seed)).expect_err(seed).to_string();
        assert!(fault.contains(part), "{seed}: {fault}");
    }
}
