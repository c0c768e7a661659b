//! Effect on devices of a file that is in the folder now.

use crate::config::Settings;
use crate::firmware::name;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use xiaozhi_device::version::Version;

/// Returns the models that the folder has files for, each with its highest version.
pub(super) fn models(dir: &Path) -> BTreeMap<String, Version> {
    let mut models = BTreeMap::new();
    let names = fs::read_dir(dir).into_iter().flatten().flatten();
    for name in names.filter_map(|item| name::parse(item.file_name().to_str()?).ok()) {
        let highest = models
            .entry(name.model)
            .or_insert_with(|| name.version.clone());
        if name.version > *highest {
            *highest = name.version;
        }
    }
    models
}

/// Says what follows for devices, and why some may get another version all the
/// same.
pub(super) fn effect(
    settings: &Settings,
    models: &BTreeMap<String, Version>,
    model: &str,
    version: &Version,
    kind: Option<&str>,
) -> (String, Option<String>) {
    let mut whom = if model == "default" {
        "devices without files of their own model".to_owned()
    } else {
        format!("devices of the model {model}")
    };
    if let Some(kind) = kind {
        whom = format!("{whom} {kind}");
    }
    let offered =
        format!("a running server offers it to {whom} below {version} at their next check");
    let policy = &settings.policy;
    let highest = policy.names(model).filter_map(|name| models.get(name));
    match (policy.pin(model), highest.max()) {
        (Some(pin), _) if pin == version => (
            format!("a running server brings {whom} to it at their next check, for it is pinned"),
            None,
        ),
        (Some(pin), _) => (
            "it is not offered".into(),
            Some(format!(
                "gateway.firmware.pin holds the model {model} at {pin}"
            )),
        ),
        (None, Some(highest)) if highest >= version && highest.as_str() != version.as_str() => (
            offered,
            Some(format!(
                "the folder holds {highest} for the model {model}, which is higher: a device gets {version} only where that one \
                 does not fit it"
            )),
        ),
        _ => (offered, None),
    }
}
