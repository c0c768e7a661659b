//! JSON of the API. Times are UTC by RFC 3339, and what is not known is null.

use super::fleet_source::{DeviceView, FileView, OfferView};
use jiff::{Timestamp, Unit};
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
    boots: u64,
    /// Id of the event that says why it was offered nothing; every id is in events.md.
    #[schema(required, example = "withheld.chip")]
    why: Option<&'static str>,
    /// Its last offers, newest first.
    offers: Vec<Offer>,
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
struct Offer {
    file: String,
    version: String,
    #[schema(value_type = End)]
    end: &'static str,
    /// Time of that end.
    #[schema(format = DateTime)]
    at: String,
}

impl From<OfferView> for Offer {
    fn from(offer: OfferView) -> Self {
        Self {
            file: offer.file,
            version: offer.version,
            end: offer.end,
            at: rfc3339(offer.at),
        }
    }
}

impl From<DeviceView> for Device {
    fn from(device: DeviceView) -> Self {
        Self {
            mac: device.mac,
            client_id: device.client_id,
            board: Board {
                name: device.board_name,
                r#type: device.board_type,
            },
            chip: device.chip,
            revision: device.revision,
            flash: device.flash,
            version: device.version,
            elf_sha256: device.elf_sha256,
            slot: device.slot,
            first_seen: rfc3339(device.first_seen),
            last_seen: rfc3339(device.last_seen),
            address: device.address.map(|address| address.to_string()),
            transport: device.transport,
            boots: device.boots,
            why: device.why,
            offers: device.offers.into_iter().map(Offer::from).collect(),
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
    /// Takes an offer to the device of an id.
    pub(super) fn new(mac: String, offer: OfferView) -> Self {
        Self {
            mac,
            file: offer.file,
            version: offer.version,
            end: offer.end,
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

impl Ends {
    /// Counts one more.
    pub(super) fn count(&mut self, end: &str) {
        let count = match end {
            "offered" => &mut self.offered,
            "fetching" => &mut self.fetching,
            "fetched" => &mut self.fetched,
            "succeeded" => &mut self.succeeded,
            "rolled-back" => &mut self.rolled_back,
            "silent" => &mut self.silent,
            "interrupted" => &mut self.interrupted,
            "superseded" => &mut self.superseded,
            _ => return,
        };
        *count += 1;
    }
}

/// The fleet in numbers.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Fleet {
    pub(super) devices: u64,
    /// By model, the most first.
    pub(super) models: Vec<ModelCount>,
    /// By model and version, the most first.
    pub(super) versions: Vec<VersionCount>,
    /// The newest offer of each device.
    pub(super) ends: Ends,
    pub(super) transports: Transports,
    pub(super) seen: Seen,
}

/// Number of devices of a model.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ModelCount {
    /// Null for devices that report none.
    #[schema(required)]
    pub(super) model: Option<String>,
    pub(super) devices: u64,
}

/// Number of devices of a model at a version.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct VersionCount {
    #[schema(required)]
    pub(super) model: Option<String>,
    #[schema(required)]
    pub(super) version: Option<String>,
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
    /// That event in words.
    #[schema(required)]
    words: Option<String>,
    /// Number of devices that could get it.
    could_get: u64,
    /// How it ended on each device that it was offered to, last.
    ends: Ends,
}

impl File {
    /// Takes a file, and how its offers ended.
    pub(super) fn new(file: FileView, ends: Ends) -> Self {
        Self {
            file: file.file,
            model: file.model,
            version: file.version,
            size: file.size,
            sha256: file.sha256.map(|hash| hex::encode(&hash)),
            verdict: file.verdict,
            why: file.why,
            words: file.words,
            could_get: file.could_get,
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
    /// Number of files that it gets again.
    pub(super) retried: u64,
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
    /// Reason why it is not.
    #[schema(required)]
    pub(super) why: Option<String>,
}

/// Returns a time by RFC 3339, in UTC, to the millisecond. One that has no year of four
/// digits is the nearest that has.
fn rfc3339(time: SystemTime) -> String {
    let last = if time < SystemTime::UNIX_EPOCH {
        Timestamp::UNIX_EPOCH
    } else {
        Timestamp::MAX
    };
    let time = Timestamp::try_from(time).unwrap_or(last);
    time.round(Unit::Millisecond).unwrap_or(time).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::fleet_source::ENDS;
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_are_utc() {
        let time = |millis| SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
        assert_eq!(rfc3339(time(1_700_000_000_000)), "2023-11-14T22:13:20Z");
        assert_eq!(rfc3339(time(1_700_000_000_250)), "2023-11-14T22:13:20.25Z");
    }

    #[test]
    fn every_end_has_its_count() {
        let mut ends = Ends::default();
        for end in ENDS {
            ends.count(end);
        }
        ends.count("no end");
        let json = serde_json::to_value(&ends).unwrap();
        let json = json.as_object().unwrap();
        let names: Vec<_> = json.keys().map(String::as_str).collect();
        assert_eq!(names, ENDS);
        assert!(json.values().all(|count| *count == 1), "{json:?}");
    }
}
