//! A log for tests: every event, as it is said.

use super::Event;
use std::error::Error;
use std::fmt;
use std::sync::LazyLock;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Dispatch, Subscriber};

/// Hands each event that this thread says to `see`, until the guard is dropped.
pub(crate) fn witness(see: impl Fn(&Event) + Send + Sync + 'static) -> DefaultGuard {
    // Where there is one subscriber, tracing asks that of the thread which first comes by
    // a place, and for a thread without one the place stays silent for all. With two it
    // asks both.
    static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(Witness(|_: &Event| ())));
    LazyLock::force(&SECOND);
    tracing::subscriber::set_default(Witness(see))
}

struct Witness<F>(F);

/// Finds the event that a line of the log is made of.
struct Found<'a, F>(&'a F);

impl<F: Fn(&Event)> Visit for Found<'_, F> {
    fn record_error(&mut self, _: &Field, value: &(dyn Error + 'static)) {
        if let Some(event) = value.downcast_ref() {
            (self.0)(event);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

impl<F: Fn(&Event) + 'static> Subscriber for Witness<F> {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut Found(&self.0));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
