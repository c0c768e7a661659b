//! Full flash images: whatever the bytes, what comes out is an app that is whole, and a part of
//! what went in.

#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use xiaozhi_device::flash::{FlashApp, FlashFault, app_in, is_flash};
use xiaozhi_device::image::{ImageFault, Verdict, inspect};
use xiaozhi_ota_fuzz::{seal, unfolded};

fuzz_target!(init: xiaozhi_ota_fuzz::init(), |input: &[u8]| {
    let flash = unfolded(input);
    match app_in(&flash) {
        Ok(app) => {
            assert!(is_flash(&flash));
            is_an_app(&flash, &app);
            is_there_without_what_follows(&flash, &app);
        }
        Err(fault) => {
            assert_eq!(is_flash(&flash), fault != FlashFault::NoTable);
            let said = xiaozhi_ota::event::Event::from(&fault).to_string();
            assert!(!said.contains(char::is_control), "{said:?}");
        }
    }
});

// Left alone, nearly every mutation of an app would end at a checksum that does not fit.
fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let size = fuzzer_mutate(data, size, max_size);
    if seed.is_multiple_of(2) {
        // The app is the last image in most inputs.
        let mut two = data[..size].windows(2);
        if let Some(at) = two.rposition(|two| two[0] == 0xE9 && two[1] < 4) {
            let _ = seal(&mut data[at..size]);
        }
    }
    size
});

fn is_an_app(flash: &[u8], app: &FlashApp<'_>) {
    let offset = usize::try_from(app.offset).unwrap();
    assert_eq!(&flash[offset..offset + app.bytes.len()], app.bytes);
    match inspect(app.bytes).verdict {
        Verdict::App(image) => assert!(image.length <= app.bytes.len() as u64),
        Verdict::Rejected(ImageFault::UnsafeVersion { .. }) => {}
        other => panic!("cut out: {other:?}"),
    }
    assert!(!app.slot.is_empty() && !app.slot.contains(char::is_control));
    for left in &app.left {
        assert!(!left.what.is_empty() && left.bytes > 0);
        assert!(left.offset + left.bytes <= flash.len() as u64);
    }
    assert!(app.left.is_sorted_by_key(|left| left.offset));
}

/// What stands behind an app changes nothing about it, unless that is the table.
fn is_there_without_what_follows(flash: &[u8], app: &FlashApp<'_>) {
    let offset = usize::try_from(app.offset).unwrap();
    let mut left = app.left.iter();
    let table = left.find(|left| left.what == "partition table").unwrap();
    if app.offset < table.offset + 0xC00 {
        return;
    }
    let alone = app_in(&flash[..offset + app.bytes.len()]).unwrap();
    assert_eq!((alone.bytes, alone.offset), (app.bytes, app.offset));
}
