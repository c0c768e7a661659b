//! Real images, made by Espressif's own tools, and esptool's own verdict on
//! them: as they are, with one bit flipped, cut off. `tests/images/build` makes
//! them; `tests/run` does that and includes these tests.

use super::support::noise;
use serde::Deserialize;
use std::env;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use xiaozhi_device::chip::Chip;
use xiaozhi_device::hex::encode;
use xiaozhi_device::image::{AppImage, Signature, Verdict, inspect};
use xiaozhi_device::version::is_device_safe;
use xiaozhi_ota::event::Event;

/// What was asked of the tools.
#[derive(Deserialize)]
struct Made {
    file: String,
    kind: Kind,
    chip: String,
    chip_id: Option<u16>,
    #[serde(flatten)]
    app: Option<App>,
    #[serde(skip)]
    bytes: Vec<u8>,
}

#[derive(Deserialize)]
struct App {
    version: String,
    project: String,
    idf_version: String,
    elf_sha256: String,
    hash_appended: bool,
    min_rev: Option<u16>,
    max_rev: Option<u16>,
    signed: Option<String>,
    /// Digests of the keys, as espsecure computes them for the eFuses.
    key_digests: Vec<String>,
    unsafe_version: bool,
    /// Where the image proper ends in its file.
    image_length: usize,
}

#[derive(Deserialize, PartialEq, Debug)]
#[serde(rename_all = "lowercase")]
enum Kind {
    App,
    Bootloader,
    Merged,
    Esp8266,
}

impl Made {
    /// Whether a device would restart for ever after an update to it.
    fn is_deadly(&self) -> bool {
        self.app
            .as_ref()
            .is_some_and(|app| app.unsafe_version && app.project == "xiaozhi")
    }
}

/// Folder in which the tools are, and what they made.
pub(super) fn peers() -> PathBuf {
    let binary = Path::new(env!("CARGO_BIN_EXE_xiaozhi-ota"));
    let target = binary.ancestors().nth(2).unwrap();
    let folders = [
        target.join("peers"),
        Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers"),
    ];
    let found = folders
        .into_iter()
        .find(|f| f.join("images/manifest.json").exists());
    found.expect("real images are missing: tests/images/build makes them")
}

fn images(peers: &Path) -> Vec<Made> {
    let folder = peers.join("images");
    let manifest = std::fs::read(folder.join("manifest.json")).unwrap();
    let mut images: Vec<Made> = serde_json::from_slice(&manifest).unwrap();
    for made in &mut images {
        made.bytes = std::fs::read(folder.join(&made.file)).unwrap();
        let is_app = made.kind == Kind::App;
        assert!(is_app == made.app.is_some(), "{}", made.file);
    }
    images
}

#[test]
#[ignore = "needs real images: tests/run has esptool make them"]
fn every_real_image_is_taken_for_what_was_made() {
    let peers = peers();
    let mut seen = [0; 4];
    for made in images(&peers) {
        let file = &made.file;
        let verdict = inspect(&made.bytes).verdict;
        let says = match &verdict {
            Verdict::App(image) => {
                let app = made.app.as_ref().expect(file);
                assert!(!made.is_deadly(), "{file} is taken for harmless");
                hold_to_what_was_asked(image, &made, app);
                seen[0] += 1;
                continue;
            }
            Verdict::Foreign(foreign) => Event::from(foreign),
            Verdict::Rejected(fault) => Event::from(fault),
        };
        let ids: &[&str] = match made.kind {
            Kind::App if made.is_deadly() => &["image.unsafe-version"],
            Kind::App => panic!("{file} is refused: {says}"),
            // Of these no more can be told than how they begin.
            Kind::Merged if file.contains("-from-0x1000") => &["image.bootloader"],
            Kind::Merged if file.contains("-oddly") => &["image.trailing"],
            Kind::Bootloader => &["image.bootloader"],
            Kind::Merged => &["image.full-flash"],
            // Version 2 of its images has a magic byte of its own.
            Kind::Esp8266 => &["image.esp8266", "image.esp8266-ota"],
        };
        assert!(ids.contains(&says.kind.id), "{file}: {says}");
        if let Some(app) = made.app.as_ref().filter(|_| made.is_deadly()) {
            let version = format!("{:?}", app.version);
            assert_eq!(says.field("version"), Some(&version.into()), "{file}");
        }
        seen[made.kind as usize] += 1;
    }
    assert!(seen.iter().all(|count| *count >= 3), "{seen:?}");
}

fn hold_to_what_was_asked(image: &AppImage, made: &Made, app: &App) {
    let file = &made.file;
    let set = |revision: Option<u16>| revision.filter(|r| !matches!(r, 0 | 0xFFFF));
    assert_eq!(Some(image.chip.0), made.chip_id, "{file}");
    if let Some(known) = Chip::from_name(&made.chip) {
        assert_eq!(image.chip, known, "{file}");
    }
    assert_eq!(
        (&image.project, &image.version, &image.idf_version),
        (&app.project, &app.version, &app.idf_version),
        "{file}"
    );
    assert_eq!(is_device_safe(&image.version), !app.unsafe_version);
    assert_eq!(
        (image.min_revision, image.max_revision),
        (set(app.min_rev), set(app.max_rev)),
        "{file}"
    );
    let elf_sha256 = image.elf_sha256.unwrap_or_default();
    let hex = elf_sha256.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    });
    assert_eq!(hex, app.elf_sha256, "{file}");
    assert_eq!(image.hash_appended, app.hash_appended, "{file}");
    assert_eq!(image.length, app.image_length as u64, "{file}");
    let signature = app.signed.as_deref().map(|version| match version {
        "v1" => Signature::V1,
        "v2" => Signature::V2,
        other => panic!("{file}: signed by {other}"),
    });
    assert_eq!(image.signature, signature, "{file}");
    let digests: Vec<_> = image.key_digests.iter().map(|key| encode(key)).collect();
    assert_eq!(digests, app.key_digests, "{file}");
    // What app.c says in every one.
    assert_eq!(image.built, "Jan  2 2026 12:34:56", "{file}");
    assert_eq!(
        (
            image.secure_version,
            image.min_efuse_block,
            image.max_efuse_block
        ),
        (0, None, Some(99)),
        "{file}"
    );
}

#[test]
#[ignore = "needs real images: tests/run has esptool make them"]
fn no_real_image_with_a_hash_survives_a_flipped_bit() {
    let peers = peers();
    for made in images(&peers) {
        if made.app.as_ref().is_some_and(|app| !app.hash_appended) {
            continue;
        }
        let mut bytes = made.bytes.clone();
        for (offset, bit) in flips(&made) {
            bytes[offset] ^= 1 << bit;
            if let Verdict::App(image) = inspect(&bytes).verdict {
                assert!(
                    is_unguarded(&made, offset),
                    "bit {bit} of byte {offset} of {} is flipped: {image:?}",
                    made.file
                );
            }
            bytes[offset] ^= 1 << bit;
        }
    }
}

/// What nothing here vouches for: only the device has the key. Of version 1
/// that is the whole signature; of version 2 the block's version, which may be
/// a later one, and what its checksum does not cover: the sector's rest, with
/// the signatures by further keys.
fn is_unguarded(made: &Made, offset: usize) -> bool {
    let Some(app) = &made.app else { return false };
    let sector = app.image_length.next_multiple_of(4096);
    match app.signed.as_deref() {
        Some("v1") => offset >= app.image_length,
        Some("v2") => offset == sector + 1 || offset >= sector + 1200,
        _ => false,
    }
}

/// What a device takes: padded to a boundary of flash, or read back from a slot.
#[test]
#[ignore = "needs real images: tests/run has esptool make them"]
fn real_images_may_be_padded_whether_they_are_signed_or_not() {
    let peers = peers();
    let mut signed = 0;
    for made in images(&peers) {
        let Some(app) = made.app.as_ref().filter(|_| !made.is_deadly()) else {
            continue;
        };
        if made.kind != Kind::App {
            continue;
        }
        signed += usize::from(app.signed.is_some());
        let length = made.bytes.len();
        for (to, fill) in [
            (length + 1, 0xFF),
            (length.next_multiple_of(4096) + 4096, 0xFF),
            (length.next_multiple_of(0x10000), 0xFF),
            (length.next_multiple_of(0x10000) + 0x10000, 0),
        ] {
            let mut padded = made.bytes.clone();
            padded.resize(to, fill);
            match inspect(&padded).verdict {
                Verdict::App(image) => hold_to_what_was_asked(&image, &made, app),
                other => panic!("{} padded to {to} bytes: {other:?}", made.file),
            }
        }
        let stale = [&made.bytes[..], b"the end of a longer image"].concat();
        assert!(
            !matches!(inspect(&stale).verdict, Verdict::App(_)),
            "{}",
            made.file
        );
    }
    assert!(signed > 1, "{signed}");
}

#[test]
#[ignore = "needs real images: tests/run has esptool make them"]
fn no_real_image_survives_being_cut_off() {
    let peers = peers();
    for made in images(&peers) {
        let end = match (&made.kind, &made.app) {
            (_, Some(app)) => app.image_length,
            // Some begin with a whole app.
            (Kind::Merged, None) => continue,
            (_, None) => made.bytes.len(),
        };
        for length in cuts(&made) {
            let is_app = matches!(inspect(&made.bytes[..length]).verdict, Verdict::App(_));
            // Cut off behind its end, it is whole, and nobody knows what it had been padded or
            // signed with.
            let only_padding = |fill: u8| made.bytes[end..length].iter().all(|byte| *byte == fill);
            let whole = length >= end && (only_padding(0) || only_padding(0xFF));
            assert!(
                whole == is_app || made.is_deadly(),
                "{} cut off after {length} bytes",
                made.file
            );
        }
    }
}

/// esptool is the stricter judge nowhere.
#[test]
#[ignore = "needs real images: tests/run has esptool make them"]
fn what_is_an_app_here_is_valid_to_esptool() {
    let peers = peers();
    let images = images(&peers);
    for (made, verdict) in images.iter().zip(judge(&peers, &images, &[])) {
        hold_to_esptool(made, &made.bytes, &verdict, "as it is");
        if made.kind == Kind::App {
            assert_eq!(verdict, format!("valid {}", made.chip), "{}", made.file);
        }
    }

    // No flip or cut of the others is an app here, as the tests above show.
    let open = images.iter().filter(|made| {
        let app = made.app.as_ref();
        app.is_some_and(|app| !app.hash_appended || app.image_length < made.bytes.len())
    });
    let open = Mutex::new(open);
    let judged = Mutex::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(made) = open.lock().unwrap().next() else {
                        return;
                    };
                    *judged.lock().unwrap() += hold_variants_to_esptool(&peers, made);
                }
            });
        }
    });
    assert!(judged.into_inner().unwrap() > 10_000, "hardly any variant");
}

/// How many there were.
fn hold_variants_to_esptool(peers: &Path, made: &Made) -> usize {
    let lines = judge(peers, std::slice::from_ref(made), &["--flips", "--cuts"]);
    for line in &lines[1..] {
        let number = |text: &str| text.parse::<usize>().unwrap();
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words[..] {
            ["flip", offset, bit, verdict] => {
                let mut bytes = made.bytes.clone();
                bytes[number(offset)] ^= 1 << number(bit);
                hold_to_esptool(made, &bytes, verdict, line);
            }
            ["cut", length, ..] => {
                let (_, verdict) = line.split_once(length).unwrap();
                let bytes = &made.bytes[..number(length)];
                hold_to_esptool(made, bytes, verdict.trim_start(), line);
            }
            _ => panic!("judge.py says {line}"),
        }
    }
    lines.len()
}

fn hold_to_esptool(made: &Made, bytes: &[u8], esptool: &str, what: &str) {
    if let Verdict::App(image) = inspect(bytes).verdict {
        // A chip that is new to esptool, too, makes an ESP8266 of its image.
        let Some(chip) = image.chip.name() else {
            return;
        };
        let file = &made.file;
        assert_eq!(esptool, format!("valid {chip}"), "{file}, {what}");
    }
}

fn judge(peers: &Path, images: &[Made], arguments: &[&str]) -> Vec<String> {
    let judge = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/images/judge.py");
    let output = Command::new(peers.join("esptool-venv/bin/python"))
        .arg(judge)
        .args(arguments)
        .args(images.iter().map(|made| &made.file))
        .current_dir(peers.join("images"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let lines: Vec<String> = std::str::from_utf8(&output.stdout)
        .unwrap()
        .lines()
        .map(Into::into)
        .collect();
    assert!(lines.len() >= images.len(), "{said}");
    lines
}

/// How many bytes may be inspected for one big file: a second of it.
const BUDGET: usize = 30_000_000;
const SMALL: usize = 2560;

/// Every bit of a small file. Of a big one those of both ends and of the
/// signature, and a sample of the others, as many as there is time for.
fn flips(made: &Made) -> Vec<(usize, usize)> {
    let length = made.bytes.len();
    let bits = |offsets: &mut dyn Iterator<Item = usize>| {
        offsets
            .flat_map(|offset| (0..8).map(move |bit| (offset, bit)))
            .collect::<Vec<_>>()
    };
    if length <= SMALL {
        return bits(&mut (0..length));
    }
    let end = made.app.as_ref().map_or(0, |app| app.image_length);
    let sector = end.next_multiple_of(4096);
    let mut ends = bits(&mut (0..512).chain(end..length.min(end + 128)));
    ends.extend(bits(&mut (sector..length.min(sector + 1216 + 64))));
    ends.extend(bits(&mut (length - 128..length)));
    let room = BUDGET / length;
    let step = (ends.len() / room) | 1; // odd, to meet every bit of a byte
    let mut chosen: Vec<_> = ends.into_iter().step_by(step).collect();
    let others = sample(length, room.min(2000));
    chosen.extend(others.into_iter().map(|at| (at, at % 8)));
    chosen
}

fn cuts(made: &Made) -> Vec<usize> {
    let length = made.bytes.len();
    if length <= SMALL {
        return (0..length).collect();
    }
    let end = made.app.as_ref().map_or(0, |app| app.image_length);
    let sector = end.next_multiple_of(4096);
    let near = |at: usize| at.saturating_sub(2)..(at + 3).min(length);
    let mut cuts: Vec<_> = (0..512).chain(length - 40..length).collect();
    cuts.extend(near(end).chain(near(sector)).chain(near(sector + 1216)));
    cuts.extend(sample(length, (BUDGET / length).min(500)));
    cuts
}

/// So many numbers below `limit`, the same ones every time.
fn sample(limit: usize, count: usize) -> Vec<usize> {
    let number = |bytes: &[u8]| usize::from_le_bytes(bytes.try_into().unwrap());
    let noise = noise(count * size_of::<usize>(), 21);
    let numbers = noise.chunks_exact(size_of::<usize>()).map(number);
    numbers.map(|n| n % limit).collect()
}
