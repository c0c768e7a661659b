//! Full flash images, made by esptool's own `merge-bin` for the partition tables that
//! xiaozhi-esp32 has: what is cut out is what went in. `tests/images/build` makes them.

use super::esptool::peers;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use xiaozhi_device::flash::{FlashApp, FlashFault, app_in, is_flash};
use xiaozhi_device::image::{Verdict, inspect};

/// What was asked of the tools.
#[derive(Deserialize)]
struct Made {
    file: String,
    layout: String,
    fault: Option<String>,
    #[serde(flatten)]
    held: Option<Held>,
    #[serde(skip)]
    bytes: Vec<u8>,
}

/// The app that is in it.
#[derive(Deserialize)]
struct Held {
    slot: String,
    app: String,
    /// Length of the app, less what its build padded it with.
    length: usize,
    offset: u64,
    /// Labels of what else was put into it.
    left: Vec<String>,
}

fn flashes() -> (PathBuf, Vec<Made>) {
    let images = peers().join("images");
    let folder = images.join("flash");
    let manifest = fs::read(folder.join("manifest.json")).unwrap();
    let mut flashes: Vec<Made> = serde_json::from_slice(&manifest).unwrap();
    for made in &mut flashes {
        made.bytes = fs::read(folder.join(&made.file)).unwrap();
        let is_held = made.held.is_some();
        assert!(is_held != made.fault.is_some(), "{}", made.file);
    }
    (images, flashes)
}

#[test]
#[ignore = "needs real images: tests/run has esptool make them"]
fn what_is_cut_out_of_a_real_flash_image_is_what_went_in() {
    let (images, flashes) = flashes();
    let (mut layouts, mut signed) = (BTreeSet::new(), 0);
    for made in &flashes {
        let Some(held) = &made.held else { continue };
        let file = &made.file;
        assert!(is_flash(&made.bytes), "{file}");
        let found = app_in(&made.bytes).unwrap_or_else(|fault| panic!("{file}: {fault:?}"));
        hold_to_what_went_in(&found, held, file);
        let app = fs::read(images.join(&held.app)).unwrap();
        assert!(found.bytes == &app[..held.length], "{file}");
        assert!(!is_flash(&app), "{}", held.app);
        match inspect(found.bytes).verdict {
            Verdict::App(app) => signed += usize::from(app.signature.is_some()),
            other => panic!("{file}: {other:?}"),
        }
        layouts.insert(&made.layout);
    }
    assert!(layouts.len() >= 7 && signed >= 7, "{layouts:?}, {signed}");
}

fn hold_to_what_went_in(found: &FlashApp<'_>, held: &Held, file: &str) {
    assert_eq!((&found.slot, found.offset), (&held.slot, held.offset));
    let left: Vec<_> = found.left.iter().map(|left| &*left.what).collect();
    let expected = ["bootloader", "partition table"];
    let expected: Vec<_> = expected
        .into_iter()
        .chain(held.left.iter().map(|label| &**label))
        .collect();
    assert_eq!(left, expected, "{file}");
}

#[test]
#[ignore = "needs real images: tests/run has esptool make them"]
fn a_real_flash_image_without_an_app_that_can_be_read_says_so() {
    let mut seen = BTreeSet::new();
    for made in &flashes().1 {
        let Some(expected) = &made.fault else {
            continue;
        };
        assert!(is_flash(&made.bytes), "{}", made.file);
        let fault = app_in(&made.bytes).unwrap_err();
        let found = match fault {
            FlashFault::Unreadable { .. } => "unreadable",
            FlashFault::Beyond { .. } => "beyond",
            FlashFault::NoSlot { .. } => "no-slot",
            FlashFault::Different { .. } => "different",
            _ => "another",
        };
        assert_eq!(found, expected, "{}: {fault:?}", made.file);
        seen.insert(found);
    }
    assert_eq!(seen.len(), 4, "{seen:?}");
}

/// As it is read back from a device, at its whole size, with what the slot held before.
#[test]
#[ignore = "needs real images: tests/run has esptool make them"]
fn a_real_flash_image_that_was_read_back_holds_the_same_app() {
    for made in &flashes().1 {
        let Some(held) = &made.held else { continue };
        let before = app_in(&made.bytes).unwrap();
        let place = usize::try_from(held.offset).unwrap();
        let behind = (place + before.bytes.len()).next_multiple_of(4096);
        let mut dump = made.bytes.clone();
        dump.resize(dump.len().max(behind + 8192), 0xFF);
        let room = &mut dump[behind..behind + 8192];
        if room.iter().any(|byte| *byte != 0xFF) {
            continue;
        }
        room.fill(0xE7);
        let found = app_in(&dump).unwrap();
        assert!(found.bytes == before.bytes, "{}", made.file);
    }
}
