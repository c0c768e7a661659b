//! Devices whose model has no file that they could get: says what it may be called instead,
//! or was called before, and which file is not used.

use super::request::shown;
use crate::event::tell;
use crate::event::text::Text;
use crate::firmware::name::near::NearFile;
use crate::firmware::snapshot::UnusedFile;
use crate::fleet::Fleet;
use crate::ota::decide::Decision;
use crate::ota::device_memory::OwnModel;
use std::time::SystemTime;
use xiaozhi_device::checkin::{CheckIn, DEFAULT_MODEL};

/// Says of a device why it gets no file of its model's: that its board was renamed, which
/// file's name is nearly the model's, and which one is not used. Each once an hour.
pub(super) fn tell_why(
    fleet: &Fleet,
    decision: &Decision<'_>,
    check_in: &CheckIn<'_>,
    now: SystemTime,
) {
    let device = shown(check_in.device);
    if let Some(UnusedFile { file, why }) = decision.unused
        && fleet.is_due(device, &("unused", file, why.kind.id), now)
    {
        tell!(
            MODEL_UNUSED,
            device = device,
            model = shown(decision.model),
            version = shown(check_in.version()),
            file = file,
            why = why
        );
    }
    if !decision.is_unmatched() {
        return;
    }
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
    if let Some(near) = &decision.near
        && fleet.is_due(device, &(&near.file, &near.model), now)
    {
        tell_near(device, near, decision.model == DEFAULT_MODEL);
    }
}

/// Says which file's name is nearly the model's, and whether `default` goes out meanwhile.
fn tell_near(device: &str, near: &NearFile, gets_default: bool) {
    let (file, name, model) = (&near.file, near.name.as_ref(), shown(&near.model));
    let default = match (near.is_waited_for, gets_default) {
        (true, _) => Some(WAITS),
        (false, true) => Some(GETS_DEFAULT),
        (false, false) => None,
    };
    let alias = near.says.as_ref().map(|says| alias(says, model));
    if near.can_be_named {
        tell!(
            MODEL_NEAR,
            device = device,
            model = model,
            file = file,
            unpack = near.is_archive.then_some(UNPACK),
            name = name,
            alias = alias,
            default = default,
        );
    } else {
        tell!(
            MODEL_UNNAMEABLE,
            device = device,
            model = model,
            file = file,
            name = name,
            alias = alias.unwrap_or_default(),
            default = default,
        );
    }
}

/// Effect of a file that is meant for the model.
const WAITS: Text = Text::new(
    "在此之前该设备只能等待，也不会得到 default 文件",
    "Until then this device waits, and gets no default file either",
);

/// Effect of a file that may be another model's.
const GETS_DEFAULT: Text = Text::new(
    "在此之前，下发给该设备的是 default 文件，它可能属于另一种板子",
    "Until then it is given default files, which may be another board's",
);

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
    "这是压缩包，xiaozhi-ota publish 会取出其中的应用固件（zip 以外的请先解压）；",
    "it is an archive, of which xiaozhi-ota publish takes the app image out (unpack first what is no zip)",
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
