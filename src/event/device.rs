//! Events of what `xiaozhi_device` finds: it knows structure, and the words are here.

use super::text::Text;
use super::{Event, Value, event};
use xiaozhi_device::guards::{NoProof, Reason};
use xiaozhi_device::image::{Foreign, ImageFault, Lookalike, Remark};

impl From<&Reason<'_>> for Event {
    fn from(reason: &Reason<'_>) -> Self {
        match reason {
            Reason::OtherProject { image, device } => {
                event!(
                    WITHHELD_PROJECT,
                    image = quoted(image),
                    runs = quoted(device)
                )
            }
            Reason::OtherChip { image, device } => {
                event!(WITHHELD_CHIP, image = image.to_string(), chip = &**device)
            }
            Reason::TooBig { size, slot, room } if slot.is_empty() => {
                event!(WITHHELD_SIZE, size = *size, room = *room)
            }
            Reason::TooBig { size, slot, room } => {
                event!(
                    WITHHELD_SLOT_SIZE,
                    size = *size,
                    slot = &**slot,
                    room = *room
                )
            }
            Reason::NoSlot => event!(WITHHELD_NO_SLOT),
            Reason::RevisionTooLow { needed, has } => event!(
                WITHHELD_REVISION_LOW,
                needed = revision(*needed),
                has = revision(*has)
            ),
            Reason::RevisionTooHigh { allowed, has } => event!(
                WITHHELD_REVISION_HIGH,
                allowed = revision(*allowed),
                has = revision(*has)
            ),
            Reason::NoAssets => event!(WITHHELD_NO_ASSETS),
            Reason::NoImage => event!(WITHHELD_NO_IMAGE),
            Reason::SameVersion { inside } => {
                event!(WITHHELD_SAME_VERSION, inside = version(inside))
            }
            Reason::Failed { times } => event!(WITHHELD_FAILED, times = *times),
            Reason::Unread => event!(WITHHELD_UNREAD),
            Reason::NewerStore => event!(WITHHELD_NEWER_STORE),
            Reason::UnknownOrders => event!(WITHHELD_ORDERS_UNREAD),
            Reason::Unsaid => event!(WITHHELD_UNSAID),
            Reason::TooMuchFailed => event!(WITHHELD_TOO_MUCH_FAILED),
            Reason::NoRoom => event!(WITHHELD_NO_ROOM),
            Reason::AlreadyRunning { inside: None } => event!(WITHHELD_RUNNING),
            Reason::AlreadyRunning {
                inside: Some(inside),
            } => event!(WITHHELD_RUNNING_NAMED, inside = version(inside)),
            Reason::NeedsForce(NoProof::NoImage) => event!(WITHHELD_FORCE_NO_IMAGE),
            Reason::NeedsForce(NoProof::OtherVersion {
                inside,
                image_has_hash: true,
            }) => event!(WITHHELD_FORCE_NO_DEVICE_HASH, inside = version(inside)),
            Reason::NeedsForce(NoProof::OtherVersion { inside, .. }) => {
                event!(WITHHELD_FORCE_NO_IMAGE_HASH, inside = version(inside))
            }
            Reason::PinnedVersionMissing => event!(WITHHELD_PIN_MISSING),
            Reason::Renamed { old } => event!(WITHHELD_RENAMED, old = &**old),
            Reason::Unaliased { files } => event!(WITHHELD_UNALIASED, files = &**files),
            Reason::NearName { near } => event!(WITHHELD_NEAR_NAME, near = &**near),
            Reason::NoAddress => event!(WITHHELD_NO_ADDRESS),
            Reason::NotActivated => event!(WITHHELD_NOT_ACTIVATED),
            Reason::UpdatesOff => event!(WITHHELD_UPDATES_OFF),
            Reason::LongReply => event!(WITHHELD_LONG_REPLY),
            Reason::Stopping => event!(WITHHELD_STOPPING),
        }
    }
}

impl From<&ImageFault> for Event {
    fn from(fault: &ImageFault) -> Self {
        let byte = |byte: u8| format!("{byte:#04x}");
        match fault {
            ImageFault::Empty => event!(IMAGE_EMPTY),
            ImageFault::Blank { bytes, fill } => {
                event!(IMAGE_BLANK, bytes = *bytes, fill = byte(*fill))
            }
            ImageFault::FirstByte { byte: first } => {
                event!(IMAGE_FIRST_BYTE, byte = byte(*first))
            }
            ImageFault::Front { bytes } => {
                event!(IMAGE_FRONT, bytes = *bytes, from = *bytes + 1)
            }
            ImageFault::EndsEarly { size, part } => {
                event!(IMAGE_CUT, size = *size, part = *part)
            }
            ImageFault::SegmentCount { count } => event!(IMAGE_SEGMENT_COUNT, count = *count),
            ImageFault::HashFlag { flag } => event!(IMAGE_HASH_FLAG, flag = *flag),
            ImageFault::SegmentLength { number, length } => {
                event!(IMAGE_SEGMENT_LENGTH, number = *number, length = *length)
            }
            ImageFault::Checksum => event!(IMAGE_CHECKSUM),
            ImageFault::Hash => event!(IMAGE_HASH),
            ImageFault::Bootloader => event!(IMAGE_BOOTLOADER),
            ImageFault::FullFlash => event!(IMAGE_FULL_FLASH),
            ImageFault::PartitionTable => event!(IMAGE_PARTITION_TABLE),
            ImageFault::FlashPart { part } => event!(IMAGE_FLASH_PART, what = *part),
            ImageFault::Data { what } => event!(IMAGE_DATA_DAMAGED, what = *what),
            ImageFault::PrivateKey => event!(IMAGE_PRIVATE_KEY),
            ImageFault::Esp8266 => event!(IMAGE_ESP8266),
            ImageFault::Trailing { bytes, length } => {
                event!(IMAGE_TRAILING, bytes = *bytes, length = *length)
            }
            ImageFault::Signature => event!(IMAGE_SIGNATURE),
            ImageFault::UnsafeVersion { version } => {
                event!(IMAGE_UNSAFE_VERSION, version = quoted(version))
            }
        }
    }
}

impl From<&Foreign> for Event {
    fn from(foreign: &Foreign) -> Self {
        foreign
            .looks_like
            .map_or_else(|| event!(IMAGE_FOREIGN), Self::from)
    }
}

impl From<Lookalike> for Event {
    fn from(looks_like: Lookalike) -> Self {
        match looks_like {
            Lookalike::Elf => event!(IMAGE_ELF),
            Lookalike::Zip => event!(IMAGE_ZIP),
            Lookalike::Gzip => event!(IMAGE_GZIP),
            Lookalike::Bzip2 => event!(IMAGE_BZIP2),
            Lookalike::Xz => event!(IMAGE_XZ),
            Lookalike::Archive(what) => event!(IMAGE_ARCHIVE, what = what),
            Lookalike::Locked(what) => event!(IMAGE_LOCKED, what = what),
            Lookalike::WebPage => event!(IMAGE_WEB_PAGE),
            Lookalike::Answer(what) => event!(IMAGE_ANSWER, what = what),
            Lookalike::GitLfsPointer => event!(IMAGE_GIT_LFS),
            Lookalike::Text(what) => event!(IMAGE_TEXT, what = what),
            Lookalike::Source => event!(IMAGE_SOURCE),
            Lookalike::PartitionCsv => event!(IMAGE_PARTITION_CSV),
            Lookalike::Encoded(what) => event!(IMAGE_ENCODED, what = what),
            Lookalike::Rewritten(what) => event!(IMAGE_REWRITTEN, what = what),
            Lookalike::Uf2 => event!(IMAGE_UF2),
            Lookalike::Dfu => event!(IMAGE_DFU),
            Lookalike::Program(what) => event!(IMAGE_PROGRAM, what = what),
            Lookalike::Document(what) => event!(IMAGE_DOCUMENT, what = what),
            Lookalike::FileSystem(what) => event!(IMAGE_FILE_SYSTEM, what = what),
            Lookalike::Container(what) => event!(IMAGE_CONTAINER, what = what),
            Lookalike::PreEncrypted => event!(IMAGE_PRE_ENCRYPTED),
            Lookalike::Delta(what) => event!(IMAGE_DELTA, what = what),
            Lookalike::Random => event!(IMAGE_RANDOM),
            Lookalike::Esp8266 => event!(IMAGE_OLD_ESP),
            Lookalike::Assets => event!(IMAGE_ASSETS),
            Lookalike::Models => event!(IMAGE_MODELS),
        }
    }
}

impl From<&Remark> for Event {
    fn from(remark: &Remark) -> Self {
        match remark {
            Remark::OtherProject { project } => event!(REMARK_PROJECT, project = quoted(project)),
            Remark::StrangeVersion { inside, project } => event!(
                REMARK_UNSAFE_VERSION,
                inside = quoted(inside),
                project = quoted(project)
            ),
            Remark::Misnamed { named, inside } => {
                event!(REMARK_MISNAMED, named = &**named, inside = version(inside))
            }
            Remark::NoRevision { min, max } => event!(
                REMARK_NO_REVISION,
                min = revision(*min),
                max = revision(*max)
            ),
            Remark::NoHash => event!(REMARK_NO_HASH),
        }
    }
}

/// Returns a version as a sentence has it: an image can have an empty one.
fn version(text: &str) -> Value {
    if text.trim().is_empty() {
        Text::new("空的版本号", "an empty version").into()
    } else {
        text.into()
    }
}

/// Writes a chip's revision, of which we have 100 * major + minor.
fn revision(number: impl Into<u64>) -> String {
    let number = number.into();
    format!("v{}.{}", number / 100, number % 100)
}

/// Quotes a text of a stranger's, which may hold anything, blanks too.
fn quoted(text: &str) -> String {
    format!("{text:?}")
}
