//! JSON of the API. Times are UTC by RFC 3339, and what is not known is null.

use super::fleet_source::FileView;
use super::server_source::{BackendState, BackendView};
use super::standing::{self, FailedImage, Ordered, StandingOrders};
use super::time::rfc3339;
use crate::event::text::Lang;
use crate::fleet::{DeviceId, Offer, OfferEnd, Record};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::SystemTime;
use utoipa::ToSchema;
use xiaozhi_device::hex;

/// A device.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Device {
    /// MAC address; its id as it was sent, where that is none.
    #[schema(example = "aa:bb:cc:dd:ee:ff")]
    mac: String,
    #[schema(required)]
    client_id: Option<String>,
    board: Board,
    #[schema(required, example = "esp32s3")]
    chip: Option<String>,
    /// Revision of its chip.
    #[schema(required)]
    revision: Option<u64>,
    /// Size of its flash, in bytes.
    #[schema(required)]
    flash: Option<u64>,
    #[schema(required, example = "1.6.6")]
    version: Option<String>,
    #[schema(required)]
    elf_sha256: Option<String>,
    /// Label of the slot that it runs from.
    #[schema(required, example = "ota_0")]
    slot: Option<String>,
    #[schema(format = DateTime)]
    first_seen: String,
    #[schema(format = DateTime)]
    last_seen: String,
    /// Address from which it came last.
    #[schema(required)]
    address: Option<String>,
    #[schema(value_type = Transport)]
    transport: &'static str,
    /// Number of boots that were seen.
    boots: u32,
    /// Id of the answer that it got last: `offer`, `up-to-date`, or the id of the event that
    /// says why it was offered nothing (`withheld.chip`). Every id is in events.md.
    #[schema(required, example = "up-to-date")]
    why: Option<&'static str>,
    /// Its last offers, newest first.
    offers: Vec<OfferOfDevice>,
    /// Images that failed on it, the first first.
    failed: Vec<FailedImage>,
    /// Orders to try again that it has not followed yet, newest first.
    ordered: Vec<Ordered>,
}

/// Board of a device.
#[derive(Debug, Serialize, ToSchema)]
struct Board {
    #[schema(required)]
    name: Option<String>,
    #[schema(required)]
    r#type: Option<String>,
}

/// Way by which a device comes.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "it stands in the description only")]
enum Transport {
    Http,
    Https,
}

/// End of an offer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(dead_code, reason = "it stands in the description only")]
enum End {
    Offered,
    Fetching,
    Fetched,
    Succeeded,
    RolledBack,
    Silent,
    Interrupted,
    Superseded,
}

/// An offer to a device, and how it ended.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Offer)]
struct OfferOfDevice {
    file: String,
    version: String,
    #[schema(value_type = End)]
    end: &'static str,
    /// Time of that end.
    #[schema(format = DateTime)]
    at: String,
}

impl Device {
    /// Shows a device as it is known at `now`, with what was ordered about it.
    pub(super) fn new(
        id: &DeviceId,
        record: &Record,
        orders: &StandingOrders,
        now: SystemTime,
    ) -> Self {
        let owned = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
        let (profile, build) = (&record.profile, &record.build);
        let client = Some(record.client.to_string());
        let age = now.duration_since(SystemTime::UNIX_EPOCH);
        let now = age.map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        let offers = record.history.iter().flat_map(|history| &history.offers);
        Self {
            mac: id.to_string(),
            client_id: client.filter(|client| !client.is_empty()),
            board: Board {
                name: owned(&profile.board_name),
                r#type: owned(&profile.board_type),
            },
            chip: owned(&profile.chip_name),
            revision: profile.chip_revision,
            flash: profile.flash_size,
            version: owned(&build.version_header).or_else(|| owned(&build.reported)),
            elf_sha256: build.elf_sha256.map(|hash| hex::encode(&hash)),
            slot: owned(&build.slot),
            first_seen: rfc3339(record.first_seen),
            last_seen: rfc3339(record.last_seen),
            address: record.address(now).map(|address| address.to_string()),
            transport: if record.is_secure { "https" } else { "http" },
            boots: record.boots,
            why: record.why.map(|kind| kind.id),
            offers: offers.rev().map(OfferOfDevice::from).collect(),
            failed: standing::failed(record),
            ordered: orders.waiting(id, record),
        }
    }
}

impl From<&Offer> for OfferOfDevice {
    fn from(offer: &Offer) -> Self {
        Self {
            file: offer.image.file.to_string(),
            version: offer.image.version.to_string(),
            end: offer.end.key(),
            at: rfc3339(offer.at),
        }
    }
}

/// A page of devices.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Devices {
    pub(super) devices: Vec<Device>,
    /// Value of `after` for the next page; null on the last one.
    #[schema(required)]
    pub(super) next: Option<String>,
}

/// Newest offers of all devices.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Offers {
    pub(super) offers: Vec<OfferToDevice>,
    /// Value of `after` for the next page; null on the last one.
    #[schema(required)]
    pub(super) next: Option<String>,
}

/// An offer, and the device that it was made to.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OfferToDevice {
    mac: String,
    file: String,
    version: String,
    #[schema(value_type = End)]
    end: &'static str,
    /// Time of that end.
    #[schema(format = DateTime)]
    at: String,
}

impl OfferToDevice {
    /// Takes an offer to a device.
    pub(super) fn new(device: &DeviceId, offer: &Offer) -> Self {
        Self {
            mac: device.to_string(),
            file: offer.image.file.to_string(),
            version: offer.image.version.to_string(),
            end: offer.end.key(),
            at: rfc3339(offer.at),
        }
    }
}

/// Number of offers by their ends.
#[derive(Debug, Default, Clone, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Ends {
    offered: u64,
    fetching: u64,
    fetched: u64,
    succeeded: u64,
    rolled_back: u64,
    silent: u64,
    interrupted: u64,
    superseded: u64,
}

impl From<[u64; OfferEnd::ALL.len()]> for Ends {
    fn from(counts: [u64; OfferEnd::ALL.len()]) -> Self {
        // In the order of `OfferEnd::ALL`.
        let [
            offered,
            fetching,
            fetched,
            succeeded,
            rolled_back,
            silent,
            interrupted,
            superseded,
        ] = counts;
        Self {
            offered,
            fetching,
            fetched,
            succeeded,
            rolled_back,
            silent,
            interrupted,
            superseded,
        }
    }
}

/// The fleet in numbers.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FleetCounts {
    /// Devices with a MAC address; all other counts are of these.
    pub(super) devices: u64,
    /// Number of those without one.
    pub(super) others: u64,
    /// By model, the most first.
    pub(super) models: Vec<ModelCount>,
    /// By model and version, the most first.
    pub(super) versions: Vec<VersionCount>,
    /// The newest offer of each device.
    pub(super) ends: Ends,
    /// Files as which the newest offer of a device failed, the most first.
    pub(super) failing: Vec<FailingFile>,
    pub(super) transports: Transports,
    pub(super) seen: Seen,
    pub(super) held: Held,
    /// The server that answers all but firmware, in upstream mode.
    #[schema(required)]
    pub(super) upstream: Option<UpstreamState>,
}

/// State of the server that answers all but firmware.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UpstreamState {
    #[schema(example = "http://127.0.0.1:8002/xiaozhi/ota/")]
    pub(super) address: String,
    /// False where it did not answer when it was asked last; null until it is asked.
    #[schema(required)]
    pub(super) answers: Option<bool>,
    /// Reason why it did not.
    #[schema(required)]
    pub(super) why: Option<String>,
}

impl From<BackendView> for UpstreamState {
    fn from(view: BackendView) -> Self {
        let (answers, why) = match view.state {
            BackendState::NotAsked => (None, None),
            BackendState::Answers => (Some(true), None),
            BackendState::Fails(why) => (Some(false), Some(why.words(Lang::En))),
        };
        Self {
            address: view.address,
            answers,
            why,
        }
    }
}

/// Number of devices that were offered nothing because of what the upstream answered last.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct Held {
    /// They wait to be bound.
    pub(super) not_activated: u64,
    /// Automatic updates are off for them.
    pub(super) updates_off: u64,
}

/// Number of devices of a model.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ModelCount {
    /// `default` for devices that report none.
    pub(super) model: String,
    pub(super) devices: u64,
}

/// Number of devices of a model at a version.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct VersionCount {
    pub(super) model: String,
    pub(super) version: String,
    pub(super) devices: u64,
}

/// Number of devices on which a file failed, which was the newest that they were offered.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FailingFile {
    pub(super) file: String,
    pub(super) devices: u64,
}

/// Number of devices by the way in which they came last.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct Transports {
    pub(super) http: u64,
    pub(super) https: u64,
}

/// Number of devices that were seen within a time.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct Seen {
    pub(super) hour: u64,
    pub(super) day: u64,
    pub(super) week: u64,
}

/// The firmware folder.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Firmware {
    pub(super) files: Vec<File>,
}

/// Use of a file: offered; fetched by name only; not read yet; not used.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "it stands in the description only")]
enum Verdict {
    Ready,
    Served,
    Waiting,
    Refused,
}

/// A file of the firmware folder.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct File {
    file: String,
    #[schema(required)]
    model: Option<String>,
    #[schema(required)]
    version: Option<String>,
    /// Size in bytes.
    #[schema(required)]
    size: Option<u64>,
    #[schema(required)]
    sha256: Option<String>,
    #[schema(value_type = Verdict)]
    verdict: &'static str,
    /// Id of the event that says why it is not offered.
    #[schema(required)]
    why: Option<&'static str>,
    /// Words of that event.
    #[schema(required)]
    words: Option<String>,
    /// Number of known devices that could get it: their model it is, and no guard keeps it
    /// from them, whatever they run and whatever else is there.
    could_get: u64,
    /// Ends of the offers of this content, as far as they are kept.
    ends: Ends,
}

impl File {
    /// Takes a file, how many devices could get it, and how its offers ended.
    pub(super) fn new(file: FileView, could_get: u64, ends: Ends) -> Self {
        Self {
            file: file.file,
            model: file.model,
            version: file.version,
            size: file.size,
            sha256: file.sha256.map(|hash| hex::encode(&hash)),
            verdict: file.verdict,
            why: file.why.as_ref().map(|why| why.kind.id),
            words: file.why.map(|why| why.message(Lang::En)),
            could_get,
            ends,
        }
    }
}

/// Body of an order to try again.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RetryBody {
    /// File to try again; without it, all that failed on the device.
    #[serde(default)]
    pub(super) file: Option<String>,
}

/// Outcome of an order to try again.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Retried {
    pub(super) device: String,
    /// Number of images that it gets again, and did not before.
    pub(super) retried: u64,
    /// Number of images whose failures count no more, those among them; where it is 0 nothing
    /// was changed.
    pub(super) cleared: u64,
}

/// Outcome of an order to forget.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Forgotten {
    pub(super) forgotten: bool,
}

/// Readiness of this server.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Ready {
    pub(super) ready: bool,
    /// Each part by its name.
    pub(super) checks: BTreeMap<&'static str, Part>,
}

/// A part that must be there.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Part {
    pub(super) ok: bool,
    /// Reason why it is not; to who shows no token, where to learn it.
    #[schema(required)]
    pub(super) why: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_has_its_count() {
        let ends = Ends::from(std::array::from_fn(|at| at as u64));
        let json = serde_json::to_value(&ends).unwrap();
        let json = json.as_object().unwrap();
        let found: Vec<_> = json
            .iter()
            .map(|(name, count)| (name.as_str(), count.as_u64()))
            .collect();
        let ends = OfferEnd::ALL.iter().zip(0..);
        let expected: Vec<_> = ends.map(|(end, at)| (end.key(), Some(at))).collect();
        assert_eq!(found, expected);
    }
}
