//! Devices whose model has no file: says what it may be called instead, or was called
//! before.

use super::request::shown;
use crate::event::tell;
use crate::event::text::Text;
use crate::firmware::snapshot::Snapshot;
use crate::fleet::Fleet;
use crate::ota::decide::OwnModel;
use std::time::SystemTime;
use xiaozhi_device::checkin::CheckIn;

/// Says of a device that its board was renamed, and which file's name is nearly its
/// model's: each once an hour.
pub(super) fn tell_why(
    fleet: &Fleet,
    snapshot: &Snapshot,
    check_in: &CheckIn<'_>,
    now: SystemTime,
) {
    let device = shown(check_in.device);
    let models: Vec<_> = check_in.models().collect();
    if let Some(former) = fleet.former(device)
        && let Some(new) = models.first()
        // It goes by that name still, whose files went.
        && !models.iter().any(|model| former.has_files_of(model))
        && fleet.is_due(device, &(&former.named, &former.files, new), now)
    {
        let is_named = |name: &str| models.contains(&name);
        tell_of_former(device, &former, new, is_named(&former.named));
    }
    // A header that names a model stands alone, and may be what is wrong.
    let report = &check_in.report;
    let of_body = [&report.board_name, &report.board_type, &report.model];
    let of_body = of_body.into_iter().flatten().map(AsRef::as_ref);
    let others: Vec<_> = of_body.filter(|name| !models.contains(name)).collect();
    if let Some(near) = snapshot.near(&models, &others)
        && fleet.is_due(device, &(&near.file, &near.model), now)
    {
        let model = shown(&near.model);
        if !near.can_be_named {
            let says = near.says.unwrap_or_default();
            tell!(
                MODEL_UNNAMEABLE,
                device = device,
                model = model,
                file = &near.file,
                name = near.name,
                alias = alias(&says, model),
            );
            return;
        }
        tell!(
            MODEL_NEAR,
            device = device,
            model = model,
            file = &near.file,
            unpack = near.is_archive.then_some(UNPACK),
            name = near.name,
            alias = near.says.map(|says| alias(&says, model)),
        );
    }
}

/// Says as which model a device had files before. One that `is_named_so` still had them by
/// an alias, which is gone.
fn tell_of_former(device: &str, former: &OwnModel, new: &str, is_named_so: bool) {
    let [old, files, new] = [&*former.named, &*former.files, new].map(shown);
    if is_named_so {
        tell!(
            MODEL_UNALIASED,
            device = device,
            model = old,
            files = files,
            alias = alias(old, files)
        );
    } else {
        tell!(
            MODEL_RENAMED,
            device = device,
            old = old,
            files = Some(files).filter(|files| *files != old),
            new = new,
            alias = alias(files, new)
        );
    }
}

/// Advice on an archive, in front of the name that a file must have.
const UNPACK: Text = Text::new(
    "这是压缩包，请先解压，取出其中的应用固件；",
    "it is an archive, so unpack it and take the app image that is in it",
);

/// Writes two names as the setting has them.
fn alias(old: &str, new: &str) -> String {
    let quoted = |name: &str| {
        let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.chars().all(is_plain) && name.starts_with(char::is_alphabetic) {
            name.to_owned()
        } else {
            format!("'{}'", name.replace('\'', "''"))
        }
    };
    format!("{{{}: {}}}", quoted(old), quoted(new))
}
