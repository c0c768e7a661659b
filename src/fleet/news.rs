//! News of offers that end: what is said and counted of them.

use super::offer_end::OfferEnd;
use super::outcome::ENOUGH;
use super::past::{OTHERS, TRANSPORTS, VERSIONS, label};
use super::table::Ended;
use super::{Fleet, Knowledge, wall};
use crate::event::tell;
use crate::util::counts::{COUNTS, CheckIn, Transport};
use crate::util::sync::lock;
use std::collections::HashMap;
use std::time::SystemTime;

/// Number of versions that the counts of an hour name, the most frequent ones: anybody can
/// invent more.
const NAMED: usize = 50;

/// Things that were counted before.
#[derive(Debug, Default)]
pub(super) struct Before {
    /// Counts when they were asked for last, by kind and label.
    counts: HashMap<(&'static str, &'static str), u64>,
    /// Hour after 1970 for which versions were counted.
    hour: u64,
    /// Number of devices that were known then.
    known: usize,
}

/// Says how an offer ended, and counts it. That of an id that is no MAC address counts for
/// nothing: anybody can give any, and no device of the firmware's does.
pub(super) fn say_end(ended: &Ended) {
    if ended.id.mac().is_none() {
        return;
    }
    let end = ended.change.to;
    COUNTS.offer_ended(end as usize);
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

impl Fleet {
    /// Returns what came since it was asked last, each count with its kind and label: check-ins
    /// by outcome and transport, ends of offers, and how many devices run which version.
    pub(super) fn take_counts(&self, now: SystemTime) -> Vec<(&'static str, String, u64)> {
        let mut counts = Vec::new();
        for outcome in CheckIn::ALL {
            let each = Transport::ALL.iter();
            let sum = each.map(|transport| COUNTS.check_ins(*outcome, *transport));
            counts.push(("check-ins", outcome.label(), sum.sum::<u64>()));
        }
        for transport in Transport::ALL {
            let each = CheckIn::ALL.iter();
            let sum = each.map(|outcome| COUNTS.check_ins(*outcome, *transport));
            counts.push((TRANSPORTS, transport.label(), sum.sum()));
        }
        for end in OfferEnd::ALL {
            counts.push(("ends", end.key(), COUNTS.offers(end as usize)));
        }
        let mut before = lock(&self.before);
        let mut hour: Vec<_> = counts
            .into_iter()
            .map(|(kind, label, count)| {
                let last = before.counts.insert((kind, label), count).unwrap_or(0);
                (kind, label.to_owned(), count.saturating_sub(last))
            })
            .filter(|(.., count)| *count > 0)
            .collect();
        // How many run a version is no sum: once an hour will do, and again where that was of a
        // fleet which has only begun to come.
        let (of_versions, known) = (wall(now) / 3_600_000, self.len());
        let is_grown = known > 0 && known >= before.known.saturating_mul(2);
        let is_due = before.hour != of_versions || is_grown;
        if !is_due || self.knowledge() != Knowledge::Everything {
            return hour;
        }
        (before.hour, before.known) = (of_versions, known);
        drop(before);
        let versions = self.summary(now).versions;
        let (named, others) = versions.split_at(versions.len().min(NAMED));
        let named = named.iter();
        hour.extend(named.map(|(model, version, count)| (VERSIONS, label(model, version), *count)));
        let others: u64 = others.iter().map(|(.., count)| count).sum();
        hour.extend((others > 0).then(|| (VERSIONS, OTHERS.to_owned(), others)));
        hour
    }
}
