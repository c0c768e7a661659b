use super::signature::crc32;
use super::*;
use crate::hex::encode;
use aws_lc_rs::digest::SHA256;
use proptest::prelude::*;
use xiaozhi_image_builder::{Image, key_digest, merged, signed};

fn app(bytes: &[u8]) -> AppImage {
    match inspect(bytes).verdict {
        Verdict::App(app) => *app,
        other => panic!("{other:?}"),
    }
}

fn is_app(bytes: &[u8]) -> bool {
    matches!(inspect(bytes).verdict, Verdict::App(_))
}

fn fault(bytes: &[u8]) -> ImageFault {
    match inspect(bytes).verdict {
        Verdict::Rejected(fault) => fault,
        other => panic!("{other:?}"),
    }
}

/// A sector with one signature block of secure boot v2 for `signed`.
fn signature_sector(signed: &[u8]) -> Vec<u8> {
    let mut sector = vec![0xE7, 2, 0, 0];
    sector.extend(inspect(signed).sha256);
    sector.resize(1196, 7);
    sector.extend(crc32(&sector, 0).to_le_bytes());
    sector.resize(1216, 0);
    sector.resize(4096, 0xFF);
    sector
}

#[test]
fn an_app_image_says_what_it_is() {
    let image = Image {
        min_revision: 3,
        max_revision: 199,
        ..Image::new("1.6.6")
    };
    let bytes = image.build();
    let found = app(&bytes);
    assert_eq!(found.chip.name(), Some("esp32s3"));
    assert_eq!(
        (found.min_revision, found.max_revision),
        (Some(3), Some(199))
    );
    assert_eq!(found.length, bytes.len() as u64);
    assert!(found.hash_appended && found.signature.is_none());
    assert_eq!(
        (&*found.project, &*found.version, &*found.idf_version),
        ("xiaozhi", "1.6.6", "v5.4.1")
    );
    assert_eq!(found.built, "Nov 21 2026 12:34:56");
    assert_eq!(found.elf_sha256, Some(image.elf_sha256));
    let inspection = inspect(&bytes);
    assert_eq!(inspection.size, bytes.len() as u64);
    let sum = aws_lc_rs::digest::digest(&SHA256, &bytes);
    assert_eq!(inspection.sha256[..], *sum.as_ref());
}

#[test]
fn what_is_not_set_is_none() {
    let old = Image {
        old_min_revision: 3,
        elf_sha256: [0; 32],
        max_revision: 0xFFFF,
        hash: false,
        ..Image::new("1.0")
    };
    let found = app(&old.build());
    assert_eq!((found.min_revision, found.max_revision), (Some(300), None));
    assert!(found.elf_sha256.is_none() && !found.hash_appended);
    let c3 = Image { chip: 5, ..old };
    assert_eq!(app(&c3.build()).min_revision, Some(3));
}

#[test]
fn padding_and_signatures_belong_to_an_image() {
    let plain = Image::new("1.6.6").build();
    for fill in [0, 0xFF] {
        let mut padded = plain.clone();
        padded.resize(10_000, fill);
        let found = app(&padded);
        assert_eq!(found.length, plain.len() as u64);
        assert!(found.signature.is_none());
    }
    let v1 = [&plain[..], &[5; 68]].concat();
    assert_eq!(app(&v1).signature, Some(Signature::V1));

    let mut padded = plain.clone();
    padded.resize(4096, 0xFF);
    let v2 = [&padded[..], &signature_sector(&padded)].concat();
    assert_eq!(app(&v2).signature, Some(Signature::V2));
    // An image that fills its last sector has no gap.
    let full = Image {
        payload: vec![1; 4096 - plain.len() + 256],
        ..Image::new("1.6.6")
    }
    .build();
    assert_eq!(full.len(), 4096);
    let v2_full = [&full[..], &signature_sector(&full)].concat();
    assert_eq!(app(&v2_full).signature, Some(Signature::V2));

    let other = [&padded[..], &signature_sector(&plain)].concat();
    assert_eq!(fault(&other), ImageFault::Signature);
    for at in [4096 + 4, 4096 + 1195, 4096 + 1199] {
        let mut damaged = v2.clone();
        damaged[at] ^= 1;
        assert_eq!(fault(&damaged), ImageFault::Signature, "{at}");
    }
    for cut in [4096 + 1, 4096 + 1216, v2.len() - 1] {
        assert!(
            matches!(fault(&v2[..cut]), ImageFault::Trailing { .. }),
            "{cut}"
        );
    }
    let mut dirty_gap = v2.clone();
    dirty_gap[4000] = 1;
    assert!(matches!(fault(&dirty_gap), ImageFault::Trailing { .. }));
}

#[test]
fn what_follows_a_signature_is_padding_or_told_apart() {
    let plain = Image::new("1.6.6").build();
    let v1 = [&plain[..], &[0; 4], &[5; 64]].concat();
    let mut signed = plain.clone();
    signed.resize(4096, 0xFF);
    let v2 = [&signed[..], &signature_sector(&signed)].concat();
    for (image, signature, end) in [
        (&v1, Signature::V1, plain.len()),
        (&v2, Signature::V2, v2.len()),
    ] {
        for (length, fill) in [
            (0x10000, 0xFF),
            (0x10000, 0),
            (v2.len() + 1, 0xFF),
            (v2.len() + 4097, 0xFF),
        ] {
            let mut padded = image.clone();
            padded.resize(length, fill);
            let found = app(&padded);
            assert_eq!(
                (found.signature, found.length),
                (Some(signature), plain.len() as u64)
            );
            // In pieces of any length it is the same.
            let mut inspector = Inspector::new();
            padded.chunks(61).for_each(|piece| inspector.update(piece));
            assert_eq!(inspector.finish(), inspect(&padded));
        }
        // Read back from a slot that held a longer image before.
        let stale = [&image[..], &[0xFF; 100], b"the end of another image"].concat();
        let ImageFault::Trailing { bytes, length } = fault(&stale) else {
            panic!("{:?}", fault(&stale));
        };
        assert_eq!((bytes + length, length), (stale.len() as u64, end as u64));
    }
    let unsigned = [&plain[..], &[0xFF; 5000], b"the end of another image"].concat();
    let ImageFault::Trailing { length, .. } = fault(&unsigned) else {
        panic!("{:?}", fault(&unsigned));
    };
    assert_eq!(length, plain.len() as u64);
}

#[test]
fn what_people_upload_by_mistake_is_told_apart() {
    let image = Image::new("1.6.6");
    for bootloader_at in [0, 0x1000, 0x2000] {
        assert_eq!(fault(&merged(&image, bootloader_at)), ImageFault::FullFlash);
    }
    // Even cut behind its partition table.
    assert_eq!(fault(&merged(&image, 0)[..0x9000]), ImageFault::FullFlash);
    assert_eq!(
        fault(&merged(&image, 0x1000)[..0x9000]),
        ImageFault::FullFlash
    );

    let bootloader = Image {
        descriptor: false,
        ..image.clone()
    };
    assert_eq!(fault(&bootloader.build()), ImageFault::Bootloader);

    let twice = [image.build(), image.build()].concat();
    assert!(matches!(fault(&twice), ImageFault::Trailing { .. }));

    let mut esp8266 = vec![
        0xE9, 1, 2, 0x40, 0, 0, 0x10, 0x40, 0, 0, 0x10, 0x40, 16, 0, 0, 0,
    ];
    esp8266.resize(64, 0);
    assert_eq!(fault(&esp8266), ImageFault::Esp8266);
}

#[test]
fn what_is_no_image_is_foreign() {
    for (bytes, what) in [
        (&b"firmware"[..], Some(Lookalike::Text("UTF-8"))),
        (b"\x01\x02\x03\x04", None),
        (b"\x7fELF\x01", Some(Lookalike::Elf)),
        (b"PK\x03\x04\x14", Some(Lookalike::Zip)),
        (b"<!DOCTYPE html>", Some(Lookalike::WebPage)),
    ] {
        let foreign = Foreign { looks_like: what };
        assert_eq!(inspect(bytes).verdict, Verdict::Foreign(foreign));
    }
    assert_eq!(fault(b""), ImageFault::Empty);
    for fill in [0, 0xFF] {
        for (content, bytes) in [(&b""[..], 5000), (&Image::new("1.0").build(), 12_288)] {
            let mut file = vec![fill; bytes];
            file.extend(content);
            let bytes = bytes as u64;
            assert_eq!(fault(&file), ImageFault::Blank { bytes, fill });
        }
    }
}

#[test]
fn a_version_that_crashes_the_device_is_refused_where_its_parser_is_known() {
    let image = Image::new("2.0.x");
    assert!(matches!(
        fault(&image.build()),
        ImageFault::UnsafeVersion { .. }
    ));
    let other = Image {
        project: "blink",
        ..image
    };
    assert_eq!(app(&other.build()).version, "2.0.x");
}

#[test]
fn lengths_that_lie_cost_nothing() {
    let mut bytes = Image::new("1.6.6").build();
    for (length, reason) in [
        (0xFFFF_FFFFu32, "claims"),
        (16 << 20, "claims"),
        ((16 << 20) - 4, "cut"),
        (5, "claims"),
    ] {
        bytes[28..32].copy_from_slice(&length.to_le_bytes());
        let claims = ImageFault::SegmentLength { number: 1, length };
        let found = fault(&bytes);
        let is_cut = matches!(found, ImageFault::EndsEarly { .. });
        assert!(
            if reason == "cut" {
                is_cut
            } else {
                found == claims
            },
            "{found:?}"
        );
    }
    for count in [0, 17, 255] {
        let mut bytes = Image::new("1.6.6").build();
        bytes[1] = count;
        assert_eq!(fault(&bytes), ImageFault::SegmentCount { count });
    }
}

#[test]
fn every_flip_and_every_cut_of_a_hashed_image_shows() {
    let bytes = Image::new("1.6.6").build();
    for at in 0..bytes.len() {
        assert!(!is_app(&bytes[..at]), "cut at {at}");
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            let verdict = inspect(&flipped).verdict;
            assert!(
                matches!(verdict, Verdict::Rejected(_)),
                "bit {bit} of byte {at}: {verdict:?}"
            );
        }
    }
}

#[test]
fn keys_are_known_by_their_digests_and_a_change_of_them_shows() {
    let image = Image::new("1.6.6");
    let [one, two, both] = [&[1][..], &[2], &[2, 1]].map(|keys| app(&signed(&image.build(), keys)));
    assert_eq!(encode(&one.key_digests[0]), key_digest(1));
    assert_eq!(both.key_digests.len(), 2);
    let plain = app(&image.build());
    let v1 = app(&[&image.build()[..], &[5; 68]].concat());
    for (later, earlier, change) in [
        (&one, &one, None),
        (&both, &one, None),
        (&one, &both, None),
        (&plain, &plain, None),
        (&one, &plain, None),
        (&plain, &one, Some(SigningChange::Unsigned)),
        (&plain, &v1, Some(SigningChange::Unsigned)),
        (&two, &one, Some(SigningChange::OtherKey)),
        (&v1, &one, Some(SigningChange::OtherKey)),
        // Of what names no key nothing is said.
        (&v1, &v1, None),
    ] {
        assert_eq!(later.signing_change(earlier), change);
    }
}

#[test]
fn images_for_different_chips_are_told_apart() {
    let between = |chip, min_revision, max_revision| {
        let image = Image {
            chip,
            min_revision,
            max_revision,
            ..Image::new("2.2.4")
        };
        app(&image.build())
    };
    let (old, new) = (between(18, 100, 299), between(18, 300, 399));
    assert!(old.shares_no_chip_with(&new) && new.shares_no_chip_with(&old));
    assert!(!between(18, 100, 0).shares_no_chip_with(&new));
    assert!(!between(18, 0, 300).shares_no_chip_with(&new));
    assert!(between(9, 0, 0).shares_no_chip_with(&new));
    let shown = [old, new, between(9, 0, 0)].map(|image| image.revisions());
    assert_eq!(
        shown,
        [Some("v1.0-v2.99".into()), Some("v3.0-v3.99".into()), None]
    );
}

fn any_image() -> impl Strategy<Value = Image> {
    let words = prop::collection::vec(any::<u32>(), 0..3000);
    (words, "[0-9]\\.[0-9]{1,3}", 0u16..40).prop_map(|(words, version, chip)| Image {
        payload: words.iter().flat_map(|w| w.to_le_bytes()).collect(),
        chip,
        ..Image::new(&version)
    })
}

proptest! {
    #[test]
    fn no_prefix_and_no_flip_of_a_hashed_image_is_ready(
        image in any_image(),
        cut in any::<prop::sample::Index>(),
        (byte, bit) in (any::<prop::sample::Index>(), 0u8..8),
    ) {
        let bytes = image.build();
        prop_assert_eq!(app(&bytes).chip, Chip(image.chip));
        prop_assert!(!is_app(&bytes[..cut.index(bytes.len())]));
        let mut flipped = bytes.clone();
        flipped[byte.index(bytes.len())] ^= 1 << bit;
        prop_assert!(!is_app(&flipped));
    }

    #[test]
    fn pieces_do_not_matter(
        image in any_image(),
        fill in 0usize..9000,
        sizes in prop::collection::vec(1usize..5000, 1..8),
    ) {
        let mut bytes = image.build();
        let end = bytes.len() + fill;
        bytes.resize(end, 0xFF);
        let sector = signature_sector(&bytes);
        bytes.extend(sector);
        let mut inspector = Inspector::new();
        let mut rest = &bytes[..];
        for size in sizes.iter().cycle() {
            let (now, later) = rest.split_at(rest.len().min(*size));
            inspector.update(now);
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(inspector.finish(), inspect(&bytes));
    }

    #[test]
    fn any_bytes_are_judged_without_a_panic(
        mut bytes in prop::collection::vec(any::<u8>(), 0..600),
        has_magic: bool,
    ) {
        if has_magic && let Some(first) = bytes.first_mut() {
            *first = 0xE9;
        }
        prop_assert!(!is_app(&bytes));
    }
}
