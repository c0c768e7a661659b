//! Standing of a device: what failed on it, and what people ordered about it that it has not
//! followed yet.

use super::time::rfc3339;
use crate::fleet::orders::{Act, ActKind};
use crate::fleet::{Content, DeviceId, Fleet, History, Record};
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::time::UNIX_EPOCH;
use utoipa::ToSchema;
use xiaozhi_device::hex;

/// An image that failed on a device.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Failed)]
pub(super) struct FailedImage {
    /// Name under which it was offered; null where none of the offers that are kept was of it.
    #[schema(required)]
    pub(super) file: Option<String>,
    #[schema(required)]
    pub(super) version: Option<String>,
    /// First 16 bytes of the SHA-256 of the whole file.
    #[schema(example = "9f86d081884c7d659a2feaa0c55ad015")]
    pub(super) content: String,
    /// Number of offers that ended `rolled-back` or `silent`.
    pub(super) times: u32,
    /// True where it failed so often that it is offered to the device no more.
    pub(super) given_up: bool,
}

/// An order to try again, which the device has not followed yet.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Ordered {
    /// The file that it is about; null for all that failed.
    #[schema(required)]
    pub(super) file: Option<String>,
    /// Time of the order.
    #[schema(format = DateTime)]
    pub(super) at: String,
}

/// Orders to try again, by device, the newest first.
#[derive(Debug, Default)]
pub(super) struct StandingOrders(HashMap<DeviceId, Vec<Act>>);

impl StandingOrders {
    /// Takes all acts that are kept, the newest first.
    pub(super) fn of(acts: Vec<Act>) -> Self {
        let mut orders: HashMap<DeviceId, Vec<Act>> = HashMap::new();
        for act in acts {
            if let (ActKind::Retry, Some(device)) = (&act.kind, &act.device) {
                orders.entry(DeviceId::new(device)).or_default().push(act);
            }
        }
        Self(orders)
    }

    /// Returns those about a device that it was offered nothing by yet.
    pub(super) fn waiting(&self, id: &DeviceId, record: &Record) -> Vec<Ordered> {
        let acts = self.0.get(id).map(Vec::as_slice).unwrap_or_default();
        let acts = unfollowed(acts, record.history.as_deref());
        let ordered = acts.map(|act| Ordered {
            file: act.file.clone(),
            at: rfc3339(millis(act)),
        });
        ordered.collect()
    }

    /// Counts those that no device has followed yet, as [`Self::waiting`] lists them. What is
    /// ordered about a device that is not known waits for it.
    fn open(&self, fleet: &Fleet) -> usize {
        let each = self.0.iter().map(|(id, acts)| {
            let record = fleet.find(id);
            let history = record.as_ref().and_then(|record| record.history.as_deref());
            unfollowed(acts, history).count()
        });
        each.sum()
    }
}

/// Counts the orders to try again among all acts that are kept, the newest first, that no
/// device has followed yet.
pub(crate) fn open_orders(acts: Vec<Act>, fleet: &Fleet) -> usize {
    StandingOrders::of(acts).open(fleet)
}

/// Picks the orders in force about a device, of those about it, that nothing has become of.
fn unfollowed<'a>(acts: &'a [Act], history: Option<&'a History>) -> impl Iterator<Item = &'a Act> {
    let mut seen = HashSet::new();
    acts.iter().filter(move |act| {
        // A newer one, of the same or of all, stands for this one.
        if seen.contains(&None) || !seen.insert(act.content) {
            return false;
        }
        let content = act.content.map(Content);
        history.is_none_or(|history| is_waiting(history, content, millis(act)))
    })
}

/// Returns the time of an act, in milliseconds since 1970.
fn millis(act: &Act) -> u64 {
    let at = act.at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(at.as_millis()).unwrap_or(u64::MAX)
}

/// Tells whether nothing has become of the offers since an order that is about a content, or
/// about all.
fn is_waiting(history: &History, content: Option<Content>, at: u64) -> bool {
    let is_meant = |of: Content| content.is_none_or(|content| content == of);
    let offers = || history.offers.iter().rev();
    let found = offers().find(|offer| is_meant(offer.image.content));
    found
        .or_else(|| history.offers.last())
        .is_none_or(|offer| offer.at <= at)
}

/// Lists what failed on a device.
pub(super) fn failed(record: &Record) -> Vec<FailedImage> {
    let Some(history) = record.history.as_deref() else {
        return Vec::new();
    };
    let failed = history.failed.iter().map(|failure| {
        let mut offers = history.offers.iter().rev();
        let offer = offers.find(|offer| offer.image.content == failure.content);
        let image = offer.map(|offer| &offer.image);
        FailedImage {
            file: image.map(|image| image.file.to_string()),
            version: image.map(|image| image.version.to_string()),
            content: hex::encode(&failure.content.0),
            times: failure.times,
            given_up: failure.is_given_up(),
        }
    });
    failed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::journal::Kept as _;
    use crate::fleet::{ClientId, Failure, FleetStart, Offer, OfferEnd, OfferedImage};
    use std::sync::Arc;
    use std::time::Duration;

    const ONE: Content = Content([1; 16]);
    const OTHER: Content = Content([2; 16]);

    fn record(offers: &[(Content, u64)], failed: &[(Content, u32)]) -> Record {
        let offers = offers.iter().map(|(content, at)| Offer {
            number: 1,
            end: OfferEnd::Silent,
            attempt: 0,
            forced: 0,
            forced_at: 0,
            image: Arc::new(OfferedImage {
                file: format!("a_{}.bin", content.0[0]).into(),
                version: "1.0".into(),
                content: *content,
                ..OfferedImage::default()
            }),
            before: Arc::default(),
            at: *at,
            since: 0,
        });
        let failed = failed.iter().map(|(content, times)| Failure {
            content: *content,
            times: *times,
            at: 0,
        });
        let mut record = Record::new(ClientId::new("c"), Arc::default(), Arc::default(), 0);
        record.history = Some(Box::new(History {
            offers: offers.collect(),
            failed: failed.collect(),
        }));
        record
    }

    fn act(at: u64, content: Option<Content>) -> Act {
        Act {
            at: UNIX_EPOCH + Duration::from_millis(at),
            kind: ActKind::Retry,
            by: "n".to_owned(),
            from: "::1".to_owned(),
            device: Some("aa:bb:cc:dd:ee:ff".to_owned()),
            file: content.map(|content| format!("a_{}.bin", content.0[0])),
            content: content.map(|content| content.0),
        }
    }

    fn waiting(acts: Vec<Act>, record: &Record) -> Vec<Option<String>> {
        let orders = StandingOrders::of(acts);
        let waiting = orders.waiting(&DeviceId::new("AABBCCDDEEFF"), record);
        waiting.into_iter().map(|ordered| ordered.file).collect()
    }

    #[test]
    fn what_failed_has_the_name_of_its_newest_offer_if_one_is_kept() {
        let record = record(&[(ONE, 1)], &[(ONE, 2), (OTHER, 1)]);
        let shown = serde_json::to_value(failed(&record)).unwrap();
        let expected = serde_json::json!([
            {"file": "a_1.bin", "version": "1.0", "content": "01".repeat(16), "times": 2, "given_up": true},
            {"file": null, "version": null, "content": "02".repeat(16), "times": 1, "given_up": false},
        ]);
        assert_eq!(shown, expected);
    }

    #[test]
    fn an_order_waits_until_there_is_an_offer_by_it() {
        let name = |n: u8| Some(format!("a_{n}.bin"));
        let before = record(&[(ONE, 10), (OTHER, 11)], &[]);
        let one = || vec![act(20, Some(ONE))];
        assert_eq!(waiting(one(), &before), [name(1)]);
        assert_eq!(waiting(vec![act(20, None)], &before), [None]);
        // Another's offer is none by it.
        let other = record(&[(ONE, 10), (OTHER, 21)], &[]);
        assert_eq!(waiting(one(), &other), [name(1)]);
        let after = record(&[(OTHER, 11), (ONE, 21)], &[]);
        assert!(waiting(one(), &after).is_empty());
        assert!(waiting(vec![act(20, None)], &after).is_empty());
        // The newest of several is the one in force.
        let several = || vec![act(30, None), act(29, Some(ONE)), act(28, None)];
        assert_eq!(waiting(several(), &before), [None]);
        let twice = vec![act(30, Some(ONE)), act(29, Some(OTHER)), act(28, Some(ONE))];
        assert_eq!(waiting(twice, &before), [name(1), name(2)]);
    }

    #[test]
    fn an_order_is_open_until_its_device_has_followed_it() {
        let open = |acts: Vec<Act>, record: Option<Record>| {
            let fleet = Fleet::new(FleetStart::default());
            let device = record.map(|record| (DeviceId::new("AABBCCDDEEFF"), record));
            fleet.read(device.into_iter().collect());
            open_orders(acts, &fleet)
        };
        let before = || Some(record(&[(ONE, 10), (OTHER, 11)], &[]));
        let after = || Some(record(&[(OTHER, 11), (ONE, 21)], &[]));
        let one = || vec![act(20, Some(ONE))];
        assert_eq!((open(one(), before()), open(one(), after())), (1, 0));
        assert_eq!(open(vec![], before()), 0);
        // Its device may come yet.
        assert_eq!(open(one(), None), 1);
        // Of those that a newer one stands for none is counted.
        let several = || vec![act(30, None), act(29, Some(ONE)), act(28, None)];
        assert_eq!((open(several(), before()), open(several(), None)), (1, 1));
        let two = || vec![act(22, Some(ONE)), act(20, Some(OTHER))];
        assert_eq!((open(two(), before()), open(two(), after())), (2, 2));
    }
}
