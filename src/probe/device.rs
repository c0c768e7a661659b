//! Requests of the device that is played, in the firmware's own form
//! (`Ota::SetupHttp` in `main/ota.cc`, `Board::GetSystemInfoJson` in
//! `main/boards/common/board.cc`).

use super::address::Target;
use super::line::{HttpStack, Kind};
use aws_lc_rs::digest::{SHA256, digest};
use serde::Serialize;
use std::fmt::Write as _;
use xiaozhi_device::chip::Chip;
use xiaozhi_device::hex::encode;
use xiaozhi_device::project::XIAOZHI;

/// Device that is played.
#[derive(Debug, Clone)]
pub(crate) struct Device {
    /// Firmware line and hardware.
    pub(crate) kind: Kind,
    /// `board.type` and `board.name`.
    pub(crate) board: String,
    /// `application.version`.
    pub(crate) version: String,
    pub(crate) chip: Chip,
    /// MAC address in lower case, with colons: `Device-Id`.
    pub(crate) mac: String,
    /// UUID: `Client-Id`.
    pub(crate) uuid: String,
    /// Size of its flash in megabytes: 4, 8 or 16.
    pub(crate) flash: u8,
    /// True where its partitions are laid out as firmware 2.x wants them. An update
    /// does not change them.
    pub(crate) v2_layout: bool,
    /// SHA-256 of the ELF file behind the image that it runs.
    pub(crate) elf_sha256: [u8; 32],
    /// True where it runs from the second slot: every update swaps.
    pub(crate) second_slot: bool,
}

/// Body of a check, as `GetSystemInfoJson` orders it: a server that cannot read it
/// to its end (a Wi-Fi name is pasted in as it is) has what tells one device from
/// another.
#[derive(Serialize)]
struct Info<'a> {
    version: u8,
    language: &'a str,
    flash_size: u32,
    minimum_free_heap_size: &'a str,
    mac_address: &'a str,
    uuid: &'a str,
    chip_model_name: String,
    chip_info: ChipInfo,
    application: Application<'a>,
    partition_table: Vec<PartitionInfo>,
    ota: SlotInfo<'a>,
    board: BoardInfo<'a>,
}

#[derive(Serialize)]
struct ChipInfo {
    model: u16,
    cores: u8,
    revision: u16,
    features: u32,
}

#[derive(Serialize)]
struct Application<'a> {
    name: &'a str,
    version: &'a str,
    compile_time: &'a str,
    idf_version: &'a str,
    elf_sha256: String,
}

#[derive(Serialize)]
struct SlotInfo<'a> {
    label: &'a str,
}

/// Description of the board (`GetBoardJson`).
#[derive(Serialize)]
struct BoardInfo<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    name: &'a str,
    #[serde(flatten)]
    link: LinkInfo<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum LinkInfo<'a> {
    Wifi {
        ssid: &'a str,
        rssi: i8,
        channel: u8,
        ip: &'a str,
        mac: &'a str,
    },
    Modem {
        revision: String,
        carrier: &'a str,
        csq: &'a str,
        imei: &'a str,
        iccid: &'a str,
    },
}

/// Entry of the partition table (`esp_partition_t`), as far as it is reported.
#[derive(Serialize)]
struct PartitionInfo {
    label: &'static str,
    #[serde(rename = "type")]
    kind: u8,
    subtype: u8,
    address: u32,
    size: u32,
}

const fn partition(
    label: &'static str,
    kind: u8,
    subtype: u8,
    address: u32,
    size: u32,
) -> PartitionInfo {
    PartitionInfo {
        label,
        kind,
        subtype,
        address,
        size,
    }
}

impl Device {
    /// Derives a UUID for `Client-Id` that is always the same for a MAC address, as
    /// a device keeps its own (version 8 of RFC 9562).
    pub(crate) fn uuid_of(mac: &str) -> String {
        let sum = digest(&SHA256, mac.as_bytes());
        let mut bytes: Vec<u8> = sum.as_ref()[..16].to_vec();
        bytes[6] = bytes[6] & 0x0F | 0x80;
        bytes[8] = bytes[8] & 0x3F | 0x80;
        let text = encode(&bytes);
        let parts = [
            &text[..8],
            &text[8..12],
            &text[12..16],
            &text[16..20],
            &text[20..],
        ];
        parts.join("-")
    }

    /// Returns the headers of a check, in the order of the firmware's map.
    pub(crate) fn headers(&self) -> Vec<(&'static str, String)> {
        vec![
            ("Accept-Language", "zh-CN".to_owned()),
            ("Activation-Version", "1".to_owned()),
            ("Client-Id", self.uuid.clone()),
            ("Content-Type", "application/json".to_owned()),
            ("Device-Id", self.mac.clone()),
            ("User-Agent", format!("{}/{}", self.board, self.version)),
        ]
    }

    /// Writes the body of a check.
    pub(crate) fn body(&self) -> String {
        // No map in it has keys that are no texts, and nothing else can fail.
        serde_json::to_string(&self.info()).unwrap_or_default()
    }

    fn info(&self) -> Info<'_> {
        let slot = if self.second_slot { "ota_1" } else { "ota_0" };
        let slot = if self.flash < 8 { "factory" } else { slot };
        let link = if self.kind.hardware.is_modem() {
            LinkInfo::Modem {
                revision: self.kind.hardware.to_string(),
                carrier: "CHINA MOBILE",
                csq: "24",
                imei: "860000000000000",
                iccid: "89860000000000000000",
            }
        } else {
            LinkInfo::Wifi {
                ssid: "xiaozhi",
                rssi: -50,
                channel: 6,
                ip: "192.168.1.23",
                mac: &self.mac,
            }
        };
        Info {
            version: 2,
            language: "zh-CN",
            flash_size: u32::from(self.flash) << 20,
            minimum_free_heap_size: "8318916",
            mac_address: &self.mac,
            uuid: &self.uuid,
            chip_model_name: self.chip.to_string(),
            chip_info: ChipInfo {
                // `CHIP_ESP32` is 1; every later `esp_chip_model_t` is the image's id.
                model: if self.chip.0 == 0 { 1 } else { self.chip.0 },
                cores: 2,
                revision: 2,
                features: 18,
            },
            application: Application {
                name: XIAOZHI,
                version: &self.version,
                compile_time: "Nov 21 2026T12:34:56Z",
                idf_version: "v5.4.1",
                elf_sha256: encode(&self.elf_sha256),
            },
            partition_table: self.partitions(),
            ota: SlotInfo { label: slot },
            board: BoardInfo {
                kind: &self.board,
                name: &self.board,
                link,
            },
        }
    }

    /// Returns the layout of the firmware's own partition tables (`partitions/v1`,
    /// `partitions/v2`).
    fn partitions(&self) -> Vec<PartitionInfo> {
        let (nvs, data, phy) = (
            partition("nvs", 1, 2, 0x9000, 0x4000),
            partition("otadata", 1, 0, 0xd000, 0x2000),
            partition("phy_init", 1, 1, 0xf000, 0x1000),
        );
        let rest = match (self.v2_layout, self.flash) {
            (_, ..8) => vec![partition("factory", 0, 0, 0x10_0000, 0x2f_0000)],
            (false, 8..16) => vec![
                partition("model", 1, 0x82, 0x1_0000, 0xf_0000),
                partition("ota_0", 0, 0x10, 0x10_0000, 0x38_0000),
                partition("ota_1", 0, 0x11, 0x48_0000, 0x38_0000),
            ],
            (false, _) => vec![
                partition("model", 1, 0x82, 0x1_0000, 0xf_0000),
                partition("ota_0", 0, 0x10, 0x10_0000, 0x60_0000),
                partition("ota_1", 0, 0x11, 0x70_0000, 0x60_0000),
            ],
            (true, 8..16) => vec![
                partition("ota_0", 0, 0x10, 0x2_0000, 0x2f_0000),
                partition("ota_1", 0, 0x11, 0x31_0000, 0x2f_0000),
                partition("assets", 1, 0x82, 0x60_0000, 0x20_0000),
            ],
            (true, _) => vec![
                partition("ota_0", 0, 0x10, 0x2_0000, 0x3f_0000),
                partition("ota_1", 0, 0x11, 0x41_0000, 0x3f_0000),
                partition("assets", 1, 0x82, 0x80_0000, 0x80_0000),
            ],
        };
        [nvs, data, phy].into_iter().chain(rest).collect()
    }

    /// Writes a whole check-in, as it goes over the wire.
    pub(crate) fn check(&self, target: &Target) -> Vec<u8> {
        self.request("POST", target, &self.headers(), self.body().as_bytes())
    }

    /// Writes a whole request to be activated, of a device without a serial number
    /// (`Ota::Activate`).
    pub(crate) fn activate(&self, target: &Target) -> Vec<u8> {
        self.request("POST", target, &self.headers(), b"{}")
    }

    /// Writes a whole request for an image. It carries no header of its own:
    /// nothing but its URL tells which device asks.
    pub(crate) fn download(&self, target: &Target) -> Vec<u8> {
        self.request("GET", target, &[], &[])
    }

    fn request(
        &self,
        method: &str,
        target: &Target,
        headers: &[(&str, String)],
        body: &[u8],
    ) -> Vec<u8> {
        let mut text = format!(
            "{method} {} HTTP/1.1\r\nHost: {}\r\n",
            target.path,
            target.authority()
        );
        // Writing to a String cannot fail.
        for (name, value) in headers {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        if !body.is_empty() {
            let _ = write!(text, "Content-Length: {}\r\n", body.len());
        }
        // esp_http_client leaves the connection open and closes it itself.
        if self.kind.http() != HttpStack::EspHttp {
            text.push_str("Connection: close\r\n");
        }
        text.push_str("\r\n");
        [text.as_bytes(), body].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::super::line::{Hardware, Line};
    use super::*;
    use xiaozhi_device::checkin::Report;

    fn device(line: Line, hardware: Hardware) -> Device {
        Device {
            kind: Kind { line, hardware },
            board: "bread-compact-wifi".into(),
            version: "1.6.0".into(),
            chip: Chip(9),
            mac: "aa:bb:cc:dd:ee:ff".into(),
            uuid: "7b94d69a-9808-4c59-9c9b-704333b38aff".into(),
            flash: 16,
            v2_layout: line == Line::V2,
            elf_sha256: [7; 32],
            second_slot: false,
        }
    }

    #[test]
    fn the_body_is_read_as_a_devices() {
        for kind in Kind::all() {
            let body = device(kind.line, kind.hardware).body();
            let report = Report::read(body.as_bytes());
            assert!(report.fault.is_none(), "{body}");
            assert_eq!(report.board_type.as_deref(), Some("bread-compact-wifi"));
            assert_eq!(report.chip_name.as_deref(), Some("esp32s3"));
            assert_eq!(report.running_slot.as_deref(), Some("ota_0"));
            let partitions = report.partitions.map(|p| p.len());
            assert_eq!(partitions, Some(6), "{body}");
            assert!(body.contains(r#""minimum_free_heap_size":"8318916""#));
            let places = ["flash_size", "chip_model_name", "application", "board"];
            let places = places.map(|key| body.find(&format!("\"{key}\":")));
            assert!(places.is_sorted() && places[0].is_some(), "{body}");
        }
    }

    #[test]
    fn a_download_names_nobody() {
        let target = Target {
            tls: true,
            host: "ota.example.com".into(),
            port: 443,
            path: "/a.bin".into(),
        };
        let request = device(Line::V2, Hardware::Wifi).download(&target);
        assert_eq!(
            String::from_utf8_lossy(&request),
            "GET /a.bin HTTP/1.1\r\nHost: ota.example.com\r\nConnection: close\r\n\r\n"
        );
    }
}
