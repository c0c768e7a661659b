//! Full flash images, as `esptool merge-bin` makes them, and the tables of partitions that
//! xiaozhi-esp32 has (its `partitions/`).

use super::{Image, padded};

/// Line of a partition table (`esp_partition_info_t`).
#[derive(Debug, Clone, Copy)]
pub struct Partition {
    /// Its name, of 16 bytes at most.
    pub label: &'static str,
    /// 0 is an app, 1 data.
    pub kind: u8,
    /// Of an app: 0 is `factory`, 0x10 `ota_0`.
    pub subtype: u8,
    /// Its first byte's address.
    pub offset: u32,
    /// Its length in bytes.
    pub size: u32,
}

/// A full flash image to be built.
#[derive(Debug, Clone)]
pub struct Flash {
    /// Address of the bootloader.
    pub bootloader_at: usize,
    /// Address of the partition table.
    pub table_at: usize,
    /// Lines of the table.
    pub partitions: Vec<Partition>,
    /// Whether the table has a line with its MD5.
    pub summed: bool,
}

const fn line(label: &'static str, kind: (u8, u8), offset: u32, size: u32) -> Partition {
    let (kind, subtype) = kind;
    Partition {
        label,
        kind,
        subtype,
        offset,
        size,
    }
}

const FACTORY: (u8, u8) = (0, 0);
const OTA_0: (u8, u8) = (0, 0x10);
const OTA_1: (u8, u8) = (0, 0x11);
const OTADATA: (u8, u8) = (1, 0);
const PHY: (u8, u8) = (1, 1);
const NVS: (u8, u8) = (1, 2);
const SPIFFS: (u8, u8) = (1, 0x82);

impl Flash {
    fn new(bootloader_at: usize, partitions: &[Partition]) -> Self {
        Self {
            bootloader_at,
            table_at: 0x8000,
            partitions: partitions.to_vec(),
            summed: true,
        }
    }

    /// Behind the three that all but one table begin with.
    fn usual(bootloader_at: usize, further: &[Partition]) -> Self {
        let first = [
            line("nvs", NVS, 0x9000, 0x4000),
            line("otadata", OTADATA, 0xD000, 0x2000),
            line("phy_init", PHY, 0xF000, 0x1000),
        ];
        Self::new(bootloader_at, &[&first[..], further].concat())
    }

    /// `v1/16m.csv`, on an ESP32.
    pub fn v1_16mb() -> Self {
        let further = [
            line("model", SPIFFS, 0x1_0000, 0xF_0000),
            line("ota_0", OTA_0, 0x10_0000, 6 << 20),
            line("ota_1", OTA_1, 0x70_0000, 6 << 20),
        ];
        Self::usual(0x1000, &further)
    }

    /// `v2/16m.csv`, on an ESP32-S3.
    pub fn v2_16mb() -> Self {
        let further = [
            line("ota_0", OTA_0, 0x2_0000, 0x3F_0000),
            line("ota_1", OTA_1, 0x41_0000, 0x3F_0000),
            line("assets", SPIFFS, 0x80_0000, 8 << 20),
        ];
        Self::usual(0, &further)
    }

    /// `v2/8m.csv`, on an ESP32-S3.
    pub fn v2_8mb() -> Self {
        let further = [
            line("ota_0", OTA_0, 0x2_0000, 0x2F_0000),
            line("ota_1", OTA_1, 0x31_0000, 0x2F_0000),
            line("assets", SPIFFS, 0x60_0000, 2 << 20),
        ];
        Self::usual(0, &further)
    }

    /// `v2/16m_c3.csv`, on an ESP32-C3.
    pub fn v2_c3() -> Self {
        let further = [
            line("ota_0", OTA_0, 0x2_0000, 0x3F_0000),
            line("ota_1", OTA_1, 0x41_0000, 0x3F_0000),
            line("assets", SPIFFS, 0x80_0000, 4000 << 10),
        ];
        Self::usual(0, &further)
    }

    /// `v2/32m.csv`, on an ESP32-P4, whose bootloader stands at 0x2000.
    pub fn v2_32mb() -> Self {
        let all = [
            line("nvsfactory", NVS, 0x9000, 200 << 10),
            line("nvs", NVS, 0x3_B000, 840 << 10),
            line("otadata", OTADATA, 0x10_D000, 0x2000),
            line("phy_init", PHY, 0x10_F000, 0x1000),
            line("ota_0", OTA_0, 0x20_0000, 4 << 20),
            line("ota_1", OTA_1, 0x60_0000, 4 << 20),
            line("assets", SPIFFS, 0xA0_0000, 16 << 20),
        ];
        Self::new(0x2000, &all)
    }

    /// `v2/16m.csv` for a bootloader that needs more room (`CONFIG_PARTITION_TABLE_OFFSET`).
    pub fn table_at_0x9000() -> Self {
        let all = [
            line("nvs", NVS, 0xA000, 0x4000),
            line("otadata", OTADATA, 0xE000, 0x2000),
            line("phy_init", PHY, 0x1_0000, 0x1000),
            line("ota_0", OTA_0, 0x2_0000, 0x3F_0000),
            line("ota_1", OTA_1, 0x41_0000, 0x3F_0000),
            line("assets", SPIFFS, 0x80_0000, 8 << 20),
        ];
        let table_at = 0x9000;
        Self {
            table_at,
            ..Self::new(0, &all)
        }
    }

    /// `v2/4m.csv`, which has no slots for updates, on an ESP32-C3.
    pub fn factory_4mb() -> Self {
        let further = [
            line("factory", FACTORY, 0x1_0000, 0x27_0000),
            line("assets", SPIFFS, 0x28_0000, 0x18_0000),
        ];
        Self::usual(0, &further)
    }

    /// 4 MB of flash without any slot for an app.
    pub fn without_slots_4mb() -> Self {
        Self::usual(0, &[line("assets", SPIFFS, 0x1_0000, 0x3F_0000)])
    }

    /// `factory` and `ota_0` both.
    pub fn factory_and_slot() -> Self {
        let further = [
            line("factory", FACTORY, 0x1_0000, 0x4_0000),
            line("ota_0", OTA_0, 0x5_0000, 0x4_0000),
        ];
        Self::usual(0, &further)
    }

    /// Returns the tables of devices that have a slot for updates, by their names.
    pub fn layouts() -> [(&'static str, Self); 6] {
        [
            ("v1 16 MB", Self::v1_16mb()),
            ("v2 16 MB", Self::v2_16mb()),
            ("v2 8 MB", Self::v2_8mb()),
            ("v2 C3", Self::v2_c3()),
            ("v2 32 MB", Self::v2_32mb()),
            ("table at 0x9000", Self::table_at_0x9000()),
        ]
    }

    /// Returns the address at which a partition begins.
    ///
    /// # Panics
    ///
    /// If there is none of that label.
    pub fn place(&self, label: &str) -> usize {
        let mut lines = self.partitions.iter();
        let found = lines.find(|line| line.label == label).unwrap();
        usize::try_from(found.offset).unwrap()
    }

    /// Returns the partition table, as `gen_esp32part.py` makes it.
    pub fn table(&self) -> Vec<u8> {
        let mut table = Vec::new();
        for line in &self.partitions {
            table.extend([0xAA, 0x50, line.kind, line.subtype]);
            table.extend(line.offset.to_le_bytes());
            table.extend(line.size.to_le_bytes());
            table.extend(padded(line.label.as_bytes().to_vec(), 16, 0));
            table.extend([0; 4]);
        }
        if self.summed {
            let sum = md5(&table);
            table.extend([0xEB, 0xEB]);
            table.extend([0xFF; 14]);
            table.extend(sum);
        }
        padded(table, 0xC00, 0xFF)
    }

    /// Returns the full flash image: a bootloader, the table, and what partitions hold, to the
    /// end of the last one.
    ///
    /// # Panics
    ///
    /// If there is no partition of such a label.
    pub fn build(&self, contents: &[(&str, &[u8])]) -> Vec<u8> {
        let bootloader = Image {
            descriptor: false,
            ..Image::new("bootloader")
        };
        let (bootloader, table) = (bootloader.build(), self.table());
        let own = [(self.bootloader_at, &*bootloader), (self.table_at, &*table)];
        let held = contents
            .iter()
            .map(|(label, content)| (self.place(label), *content));
        let mut flash = Vec::new();
        for (at, content) in own.into_iter().chain(held) {
            let end = at + content.len();
            flash.resize(end.max(flash.len()), 0xFF);
            flash[at..end].copy_from_slice(content);
        }
        flash
    }
}

/// Returns `image` behind a bootloader and a partition table, with its slot at 0x10000; the
/// bootloader stands at `bootloader_at`.
pub fn merged(image: &Image, bootloader_at: usize) -> Vec<u8> {
    let further = [
        line("ota_0", OTA_0, 0x1_0000, 0x1F_0000),
        line("ota_1", OTA_1, 0x20_0000, 0x1F_0000),
    ];
    Flash::usual(bootloader_at, &further).build(&[("ota_0", &image.build())])
}

/// Returns the MD5 of `bytes` (RFC 1321).
pub fn md5(bytes: &[u8]) -> [u8; 16] {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the RFC takes the integer part of a number below 2^32"
    )]
    let sine = |at: u32| (f64::from(at + 1).sin().abs() * 4_294_967_296.0) as u32;
    let mut message = [bytes, &[0x80]].concat();
    while message.len() % 64 != 56 {
        message.push(0);
    }
    message.extend((8 * bytes.len() as u64).to_le_bytes());
    let mut sum = [0x6745_2301_u32, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476];
    for block in message.as_chunks::<64>().0 {
        let words = block.as_chunks::<4>().0;
        let word = |at: u32| u32::from_le_bytes(words[(at % 16) as usize]);
        let [mut a, mut b, mut c, mut d] = sum;
        for at in 0..64 {
            let (mixed, word, turns) = match at / 16 {
                0 => ((b & c) | (!b & d), word(at), [7, 12, 17, 22]),
                1 => ((d & b) | (!d & c), word(5 * at + 1), [5, 9, 14, 20]),
                2 => (b ^ c ^ d, word(3 * at + 5), [4, 11, 16, 23]),
                _ => (c ^ (b | !d), word(7 * at), [6, 10, 15, 21]),
            };
            let added = [mixed, sine(at), word]
                .into_iter()
                .fold(a, u32::wrapping_add);
            let turned = added.rotate_left(turns[(at % 4) as usize]);
            (a, d, c, b) = (d, c, b, b.wrapping_add(turned));
        }
        for (word, added) in sum.iter_mut().zip([a, b, c, d]) {
            *word = word.wrapping_add(added);
        }
    }
    let mut digest = [0; 16];
    for (bytes, word) in digest.as_chunks_mut::<4>().0.iter_mut().zip(sum) {
        *bytes = word.to_le_bytes();
    }
    digest
}
