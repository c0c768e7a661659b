use super::super::{Inspector, Verdict, inspect};
use super::*;
use proptest::prelude::*;
use xiaozhi_image_builder::{assets, models, nvs_page};

fn kind(bytes: &[u8]) -> Option<Lookalike> {
    match inspect(bytes).verdict {
        Verdict::Foreign(foreign) => foreign.looks_like,
        other => panic!("{other:?}"),
    }
}

fn fault(bytes: &[u8]) -> ImageFault {
    match inspect(bytes).verdict {
        Verdict::Rejected(fault) => fault,
        other => panic!("{other:?}"),
    }
}

fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let step = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(step).take(length).collect()
}

#[test]
fn signatures_are_found_where_they_stand() {
    for (at, bytes, found) in SIGNATURES {
        let mut file = vec![1; *at];
        file.extend(*bytes);
        file.resize(file.len() + 700, 1);
        assert_eq!(kind(&file), Some(*found), "{bytes:?}");
    }
    let mut dmg = noise(2000);
    dmg.extend(b"koly");
    dmg.resize(2508 + 4, 0);
    assert_eq!(kind(&dmg), Some(Lookalike::Archive("dmg")));
    let dfu = [
        b"070701".as_slice(),
        &[7; 100],
        b"\x10\x01UFD\x10\x01\x02\x03\x04",
    ]
    .concat();
    assert_eq!(kind(&dfu), Some(Lookalike::Dfu));
    let mut windows = b"MZ\x90\0".to_vec();
    windows.resize(0x3C, 0);
    windows.extend(0x80u32.to_le_bytes());
    windows.resize(300, 3);
    assert_eq!(kind(&windows), Some(Lookalike::Program("Windows")));
    let mut bitmap = b"BM".to_vec();
    bitmap.extend(200u32.to_le_bytes());
    bitmap.resize(200, 3);
    assert_eq!(kind(&bitmap), Some(Lookalike::Document("BMP")));
    assert_eq!(kind(&bitmap[..199]), None);
}

#[test]
fn texts_are_told_apart() {
    let utf16 = |text: &str, mark: &[u8], big: bool| {
        let units = text.encode_utf16().flat_map(|unit| {
            if big {
                unit.to_be_bytes()
            } else {
                unit.to_le_bytes()
            }
        });
        mark.iter().copied().chain(units).collect::<Vec<u8>>()
    };
    let rows: &[(&[u8], Lookalike)] = &[
        (b"404: Not Found", Lookalike::Text("UTF-8")),
        ("固件说明\r\n第二行".as_bytes(), Lookalike::Text("UTF-8")),
        (b"\xef\xbb\xbfnotes", Lookalike::Text("UTF-8")),
        // GBK of 固件说明.
        (
            b"\xb9\xcc\xbc\xfe\xcb\xb5\xc3\xf7 1.0",
            Lookalike::Text("GBK"),
        ),
        (
            &utf16("固件说明", b"\xff\xfe", false),
            Lookalike::Text("UTF-16"),
        ),
        (
            &utf16("notes", b"\xfe\xff", true),
            Lookalike::Text("UTF-16"),
        ),
        (&utf16("notes", b"", false), Lookalike::Text("UTF-16")),
        (b"\n<!DOCTYPE html><html>", Lookalike::WebPage),
        (
            b"<?xml version=\"1.0\"?><!DOCTYPE html><html>",
            Lookalike::WebPage,
        ),
        (
            b"<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code></Error>",
            Lookalike::Answer("XML"),
        ),
        (
            b"<Error><Code>AccessDenied</Code></Error>",
            Lookalike::Answer("XML"),
        ),
        (b"{\"code\": 404}", Lookalike::Answer("JSON")),
        (b"[{\"errno\":-6}]", Lookalike::Answer("JSON")),
        (b"[section]\nkey=1", Lookalike::Text("UTF-8")),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
            Lookalike::GitLfsPointer,
        ),
        (
            b":020000040000FA\n:10000000\n",
            Lookalike::Encoded("Intel HEX"),
        ),
        (b"S0130000433A5C\n", Lookalike::Encoded("Motorola S-record")),
        (
            b"00000000: e902 024f 0050 3740 ee00 0000\n",
            Lookalike::Encoded("hex dump"),
        ),
        (&b"6QICT8A=".repeat(10), Lookalike::Encoded("Base64")),
        (&b"e902024f".repeat(10), Lookalike::Encoded("hex digits")),
        (
            b"# Name, Type, SubType, Offset\nnvs, data, nvs, 0x9000, 0x4000\n",
            Lookalike::PartitionCsv,
        ),
        (b"#!/usr/bin/env python3\nprint(1)\n", Lookalike::Source),
        (b"import os\n", Lookalike::Source),
        (b"'use strict';\n", Lookalike::Source),
        (b"#include <stdio.h>\n", Lookalike::Source),
    ];
    for (bytes, found) in rows {
        assert_eq!(
            kind(bytes),
            Some(*found),
            "{}",
            String::from_utf8_lossy(bytes)
        );
    }
    // Beyond what is kept of it, a letter may be cut in two.
    assert_eq!(
        kind("说".repeat(3000).as_bytes()),
        Some(Lookalike::Text("UTF-8"))
    );
    assert_eq!(
        fault(b"-----BEGIN EC PRIVATE KEY-----\nMHc\n"),
        ImageFault::PrivateKey
    );
    assert_eq!(kind(b"\x01\x02\x03 text"), None);
}

#[test]
fn an_image_that_was_written_as_a_text_is_known() {
    for (bytes, encoding) in [
        (&b"\xff\xfe\xe9\0\x06\0\x02\0"[..], "UTF-16"),
        (b"\xfe\xff\0\xe9\0\x06\0\x02", "UTF-16"),
        (b"\xc3\xa9\x06\x02O", "UTF-8"),
        (b"\xef\xbb\xbf\xc3\xa9\x06\x02O", "UTF-8"),
        (b"\xef\xbf\xbd\x06\x02O", "UTF-8"),
    ] {
        assert_eq!(kind(bytes), Some(Lookalike::Rewritten(encoding)));
    }
    assert_eq!(kind("été".as_bytes()), Some(Lookalike::Text("UTF-8")));
    let upload = b"--x\r\nContent-Disposition: form-data\r\n\r\n\xe9\x06\0\0";
    assert_eq!(
        kind(upload),
        Some(Lookalike::Encoded("multipart/form-data"))
    );
}

#[test]
fn parts_of_a_flash_chip_are_refused() {
    let part = |part| ImageFault::FlashPart { part };
    let mut table = vec![0xFF; 0xC00];
    table[..4].copy_from_slice(&[0xAA, 0x50, 1, 2]);
    table[32..36].copy_from_slice(&[0xAA, 0x50, 0, 0x10]);
    assert_eq!(fault(&table), ImageFault::PartitionTable);
    let nvs = nvs_page();
    assert_eq!(fault(&nvs), part("NVS"));
    // Wherever a dump begins.
    let dump = [&[7; 4096][..], &nvs].concat();
    assert_eq!(fault(&dump), part("NVS"));
    let dump = [&[7; 8192][..], &table].concat();
    assert_eq!(fault(&dump), ImageFault::FullFlash);
    let mut otadata = vec![0xFF; 0x2000];
    otadata[..4].copy_from_slice(&1u32.to_le_bytes());
    // As otatool.py and the ROM have it.
    otadata[28..32].copy_from_slice(&0x4743_989Au32.to_le_bytes());
    assert_eq!(fault(&otadata), part("otadata"));
    let mut littlefs = vec![0xFF; 8192];
    littlefs[..16].copy_from_slice(b"\x01\0\0\0\xf0\x0f\xff\xf7littlefs");
    assert_eq!(fault(&littlefs), part("LittleFS"));
    let mut fat = vec![0; 8192];
    fat[..11].copy_from_slice(b"\xeb\xfe\x90MSDOS5.0");
    fat[510..512].copy_from_slice(&[0x55, 0xAA]);
    assert_eq!(fault(&fat), part("FAT"));
    let mut spiffs = vec![0xFF; 0x10000];
    spiffs[..4].copy_from_slice(&[1, 0x80, 1, 0]);
    spiffs[252..254].copy_from_slice(&(0x0429u16 ^ 16).to_le_bytes());
    assert_eq!(fault(&spiffs), part("SPIFFS"));
}

#[test]
fn assets_and_models_are_data_when_they_are_whole() {
    let files: &[(&str, &[u8])] = &[("a.png", b"picture"), ("index.json", b"{}")];
    for (what, whole, found) in [
        ("assets.bin", assets(files), Lookalike::Assets),
        ("srmodels.bin", models(files), Lookalike::Models),
    ] {
        assert_eq!(kind(&whole), Some(found));
        // Read back from a partition that was erased before.
        let mut padded = whole.clone();
        padded.resize(0x8000, 0xFF);
        assert_eq!(kind(&padded), Some(found));
        let data = ImageFault::Data { what };
        assert_eq!(fault(&whole[..whole.len() - 1]), data);
        assert_eq!(fault(&[&padded[..], b"something else"].concat()), data);
    }
    // A picture may hold the mark of a file system where one would stand.
    let mut boot_sector = vec![1; 8192];
    for at in 0..8192 - 2 {
        if (60 + at) % 512 == 510 {
            boot_sector[at..at + 2].copy_from_slice(&[0x55, 0xAA]);
        }
    }
    assert_eq!(
        kind(&assets(&[("a.png", &boot_sector)])),
        Some(Lookalike::Assets)
    );
    let mut flipped = assets(files);
    *flipped.last_mut().unwrap() ^= 1;
    assert!(matches!(fault(&flipped), ImageFault::Data { .. }));
    // More than is kept of the beginning.
    let names: Vec<_> = (0..300).map(|n| format!("{n}.png")).collect();
    let many: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), &b"pixels"[..]))
        .collect();
    assert_eq!(kind(&assets(&many)), Some(Lookalike::Assets));
}

#[test]
fn what_is_encrypted_looks_random() {
    assert_eq!(kind(&noise(70_000)), Some(Lookalike::Random));
    assert_eq!(kind(&noise(1024)), Some(Lookalike::Random));
    let program: Vec<u8> = noise(8192).iter().map(|b| b & 0x3F | 0x80).collect();
    assert_eq!(kind(&program), None);
}

proptest! {
    #[test]
    fn any_bytes_behind_any_signature_are_judged_in_any_pieces(
        which in 0..SIGNATURES.len(),
        rest in prop::collection::vec(any::<u8>(), 0..9000),
        size in 1usize..5000,
    ) {
        let (at, bytes, _) = SIGNATURES[which];
        let mut file = rest;
        for (place, byte) in (at..).zip(bytes) {
            if let Some(there) = file.get_mut(place) {
                *there = *byte;
            }
        }
        let mut inspector = Inspector::new();
        file.chunks(size).for_each(|piece| inspector.update(piece));
        prop_assert_eq!(inspector.finish(), inspect(&file));
    }

    #[test]
    fn no_numbers_in_a_table_make_it_panic(
        numbers in prop::collection::vec(prop_oneof![0u32..100, any::<u32>()], 0..40),
        whole: bool,
    ) {
        let mut file = if whole {
            assets(&[("a", b"b")])
        } else {
            models(&[("a", b"b")])
        };
        for (n, number) in numbers.iter().enumerate() {
            let at = n * 4;
            if let Some(there) = file.get_mut(at..at + 4).filter(|_| number % 3 == 0) {
                there.copy_from_slice(&number.to_le_bytes());
            }
        }
        inspect(&file);
    }

    #[test]
    fn no_flip_and_no_cut_of_assets_is_whole(
        content in prop::collection::vec(1u8..255, 1..6000),
        at in any::<prop::sample::Index>(),
        bit in 0u8..8,
    ) {
        let whole = assets(&[("a.png", &content)]);
        let is_whole = |bytes: &[u8]| {
            let found = Foreign { looks_like: Some(Lookalike::Assets) };
            inspect(bytes).verdict == Verdict::Foreign(found)
        };
        prop_assert!(is_whole(&whole));
        prop_assert!(!is_whole(&whole[..at.index(whole.len())]));
        let mut flipped = whole;
        let at = 12 + at.index(flipped.len() - 12);
        flipped[at] ^= 1 << bit;
        prop_assert!(!is_whole(&flipped));
    }
}
