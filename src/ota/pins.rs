//! Pins that hold nobody: no file has the version, or no file is of that model.

use super::decide::Policy;
use crate::event::{Event, event};
use crate::firmware::name::near::NameIndex;
use crate::firmware::name::parse;
use crate::firmware::snapshot::Snapshot;
use xiaozhi_device::version::Version;

const SETTING: &str = "gateway.firmware.pin";

/// Returns the pins that no file answers. A model is a name to the letter, and nothing else
/// shows that one is misspelt: its devices go on as if there were no pin. `is_there` tells
/// whether a version of a model can be offered.
fn audit(
    policy: &Policy,
    files: &NameIndex,
    is_there: impl Fn(&str, &Version) -> bool,
) -> Vec<Event> {
    let mut pins: Vec<_> = policy.pins.iter().collect();
    pins.sort_unstable_by_key(|(model, _)| *model);
    let missing = |(model, _): &(&String, &Version)| {
        let version = &policy.pins[*model];
        !policy.names(model).any(|name| is_there(name, version))
    };
    let told = |(model, version): (&String, &Version)| {
        let near = near(policy, files, model);
        let version = version.as_str();
        match near {
            Some(near) => event!(
                PIN_NEAR,
                setting = SETTING,
                model = format!("{model:?}"),
                version = version,
                near = near
            ),
            None => event!(
                PIN_MISSING,
                setting = SETTING,
                model = model,
                version = version
            ),
        }
    };
    pins.into_iter().filter(missing).map(told).collect()
}

/// Returns the same by the images that can be offered.
pub(crate) fn audit_files(policy: &Policy, files: &Snapshot) -> Vec<Event> {
    audit(policy, files.names(), |model, version| {
        let mut images = files.model(model).iter();
        images.any(|image| image.version == *version)
    })
}

/// Returns the same by the names of the files alone, where none of them was looked into.
pub(crate) fn audit_names(policy: &Policy, files: &NameIndex) -> Vec<Event> {
    audit(policy, files, |model, version| {
        let asked = format!("{model}_{}.bin", version.as_str());
        let is_it = |file: &str| {
            let found = parse(file);
            found.is_ok_and(|found| found.model == model && found.version == *version)
        };
        files.nearest_file(&asked, is_it).is_some()
    })
}

/// Returns the model that has files and no pin, and whose name is nearly that of one that
/// has none.
fn near(policy: &Policy, files: &NameIndex, model: &str) -> Option<String> {
    if policy.names(model).any(|name| files.has(name)) {
        return None;
    }
    let near = files.nearest(&[model], &[])?.says?;
    (files.has(&near) && policy.pin(&near).is_none()).then_some(near)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn a_pin_that_holds_nobody_is_told_from_one_that_waits() {
        let files = ["esp32s3_1.6.6.bin", "esp32s3_1.7.0.bin", "box_1.0.bin"];
        let index = NameIndex::new(files);
        let told = |pins: &[(&str, &str)]| {
            let pins = pins
                .iter()
                .map(|(model, version)| ((*model).to_owned(), Version::new(version)));
            let policy = Policy {
                pins: pins.collect::<HashMap<_, _>>(),
                ..Policy::default()
            };
            let told = audit_names(&policy, &index).into_iter();
            told.map(|event| event.kind.id).collect::<Vec<_>>()
        };
        for (pins, expected) in [
            (&[("esp32s3", "1.6.6")][..], &[][..]),
            (&[("esp32s3", "1.6.5")], &["pin.missing"]),
            (&[("c3", "1.6.5")], &["pin.missing"]),
            (&[("Esp32S3", "1.6.6")], &["pin.near"]),
            (&[("esp32s3 ", "1.6.6")], &["pin.near"]),
            (&[("esp32-s3", "1.6.6")], &["pin.near"]),
            (&[("ｅsp32s3", "9.0")], &["pin.near"]),
            (
                &[("Esp32S3", "1.6.6"), ("esp32s3", "1.7.0")],
                &["pin.missing"],
            ),
        ] {
            assert_eq!(told(pins), expected, "{pins:?}");
        }
    }
}
