use super::*;
use crate::image::{ImageFault, Verdict, inspect};
use proptest::prelude::*;
use xiaozhi_image_builder::{Flash, Image, assets, merged, models, nvs_page, signed};

pub(super) fn app(version: &str) -> Vec<u8> {
    Image::new(version).build()
}

pub(super) fn found(flash: &[u8]) -> FlashApp<'_> {
    assert!(is_flash(flash));
    app_in(flash).unwrap()
}

#[track_caller]
pub(super) fn fault(flash: &[u8]) -> FlashFault {
    let fault = app_in(flash).unwrap_err();
    assert_eq!(is_flash(flash), fault != FlashFault::NoTable);
    fault
}

/// Bytes as even as an encrypted image's, and no 0xE9 in front.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 7u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_le_bytes()[3]
    };
    let mut bytes: Vec<_> = (0..length).map(|_| next()).collect();
    bytes[0] = 0x31;
    bytes
}

pub(super) fn labels(app: &FlashApp<'_>) -> Vec<String> {
    app.left.iter().map(|left| left.what.clone()).collect()
}

#[test]
fn every_layout_gives_back_the_app_that_went_in() {
    let image = app("1.6.6");
    for (name, layout) in Flash::layouts() {
        for summed in [true, false] {
            let layout = Flash {
                summed,
                ..layout.clone()
            };
            let flash = layout.build(&[("ota_0", &image)]);
            let found = found(&flash);
            assert!(found.bytes == image, "{name}");
            assert_eq!(found.slot, "ota_0");
            assert_eq!(found.offset, layout.place("ota_0") as u64);
            assert_eq!(labels(&found), ["bootloader", "partition table"]);
            let table = &found.left[1];
            assert_eq!(table.offset, layout.table_at as u64);
            let lines = layout.partitions.len() + usize::from(summed);
            let expected = 32 * lines as u64;
            // The last line's flags are zeros, but what stands behind is 0xFF.
            assert_eq!(table.bytes, expected, "{name}");
        }
    }
    let layout = Flash::factory_4mb();
    let flash = layout.build(&[("factory", &image)]);
    let found = found(&flash);
    assert!(found.bytes == image && found.slot == "factory");
}

#[test]
fn what_else_is_in_it_is_listed() {
    let image = app("2.0.3");
    let layout = Flash::v2_8mb();
    let pictures = assets(&[("logo.png", b"a picture")]);
    let flash = layout.build(&[
        ("ota_0", &image),
        ("nvs", &nvs_page()),
        ("otadata", &[0xFF; 0x2000]),
        ("phy_init", &[0; 0x1000]),
        ("ota_1", &app("2.0.2")),
        ("assets", &pictures),
    ]);
    let found = found(&flash);
    let left = found.left.iter();
    let left: Vec<_> = left.map(|left| (&*left.what, left.offset)).collect();
    let expected = [
        ("bootloader", 0),
        ("partition table", 0x8000),
        ("nvs", 0x9000),
        ("ota_1", 0x31_0000),
        ("assets", 0x60_0000),
    ];
    assert_eq!(left, expected);
    assert_eq!(found.left[3].bytes, app("2.0.2").len() as u64);
    assert_eq!(found.left[4].bytes, pictures.len() as u64);
    let model = models(&[("wn9_index", b"1")]);
    let v1 = Flash::v1_16mb().build(&[("ota_0", &image), ("model", &model)]);
    let v1 = app_in(&v1).unwrap();
    assert_eq!(labels(&v1), ["bootloader", "partition table", "model"]);
}

#[test]
fn what_stands_behind_an_app_is_not_its_own() {
    let image = app("1.6.6");
    let layout = Flash::v2_16mb();
    let slot = layout.place("ota_0");
    let whole = layout.build(&[("ota_0", &image), ("ota_1", &image)]);
    // As it is read back from a device: the rest of a longer app, from the next sector on.
    let sector = (slot + image.len()).next_multiple_of(4096);
    for rest in [
        &b"the end of a longer one"[..],
        &[0xE7; 4096],
        &[0xE9; 9000],
    ] {
        let mut flash = whole.clone();
        flash[sector..sector + rest.len()].copy_from_slice(rest);
        assert!(found(&flash).bytes == image, "{:x?}", &rest[..4]);
    }
    for fill in [0, 0xFF] {
        let mut flash = layout.build(&[("ota_0", &image)]);
        flash.resize(16 << 20, fill);
        assert!(found(&flash).bytes == image);
    }
    // A slot that the file's end cuts, but not its app.
    let cut = layout.build(&[("ota_0", &image)]);
    assert_eq!(cut.len(), slot + image.len());
    assert!(found(&cut).bytes == image);
}

#[test]
fn a_signature_is_part_of_the_app() {
    let image = app("1.6.6");
    let v1 = [&image[..], &[0; 4], &[5; 64]].concat();
    let v2 = signed(&image, &[1]);
    let by_three = signed(&image, &[1, 2, 3]);
    for (name, layout) in Flash::layouts() {
        for app in [&v1, &v2, &by_three] {
            let alone = layout.build(&[("ota_0", app)]);
            let with_more = layout.build(&[("ota_0", app), ("ota_1", &image)]);
            for flash in [&alone, &with_more] {
                assert!(found(flash).bytes == app, "{name}");
            }
            // The rest of an older app behind it.
            let mut flash = with_more;
            let rest = (layout.place("ota_0") + app.len()).next_multiple_of(4096);
            flash[rest..rest + 5000].fill(0xE7);
            assert!(found(&flash).bytes == app, "{name}");
        }
    }
}

#[test]
fn a_signature_that_is_damaged_is_not_cut_off() {
    let image = app("1.6.6");
    let app = signed(&image, &[1]);
    let layout = Flash::v2_16mb();
    let slot = layout.place("ota_0");
    let sector = image.len().next_multiple_of(4096);
    // Its hash, its key, its checksum, and the padding that is signed, too.
    for at in [sector + 4, sector + 100, sector + 1196, image.len() + 1] {
        let mut flash = layout.build(&[("ota_0", &app), ("ota_1", &image)]);
        flash[slot + at] ^= 1;
        let FlashFault::Damaged { fault, .. } = fault(&flash) else {
            panic!("{at}");
        };
        assert_eq!(fault, ImageFault::Signature, "{at}");
    }
    let flash = layout.build(&[("ota_0", &app)]);
    for cut in [1, 2000, 2860] {
        let cut = fault(&flash[..flash.len() - cut]);
        assert!(matches!(cut, FlashFault::Damaged { .. }), "{cut:?}");
    }
}

#[test]
fn an_app_that_devices_would_not_survive_is_found_all_the_same() {
    let deadly = app("2.0.x");
    let flash = Flash::v2_16mb().build(&[("ota_0", &deadly)]);
    let found = found(&flash);
    let verdict = inspect(found.bytes).verdict;
    assert!(matches!(
        verdict,
        Verdict::Rejected(ImageFault::UnsafeVersion { .. })
    ));
}

#[test]
fn two_slots_are_one_where_they_hold_the_same() {
    let (image, other) = (app("1.6.6"), app("1.6.5"));
    let layout = Flash::factory_and_slot();
    let of = |contents: &[(&str, &[u8])]| layout.build(contents);

    let same = of(&[("factory", &image), ("ota_0", &image)]);
    assert_eq!(found(&same).slot, "ota_0");
    let left = labels(&found(&same));
    assert_eq!(left, ["bootloader", "partition table", "factory"]);
    for label in ["factory", "ota_0"] {
        let flash = of(&[(label, &image)]);
        let found = found(&flash);
        assert_eq!((&*found.slot, found.bytes), (label, &*image));
    }
    let mut erased = of(&[("factory", &image)]);
    erased.resize(1 << 20, 0xFF);
    assert_eq!(found(&erased).slot, "factory");

    let different = of(&[("factory", &other), ("ota_0", &image)]);
    let held = |slot: &str, offset, version: &str| Held {
        slot: slot.to_owned(),
        offset,
        version: Some(version.to_owned()),
    };
    let (ota_0, factory) = (
        held("ota_0", 0x5_0000, "1.6.6"),
        held("factory", 0x1_0000, "1.6.5"),
    );
    assert_eq!(fault(&different), FlashFault::Different { ota_0, factory });
    let encrypted = noise(5000);
    let half = of(&[("factory", &encrypted), ("ota_0", &image)]);
    assert!(matches!(fault(&half), FlashFault::Different { .. }));
    let half = of(&[("factory", &image), ("ota_0", &encrypted)]);
    assert!(matches!(fault(&half), FlashFault::Different { .. }));
    let neither = of(&[("factory", &encrypted), ("ota_0", &encrypted)]);
    assert!(matches!(fault(&neither), FlashFault::Unreadable { slot, .. } if slot == "ota_0"));
    let mut nothing = of(&[]);
    assert!(matches!(fault(&nothing), FlashFault::Beyond { slot, .. } if slot == "ota_0"));
    nothing.resize(1 << 20, 0xFF);
    assert!(matches!(fault(&nothing), FlashFault::Empty { slot, .. } if slot == "ota_0"));
}

#[test]
fn a_slot_without_an_image_says_why() {
    let image = app("1.6.6");
    let layout = Flash::v2_16mb();
    let (slot, offset) = ("ota_0".to_owned(), layout.place("ota_0") as u64);
    let encrypted = fault(&layout.build(&[("ota_0", &noise(70_000))]));
    assert_eq!(encrypted, FlashFault::Unreadable { slot, offset });
    let mut begins_by_chance = noise(70_000);
    begins_by_chance[0] = 0xE9;
    let flash = layout.build(&[("ota_0", &begins_by_chance)]);
    assert!(matches!(fault(&flash), FlashFault::Unreadable { .. }));

    let other = layout.build(&[("ota_1", &image)]);
    assert!(matches!(fault(&other), FlashFault::Empty { .. }));
    let bare = layout.build(&[]);
    assert!(matches!(fault(&bare), FlashFault::Beyond { .. }));
    let without = Flash::without_slots_4mb().build(&[("assets", b"something")]);
    let FlashFault::NoSlot { partitions } = fault(&without) else {
        panic!("{:?}", fault(&without));
    };
    assert_eq!(partitions, ["nvs", "otadata", "phy_init", "assets"]);
}

#[test]
fn an_image_that_does_not_work_out_is_damaged() {
    let image = app("1.6.6");
    let layout = Flash::v2_16mb();
    let slot = layout.place("ota_0");
    let of = |flash: &[u8]| match fault(flash) {
        FlashFault::Damaged { fault, .. } => fault,
        other => panic!("{other:?}"),
    };
    let whole = layout.build(&[("ota_0", &image), ("ota_1", &image)]);
    let mut flash = whole.clone();
    flash[slot + 100] ^= 1;
    assert!(matches!(
        of(&flash),
        ImageFault::Checksum | ImageFault::Hash
    ));
    let mut flash = whole.clone();
    // The first segment goes on behind its slot, and what stands there would do.
    flash[slot + 28..slot + 32].copy_from_slice(&0x40_0000u32.to_le_bytes());
    assert!(matches!(of(&flash), ImageFault::EndsEarly { .. }));
    let cut = layout.build(&[("ota_0", &image)]);
    let cut = &cut[..cut.len() - 1];
    assert!(matches!(of(cut), ImageFault::EndsEarly { .. }));
    let bootloader = Image {
        descriptor: false,
        ..Image::new("1.6.6")
    };
    let flash = layout.build(&[("ota_0", &bootloader.build())]);
    assert_eq!(of(&flash), ImageFault::Bootloader);
}

#[test]
fn what_is_no_flash_image_is_none() {
    let image = app("1.6.6");
    let layout = Flash::v2_16mb();
    // Header, first segment, and the header of the second stand in front of it.
    let mut data = vec![0; 0x8000 - 24 - 8 - 256 - 8];
    data.extend(layout.table());
    let with_table_in_it = Image {
        payload: data.clone(),
        ..Image::new("1.6.6")
    };
    data.splice(..0, [0; 0x2000]);
    let with_table_further_behind = Image {
        payload: data,
        ..Image::new("1.6.6")
    };
    let archive = [&vec![b't'; 0x9000][..], &layout.table()].concat();
    for bytes in [
        layout.table(),
        image.clone(),
        with_table_in_it.build(),
        with_table_further_behind.build(),
        archive,
        noise(1 << 20),
        vec![0xFF; 1 << 20],
        Vec::new(),
    ] {
        assert_eq!(fault(&bytes), FlashFault::NoTable);
    }
    assert!(is_flash(&merged(&Image::new("1.6.6"), 0)));
}

fn any_app() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::collection::vec(any::<u32>(), 0..6000);
    let chips = prop::sample::select(vec![0u16, 5, 9, 18, 23]);
    (words, "[0-9]\\.[0-9]{1,3}", chips, 0u8..4, any::<bool>()).prop_map(
        |(words, version, chip, signature, hash)| {
            let image = Image {
                payload: words.iter().flat_map(|w| w.to_le_bytes()).collect(),
                chip,
                hash,
                ..Image::new(&version)
            };
            let image = image.build();
            match signature {
                1 => [&image[..], &[0; 4], &[5; 64]].concat(),
                2 => signed(&image, &[1]),
                3 => signed(&image, &[1, 2, 3]),
                _ => image,
            }
        },
    )
}

proptest! {
    #[test]
    fn whatever_app_goes_in_comes_out(
        app in any_app(),
        layout in 0usize..6,
        behind in prop::collection::vec(any::<u8>(), 0..5000),
        summed: bool,
    ) {
        let (_, layout) = Flash::layouts()[layout].clone();
        let layout = Flash { summed, ..layout };
        let mut flash = layout.build(&[("ota_0", &app)]);
        // What a slot held before, from the next sector on.
        flash.resize(flash.len().next_multiple_of(4096), 0xFF);
        if behind.first() != Some(&0xE7) {
            flash.extend(&behind);
        }
        let found = app_in(&flash).unwrap();
        prop_assert!(found.bytes == app);
        prop_assert_eq!(found.offset, layout.place("ota_0") as u64);
        let inspection = inspect(found.bytes);
        prop_assert!(matches!(inspection.verdict, Verdict::App(_)));
    }

    #[test]
    fn no_flipped_byte_of_a_hashed_app_passes(
        at in any::<prop::sample::Index>(),
        with in 1u8..,
    ) {
        let image = app("1.6.6");
        let layout = Flash::v2_16mb();
        let mut flash = layout.build(&[("ota_0", &image)]);
        flash[layout.place("ota_0") + at.index(image.len())] ^= with;
        prop_assert!(app_in(&flash).is_err());
    }

    #[test]
    fn no_bytes_make_it_panic(
        table in prop::collection::vec(any::<u8>(), 0..400),
        lines in prop::collection::vec((0u8..3, any::<u8>(), any::<u32>(), any::<u32>()), 0..10),
        front in 0usize..0xA000,
        cut in any::<prop::sample::Index>(),
    ) {
        let mut flash = vec![0xE9; front];
        flash.resize(0x8000, 0xFF);
        for (kind, subtype, offset, size) in lines {
            flash.extend([0xAA, 0x50, kind, subtype & 0x11]);
            flash.extend((offset & 0x8001_FFFF).to_le_bytes());
            flash.extend(size.to_le_bytes());
            flash.extend([b'x'; 20]);
        }
        flash.extend(table);
        flash.extend([0xFF; 64]);
        let flash = &flash[..cut.index(flash.len() + 1)];
        if let Ok(app) = app_in(flash) {
            prop_assert!(is_flash(flash) && !app.bytes.is_empty());
        }
    }
}
