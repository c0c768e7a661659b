//! Joining of what the store knew of a device with what happened since the start: it came
//! before its row was read.

use super::super::about::Build;
use super::super::offer_end::OfferEnd;
use super::{Change, History, Moment, OFFERS, Offer, failed};

impl History {
    /// Puts what happened `since` the start behind this, which the store knew. The device says
    /// that it runs `build`, if it says anything of that. Returns the changes.
    pub(in crate::fleet) fn join(
        &mut self,
        since: Option<Self>,
        build: Option<&Build>,
        now: Moment,
    ) -> Vec<Change> {
        let checked = build.and_then(|build| self.checked(build, now));
        let mut changes: Vec<_> = checked.into_iter().collect();
        let since = since.unwrap_or_default();
        // What ran since did not fail before, and what failed since did so once more.
        let ran = since.offers.iter();
        for offer in ran.filter(|offer| offer.end == OfferEnd::Succeeded) {
            let content = offer.image.content;
            self.failed.retain(|failure| failure.content != content);
        }
        for failure in since.failed {
            failed::add(&mut self.failed, failure.content, failure.times, failure.at);
        }
        for offer in since.offers {
            changes.extend(self.append(offer, now));
        }
        changes
    }

    /// Puts an offer behind the others: the last of them goes on in it, where it is of the same
    /// content, or makes room for it.
    fn append(&mut self, mut offer: Offer, now: Moment) -> Option<Change> {
        // How often it was forced before counts on.
        let mut before = self.offers.iter().rev();
        let before = before.find(|before| before.image.content == offer.image.content);
        if let Some(before) =
            before.filter(|before| before.before.version() == offer.before.version())
        {
            offer.forced = offer.forced.saturating_add(before.forced);
        }
        let mut left = None;
        if let Some(at) = self.offers.len().checked_sub(1)
            && let Some(last) = self.offers.get_mut(at)
            && last.end.is_open() | last.end.goes_on()
        {
            if last.image.content == offer.image.content {
                // Its token has the new number.
                *last = offer;
                return None;
            }
            left = self.set(at, OfferEnd::Superseded, now);
        }
        self.offers.reserve_exact(1);
        self.offers.push(offer);
        if self.offers.len() > OFFERS {
            self.offers.remove(0);
        }
        left
    }
}
