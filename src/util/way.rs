//! The way to a folder: what on it keeps a program from making the folder, or from writing
//! there. The system's own word is "File exists" for a link that leads nowhere.

use super::mounts::is_mounted;
use super::paths::absolute;
use crate::event::{Event, event};
use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, Uid, User, access, geteuid};
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Returns what stands where a folder should, or on the way to it, and is none.
pub(crate) fn to_folder(folder: &Path) -> Option<Event> {
    let folder = absolute(folder);
    let mut steps: Vec<_> = folder.ancestors().collect();
    steps.reverse();
    steps.into_iter().find_map(|step| {
        let is_link = fs::symlink_metadata(step).ok()?.is_symlink();
        match fs::metadata(step) {
            Ok(about) => (!about.is_dir()).then(|| event!(WAY_NO_FOLDER, path = step)),
            Err(_) if !is_link => None,
            Err(error) => {
                let target = fs::read_link(step).ok()?;
                let target = step.parent().map_or(target.clone(), |at| at.join(&target));
                match error.raw_os_error().map(Errno::from_raw)? {
                    Errno::ELOOP => Some(event!(WAY_LOOP, path = step, target = target)),
                    Errno::ENOENT | Errno::ENOTDIR => {
                        Some(event!(WAY_DANGLING, path = step, target = target))
                    }
                    _ => None,
                }
            }
        }
    })
}

/// Returns why a file cannot be made or written, where that can be seen.
pub(crate) fn to_write(file: &Path) -> Option<Event> {
    let file = absolute(file);
    let folder = file.parent()?;
    to_folder(folder).or_else(|| {
        if file.is_dir() {
            return Some(event!(WAY_IS_FOLDER, path = &file));
        }
        if let (Ok(target), Err(error)) = (fs::read_link(&file), fs::metadata(&file)) {
            return Some(match error.raw_os_error().map(Errno::from_raw) {
                Some(Errno::ELOOP) => event!(READ_LOOP, target = target),
                _ => event!(READ_DANGLING, target = target),
            });
        }
        let mut steps = file.ancestors();
        let last = steps.find(|step| fs::symlink_metadata(step).is_ok())?;
        denied(last)
    })
}

/// Returns the folder on the way to a file that does not let this user through, the way of links
/// included.
pub(crate) fn shut(file: &Path) -> Option<(PathBuf, Metadata)> {
    let mut file = absolute(file);
    // More links than the kernel follows.
    for _ in 0..40 {
        let mut steps: Vec<_> = file.ancestors().collect();
        steps.reverse();
        let mut link = None;
        for pair in steps.windows(2) {
            match fs::symlink_metadata(pair[1]) {
                Ok(about) if about.is_symlink() => {
                    let rest = file.strip_prefix(pair[1]).ok()?;
                    let target = pair[0].join(fs::read_link(pair[1]).ok()?);
                    let is_last = rest.as_os_str().is_empty();
                    link = Some(if is_last { target } else { target.join(rest) });
                    break;
                }
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::PermissionDenied => {
                    let about = fs::metadata(pair[0]).ok()?;
                    return Some((pair[0].to_owned(), about));
                }
                Err(_) => return None,
            }
        }
        file = link?;
    }
    None
}

/// Returns of a file, and of the folders on the way to it as it is written, those that keep
/// other users than their owner from reading it, the outermost first. What belongs to a user
/// that is neither this one nor root, or to a group that is not its owner's own, was given to
/// somebody on purpose.
pub(crate) fn shut_to_others(file: &Path) -> Vec<Event> {
    let is_named = |step: &&Path| !step.as_os_str().is_empty();
    // A server lists the folder, and goes through those above.
    let rights = [0o4, 0o5].into_iter().chain(std::iter::repeat(0o1));
    let steps = file.ancestors().filter(is_named).zip(rights);
    let mut shut: Vec<_> = steps
        .filter_map(|(step, right)| {
            let about = fs::metadata(step).ok()?;
            let may = |shift: u32| about.mode() >> shift & right == right;
            let owner = Uid::from_raw(about.uid());
            let user = User::from_uid(owner).ok().flatten();
            let own_group = user.as_ref().map_or(0, |user| user.gid.as_raw());
            let is_of_group = may(3) && ![0, own_group].contains(&about.gid());
            let is_anothers = !owner.is_root() && owner != geteuid();
            if may(0) || is_of_group || is_anothers {
                return None;
            }
            let owner = user.map_or_else(|| owner.to_string(), |user| user.name);
            Some(event!(
                WAY_SHUT,
                path = absolute(step),
                mode = format!("{:04o}", about.mode() & 0o7777),
                owner = owner,
            ))
        })
        .collect();
    shut.reverse();
    shut
}

/// Returns why this user could not keep so many bytes in a folder, as far as that can be seen
/// without writing: the folder need not be there, if it could be made. `before` bytes would
/// have been written there by then.
pub(crate) fn to_keep(folder: &Path, bytes: u64, before: u64) -> Result<(), io::Error> {
    let folder = absolute(folder);
    let mut steps = folder.ancestors();
    let there = steps.find(|step| fs::symlink_metadata(step).is_ok());
    let there = there.unwrap_or(&folder);
    if !there.is_dir() {
        // As a folder says that is to be made there.
        return Err(Errno::EEXIST.into());
    }
    access(there, AccessFlags::W_OK | AccessFlags::X_OK)?;
    let longest = getrlimit(Resource::RLIMIT_FSIZE).map_or(u64::MAX, |(soft, _)| soft);
    if bytes > longest {
        return Err(Errno::EFBIG.into());
    }
    // What tells nothing of its size has no end, perhaps.
    if let Ok(about) = statvfs(there)
        && about.blocks() > 0
    {
        let block = about.fragment_size().max(1);
        let wanted = bytes.div_ceil(block).saturating_add(before.div_ceil(block));
        if wanted > about.blocks_available() {
            return Err(Errno::ENOSPC.into());
        }
    }
    Ok(())
}

/// Returns why this user could not remove a file, as far as that can be seen without trying.
pub(crate) fn to_remove(file: &Path) -> Result<(), io::Error> {
    let file = absolute(file);
    let folder = file.parent().unwrap_or(&file);
    access(folder, AccessFlags::W_OK | AccessFlags::X_OK)?;
    let (about, above) = (fs::symlink_metadata(&file)?, fs::metadata(folder)?);
    let user = geteuid();
    let is_own = user.is_root() || [about.uid(), above.uid()].contains(&user.as_raw());
    if above.mode() & 0o1000 != 0 && !is_own {
        return Err(Errno::EPERM.into());
    }
    // `chattr +i` is no matter of rights, of which a removal asks none of the file itself.
    if access(&file, AccessFlags::W_OK) == Err(Errno::EPERM) {
        return Err(Errno::EPERM.into());
    }
    if about.dev() != above.dev() || is_mounted(&file) {
        return Err(Errno::EBUSY.into());
    }
    Ok(())
}

/// Returns why a file could not be removed, where that can be seen.
pub(crate) fn unremoved(file: &Path) -> Option<Event> {
    denied(absolute(file).parent()?)
}

/// Returns why this user may not make anything in a folder, or not write a file.
fn denied(path: &Path) -> Option<Event> {
    let about = fs::metadata(path).ok()?;
    let mut needs = AccessFlags::W_OK;
    needs.set(AccessFlags::X_OK, about.is_dir());
    if access(path, needs) != Err(Errno::EACCES) {
        return None;
    }
    Some(event!(
        WAY_DENIED,
        path = path,
        mode = format!("{:04o}", about.mode() & 0o7777),
        owner = about.uid(),
        user = geteuid().as_raw(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_stands_in_the_way_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        symlink("nowhere/x", at("dangling")).unwrap();
        symlink("loop", at("loop")).unwrap();
        fs::write(at("file"), "").unwrap();
        fs::create_dir(at("folder")).unwrap();
        symlink("folder", at("link")).unwrap();
        let id = |event: Option<Event>| event.map(|event| event.kind.id);
        for (name, of_folder, of_file) in [
            ("folder/new/a", None, None),
            ("link/a", None, None),
            ("link", None, Some("way.is-folder")),
            (
                "dangling",
                Some("way.dangling-link"),
                Some("read.dangling-link"),
            ),
            (
                "dangling/a",
                Some("way.dangling-link"),
                Some("way.dangling-link"),
            ),
            ("loop", Some("way.link-loop"), Some("read.link-loop")),
            ("loop/a/b", Some("way.link-loop"), Some("way.link-loop")),
            ("file", Some("way.no-folder"), None),
            ("file/a/b", Some("way.no-folder"), Some("way.no-folder")),
        ] {
            assert_eq!(id(to_folder(&at(name))), of_folder, "{name}");
            assert_eq!(id(to_write(&at(name))), of_file, "{name}");
        }
        let event = to_folder(&at("dangling")).unwrap().to_string();
        let target = at("nowhere/x");
        assert!(
            event.contains(&format!("mkdir -p {}", target.display())),
            "{event}"
        );
    }

    #[test]
    fn what_keeps_a_file_out_of_a_folder_is_seen_without_writing() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("file"), "").unwrap();
        symlink("nowhere", at("link")).unwrap();
        assert!(to_keep(&at("a/b/c"), 10, 10).is_ok() && !at("a").exists());
        for name in ["file", "file/x", "link", "link/x"] {
            let error = to_keep(&at(name), 1, 0).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{name}");
        }
        for (bytes, before) in [(1, u64::MAX), (u64::MAX - 1, 1)] {
            assert!(crate::util::durable::is_full(
                &to_keep(dir.path(), bytes, before).unwrap_err()
            ));
        }
    }

    #[test]
    fn what_only_its_owner_may_read_is_named() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let set = |name: &str, mode: u32| {
            fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
        };
        fs::create_dir_all(at("data/bin")).unwrap();
        fs::write(at("data/bin/a"), "").unwrap();
        for (modes, shut) in [
            ([0o755, 0o755, 0o644], &[][..]),
            ([0o711, 0o755, 0o644], &[]),
            ([0o755, 0o700, 0o644], &["data/bin"]),
            ([0o755, 0o711, 0o644], &["data/bin"]),
            ([0o700, 0o755, 0o600], &["data", "data/bin/a"]),
        ] {
            for (name, mode) in ["data", "data/bin", "data/bin/a"].iter().zip(modes) {
                set(name, mode);
            }
            let named = shut_to_others(&at("data/bin/a")).into_iter();
            let named: Vec<_> = named
                .filter_map(|event| match event.field("path") {
                    Some(crate::event::Value::Text(path)) => Some(path.clone().into_owned()),
                    _ => None,
                })
                .filter(|path| path.starts_with(&*at("data").display().to_string()))
                .collect();
            let shut: Vec<_> = shut
                .iter()
                .map(|name| at(name).display().to_string())
                .collect();
            assert_eq!(named, shut, "{modes:?}");
        }
        set("data", 0o755);
        assert!(to_remove(&at("data/bin/a")).is_ok());
        assert!(to_remove(&at("data/bin/none")).is_err());
    }
}
