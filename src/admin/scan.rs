//! Pages and counts of the fleet, as they are shown. Nobody who checks in waits for one: the
//! fleet is looked through a stretch at a time, so that counts are those of no single moment.

use super::fleet_source::FleetSource;
use super::query::{DeviceQuery, OfferQuery, bad};
use super::reply::Refusal;
use super::server_source::BackendView;
use super::standing::StandingOrders;
use super::types::{
    Device, Devices, Ends, FailingFile, File, Firmware, FleetCounts, Held, ModelCount,
    OfferToDevice, Offers, Seen, Transports, UpstreamState, VersionCount,
};
use crate::event::text::Text;
use crate::fleet::{Content, DeviceId, Fleet, Record};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap};
use std::time::SystemTime;

/// Returns a place in a list as it is shown, which says nothing to anybody else.
fn shown(place: &str) -> String {
    URL_SAFE_NO_PAD.encode(place)
}

fn place(shown: &str) -> Result<String, Refusal> {
    let bytes = URL_SAFE_NO_PAD.decode(shown).ok();
    let place = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    place.ok_or_else(no_place)
}

fn no_place() -> Refusal {
    const WHY: Text = Text::new("请用上一页的 next", "take what the page before had as next");
    bad("after".to_owned(), WHY, "")
}

/// A page of devices, and the value of `after` for the next one.
pub(super) type Records = (Vec<(DeviceId, Record)>, Option<String>);

/// Returns a page of the devices that are asked for.
pub(super) fn records(fleet: &Fleet, query: &DeviceQuery) -> Result<Records, Refusal> {
    let after = query.after.as_deref().map(place).transpose()?;
    let after = after.map(|id| DeviceId::new(&id));
    let page = fleet.devices(&query.filter, after.as_ref(), query.limit);
    let next = page.next.map(|id| shown(&id.to_string()));
    Ok((page.devices, next))
}

/// Returns the same as the API has it.
pub(super) fn devices(
    fleet: &Fleet,
    orders: &StandingOrders,
    query: &DeviceQuery,
    now: SystemTime,
) -> Result<Devices, Refusal> {
    let (devices, next) = records(fleet, query)?;
    let devices = devices.iter();
    Ok(Devices {
        devices: devices
            .map(|(id, record)| Device::new(id, record, orders, now))
            .collect(),
        next,
    })
}

/// Order of offers, newest first: its time in milliseconds since 1970, its device, its number
/// there.
type OfferKey = (Reverse<u64>, DeviceId, u16);

/// An offer, in that order.
struct Kept(OfferKey, OfferToDevice);

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Kept {}

impl PartialOrd for Kept {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Kept {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

/// Returns a page of the newest offers that are asked for, of devices with a MAC address.
pub(super) fn offers(fleet: &Fleet, query: &OfferQuery) -> Result<Offers, Refusal> {
    let after = query.after.as_deref().map(offer_key).transpose()?;
    // One more says whether there is another page.
    let most = query.limit.saturating_add(1);
    let mut newest = BinaryHeap::with_capacity(most + 1);
    fleet.each(|id, record| {
        let history = record.history.as_deref();
        let offers = history.map_or(&[][..], |history| &history.offers);
        let newest_one = offers.last().map(|offer| offer.number);
        for offer in offers {
            if query.newest && newest_one != Some(offer.number) {
                continue;
            }
            let is_wanted = query.end.is_none_or(|end| end == offer.end)
                && query
                    .file
                    .as_deref()
                    .is_none_or(|file| *file == *offer.image.file);
            let oldest = newest.peek().filter(|_| newest.len() >= most);
            let is_older = |Kept((Reverse(oldest), ..), _): &Kept| offer.at < *oldest;
            if !is_wanted || oldest.is_some_and(is_older) {
                continue;
            }
            let key = (Reverse(offer.at), id.clone(), offer.number);
            if after.as_ref().is_none_or(|after| key > *after) {
                newest.push(Kept(key, OfferToDevice::new(id, offer)));
                if newest.len() > most {
                    newest.pop();
                }
            }
        }
    });
    let mut found = newest.into_sorted_vec();
    let is_last = found.len() <= query.limit;
    found.truncate(query.limit);
    let next = found.last().filter(|_| !is_last);
    let next = next.map(|Kept((Reverse(at), id, number), _)| shown(&format!("{at}.{number}.{id}")));
    Ok(Offers {
        next,
        offers: found.into_iter().map(|Kept(_, offer)| offer).collect(),
    })
}

fn offer_key(shown: &str) -> Result<OfferKey, Refusal> {
    let text = place(shown)?;
    let mut parts = text.splitn(3, '.');
    let at = parts.next().and_then(|at| at.parse().ok());
    let number = parts.next().and_then(|number| number.parse().ok());
    match (at, number, parts.next()) {
        (Some(at), Some(number), Some(id)) => Ok((Reverse(at), DeviceId::new(id), number)),
        _ => Err(no_place()),
    }
}

/// Counts the devices with a MAC address. What a server behind answered once says nothing
/// where there is none.
pub(super) fn counts(fleet: &Fleet, upstream: Option<BackendView>, now: SystemTime) -> FleetCounts {
    let summary = fleet.summary(now);
    let held = upstream.as_ref().map_or([0; 2], |_| summary.held);
    let mut models = HashMap::<&str, u64>::new();
    for (model, _, devices) in &summary.versions {
        *models.entry(model).or_default() += devices;
    }
    let models = models.into_iter();
    let mut models: Vec<_> = models
        .map(|(model, devices)| ModelCount {
            model: model.to_owned(),
            devices,
        })
        .collect();
    models.sort_by(|one, other| {
        let names = || one.model.cmp(&other.model);
        other.devices.cmp(&one.devices).then_with(names)
    });
    let [http, https] = summary.transports;
    let [hour, day, week] = summary.seen;
    let [not_activated, updates_off] = held;
    let versions = summary.versions.into_iter();
    let failing = summary.failing.into_iter();
    let failing = failing.map(|(file, devices)| FailingFile { file, devices });
    FleetCounts {
        devices: summary.devices,
        others: fleet.others(),
        models,
        versions: versions
            .map(|(model, version, devices)| VersionCount {
                model,
                version,
                devices,
            })
            .collect(),
        ends: Ends::from(summary.ends),
        failing: failing.collect(),
        transports: Transports { http, https },
        seen: Seen { hour, day, week },
        held: Held {
            not_activated,
            updates_off,
        },
        upstream: upstream.map(UpstreamState::from),
    }
}

/// Returns every file, and how the offers of its content ended.
pub(super) fn firmware(source: &dyn FleetSource) -> Firmware {
    let ends = source.fleet().ends_by_content();
    let (files, could_get) = (source.files().into_iter(), source.could_get());
    let files = files.map(|file| {
        let content = file.sha256.as_ref().map(Content::of);
        let ends = content.and_then(|content| ends.get(&content).copied());
        let could_get = could_get.get(&file.file).copied().unwrap_or(0);
        File::new(
            file,
            could_get,
            Ends::from(ends.unwrap_or_default().map(|ended| ended.offers)),
        )
    });
    Firmware {
        files: files.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::journal::Kept as _;
    use crate::fleet::{
        Build, ClientId, FleetStart, History, Offer, OfferEnd, OfferedImage, Profile,
    };
    use std::collections::HashSet;
    use std::sync::Arc;
    use std::time::Duration;

    const NOW: u64 = 1_700_000_000_000;

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(NOW)
    }

    fn offer(number: u16, end: OfferEnd, at: u64) -> Offer {
        Offer {
            number,
            end,
            attempt: 0,
            forced: 0,
            forced_at: 0,
            image: Arc::new(OfferedImage {
                file: "esp32s3_1.6.7.bin".into(),
                version: "1.6.7".into(),
                ..OfferedImage::default()
            }),
            before: Arc::default(),
            at,
            since: 0,
        }
    }

    /// So many devices, a minute between two, each third one without a name; each with two
    /// offers.
    fn fleet_of(count: u64) -> Fleet {
        let devices = (0..count).map(|number| {
            let id = DeviceId::new(&format!(
                "aa:bb:cc:00:{:02x}:{:02x}",
                number >> 8,
                number & 0xff
            ));
            let profile = Profile {
                board_type: (number % 3 > 0).then(|| "esp32s3".into()),
                ..Profile::default()
            };
            let build = Build {
                reported: Some("1.6.6".into()),
                ..Build::default()
            };
            let client = ClientId::new("");
            let mut record = Record::new(
                client,
                Arc::new(profile),
                Arc::new(build),
                NOW - number * 60_000,
            );
            record.is_secure = number % 3 == 0;
            record.is_settled = true;
            record.history = Some(Box::new(History {
                offers: vec![
                    offer(1, OfferEnd::Succeeded, NOW - number - 500),
                    offer(2, OfferEnd::Silent, NOW - number),
                ],
                failed: Vec::new(),
            }));
            (id, record)
        });
        let fleet = Fleet::new(FleetStart::default());
        fleet.read(devices.collect());
        fleet
    }

    fn pages(fleet: &Fleet, query: &str) -> Vec<usize> {
        let mut after = String::new();
        let mut seen = HashSet::new();
        let mut sizes = Vec::new();
        loop {
            let query = format!("{query}&after={after}");
            let query = DeviceQuery::read(Some(&query), now()).unwrap();
            let page = serde_json::to_value(
                devices(fleet, &StandingOrders::default(), &query, now()).unwrap(),
            )
            .unwrap();
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
        assert_eq!(pages(&fleet, "end=silent&limit=600"), [600]);
        assert_eq!(pages(&fleet, "end=succeeded"), [0]);
        assert_eq!(pages(&fleet, "q=00:01:0"), [16]);
        assert_eq!(pages(&fleet, "seen_since=1h"), [61]);
        assert_eq!(pages(&fleet_of(0), ""), [0]);
        for wrong in ["%21", "_w", "x"] {
            let query = DeviceQuery::read(Some(&format!("after={wrong}")), now()).unwrap();
            assert!(
                devices(&fleet, &StandingOrders::default(), &query, now()).is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn there_are_as_many_devices_of_a_model_as_are_counted() {
        // A board's name says more than its type, and several boards have one type.
        let boards = [
            (Some("bread-128x64"), Some("bread")),
            (Some("bread-128x32"), Some("bread")),
            (None, Some("bread")),
            (Some("bread-128x64"), None),
            (None, None),
        ];
        let devices = boards.iter().zip(1..).map(|((name, kind), number)| {
            let profile = Profile {
                board_name: name.map(Into::into),
                board_type: kind.map(Into::into),
                ..Profile::default()
            };
            let id = DeviceId::new(&format!("aa:bb:cc:00:00:{number:02x}"));
            let client = ClientId::new("");
            let record = Record::new(client, Arc::new(profile), Arc::default(), NOW);
            (id, record)
        });
        let fleet = Fleet::new(FleetStart::default());
        fleet.read(devices.collect());
        let listed = |model: &str| pages(&fleet, &format!("model={model}"));
        let counted = counts(&fleet, None, now()).models;
        assert_eq!(counted.len(), 4);
        for model in counted {
            let devices = usize::try_from(model.devices).unwrap();
            assert_eq!(listed(&model.model), [devices], "{model:?}");
        }
        assert_eq!(listed("bread-128x64"), [2]);
    }

    #[test]
    fn a_device_is_shown_newest_offer_first_and_unknowns_as_null() {
        let fleet = fleet_of(1);
        let query = DeviceQuery::read(None, now()).unwrap();
        let page = serde_json::to_value(
            devices(&fleet, &StandingOrders::default(), &query, now()).unwrap(),
        )
        .unwrap();
        let offer = |end: &str, at: &str| {
            serde_json::json!({
                "file": "esp32s3_1.6.7.bin", "version": "1.6.7", "end": end, "at": at,
            })
        };
        let expected = serde_json::json!({"devices": [{
            "mac": "aa:bb:cc:00:00:00",
            "client_id": null,
            "board": {"name": null, "type": null},
            "chip": null,
            "revision": null,
            "flash": null,
            "version": "1.6.6",
            "elf_sha256": null,
            "slot": null,
            "first_seen": "2023-11-14T22:13:20Z",
            "last_seen": "2023-11-14T22:13:20Z",
            "address": null,
            "transport": "https",
            "boots": 0,
            "why": null,
            "offers": [
                offer("silent", "2023-11-14T22:13:20Z"),
                offer("succeeded", "2023-11-14T22:13:19.5Z"),
            ],
            "failed": [],
            "ordered": [],
        }], "next": null});
        assert_eq!(page, expected);
    }

    #[test]
    fn offers_come_newest_first_and_once() {
        let fleet = fleet_of(600);
        for (filter, count) in [
            ("", 1200),
            ("&end=silent", 600),
            ("&file=other", 0),
            ("&newest=true", 600),
            ("&newest=true&end=succeeded", 0),
        ] {
            let mut after = String::new();
            let mut times = Vec::new();
            let mut seen = HashSet::new();
            loop {
                let query = format!("limit=70{filter}&after={after}");
                let query = OfferQuery::read(Some(&query)).unwrap();
                let page = serde_json::to_value(offers(&fleet, &query).unwrap()).unwrap();
                for offer in page["offers"].as_array().unwrap() {
                    assert!(seen.insert(offer.to_string()), "{offer}");
                    times.push(offer["at"].as_str().unwrap().to_owned());
                }
                match page["next"].as_str() {
                    Some(next) => after = next.to_owned(),
                    None => break,
                }
            }
            assert_eq!(times.len(), count, "{filter}");
            let times = times
                .iter()
                .map(|time| time.parse::<jiff::Timestamp>().unwrap());
            assert!(times.is_sorted_by(|a, b| a >= b), "{filter}");
        }
        let query = OfferQuery::read(Some("after=eA")).unwrap();
        assert!(offers(&fleet, &query).is_err());
    }

    #[test]
    fn counts_add_up() {
        let counts = counts(&fleet_of(300), None, now());
        assert_eq!(counts.devices, 300);
        let models = counts.models.iter();
        let models: Vec<_> = models
            .map(|count| (count.model.as_str(), count.devices))
            .collect();
        assert_eq!(models, [("esp32s3", 200), ("default", 100)]);
        assert_eq!(counts.versions.iter().map(|v| v.devices).sum::<u64>(), 300);
        assert_eq!(
            (counts.transports.http, counts.transports.https),
            (200, 100)
        );
        assert_eq!((counts.seen.day, counts.seen.week), (300, 300));
        let ends = serde_json::to_value(&counts.ends).unwrap();
        assert_eq!(
            (ends["silent"].as_u64(), ends["succeeded"].as_u64()),
            (Some(300), Some(0))
        );
        let failing = serde_json::to_value(&counts.failing).unwrap();
        assert_eq!(
            failing,
            serde_json::json!([{"file": "esp32s3_1.6.7.bin", "devices": 300}])
        );
    }
}
