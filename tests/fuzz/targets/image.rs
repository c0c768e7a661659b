//! Firmware files: whatever the bytes, they are judged, and the same way in
//! whatever pieces they come.

#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use std::borrow::Cow;
use xiaozhi_device::image::{AppImage, Inspection, Inspector, Verdict, inspect};
use xiaozhi_device::project::{Projects, XIAOZHI};
use xiaozhi_device::version::{Version, is_device_safe};
use xiaozhi_ota::event::Event;
use xiaozhi_ota_fuzz::{seal, unfolded};

fuzz_target!(init: xiaozhi_ota_fuzz::init(), |input: &[u8]| {
    judge(input);
    if let Cow::Owned(file) = unfolded(input) {
        judge(&file);
    }
});

// Left alone, nearly every mutation would end at a checksum that does not fit.
fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let size = fuzzer_mutate(data, size, max_size);
    if seed.is_multiple_of(2) {
        let _ = seal(&mut data[..size]);
    }
    size
});

fn judge(file: &[u8]) {
    let found = inspect(file);
    assert_eq!(found.size, file.len() as u64);
    assert_eq!(in_pieces(file), found);
    match &found.verdict {
        Verdict::App(app) => app_image(file, app, &found),
        Verdict::Foreign(foreign) => {
            assert_ne!(file[0], 0xE9);
            assert!(!Event::from(foreign).to_string().is_empty());
        }
        Verdict::Rejected(fault) => assert!(!Event::from(fault).to_string().is_empty()),
    }
}

/// As the disk would deliver it: each byte, from the last one on, is the length
/// of a piece.
fn in_pieces(file: &[u8]) -> Inspection {
    let mut inspector = Inspector::new();
    let mut rest = file;
    for length in file.iter().rev() {
        let (piece, behind) = rest.split_at(rest.len().min(usize::from(*length)));
        inspector.update(piece);
        rest = behind;
        if rest.is_empty() {
            break;
        }
    }
    inspector.update(rest);
    inspector.finish()
}

/// What holds for every image that is offered.
fn app_image(file: &[u8], app: &AppImage, found: &Inspection) {
    assert_eq!(file[0], 0xE9);
    assert!(app.project != XIAOZHI || is_device_safe(&app.version));
    let named = Version::new("1.6.6");
    for version in [None, Some(&named)] {
        for remark in app.remarks(version, Projects::DISTINCT) {
            assert!(!Event::from(&remark).to_string().is_empty());
        }
    }
    // Which place is looked at is as good as random, but the same for the same file.
    let [a, b, c, d, flip, ..] = found.sha256;
    let place = u32::from_le_bytes([a, b, c, d]) as usize;
    let length = usize::try_from(app.length).unwrap_or(usize::MAX);
    assert!(length <= file.len());
    for cut in [length - 1, place % length] {
        assert!(!is_app(&file[..cut]), "whole, and also when cut at {cut}");
    }
    if app.hash_appended && length == file.len() {
        let (at, flip) = (place % length, flip.max(1));
        let mut damaged = file.to_vec();
        damaged[at] ^= flip;
        assert!(
            !is_app(&damaged),
            "whole, and also with byte {at} ^ {flip:#04x}"
        );
    }
}

fn is_app(file: &[u8]) -> bool {
    matches!(inspect(file).verdict, Verdict::App(_))
}
