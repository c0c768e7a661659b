//! Teller of events about clients: each kind once an hour for each of them, for a log must
//! not drown in what one bad client does.

use super::once::{HOUR, Once};
use crate::event::{self, Event, Kind, Value, is_told};
use std::hash::Hash;
use std::time::SystemTime;
use tracing::debug;

/// Memory of who was told what.
#[derive(Debug)]
pub(crate) struct Teller {
    told: Once,
}

impl Teller {
    /// Makes a teller that remembers what it told of at most so many clients.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            told: Once::new(HOUR, most),
        }
    }

    /// Returns whether the log takes this kind, and it is time to tell it of `client`, and
    /// takes that it is told. `may` is asked where it is time.
    pub(crate) fn is_due_if<C: Hash + ?Sized>(
        &self,
        kind: &Kind,
        client: &C,
        now: SystemTime,
        may: impl FnOnce() -> bool,
    ) -> bool {
        is_told(kind) && self.told.is_due_if(&(kind.id, client), now, may)
    }

    /// Says an event about `client`, each of its reasons by itself: one that is harmless
    /// must not hide another for an hour. What is not said is there for developers.
    pub(crate) fn say<C: Hash + ?Sized>(&self, event: &Event, client: &C, now: SystemTime) {
        self.say_if(event, client, now, || true);
    }

    /// Says the same if it `may` be said: that is asked where it is time.
    pub(crate) fn say_if<C: Hash + ?Sized>(
        &self,
        event: &Event,
        client: &C,
        now: SystemTime,
        may: impl FnOnce() -> bool,
    ) {
        let why = match event.field("why") {
            Some(Value::Event(why)) => why.kind.id,
            _ => "",
        };
        if self.is_due_if(event.kind, &(why, client), now, may) {
            event::say(event);
        } else {
            debug!("{event}");
        }
    }
}
