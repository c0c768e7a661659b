//! Tries the voice server, as far as its hello.

use super::Probe;
use crate::probe::address::websocket::NOT_CONNECTED;
use crate::probe::address::{self, Target, Use};
use crate::probe::connect::Families;
use crate::probe::line::Kind;
use crate::probe::reply::{CheckReply, Websocket};
use crate::probe::report::{Finding, Step, StepReport, StepVerdict};
use crate::probe::rules::{address as addresses, websocket as voice};
use crate::probe::websocket;
use std::time::Instant;
use xiaozhi_device::redact;

impl Probe {
    pub(super) async fn websocket(
        &self,
        reply: &CheckReply,
        ota: &Target,
        known: &[Finding],
    ) -> StepReport {
        let step = Step::Websocket;
        if self.skip_websocket {
            return StepReport::skipped(step, "--skip websocket");
        }
        if let Some(endpoint) = &reply.mqtt {
            let seen = self.say("使用 MQTT，不探测：", "MQTT is used, and not tried: ");
            return StepReport::skipped(step, format!("{seen}{}", redact::shown(endpoint)));
        }
        let Some(handed) = &reply.websocket else {
            return StepReport::skipped(
                step,
                self.say("没有下发地址", "no address was handed out"),
            );
        };
        let (took, mut findings) = self.voice(handed, ota, known).await;
        let mut seen = format!("{}{took}", redact::shown(&handed.url));
        if !self.device.kind.reads_websocket() {
            seen.push_str(self.say(
                "\n1.6.2 以前的固件不读这个地址，这里替其他设备试",
                "\nfirmware before 1.6.2 does not read this address; tried for the others",
            ));
            let others = findings.into_iter();
            findings = others.map(|f| f.of_others(Kind::reads_websocket)).collect();
        }
        StepReport::new(step, seen, findings)
    }

    /// Speaks to the voice server as a device that reads its address from the reply.
    async fn voice(
        &self,
        handed: &Websocket,
        ota: &Target,
        known: &[Finding],
    ) -> (String, Vec<Finding>) {
        let kind = self.device.kind.with_websocket();
        let (target, mut findings) =
            match address::handed_out(&handed.url, Use::Websocket, kind, ota) {
                Ok(parsed) => parsed,
                Err(finding) => return (String::new(), vec![finding]),
            };
        let heard = self.hello(handed, &target, known, &mut findings).await;
        // What decides is whether the port takes what the modem speaks.
        let by_port = |f: &Finding| f.rule == &addresses::ML307_PORT;
        match (findings.iter_mut().find(|f| by_port(f)), &heard) {
            (Some(own), None) if own.is_failure() => {
                findings.retain(|f| !f.is_failure() || by_port(f));
            }
            (Some(own), Some(_)) if own.is_failure() => {
                own.verdict = StepVerdict::Warn;
                own.hit.clear();
            }
            // Where this device fails, the others are no news.
            (Some(_), None) => findings.retain(|f| !by_port(f)),
            (Some(_), Some(_)) => {
                let other = Target {
                    tls: !target.tls,
                    ..target
                };
                let told = self.hello(handed, &other, known, &mut Vec::new()).await;
                findings.retain(|f| told.is_none() || !by_port(f));
            }
            (None, _) => {}
        }
        (heard.unwrap_or_default(), findings)
    }

    /// Connects, and waits for the hello. Returns what was seen of it.
    async fn hello(
        &self,
        handed: &Websocket,
        target: &Target,
        known: &[Finding],
        findings: &mut Vec<Finding>,
    ) -> Option<String> {
        let mut opened = self.network.open(target, Families::First).await;
        let stream = opened.stream.take();
        // Whatever keeps the device from it, it is unreachable.
        for finding in opened
            .dns
            .findings
            .iter_mut()
            .chain(&mut opened.tcp.findings)
        {
            if finding.is_failure() {
                finding.rule = &voice::UNREACHABLE;
            }
        }
        // A certificate that stands in the step of its own is not told twice.
        findings.extend(opened.findings().into_iter().filter(|f| !known.contains(f)));
        let Some(stream) = stream else {
            if !findings.iter().any(Finding::is_failure) {
                let shown = redact::shown(&handed.url);
                findings.push(Finding::fail(&voice::UNREACHABLE, shown));
            }
            for finding in findings.iter_mut().filter(|f| f.is_failure()) {
                finding.serial = Some(NOT_CONNECTED.to_owned());
            }
            return None;
        };
        let started = Instant::now();
        match websocket::hello(stream, target, &self.device, handed).await {
            Ok(_) => Some(format!(", hello, {} ms", started.elapsed().as_millis())),
            Err(finding) => {
                findings.push(finding);
                None
            }
        }
    }
}
