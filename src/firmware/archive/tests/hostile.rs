//! Archives that no build makes.

use super::*;
use xiaozhi_image_builder::zip::{crc32, deflate};

#[test]
fn no_name_leads_out() {
    for (name, part) in [
        ("../merged-binary.bin", ".."),
        ("a/../../merged-binary.bin", ".."),
        ("a/..", ".."),
        ("/etc/passwd", "absolute"),
        ("//server/share/x", "absolute"),
        ("..\\merged-binary.bin", "backslash"),
        ("a\\b", "backslash"),
        ("C:/merged-binary.bin", "drive letter"),
        ("c:x", "drive letter"),
        ("a\0b", "control character"),
        ("a\nb", "control character"),
        ("", "empty"),
        (".", "names no file"),
    ] {
        // In front of the image, behind it, and though it is a folder.
        let bad = Member::stored(name, b"");
        names(&release().member(bad.clone()), name, part);
        let mut first = release();
        first.members.insert(0, bad);
        names(&first, name, part);
        // As Info-ZIP has a name in UTF-8 beside another.
        if !name.is_empty() && name != "." {
            let field = [&[1][..], &crc32(b"good").to_le_bytes(), name.as_bytes()].concat();
            let unicode =
                Member::stored("good", b"").with(|m| m.extra = [extra(0x7075, &field), Vec::new()]);
            names(&release().member(unicode), name, part);
        }
    }
    names(&release().folder("../a/"), "../a/", "..");
    let long = "x/".repeat(600) + "y";
    let said = fault(&release().member(Member::stored(&long, b""))).to_string();
    assert!(said.contains("too long") && said.len() < 400, "{said}");
}

#[test]
fn what_is_no_file_is_refused() {
    for (mode, part) in [
        (0o120_777, "a link"),
        (0o020_644, "a device"),
        (0o060_644, "a device"),
        (0o140_755, "a socket"),
        (0o010_644, "a pipe"),
        (0o170_000, "no kind"),
    ] {
        let content = if mode == 0o010_644 {
            &b""[..]
        } else {
            b"/etc/passwd"
        };
        for made_by in [3 << 8, 0, 19 << 8] {
            let set = |m: &mut Member| (m.external, m.made_by) = (mode << 16, made_by);
            let member = Member::stored("passwd", content).with(set);
            names(&release().member(member), "passwd", part);
        }
    }
    let reparse = Member::stored("link", b"x").with(|m| (m.external, m.made_by) = (0x420, 0));
    names(&release().member(reparse), "link", "a link");
    let folder = Member::stored("folder/", b"bytes");
    names(&release().member(folder), "folder/", "holds bytes");
}

#[test]
fn where_memory_is_short_less_may_come_out() {
    let zip = release().bytes();
    let needed = (zip.len() + FULL.len()) as u64;
    assert!(image_in(&zip, needed).is_ok());
    let fault = image_in(&zip, needed - 1);
    assert!(matches!(fault, Err(ArchiveFault::Bomb { most, .. }) if most == needed - 1));
}

#[test]
fn too_much_is_refused_before_any_of_it_is_unpacked() {
    let bomb = Member::deflated("bomb", &[0; 5000]);
    let (crc, packed, _) = bomb.sizes;
    for bytes in [10 << 30, u64::MAX, TOGETHER, TOGETHER - FULL.len() as u64] {
        let big = bomb
            .clone()
            .says((crc, packed, bytes))
            .with(|m| m.wide = true);
        let zip = release().member(big);
        let member = "bomb".to_owned();
        assert_eq!(
            fault(&zip),
            ArchiveFault::Bomb {
                member,
                bytes,
                most: TOGETHER
            }
        );
        names(&zip, "bomb", "unpacks to");
    }
    // Less than may be there at all, and more than there can be.
    let big = bomb.clone().says((crc, packed, 50 << 20));
    names(&release().member(big), "bomb", "so few bytes");
    // An honest one.
    let zeros = deflate(&vec![0; 45 << 20]);
    let length = zeros.len() as u64;
    let honest = |name: &str| {
        let member = Member::deflated(name, b"").says((0, length, 45 << 20));
        member.with(|m| m.packed.clone_from(&zeros))
    };
    let four = ["a", "b", "c", "d"].map(honest);
    let four = four.into_iter().fold(release(), Zip::member);
    names(&four, "d", "unpacks to");
    let many = (0..=MEMBERS).fold(Zip::new(), |zip, n| zip.file(&format!("{n}"), b""));
    let count = MEMBERS + 1;
    assert_eq!(fault(&many), ArchiveFault::TooManyMembers { count });
    let said = Zip {
        wide: true,
        count: Some(u64::MAX),
        ..release()
    };
    assert!(matches!(fault(&said), ArchiveFault::TooManyMembers { .. }));
    let long = vec![0; usize::try_from(MOST).unwrap() + 1];
    assert!(matches!(whole(&long), Err(ArchiveFault::TooLarge { .. })));
}

#[test]
fn a_member_that_lies_is_refused() {
    let full = FULL.len() as u64;
    let honest = Member::deflated(NAME, &FULL);
    let (crc, packed, _) = honest.sizes;
    for (sizes, part) in [
        ((crc, packed, full - 1), "holds more"),
        ((crc, packed, full + 1), "holds less"),
        ((crc ^ 1, packed, full), "checksum"),
    ] {
        names(&Zip::new().member(honest.clone().says(sizes)), NAME, part);
        let streamed = honest.clone().says(sizes).streamed(true, false);
        names(&Zip::new().member(streamed), NAME, part);
    }
    let lies = |part: &str, set: &dyn Fn(&mut Member)| {
        names(&Zip::new().member(honest.clone().with(set)), NAME, part);
    };
    // One header says this, and the other that.
    lies("other sizes", &|m| m.own_sizes.2 += 1);
    lies("other sizes", &|m| m.own_sizes.1 += 1);
    lies("other sizes", &|m| m.own_sizes.0 ^= 1);
    lies("other sizes", &|m| m.own_sizes = (0, 0, 0));
    lies("another name", &|m| m.own_name = b"other.bin".to_vec());
    lies("another method", &|m| m.own_method = 0);
    lies("two sizes", &|m| m.method = 0);
    lies("so few bytes", &|m| {
        m.packed.clear();
        m.sizes.1 = 0;
    });
    let mut headless = release().bytes();
    headless[0] ^= 1;
    let said = whole(&headless).expect_err("no header").to_string();
    assert!(said.contains("no member does"), "{said}");
    let streamed = |set: &dyn Fn(&mut Member)| {
        Zip::new().member(honest.clone().streamed(true, false).with(set))
    };
    names(
        &streamed(&|m| m.own_sizes.2 = full - 1),
        NAME,
        "other sizes",
    );
    for set in [
        &(|m: &mut Member| m.descriptor_sizes.0 ^= 1) as &dyn Fn(&mut Member),
        &|m| m.descriptor_sizes.1 -= 1,
        &|m| m.descriptor_sizes.2 += 1,
    ] {
        names(&streamed(set), NAME, "belong to no member");
    }
    // What is packed goes on, ends early, or is no deflate.
    let with_packed = |packed: Vec<u8>, part: &str| {
        let sizes = (crc, packed.len() as u64, full);
        let member = honest.clone().says(sizes).with(|m| m.packed = packed);
        names(&Zip::new().member(member), NAME, part);
    };
    with_packed([&honest.packed[..], b"PK"].concat(), "behind what it holds");
    with_packed(honest.packed[..honest.packed.len() - 1].to_vec(), "cut off");
    with_packed(vec![0xFF; honest.packed.len()], "cannot be unpacked");
    let wide = |field: &[u8]| {
        let extra = extra(1, field);
        let set = |m: &mut Member| (m.sizes.2, m.extra) = (u64::MAX, [extra, Vec::new()]);
        Zip::new().member(honest.clone().with(set))
    };
    names(&wide(&[0; 7]), NAME, "extra fields");
    let twice = honest
        .clone()
        .with(|m| m.extra[0] = [extra(1, b""), extra(1, b"")].concat());
    names(&Zip::new().member(twice), NAME, "extra fields");
    let beyond = honest.clone().with(|m| m.extra[1] = vec![1, 0, 9, 0]);
    names(&Zip::new().member(beyond), NAME, "extra fields");
}

#[test]
fn no_byte_is_two_members_or_nobodys() {
    let one = Member::stored("one", b"1");
    let shared = release().member(one.clone().with(|m| m.at = Some(0)));
    assert!(matches!(fault(&shared), ArchiveFault::Overlap { .. }));
    // One that begins within another.
    let inner = Zip::new().file(NAME, &FULL).bytes();
    let outer = Member::stored("outer", &inner);
    let at = 30 + "outer".len() as u64;
    let quoted = Member::deflated(NAME, &FULL).with(|m| m.at = Some(at));
    let zip = Zip::new().member(outer).member(quoted);
    names(&zip, "outer", "shares bytes with");
    let far = release().member(one.clone().with(|m| m.at = Some(u32::MAX.into())));
    assert!(matches!(fault(&far), ArchiveFault::Lies { .. }));
    let hidden = release().member(one.clone().with(|m| m.stray = b"hidden".to_vec()));
    names(
        &hidden,
        NAME,
        "6 bytes that belong to no member stand behind",
    );
    let in_front = Zip::new().member(one.with(|m| m.stray = inner));
    names(&in_front, "one", "in front of");
    let behind = Zip {
        stray: vec![0; 9],
        ..release()
    };
    names(&behind, NAME, "9 bytes");
    for twice in [
        "merged-binary.bin",
        "./merged-binary.bin",
        "merged-binary.bin/",
    ] {
        names(
            &release().member(Member::stored(twice, b"")),
            twice,
            "two members",
        );
    }
    // A Mac's spelling of a name, and everybody else's.
    let spelt = Zip::new().file("cafe\u{301}", b"").file("caf\u{e9}", b"");
    names(&spelt, "caf\u{e9}", "two members");
}

#[test]
fn what_cannot_be_unpacked_is_named() {
    for flags in [1, 1 << 6, 1 << 13] {
        names(&release().with(|m| m.flags = flags), NAME, "encrypted");
    }
    for (method, name) in [
        (9, "deflate64"),
        (12, "bzip2"),
        (14, "LZMA"),
        (93, "zstd"),
        (95, "xz"),
        (1234, "method 1234"),
    ] {
        let set = |m: &mut Member| (m.method, m.own_method) = (method, method);
        names(&release().with(set), NAME, name);
    }
    names(&release().with(|m| m.method = 99), NAME, "encrypted");
    names(&release().with(|m| m.flags = 1 << 5), NAME, "patches");
}

#[test]
fn an_archive_in_an_archive_is_refused() {
    let tar = [&[b'a'; 257][..], b"ustar\0", &[0; 300]].concat();
    for (kind, bytes) in [
        ("zip", &release().bytes()[..]),
        (
            "gzip",
            b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0",
        ),
        ("xz", b"\xfd7zXZ\0\0\x04"),
        ("bzip2", b"BZh91AY&SY"),
        ("lzma", b"\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0"),
        ("7z", b"7z\xbc\xaf\x27\x1c\0\x04"),
        ("tar", &tar),
    ] {
        let zip = release().file("firmware.bin", bytes);
        names(
            &zip,
            "firmware.bin",
            &format!("archive in the archive ({kind})"),
        );
    }
}

#[test]
fn what_is_cut_or_split_says_so() {
    let all = release().bytes();
    for length in [0, 4, 21, all.len() / 2, all.len() - 1] {
        let fault = whole(&all[..length]).expect_err("cut");
        assert!(matches!(fault, ArchiveFault::Damaged { .. }), "{fault}");
    }
    let split = Zip {
        disk: 2,
        ..release()
    };
    for split in [
        &split.bytes()[..],
        b"PK\x07\x08PK\x03\x04",
        b"PK00PK\x03\x04",
    ] {
        assert_eq!(whole(split), Err(ArchiveFault::Split));
    }
    // Two ends, of which readers take this one or that.
    let two = Zip {
        comment: Zip::new().bytes(),
        ..release()
    };
    assert!(fault(&two).to_string().contains("two ways"));
    for count in [0, 2] {
        let zip = Zip {
            count: Some(count),
            ..release()
        };
        assert!(matches!(fault(&zip), ArchiveFault::Damaged { .. }));
    }
}
