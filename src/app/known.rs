//! Known devices, as the store has them: for commands that run beside the server, or without
//! one.

use super::find_state;
use crate::config::Settings;
use crate::event::{Event, event};
use crate::fleet::database::read_only;
use crate::fleet::{Crowd, Heeds};

pub(crate) use crate::fleet::{Content, Forecast, RunImage};

/// Devices that are known, as far as this user may read of them.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// All of them. Empty where there is no store yet.
    pub(crate) crowd: Crowd,
    /// Reason why nobody knows of devices, although there is a store.
    pub(crate) unread: Option<Event>,
}

/// Reads which devices are known. What a running server learned in the last second may not
/// be among it.
pub(crate) fn known(settings: &Settings) -> Known {
    let heeds = Heeds::of(settings.upstream.is_some());
    let mut known = Known {
        crowd: Crowd::new(heeds),
        unread: None,
    };
    let Ok(dir) = find_state(settings) else {
        return known;
    };
    let read = read_only(&dir).and_then(|reader| {
        let Some(mut reader) = reader else {
            return Ok(());
        };
        reader.devices(|id, record| known.crowd.add(&id, &record))
    });
    if let Err(fault) = read {
        // Half of them would be taken for all.
        known.crowd = Crowd::default();
        let error = fault.to_string();
        known.unread = Some(event!(FORECAST_UNKNOWN, dir = dir, error = error));
    }
    known
}
