use super::*;
use crate::firmware::name;
use crate::firmware::snapshot::tests::{entry, names, snapshot};
use proptest::prelude::*;
use xiaozhi_device::checkin::Report;

fn said(model: &str, version: &str) -> String {
    format!(r#"{{"application":{{"version":"{version}"}},"board":{{"type":"{model}"}}}}"#)
}

/// The file offered, or what else is said.
fn answer(body: &str, files: &[&str], policy: &Policy) -> String {
    let check_in = CheckIn {
        report: Report::read(body.as_bytes()),
        ..CheckIn::default()
    };
    let snapshot = snapshot(files);
    let decision = decide(&check_in, &snapshot, policy, &());
    let mut text = match decision.outcome {
        Outcome::Offer { entry, .. } => entry.file.clone(),
        Outcome::UpToDate => "up to date".to_owned(),
        Outcome::Silent => "silent".to_owned(),
    };
    for w in &decision.withheld {
        text = format!("{text}; {} {:?}", w.what, w.reason);
    }
    text
}

fn plain(body: &str, files: &[&str]) -> String {
    answer(body, files, &Policy::default())
}

#[test]
fn the_highest_above_the_devices_own() {
    let files = [
        "a_1.6.5.bin",
        "a_1.6.6.bin",
        "a_1.7.0-beta.bin",
        "b_9.bin",
        "default_1.0.0.bin",
    ];
    assert_eq!(plain(&said("a", "1.6.0"), &files), "a_1.7.0-beta.bin");
    assert_eq!(plain(&said("a", "1.7.0"), &files), "up to date");
    assert_eq!(plain(&said("a", "9.0.0"), &files), "up to date");
    assert_eq!(plain(&said("c", "0.0.1"), &files), "default_1.0.0.bin");
    assert_eq!(plain("{}", &files), "default_1.0.0.bin");
    // A body that was lost could be any board's.
    assert_eq!(plain("", &files), "up to date");
}

#[test]
fn the_precise_board_wins() {
    let body = r#"{"application":{"version":"1.0"},"board":{"type":"t","name":"n"}}"#;
    assert_eq!(plain(body, &["t_9.bin", "n_2.bin"]), "n_2.bin");
    assert_eq!(plain(body, &["t_9.bin", "m_2.bin"]), "t_9.bin");
}

#[test]
fn a_model_whose_files_are_unusable_just_now_gets_no_other_boards() {
    let body = r#"{"application":{"version":"1.0"},"board":{"type":"t","name":"n"}}"#;
    let check_in = CheckIn {
        report: Report::read(body.as_bytes()),
        ..CheckIn::default()
    };
    let entries = || ["default_9.bin", "t_9.bin"].map(entry);
    let models = ["default", "t", "n"].map(str::to_owned);
    let policy = Policy::default();
    // The precise board's file is being copied.
    let snapshot = Snapshot::new(entries(), models.into());
    let decision = decide(&check_in, &snapshot, &policy, &());
    assert!(matches!(decision.outcome, Outcome::UpToDate) && decision.model == "n");
    // Nobody has looked yet.
    let snapshot = Snapshot::default();
    assert!(matches!(
        decide(&check_in, &snapshot, &policy, &()).outcome,
        Outcome::UpToDate
    ));
}

#[test]
fn a_file_that_is_not_read_yet_may_serve_its_devices_and_no_others() {
    let files = ["a_1.5.bin", "b_2.0.bin", "default_3.0.bin"];
    let names = || files.map(|f| (f.to_owned(), name::parse(f).ok()));
    let models = || ["a", "b", "default"].map(str::to_owned).into();
    let early = |body: &str, unread: &[&str], policy: &Policy| {
        let read = files.iter().filter(|f| !unread.contains(f));
        let waiting = names().into_iter().filter(|(f, _)| unread.contains(&&**f));
        let snapshot = Snapshot::new(read.map(|f| entry(f)), models()).with_unread(waiting);
        let check_in = CheckIn {
            report: Report::read(body.as_bytes()),
            ..CheckIn::default()
        };
        decide(&check_in, &snapshot, policy, &()).is_early
    };
    let plain = Policy::default();
    assert!(early(&said("a", "1.4"), &["a_1.5.bin"], &plain));
    assert!(!early(&said("a", "1.4"), &["b_2.0.bin"], &plain));
    // Nothing that it holds would be new.
    assert!(!early(&said("a", "1.5"), &["a_1.5.bin"], &plain));
    // Whose model has no file waits for the one for everybody, if it may have that.
    assert!(early(&said("c", "1.0"), &["default_3.0.bin"], &plain));
    assert!(!early(&said("a", "1.0"), &["default_3.0.bin"], &plain));
    assert!(early("{}", &["default_3.0.bin"], &plain));
    assert!(!early("", &["default_3.0.bin"], &plain));
    assert!(!early("]", &["default_3.0.bin"], &plain));
    let narrow = Policy {
        default_for: DefaultFor::Unreported,
        ..Policy::default()
    };
    assert!(!early(&said("c", "1.0"), &["default_3.0.bin"], &narrow));
    let pinned = Policy {
        pins: HashMap::from([("a".to_owned(), Version::new("1.5"))]),
        ..Policy::default()
    };
    assert!(early(&said("a", "9.0"), &["a_1.5.bin"], &pinned));
    // Nobody has looked yet.
    let snapshot = Snapshot::default();
    let body = said("a", "1.0");
    let check_in = CheckIn {
        report: Report::read(body.as_bytes()),
        ..CheckIn::default()
    };
    assert!(decide(&check_in, &snapshot, &plain, &()).is_early);
}

#[test]
fn default_can_be_narrowed() {
    let narrow = Policy {
        default_for: DefaultFor::Unreported,
        ..Policy::default()
    };
    let files = ["default_1.0.0.bin"];
    assert_eq!(answer(&said("c", "0.1"), &files, &narrow), "up to date");
    assert_eq!(
        answer(r#"{"application":{"version":"0.1"}}"#, &files, &narrow),
        "default_1.0.0.bin"
    );
}

#[test]
fn a_broken_body_gets_no_strangers_firmware() {
    let files = ["default_1.0.0.bin", "esp32s3_1.7.0.bin"];
    assert_eq!(
        plain(r#"{"board":{"type":"esp32s3""#, &files),
        "esp32s3_1.7.0.bin"
    );
    assert_eq!(plain(r#"{"board":{"type":"esp32"#, &files), "up to date");
    assert_eq!(plain("]", &files), "up to date");
}

#[test]
fn what_the_device_would_refuse_waits_and_a_lower_one_goes_out() {
    assert_eq!(
        plain(&said("a", "1.7.0-beta"), &["a_1.7.0.bin"]),
        "up to date; a_1.7.0.bin NeedsForce(NoImage)"
    );
    assert_eq!(
        plain(&said("a", "1.9.2"), &["a_1.9.2_2.bin"]),
        "up to date; a_1.9.2_2.bin NeedsForce(NoImage)"
    );
}

#[test]
fn a_version_that_crashes_its_device_is_met_with_silence() {
    for own in ["v1.6.0", "2.0.x", "1..2", "1.202511211530"] {
        assert_eq!(plain(&said("a", own), &["a_9.0.bin"]), "silent", "{own}");
    }
}

#[test]
fn a_pin_names_the_version_exactly() {
    let policy = Policy {
        pins: HashMap::from([("a".to_owned(), Version::new("1.6.6"))]),
        ..Policy::default()
    };
    let files = ["a_1.6.5.bin", "a_1.6.6.bin", "a_1.7.0.bin"];
    assert_eq!(answer(&said("a", "1.6.5"), &files, &policy), "a_1.6.6.bin");
    assert_eq!(answer(&said("a", "1.6.6"), &files, &policy), "up to date");
    assert_eq!(
        answer(&said("a", "1.7.0"), &files, &policy),
        "up to date; a_1.6.6.bin NeedsForce(NoImage)"
    );
    assert_eq!(
        answer(&said("a", "1.0"), &files[..1], &policy),
        "up to date; 1.6.6 PinnedVersionMissing"
    );
}

/// The answer where these further files lie, which no model has.
fn beside(model: &str, files: &[&str], further: &[&str]) -> String {
    let body = said(model, "1.0");
    let check_in = CheckIn {
        report: Report::read(body.as_bytes()),
        ..CheckIn::default()
    };
    let all: Vec<_> = files.iter().chain(further).copied().collect();
    let snapshot = snapshot(files).with_names(names(&all));
    let policy = Policy::default();
    let decision = decide(&check_in, &snapshot, &policy, &());
    match decision.outcome {
        Outcome::Offer { entry, .. } => entry.file.clone(),
        _ => format!("{:?}", decision.withheld),
    }
}

#[test]
fn a_file_that_is_not_used_is_named_where_it_would_be_newer() {
    let why = Event::from(&Reason::NoImage);
    let unused = ["a_1.7.bin", "a_1.9.bin", "b_9.bin", "assets.bin"];
    let unused = || unused.map(|file| (file.to_owned(), why.clone()));
    let models = || ["a", "b"].map(str::to_owned).into();
    let find = |model: &str, version: &str, files: &[&str], pin: Option<&str>| {
        let snapshot = Snapshot::new(files.iter().map(|file| entry(file)), models());
        let snapshot = snapshot.with_unused(unused());
        let pins = pin.map(|pin| ("a".to_owned(), Version::new(pin)));
        let policy = Policy {
            pins: pins.into_iter().collect(),
            ..Policy::default()
        };
        let body = said(model, version);
        let check_in = CheckIn {
            report: Report::read(body.as_bytes()),
            ..CheckIn::default()
        };
        let decision = decide(&check_in, &snapshot, &policy, &());
        decision.unused.map(|unused| unused.file.to_owned())
    };
    assert_eq!(find("a", "1.6", &[], None).as_deref(), Some("a_1.9.bin"));
    assert_eq!(find("a", "1.9", &[], None), None);
    assert_eq!(find("a", "1.6", &["a_1.8.bin"], None), None);
    let at_it = find("a", "1.8", &["a_1.8.bin"], None);
    assert_eq!(at_it.as_deref(), Some("a_1.9.bin"));
    assert_eq!(
        find("a", "1.8", &[], Some("1.7")).as_deref(),
        Some("a_1.7.bin")
    );
    assert_eq!(find("a", "1.8", &[], Some("1.8")), None);
    assert_eq!(find("c", "1.0", &["default_1.0.bin"], None), None);
}

proptest! {
    #[test]
    fn who_has_a_file_under_a_name_that_does_not_do_gets_no_other_boards(
        model in "[a-z]{3,8}-[a-z]{3,8}",
        wrong in 0..8usize,
    ) {
        let files = ["default_9.0.bin", "qqq_9.0.bin"];
        let title = model.to_uppercase();
        let wrong = match wrong {
            0 => format!("{model}_v2.0.bin"),
            1 => format!("{model}-2.0.0.bin"),
            2 => format!("{model}_2.0 (1).bin"),
            3 => format!("{model}_2.0.BIN"),
            4 => format!("v2.0_{model}.zip"),
            5 => format!("{model}.bin"),
            6 => format!("sub/folder/{model}_2.0.bin"),
            _ => format!("{title} _2.0.bin"),
        };
        let kept = beside(&model, &files, &[&wrong]);
        prop_assert!(kept.contains("NearName") && kept.contains(&wrong), "{}", kept);
        // Boards that are merely alike are boards of their own, and so are all others.
        let alike = [format!("{model}-3_2.0.bin"), format!("{model}-4g_2.0.bin"), format!("{model}3_2.0.bin")];
        let alike = alike.each_ref().map(String::as_str);
        prop_assert_eq!(beside(&model, &files, &alike), files[0]);
        prop_assert_eq!(beside("qqq", &files, &[&wrong]), files[1]);
    }

    #[test]
    fn what_is_offered_is_newer_for_us_and_for_the_device(
        own in "[0-9]{1,2}(\\.[0-9]{1,2}){0,3}([-_](rc)?[0-9])?",
        versions in prop::collection::vec("[0-9]{1,2}(\\.[0-9]{1,2}){0,3}([-_](rc)?[0-9])?", 0..8),
    ) {
        let files: Vec<String> = versions.iter().map(|v| format!("a_{v}.bin")).collect();
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        let body = said("a", &own);
        let check_in = CheckIn { report: Report::read(body.as_bytes()), ..CheckIn::default() };
        let (snapshot, policy) = (snapshot(&files), Policy::default());
        let fits = |v: &str| {
            version::compare(v, &own) == Ordering::Greater && version::device_accepts(&own, v)
        };
        match decide(&check_in, &snapshot, &policy, &()).outcome {
            Outcome::Offer { entry: e, .. } => {
                prop_assert!(fits(e.version.as_str()));
                for v in versions.iter().filter(|v| fits(v)) {
                    prop_assert!(version::compare(v, e.version.as_str()) != Ordering::Greater);
                }
            }
            _ => prop_assert!(!versions.iter().any(|v| fits(v))),
        }
    }
}
