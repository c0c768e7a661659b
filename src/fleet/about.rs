//! Descriptions that devices give of themselves: what they are, and what they run. Those of one
//! kind share both.

use std::borrow::Cow;
use xiaozhi_device::checkin::{CheckIn, Partition, Report};
use xiaozhi_device::hex;

/// Number of bytes of a device's texts that are kept.
const KEPT: usize = 128;
/// Number of partitions that are kept: a real table has a dozen.
const PARTITIONS: usize = 24;
/// Number of bytes of a partition's label: the table has room for 16
/// (`esp_partition_info_t` in `esp_flash_partitions.h`).
const LABEL: usize = 16;

/// Returns as much of a stranger's text as is kept.
pub(super) fn kept(text: &str) -> &str {
    &text[..text.floor_char_boundary(KEPT)]
}

/// Description of a device that stays the same from update to update.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Profile {
    /// Model that a header names.
    pub model_header: Option<Box<str>>,
    /// `board.name`, the precise one.
    pub board_name: Option<Box<str>>,
    /// `board.type`, shared by the variants of a board.
    pub board_type: Option<Box<str>>,
    /// `model`, which some third-party firmware sends.
    pub model: Option<Box<str>>,
    /// Tells that it sent an object `board`.
    pub has_board: bool,
    /// `chip_model_name`.
    pub chip_name: Option<Box<str>>,
    /// `chip_info.model`.
    pub chip_model: Option<u64>,
    /// `chip_info.revision`.
    pub chip_revision: Option<u64>,
    /// `flash_size`, in bytes.
    pub flash_size: Option<u64>,
    /// `partition_table`: label, type, subtype and size in bytes of each.
    pub partitions: Option<Box<[KeptPartition]>>,
}

/// One line of a partition table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeptPartition {
    /// Its label.
    pub label: Box<str>,
    /// `esp_partition_type_t`.
    pub kind: Option<u64>,
    /// `esp_partition_subtype_t`.
    pub subtype: Option<u64>,
    /// Length in bytes.
    pub size: Option<u64>,
}

/// Description of the firmware that a device runs: it changes with each update.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Build {
    /// Version that a header names.
    pub version_header: Option<Box<str>>,
    /// `application.version`.
    pub reported: Option<Box<str>>,
    /// `application.name`.
    pub project: Option<Box<str>>,
    /// `application.idf_version`.
    pub idf_version: Option<Box<str>>,
    /// `application.elf_sha256`.
    pub elf_sha256: Option<[u8; 32]>,
    /// `ota.label`: the slot that runs.
    pub slot: Option<Box<str>>,
}

fn is(kept_text: Option<&str>, text: Option<&str>) -> bool {
    kept_text == text.map(kept)
}

fn boxed(text: Option<&str>) -> Option<Box<str>> {
    text.map(|text| kept(text).into())
}

impl Profile {
    /// Takes what a check-in says of a device.
    pub fn of(check_in: &CheckIn<'_>) -> Self {
        let report = &check_in.report;
        Self {
            model_header: boxed(check_in.model_header),
            board_name: boxed(report.board_name.as_deref()),
            board_type: boxed(report.board_type.as_deref()),
            model: boxed(report.model.as_deref()),
            has_board: report.has_board,
            chip_name: boxed(report.chip_name.as_deref()),
            chip_model: report.chip_model,
            chip_revision: report.chip_revision,
            flash_size: report.flash_size,
            partitions: report.partitions.as_ref().map(|table| {
                let table = table.iter().take(PARTITIONS);
                table.map(KeptPartition::of).collect()
            }),
        }
    }

    /// Returns the names that it gives of its board or model, the most precise first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let names = [
            &self.model_header,
            &self.board_name,
            &self.board_type,
            &self.model,
        ];
        names.into_iter().flatten().map(|name| &**name)
    }

    /// Returns the most precise of its names.
    pub fn named(&self) -> Option<&str> {
        self.names().next()
    }

    /// Tells whether a check-in says anything of this sort.
    pub(super) fn is_said_by(check_in: &CheckIn<'_>) -> bool {
        !Self::default().is_of(check_in)
    }

    /// Tells whether a check-in says the same: nothing is made for it.
    pub(super) fn is_of(&self, check_in: &CheckIn<'_>) -> bool {
        let report = &check_in.report;
        is(self.model_header.as_deref(), check_in.model_header)
            && is(self.board_name.as_deref(), report.board_name.as_deref())
            && is(self.board_type.as_deref(), report.board_type.as_deref())
            && is(self.model.as_deref(), report.model.as_deref())
            && is(self.chip_name.as_deref(), report.chip_name.as_deref())
            && self.has_board == report.has_board
            && self.chip_model == report.chip_model
            && self.chip_revision == report.chip_revision
            && self.flash_size == report.flash_size
            && match (&self.partitions, &report.partitions) {
                (None, None) => true,
                (Some(own), Some(table)) => {
                    own.len() == table.len().min(PARTITIONS)
                        && own.iter().zip(table).all(|(own, line)| own.is_of(line))
                }
                _ => false,
            }
    }
}

impl KeptPartition {
    fn of(line: &Partition<'_>) -> Self {
        Self {
            label: label(&line.label).into(),
            kind: line.kind,
            subtype: line.subtype,
            size: line.size,
        }
    }

    fn is_of(&self, line: &Partition<'_>) -> bool {
        *self.label == *label(&line.label)
            && (self.kind, self.subtype, self.size) == (line.kind, line.subtype, line.size)
    }
}

fn label(text: &str) -> &str {
    &text[..text.floor_char_boundary(LABEL)]
}

/// Reads the hash that a device reports of what it runs.
fn elf(report: &Report<'_>) -> Option<[u8; 32]> {
    hex::decode(report.elf_sha256.as_deref()?).filter(|sum| *sum != [0; 32])
}

impl Build {
    /// Takes what a check-in says of what a device runs.
    pub fn of(check_in: &CheckIn<'_>) -> Self {
        let report = &check_in.report;
        Self {
            version_header: boxed(check_in.version_header),
            reported: boxed(report.version.as_deref()),
            project: boxed(report.project.as_deref()),
            idf_version: boxed(report.idf_version.as_deref()),
            elf_sha256: elf(report),
            slot: boxed(report.running_slot.as_deref()),
        }
    }

    /// Tells whether a check-in says the same.
    pub(super) fn is_of(&self, check_in: &CheckIn<'_>) -> bool {
        let report = &check_in.report;
        is(self.version_header.as_deref(), check_in.version_header)
            && is(self.reported.as_deref(), report.version.as_deref())
            && is(self.project.as_deref(), report.project.as_deref())
            && is(self.idf_version.as_deref(), report.idf_version.as_deref())
            && is(self.slot.as_deref(), report.running_slot.as_deref())
            && self.elf_sha256 == elf(report)
    }

    /// Tells whether a check-in says what runs, by a version or by a hash. One whose body was
    /// lost on its way does not.
    pub(super) fn is_said_by(check_in: &CheckIn<'_>) -> bool {
        let report = &check_in.report;
        check_in.version_header.is_some() || report.version.is_some() || elf(report).is_some()
    }

    /// Tells whether it says so.
    pub(super) fn is_said(&self) -> bool {
        self.said_version().is_some() || self.elf_sha256.is_some()
    }

    /// Returns the version that it runs; `0.0.0` where it said none.
    pub fn version(&self) -> &str {
        self.said_version().unwrap_or("0.0.0")
    }

    /// Returns the version that it said.
    pub(super) fn said_version(&self) -> Option<&str> {
        let said = self.version_header.as_deref();
        said.or(self.reported.as_deref())
    }
}

/// Returns the check-in that a device would make now, by what is kept of it.
pub fn check_in<'a>(profile: &'a Profile, build: &'a Build, device: &'a str) -> CheckIn<'a> {
    let text = |text: &'a Option<Box<str>>| text.as_deref().map(Cow::Borrowed);
    let partitions = profile.partitions.as_deref().map(|table| {
        let line = |line: &'a KeptPartition| Partition {
            label: Cow::Borrowed(&*line.label),
            kind: line.kind,
            subtype: line.subtype,
            size: line.size,
        };
        table.iter().map(line).collect()
    });
    CheckIn {
        device,
        client: "",
        model_header: profile.model_header.as_deref(),
        version_header: build.version_header.as_deref(),
        report: Report {
            version: text(&build.reported),
            project: text(&build.project),
            board_name: text(&profile.board_name),
            board_type: text(&profile.board_type),
            model: text(&profile.model),
            has_board: profile.has_board,
            chip_name: text(&profile.chip_name),
            chip_model: profile.chip_model,
            chip_revision: profile.chip_revision,
            flash_size: profile.flash_size,
            idf_version: text(&build.idf_version),
            elf_sha256: build.elf_sha256.map(|hash| hex::encode(&hash).into()),
            partitions,
            running_slot: text(&build.slot),
            fault: None,
            is_empty: false,
        },
    }
}
