//! Findings of a probe, step by step.

use super::line::Kind;
use super::rule::Rule;
use super::span::Span;
use crate::event::Event;
use crate::event::text::Lang;
use serde::Serialize;
use std::fmt;
use xiaozhi_device::redact;

/// Length of the longest text of a server that is shown, in characters.
const SHOWN: usize = 1000;
/// Most findings of one step: a reply could break a rule ten thousand times.
const MOST: usize = 20;

/// Result of a step, or weight of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum StepVerdict {
    /// There was nothing to do, or nothing to do it with.
    Skipped,
    /// A device passes.
    Ok,
    /// This device passes, and something is to be said.
    Warn,
    /// This device fails here.
    Fail,
}

impl StepVerdict {
    /// Returns its name in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// Step of a device, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Takes the OTA address apart.
    Address,
    /// Resolves the host's name.
    Dns,
    /// Connects.
    Tcp,
    /// Shakes hands.
    Tls,
    /// Checks for firmware.
    Check,
    /// Connects to the voice server.
    Websocket,
    /// Fetches the image.
    Download,
    /// Writes it, and verifies it.
    Image,
    /// Restarts into it, and checks again.
    Reboot,
}

impl Step {
    /// Every step, in the device's order.
    pub(crate) const ALL: [Self; 9] = [
        Self::Address,
        Self::Dns,
        Self::Tcp,
        Self::Tls,
        Self::Check,
        Self::Websocket,
        Self::Download,
        Self::Image,
        Self::Reboot,
    ];

    /// Returns its name in JSON and in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Dns => "dns",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Check => "check",
            Self::Websocket => "websocket",
            Self::Download => "download",
            Self::Image => "image",
            Self::Reboot => "reboot",
        }
    }
}

/// Evidence for a finding. Mostly that is the server's own bytes, and the same to
/// everybody; where it takes words, it is said in both languages.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Evidence {
    en: String,
    zh: Option<String>,
}

impl<T: Into<String>> From<T> for Evidence {
    fn from(text: T) -> Self {
        Self {
            en: text.into(),
            zh: None,
        }
    }
}

impl Evidence {
    /// Makes evidence that is worded in both languages.
    pub(crate) fn both(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self {
            en: en.into(),
            zh: Some(zh.into()),
        }
    }

    /// Makes evidence of an event: why an image fails.
    pub(crate) fn of(event: &Event) -> Self {
        Self::both(event.words(Lang::Zh), event.words(Lang::En))
    }

    /// Returns the evidence in one language.
    pub(crate) fn to(&self, lang: Lang) -> &str {
        lang.pick(self.zh.as_deref().unwrap_or(&self.en), &self.en)
    }

    /// Adds more behind it.
    #[must_use]
    pub(crate) fn and(mut self, more: &str) -> Self {
        self.en.push_str(more);
        if let Some(zh) = &mut self.zh {
            zh.push_str(more);
        }
        self
    }

    /// Puts something in front of it.
    #[must_use]
    pub(crate) fn after(self, before: &str) -> Self {
        Self {
            en: format!("{before}{}", self.en),
            zh: self.zh.map(|zh| format!("{before}{zh}")),
        }
    }
}

/// Shows the evidence in English, for logs.
impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.en)
    }
}

/// Finding: something that breaks a rule.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Finding {
    pub(crate) rule: &'static Rule,
    /// [`StepVerdict::Warn`] or [`StepVerdict::Fail`].
    pub(crate) verdict: StepVerdict,
    pub(crate) evidence: Evidence,
    /// Line that the device writes to its serial port.
    pub(crate) serial: Option<String>,
    /// Devices that fail on it, where not all do.
    pub(crate) hit: Vec<Kind>,
}

impl Finding {
    /// Makes a finding on which this device fails.
    pub(crate) fn fail(rule: &'static Rule, evidence: impl Into<Evidence>) -> Self {
        let Evidence { en, zh } = evidence.into();
        let (en, zh) = (cut(&en), zh.map(|zh| cut(&zh)));
        Self {
            rule,
            verdict: StepVerdict::Fail,
            evidence: Evidence { en, zh },
            serial: None,
            hit: Vec::new(),
        }
    }

    /// Makes a finding that this device survives.
    pub(crate) fn warn(rule: &'static Rule, evidence: impl Into<Evidence>) -> Self {
        Self {
            verdict: StepVerdict::Warn,
            ..Self::fail(rule, evidence)
        }
    }

    /// Makes a finding on which the devices `hit` fail: a failure if `this` is one
    /// of them, else a warning that names them. `None` where no device fails.
    pub(crate) fn on(
        rule: &'static Rule,
        this: Kind,
        hit: impl Fn(Kind) -> bool,
        evidence: impl Into<Evidence>,
    ) -> Option<Self> {
        let all: Vec<Kind> = Kind::all().filter(|kind| hit(*kind)).collect();
        (!all.is_empty()).then(|| Self {
            hit: all,
            verdict: if hit(this) {
                StepVerdict::Fail
            } else {
                StepVerdict::Warn
            },
            ..Self::fail(rule, evidence)
        })
    }

    /// Turns a failure into a warning, for a device that does not come to what was
    /// found: it names those of `who` that do.
    #[must_use]
    pub(crate) fn of_others(mut self, who: impl Fn(Kind) -> bool) -> Self {
        if self.is_failure() {
            if self.hit.is_empty() {
                self.hit = Kind::all().collect();
            }
            self.hit.retain(|kind| who(*kind));
            self.verdict = StepVerdict::Warn;
            self.serial = None;
        }
        self
    }

    /// Returns whether this device fails on it.
    pub(crate) fn is_failure(&self) -> bool {
        self.verdict == StepVerdict::Fail
    }

    /// Adds the line that the device writes to its serial port.
    #[must_use]
    pub(crate) fn serial(mut self, line: impl Into<String>) -> Self {
        self.serial = Some(cut(&line.into()));
        self
    }

    /// Adds the line that the device writes to its serial port, where this device
    /// fails.
    #[must_use]
    pub(crate) fn serial_of_failure(self, line: impl Into<String>) -> Self {
        if self.is_failure() {
            self.serial(line)
        } else {
            self
        }
    }

    /// Says what happens to a device: its own line, and what it means.
    pub(crate) fn consequence(&self, lang: Lang) -> String {
        let mut text = String::new();
        if let Some(line) = &self.serial {
            text.push_str(line);
            text.push('\n');
        }
        text.push_str(self.rule.what.to(lang));
        if self.verdict == StepVerdict::Warn && !self.hit.is_empty() {
            let spans = Span::of(&self.hit);
            let list: Vec<String> = spans.iter().map(|span| span.words(lang)).collect();
            let list = list.join(lang.pick("、", "; "));
            let only = match lang {
                Lang::Zh => format!("\n本设备不受影响，会失败的是：{list}。"),
                Lang::En => format!("\nThis device passes. These fail: {list}."),
            };
            text.push_str(&only);
        }
        text
    }

    fn json(&self, lang: Lang) -> FindingJson<'_> {
        FindingJson {
            verdict: self.verdict.name(),
            rule: self.rule.id,
            evidence: self.evidence.to(lang),
            consequence: self.consequence(lang),
            remedy: self.rule.remedy.to(lang),
        }
    }
}

/// Report on one step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StepReport {
    pub(crate) step: Step,
    /// True where the step was done at all.
    pub(crate) done: bool,
    /// Observation in one line; for a step that was skipped, the reason.
    pub(crate) seen: String,
    /// Findings, the worst first; of very many, the first.
    pub(crate) findings: Vec<Finding>,
}

impl StepReport {
    /// Reports on a step that was done.
    pub(crate) fn new(step: Step, seen: impl Into<String>, mut findings: Vec<Finding>) -> Self {
        // Stable: of two that are equally bad, the first found comes first.
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.verdict));
        findings.truncate(MOST);
        Self {
            step,
            done: true,
            seen: cut(&seen.into()),
            findings,
        }
    }

    /// Reports on a step that was not done.
    pub(crate) fn skipped(step: Step, why: impl Into<String>) -> Self {
        Self {
            step,
            done: false,
            seen: cut(&why.into()),
            findings: Vec::new(),
        }
    }

    /// Returns the worst verdict of its findings.
    pub(crate) fn verdict(&self) -> StepVerdict {
        match self.findings.first() {
            Some(worst) => worst.verdict,
            None if self.done => StepVerdict::Ok,
            None => StepVerdict::Skipped,
        }
    }

    fn json(&self, lang: Lang) -> StepJson<'_> {
        let worst = self.findings.first();
        StepJson {
            step: self.step.name(),
            verdict: self.verdict().name(),
            rule: worst.map(|f| f.rule.id),
            evidence: worst.map_or(&self.seen, |f| f.evidence.to(lang)),
            consequence: worst.map(|f| f.consequence(lang)),
            remedy: worst.map(|f| f.rule.remedy.to(lang)),
            seen: &self.seen,
            findings: self.findings.iter().map(|f| f.json(lang)).collect(),
        }
    }
}

/// JSON of a whole probe (`--json`).
#[derive(Serialize)]
struct ReportJson<'a> {
    verdict: &'static str,
    url: &'a str,
    device: &'a str,
    steps: Vec<StepJson<'a>>,
}

/// JSON of a step; its rule, evidence, consequence and remedy are those of the
/// worst finding.
#[derive(Serialize)]
struct StepJson<'a> {
    step: &'static str,
    verdict: &'static str,
    rule: Option<&'static str>,
    evidence: &'a str,
    consequence: Option<String>,
    remedy: Option<&'static str>,
    seen: &'a str,
    findings: Vec<FindingJson<'a>>,
}

#[derive(Serialize)]
struct FindingJson<'a> {
    verdict: &'static str,
    rule: &'static str,
    evidence: &'a str,
    consequence: String,
    remedy: &'static str,
}

/// Report of a whole probe.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ProbeReport {
    /// OTA address as it was given.
    pub(crate) url: String,
    /// Device that was played.
    pub(crate) device: String,
    /// Steps in the device's order, each once.
    pub(crate) steps: Vec<StepReport>,
}

impl ProbeReport {
    /// Returns the worst verdict of all steps.
    pub(crate) fn verdict(&self) -> StepVerdict {
        let worst = self.steps.iter().map(StepReport::verdict).max();
        worst.unwrap_or(StepVerdict::Skipped).max(StepVerdict::Ok)
    }

    /// Returns the report for programs.
    pub(crate) fn json(&self, lang: Lang) -> impl Serialize {
        ReportJson {
            verdict: self.verdict().name(),
            url: &self.url,
            device: &self.device,
            steps: self.steps.iter().map(|step| step.json(lang)).collect(),
        }
    }
}

/// Shortens a text to what anybody reads, and removes what may be secret in it, for
/// reports are passed on.
fn cut(text: &str) -> String {
    let mut text = redact::said(text);
    if let Some((end, _)) = text.char_indices().nth(SHOWN) {
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::line::{Hardware, Line};
    use super::*;

    const RULE: Rule = Rule::new("a-rule", ("坏了", "It is broken."), ("修", "Mend it."));

    const WIFI: Kind = Kind {
        line: Line::V2,
        hardware: Hardware::Wifi,
    };

    #[test]
    fn who_fails_decides_between_warning_and_failure() {
        assert_eq!(Finding::on(&RULE, WIFI, |_| false, "e"), None);
        let fails = Finding::on(&RULE, WIFI, |_| true, "e");
        let told = fails.as_ref().map(|f| f.consequence(Lang::En));
        assert_eq!(told.as_deref(), Some("It is broken."));
        // A device that does not come to it is not one that fails.
        let others = fails.map(|f| f.of_others(|kind| kind.hardware == Hardware::Ec801e));
        let told = others.map(|f| (f.verdict, f.consequence(Lang::En)));
        let words = "It is broken.\nThis device passes. These fail: EC801E with any firmware.";
        assert_eq!(told, Some((StepVerdict::Warn, words.to_owned())));
    }

    #[test]
    fn the_worst_comes_first_and_counts() {
        let findings = vec![
            Finding::warn(&RULE, "w"),
            Finding::fail(&RULE, "f\u{1b}[2J"),
        ];
        let step = StepReport::new(Step::Check, "200", findings);
        assert_eq!(step.verdict(), StepVerdict::Fail);
        let report = ProbeReport {
            url: "http://h/".into(),
            device: "d".into(),
            steps: vec![StepReport::skipped(Step::Dns, "an address"), step],
        };
        assert_eq!(report.verdict(), StepVerdict::Fail);
        let json = serde_json::to_value(report.json(Lang::En)).unwrap();
        assert_eq!(json["steps"][0]["verdict"], "skipped");
        assert_eq!(json["steps"][1]["rule"], "a-rule");
        assert_eq!(json["steps"][1]["findings"][1]["evidence"], "w");
        let mut text = String::new();
        assert!(report.write(Lang::Zh, None, &mut text).is_ok());
        assert!(text.contains("失败") && !text.contains('\u{1b}'), "{text}");
        let both = Evidence::both("没有", "is missing").and(": x");
        let told = [Lang::Zh, Lang::En].map(|lang| both.to(lang).to_owned());
        assert_eq!(told, ["没有: x", "is missing: x"]);
    }

    #[test]
    fn what_a_server_says_at_length_is_cut() {
        let long = "值".repeat(200_000);
        let findings = vec![Finding::fail(&RULE, &long).serial(&long); 10_000];
        let step = StepReport::new(Step::Check, &long, findings);
        let mut text = String::new();
        let report = ProbeReport {
            url: "http://h/".into(),
            device: "d".into(),
            steps: vec![step],
        };
        assert!(report.write(Lang::Zh, None, &mut text).is_ok());
        assert!(text.chars().count() < 60_000 && text.contains("值…"));
    }

    #[test]
    fn nothing_done_is_no_failure() {
        let report = ProbeReport {
            url: String::new(),
            device: String::new(),
            steps: vec![StepReport::skipped(Step::Image, "")],
        };
        assert_eq!(report.verdict(), StepVerdict::Ok);
    }
}
