//! Reads addresses as the device does: the one that is typed into it, the image's,
//! and its voice server's. Each client has a reader of its own, and an address that
//! one of them refuses may be fine to another.

mod http;
pub(crate) mod misread;
pub(crate) mod websocket;

use super::line::Kind;
use super::reach;
use super::report::{Evidence, Finding, StepVerdict};
use super::rule::Rule;
use super::rules::address as rules;
use super::rules::websocket as voice;
use xiaozhi_device::host::{self, HostFault};

/// Address of a request, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// True where the connection is TLS.
    pub(crate) tls: bool,
    /// A host name or an IPv4 address.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Path, with its first slash and its query.
    pub(crate) path: String,
}

impl Target {
    /// Returns the value of `Host`: with the port only where it is not the scheme's
    /// own.
    pub(crate) fn authority(&self) -> String {
        if self.port == if self.tls { 443 } else { 80 } {
            self.host.clone()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// Purpose of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// OTA address, typed into the device.
    Ota,
    /// Image's address: `firmware.url`.
    Firmware,
    /// Voice server's address: `websocket.url`.
    Websocket,
}

/// Reason for which a device cannot take an address apart.
#[derive(Debug)]
struct UrlFault {
    rule: &'static Rule,
    evidence: Evidence,
    serial: Option<String>,
}

impl UrlFault {
    fn of(rule: &'static Rule, text: &str) -> Self {
        Self {
            rule,
            evidence: quoted(text).into(),
            serial: None,
        }
    }

    fn of_character(c: char, text: &str) -> Self {
        Self {
            evidence: format!("{c:?} in {}", quoted(text)).into(),
            ..Self::of(&rules::BAD_CHARACTER, text)
        }
    }

    fn serial(mut self, line: String) -> Self {
        self.serial = Some(line);
        self
    }
}

/// Takes an address apart as this device does. An address that it cannot take apart
/// is a failure; for the others, the findings say what will go wrong, and which
/// devices cannot take it apart.
pub(crate) fn parse(text: &str, used: Use, kind: Kind) -> Result<(Target, Vec<Finding>), Finding> {
    // `CheckVersion` takes nothing shorter for an address.
    if used == Use::Ota && text.len() < 10 {
        return Err(Finding::fail(&rules::NO_ADDRESS, quoted(text))
            .serial("E (…) Ota: Check version URL is not properly set"));
    }
    let target = read(text, used, kind).map_err(|fault| {
        let finding = Finding::fail(fault.rule, fault.evidence);
        match fault.serial {
            Some(line) => finding.serial(line),
            None => finding,
        }
    })?;
    let mut findings = unread_by_others(text, used);
    findings.extend(judge(text, used, kind, &target));
    Ok((target, findings))
}

/// Takes an address apart that the server at `ota` hands out, as [`parse`] does.
/// One that leads to this machine, or into Docker, fails where the server itself is
/// elsewhere: that it works here proves nothing.
pub(crate) fn handed_out(
    text: &str,
    used: Use,
    kind: Kind,
    ota: &Target,
) -> Result<(Target, Vec<Finding>), Finding> {
    let (target, mut findings) = parse(text, used, kind)?;
    fail_elsewhere(&mut findings, &target.host, ota);
    Ok((target, findings))
}

/// Judges a host that the server at `ota` hands out.
pub(crate) fn handed_out_host(
    host: &str,
    evidence: impl Into<Evidence>,
    ota: &Target,
) -> Vec<Finding> {
    let mut findings = Vec::from_iter(of_host(host, evidence.into()));
    fail_elsewhere(&mut findings, host, ota);
    findings
}

fn fail_elsewhere(findings: &mut [Finding], host: &str, ota: &Target) {
    if ota.host.eq_ignore_ascii_case(host) {
        return;
    }
    let strands = |rule| rule == &rules::LOOPBACK || rule == &rules::CONTAINER_ADDRESS;
    for finding in findings.iter_mut().filter(|f| strands(f.rule)) {
        finding.verdict = StepVerdict::Fail;
    }
}

/// Judges a host by itself: an address that leads nowhere, a name that does.
fn of_host(host: &str, evidence: Evidence) -> Option<Finding> {
    match host::judge(host)? {
        HostFault::Nowhere(nowhere) => Some(reach::literal(nowhere, evidence)),
        HostFault::ContainerName => Some(Finding::warn(&rules::CONTAINER_ADDRESS, evidence)),
        _ if !host.contains('.') => Some(Finding::warn(&rules::SHORT_NAME, evidence)),
        // Whether there is such a host shows when it is looked up.
        _ => None,
    }
}

fn read(text: &str, used: Use, kind: Kind) -> Result<Target, UrlFault> {
    match used {
        Use::Ota | Use::Firmware => http::read(text, kind),
        Use::Websocket => websocket::read(text, kind),
    }
}

/// Finds the devices that cannot take an address apart that this one can.
fn unread_by_others(text: &str, used: Use) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for kind in Kind::all() {
        if used == Use::Websocket && !kind.reads_websocket() {
            continue;
        }
        let Err(fault) = read(text, used, kind) else {
            continue;
        };
        match findings.iter_mut().find(|f| f.rule == fault.rule) {
            Some(finding) => finding.hit.push(kind),
            None => findings.push(Finding {
                hit: vec![kind],
                ..Finding::warn(fault.rule, fault.evidence)
            }),
        }
    }
    findings
}

/// Finds what will go wrong with an address that can be taken apart.
fn judge(text: &str, used: Use, kind: Kind, target: &Target) -> Vec<Finding> {
    let mut findings = Vec::new();
    if text.contains('#') {
        findings.push(Finding::warn(&rules::FRAGMENT, quoted(text)));
    }
    if used == Use::Ota && !target.path.to_ascii_lowercase().contains("/ota") {
        findings.push(Finding::warn(&rules::NOT_AN_OTA_PATH, quoted(text)));
    }
    findings.extend(of_host(&target.host, quoted(text).into()));
    if used == Use::Websocket {
        let evidence = misread::quoted("websocket.url", text);
        if websocket::is_odd(text) {
            findings.push(Finding::warn(&rules::UNKNOWN_SCHEME, &evidence));
        }
        if let Some(odd) = websocket::oddly_written(text) {
            let evidence = misread::evidence("websocket.url", text, &odd);
            findings.push(Finding::warn(&voice::MUTE, evidence));
        }
        if let Some(c) = target.path.chars().find(|c| !c.is_ascii_graphic()) {
            let evidence = format!("{c:?} in {evidence}");
            findings.push(Finding::warn(&rules::BAD_CHARACTER, evidence));
        }
        let hit = |k: Kind| websocket::port_decides(text, target.port, k);
        findings.extend(Finding::on(&rules::ML307_PORT, kind, hit, evidence));
    }
    findings
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

#[cfg(test)]
mod tests;
