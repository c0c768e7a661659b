//! What Prometheus reads, and what it wakes people by: names as its conventions have them,
//! alerts that fire when they should and are silent otherwise, pages that name what there
//! is. `tests/peers/build` fetches promtool.

use super::peers::peer;
use serde_yaml::Value;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;
use xiaozhi_ota::admin::metrics::{MetricsSource, Readings, UpstreamReading, Validity, render};
use xiaozhi_ota::firmware::snapshot::Verdicts;

/// The alerts, in the languages of the pages.
const ALERTS: [&str; 2] = [
    "deploy/prometheus/alerts.yml",
    "deploy/prometheus/alerts.zh-CN.yml",
];
const PAGES: [&str; 2] = ["deploy/metrics.md", "deploy/metrics.zh-CN.md"];
/// Series, and the alerts that they are to fire.
const SERIES: &str = "tests/outside/metrics/alerts.yml";

struct Source;

impl MetricsSource for Source {
    fn readings(&self) -> Readings {
        Readings {
            started: SystemTime::now(),
            devices: 3,
            open_orders: 1,
            ends: &["succeeded", "rolled-back", "silent"],
            files: Verdicts::default(),
            image_bytes: 0,
            image_bytes_limit: 1,
            certificates: vec![Validity {
                file: "certs/\"odd\"\\\n.pem".to_owned(),
                not_before: 0,
                not_after: 1,
            }],
            upstream: Some(UpstreamReading {
                is_up: true,
                held: [1, 2],
            }),
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
}

/// Names of the families that are shown.
fn families() -> BTreeSet<String> {
    let text = render(&Source);
    let helps = text.lines().filter_map(|line| line.strip_prefix("# HELP "));
    helps
        .map(|help| help.split(' ').next().unwrap().to_owned())
        .collect()
}

/// Names of our families in a text.
fn named(text: &str) -> BTreeSet<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !is_part(c));
    words
        .filter(|word| word.starts_with("xiaozhi_ota_") || *word == "process_start_time_seconds")
        .collect()
}

/// The rules of a file.
fn rules(file: &str) -> Vec<Value> {
    let all: Value = serde_yaml::from_str(&read(file)).unwrap();
    let rules = &all["groups"][0]["rules"];
    rules.as_sequence().unwrap().clone()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// What promtool says, which has to like what it is given.
#[track_caller]
fn promtool(arguments: &[&str], input: &str) -> String {
    let mut child = Command::new(peer("promtool"))
        .args(arguments)
        .current_dir(root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Whoever reads no input may be gone before it is written.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "promtool {arguments:?}: {said}");
    said
}

#[test]
fn alerts_and_pages_name_what_is_shown() {
    let shown = families();
    for file in ALERTS.into_iter().chain(PAGES).chain([SERIES]) {
        let text = read(file);
        let unknown: Vec<_> = named(&text)
            .into_iter()
            .filter(|name| !shown.contains(*name))
            .collect();
        assert!(unknown.is_empty(), "{file} names {unknown:?}");
    }
    for page in PAGES {
        let text = read(page);
        let named = named(&text);
        let missing: Vec<_> = shown
            .iter()
            .filter(|name| !named.contains(name.as_str()))
            .collect();
        assert!(missing.is_empty(), "{page} lacks {missing:?}");
        for rule in rules(ALERTS[0]) {
            let alert = self::text(&rule, "alert");
            assert!(text.contains(&format!("`{alert}`")), "{page} lacks {alert}");
        }
    }
}

#[test]
fn every_alert_says_what_happened_and_what_to_do() {
    let series = read(SERIES);
    for file in ALERTS {
        let rules = rules(file);
        assert_eq!(rules.len(), 6, "{file}");
        for rule in &rules {
            let alert = text(rule, "alert");
            assert!(alert.starts_with("XiaozhiOta"), "{file}: {alert}");
            for words in ["summary", "description", "remedy"] {
                assert!(
                    !text(&rule["annotations"], words).is_empty(),
                    "{file}: {alert} has no {words}"
                );
            }
            let severity = text(&rule["labels"], "severity");
            assert!(["critical", "warning"].contains(&severity), "{alert}");
            // And somebody has tried it.
            let tried = format!("alertname=\"{alert}\"");
            assert!(series.contains(&tried), "{SERIES} does not try {alert}");
        }
    }
}

#[test]
fn alerts_are_the_same_in_both_languages() {
    let [ours, theirs] = ALERTS.map(rules);
    assert_eq!(ours.len(), theirs.len());
    for (mut ours, mut theirs) in ours.into_iter().zip(theirs) {
        let alert = text(&ours, "alert").to_owned();
        for rule in [&mut ours, &mut theirs] {
            let rule = rule.as_mapping_mut().unwrap();
            rule.remove("annotations");
            // `why` is a word for people, too.
            let expression = rule["expr"].as_str().unwrap();
            let lines = expression
                .lines()
                .map(|line| match line.split_once("\"why\", ") {
                    Some((before, _)) => before.trim_end(),
                    None => line.trim_end(),
                });
            let expression = lines.collect::<Vec<_>>().join("\n");
            rule.insert("expr".into(), expression.into());
        }
        assert_eq!(ours, theirs, "{alert}");
    }
}

#[test]
#[ignore = "needs promtool: tests/peers/build fetches it"]
fn metrics_are_as_prometheus_has_them() {
    let said = promtool(&["check", "metrics"], &render(&Source));
    assert_eq!(said, "");
}

#[test]
#[ignore = "needs promtool: tests/peers/build fetches it"]
fn alerts_fire_when_they_should() {
    for file in ALERTS {
        let said = promtool(&["check", "rules", file], "");
        assert!(said.contains("SUCCESS: 6 rules found"), "{said}");
    }
    promtool(&["test", "rules", SERIES], "");
}

#[test]
#[ignore = "needs promtool: tests/peers/build fetches it"]
fn what_prometheus_is_shown_to_read_it_takes() {
    let shown = read("deploy/prometheus/prometheus.yml");
    let dir = tempfile::tempdir().unwrap();
    let place = |name: &str| -> PathBuf { dir.path().join(name) };
    let token = "/etc/prometheus/xiaozhi-ota.token";
    assert!(shown.contains(token), "{shown}");
    fs::write(place("token"), "secret").unwrap();
    let shown = shown.replace(token, place("token").to_str().unwrap());
    fs::write(place("prometheus.yml"), shown).unwrap();
    fs::write(place("alerts.yml"), read(ALERTS[0])).unwrap();
    let config = place("prometheus.yml");
    let said = promtool(&["check", "config", config.to_str().unwrap()], "");
    assert!(said.contains("SUCCESS: 6 rules found"), "{said}");
}
