//! Audits the settings that run for what would hurt devices: at the start, after each
//! change, and once a day.

use crate::config::Settings;
use crate::event::{self, Event};
use crate::http::proxy::WEBSOCKET_PATH;
use crate::ota::address_audit::{self, PassedOn, Surroundings};
use crate::ota::credentials::Voice;
use crate::ota::public_url::{Scheme, VISION_PATH};
use crate::tls::{self, Certificates, Mode, acme};
use crate::util::supervise::blocking;
use crate::util::sync::lock;
use arc_swap::ArcSwap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

/// Period of the audit where nothing changes but the time.
const EVERY: Duration = Duration::from_secs(86_400);

/// Returns what would hurt devices, from the address and from the certificates.
pub(crate) fn audit(
    settings: &Settings,
    certificates: Option<&Certificates>,
    ports: &[u16],
) -> Vec<Event> {
    let mut findings = audit_address(settings, ports);
    findings.extend(audit_certificates(settings, certificates));
    findings
}

/// Returns what of the address would hurt devices where these ports are listened on.
pub(super) fn audit_address(settings: &Settings, ports: &[u16]) -> Vec<Event> {
    let around = Surroundings {
        bound: settings.bind.ip,
        ports,
        tls: settings.tls != Mode::Off,
        behind_proxy: settings.behind_proxy,
        http_ends: settings.plain_http.ends(),
        websocket: match &settings.voice {
            Voice::WebSocket { url, .. } => Some(url),
            Voice::Mqtt { .. } | Voice::Unreachable => None,
        },
        passed_on: PassedOn {
            voice: settings.proxy.passes_on(WEBSOCKET_PATH),
            vision: settings.proxy.passes_on(VISION_PATH),
        },
    };
    let mut findings = address_audit::audit(&settings.public, &around);
    if let Mode::Acme(acme) = &settings.tls
        && !settings.behind_proxy
    {
        // A CA sends no PROXY header.
        let both = ports.iter().zip(&settings.bind.ports);
        let direct = both.filter(|(_, port)| !port.proxy_protocol);
        let direct: Vec<_> = direct.map(|(number, _)| *number).collect();
        findings.extend(acme::audit(acme, &direct));
    }
    findings
}

fn audit_certificates(settings: &Settings, certificates: Option<&Certificates>) -> Vec<Event> {
    let url = settings.public.url();
    // A proxy that names its clients in a PROXY header may leave their TLS to us.
    let ends_here =
        !settings.behind_proxy || settings.bind.ports.iter().any(|port| port.proxy_protocol);
    if url.scheme != Scheme::Https || !ends_here || settings.tls == Mode::Off {
        return Vec::new();
    }
    let pairs = certificates.map(Certificates::pairs).unwrap_or_default();
    tls::audit::audit(&url.host, &settings.tls, &pairs, SystemTime::now())
}

/// Says what an audit found, and remembers what was said.
#[derive(Debug)]
pub(super) struct Auditor {
    running: Arc<ArcSwap<Settings>>,
    certificates: Option<Arc<Certificates>>,
    /// The ports, as bound.
    ports: Vec<u16>,
    told: Mutex<Vec<Event>>,
}

impl Auditor {
    pub(super) fn new(
        running: Arc<ArcSwap<Settings>>,
        certificates: Option<Arc<Certificates>>,
        ports: Vec<u16>,
    ) -> Self {
        Self {
            running,
            certificates,
            ports,
            told: Mutex::default(),
        }
    }

    /// Says what there is now and was not there last time.
    pub(super) fn say_news(&self) {
        let settings = self.running.load();
        let findings = audit(&settings, self.certificates.as_deref(), &self.ports);
        for finding in news(&mut lock(&self.told), findings) {
            let place = settings.places.place(finding.setting());
            event::say(&finding.of("place", place.to_string()));
        }
    }

    /// Says all there is of the certificates, for they are others now.
    fn say_of_certificates(&self) {
        let settings = self.running.load();
        let findings = audit_certificates(&settings, self.certificates.as_deref());
        lock(&self.told).retain(|told| !findings.iter().any(|finding| finding.is_like(told)));
        self.say_news();
    }

    /// Says each day what is new.
    pub(super) async fn each_day(&self) {
        let start = tokio::time::Instant::now() + EVERY;
        let mut daily = tokio::time::interval_at(start, EVERY);
        loop {
            daily.tick().await;
            self.say_news();
        }
    }

    /// Looks for new certificates by `how`, and says what there is of them.
    pub(super) async fn look(&self, how: fn(&Certificates, SystemTime) -> bool) {
        let Some(certificates) = self.certificates.clone() else {
            return;
        };
        if blocking(move || how(&certificates, SystemTime::now())).await == Some(true) {
            self.say_of_certificates();
        }
    }
}

/// Returns those of the findings that were not told of last time.
fn news(told: &mut Vec<Event>, findings: Vec<Event>) -> Vec<Event> {
    let before = std::mem::replace(told, findings.clone());
    let is_new = |finding: &Event| !before.iter().any(|told| told.is_like(finding));
    findings.into_iter().filter(is_new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::event;

    #[test]
    fn a_day_says_what_is_new_and_no_more() {
        let ends = |days: u8, hours: u64| {
            event!(
                CERTIFICATE_EXPIRING,
                setting = "",
                file = "a.pem",
                days = days,
                hours = hours,
                acme = false
            )
        };
        let other = || event!(CERTIFICATE_SELF_SIGNED, setting = "", file = "b.pem");
        let mut told = Vec::new();
        let mut said = |findings| news(&mut told, findings).len();
        assert_eq!(said(vec![other(), ends(30, 700)]), 2);
        assert_eq!(said(vec![other(), ends(30, 676)]), 0);
        assert_eq!(said(vec![other(), ends(14, 330)]), 1);
        assert_eq!(said(vec![ends(14, 306)]), 0);
        assert_eq!(said(vec![other(), ends(7, 160)]), 2);
    }
}
