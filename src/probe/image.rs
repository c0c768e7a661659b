//! Judges the image as the device would that installs it: by what `esp_ota_end` and
//! the bootloader say, before they say it.

use super::device::Device;
use super::report::{Evidence, Finding};
use super::rule::Rule;
use super::rules::image as rules;
use xiaozhi_device::checkin;
use xiaozhi_device::guards::{self, Reason};
use xiaozhi_device::image::{AppImage, ImageFault, Verdict};
use xiaozhi_device::project::{Projects, XIAOZHI};
use xiaozhi_device::version::Version;

/// Line of `esp_ota_end` for an image that it refuses.
const VALIDATION: &str = "E (…) Ota: Image validation failed, image is corrupted";

/// Judges a file of `size` bytes that was offered as `version`. Returns the app
/// inside, where there is one that this device would run.
pub(crate) fn judge<'a>(
    verdict: &'a Verdict,
    size: u64,
    version: &str,
    device: &Device,
) -> (Option<&'a AppImage>, Vec<Finding>) {
    let app = match verdict {
        Verdict::App(app) => &**app,
        Verdict::Foreign(foreign) => {
            let finding = Finding::fail(&rules::NOT_AN_IMAGE, Evidence::of(&foreign.into()));
            let serial =
                "E (…) esp_ota_ops: OTA image has invalid magic byte (expected 0xE9, saw 0x…)";
            return (None, vec![finding.serial(serial)]);
        }
        Verdict::Rejected(fault) => {
            let finding = Finding::fail(of_fault(fault), Evidence::of(&fault.into()));
            return (None, vec![finding.serial(VALIDATION)]);
        }
    };
    let body = device.body();
    let report = checkin::Report::read(body.as_bytes());
    let guards = guards::ReportedDevice::of(&report, &device.version, Projects::DISTINCT);
    if let Some(reason) = guards.cannot_run(app, size) {
        let (rule, serial) = of_reason(&reason);
        let finding = Finding::fail(rule, Evidence::of(&(&reason).into()));
        let finding = match serial {
            "" => finding,
            line => finding.serial(line),
        };
        return (None, vec![finding]);
    }
    let mut findings = Vec::new();
    if app.project != XIAOZHI {
        let project = format!("project_name: {:?}", app.project);
        findings.push(Finding::warn(&rules::OTHER_PROJECT, project));
    }
    if Version::new(&app.version) != Version::new(version) {
        let evidence = format!("{version:?} was offered, {:?} is inside", app.version);
        findings.push(Finding::warn(&rules::OTHER_VERSION, evidence));
    }
    (Some(app), findings)
}

fn of_fault(fault: &ImageFault) -> &'static Rule {
    match fault {
        ImageFault::Empty | ImageFault::EndsEarly { .. } | ImageFault::Blank { .. } => {
            &rules::TRUNCATED_IMAGE
        }
        ImageFault::FirstByte { .. }
        | ImageFault::SegmentCount { .. }
        | ImageFault::HashFlag { .. }
        | ImageFault::SegmentLength { .. }
        | ImageFault::Checksum
        | ImageFault::Hash
        | ImageFault::Signature => &rules::DAMAGED_IMAGE,
        ImageFault::Bootloader => &rules::BOOTLOADER,
        ImageFault::FullFlash => &rules::MERGED_IMAGE,
        ImageFault::Esp8266 => &rules::ESP8266_IMAGE,
        ImageFault::Front { .. }
        | ImageFault::PartitionTable
        | ImageFault::FlashPart { .. }
        | ImageFault::Data { .. }
        | ImageFault::PrivateKey => &rules::NOT_AN_IMAGE,
        ImageFault::Trailing { .. } => &rules::TRAILING_BYTES,
        ImageFault::UnsafeVersion { .. } => &rules::VERSION_INSIDE_CRASHES,
    }
}

fn of_reason(reason: &Reason<'_>) -> (&'static Rule, &'static str) {
    match reason {
        Reason::OtherChip { .. } => (
            &rules::WRONG_CHIP,
            "E (…) boot_comm: mismatch chip ID, expected …, found …",
        ),
        Reason::RevisionTooLow { .. } | Reason::RevisionTooHigh { .. } => (
            &rules::CHIP_REVISION,
            "E (…) boot_comm: Image requires chip rev …",
        ),
        Reason::TooBig { .. } => (
            &rules::TOO_BIG,
            "E (…) Ota: Failed to write OTA data: ESP_ERR_INVALID_SIZE",
        ),
        Reason::NoSlot => (&rules::NO_SLOT, "E (…) Ota: Failed to get update partition"),
        Reason::NoAssets => (&rules::NO_ASSETS, ""),
        Reason::SameVersion { .. } => (
            &rules::SAME_VERSION,
            "E (…) Ota: Firmware version is the same, skipping upgrade",
        ),
        // Of the others none speaks of an image alone.
        _ => (&rules::NOT_AN_IMAGE, ""),
    }
}
