//! Reasons that keep this server from changing which files the firmware folder has, with what to
//! change: most who run it gave it a folder that it may read and no more.

use crate::app::machine::network;
use crate::event::{Event, event};
use crate::util::mounts::mount_of;
use crate::util::paths::absolute;
use crate::util::way;
use nix::errno::Errno;
use nix::unistd::geteuid;
use std::path::Path;
use std::{env, fs, io};

/// Returns what keeps this server from writing to the firmware folder.
pub(super) fn folder(dir: &Path) -> Option<Event> {
    let error = way::to_keep(dir, 0, 0).err()?;
    Some(reason(dir, &error))
}

fn reason(dir: &Path, error: &io::Error) -> Event {
    let dir = absolute(dir);
    if error.raw_os_error() == Some(Errno::EROFS as i32)
        && let Some(mount) = mount_of(&dir)
    {
        // Behind a link it is another folder that has to be named.
        let real = fs::canonicalize(&dir).unwrap_or_else(|_| dir.clone());
        let how = if network().in_container {
            let user = geteuid().as_raw();
            event!(
                MOUNT_IN_CONTAINER,
                mount = &mount.place,
                dir = &dir,
                user = user
            )
        } else if env::var_os("INVOCATION_ID").is_some() {
            event!(MOUNT_OF_UNIT, dir = real)
        } else {
            event!(MOUNT_ELSEWHERE, mount = &mount.place)
        };
        let (place, root, kind) = (&mount.place, &mount.root, mount.kind);
        return event!(
            MOUNT_READ_ONLY,
            dir = dir,
            mount = place,
            root = root,
            kind = kind,
            how = how
        );
    }
    way::to_write(&dir.join("a"))
        .unwrap_or_else(|| event!(PUBLISH_FOLDER, dir = dir, reason = error))
}
