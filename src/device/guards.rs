//! Finds the reasons why an image must not go to a device.
//!
//! Everything here is something that the device itself finds out, after minutes
//! of download and again at each boot. What it did not report is not judged.

use crate::checkin::{Partition, Report};
use crate::chip::Chip;
use crate::hex;
use crate::image::AppImage;
use crate::project::Projects;
use crate::version::{self, Version};
use std::borrow::Cow;
use std::cmp::Ordering;

/// `ESP_PARTITION_TYPE_APP`.
const APP: u64 = 0;
/// `ESP_PARTITION_SUBTYPE_APP_OTA_MIN` up to `_MAX`, the latter not one of them.
const OTA_SLOTS: std::ops::Range<u64> = 0x10..0x20;
/// Length to which a name that a device sent is cut, in bytes.
const NAME: usize = 40;

/// Reason why an image is withheld from a device.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reason<'a> {
    /// Another project's firmware knows nothing of this server: the device would
    /// ask nobody any more.
    OtherProject {
        /// The project of the image.
        image: Cow<'a, str>,
        /// The project that the device runs.
        device: Cow<'a, str>,
    },
    /// The bootloader refuses an image of another chip
    /// (`bootloader_common_check_chip_validity`).
    OtherChip {
        /// The chip of the image.
        image: Chip,
        /// The chip of the device.
        device: Cow<'a, str>,
    },
    /// `esp_ota_write` fails at the slot's end.
    TooBig {
        /// Length of the file in bytes.
        size: u64,
        /// Name of the slot that would take it; empty if any may.
        slot: Cow<'a, str>,
        /// Length of that slot, or of the longest one, in bytes.
        room: u64,
    },
    /// `esp_ota_get_next_update_partition` finds none.
    NoSlot,
    /// The chip is older than the image allows; revisions are 100 * major +
    /// minor.
    RevisionTooLow {
        /// The lowest revision that the image needs.
        needed: u16,
        /// The revision of the device's chip.
        has: u64,
    },
    /// The chip is newer than the image allows.
    RevisionTooHigh {
        /// The highest that the image allows.
        allowed: u16,
        /// The revision of the device's chip.
        has: u64,
    },
    /// Firmware 2.x keeps its sounds and models in a partition that layouts of
    /// 1.x do not have.
    NoAssets,
    /// An ESP32 takes ESP images only, and looks at the first byte.
    NoImage,
    /// Firmware before 2.0.0 refuses an image that holds the very version that
    /// runs, after the download, and restarts (`Ota::Upgrade` in `main/ota.cc`).
    SameVersion {
        /// The version inside the image.
        inside: Cow<'a, str>,
    },
    /// It failed on this device several times: it was fetched, or forced, and the device
    /// still reports what it reported before, or did not come again in time.
    Failed {
        /// Number of times that it did.
        times: u32,
    },
    /// The store is still being read, and nobody knows yet what failed on the device.
    Unread,
    /// The store was written by a newer program, and nobody here knows what failed.
    NewerStore,
    /// Nobody can read what people ordered, which might forbid it.
    UnknownOrders,
    /// The device fetched an image, and does not say what it runs since: whether that image
    /// failed on it is still to be seen.
    Unsaid,
    /// So many images failed on this device, or what is stored of them is so damaged, that nobody
    /// knows of this one.
    TooMuchFailed,
    /// Too many devices are remembered for this one to be: nobody would count how often
    /// it is forced, or knows whether it had files of its own under another name.
    NoRoom,
    /// Since v2.0.0 firmware installs what it already runs, at every check.
    AlreadyRunning {
        /// The version inside the image, where the file's name has another.
        inside: Option<Cow<'a, str>>,
    },
    /// The device's own comparison says that it is no newer, and nothing proves
    /// that forcing it would end.
    NeedsForce(NoProof<'a>),
    /// A pin names a version that no file has.
    PinnedVersionMissing,
    /// It is for devices without files of their own, and this one had some under
    /// another name: boards are renamed between releases of the firmware.
    Renamed {
        /// The model as which it came before.
        old: Cow<'a, str>,
    },
    /// It had files of another model's by an alias, which is gone.
    Unaliased {
        /// The model in those files' names.
        files: Cow<'a, str>,
    },
    /// It is for devices without files of their own, and one lies there that is meant for
    /// this one's model.
    NearName {
        /// Name of that file.
        near: Cow<'a, str>,
    },
    /// The download address would be one that devices misread. Up to v1.7.7 they
    /// restart after each update that failed (`Application::CheckNewVersion` in
    /// `main/application.cc`), and so would for ever.
    NoAddress,
    /// The device waits to be taken on by its owner: an `activation` object in what another
    /// server answers it.
    NotActivated,
    /// Its owner has automatic updates off.
    UpdatesOff,
    /// The reply of another server leaves no room for an offer in what the device can read.
    LongReply,
    /// The server is being stopped: a download that begins now may be cut.
    Stopping,
}

/// Gap in the proof that a forced update ends.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum NoProof<'a> {
    /// There is no image whose version or hash could be known again.
    NoImage,
    /// The image holds another version than its file's name, and one of the two
    /// sides has no ELF hash.
    OtherVersion {
        /// The version inside the image.
        inside: Cow<'a, str>,
        /// True where the image has an ELF hash, so that the device named none.
        image_has_hash: bool,
    },
}

/// A file that may be offered, as far as it is held against a device.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Description inside the image; `None` for a file that is no ESP image.
    pub app: Option<&'a AppImage>,
    /// The version that the file's name promises.
    pub version: &'a Version,
    /// Length of the file in bytes.
    pub size: u64,
}

impl Candidate<'_> {
    /// Tells whether the version inside the image has the rank of the one in the
    /// file's name: after an update the device reports the former.
    pub fn holds_its_version(&self) -> bool {
        let held = |app: &AppImage| Version::new(&app.version) == *self.version;
        self.app.is_some_and(held)
    }
}

/// A device's report of itself, as far as images are held against it.
#[derive(Debug)]
pub struct ReportedDevice<'a> {
    report: &'a Report<'a>,
    version: &'a str,
    projects: &'a Projects,
    elf_sha256: Option<[u8; 32]>,
    slot: Option<Slot<'a>>,
    has_assets: Option<bool>,
}

/// Slot that the device would write an image to.
#[derive(Debug, PartialEq, Eq)]
enum Slot<'a> {
    None,
    /// The slot that takes it, or, where the running one was not reported, the
    /// longest one without its name. A length that was not reported is none.
    Takes {
        label: Cow<'a, str>,
        room: Option<u64>,
    },
}

impl<'a> ReportedDevice<'a> {
    /// Reads what was left unread of the report. `version` is what the device
    /// runs; `projects` says which names mean one project.
    pub fn of(report: &'a Report<'a>, version: &'a str, projects: &'a Projects) -> Self {
        let partitions = report.partitions.as_deref();
        Self {
            report,
            version,
            projects,
            elf_sha256: report.elf_sha256.as_deref().and_then(sha256),
            slot: partitions.and_then(|table| slot(table, report.running_slot.as_deref())),
            has_assets: partitions.map(|table| table.iter().any(|p| p.label == "assets")),
        }
    }

    /// The first reason why this file would fail on this device.
    pub fn refuses(&self, file: &Candidate<'_>) -> Option<Reason<'a>> {
        match file.app {
            None => self.no_image().or_else(|| self.size(file.size)),
            Some(app) => self.refuses_image(app, file.size),
        }
    }

    /// The same of an image in a file of `size` bytes, wherever it comes from.
    pub fn refuses_image(&self, app: &AppImage, size: u64) -> Option<Reason<'a>> {
        self.other_project(app)
            .or_else(|| self.cannot_run(app, size))
    }

    /// The first reason why the device itself would refuse an image: it installs
    /// any project's.
    pub fn cannot_run(&self, app: &AppImage, size: u64) -> Option<Reason<'a>> {
        self.other_chip(app)
            .or_else(|| self.revision(app))
            .or_else(|| self.assets(app))
            .or_else(|| self.same_version(app))
            .or_else(|| self.size(size))
    }

    /// Returns a reason where the device runs this very image.
    ///
    /// The ELF hash tells. Where one side has none, the version inside the image
    /// must do: a device that reports it would report it again after the update.
    pub fn runs(&self, file: &Candidate<'_>) -> Option<Reason<'a>> {
        let app = file.app?;
        let same = match (app.elf_sha256, self.elf_sha256) {
            (Some(image), Some(device)) => image == device,
            _ => version::compare(&app.version, self.version) == Ordering::Equal,
        };
        same.then(|| Reason::AlreadyRunning {
            inside: (!file.holds_its_version()).then(|| app.version.clone().into()),
        })
    }

    /// Returns the reason why forcing this image might not end by itself; `None` if it does
    /// end: after it the device reports the offered version, or the hash by which
    /// [`ReportedDevice::runs`] knows it.
    pub fn cannot_be_forced(&self, file: &Candidate<'_>) -> Option<NoProof<'a>> {
        let Some(app) = file.app else {
            return Some(NoProof::NoImage);
        };
        let image_has_hash = app.elf_sha256.is_some();
        if file.holds_its_version() || image_has_hash && self.elf_sha256.is_some() {
            return None;
        }
        Some(NoProof::OtherVersion {
            inside: app.version.clone().into(),
            image_has_hash,
        })
    }

    /// Whoever does not say what it is may be no ESP32, and have a format of its
    /// own.
    fn no_image(&self) -> Option<Reason<'a>> {
        let name = self.report.chip_name.as_deref().unwrap_or_default();
        // A chip of tomorrow is one, too, and so is one whose maker stands in front.
        let letters = name.bytes().filter(u8::is_ascii_alphanumeric);
        let letters: Vec<u8> = letters.map(|b| b.to_ascii_lowercase()).collect();
        let is_named = letters.windows(5).any(|part| part == b"esp32");
        let model = self.report.chip_model.map(u32::try_from);
        let model = model.and_then(Result::ok).and_then(Chip::from_model);
        // A number alone tells as long as it is one that we know.
        let is_numbered = name.is_empty() && model.is_some_and(|chip| chip.name().is_some());
        (is_named || is_numbered).then_some(Reason::NoImage)
    }

    fn other_project(&self, app: &AppImage) -> Option<Reason<'a>> {
        let runs = self
            .report
            .project
            .as_ref()
            .filter(|name| !name.is_empty())?;
        (!self.projects.are_one(&app.project, runs)).then(|| Reason::OtherProject {
            image: app.project.clone().into(),
            device: cut(runs),
        })
    }

    fn other_chip(&self, app: &AppImage) -> Option<Reason<'a>> {
        let name = self.report.chip_name.as_ref();
        let model = self.report.chip_model.map(u32::try_from);
        let model = model.and_then(Result::ok).and_then(Chip::from_model);
        let exact = name.and_then(|name| Chip::from_name(name));
        let device = match (exact.or(model), name) {
            (Some(chip), _) if chip == app.chip => return None,
            (Some(_), Some(name)) => cut(name),
            // A number alone tells as long as it is one that we know.
            (Some(chip), None) => chip.name()?.into(),
            // Firmware that is none of ours writes a part number, ESP32-D0WDQ6.
            (None, Some(name)) => match Chip::of_part(name) {
                Some(chip) if chip == app.chip || app.chip.name().is_none() => return None,
                _ => cut(name),
            },
            (None, None) => return None,
        };
        Some(Reason::OtherChip {
            image: app.chip,
            device,
        })
    }

    fn revision(&self, app: &AppImage) -> Option<Reason<'a>> {
        let has = self.report.chip_revision?;
        // Earlier versions report the major number alone.
        let idf = self.report.idf_version.as_deref()?;
        let major = idf.trim_start_matches(['v', 'V']).split('.').next()?;
        if major.parse::<u32>().ok()? < 5 {
            return None;
        }
        if let Some(needed) = app.min_revision.filter(|min| has < u64::from(*min)) {
            return Some(Reason::RevisionTooLow { needed, has });
        }
        let allowed = app.max_revision.filter(|max| has > u64::from(*max))?;
        Some(Reason::RevisionTooHigh { allowed, has })
    }

    /// A device that runs 2.x without the partition has been built to.
    fn assets(&self, app: &AppImage) -> Option<Reason<'a>> {
        let lacks = self.has_assets == Some(false) && !runs_v2(self.version);
        (app.needs_assets(self.projects) && lacks).then_some(Reason::NoAssets)
    }

    fn same_version(&self, app: &AppImage) -> Option<Reason<'a>> {
        // What the device compares with is its own, whatever a header says.
        let own = self.report.version.as_deref()?;
        let is_xiaozhi = self.projects.is_xiaozhi(&app.project);
        (is_xiaozhi && own == app.version && !runs_v2(own)).then(|| Reason::SameVersion {
            inside: app.version.clone().into(),
        })
    }

    fn size(&self, size: u64) -> Option<Reason<'a>> {
        match self.slot.as_ref()? {
            Slot::None => Some(Reason::NoSlot),
            Slot::Takes { label, room } => {
                let room = room.filter(|room| size > *room)?;
                let slot = cut(label);
                Some(Reason::TooBig { size, slot, room })
            }
        }
    }
}

fn runs_v2(version: &str) -> bool {
    version::major(version).is_some_and(|major| major >= 2)
}

/// Cuts a name that a device sent to the length that a reason keeps: real ones are shorter.
fn cut<'a>(name: &Cow<'a, str>) -> Cow<'a, str> {
    let end = name.floor_char_boundary(NAME);
    match name {
        Cow::Borrowed(name) => Cow::Borrowed(&name[..end]),
        Cow::Owned(name) => Cow::Owned(name[..end].to_owned()),
    }
}

/// Reads an ELF hash; zeros stand for none.
fn sha256(text: &str) -> Option<[u8; 32]> {
    hex::decode(text).filter(|sum| *sum != [0; 32])
}

/// The slot that takes the next image, as `esp_ota_get_next_update_partition`
/// finds it: the one behind the running one, in the order of their numbers, else
/// the first. `None` where the table does not tell.
fn slot<'a>(table: &[Partition<'a>], running: Option<&str>) -> Option<Slot<'a>> {
    // A line without type or subtype could be a slot.
    if table
        .iter()
        .any(|p| p.kind.is_none() || p.subtype.is_none())
    {
        return None;
    }
    let is_slot = |p: &&Partition<'_>| {
        p.kind == Some(APP) && p.subtype.is_some_and(|s| OTA_SLOTS.contains(&s))
    };
    let mut slots: Vec<_> = table.iter().filter(is_slot).collect();
    slots.sort_by_key(|p| p.subtype);
    let Some(first) = slots.first() else {
        return Some(Slot::None);
    };
    let Some(running) = running else {
        let rooms: Option<Vec<u64>> = slots.iter().map(|p| p.size).collect();
        return Some(Slot::Takes {
            label: Cow::Borrowed(""),
            room: rooms.and_then(|rooms| rooms.into_iter().max()),
        });
    };
    let place = slots.iter().position(|p| p.label == running);
    let next = place
        .and_then(|place| slots.get(place + 1))
        .unwrap_or(first);
    if next.label == running {
        return Some(Slot::None);
    }
    Some(Slot::Takes {
        label: next.label.clone(),
        room: next.size,
    })
}
