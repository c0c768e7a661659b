//! The way to a folder: what on it keeps a program from making the folder, or from writing
//! there. The system's own word is "File exists" for a link that leads nowhere.

use super::paths::absolute;
use crate::event::{Event, event};
use nix::errno::Errno;
use nix::unistd::{AccessFlags, access, geteuid};
use std::fs::{self, Metadata};
use std::io::ErrorKind;
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
}
