//! Lines of the log about the start: the settings, what there is room for, the ports and
//! addresses, the certificates.

use super::admin::{AdminDoor, of_devices};
use super::machine::unheard_user;
use crate::config::Settings;
use crate::event::{self, redacted, tell};
use crate::firmware::catalogue::Catalogue;
use crate::http::proxy::upstream::UpstreamSettings;
use crate::server::Listeners;
use crate::tls::Certificates;
use crate::util::paths::absolute;
use jiff::Timestamp;
use std::path::Path;

/// Says where the settings come from, and what of them, or of the environment, may be meant
/// otherwise.
pub(super) fn say_source(settings: &Settings) {
    if let Some(file) = &settings.file {
        tell!(CONFIG_READ, file = absolute(file));
    } else {
        let file = absolute(Path::new(crate::config::DEFAULT_FILE));
        tell!(CONFIG_ABSENT, file = file);
    }
    for warning in &settings.warnings {
        event::say(&warning.event);
    }
    if let Some((asked, user)) = unheard_user() {
        tell!(USER_OTHER, asked = asked, user = user);
    }
}

/// Says what there is memory for.
pub(super) fn say_room(settings: &Settings, connections: usize) {
    let mib = |bytes: u64| format!("{} MiB", bytes >> 20);
    tell!(
        MEMORY_ROOM,
        memory = settings.machine_memory.shown(),
        of = settings.machine_memory.source(),
        connections = connections,
        images = mib(settings.memory),
        bodies = mib(settings.bodies),
        devices = settings.devices.settled
    );
}

/// The start-up lines, the guide's own first.
pub(super) fn announce(
    settings: &Settings,
    listeners: &Listeners,
    admin: Option<&AdminDoor>,
    catalogue: &Catalogue,
) {
    for (address, proxied) in listeners.addresses() {
        let protocols = of_devices(&settings.tls);
        let behind = proxied.then_some(true);
        tell!(
            LISTENING,
            address = address,
            protocols = protocols,
            proxy_protocol = behind
        );
    }
    let dir = absolute(&settings.catalogue.dir);
    let images = catalogue.snapshot().len();
    tell!(FOLDER, dir = dir, images = images);
    if settings.upstream.is_some() {
        say_upstream(settings.upstream.as_ref());
    }
    tell!(OTA_ADDRESS, url = settings.public.ota_url());
    tell!(VISION_ADDRESS, url = settings.public.vision_url());
    // Last, where somebody looks for the page who has just started it.
    if let Some(admin) = admin {
        admin.announce(settings);
    }
}

/// Says who answers check-ins.
pub(super) fn say_upstream(upstream: Option<&UpstreamSettings>) {
    match upstream {
        Some(upstream) => {
            let url = upstream.url.to_string();
            let url = redacted(&url);
            tell!(UPSTREAM_MODE, upstream = &*url, kind = upstream.kind.name());
        }
        None => tell!(UPSTREAM_OFF),
    }
}

/// Says where the certificates stand that answer.
pub(super) fn say_certificates(certificates: Option<&Certificates>) {
    for pair in certificates.iter().flat_map(|all| all.pairs().to_vec()) {
        let kind = if pair.is_ecdsa { "ECDSA" } else { "RSA" };
        let until = Timestamp::from_second(pair.not_after);
        tell!(
            CERTIFICATE_IN_USE,
            file = pair.is_kept.then(|| absolute(&pair.paths.cert)),
            key = format!("{kind} {}", pair.key_bits),
            names = pair.names.as_slice(),
            until = until
                .map(|end| end.strftime("%F").to_string())
                .unwrap_or_default()
        );
    }
}
