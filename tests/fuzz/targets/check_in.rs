//! Check-ins: whatever is posted, it is read, and answered without harm.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, UNIX_EPOCH};
use xiaozhi_device::checkin::{CheckIn, DEFAULT_MODEL, Partition, Report};
use xiaozhi_device::chip::Chip;
use xiaozhi_device::hex;
use xiaozhi_device::image::inspect;
use xiaozhi_device::version::{self, Version};
use xiaozhi_ota::firmware::name;
use xiaozhi_ota::firmware::snapshot::{Entry, Snapshot};
use xiaozhi_ota::fleet::{Came, Fleet};
use xiaozhi_ota::ota::credentials::{Secret, TokenAuth, Voice};
use xiaozhi_ota::ota::decide::{Outcome, Policy, decide};
use xiaozhi_ota::ota::reply::write;
use xiaozhi_ota::util::file_state::FileState;

fuzz_target!(init: xiaozhi_ota_fuzz::init(), |body: &[u8]| {
    let report = Report::read(body);
    a_part_says_nothing_else(body, &report);
    a_wifi_name_changes_nothing(body);
    if let Some(partitions) = &report.partitions {
        assert!((1..=95).contains(&partitions.len()));
    }
    answered(&CheckIn {
        device: "30:ed:a0:00:00:01",
        client: "7b94d69a-9808-4c59-9c9b-704333b38aff",
        report,
        ..CheckIn::default()
    });
    // Headers are a stranger's text too.
    let text = String::from_utf8_lossy(&body[..body.len().min(300)]);
    let (model, version) = text.split_once(' ').unwrap_or((&text, &text));
    answered(&CheckIn {
        device: &text,
        client: &text,
        model_header: Some(model).filter(|model| !model.is_empty()),
        version_header: Some(version).filter(|version| !version.is_empty()),
        report: Report::read(body),
    });
});

/// What the front part of a body says, the whole body says too.
fn a_part_says_nothing_else(body: &[u8], whole: &Report<'_>) {
    // As good as random, but the same for the same body.
    let mix = |sum: usize, byte: &u8| sum.wrapping_mul(31).wrapping_add(usize::from(*byte));
    let (front, behind) = body.split_at(body.iter().fold(7, mix) % (body.len() + 1));
    // But for a value with which the part ends, and the whole goes on.
    let last = front.trim_ascii_end().last();
    let next = behind.trim_ascii_start().first();
    let ends_in_value = last.is_some_and(|b| b.is_ascii_alphanumeric() || b"\"]}.".contains(b));
    if ends_in_value && !matches!(next, Some(b',' | b'}')) {
        return;
    }
    macro_rules! compare {
        ($($field:ident),*) => {
            // A new field of the report is to be named here too.
            let Report { $($field,)* has_board, fault: _, is_empty: _ } = Report::read(front);
            assert!(whole.has_board || !has_board, "board of the first {} bytes", front.len());
            $(if $field.is_some() {
                assert_eq!($field, whole.$field, "{} of the first {} bytes", stringify!($field), front.len());
            })*
        };
    }
    compare!(
        version,
        project,
        board_name,
        board_type,
        model,
        chip_name,
        chip_model,
        chip_revision,
        flash_size,
        idf_version,
        elf_sha256,
        partitions,
        running_slot
    );
}

/// The firmware pastes the name of its Wi-Fi into the body as it is. What stands
/// before it must come through, whatever that name is.
fn a_wifi_name_changes_nothing(wifi: &[u8]) {
    const DEVICE: &str = include_str!("../corpus/check_in/device");
    static AROUND: LazyLock<(&str, &str)> =
        LazyLock::new(|| DEVICE.split_once("home-2.4G").expect("a Wi-Fi name"));
    let before_the_name = |body| Report {
        model: None,
        fault: None,
        ..Report::read(body)
    };
    let body = [AROUND.0.as_bytes(), wifi, AROUND.1.as_bytes()].concat();
    assert_eq!(before_the_name(&body), before_the_name(DEVICE.as_bytes()));
}

/// What there is to be offered, and what the operator wants.
struct Server {
    snapshot: Snapshot,
    policies: [Policy; 2],
    voices: [Voice; 2],
}

static SERVER: LazyLock<Server> = LazyLock::new(|| {
    let app: &[u8] = include_bytes!("../corpus/image/app");
    let app_0_9 = include_bytes!("../corpus/image/app-0.9");
    let app_2 = include_bytes!("../corpus/image/app-2.0.0");
    let app_c3_2 = include_bytes!("../corpus/image/app-esp32c3-2.9.2_2");
    let app_c3_3 = include_bytes!("../corpus/image/app-esp32c3-2.9.2_3");
    let other = b"for another kind of device";
    let entries = [
        ("esp32s3_1.6.6.bin", 3 << 20, app),
        ("esp32s3_1.7.0-beta.bin", 3 << 20, app),
        ("esp32s3_2.0.0.bin", 0x003F_0000, app_2),
        ("lichuang-dev_2.9.2_2.bin", 2 << 20, app_c3_2),
        ("lichuang-dev_2.9.2_3.bin", 2 << 20, app_c3_3),
        ("pinned-board_0.9.bin", 1 << 20, app_0_9),
        ("pinned-board_2.0.0.bin", 1 << 20, app_2),
        ("default_1.0.0.bin", 0x0060_0001, other),
    ]
    .map(|(file, size, bytes)| {
        let identity = FileState {
            inode: (1, 1),
            size,
            modified: (1_700_000_000, 0),
            changed: (1_700_000_000, 0),
        };
        let name = name::parse(file).expect("a name");
        let entry = Entry::new(PathBuf::new(), file.into(), name, identity, inspect(bytes));
        Arc::new(entry)
    });
    let models = entries.iter().map(|entry| entry.model.clone()).collect();
    let pins = HashMap::from([("pinned-board".into(), Version::new("0.9"))]);
    let pinned = Policy {
        pins,
        ..Policy::default()
    };
    let key = || Secret::new("key".into());
    let auth = TokenAuth {
        key: key(),
        allowed_devices: ["30:ed:a0:00:00:01".into()].into(),
    };
    Server {
        snapshot: Snapshot::new(entries, models),
        policies: [Policy::default(), pinned],
        voices: [
            Voice::Mqtt {
                endpoint: "example.com:1883".into(),
                signature_key: Some(key()),
            },
            Voice::WebSocket { auth: Some(auth) },
        ],
    }
});

/// The check-in of a device that reports the same after every boot.
fn answered(check_in: &CheckIn<'_>) {
    for (policy, voice) in SERVER.policies.iter().zip(&SERVER.voices) {
        let fleet = Fleet::default();
        let was_forced = |boot| answered_once(check_in, policy, voice, &fleet, boot);
        assert!(!(1..=8).all(was_forced), "forced for ever");
    }
}

/// Whether an image is forced on the device.
fn answered_once(
    check_in: &CheckIn<'_>,
    policy: &Policy,
    voice: &Voice,
    fleet: &Fleet,
    boot: u64,
) -> bool {
    // Nothing is learned while the clock lies before the build.
    let now = UNIX_EPOCH + Duration::from_secs(4_000_000_000 + 60 * boot);
    let own = check_in.version();
    let visit = fleet.visit(
        check_in,
        Came {
            address: Ipv4Addr::new(192, 0, 2, 1).into(),
            is_secure: false,
            at: now,
        },
    );
    let decision = decide(check_in, &SERVER.snapshot, policy, &visit);
    let reported = check_in.report.version.as_deref().unwrap_or(own);
    assert_eq!(
        matches!(decision.outcome, Outcome::Silent),
        !version::is_device_safe(own) || !version::is_device_safe(reported)
    );
    if let Outcome::Offer { entry, force } = decision.outcome {
        offered(check_in, entry, force);
    }
    for withheld in &decision.withheld {
        assert!(!withheld.event().to_string().is_empty());
    }
    let websocket = Some("wss://example.com/xiaozhi/v1/");
    let voice = voice.block(check_in, websocket, 1_700_000_000);
    let reply = write(&decision, own, "https://example.com/", voice, now, 480);
    let reply = String::from_utf8(reply).expect("JSON is UTF-8");
    assert!(!reply.chars().any(|c| c < ' '), "{reply:?}");
    let is_forced = matches!(decision.outcome, Outcome::Offer { force: true, .. });
    visit.told(&decision);
    is_forced
}

/// What no device may be offered, by the plainest reading of the rules.
fn offered(check_in: &CheckIn<'_>, entry: &Entry, force: bool) {
    let report = &check_in.report;
    let own = check_in.version();
    assert!(!check_in.is_unidentified());
    assert!(entry.model == DEFAULT_MODEL || check_in.models().any(|model| model == entry.model));
    assert_ne!(entry.version, Version::new(own));
    assert_eq!(
        force,
        !version::device_finds_newer(own, entry.version.as_str())
    );
    if let Some(app) = &entry.app {
        let chip = report.chip_name.as_deref().and_then(Chip::from_name);
        assert!(chip.is_none_or(|chip| chip == app.chip));
        if let (Some(image), Some(device)) = (app.elf_sha256, &report.elf_sha256) {
            assert!(!device.eq_ignore_ascii_case(&hex::encode(&image)));
        }
    } else {
        assert!(!force, "nothing proves that this would end");
    }
    if let Some(table) = &report.partitions {
        let is_clear = |p: &_| {
            matches!(
                p,
                Partition {
                    kind: Some(_),
                    subtype: Some(_),
                    ..
                }
            )
        };
        let is_small = |p: &Partition<'_>| p.size.is_some_and(|size| size < entry.size());
        assert!(!table.iter().all(|p| is_clear(p) && is_small(p)));
    }
}
