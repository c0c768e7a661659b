use super::*;
use crate::event::kinds;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const ENDS_SHOWN: [&str; 3] = ["succeeded", "rolled-back", "silent"];

fn readings() -> Readings {
    let certificate = |file: &str, not_after| Validity {
        file: file.to_owned(),
        not_before: 1_700_000_000,
        not_after,
    };
    Readings {
        started: UNIX_EPOCH + Duration::from_millis(1_700_000_000_500),
        devices: 1_000_000,
        open_orders: 2,
        ends: &ENDS_SHOWN,
        files: Verdicts {
            ready: 3,
            served: 1,
            refused: 4,
            waiting: 5,
            unread: 6,
        },
        image_bytes: 7,
        image_bytes_limit: 8,
        certificates: vec![
            certificate("/a/fullchain.pem", 1_900_000_000),
            certificate("/b/fullchain.pem", 1_800_000_000),
        ],
        upstream: Some(UpstreamReading {
            is_up: false,
            held: [3, 4],
        }),
    }
}

/// Returns what a text says of each metric, by its name and labels.
fn read(text: &str) -> BTreeMap<&str, &str> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let mut found = BTreeMap::new();
    for line in lines {
        let (metric, value) = line.rsplit_once(' ').unwrap();
        assert!(
            found.insert(metric, value).is_none(),
            "{metric} comes twice"
        );
    }
    found
}

#[test]
fn what_is_counted_is_shown_where_it_belongs() {
    static OWN: Counts = Counts::new();
    OWN.check_in(CheckIn::Offered, Transport::Https);
    OWN.check_in(CheckIn::Offered, Transport::Https);
    OWN.check_in(CheckIn::Refused, Transport::Http);
    OWN.shaken();
    OWN.handshake_failed(&kinds::CERTIFICATE_DISTRUSTED);
    OWN.download_begun();
    OWN.handed_over(65_536);
    OWN.download_ended(Download::Cut);
    OWN.offer_ended(2);
    OWN.set_permits(16_000);
    let _open = OWN.connection();
    OWN.turned_away(TurnedAway::MadeRoom);
    OWN.accept_failed();
    OWN.left_out(LeftOut::Output, 9);
    OWN.store_wrote(2000);
    OWN.store_failed();
    OWN.set_store_lag(Duration::from_millis(1500));
    let text = text_of(&OWN, readings());
    let found = read(&text);
    for (metric, value) in [
        (
            r#"check_ins_total{outcome="offered",transport="https"}"#,
            "2",
        ),
        (
            r#"check_ins_total{outcome="offered",transport="http"}"#,
            "0",
        ),
        (
            r#"check_ins_total{outcome="refused",transport="http"}"#,
            "1",
        ),
        ("tls_handshakes_total", "1"),
        (
            r#"tls_handshake_failures_total{event="certificate.distrusted"}"#,
            "1",
        ),
        (r#"tls_handshake_failures_total{event="tls.ended"}"#, "0"),
        ("downloads_begun_total", "1"),
        (r#"downloads_ended_total{result="whole"}"#, "0"),
        (r#"downloads_ended_total{result="cut"}"#, "1"),
        ("download_bytes_total", "65536"),
        (r#"offers_total{end="silent"}"#, "1"),
        (r#"offers_total{end="succeeded"}"#, "0"),
        ("devices", "1000000"),
        ("orders_open", "2"),
        ("connections", "1"),
        ("connections_accepted_total", "1"),
        ("connection_permits", "16000"),
        (r#"connections_turned_away_total{reason="made_room"}"#, "1"),
        ("accept_failures_total", "1"),
        (r#"log_lines_left_out_total{reason="output"}"#, "9"),
        ("store_lag_seconds", "1.5"),
        ("store_rows_written_total", "2000"),
        ("store_errors_total", "1"),
        (r#"firmware_files{verdict="refused"}"#, "4"),
        (r#"firmware_files{verdict="unread"}"#, "6"),
        ("upstream_up", "0"),
        (r#"upstream_held_devices{reason="not_activated"}"#, "3"),
        (r#"upstream_held_devices{reason="updates_off"}"#, "4"),
        ("image_memory_bytes", "7"),
        ("image_memory_limit_bytes", "8"),
        (
            r#"certificate_not_after_timestamp_seconds{file="/b/fullchain.pem"}"#,
            "1800000000",
        ),
    ] {
        let name = format!("xiaozhi_ota_{metric}");
        assert_eq!(found.get(&*name), Some(&value), "{metric}:\n{text}");
    }
    let version = format!(
        r#"xiaozhi_ota_build_info{{version="{}"}}"#,
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(found.get(&*version), Some(&"1"));
    let started = found.get("process_start_time_seconds").unwrap();
    let started: f64 = started.parse().unwrap();
    assert!((started - 1_700_000_000.5).abs() < 1e-3, "{started}");
}

#[test]
fn every_family_says_what_it_is_once() {
    static OWN: Counts = Counts::new();
    let text = text_of(&OWN, readings());
    let mut families = BTreeSet::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let help = line.strip_prefix("# HELP ").unwrap();
        let (name, words) = help.split_once(' ').unwrap();
        assert!(!words.is_empty() && !words.contains("  "), "{line}");
        assert!(families.insert(name), "{name} comes twice");
        let kind = lines.next().unwrap();
        let kind = kind.strip_prefix(&format!("# TYPE {name} ")).unwrap();
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
        let mut values = 0;
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            assert!(
                line.starts_with(&format!("{name}{{")) || line.starts_with(&format!("{name} "))
            );
            values += 1;
        }
        assert!(values > 0, "{name} has no value");
    }
    assert!(families.len() > 20, "{families:?}");
}

/// Whatever happens, there are as many lines as before: no label comes with it.
#[test]
fn no_label_grows_with_what_happens() {
    static OWN: Counts = Counts::new();
    let mut large = readings();
    large.devices = u64::MAX;
    large.files.ready = 1_000_000;
    let certificate = |number: i64| Validity {
        file: format!("/{number}.pem"),
        not_before: 0,
        not_after: 1000 - number,
    };
    large.certificates = (0..1000).map(certificate).collect();
    let before = text_of(&OWN, readings());
    kinds::all().for_each(|kind| OWN.handshake_failed(kind));
    (0..1000).for_each(|end| OWN.offer_ended(end));
    let after = text_of(&OWN, large);
    let (before, after) = (read(&before), read(&after));
    let of_certificates = |found: &BTreeMap<&str, &str>| {
        let names = found.keys();
        names.filter(|name| name.contains("_certificate_")).count()
    };
    assert_eq!(of_certificates(&before), 2 * 2);
    assert_eq!(of_certificates(&after), 2 * CERTIFICATES);
    assert_eq!(
        before.len() - of_certificates(&before),
        after.len() - of_certificates(&after)
    );
    // Those that end first are shown.
    let first = r#"xiaozhi_ota_certificate_not_after_timestamp_seconds{file="/999.pem"}"#;
    assert_eq!(after.get(first), Some(&"1"));
    assert!(before.len() < 100, "{}", before.len());
}

#[test]
fn an_upstream_is_shown_where_there_is_one() {
    static OWN: Counts = Counts::new();
    let mut readings = readings();
    for (is_up, shown) in [(true, "1"), (false, "0")] {
        readings.upstream = Some(UpstreamReading {
            is_up,
            held: [0; 2],
        });
        let text = text_of(&OWN, readings.clone());
        assert_eq!(read(&text).get("xiaozhi_ota_upstream_up"), Some(&shown));
    }
    readings.upstream = None;
    assert!(!text_of(&OWN, readings).contains("upstream"));
}

#[test]
fn a_file_that_is_named_twice_or_oddly_breaks_nothing() {
    static OWN: Counts = Counts::new();
    let mut readings = readings();
    let odd = "/a\"b\\c\nd.pem";
    for not_after in [30, 20] {
        readings.certificates.push(Validity {
            file: odd.to_owned(),
            not_before: 10,
            not_after,
        });
    }
    let text = text_of(&OWN, readings);
    let found = read(&text);
    let shown = r#"{file="/a\"b\\c\nd.pem"}"#;
    let end = format!("xiaozhi_ota_certificate_not_after_timestamp_seconds{shown}");
    assert_eq!(found.get(&*end), Some(&"20"), "{text}");
}

#[test]
fn what_is_read_is_shown_with_the_counts_of_the_process() {
    struct Source;
    impl MetricsSource for Source {
        fn readings(&self) -> Readings {
            readings()
        }
    }
    let text = render(&Source);
    assert!(text.contains("\nxiaozhi_ota_devices 1000000\n"), "{text}");
    assert!(CONTENT_TYPE.starts_with("text/plain; version=0.0.4"));
}
