use super::super::crowd::RunImage;
use super::super::outcome::Content;
use super::*;
use crate::event::text::Lang;
use crate::firmware::name;
use crate::firmware::snapshot::tests::image_entry;
use crate::fleet::{Came, Fleet};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::time::{Duration, UNIX_EPOCH};
use xiaozhi_device::checkin::Report;
use xiaozhi_device::mac::Mac;
use xiaozhi_image_builder::Image;

mod failed;
mod held;

/// What a device says at a check-in.
#[derive(Debug, Clone)]
struct Said {
    model: Option<&'static str>,
    version: &'static str,
    elf: Option<&'static str>,
    /// Whether it has a partition for assets; `None` shows no table.
    assets: Option<bool>,
    chip: &'static str,
}

impl Said {
    fn new(model: &'static str, version: &'static str) -> Self {
        Self {
            model: Some(model),
            version,
            elf: None,
            assets: None,
            chip: "esp32s3",
        }
    }

    fn body(&self) -> String {
        let mut body = json!({
            "application": {"name": "xiaozhi", "version": self.version, "idf_version": "v5.4.1"},
            "chip_model_name": self.chip,
        });
        if let Some(model) = self.model {
            body["board"] = json!({"type": model});
        }
        if let Some(version) = self.elf {
            body["application"]["elf_sha256"] = json!(Image::new(version).elf_hex());
        }
        if let Some(has_assets) = self.assets {
            let slot = |label: &str, subtype: u8| json!({"label": label, "type": 0, "subtype": subtype, "size": 0x0040_0000});
            let mut table = vec![slot("ota_0", 0x10), slot("ota_1", 0x11)];
            if has_assets {
                table.push(
                    json!({"label": "assets", "type": 1, "subtype": 0x82, "size": 0x0040_0000}),
                );
            }
            body["partition_table"] = Value::from(table);
            body["ota"] = json!({"label": "ota_0"});
        }
        body.to_string()
    }
}

/// Id of a device.
fn id(device: usize) -> DeviceId {
    DeviceId::Mac(Mac::from_bits(0x0200_0000_0000 + device as u64).unwrap())
}

/// Lets a device check in, and returns the file that it is offered.
fn offered(
    fleet: &Fleet,
    device: usize,
    said: &Said,
    (snapshot, policy): (&Snapshot, &Policy),
    second: u64,
) -> Option<String> {
    let (device, body) = (id(device).to_string(), said.body());
    let check_in = CheckIn {
        device: &device,
        report: Report::read(body.as_bytes()),
        ..CheckIn::default()
    };
    let came = Came {
        address: [192, 0, 2, 1].into(),
        is_secure: false,
        at: UNIX_EPOCH + Duration::from_secs(second),
    };
    let visit = fleet.visit(&check_in, came);
    let decision = decide(&check_in, snapshot, policy, &visit);
    visit.told(&decision);
    match decision.outcome {
        Outcome::Offer { entry, .. } => Some(entry.file.clone()),
        Outcome::UpToDate | Outcome::Silent => None,
    }
}

/// A snapshot of real images, each of the version in its name.
fn snapshot(files: &[&str]) -> Snapshot {
    let entries = files.iter().map(|file| {
        let version = name::parse(file).unwrap().version.to_string();
        image_entry(file, &Image::new(&version), 2048)
    });
    let models = files.iter().map(|file| name::parse(file).unwrap().model);
    Snapshot::new(entries, models.collect())
}

fn entry<'a>(snapshot: &'a Snapshot, file: &str) -> &'a Entry {
    let model = name::parse(file).unwrap().model;
    let mut entries = snapshot.model(&model).iter();
    entries.find(|entry| entry.file == file).unwrap()
}

fn crowd(fleet: &Fleet) -> Crowd {
    let mut crowd = Crowd::default();
    fleet.each(|id, record| crowd.add(id, record));
    crowd
}

/// What is said of a file, with these devices.
fn words(devices: &[Said], files: &[&str], file: &str, policy: &Policy) -> Vec<String> {
    let (fleet, none) = (Fleet::default(), Snapshot::default());
    for (device, said) in devices.iter().enumerate() {
        offered(&fleet, device, said, (&none, policy), 0);
    }
    let snapshot = snapshot(files);
    let forecast = crowd(&fleet).forecast(&snapshot, policy, entry(&snapshot, file));
    let stays: u64 = forecast.stays.iter().map(|stays| stays.devices).sum();
    assert_eq!(forecast.of_model, forecast.gets + forecast.runs + stays);
    let events = forecast.events().into_iter();
    events.map(|event| event.words(Lang::En)).collect()
}

fn with_assets(version: &'static str, assets: bool) -> Said {
    Said {
        assets: Some(assets),
        ..Said::new("a", version)
    }
}

#[test]
fn who_would_get_a_file_and_who_not_is_said_in_the_decisions_words() {
    let devices = [
        with_assets("2.0.0", true),
        with_assets("1.9.0", true),
        with_assets("2.0.1", true),
        with_assets("1.6.6", false),
        Said::new("b", "1.0"),
    ];
    let plain = Policy::default();
    let said = words(&devices, &["a_2.1.0.bin"], "a_2.1.0.bin", &plain);
    assert_eq!(
        said,
        [
            "known devices that it is for: 4; would get it at their next check: 3",
            "1 (now on 1.6.6) would not get it; not offered: firmware 2.x needs a partition named assets, and the device has \
             none: flash it by cable once (withheld.no-assets)",
        ]
    );
    let said = words(&devices, &["c_1.0.bin"], "c_1.0.bin", &plain);
    assert_eq!(
        said,
        ["it is for none of the devices that are known here (5)"]
    );
}

#[test]
fn each_reason_is_told_apart() {
    let devices = [
        Said::new("a", "1.0"),
        Said::new("a", "1.1"),
        Said::new("a", "1.5"),
        Said {
            elf: Some("1.6"),
            ..Said::new("a", "1.5")
        },
        Said::new("a", "1.8"),
        Said::new("a", "x"),
    ];
    let plain = Policy::default();
    let said = |files: &[&str], policy: &Policy| words(&devices, files, "a_1.5.bin", policy);
    let first =
        "known devices that it is for: 6; would get it at their next check: 2; run it already: 1";
    let alone = said(&["a_1.5.bin"], &plain);
    assert_eq!(alone[0], first);
    for id in ["forecast.same-version", "forecast.lower", "forecast.silent"] {
        let line = alone
            .iter()
            .filter(|line| line.contains(&format!("({id})")));
        assert_eq!(line.count(), 1, "{id}: {alone:?}");
    }
    assert_eq!(alone.len(), 4, "{alone:?}");
    let below = said(&["a_1.5.bin", "a_1.7.bin"], &plain);
    let higher = "2 (now on 1.0…1.1) would not get it; a_1.7.bin is offered instead, which is higher (forecast.higher)";
    assert!(below.contains(&higher.to_owned()), "{below:?}");
    let pinned = Policy {
        pins: HashMap::from([("a".to_owned(), Version::new("1.1"))]),
        ..Policy::default()
    };
    let held = said(&["a_1.5.bin", "a_1.1.bin"], &pinned);
    assert!(held[1].starts_with("4 (now on 1.0…1.8)"), "{held:?}");
    assert!(held[1].ends_with("(forecast.pinned)"), "{held:?}");
    // Whoever runs what is called 1.7 is not sent back to 1.5.
    let devices = [Said {
        elf: Some("1.7"),
        ..Said::new("a", "1.4")
    }];
    let held = words(&devices, &["a_1.5.bin", "a_1.7.bin"], "a_1.5.bin", &plain);
    assert!(held[1].ends_with("(forecast.held)"), "{held:?}");
    assert!(held[1].contains("a_1.7.bin"), "{held:?}");
}

#[test]
fn who_loses_a_file_gets_the_next_or_nothing() {
    let (fleet, none, plain) = (Fleet::default(), Snapshot::default(), Policy::default());
    let devices = ["1.0", "1.1", "1.6", "1.7"].map(|version| Said::new("a", version));
    for (device, said) in devices.iter().enumerate() {
        offered(&fleet, device, said, (&none, &plain), 0);
    }
    let snapshot = snapshot(&["a_1.7.bin", "a_1.5.bin", "b_1.0.bin"]);
    let of = |file: &str| crowd(&fleet).departure(&snapshot, &plain, entry(&snapshot, file));
    let highest = Departure {
        gets: 3,
        runs: 1,
        instead: vec![(Some("a_1.5.bin".to_owned()), 2), (None, 1)],
    };
    assert_eq!(of("a_1.7.bin"), highest);
    assert_eq!(of("a_1.5.bin"), Departure::default());
    assert_eq!(of("b_1.0.bin"), Departure::default());
}

/// A look through all of them for each would take minutes here.
#[test]
fn reasons_that_strangers_make_many_are_bounded() {
    let mut reasons = Reasons::default();
    for n in 0..65_536_u64 {
        let version = (n % 7).to_string();
        let why = event!(WITHHELD_SIZE, size = 1_u64, room = n);
        reasons.add(why, 1, &version);
        reasons.add(event!(FORECAST_LOWER), 1, &version);
    }
    let stays = reasons.sorted();
    assert_eq!(stays.len(), REASONS + 1);
    assert_eq!((stays[0].devices, &*stays[0].highest), (65_536, "6"));
    let told: u64 = stays.iter().map(|stays| stays.devices).sum();
    assert_eq!(told, 2 * 65_536);
    let last = &stays[REASONS];
    assert_eq!(
        (last.why.kind.id, &*last.versions()),
        ("forecast.more", "0…6")
    );
}

#[test]
fn an_image_is_run_by_its_hash_or_its_models_version() {
    let fleet = Fleet::default();
    let files = snapshot(&["a_1.0.bin"]);
    let none = Snapshot::default();
    let plain = Policy::default();
    let devices = [
        Said::new("a", "1.0.0"),
        Said::new("b", "1.0"),
        Said {
            elf: Some("1.0"),
            ..Said::new("c", "9.9")
        },
        Said::new("a", "1.1"),
    ];
    for (device, said) in devices.iter().enumerate() {
        offered(&fleet, device, said, (&none, &plain), 0);
    }
    let run_by = |fleet: &Fleet, versions| {
        let entry = entry(&files, "a_1.0.bin");
        let image = RunImage {
            content: Content::of(&entry.sha256),
            elf_sha256: entry.app.as_ref().and_then(|app| app.elf_sha256),
            versions,
        };
        crowd(fleet).run_by(&image, ["a"].into_iter())
    };
    assert_eq!(run_by(&fleet, ["1.0", "1.0"]), 2);
    assert_eq!(run_by(&fleet, ["1.1", "1.0"]), 3);
    // One that was offered it last may run it soon.
    let older = Said::new("a", "0.9");
    assert!(offered(&fleet, 9, &older, (&files, &plain), 0).is_some());
    assert_eq!(run_by(&fleet, ["1.0", "1.0"]), 3);
    assert_eq!(crowd(&fleet).reports("a"), 3);
    assert_eq!(crowd(&fleet).reports("A"), 0);
    assert!(crowd(&fleet).may_ask_for(["x", "c"].into_iter()));
    assert!(!crowd(&fleet).may_ask_for(["x"].into_iter()));
}

/// Lets one device live, with these files; what is foreseen of a file then, and what it gets.
fn lived(life: &[Said], files: &[&str], policy: &Policy, file: &str) -> (Forecast, Option<String>) {
    let (fleet, snapshot) = (Fleet::default(), snapshot(files));
    for (boot, said) in (0_u64..).zip(life) {
        offered(&fleet, 1, said, (&snapshot, policy), 60 * boot);
    }
    let forecast = crowd(&fleet).forecast(&snapshot, policy, entry(&snapshot, file));
    let gets = offered(
        &fleet,
        1,
        &life[life.len() - 1],
        (&snapshot, policy),
        10_000,
    );
    (forecast, gets)
}

#[test]
fn what_was_forced_in_vain_is_not_foreseen() {
    let policy = Policy {
        pins: HashMap::from([("a".to_owned(), Version::new("1.0"))]),
        ..Policy::default()
    };
    let boots = [0; 3].map(|_| Said::new("a", "1.5"));
    let (forecast, gets) = lived(&boots[..2], &["a_1.0.bin"], &policy, "a_1.0.bin");
    assert_eq!((forecast.gets, gets.as_deref()), (1, Some("a_1.0.bin")));
    let (forecast, gets) = lived(&boots, &["a_1.0.bin"], &policy, "a_1.0.bin");
    assert_eq!((forecast.gets, gets), (0, None));
    assert_eq!(forecast.stays[0].why.kind.id, "withheld.failed");
}

#[test]
fn who_is_back_under_its_first_name_gets_what_it_got() {
    let files = ["a_1.0.bin", "default_2.0.bin"];
    let [new, old] = ["new", "a"].map(|model| Said::new(model, "1.0"));
    let plain = Policy::default();
    let life = [new.clone(), old.clone(), new.clone()];
    let (forecast, gets) = lived(&life, &files, &plain, "default_2.0.bin");
    assert_eq!(
        (forecast.gets, gets.as_deref()),
        (1, Some("default_2.0.bin"))
    );
    let (forecast, gets) = lived(&[old, new], &files, &plain, "default_2.0.bin");
    assert_eq!((forecast.of_model, forecast.gets, gets), (1, 0, None));
    assert_eq!(forecast.stays[0].why.kind.id, "withheld.renamed");
}

/// What is counted of an id that is no MAC address is nothing.
#[test]
fn what_is_no_mac_address_counts_for_nothing() {
    let fleet = Fleet::default();
    offered(
        &fleet,
        1,
        &Said::new("a", "1.0"),
        (&Snapshot::default(), &Policy::default()),
        0,
    );
    let mut crowd = crowd(&fleet);
    let one = fleet
        .devices(&crate::fleet::Filter::default(), None, 1)
        .devices;
    crowd.add(&DeviceId::new("anything"), &one[0].1);
    assert_eq!(crowd.devices(), 1);
}

#[test]
fn a_million_devices_are_some_hundred_decisions() {
    let (fleet, none) = (Fleet::default(), Snapshot::default());
    let versions = ["1.0", "1.1", "1.2"];
    for device in 0..300 {
        let said = Said::new(["a", "b"][device % 2], versions[device % 3]);
        offered(&fleet, device, &said, (&none, &Policy::default()), 0);
    }
    let crowd = crowd(&fleet);
    assert_eq!((crowd.devices(), crowd.groups().count()), (300, 6));
}

fn said() -> impl Strategy<Value = Said> {
    let pick = |of: &'static [Option<&'static str>]| prop::sample::select(of);
    (
        pick(&[
            Some("a"),
            Some("a"),
            Some("b"),
            Some("c"),
            Some("default"),
            None,
        ]),
        prop::sample::select(&["0.9", "1.0", "1.5", "1.6.0", "2.0.0", "2.1.0", "x"][..]),
        pick(&[None, Some("1.5"), Some("2.0.0")]),
        prop::sample::select(&[None, Some(true), Some(false)][..]),
        prop::sample::select(&["esp32s3", "esp32s3", "esp32c3"][..]),
    )
        .prop_map(|(model, version, elf, assets, chip)| Said {
            model,
            version,
            elf,
            assets,
            chip,
        })
}

const FILES: [&str; 10] = [
    "a_1.0.bin",
    "a_1.5.bin",
    "a_1.6.0.bin",
    "a_2.0.0.bin",
    "a_2.0.bin",
    "b_1.5.bin",
    "b_2.1.0.bin",
    "c_1.0.bin",
    "default_1.5.bin",
    "default_2.1.0.bin",
];

proptest! {
    /// What is foreseen is what happens at the next check, whatever happened before.
    #[test]
    fn who_is_said_to_get_a_file_gets_it(
        lives in prop::collection::vec(prop::collection::vec(said(), 1..4), 1..10),
        before in prop::sample::subsequence(&FILES[..], 0..6),
        now in prop::sample::subsequence(&FILES[..], 0..8),
        pin in prop::option::of(prop::sample::select(&["1.0", "1.5", "2.0.0", "3.0"][..])),
        alias in any::<bool>(),
    ) {
        let mut policy = Policy {
            pins: pin.into_iter().map(|pin| ("a".to_owned(), Version::new(pin))).collect(),
            ..Policy::default()
        };
        if alias {
            policy.aliases.add("c", "b");
        }
        let fleet = Fleet::default();
        let (before, now) = (snapshot(&before), snapshot(&now));
        for (device, life) in lives.iter().enumerate() {
            for (boot, said) in life.iter().enumerate() {
                offered(&fleet, device, said, (&before, &policy), 60 * boot as u64);
            }
        }
        let crowd = crowd(&fleet);
        let could_get = forecast_all(|look| fleet.each(look), &now, &policy);
        let mut foreseen = HashMap::new();
        for file in FILES {
            let model = name::parse(file).unwrap().model;
            let entry = now.model(&model).iter().find(|entry| entry.file == file);
            let Some(entry) = entry else {
                prop_assert!(!could_get.contains_key(file));
                continue;
            };
            let forecast = crowd.forecast(&now, &policy, entry);
            let stays: u64 = forecast.stays.iter().map(|stays| stays.devices).sum();
            prop_assert_eq!(forecast.of_model, forecast.gets + forecast.runs + stays);
            prop_assert!(forecast.of_model <= forecast.known);
            let could = could_get.get(file).copied().unwrap_or(0);
            prop_assert!(forecast.gets <= could && could <= forecast.of_model, "{forecast:?} {could}");
            foreseen.insert(file.to_owned(), forecast.gets);
        }
        let mut got = HashMap::new();
        for (device, life) in lives.iter().enumerate() {
            let said = life.last().unwrap();
            let record = fleet.find(&id(device)).unwrap();
            let prospects = prospects(&record, Heeds::Upstream, &now, &policy);
            prop_assert_eq!(prospects.len(), now.entries().count());
            let gets = prospects.iter().filter(|one| matches!(one.fate, Fate::Gets(_)));
            let gets: Vec<_> = gets.map(|one| one.file.clone()).collect();
            let offered = offered(&fleet, device, said, (&now, &policy), 10_000);
            prop_assert_eq!(&gets, &Vec::from_iter(offered.clone()));
            if let Some(file) = offered {
                *got.entry(file).or_insert(0) += 1;
            }
        }
        foreseen.retain(|_, gets| *gets > 0);
        prop_assert_eq!(foreseen, got);
    }
}
