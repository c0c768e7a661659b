//! Book of truth: every offer that each device got, and how it ended, in the words
//! of a server that follows its offers. What a server says of them is held against
//! it.

use super::bad::Bad;
use super::plan::MacPrefix;
use serde_json::{Value, json};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;
use tokio::time::Instant;

/// State of an offer, or how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OfferEnd {
    /// A check offered it, and nothing more has happened.
    Offered,
    /// The image is on its way.
    Fetching,
    /// Every byte came, and the device closed the connection.
    Fetched,
    /// A check reported the new image.
    Succeeded,
    /// A check reported the old image in good time after it was fetched.
    RolledBack,
    /// No check came in time after it was fetched, and no new image at a later one.
    Silent,
    /// The download was cut, or never begun.
    Interrupted,
    /// Another image was offered before this one was fetched.
    Superseded,
}

impl OfferEnd {
    /// Every state, in the order in which an offer meets them.
    pub(super) const ALL: [Self; 8] = [
        Self::Offered,
        Self::Fetching,
        Self::Fetched,
        Self::Succeeded,
        Self::RolledBack,
        Self::Silent,
        Self::Interrupted,
        Self::Superseded,
    ];

    /// Returns its name in JSON.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Fetching => "fetching",
            Self::Fetched => "fetched",
            Self::Succeeded => "succeeded",
            Self::RolledBack => "rolled-back",
            Self::Silent => "silent",
            Self::Interrupted => "interrupted",
            Self::Superseded => "superseded",
        }
    }
}

/// Page of one device. Small, for there are many.
#[derive(Debug, Clone, Default)]
struct Page {
    bad: Option<Bad>,
    /// Every offer, the last one at the end.
    ends: Vec<OfferEnd>,
    /// Hash of what the last one offers.
    content: u64,
    /// Time at which the last one was fetched.
    fetched: Option<Instant>,
}

/// Offers of a whole fleet.
#[derive(Debug, Clone, Default)]
pub(super) struct Book {
    pages: Vec<Page>,
    /// Time without a check after which a fetched offer is silent.
    silent_after: Duration,
    /// Begin of their addresses.
    macs: MacPrefix,
}

impl Book {
    /// Makes an empty page for each device.
    pub(super) fn new(devices: u32, silent_after: Duration, macs: MacPrefix) -> Self {
        let devices = usize::try_from(devices).unwrap_or(usize::MAX);
        Self {
            pages: vec![Page::default(); devices],
            silent_after,
            macs,
        }
    }

    fn page(&mut self, number: u32) -> &mut Page {
        &mut self.pages[number as usize]
    }

    /// Notes what a bad release did to a device.
    pub(super) fn met(&mut self, number: u32, bad: Bad) {
        self.page(number).bad = Some(bad);
    }

    /// Notes a check that was answered, and whether it reported what was fetched
    /// last. Every check that is played says what runs: one that did not would end
    /// nothing.
    pub(super) fn checked(&mut self, number: u32, is_new: bool, now: Instant) {
        let limit = self.silent_after;
        let page = self.page(number);
        let late = page.fetched.is_some_and(|then| now - then > limit);
        match page.ends.last_mut() {
            Some(end) if is_new => *end = OfferEnd::Succeeded,
            Some(end @ OfferEnd::Fetched) if late => *end = OfferEnd::Silent,
            Some(end @ OfferEnd::Fetched) => *end = OfferEnd::RolledBack,
            _ => {}
        }
    }

    /// Notes that an image was offered. The same one again, before it was fetched,
    /// is the same offer.
    pub(super) fn offered(&mut self, number: u32, url: &str) {
        let content = content(url);
        let page = self.page(number);
        if let Some(end) = page.ends.last_mut()
            && matches!(
                end,
                OfferEnd::Offered | OfferEnd::Fetching | OfferEnd::Interrupted
            )
        {
            if page.content == content {
                *end = OfferEnd::Offered;
                return;
            }
            *end = OfferEnd::Superseded;
        }
        page.ends.push(OfferEnd::Offered);
        (page.content, page.fetched) = (content, None);
    }

    /// Notes that an image is on its way.
    pub(super) fn fetching(&mut self, number: u32) {
        self.step(number, OfferEnd::Offered, OfferEnd::Fetching);
    }

    /// Notes that an image came whole, and the connection was closed.
    pub(super) fn fetched(&mut self, number: u32, now: Instant) {
        self.step(number, OfferEnd::Fetching, OfferEnd::Fetched);
        self.page(number).fetched = Some(now);
    }

    /// Notes that a download, if there was one, ended before the image did.
    pub(super) fn cut(&mut self, number: u32) {
        self.step(number, OfferEnd::Fetching, OfferEnd::Interrupted);
    }

    /// Notes that a device never asks again: what is open ends as it does once a
    /// server has waited long enough.
    pub(super) fn left(&mut self, number: u32) {
        self.step(number, OfferEnd::Fetched, OfferEnd::Silent);
        self.step(number, OfferEnd::Offered, OfferEnd::Interrupted);
        self.step(number, OfferEnd::Fetching, OfferEnd::Interrupted);
    }

    fn step(&mut self, number: u32, from: OfferEnd, to: OfferEnd) {
        if let Some(end) = self
            .page(number)
            .ends
            .last_mut()
            .filter(|end| **end == from)
        {
            *end = to;
        }
    }

    /// Counts the devices that met this.
    pub(super) fn count_bad(&self, bad: Bad) -> u64 {
        let met = self.pages.iter().filter(|page| page.bad == Some(bad));
        met.count() as u64
    }

    /// Counts the offers that ended so, or are in this state.
    pub(super) fn count(&self, end: OfferEnd) -> u64 {
        let ends = self.pages.iter().flat_map(|page| &page.ends);
        ends.filter(|e| **e == end).count() as u64
    }

    /// Writes the book as JSON: a device a line, whether it was offered anything or
    /// not.
    pub(super) fn json(&self) -> Vec<Value> {
        let numbered = (0..).zip(&self.pages);
        let device = |(number, page): (u32, &Page)| {
            let ends: Vec<_> = page.ends.iter().map(|end| end.key()).collect();
            json!({
                "mac": self.macs.mac(number),
                "bad": page.bad.map(Bad::key),
                "end": ends.last(),
                "ends": ends,
            })
        };
        numbered.map(device).collect()
    }
}

/// Returns a hash of what lies at an address. Behind a question mark stands who
/// asks, if anything.
fn content(url: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    url.split('?').next().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERM: Duration = Duration::from_secs(10);

    /// Plays steps on one device, each a second after the one before.
    fn played(steps: &str) -> Vec<&'static str> {
        let mut book = Book::new(1, TERM, MacPrefix::default());
        let mut now = Instant::now();
        for step in steps.split_whitespace() {
            now += Duration::from_secs(1);
            match step {
                "a" | "b" | "a?t=1" => book.offered(0, step),
                "begin" => book.fetching(0),
                "whole" => book.fetched(0, now),
                "cut" => book.cut(0),
                "wait" => now += TERM,
                "old" => book.checked(0, false, now),
                "new" => book.checked(0, true, now),
                _ => book.left(0),
            }
        }
        book.pages[0].ends.iter().map(|end| end.key()).collect()
    }

    #[test]
    fn every_offer_has_the_end_that_a_server_sees() {
        for (steps, ends) in [
            ("old", &[][..]),
            ("old a", &["offered"]),
            ("old a begin", &["fetching"]),
            ("old a begin whole", &["fetched"]),
            ("old a begin whole new", &["succeeded"]),
            ("old a begin whole wait new", &["succeeded"]),
            ("old a begin whole old", &["rolled-back"]),
            ("old a begin whole wait old", &["silent"]),
            ("old a begin whole left", &["silent"]),
            ("old a begin cut", &["interrupted"]),
            ("old a begin left", &["interrupted"]),
            ("old a left", &["interrupted"]),
            ("old a cut left", &["interrupted"]),
            ("old a begin cut old", &["interrupted"]),
            ("old a begin cut old a?t=1 begin whole new", &["succeeded"]),
            (
                "old a begin cut old b begin whole new",
                &["superseded", "succeeded"],
            ),
            (
                "old a begin whole old a begin whole old",
                &["rolled-back"; 2],
            ),
            (
                "old a begin whole wait old a begin whole left",
                &["silent"; 2],
            ),
            (
                "old a begin whole old a left",
                &["rolled-back", "interrupted"],
            ),
            (
                "old a begin whole new b begin whole old",
                &["succeeded", "rolled-back"],
            ),
            ("old a begin whole new old left", &["succeeded"]),
        ] {
            assert_eq!(played(steps), ends, "{steps}");
        }
    }

    /// Where one did not, the book would have to know it.
    #[test]
    fn every_check_says_what_runs() {
        use crate::probe::line::Line;
        use xiaozhi_device::checkin::Report;
        for line in Line::ALL {
            let plan = super::super::plan::Plan {
                line: Some(line),
                ..super::super::plan::tests::plan(4)
            };
            for number in 0..plan.devices {
                let body = plan.device(number).body();
                let report = Report::read(body.as_bytes());
                assert_eq!(report.version.as_deref(), Some("1.6.0"), "{body}");
                assert!(report.elf_sha256.is_some(), "{body}");
            }
        }
    }

    #[test]
    fn the_json_names_everybody() {
        let mut book = Book::new(2, TERM, MacPrefix::default());
        book.offered(1, "a");
        book.met(1, Bad::Crash);
        let expected = json!([
            {"mac": "02:00:00:00:00:00", "bad": null, "end": null, "ends": []},
            {"mac": "02:00:00:00:00:01", "bad": "crash", "end": "offered", "ends": ["offered"]},
        ]);
        assert_eq!(Value::from(book.json()), expected);
        assert_eq!(
            (book.count_bad(Bad::Crash), book.count_bad(Bad::Dead)),
            (1, 0)
        );
        assert_eq!(book.count(OfferEnd::Offered), 1);
    }
}
