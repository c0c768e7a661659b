//! Plan of a simulation.

use super::bad::{BadShares, Fate};
use super::random::Random;
use super::rate::Rate;
use crate::probe::address::Target;
use crate::probe::device::Device;
use crate::probe::dial::Place;
use crate::probe::line::{Hardware, Kind, Line};
use crate::probe::pace::Pace;
use rustls::pki_types::CertificateDer;
use std::fmt::Write as _;
use std::rc::Rc;
use std::str::FromStr;
use std::time::Duration;
use xiaozhi_device::chip::Chip;

/// A fleet, and what befalls it.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// OTA address as it was typed in.
    pub(crate) url: String,
    /// The same address, taken apart as devices do.
    pub(crate) target: Target,
    /// Number of devices.
    pub(crate) devices: u32,
    /// Time over which they are switched on; zero is a boot storm.
    pub(crate) ramp: Duration,
    /// Speed at which each device takes an image; without one, as fast as it comes.
    pub(crate) pace: Option<Pace>,
    /// Boards, and the share of each.
    pub(crate) boards: Vec<Board>,
    /// Version that all devices run at first.
    pub(crate) version: String,
    /// Line of their firmware; without one, that of the version they run.
    pub(crate) line: Option<Line>,
    /// Hardware that they speak through.
    pub(crate) hardware: Hardware,
    /// Size of their flash in megabytes.
    pub(crate) flash: u8,
    /// Share of the checks and downloads that are made to fail.
    pub(crate) fail: Rate,
    /// Shares of the devices that meet a bad release.
    pub(crate) bad: BadShares,
    /// Share of the devices that lose power once, behind the last byte of an image.
    pub(crate) power_loss: Rate,
    /// Number of boots until which a device that is offered nothing comes again.
    pub(crate) boots: u16,
    /// Time without a check after which a fetched offer counts as silent.
    pub(crate) silent_after: Duration,
    /// Number of times that a device which failed, or gave up, is switched off and
    /// on again.
    pub(crate) restarts: u16,
    /// Longest time of the simulation.
    pub(crate) time: Option<Duration>,
    /// Seed of all chance.
    pub(crate) seed: u64,
    /// First half of their MAC addresses.
    pub(crate) macs: MacPrefix,
    /// Addresses of hosts that their names do not lead to.
    pub(crate) places: Vec<Place>,
    pub(crate) trust: Trust,
}

/// Certificates that are accepted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trust {
    /// True where every certificate is accepted.
    pub(crate) insecure: bool,
    /// Roots besides the public ones.
    pub(crate) roots: Vec<CertificateDer<'static>>,
}

impl Plan {
    /// Returns the time between the start and this device's power-on.
    pub(super) fn switched_on(&self, number: u32) -> Duration {
        self.ramp
            .mul_f64(f64::from(number) / f64::from(self.devices.max(1)))
    }

    /// Makes the device of this number as it leaves the factory. Its numbers are
    /// made up.
    pub(super) fn device(&self, number: u32) -> Device {
        let mut random = Random::of(self.seed, number);
        let (high, low) = (random.next(), random.next());
        let board = self.board(&mut random);
        Device {
            kind: self.kind(&self.version),
            board: board.map_or_else(String::new, |board| board.name.clone()),
            version: self.version.clone(),
            chip: board.map_or(USUAL_CHIP, |board| board.chip),
            mac: self.macs.mac(number),
            uuid: format!(
                "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
                high >> 32,
                high >> 16 & 0xFFFF,
                high & 0xFFF,
                low >> 52,
                low & 0xFFFF_FFFF_FFFF
            ),
            flash: self.flash,
            v2_layout: self.kind(&self.version).line == Line::V2,
            // Of an image that no server has.
            elf_sha256: [0xEE; 32],
            second_slot: false,
        }
    }

    /// Returns the kind of a device that runs this version.
    pub(super) fn kind(&self, version: &str) -> Kind {
        Kind {
            line: self.line.unwrap_or_else(|| Line::of_version(version)),
            hardware: self.hardware,
        }
    }

    /// Draws what this device meets.
    pub(super) fn fate(&self, number: u32) -> Fate {
        // Chance of its own: the same devices fail, and bear the same names, with
        // and without.
        let mut random = Random::of(self.seed ^ FATE, number);
        let bad = self.bad.draw(random.below(1_000_000));
        let power = random.happens(self.power_loss.0);
        Fate {
            bad,
            power_loss: power.then(|| random.happens(500_000)),
        }
    }

    fn board(&self, random: &mut Random) -> Option<&Board> {
        let total = self.boards.iter().map(|board| u64::from(board.weight));
        let mut place = random.below(total.sum());
        self.boards.iter().find(|board| {
            let is_here = place < u64::from(board.weight);
            place = place.saturating_sub(u64::from(board.weight));
            is_here
        })
    }

    /// Returns the version that all devices run at first.
    pub(super) fn first_version(&self) -> Rc<str> {
        self.version.as_str().into()
    }
}

/// Sets the chance of fates apart from all other.
const FATE: u64 = 0x5EED_0FBA_DF00_D000;

/// First half of the MAC addresses of a fleet. A server knows a device by its address: to
/// it two fleets with one prefix are the same devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MacPrefix([u8; 3]);

impl Default for MacPrefix {
    /// Makes the begin of locally administered addresses (IEEE 802, second bit).
    fn default() -> Self {
        Self([2, 0, 0])
    }
}

impl MacPrefix {
    /// Makes the MAC of a device, of which there are fewer than 2^24.
    pub(super) fn mac(self, number: u32) -> String {
        let [_, behind @ ..] = number.to_be_bytes();
        let bytes = self.0.iter().chain(&behind);
        let bytes: Vec<_> = bytes.map(|byte| format!("{byte:02x}")).collect();
        bytes.join(":")
    }
}

impl FromStr for MacPrefix {
    type Err = String;

    /// Parses `02:00:01`.
    fn from_str(text: &str) -> Result<Self, String> {
        let byte = |part: &str| {
            let is_byte = part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit());
            is_byte.then(|| u8::from_str_radix(part, 16).ok()).flatten()
        };
        let bytes: Option<Vec<u8>> = text.split([':', '-']).map(byte).collect();
        match bytes.as_deref() {
            // The first bit is that of groups, which no device bears.
            Some(&[a, b, c]) if a & 1 == 0 => Ok(Self([a, b, c])),
            _ => Err(format!(
                "{text:?}: write the first three bytes of a MAC address, the first of them even: 02:00:01"
            )),
        }
    }
}

/// Kind of board, and its share of the fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Board {
    /// `board.type` and `board.name`.
    pub(crate) name: String,
    pub(crate) chip: Chip,
    /// Share, beside the others'.
    pub(crate) weight: u32,
}

/// Chip of a board that names none.
pub(crate) const USUAL_CHIP: Chip = Chip(9);

impl FromStr for Board {
    type Err = String;

    /// Parses `NAME[@CHIP][:WEIGHT]`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (rest, weight) = match text.rsplit_once(':') {
            Some((rest, weight)) => (rest, weight.trim_end_matches('%')),
            None => (text, "1"),
        };
        let (name, chip) = match rest.split_once('@') {
            Some((name, chip)) => {
                let known = Chip::from_name(chip);
                let unknown =
                    || format!("{text:?}: {chip:?} is no chip that is known here; esp32s3 is one");
                (name, known.ok_or_else(unknown)?)
            }
            None => (rest, USUAL_CHIP),
        };
        let weight = weight.parse().ok().filter(|weight| *weight > 0);
        let Some(weight) = weight else {
            return Err(format!(
                "{text:?}: behind the colon stands its share, a whole number from 1: bread-compact-wifi:30"
            ));
        };
        let sound = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\' && c != '/';
        if name.is_empty() || !name.chars().all(sound) {
            return Err(format!(
                "{text:?}: a board is written NAME:SHARE or NAME@CHIP:SHARE, as in bread-compact-wifi:30; its name \
                 is ASCII without spaces, quotes and slashes"
            ));
        }
        Ok(Self {
            name: name.to_owned(),
            chip,
            weight,
        })
    }
}

/// Writes a number with its thousands apart: `20,000`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Writes a number of bytes in the unit that suits it.
pub(super) fn bytes(number: f64) -> String {
    let units = ["KB", "MB", "GB", "TB"];
    let mut text = String::new();
    let (mut rest, mut unit) = (number / 1000.0, 0);
    while rest >= 1000.0 && unit + 1 < units.len() {
        (rest, unit) = (rest / 1000.0, unit + 1);
    }
    // Writing to a String cannot fail.
    let _ = write!(text, "{rest:.1} {}", units[unit]);
    text
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    /// Makes a plan of so many devices on one board, switched on at once.
    pub(in super::super) fn plan(devices: u32) -> Plan {
        Plan {
            url: "http://ota.example.com/xiaozhi/ota/".into(),
            target: Target {
                tls: false,
                host: "ota.example.com".into(),
                port: 80,
                path: "/xiaozhi/ota/".into(),
            },
            devices,
            ramp: Duration::ZERO,
            pace: None,
            boards: vec!["a".parse().unwrap()],
            version: "1.6.0".into(),
            line: None,
            hardware: Hardware::Wifi,
            flash: 16,
            fail: Rate::default(),
            bad: BadShares::default(),
            power_loss: Rate::default(),
            boots: 1,
            silent_after: Duration::from_secs(600),
            restarts: 0,
            time: None,
            seed: 1,
            macs: MacPrefix::default(),
            places: Vec::new(),
            trust: Trust::default(),
        }
    }

    #[test]
    fn boards_and_rates_say_what_is_wrong_with_them() {
        let board: Board = "esp-box@ESP32-C3:30".parse().unwrap();
        assert_eq!((board.chip, board.weight), (Chip(5), 30));
        assert_eq!(board.name, "esp-box");
        for (text, words) in [
            ("a:0", "share"),
            ("a:x", "share"),
            (":3", "NAME"),
            ("a b:3", "NAME"),
            ("a@esp9:3", "no chip"),
        ] {
            let error = text.parse::<Board>().unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn another_prefix_is_other_devices_with_the_same_fate() {
        let first = plan(2);
        let second = Plan {
            macs: "02-00-aB".parse().unwrap(),
            ..plan(2)
        };
        assert_eq!(first.device(1).mac, "02:00:00:00:00:01");
        assert_eq!(second.device(1).mac, "02:00:ab:00:00:01");
        assert_eq!(second.macs.mac(999_999), "02:00:ab:0f:42:3f");
        assert_eq!(first.device(1).uuid, second.device(1).uuid);
        for text in [
            "",
            "02:00",
            "02:00:00:01",
            "01:00:00",
            "02:00:0",
            "02:00:0g",
            "02:00:+1",
        ] {
            let error = text.parse::<MacPrefix>().unwrap_err();
            assert!(error.contains("02:00:01"), "{error}");
        }
    }

    #[test]
    fn every_device_is_another_and_the_shares_are_kept() {
        let plan = Plan {
            boards: vec!["a:70".parse().unwrap(), "b@esp32c3:30".parse().unwrap()],
            ..plan(10_000)
        };
        let devices: Vec<Device> = (0..plan.devices).map(|n| plan.device(n)).collect();
        let macs: BTreeSet<_> = devices.iter().map(|d| d.mac.as_str()).collect();
        let uuids: BTreeSet<_> = devices.iter().map(|d| d.uuid.as_str()).collect();
        assert_eq!((macs.len(), uuids.len()), (10_000, 10_000));
        assert!(uuids.iter().all(|uuid| uuid.len() == 36), "{uuids:?}");
        let mut boards = BTreeMap::<_, u32>::new();
        for device in &devices {
            let board = (device.board.as_str(), device.chip.0);
            *boards.entry(board).or_default() += 1;
        }
        assert_eq!(boards.len(), 2);
        assert!((6_800..7_200).contains(&boards[&("a", 9)]), "{boards:?}");
    }

    #[test]
    fn numbers_are_read_at_a_glance() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(20_000), "20,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(bytes(46_100_000.0), "46.1 MB");
        assert_eq!(bytes(0.0), "0.0 KB");
    }
}
