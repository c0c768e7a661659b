//! What is said, and counted, of offers that end.

use super::Fleet;
use super::outcome::{ENOUGH, OfferEnd};
use super::table::Ended;
use crate::event::tell;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of an hour, for the store.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Check-ins that were told of an image, and others.
    offers: [AtomicU64; 2],
    /// Check-ins over plain HTTP, and over TLS.
    transports: [AtomicU64; 2],
    /// States that offers came to.
    ends: [AtomicU64; OfferEnd::ALL.len()],
}

impl Tally {
    /// Counts a check-in that was answered.
    pub(super) fn told(&self, is_offer: bool, is_secure: bool) {
        count(&self.offers[usize::from(!is_offer)]);
        count(&self.transports[usize::from(is_secure)]);
    }

    fn ended(&self, end: OfferEnd) {
        if let Some(ends) = self.ends.get(end as usize) {
            count(ends);
        }
    }

    /// Returns the number of times that offers came to a state.
    pub(super) fn of(&self, end: OfferEnd) -> u64 {
        let ends = self.ends.get(end as usize);
        ends.map_or(0, |ends| ends.load(Ordering::Relaxed))
    }

    /// Returns all counts, each with its kind and label, since the start.
    pub(super) fn all(&self) -> Vec<(&'static str, String, u64)> {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let mut all = Vec::new();
        for (label, count) in ["offered", "not-offered"].into_iter().zip(&self.offers) {
            all.push(("check-ins", label.to_owned(), load(count)));
        }
        for (label, count) in ["http", "https"].into_iter().zip(&self.transports) {
            all.push(("transports", label.to_owned(), load(count)));
        }
        for (end, count) in OfferEnd::ALL.into_iter().zip(&self.ends) {
            all.push(("ends", end.key().to_owned(), load(count)));
        }
        all
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Fleet {
    /// Says how an offer ended, and counts it.
    pub(super) fn say_end(&self, ended: &Ended) {
        let end = ended.change.to;
        self.tally.ended(end);
        let (device, image) = (&*ended.id.to_string(), &ended.image);
        let (file, version) = (&*image.file, &*image.version);
        match end {
            OfferEnd::Succeeded => {
                tell!(
                    OFFER_SUCCEEDED,
                    device = device,
                    file = file,
                    version = version
                );
            }
            OfferEnd::RolledBack => {
                tell!(
                    OFFER_ROLLED_BACK,
                    device = device,
                    file = file,
                    version = version
                );
            }
            OfferEnd::Silent => {
                tell!(
                    OFFER_SILENT,
                    device = device,
                    file = file,
                    version = version
                );
            }
            OfferEnd::Offered
            | OfferEnd::Fetching
            | OfferEnd::Fetched
            | OfferEnd::Interrupted
            | OfferEnd::Superseded => {}
        }
        if end.is_failure() && ended.failed == ENOUGH {
            tell!(
                OFFER_GIVEN_UP,
                device = device,
                file = file,
                times = ended.failed
            );
        }
    }

    /// Returns the number of times that offers came to a state, since the start.
    pub fn ended(&self, end: OfferEnd) -> u64 {
        self.tally.of(end)
    }
}
