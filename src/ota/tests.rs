use crate::event::text::Lang;
use crate::firmware::snapshot::tests::{entry, image_entry};
use crate::firmware::snapshot::{Entry, Snapshot};
use crate::ota::decide::{Decision, Outcome, Policy, decide};
use proptest::prelude::*;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;
use xiaozhi_device::checkin::CheckIn;
use xiaozhi_device::checkin::Report;
use xiaozhi_device::guards::ReportedDevice;
use xiaozhi_device::hex::encode;
use xiaozhi_device::project::Projects;
use xiaozhi_device::version;
use xiaozhi_image_builder::Image;

/// Sources of the facts that the table holds images against.
const CHIP: &str = "esp_image_format.c: bootloader_common_check_chip_validity";
const SLOT: &str = "esp_ota_ops.c: esp_ota_get_next_update_partition";
const ROOM: &str = "esp_ota_ops.c: esp_ota_write beyond the partition";
const ASSETS: &str = "assets.cc: the partition assets, since v2.0.0";
const SAME: &str = "ota.cc: an image is flashed even when it is the running one, since v2.0.0";
const SAME_1X: &str = "ota.cc: Firmware version is the same, skipping upgrade, up to v1.x";
const FIRST_BYTE: &str = "esp_ota_ops.c: esp_ota_write, the magic byte";
const PROJECT: &str = "esp_app_desc.h: project_name; another project's firmware asks nobody here";
const PARSER: &str = "ota.cc: ParseVersion, IsNewVersionAvailable";

/// Two slots of 6 MB, as on boards with 16 MB since 1.x.
const V1_16MB: &str = r#"[{"label":"nvs","type":1,"subtype":2,"address":36864,"size":16384},
 {"label":"otadata","type":1,"subtype":0,"address":53248,"size":8192},
 {"label":"model","type":1,"subtype":130,"address":65536,"size":983040},
 {"label":"ota_0","type":0,"subtype":16,"address":1048576,"size":6291456},
 {"label":"ota_1","type":0,"subtype":17,"address":7340032,"size":6291456}]"#;
/// Slots of 0x3f0000 bytes, and the assets: 16 MB since 2.0.0.
const V2_16MB: &str = r#"[{"label":"ota_0","type":0,"subtype":16,"size":4128768},
 {"label":"ota_1","type":0,"subtype":17,"size":4128768},{"label":"assets","type":1,"subtype":130,"size":8388608}]"#;
/// No slot but the factory's: 4 MB.
const FACTORY: &str = r#"[{"label":"nvs","type":1,"subtype":2,"size":16384},
 {"label":"factory","type":0,"subtype":0,"size":3145728}]"#;

fn device(parts: &str) -> String {
    format!(r#"{{"application":{{"version":"1.6.0"}},"board":{{"type":"a"}}{parts}}}"#)
}

fn table(table: &str, running: &str) -> String {
    device(&format!(
        r#","partition_table":{table},"ota":{{"label":"{running}"}}"#
    ))
}

fn xiaozhi(chip: &str) -> String {
    format!(
        r#"{{"chip_model_name":"{chip}","application":{{"name":"xiaozhi","version":"1.6.0"}},"board":{{"type":"a"}}}}"#
    )
}

fn revision(idf: &str, revision: u32) -> String {
    format!(
        r#"{{"application":{{"version":"1.6.0","idf_version":"{idf}"}},"chip_info":{{"model":9,"revision":{revision}}},"board":{{"type":"a"}}}}"#
    )
}

fn elf(version: &str, elf: &str) -> String {
    format!(
        r#"{{"application":{{"version":"{version}","elf_sha256":"{elf}"}},"board":{{"type":"a"}}}}"#
    )
}

/// Kilobytes.
const KB: u64 = 1024;

fn image() -> Image {
    Image::new("1.7.0")
}

fn for_chip(chip: u16) -> Image {
    Image { chip, ..image() }
}

fn of(project: &'static str) -> Image {
    Image { project, ..image() }
}

fn between(min_revision: u16, max_revision: u16) -> Image {
    Image {
        min_revision,
        max_revision,
        ..image()
    }
}

/// The file on offer, `size` bytes long.
fn file(name: &str, image: &Image, size: u64) -> Arc<Entry> {
    image_entry(name, image, size)
}

fn named(image: &Image) -> Arc<Entry> {
    file("a_1.7.0.bin", image, 2048)
}

fn sized(size: u64) -> Arc<Entry> {
    file("a_1.7.0.bin", &image(), size)
}

/// Returns what a device is told of the only file: "" for an offer.
fn told(body: &str, entry: Arc<Entry>) -> String {
    let report = Report::read(body.as_bytes());
    assert_eq!(report.fault, None, "{body}");
    let check_in = CheckIn {
        report,
        ..CheckIn::default()
    };
    let snapshot = Snapshot::new([entry], ["a".to_owned()].into());
    // One project under two names.
    let projects = Projects::new(vec!["xiaozhi".into(), "my-fork".into()]);
    let policy = Policy {
        projects,
        ..Policy::default()
    };
    let decision = decide(&check_in, &snapshot, &policy, &());
    match (&decision.outcome, decision.withheld.first()) {
        (Outcome::Offer { force: false, .. }, None) => String::new(),
        (Outcome::Offer { force: true, .. }, None) => "force".into(),
        (Outcome::Silent, None) => "silent".into(),
        (Outcome::UpToDate, None) => "up to date".into(),
        (Outcome::UpToDate, Some(withheld)) => withheld.event().words(Lang::En),
        (other, withheld) => panic!("{other:?} {withheld:?}"),
    }
}

#[test]
#[rustfmt::skip]
#[expect(clippy::too_many_lines, reason = "one table")]
fn the_table_of_devices_and_images() {
    let v2 = || Image::new("2.0.3");
    let v2_file = |size| file("a_2.0.3.bin", &v2(), size);
    let own_elf = image().elf_hex();
    let other_elf = v2().elf_hex();
    let foreign = || entry("a_1.7.0.bin");
    let one_slot = r#"[{"label":"ota_0","type":0,"subtype":16,"size":9000000}]"#;
    let factory_and_slot = r#"[{"label":"factory","type":0,"subtype":0,"size":1},{"label":"ota_0","type":0,"subtype":16,"size":5000}]"#;
    let three = r#"[{"label":"ota_2","type":0,"subtype":18,"size":3000},{"label":"ota_0","type":0,"subtype":16,"size":5000},{"label":"ota_1","type":0,"subtype":17,"size":4000}]"#;
    let mislabelled = || file("a_1.8.0.bin", &image(), 2048);
    let rows: Vec<(&str, String, Arc<Entry>, &str)> = vec![
        // The chip.
        (CHIP, device(r#","chip_model_name":"esp32s3""#), named(&image()), ""),
        (CHIP, device(r#","chip_model_name":"esp32c3""#), named(&image()), "is for esp32s3, and the device is an esp32c3"),
        (CHIP, device(r#","chip_model_name":"esp32""#), named(&for_chip(0)), ""),
        (CHIP, device(r#","chip_model_name":"esp32""#), named(&image()), "an esp32"),
        (CHIP, device(r#","chip_model_name":"esp32p4""#), named(&for_chip(18)), ""),
        (CHIP, device(r#","chip_model_name":"esp32c6""#), named(&for_chip(5)), "is for esp32c3"),
        (CHIP, device(r#","chip_model_name":"ESP32-S3""#), named(&image()), ""),
        (CHIP, device(r#","chip_model_name":"esp8266""#), named(&image()), "an esp8266"),
        (CHIP, device(r#","chip_info":{"model":9}"#), named(&image()), ""),
        (CHIP, device(r#","chip_info":{"model":1}"#), named(&for_chip(0)), ""),
        (CHIP, device(r#","chip_info":{"model":1}"#), named(&image()), "an esp32"),
        (CHIP, device(r#","chip_info":{"model":5}"#), named(&image()), "an esp32c3"),
        (CHIP, device(r#","chip_model_name":"esp32x9","chip_info":{"model":77}"#), named(&for_chip(77)), ""),
        (CHIP, device(r#","chip_model_name":"esp32x9","chip_info":{"model":77}"#), named(&for_chip(78)), "a chip with the id 78"),
        (CHIP, device(r#","chip_info":{"model":77}"#), named(&image()), ""),
        (CHIP, device(""), named(&for_chip(5)), ""),
        (CHIP, device(r#","chip_model_name":"ESP32-D0WDQ6""#), named(&for_chip(0)), ""),
        (CHIP, device(r#","chip_model_name":"ESP32-S3-WROOM-1""#), named(&image()), ""),
        (CHIP, device(r#","chip_model_name":"ESP32-S3-WROOM-1""#), named(&for_chip(0)), "is an ESP32-S3-WROOM-1"),
        (CHIP, device(r#","chip_model_name":"esp32x9""#), named(&for_chip(77)), ""),
        // Files that are no images, for ESP32s and for others.
        (FIRST_BYTE, xiaozhi("esp32s3"), foreign(), "this is no ESP image"),
        (FIRST_BYTE, device(r#","chip_model_name":"esp32s3""#), foreign(), "this is no ESP image"),
        (FIRST_BYTE, device(r#","chip_model_name":"ESP32-D0WDQ6""#), foreign(), "this is no ESP image"),
        (FIRST_BYTE, device(r#","chip_model_name":"esp32x9""#), foreign(), "this is no ESP image"),
        (FIRST_BYTE, device(r#","chip_info":{"model":9}"#), foreign(), "this is no ESP image"),
        (FIRST_BYTE, device(r#","chip_info":{"model":1}"#), foreign(), "this is no ESP image"),
        (FIRST_BYTE, device(r#","chip_info":{"model":77}"#), foreign(), ""),
        (FIRST_BYTE, device(r#","chip_model_name":"bk7258","chip_info":{"model":1}"#), foreign(), ""),
        (FIRST_BYTE, device(""), foreign(), ""),
        (FIRST_BYTE, xiaozhi("esp8266"), foreign(), ""),
        (FIRST_BYTE, xiaozhi("esp32s3"), named(&image()), ""),
        // Another project's image, which would never ask here.
        (PROJECT, xiaozhi("esp32s3"), named(&of("hello_world")), "of the project \"hello_world\", and the device runs \"xiaozhi\""),
        (PROJECT, xiaozhi("esp32s3"), named(&of("Xiaozhi")), "of the project \"Xiaozhi\""),
        (PROJECT, xiaozhi("esp32s3"), named(&of("")), "of the project \"\""),
        (PROJECT, xiaozhi("esp32s3"), named(&of("my-fork")), ""),
        (PROJECT, xiaozhi("esp32s3").replace("xiaozhi", "my-fork"), named(&image()), ""),
        (PROJECT, xiaozhi("esp32s3").replace("xiaozhi", "hello_world"), named(&image()), "the device runs \"hello_world\""),
        (PROJECT, xiaozhi("esp32s3").replace("xiaozhi", "hello_world"), named(&of("hello_world")), ""),
        (PROJECT, xiaozhi("esp32s3").replace("xiaozhi", ""), named(&of("hello_world")), ""),
        (PROJECT, device(r#","chip_model_name":"esp32s3""#), named(&of("hello_world")), ""),
        // Its revision.
        (CHIP, revision("v5.4", 2), named(&between(0, 99)), ""),
        (CHIP, revision("v5.4", 2), named(&between(3, 99)), "needs chip revision v0.3 or later, and the device has v0.2"),
        (CHIP, revision("v5.4", 100), named(&between(0, 99)), "up to v0.99, and the device has v1.0"),
        (CHIP, revision("v5.4", 100), named(&between(0, 0)), ""),
        (CHIP, revision("v5.4", 100), named(&between(65535, 65535)), ""),
        (CHIP, revision("v4.4.6", 1), named(&between(100, 199)), ""),
        (CHIP, revision("v5.0-beta1", 1), named(&between(100, 199)), "needs chip revision v1.0"),
        (CHIP, revision("strange", 1), named(&between(100, 199)), ""),
        (CHIP, revision("v5.4", 100), named(&Image {old_min_revision: 3, ..image()}), "needs chip revision v3.0"),
        // Slots, and the room in them.
        (SLOT, table(FACTORY, "factory"), named(&image()), "no app slot besides the one that runs"),
        (SLOT, table(one_slot, "ota_0"), named(&image()), "no app slot besides the one that runs"),
        (SLOT, table(factory_and_slot, "factory"), named(&image()), ""),
        (ROOM, table(factory_and_slot, "factory"), sized(5001), "its 5001 bytes do not fit the app slot ota_0 of 5000"),
        (ROOM, table(V1_16MB, "ota_0"), sized(6144 * KB), ""),
        (ROOM, table(V1_16MB, "ota_0"), sized(6144 * KB + 1), "do not fit the app slot ota_1 of 6291456"),
        (ROOM, table(V2_16MB, "ota_1"), v2_file(4032 * KB + 1), "do not fit the app slot ota_0 of 4128768"),
        (SLOT, table(three, "ota_0"), sized(4500), "the app slot ota_1 of 4000"),
        (SLOT, table(three, "ota_1"), sized(3500), "the app slot ota_2 of 3000"),
        (SLOT, table(three, "ota_2"), sized(4500), ""),
        (SLOT, device(&format!(r#","partition_table":{three}"#)), sized(4500), ""),
        (SLOT, device(&format!(r#","partition_table":{three}"#)), sized(5500), "fit no app slot of the device, the longest of which has 5000"),
        (ROOM, table(r#"[{"label":"ota_0","type":0,"subtype":16},{"label":"ota_1","type":0,"subtype":17}]"#, "ota_0"), sized(9000 * KB), ""),
        (SLOT, table("[]", "ota_0"), named(&image()), ""),
        (SLOT, table(r#"[{"label":"x"},{"label":"y"}]"#, "x"), named(&image()), ""),
        (SLOT, table(r#"[1,2,"x"]"#, "x"), named(&image()), ""),
        (ROOM, table(V1_16MB, "ota_0"), foreign(), ""),
        (SLOT, table(FACTORY, "factory"), foreign(), "no app slot"),
        // The layout of 2.x.
        (ASSETS, table(V1_16MB, "ota_0"), v2_file(2048), "a partition named assets"),
        (ASSETS, table(V2_16MB, "ota_0"), v2_file(2048), ""),
        (ASSETS, device(""), v2_file(2048), ""),
        (ASSETS, table(V1_16MB, "ota_0").replace("1.6.0", "2.0.0"), v2_file(2048), ""),
        (ASSETS, table(V1_16MB, "ota_0"), file("a_2.0.0.bin", &image(), 2048), ""),
        (ASSETS, table(V1_16MB, "ota_0"), file("a_1.9.0.bin", &v2(), 2048), "a partition named assets"),
        (ASSETS, table(V1_16MB, "ota_0"), file("a_2.0.3.bin", &Image {project: "blink", ..v2()}, 2048), ""),
        (ASSETS, table(V1_16MB, "ota_0"), file("a_2.0.3.bin", &Image {project: "my-fork", ..v2()}, 2048), "a partition named assets"),
        (ASSETS, table(V1_16MB, "ota_0"), file("a_2.0.0-beta.bin", &Image::new("2.0.0-beta"), 2048), "a partition named assets"),
        (ASSETS, table(V1_16MB, "ota_0"), file("a_10.0.bin", &Image::new("10.0"), 2048), "a partition named assets"),
        // What it runs already.
        (SAME, elf("1.6.0", &own_elf), named(&image()), "runs this very image already"),
        (SAME, elf("1.6.0", &own_elf.to_uppercase()), named(&image()), "runs this very image already"),
        (SAME, elf("1.6.0", &other_elf), named(&image()), ""),
        (SAME, elf("1.6.0", &own_elf[..16]), named(&image()), ""),
        (SAME, elf("1.7.0", &own_elf), mislabelled(), "it reports 1.7.0, the version inside"),
        (SAME_1X, elf("1.7.0", &other_elf), mislabelled(), "firmware before 2.0.0 refuses an image of its own version"),
        (SAME_1X, elf("1.7.1", &other_elf), mislabelled(), ""),
        (SAME, elf("2.0.3", &own_elf), file("a_2.1.0.bin", &v2(), 2048), ""),
        (SAME, elf("1.7.0", ""), mislabelled(), "it reports 1.7.0, the version inside"),
        (SAME, elf("1.6.0", ""), mislabelled(), ""),
        (SAME, elf("1.7.0", &own_elf), file("a_1.8.0.bin", &Image {elf_sha256: [0; 32], ..image()}, 2048), "runs this very image already"),
        // Versions.
        (PARSER, elf("v1.6.0", ""), named(&image()), "silent"),
        (PARSER, elf("2.0.x", ""), named(&image()), "silent"),
        (PARSER, elf("1.202511211530", ""), named(&image()), "silent"),
        (PARSER, elf("1.7.0", ""), named(&image()), "up to date"),
        (PARSER, elf("1.8.0", ""), named(&image()), "up to date"),
        (PARSER, elf("1.7.0-beta", ""), named(&image()), "force"),
        (PARSER, elf("1.7.0-beta", &other_elf), file("a_1.7.0.bin", &Image::new("1.7"), 2048), "force"),
        (PARSER, elf("1.7.0-beta", ""), foreign(), "nothing proves that this would end: it is no ESP image"),
        (PARSER, elf("1.7.0-beta", ""), named(&Image::new("1.6.9")), "the image holds 1.6.9, and the device reports no application.elf_sha256"),
        (PARSER, elf("1.7.0-beta", &other_elf), named(&Image::new("1.6.9")), "force"),
        (PARSER, elf("1.9.2", ""), file("a_1.9.2_2.bin", &Image::new("1.9.2_2"), 2048), "force"),
        (SAME_1X, elf("1.9.2", &other_elf), file("a_1.9.2_2.bin", &Image::new("1.9.2"), 2048), "refuses an image of its own version"),
        (PARSER, elf("2.9.2", &own_elf), file("a_2.9.2_2.bin", &Image::new("2.9.2"), 2048), "force"),
        (PARSER, elf("1.9.2", ""), file("a_1.9.2_2.bin", &Image::new("1.9.2"), 2048), "it reports 1.9.2, the version inside"),
    ];
    assert!(rows.len() >= 40);
    for (fact, body, entry, expected) in rows {
        let file = entry.file.clone();
        let told = told(&body, entry);
        let fits = if expected.is_empty() {
            told.is_empty()
        } else {
            told.contains(expected)
        };
        assert!(
            fits,
            "{fact}: {file} for {body}\nexpected: {expected}\ntold: {told}"
        );
    }
}

#[test]
fn names_that_a_device_makes_up_are_cut() {
    let long = "é".repeat(20_000);
    let body = device(&format!(r#","chip_model_name":"{long}""#));
    assert!(told(&body, named(&image())).len() < 200);
    let slots = format!(r#"[{{"label":"{long}","type":0,"subtype":16,"size":5}}]"#);
    assert!(told(&table(&slots, "factory"), sized(9)).len() < 200);
    // Lines beyond those of a real table count for nothing.
    let many = vec![r#"{"label":"nvs","type":1,"subtype":2,"size":5}"#; 95].join(",");
    let slot = r#"{"label":"ota_0","type":0,"subtype":16,"size":9000000}"#;
    let told = told(&table(&format!("[{many},{slot}]"), "factory"), sized(9));
    assert!(told.contains("no app slot"), "{told}");
}

#[test]
fn a_candidate_that_is_withheld_yields_to_the_next_lower_one() {
    let small = file("a_1.6.5.bin", &Image::new("1.6.5"), 3000);
    let other = file("a_1.6.9.bin", &for_chip(5), 3000);
    let big = sized(9000 * KB);
    let body =
        table(V1_16MB, "ota_0").replace(r#""board""#, r#""chip_model_name":"esp32s3","board""#);
    let check_in = CheckIn {
        report: Report::read(body.as_bytes()),
        ..CheckIn::default()
    };
    let snapshot = Snapshot::new([small, other, big], ["a".to_owned()].into());
    let policy = Policy::default();
    let decision = decide(&check_in, &snapshot, &policy, &());
    let Outcome::Offer {
        entry,
        force: false,
    } = decision.outcome
    else {
        panic!("{decision:?}")
    };
    assert_eq!(entry.file, "a_1.6.5.bin");
    let withheld: Vec<_> = decision.withheld.iter().map(|w| w.what).collect();
    assert_eq!(withheld, ["a_1.7.0.bin", "a_1.6.9.bin"]);
}

/// A device as the firmware behaves, from what it reports.
#[derive(Debug, Clone)]
struct Simulated {
    version: String,
    elf: String,
    chip: &'static str,
    table: &'static str,
    reports_elf: bool,
}

impl Simulated {
    fn body(&self) -> String {
        let elf = if self.reports_elf { &*self.elf } else { "" };
        format!(
            r#"{{"chip_model_name":"{}","application":{{"name":"xiaozhi","version":"{}","idf_version":"v5.4","elf_sha256":"{elf}"}},"partition_table":{},"ota":{{"label":"ota_0"}},"board":{{"type":"a"}}}}"#,
            self.chip, self.version, self.table
        )
    }

    /// Tells whether it can install a file, by rules of its own: those of the bootloader,
    /// of `esp_ota_write` and of `Ota::Upgrade`.
    fn can_install(&self, entry: &Entry) -> bool {
        let Some(app) = &entry.app else { return false };
        let room = match self.table {
            V1_16MB => 6_291_456,
            V2_16MB => 4_128_768,
            FACTORY => 0,
            _ => u64::MAX,
        };
        let is_2 = |version: &str| version.starts_with('2');
        let has_assets = self.table != V1_16MB && self.table != FACTORY;
        app.chip.name() == Some(self.chip)
            && entry.size() <= room
            && (is_2(&self.version) || app.version != self.version)
            && (has_assets || is_2(&self.version) || !is_2(&app.version))
    }

    /// Returns the file that it installs of what it is offered (`Ota::CheckVersion`).
    fn installs(&self, decision: &Decision<'_>) -> Option<Arc<Entry>> {
        let Outcome::Offer { entry, force } = decision.outcome else {
            return None;
        };
        let newer = version::device_accepts(&self.version, entry.version.as_str());
        assert!(
            newer || force,
            "offered for nothing: {self:?} {}",
            entry.file
        );
        assert!(
            self.can_install(entry),
            "would fail: {self:?} {}",
            entry.file
        );
        Some(Arc::clone(entry))
    }
}

/// A file: the version in its name, and the image.
fn any_file() -> impl Strategy<Value = (String, Option<Image>, u64)> {
    let version = || "[012](\\.[0-3]){1,2}(-beta|-rc1|_2|_3)?";
    let chip = prop_oneof![4 => Just(9u16), 1 => Just(5u16)];
    let image = (prop::option::of(version()), chip, 0..4u8, any::<bool>());
    let size = prop_oneof![4 => Just(2 << 20), 1 => Just(5 << 20), 1 => Just(7u64 << 20)];
    (version(), prop::option::weighted(0.9, image), size).prop_map(|(name, image, size)| {
        let image = image.map(|(inside, chip, elf, has_elf)| Image {
            chip,
            elf_sha256: if has_elf { [elf + 1; 32] } else { [0; 32] },
            ..Image::new(&inside.unwrap_or_else(|| name.clone()))
        });
        (name, image, size)
    })
}

fn any_device() -> impl Strategy<Value = Simulated> {
    let tables = prop::sample::select(vec![V1_16MB, V2_16MB, FACTORY, "[]"]);
    let versions = "[012](\\.[0-3]){1,2}(-beta|-rc1|_2)?";
    (versions, tables, any::<bool>(), any::<bool>()).prop_map(
        |(version, table, reports_elf, s3)| Simulated {
            version,
            elf: "ee".repeat(32),
            chip: if s3 { "esp32s3" } else { "esp32c3" },
            table,
            reports_elf,
        },
    )
}

fn catalogue(files: &[(String, Option<Image>, u64)]) -> Snapshot {
    let entries = files.iter().map(|(version, image, size)| {
        let name = format!("a_{version}.bin");
        match image {
            Some(image) => image_entry(&name, image, *size),
            None => entry(&name),
        }
    });
    Snapshot::new(entries, ["a".to_owned()].into())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn nothing_is_offered_that_a_guard_forbids_and_every_update_ends(
        files in prop::collection::vec(any_file(), 0..7),
        device in any_device(),
        pin in prop::option::of("[012](\\.[0-3]){1,2}"),
    ) {
        let snapshot = catalogue(&files);
        let pins = pin.map(|pin| ("a".to_owned(), version::Version::new(&pin)));
        let policy = Policy { pins: HashMap::from_iter(pins), ..Policy::default() };
        let mut device = device;
        let mut installed = 0;
        for _boot in 0..20 {
            let body = device.body();
            let check_in = CheckIn { report: Report::read(body.as_bytes()), ..CheckIn::default() };
            let decision = decide(&check_in, &snapshot, &policy, &());
            if let Outcome::Offer { entry, force } = decision.outcome {
                let told = ReportedDevice::of(&check_in.report, &device.version, Projects::DISTINCT);
                prop_assert_eq!(told.refuses(&entry.candidate()), None);
                prop_assert_eq!(told.runs(&entry.candidate()), None);
                prop_assert!(!force || told.cannot_be_forced(&entry.candidate()).is_none());
                if let Some(pin) = policy.pins.get("a") {
                    prop_assert_eq!(&entry.version, pin);
                } else {
                    prop_assert_eq!(version::compare(entry.version.as_str(), &device.version), Ordering::Greater);
                }
            }
            if let Some(entry) = device.installs(&decision)
                && let Some(app) = entry.app.as_deref()
            {
                installed += 1;
                device.version.clone_from(&app.version);
                device.elf = encode(&app.elf_sha256.unwrap_or_default());
            }
        }
        prop_assert!(installed <= files.len(), "{} installs", installed);
        // The last boots of a device that gets somewhere are quiet.
        let body = device.body();
        let check_in = CheckIn { report: Report::read(body.as_bytes()), ..CheckIn::default() };
        let decision = decide(&check_in, &snapshot, &policy, &());
        prop_assert_eq!(device.installs(&decision).map(|entry| entry.file.clone()), None);
    }
}
