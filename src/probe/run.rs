//! Runs a probe: one device's way from its OTA address to the firmware that it runs
//! after the update.

mod beside;
mod voice;

use super::address::{self, Target, Use};
use super::connect::{Families, Network, Opened, Part};
use super::device::Device;
use super::dial;
use super::download::{self, DownloadProgress};
use super::framing;
use super::image;
use super::line::{Asked, Line};
use super::pace::Pace;
use super::reply::{self, CheckReply, Update};
use super::report::{Finding, ProbeReport, Step, StepReport};
use super::rules::{image as images, reply as replies};
use super::tls;
use super::wire::{PATIENCE, ReplyHead, Wire, WireError};
use crate::event::text::Lang;
use bytes::Bytes;
use std::time::{Duration, Instant};
use xiaozhi_device::image::AppImage;
use xiaozhi_device::project::XIAOZHI;
use xiaozhi_device::redact;

/// Longest answer to a check that is read, in bytes: a longer one stops a device
/// long before.
const LONGEST_REPLY: usize = 256 * 1024;
/// Time of a check from which on it is reported as slow.
const SLOW: Duration = Duration::from_secs(5);

/// Time that a TLS port may take to answer plain HTTP.
const PLAIN: Duration = Duration::from_secs(3);

/// Plan of a probe.
pub(crate) struct Probe {
    /// OTA address as it is typed into the device.
    pub(crate) url: String,
    /// Device that is played.
    pub(crate) device: Device,
    pub(crate) network: Network,
    /// True where its voice server is left out.
    pub(crate) skip_websocket: bool,
    /// Pace at which it takes the image.
    pub(crate) pace: Option<Pace>,
}

/// Progress of a probe.
#[derive(Debug, Clone, Copy)]
pub(crate) enum News {
    /// This step begins.
    Begins(Step),
    /// The image is on its way.
    Downloading(DownloadProgress),
}

/// Answer to a check.
struct Answer {
    seen: String,
    findings: Vec<Finding>,
    reply: CheckReply,
    /// Status of the head; 0 where none came.
    status: u16,
    /// True where it was a 200 with JSON that the device takes.
    taken: bool,
}

impl Probe {
    /// Plays the device.
    pub(crate) async fn run(&self, mut watch: impl FnMut(News)) -> ProbeReport {
        let mut report = ProbeReport {
            url: redact::shown(&self.url).into_owned(),
            device: self.played(),
            steps: Vec::new(),
        };
        self.steps(&mut report.steps, &mut watch).await;
        // What was not come to is told all the same.
        let why = self.say("前面的步骤没有通过", "the device does not get so far");
        for step in Step::ALL {
            if report.steps.iter().all(|done| done.step != step) {
                report.steps.push(StepReport::skipped(step, why));
            }
        }
        report
            .steps
            .sort_by_key(|report| Step::ALL.iter().position(|s| *s == report.step));
        report
    }

    fn lang(&self) -> Lang {
        self.network.lang
    }

    fn say(&self, zh: &'static str, en: &'static str) -> &'static str {
        self.lang().pick(zh, en)
    }

    fn played(&self) -> String {
        let d = &self.device;
        format!(
            "{} {}, {}, {}, {}",
            d.board, d.version, d.chip, d.kind, d.mac
        )
    }

    async fn steps(&self, steps: &mut Vec<StepReport>, watch: &mut impl FnMut(News)) {
        watch(News::Begins(Step::Address));
        let target = match address::parse(&self.url, Use::Ota, self.device.kind) {
            Ok((target, findings)) => {
                let scheme = if target.tls { "https" } else { "http" };
                let seen = format!(
                    "{scheme}, {}, {}, {}",
                    target.host, target.port, target.path
                );
                steps.push(StepReport::new(Step::Address, seen, findings));
                target
            }
            Err(finding) => {
                steps.push(StepReport::new(
                    Step::Address,
                    self.url.clone(),
                    vec![finding],
                ));
                return;
            }
        };
        watch(News::Begins(Step::Tcp));
        let mut opened = self.network.open(&target, Families::Each).await;
        if target.tls {
            self.without_tls(&mut opened, &target).await;
        }
        let Some(stream) = self.connection(opened, &target, steps) else {
            return;
        };
        let certificate: Vec<Finding> = steps.iter().flat_map(|s| s.findings.clone()).collect();
        watch(News::Begins(Step::Check));
        let mut answer = self.check(stream, &target, &self.device).await;
        let slash = self.other_slash(&target, &answer).await;
        let activation = self.activation(&target, &answer).await;
        answer.findings.extend(slash.into_iter().chain(activation));
        steps.push(StepReport::new(Step::Check, answer.seen, answer.findings));
        if !answer.taken {
            return;
        }
        watch(News::Begins(Step::Websocket));
        steps.push(self.websocket(&answer.reply, &target, &certificate).await);
        let Some(update) = answer.reply.update else {
            let none = self.say("没有要安装的升级", "no update to install");
            for step in [Step::Download, Step::Image, Step::Reboot] {
                steps.push(StepReport::skipped(step, none));
            }
            return;
        };
        self.update(&target, &update, &certificate, steps, watch)
            .await;
    }

    /// Notes what a TLS port answers to plain HTTP: with an http address a device
    /// would meet that.
    async fn without_tls(&self, opened: &mut Opened, target: &Target) {
        let (Some(address), Some(seen)) = (opened.address, &mut opened.tls.seen) else {
            return;
        };
        if let Ok(stream) = dial::connect(address).await
            && let Some(line) = tls::plain_answer(stream, &target.host, &target.path, PLAIN).await
        {
            seen.push_str(
                self.network
                    .lang
                    .pick("\n不用 TLS 时的回答：", "\nwithout TLS: "),
            );
            seen.push_str(&line);
        }
    }

    /// Reports how connecting to the server went.
    fn connection(
        &self,
        mut opened: Opened,
        target: &Target,
        steps: &mut Vec<StepReport>,
    ) -> Option<Box<dyn super::connect::Io>> {
        let plain = opened.stream.is_some() && !target.tls;
        let parts = [
            (
                Step::Dns,
                &mut opened.dns,
                Some(self.say("地址不是域名，不用解析", "an address, no name")),
            ),
            (Step::Tcp, &mut opened.tcp, None),
            (
                Step::Tls,
                &mut opened.tls,
                plain.then(|| self.say("http，不加密", "http, without TLS")),
            ),
        ];
        for (step, part, otherwise) in parts {
            let Part { seen, findings } = std::mem::take(part);
            match (seen, otherwise) {
                (Some(seen), _) => steps.push(StepReport::new(step, seen, findings)),
                (None, Some(otherwise)) => steps.push(StepReport::skipped(step, otherwise)),
                (None, None) => {}
            }
        }
        opened.stream
    }

    /// Checks for firmware, and holds the answer against every rule.
    async fn check(
        &self,
        stream: Box<dyn super::connect::Io>,
        target: &Target,
        device: &Device,
    ) -> Answer {
        let started = Instant::now();
        let mut wire = Wire::new(stream, PATIENCE);
        let exchange = exchange(&mut wire, &device.check(target)).await;
        let took = started.elapsed();
        let mut answer = Answer {
            seen: self.say("没有得到回答", "no answer").to_owned(),
            findings: Vec::new(),
            reply: CheckReply::default(),
            status: 0,
            taken: false,
        };
        let (head, body, fault) = match exchange {
            Ok(exchange) => exchange,
            Err(e) => {
                answer
                    .findings
                    .push(framing::headless(&e, Asked::Check, device.kind));
                return answer;
            }
        };
        answer.status = head.status;
        // "404: Not Found" begins with a number, which is JSON, too.
        let is_json = reply::json(&body).is_ok_and(|json| json.is_object());
        answer.findings = framing::judge(&head, &body, is_json, Asked::Check, device.kind);
        // Nobody reads the body of an error.
        let reads = device.kind.reads_a_check_under(head.status);
        if let Some(fault) = fault.as_ref().filter(|_| reads) {
            answer
                .findings
                .push(framing::broken(fault, Asked::Check, device.kind));
        }
        answer.seen = format!(
            "{}, {} {}, {} ms",
            head.status_line,
            body.len(),
            self.say("字节", "bytes"),
            took.as_millis()
        );
        if took > SLOW && fault.is_none() {
            let evidence = format!("{:.1} s", took.as_secs_f64());
            answer
                .findings
                .push(Finding::warn(&replies::SLOW_REPLY, evidence));
        }
        let read = head.status == 200 || reads && is_json;
        // What is known to be empty or packed need not be read.
        let hopeless = [&replies::ZERO_CONTENT_LENGTH, &replies::COMPRESSED];
        let hopeless = |f: &Finding| hopeless.contains(&f.rule);
        if read && fault.is_none() && !answer.findings.iter().any(hopeless) {
            let (reply, findings) = reply::judge(&body, device, target);
            answer.taken = is_json;
            answer.findings.extend(findings);
            let outcome = match (&reply.update, &reply.version) {
                (Some(update), _) => {
                    format!(", {} {}", self.say("升级到", "update to"), update.version)
                }
                (None, Some(version)) => {
                    format!(
                        ", {} {version}",
                        self.say("不升级，版本", "no update, version")
                    )
                }
                (None, None) => String::new(),
            };
            answer.seen.push_str(&outcome);
            answer.reply = reply;
        }
        answer
    }

    /// Fetches the image, judges it, and restarts into it.
    async fn update(
        &self,
        ota: &Target,
        update: &Update,
        known: &[Finding],
        steps: &mut Vec<StepReport>,
        watch: &mut impl FnMut(News),
    ) {
        watch(News::Begins(Step::Download));
        // What is wrong with the address was said where it was handed out.
        let Ok((target, _)) = address::parse(&update.url, Use::Firmware, self.device.kind) else {
            return;
        };
        let mut opened = self.network.open(&target, Families::First).await;
        let stream = opened.stream.take();
        let news = opened.findings().into_iter().filter(|f| !known.contains(f));
        let mut findings: Vec<Finding> = news.collect();
        let Some(stream) = stream else {
            if !findings.iter().any(Finding::is_failure) {
                findings.extend(known.iter().filter(|f| f.is_failure()).cloned());
            }
            steps.push(StepReport::new(
                Step::Download,
                update.url.clone(),
                findings,
            ));
            return;
        };
        let fetched = download::fetch(stream, &target, &self.device, self.pace, |progress| {
            watch(News::Downloading(progress));
        });
        let fetched = fetched.await;
        findings.extend(fetched.findings);
        let seen = format!("{}\n{}", fetched.seen, update.url);
        steps.push(StepReport::new(Step::Download, seen.trim_start(), findings));
        let Some(inspection) = fetched.inspection else {
            return;
        };
        watch(News::Begins(Step::Image));
        let (app, findings) = image::judge(
            &inspection.verdict,
            inspection.size,
            &update.version,
            &self.device,
        );
        let bytes = self.say("字节", "bytes");
        let seen = match app {
            Some(app) => format!(
                "{} {}, {}, {} {bytes}",
                app.project, app.version, app.chip, inspection.size
            ),
            None => format!("{} {bytes}", inspection.size),
        };
        steps.push(StepReport::new(Step::Image, seen, findings));
        if let Some(app) = app {
            watch(News::Begins(Step::Reboot));
            steps.push(self.reboot(ota, update, app).await);
        }
    }

    /// The check that follows the update, with what the image makes of the
    /// device.
    async fn reboot(&self, ota: &Target, update: &Update, app: &AppImage) -> StepReport {
        let mut device = self.device.clone();
        device.version.clone_from(&app.version);
        device.kind.line = if app.project == XIAOZHI {
            Line::of_version(&app.version)
        } else {
            device.kind.line
        };
        device.elf_sha256 = app.elf_sha256.unwrap_or_default();
        device.second_slot = !device.second_slot;
        let step = Step::Reboot;
        let not_valid = |why: String| {
            Finding::fail(&images::NOT_MARKED_VALID, why)
                .serial("W (…) Application: Check new version failed, retry in 10 seconds (1/10)")
        };
        let mut opened = self.network.open(ota, Families::First).await;
        let Some(stream) = opened.stream.take() else {
            let found = opened.findings();
            let why = found
                .first()
                .map_or_else(String::new, |f| f.evidence.to(self.lang()).to_owned());
            return StepReport::new(step, device.version, vec![not_valid(why)]);
        };
        let answer = self.check(stream, ota, &device).await;
        let seen = format!("{}: {}", device.version, answer.seen);
        if !answer.taken {
            let worst = answer.findings.iter().find(|f| f.is_failure());
            let why = worst.map_or(answer.seen, |f| {
                format!("{}: {}", f.rule.id, f.evidence.to(self.lang()))
            });
            return StepReport::new(step, seen, vec![not_valid(why)]);
        }
        let findings = match &answer.reply.update {
            None => Vec::new(),
            Some(again) => {
                let force = if again.forced { ", force: 1" } else { "" };
                let evidence = format!(
                    "{}: {:?}{force}, {}",
                    device.version, again.version, again.url
                );
                let same = again.url == update.url || again.version == update.version;
                vec![if same || again.version == device.version {
                    Finding::fail(&images::LOOP, evidence)
                } else {
                    Finding::warn(&images::ANOTHER_UPDATE, evidence)
                }]
            }
        };
        StepReport::new(step, seen, findings)
    }
}

/// Sends a request, and reads the whole answer; a fault in the body stands beside
/// what came of it.
async fn exchange<S: super::connect::Io>(
    wire: &mut Wire<S>,
    request: &[u8],
) -> Result<(ReplyHead, Bytes, Option<WireError>), WireError> {
    wire.send(request).await?;
    let head = wire.head().await?;
    let (body, fault) = wire.body(head.framing()).read(LONGEST_REPLY).await;
    Ok((head, body, fault))
}
