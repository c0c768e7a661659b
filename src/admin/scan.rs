//! Looks through the fleet, a page at a time: nobody who checks in waits for more than a
//! page. Counts of a fleet that changes meanwhile are those of no single moment.

use super::fleet_source::{FleetSource, OfferView, PlacedDevice};
use super::query::{DeviceQuery, OfferQuery};
use super::reply::Refusal;
use super::types::{
    Device, Devices, Ends, File, Firmware, Fleet, ModelCount, OfferToDevice, Offers, Seen,
    Transports, VersionCount,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, SystemTime};

/// Number of devices of a page.
const PAGE: usize = 256;
/// Number of models, and of their versions, that are counted by name: anybody can invent
/// some.
const NAMED: usize = 10_000;

/// Every device behind a place, page by page.
struct Scan<'a> {
    fleet: &'a dyn FleetSource,
    after: Option<String>,
    page: std::vec::IntoIter<PlacedDevice>,
    is_last: bool,
}

impl<'a> Scan<'a> {
    fn new(fleet: &'a dyn FleetSource, after: Option<String>) -> Self {
        Self {
            fleet,
            after,
            page: Vec::new().into_iter(),
            is_last: false,
        }
    }
}

impl Iterator for Scan<'_> {
    type Item = PlacedDevice;

    fn next(&mut self) -> Option<PlacedDevice> {
        loop {
            if let Some(device) = self.page.next() {
                return Some(device);
            }
            if self.is_last {
                return None;
            }
            let page = self.fleet.page(self.after.as_deref(), PAGE);
            self.is_last = page.len() < PAGE;
            if let Some(last) = page.last() {
                self.after = Some(last.place.clone());
            }
            self.page = page.into_iter();
        }
    }
}

/// Returns a place as it is shown, which says nothing to anybody else.
fn shown(place: &str) -> String {
    URL_SAFE_NO_PAD.encode(place)
}

fn place(shown: &str) -> Result<String, Refusal> {
    let bytes = URL_SAFE_NO_PAD.decode(shown).ok();
    let place = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    place.ok_or_else(no_place)
}

fn no_place() -> Refusal {
    Refusal::BadQuery("after: take what the page before had as next".to_owned())
}

/// Returns a page of the devices that are asked for.
pub(super) fn devices(fleet: &dyn FleetSource, query: &DeviceQuery) -> Result<Devices, Refusal> {
    let after = query.after.as_deref().map(place).transpose()?;
    let wanted = Scan::new(fleet, after).filter(|placed| query.wants(&placed.device));
    // One more says whether there is another page.
    let mut found: Vec<_> = wanted.take(query.limit.saturating_add(1)).collect();
    let is_last = found.len() <= query.limit;
    found.truncate(query.limit);
    let next = found.last().filter(|_| !is_last);
    Ok(Devices {
        next: next.map(|last| shown(&last.place)),
        devices: found
            .into_iter()
            .map(|placed| Device::from(placed.device))
            .collect(),
    })
}

/// Order of offers, newest first: time in nanoseconds of the epoch, place of the device,
/// number of the offer there.
type OfferKey = (Reverse<u128>, String, usize);

/// Returns a page of the newest offers that are asked for.
pub(super) fn offers(fleet: &dyn FleetSource, query: &OfferQuery) -> Result<Offers, Refusal> {
    let after = query.after.as_deref().map(offer_key).transpose()?;
    let most = query.limit.saturating_add(1);
    let mut found = Vec::<(OfferKey, OfferView, String)>::new();
    for PlacedDevice { place, device } in Scan::new(fleet, None) {
        for (number, offer) in device.offers.into_iter().enumerate() {
            let is_wanted = query.end.as_deref().is_none_or(|end| end == offer.end)
                && query.file.as_ref().is_none_or(|file| *file == offer.file);
            let age = offer.at.duration_since(SystemTime::UNIX_EPOCH);
            let at = age.map_or(0, |age| age.as_nanos());
            let key = (Reverse(at), place.clone(), number);
            if is_wanted && after.as_ref().is_none_or(|after| key > *after) {
                found.push((key, offer, device.mac.clone()));
            }
        }
        if found.len() > most.saturating_mul(4) {
            keep_newest(&mut found, most);
        }
    }
    keep_newest(&mut found, most);
    let is_last = found.len() <= query.limit;
    found.truncate(query.limit);
    let next = found.last().filter(|_| !is_last);
    let next =
        next.map(|((Reverse(at), place, number), ..)| shown(&format!("{at}.{number}.{place}")));
    let offers = found.into_iter();
    Ok(Offers {
        next,
        offers: offers
            .map(|(_, offer, mac)| OfferToDevice::new(mac, offer))
            .collect(),
    })
}

fn keep_newest(found: &mut Vec<(OfferKey, OfferView, String)>, most: usize) {
    found.sort_by(|(key, ..), (other, ..)| key.cmp(other));
    found.truncate(most);
}

fn offer_key(shown: &str) -> Result<OfferKey, Refusal> {
    let text = place(shown)?;
    let mut parts = text.splitn(3, '.');
    let at = parts.next().and_then(|at| at.parse().ok());
    let number = parts.next().and_then(|number| number.parse().ok());
    match (at, number, parts.next()) {
        (Some(at), Some(number), Some(place)) => Ok((Reverse(at), place.to_owned(), number)),
        _ => Err(no_place()),
    }
}

/// Counts the fleet.
pub(super) fn fleet(fleet: &dyn FleetSource, now: SystemTime) -> Fleet {
    let mut models = HashMap::<Option<String>, u64>::new();
    let mut versions = HashMap::<(Option<String>, Option<String>), u64>::new();
    let mut counts = Fleet {
        devices: 0,
        models: Vec::new(),
        versions: Vec::new(),
        ends: Ends::default(),
        transports: Transports::default(),
        seen: Seen::default(),
    };
    for PlacedDevice { device, .. } in Scan::new(fleet, None) {
        counts.devices += 1;
        match device.transport {
            "https" => counts.transports.https += 1,
            _ => counts.transports.http += 1,
        }
        if let Some(newest) = device.offers.first() {
            counts.ends.count(newest.end);
        }
        // A clock that was set back has not made it absent.
        let ago = now.duration_since(device.last_seen).unwrap_or_default();
        let within = |hours: u64| u64::from(ago <= Duration::from_secs(hours * 3600));
        counts.seen.hour += within(1);
        counts.seen.day += within(24);
        counts.seen.week += within(7 * 24);
        count(&mut models, device.model.clone());
        count(&mut versions, (device.model, device.version));
    }
    let models = by_count(models).into_iter();
    counts.models = models
        .map(|(model, devices)| ModelCount { model, devices })
        .collect();
    let versions = by_count(versions).into_iter();
    counts.versions = versions
        .map(|((model, version), devices)| VersionCount {
            model,
            version,
            devices,
        })
        .collect();
    counts
}

/// Counts one more of a name, as long as there is room for names.
fn count<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, u64>, name: K) {
    if counts.len() < NAMED || counts.contains_key(&name) {
        *counts.entry(name).or_default() += 1;
    }
}

fn by_count<K: Ord>(counts: HashMap<K, u64>) -> Vec<(K, u64)> {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|(a, many), (b, others)| others.cmp(many).then_with(|| a.cmp(b)));
    counts
}

/// Returns every file, and how the last offer of it to each device ended.
pub(super) fn firmware(fleet: &dyn FleetSource) -> Firmware {
    let files = fleet.files();
    let mut ends: HashMap<&str, Ends> = files
        .iter()
        .map(|file| (file.file.as_str(), Ends::default()))
        .collect();
    for PlacedDevice { device, .. } in Scan::new(fleet, None) {
        let mut counted = HashSet::new();
        for offer in &device.offers {
            if counted.insert(offer.file.as_str())
                && let Some(ends) = ends.get_mut(offer.file.as_str())
            {
                ends.count(offer.end);
            }
        }
    }
    let ends: Vec<_> = files
        .iter()
        .map(|file| ends.get(file.file.as_str()).cloned().unwrap_or_default())
        .collect();
    let files = files.into_iter().zip(ends);
    Firmware {
        files: files.map(|(file, ends)| File::new(file, ends)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fleet_source::{DeviceView, FileView, OrderError};
    use super::super::query::tests::device;
    use super::*;
    use std::collections::BTreeMap;

    /// Devices by their MAC addresses.
    struct Kept(BTreeMap<String, DeviceView>);

    impl FleetSource for Kept {
        fn device(&self, id: &str) -> Option<DeviceView> {
            self.0.get(id).cloned()
        }

        fn page(&self, after: Option<&str>, most: usize) -> Vec<PlacedDevice> {
            let all = self.0.iter();
            all.filter(|(mac, _)| after.is_none_or(|after| mac.as_str() > after))
                .take(most)
                .map(|(mac, device)| PlacedDevice {
                    place: mac.clone(),
                    device: device.clone(),
                })
                .collect()
        }

        fn files(&self) -> Vec<FileView> {
            vec![FileView {
                file: "esp32s3_1.6.7.bin".to_owned(),
                model: None,
                version: None,
                size: None,
                sha256: None,
                verdict: "ready",
                why: None,
                words: None,
                could_get: 0,
            }]
        }

        fn retry(&self, _: &str, _: Option<&str>) -> Result<u64, OrderError> {
            Err(OrderError::NoDevice)
        }

        fn forget(&self, _: &str) -> Result<(), OrderError> {
            Err(OrderError::NoDevice)
        }
    }

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
    }

    /// So many devices, each third one of another model, of which each has two offers.
    fn fleet_of(count: u64) -> Kept {
        let devices = (0..count).map(|number| {
            let mac = format!("aa:bb:cc:00:{:02x}:{:02x}", number >> 8, number & 0xff);
            let mut device = device(&mac, number * 60);
            if number % 3 == 0 {
                device.model = None;
                device.transport = "https";
            }
            for (offer, before) in device.offers.iter_mut().zip([0, 500]) {
                offer.at = now() - Duration::from_secs(number + before);
            }
            (mac, device)
        });
        Kept(devices.collect())
    }

    fn pages(fleet: &Kept, query: &str) -> Vec<usize> {
        let mut after = String::new();
        let mut seen = HashSet::new();
        let mut sizes = Vec::new();
        loop {
            let query = format!("{query}&after={after}");
            let query = DeviceQuery::read(Some(&query), now()).unwrap();
            let page = serde_json::to_value(devices(fleet, &query).unwrap()).unwrap();
            let found = page["devices"].as_array().unwrap();
            sizes.push(found.len());
            for device in found {
                assert!(seen.insert(device["mac"].as_str().unwrap().to_owned()));
            }
            match page["next"].as_str() {
                Some(next) => after = next.to_owned(),
                None => return sizes,
            }
        }
    }

    #[test]
    fn pages_hold_everybody_once() {
        let fleet = fleet_of(600);
        assert_eq!(pages(&fleet, ""), [100; 6]);
        assert_eq!(pages(&fleet, "limit=256"), [256, 256, 88]);
        assert_eq!(pages(&fleet, "limit=1000"), [600]);
        assert_eq!(pages(&fleet, "limit=150&model=esp32s3"), [150, 150, 100]);
        assert_eq!(pages(&fleet, "model=none"), [0]);
        assert_eq!(pages(&fleet_of(0), ""), [0]);
        for wrong in ["%21", "_w", "x"] {
            let query = DeviceQuery::read(Some(&format!("after={wrong}")), now()).unwrap();
            assert!(devices(&fleet, &query).is_err(), "{wrong}");
        }
    }

    #[test]
    fn offers_come_newest_first_and_once() {
        let fleet = fleet_of(600);
        for (filter, count) in [("", 1200), ("&end=silent", 600), ("&file=other", 0)] {
            let mut after = String::new();
            let mut times = Vec::new();
            loop {
                let query = format!("limit=70{filter}&after={after}");
                let query = OfferQuery::read(Some(&query)).unwrap();
                let page = serde_json::to_value(offers(&fleet, &query).unwrap()).unwrap();
                for offer in page["offers"].as_array().unwrap() {
                    times.push(offer["at"].as_str().unwrap().to_owned());
                }
                match page["next"].as_str() {
                    Some(next) => after = next.to_owned(),
                    None => break,
                }
            }
            assert_eq!(times.len(), count, "{filter}");
            assert!(times.is_sorted_by(|a, b| a >= b), "{filter}");
        }
        let query = OfferQuery::read(Some("after=eA")).unwrap();
        assert!(offers(&fleet, &query).is_err());
    }

    #[test]
    fn counts_add_up() {
        let counts = fleet(&fleet_of(300), now());
        assert_eq!(counts.devices, 300);
        let of = |model: Option<&str>| {
            let mut models = counts.models.iter();
            models
                .find(|count| count.model.as_deref() == model)
                .unwrap()
                .devices
        };
        assert_eq!((of(None), of(Some("esp32s3"))), (100, 200));
        assert_eq!(counts.models[0].devices, 200);
        assert_eq!(counts.versions.iter().map(|v| v.devices).sum::<u64>(), 300);
        assert_eq!(
            (counts.transports.http, counts.transports.https),
            (200, 100)
        );
        assert_eq!(
            (counts.seen.hour, counts.seen.day, counts.seen.week),
            (61, 300, 300)
        );
        let ends = serde_json::to_value(&counts.ends).unwrap();
        assert_eq!(
            (ends["silent"].as_u64(), ends["succeeded"].as_u64()),
            (Some(300), Some(0))
        );
        // A device counts once for a file, with the newest end.
        let files = serde_json::to_value(firmware(&fleet_of(300))).unwrap();
        let ends = &files["files"][0]["ends"];
        assert_eq!(
            (ends["silent"].as_u64(), ends["succeeded"].as_u64()),
            (Some(300), Some(0))
        );
    }
}
