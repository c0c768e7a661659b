//! View of this server for the page: what was found wrong and still is, and what there is at
//! this moment. Nothing is judged here: each finding is what somebody else said.

use super::behind::shown;
use super::clock;
use super::house::House;
use super::machine::{is_in_container, resident, system};
use crate::admin::settings::open_to_others;
use crate::admin::{
    AddressView, BackendView, CertificateView, LinkView, ProcessView, Readiness as _, ServerSource,
    ServerView, StoreView,
};
use crate::config::Settings;
use crate::event::lately::{LATELY, Said};
use crate::event::standing::STANDING;
use crate::event::{Event, Kind, Severity, Value, kinds, redacted};
use crate::http::BackendState as Seen;
use crate::ota::credentials::Voice;
use crate::ota::public_url::Source;
use crate::tls::{Link, Mode};
use crate::util::addresses::own_addresses;
use crate::util::paths::absolute;
use std::env::consts::ARCH;
use std::path::Path;
use std::process;
use std::thread::available_parallelism;
use std::time::Duration;

impl ServerSource for House {
    fn findings(&self) -> Vec<Event> {
        let settings = self.running.load();
        let standing = STANDING.all();
        let standing = standing
            .into_iter()
            .filter(|event| self.stands(event, &settings));
        let mut found: Vec<Event> = standing.collect();
        // Whoever found it said more than the check does that looked for it later.
        let has_said = |kinds: &[&Kind]| found.iter().any(|said| kinds.contains(&said.kind));
        let is_said = |check: &Event| match check.kind.id {
            id if id == kinds::READY_NO_STATE.id => has_said(&[&kinds::STATE_UNWRITABLE]),
            id if id == kinds::READY_FOLDER.id => {
                has_said(&[&kinds::FOLDER_UNREADABLE, &kinds::FOLDER_UNAVAILABLE])
            }
            _ => false,
        };
        let checks = self.checks().into_iter().filter_map(|check| check.why);
        let checks: Vec<_> = checks.filter(|check| !is_said(check)).collect();
        found.extend(checks);
        found.extend(self.certificates.iter().flat_map(|kept| kept.faults()));
        found.extend(self.auditor.findings());
        found.extend(
            self.front
                .backends()
                .into_iter()
                .filter_map(|backend| match backend.state {
                    Seen::Fails(why) => Some(why),
                    Seen::NotAsked | Seen::Answers => None,
                }),
        );
        found.extend(settings.warnings.iter().map(|fault| fault.event.clone()));
        found.extend(self.catalogue.snapshot().warnings().iter().cloned());
        found.retain(|event| event.kind.severity != Severity::Info);
        found.sort_by_key(|event| (event.kind.severity != Severity::Error, rank(event)));
        found
    }

    fn view(&self) -> ServerView {
        // As this machine's address makes them now.
        let settings = self.auditor.settings();
        ServerView {
            process: self.process(&settings),
            listeners: self.listeners.clone(),
            address: self.address(&settings),
            certificates: self.certificates(),
            backends: self.backends(),
            store: self.store_view(),
            file: settings.file.as_deref().map(absolute),
            settings: settings.shown(),
        }
    }

    fn lately(&self) -> Vec<Said> {
        LATELY.all()
    }
}

impl House {
    /// Tells whether what was said still is, where nobody says that it is mended: what it was
    /// about is looked at.
    fn stands(&self, event: &Event, settings: &Settings) -> bool {
        let is = |kinds: &[&Kind]| kinds.contains(&event.kind);
        let text = |name: &str| match event.field(name) {
            Some(Value::Text(text)) => &**text,
            _ => "",
        };
        if is(&[&kinds::MODEL_NEAR, &kinds::MODEL_UNNAMEABLE]) {
            let (snapshot, model) = (self.catalogue.snapshot(), text("model"));
            return !settings.policy.is_known(model, &snapshot)
                && snapshot.near(&[model], &[]).is_some();
        }
        if is(&[&kinds::MODEL_RENAMED, &kinds::MODEL_UNALIASED]) {
            let of = if is(&[&kinds::MODEL_RENAMED]) {
                "new"
            } else {
                "model"
            };
            return !settings
                .policy
                .is_known(text(of), &self.catalogue.snapshot());
        }
        if is(&[&kinds::ORDERS_NEWER, &kinds::ORDERS_UNREADABLE]) {
            return self.known.orders.is_unknown();
        }
        if is(&[&kinds::ADMIN_TOKEN_OPEN]) {
            let file = Path::new(text("file"));
            let mut tokens = settings.admin.tokens.iter();
            return tokens.any(|token| absolute(&token.file) == file)
                && open_to_others(file).is_some();
        }
        if is(&[&kinds::ADDRESS_IN_FRONT]) {
            return settings.hands_out_reached();
        }
        if is(&[&kinds::CERTIFICATE_UNKEPT, &kinds::CERTIFICATE_KEPT_UNFIT]) {
            return !matches!(settings.tls, Mode::Off | Mode::Files(_));
        }
        if event.kind.id.starts_with("acme.") || is(&[&kinds::CERTIFICATE_STAND_IN]) {
            return match &settings.tls {
                Mode::Acme(acme) => match event.field("name") {
                    Some(Value::Text(name)) => acme.names.iter().any(|known| known == name),
                    _ => true,
                },
                _ => false,
            };
        }
        true
    }

    fn process(&self, settings: &Settings) -> ProcessView {
        let (system, kernel) = system();
        ProcessView {
            version: env!("CARGO_PKG_VERSION"),
            built: clock::built(),
            started: self.started,
            id: process::id(),
            resident: resident(),
            memory: settings.machine_memory.least(),
            memory_of: settings.machine_memory.source(),
            system,
            kernel,
            processor: ARCH,
            processors: available_parallelism().map_or(1, usize::from),
            in_container: is_in_container(),
            addresses: own_addresses(),
        }
    }

    fn address(&self, settings: &Settings) -> AddressView {
        let public = &settings.public;
        let voice = match &settings.voice {
            Voice::Mqtt { endpoint, .. } => Some(format!("mqtt://{endpoint}")),
            Voice::WebSocket { .. } => settings.websocket_url().map(Into::into),
        };
        let source = public.source();
        AddressView {
            ota: redacted(&public.ota_url()).into_owned(),
            downloads: redacted(&public.ota().download_base()).into_owned(),
            voice: voice.map(|voice| redacted(&voice).into_owned()),
            vision: redacted(public.vision_url()).into_owned(),
            setting: (source != Source::Derived).then(|| source.setting()),
            is_by_request: settings.hands_out_reached(),
            audit: self.auditor.findings(),
        }
    }

    fn certificates(&self) -> Vec<CertificateView> {
        let pairs = self.certificates.iter();
        let pairs = pairs.flat_map(|kept| kept.pairs().to_vec());
        let certificates = pairs.map(|pair| CertificateView {
            file: pair.is_kept.then(|| absolute(&pair.paths.cert)),
            key: format!(
                "{} {}",
                if pair.is_ecdsa { "ECDSA" } else { "RSA" },
                pair.key_bits
            ),
            names: pair.names.clone(),
            is_self_signed: pair.is_self_signed,
            not_before: pair.not_before,
            not_after: pair.not_after,
            chain: pair.links().into_iter().map(link).collect(),
        });
        certificates.collect()
    }

    fn backends(&self) -> Vec<BackendView> {
        let backends = self.front.backends().into_iter();
        backends.map(shown).collect()
    }

    fn store_view(&self) -> StoreView {
        let health = self.known.journal.health();
        StoreView {
            dir: absolute(&self.settings.state),
            bytes: self.known.journal.bytes(),
            why: self.store_lacks(),
            is_reading: health.reading,
            lag: Duration::from_millis(health.lag_ms),
            devices: self.known.fleet.len() as u64,
        }
    }
}

/// Returns the place of a finding among those of its weight: what keeps devices from being
/// known or answered stands before what concerns one file.
fn rank(event: &Event) -> usize {
    const ROOMS: [&[&str]; 4] = [
        &["state", "store", "orders", "ready", "folder", "clock"],
        &["address", "acme", "certificate", "pin", "alias"],
        &["backend", "model", "config", "admin", "admin-token"],
        &["file", "files"],
    ];
    let room = event.kind.id.split('.').next().unwrap_or_default();
    let found = ROOMS.iter().position(|rooms| rooms.contains(&room));
    // What is none of these concerns the machine: a limit, the log.
    found.unwrap_or(2)
}

fn link(link: Link) -> LinkView {
    LinkView {
        subject: link.subject,
        issuer: link.issuer,
        not_after: link.not_after,
    }
}
