use super::super::*;
use super::app;
use crate::image::{Verdict, inspect};
use proptest::prelude::*;
use xiaozhi_image_builder::{Flash, Image, signed};

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
