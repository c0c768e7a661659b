//! The life of an offer, from the check-in at which it is made to its end, and which images
//! failed on a device.
//!
//! ```text
//! offered -> fetching -> fetched -> succeeded | rolled-back | silent
//!        \_ interrupted, superseded
//! ```
//!
//! * A check that reports the new image is a success, whatever the end was before: it runs.
//! * After `fetched` the device restarts within a second and checks at once
//!   (`Ota::StartUpgrade` and `Application::Reboot` in the firmware): a check with what it
//!   ran before is a roll-back by its boot loader. One that does not come within the term is
//!   silence: the new image never got to a check, or its boot loader refused the image and
//!   the device runs on until its next boot, days later.
//! * A check that does not say what runs, as one whose body was lost on its way, ends nothing.
//! * What was not fetched whole is no failure of the image: it is interrupted, and the same
//!   content offered again goes on with the same offer.
//!
//! Time is counted in two ways: the wall clock's for people, and the time in which devices
//! could reach this server ([`Moment::served`]) for terms, so that our own outage makes
//! nobody silent. An offer knows when its term began, and not when it ends: whoever changes
//! `gateway.fleet.silent_after` changes it for those that wait, too.

mod failed;
mod joined;

#[cfg(test)]
pub(super) use failed::FAILED;
pub use failed::{Content, Failure};
pub(super) use failed::{ENOUGH, date_unknown, times_failed};

use super::about::Build;
use super::offer_end::OfferEnd;
use crate::ota::decide;
use std::sync::Arc;
use std::time::Duration;

/// Number of offers that are kept of a device, the newest ones.
pub(super) const OFFERS: usize = 5;

/// Image that was offered. Many offers share one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct OfferedImage {
    /// Name of the file.
    pub file: Box<str>,
    /// Version that the name promises.
    pub version: Box<str>,
    /// Version inside of the image, if it can be read.
    pub inside: Option<Box<str>>,
    /// ELF hash in the image, if it has one.
    pub elf_sha256: Option<[u8; 32]>,
    /// Content of the file.
    pub content: Content,
}

impl OfferedImage {
    /// Tells whether a device that runs `build` runs this image, which it did not when it ran
    /// `before`. The hash tells; and so does a version that it did not have before.
    fn runs_on(&self, build: &Build, before: &Build) -> bool {
        if self.elf_sha256.is_some() && self.elf_sha256 == build.elf_sha256 {
            return true;
        }
        let version = self.inside.as_deref().unwrap_or(&self.version);
        let reports = |build: &Build| {
            let reported = build.reported.as_deref();
            reported == Some(version) || build.said_version() == Some(version)
        };
        reports(build) && !reports(before)
    }

    /// Returns as much of what a device that runs it says of that as is in it.
    pub(super) fn build(&self) -> Build {
        Build {
            reported: Some(self.inside.as_deref().unwrap_or(&self.version).into()),
            elf_sha256: self.elf_sha256,
            ..Build::default()
        }
    }

    /// Tells whether a device that says `build` of itself says by it whether it runs this
    /// image.
    fn is_told_by(&self, build: &Build) -> bool {
        let has_hashes = self.elf_sha256.is_some() && build.elf_sha256.is_some();
        has_hashes || build.said_version().is_some()
    }
}

/// Tells whether both are one build: by the hash, by the version where either has none.
/// `None` where nobody knows.
pub(super) fn is_same(one: &Build, other: &Build) -> Option<bool> {
    if let (Some(one), Some(other)) = (one.elf_sha256, other.elf_sha256) {
        return Some(one == other);
    }
    let (one, other) = (one.said_version()?, other.said_version()?);
    Some(one == other)
}

/// One time at which something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Time of the wall clock, in milliseconds since 1970.
    pub wall: u64,
    /// Time in milliseconds for which devices could have reached this server, over all of
    /// its runs.
    pub served: u64,
    /// `gateway.fleet.silent_after`, in milliseconds.
    pub term: u64,
}

impl Moment {
    /// Tells whether a term is over that began at `since`, in served milliseconds. The later
    /// one of two terms is never over first.
    pub(super) fn is_over(self, since: u64) -> bool {
        self.served >= since.saturating_add(self.term)
    }
}

/// One offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Number, by which a download names it. It is one of a kind among those kept.
    pub number: u16,
    /// Its state.
    pub end: OfferEnd,
    /// Number of downloads that began: an older one's end says nothing.
    pub attempt: u8,
    /// Number of boots at which it was forced, without a success.
    pub forced: u8,
    /// Number of the boot at which it was forced last.
    pub forced_at: u32,
    /// Image that it is.
    pub image: Arc<OfferedImage>,
    /// Build that the device ran when it was offered.
    pub before: Arc<Build>,
    /// Time of the last change of its state, in milliseconds since 1970.
    pub at: u64,
    /// Time at which its term began, in served milliseconds.
    pub since: u64,
}

/// Offers of one device, and what failed on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// Offers that are kept, the oldest first.
    pub offers: Vec<Offer>,
    /// Images that failed, the one that did first at the front.
    pub failed: Vec<Failure>,
}

/// Change of an offer's state, for who counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// State that it left; `None` where it is new.
    pub from: Option<OfferEnd>,
    /// State that it is in.
    pub to: OfferEnd,
}

impl History {
    /// Takes a check-in that reports `build`. Returns the change that it makes, if any.
    pub fn checked(&mut self, build: &Build, now: Moment) -> Option<Change> {
        // What ran before a success, it may run again: somebody flashed it.
        let since = self
            .offers
            .iter()
            .rposition(|offer| offer.end == OfferEnd::Succeeded);
        let found = self
            .offers
            .iter()
            .rposition(|offer| offer.image.runs_on(build, &offer.before));
        if let Some(at) = found.filter(|at| since.is_none_or(|since| *at > since)) {
            let content = self.offers.get(at)?.image.content;
            self.failed.retain(|failure| failure.content != content);
            return self.set(at, OfferEnd::Succeeded, now);
        }
        let at = self.offers.len().checked_sub(1)?;
        let last = self.offers.get(at)?;
        if last.end != OfferEnd::Fetched || !last.image.is_told_by(build) {
            return None;
        }
        let end = if now.is_over(last.since) {
            OfferEnd::Silent
        } else if is_same(build, &last.before) == Some(true) {
            OfferEnd::RolledBack
        } else {
            // It runs something else again, or nobody knows what it ran: somebody may have
            // flashed it meanwhile, and nobody knows what became of this.
            OfferEnd::Interrupted
        };
        self.set(at, end, now)
    }

    /// Takes that a check-in is told of `image`, at the device's boot of this number. `fresh`
    /// is a number for an offer that is new. Returns the offer's number, and the changes.
    pub fn offered(
        &mut self,
        image: &Arc<OfferedImage>,
        before: &Arc<Build>,
        forced_at: Option<u32>,
        fresh: u16,
        now: Moment,
    ) -> (u16, [Option<Change>; 2]) {
        let mut left = None;
        if let Some(at) = self.offers.len().checked_sub(1)
            && let Some(last) = self.offers.get_mut(at)
            && last.end.is_open() | last.end.goes_on()
        {
            if last.end.goes_on() && last.image.content == image.content {
                if last.before.version() != before.version() {
                    last.forced = 0;
                }
                last.image = Arc::clone(image);
                last.before = Arc::clone(before);
                last.force(forced_at);
                let number = last.number;
                return (number, [self.set(at, OfferEnd::Offered, now), None]);
            }
            if last.end == OfferEnd::Fetched && last.image.content == image.content {
                // It came whole while this check-in was decided on.
                return (last.number, [None, None]);
            }
            left = self.set(at, OfferEnd::Superseded, now);
        }
        // How often it was forced counts for the content, whatever offers end between.
        let forced = self.of(image.content, before);
        let forced = forced.map_or((0, 0), |offer| (offer.forced, offer.forced_at));
        if self.offers.len() >= OFFERS {
            self.offers.remove(0);
        }
        let mut number = fresh;
        while self.offers.iter().any(|offer| offer.number == number) {
            number = number.wrapping_add(1);
        }
        let mut offer = Offer {
            number,
            end: OfferEnd::Offered,
            attempt: 0,
            forced: forced.0,
            forced_at: forced.1,
            image: Arc::clone(image),
            before: Arc::clone(before),
            at: now.wall,
            since: now.served,
        };
        offer.force(forced_at);
        // Most devices have one, and there are a million.
        self.offers.reserve_exact(1);
        self.offers.push(offer);
        let made = Change {
            from: None,
            to: OfferEnd::Offered,
        };
        (number, [left, Some(made)])
    }

    /// Takes that a download of the offer `number` begins, which is to be of this content.
    /// Returns the number of the attempt; `None` where it is not the device's newest offer, or
    /// is over.
    pub fn begun(&mut self, number: u16, now: Moment) -> Option<(u8, Option<Change>)> {
        let at = self.newest(number)?;
        let last = self.offers.get_mut(at)?;
        last.attempt = last.attempt.wrapping_add(1);
        let attempt = last.attempt;
        // A device can fetch the same URL several times, once more after all came, too.
        let change = match last.end {
            OfferEnd::Offered | OfferEnd::Interrupted => self.set(at, OfferEnd::Fetching, now),
            OfferEnd::Fetching | OfferEnd::Fetched => None,
            _ => return None,
        };
        Some((attempt, change))
    }

    /// Takes that the download was cut. Nothing follows where a later one began.
    pub fn cut(&mut self, number: u16, attempt: u8, now: Moment) -> Option<Change> {
        let at = self.newest(number)?;
        let last = self.offers.get(at)?;
        let is_it = last.attempt == attempt && last.end == OfferEnd::Fetching;
        is_it.then(|| self.set(at, OfferEnd::Interrupted, now))?
    }

    /// Takes that a download came whole, whichever of the offer's.
    pub fn fetched(&mut self, number: u16, now: Moment) -> Option<Change> {
        let at = self.newest(number)?;
        let end = self.offers.get(at)?.end;
        // The last one counts, where the device fetched it twice.
        let is_it = end.goes_on() || end == OfferEnd::Fetched;
        is_it.then(|| self.set(at, OfferEnd::Fetched, now))?
    }

    /// Takes that time has passed, and ends what waited too long.
    pub fn waited(&mut self, now: Moment) -> Option<Change> {
        let at = self.offers.len().checked_sub(1)?;
        let last = self.offers.get(at)?;
        if !last.end.is_open() || !now.is_over(last.since) {
            return None;
        }
        let end = if last.end == OfferEnd::Fetched {
            OfferEnd::Silent
        } else {
            OfferEnd::Interrupted
        };
        self.set(at, end, now)
    }

    /// Takes that this server was started anew: no download goes on. A term that seems to
    /// begin later than now has lost its clock, and begins now.
    pub fn restarted(&mut self, now: Moment) -> Option<Change> {
        let at = self.offers.len().checked_sub(1)?;
        let last = self.offers.get_mut(at)?;
        last.since = last.since.min(now.served);
        (last.end == OfferEnd::Fetching).then(|| self.set(at, OfferEnd::Interrupted, now))?
    }

    /// Returns the time at which the newest offer's term began, in served milliseconds;
    /// `None` where it waits for nothing.
    pub fn waits_since(&self) -> Option<u64> {
        let last = self.offers.last()?;
        last.end.is_open().then_some(last.since)
    }

    /// Tells whether the newest offer was fetched, and its end depends on what the device says
    /// next.
    pub(super) fn has_fetched(&self) -> bool {
        let last = self.offers.last();
        last.is_some_and(|last| last.end == OfferEnd::Fetched)
    }

    /// Returns how often an image failed. `None` says that this one may have, too: so many
    /// others did, or nobody can read which.
    pub fn times_failed(&self, content: Content) -> Option<u32> {
        let failed = self.failed.iter();
        times_failed(failed.map(|failed| (failed.content, failed.times)), content)
    }

    /// Tells whether an image failed so often that the device gets it no more, as far as that
    /// is known.
    pub fn has_given_up(&self, content: Content) -> bool {
        self.times_failed(content)
            .is_none_or(|times| times >= ENOUGH)
    }

    /// Returns the number of boots at which an image was forced on the device in vain, while
    /// it ran the version of `build`.
    pub fn times_forced(&self, content: Content, build: &Build) -> u32 {
        let offer = self.of(content, build);
        offer.map_or(0, |offer| offer.forced.into())
    }

    /// Forgets that an image failed, or all that did, up to this time in milliseconds since
    /// 1970. Returns the number of images that may be offered again by it.
    pub fn retry(&mut self, content: Option<Content>, until: u64) -> usize {
        let is_meant = |of: Content| content.is_none_or(|content| content == of);
        let mut freed: Vec<Content> = Vec::new();
        self.failed.retain(|failed| {
            let goes = is_meant(failed.content) && failed.at <= until;
            freed.extend((goes && failed.times >= ENOUGH).then_some(failed.content));
            !goes
        });
        for offer in &mut self.offers {
            let content = offer.image.content;
            if is_meant(content) && offer.at <= until && offer.end != OfferEnd::Succeeded {
                if u32::from(offer.forced) >= decide::FORCED && !freed.contains(&content) {
                    freed.push(content);
                }
                (offer.forced, offer.forced_at) = (0, 0);
            }
        }
        freed.len()
    }

    /// Returns the image that a device installed and runs, by what it says of that.
    pub(super) fn installed(&self, build: &Build) -> Option<&OfferedImage> {
        let mut offers = self.offers.iter().rev();
        let is_it = |image: &OfferedImage| is_same(&image.build(), build) == Some(true);
        let found = offers.find(|offer| offer.end == OfferEnd::Succeeded && is_it(&offer.image))?;
        Some(&found.image)
    }

    /// Tells whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.offers.is_empty() && self.failed.is_empty()
    }

    /// Returns the newest offer of a content, unless it succeeded, or the device has got on
    /// to another version.
    fn of(&self, content: Content, build: &Build) -> Option<&Offer> {
        let mut offers = self.offers.iter().rev();
        let found = offers.find(|offer| offer.image.content == content)?;
        let counts = found.end != OfferEnd::Succeeded && found.before.version() == build.version();
        counts.then_some(found)
    }

    fn newest(&self, number: u16) -> Option<usize> {
        let at = self.offers.len().checked_sub(1)?;
        (self.offers.get(at)?.number == number).then_some(at)
    }

    /// Sets the state of an offer, and counts a failure once.
    fn set(&mut self, at: usize, to: OfferEnd, now: Moment) -> Option<Change> {
        let offer = self.offers.get_mut(at)?;
        let from = offer.end;
        if to.is_open() {
            offer.since = now.served;
        }
        if from == to {
            return None;
        }
        (offer.end, offer.at) = (to, now.wall);
        if to.is_failure() {
            let content = offer.image.content;
            failed::add(&mut self.failed, content, 1, now.wall);
        }
        Some(Change {
            from: Some(from),
            to,
        })
    }
}

impl Offer {
    /// Counts a boot at which it is forced.
    fn force(&mut self, boot: Option<u32>) {
        if let Some(boot) = boot
            && (self.forced == 0 || self.forced_at != boot)
        {
            self.forced = self.forced.saturating_add(1);
            self.forced_at = boot;
        }
    }
}

/// Returns a time span in milliseconds.
pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
