//! Servers behind this one, as they are shown.

use crate::admin::{BackendState, BackendView};
use crate::event::redacted;
use crate::http::{BackendState as Seen, SeenBackend};

/// Shows a server behind this one.
pub(super) fn shown(seen: SeenBackend) -> BackendView {
    BackendView {
        setting: seen.setting,
        path: seen.path,
        address: redacted(&seen.backend).into_owned(),
        state: match seen.state {
            Seen::NotAsked => BackendState::NotAsked,
            Seen::Answers => BackendState::Answers,
            Seen::Fails(why) => BackendState::Fails(why),
        },
    }
}
