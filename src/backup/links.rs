//! Links on the way to what root restores. The folders are the server's user's, who may put a
//! link there: followed by root it would have any file of the machine replaced.

use crate::event::{Event, event};
use crate::util::paths::absolute;
use nix::unistd::geteuid;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

/// Number of links that are followed on one way, as the kernel has it.
const MOST: usize = 40;

/// Refuses, for root, a way with a link that somebody else made to what is not his. Links of
/// root's own are followed, and so is one within a user's own things. It is a look at one
/// moment, and finds what was put there before.
///
/// # Errors
///
/// There is such a link.
pub(super) fn follow_none_of_others(way: &Path) -> Result<(), Event> {
    let found = if geteuid().is_root() {
        planted(way, 0)
    } else {
        None
    };
    match found {
        Some((link, owner)) => Err(event!(
            RESTORE_LINK,
            path = way,
            link = &link,
            owner = owner
        )),
        None => Ok(()),
    }
}

/// Finds the first link on a way that neither `trusted` made, nor who has what it leads to.
/// Returns it, and its owner. One that leads nowhere is no way to anything.
fn planted(way: &Path, trusted: u32) -> Option<(PathBuf, u32)> {
    let mut left = VecDeque::new();
    push(&mut left, &absolute(way));
    let mut at = PathBuf::from("/");
    let mut followed = 0;
    while let Some(name) = left.pop_front() {
        if name == ".." {
            at.pop();
            continue;
        }
        let next = at.join(name);
        let about = fs::symlink_metadata(&next).ok();
        let Some(link) = about.filter(fs::Metadata::is_symlink) else {
            at = next;
            continue;
        };
        let (owner, leads) = (link.uid(), fs::metadata(&next));
        if owner != trusted && leads.is_ok_and(|to| to.uid() != owner) {
            return Some((next, owner));
        }
        followed += 1;
        let target = fs::read_link(&next).ok().filter(|_| followed <= MOST)?;
        if target.is_absolute() {
            at = PathBuf::from("/");
        }
        push(&mut left, &target);
    }
    None
}

/// Puts the steps of a path in front of others.
fn push(left: &mut VecDeque<OsString>, path: &Path) {
    for step in path.components().rev() {
        match step {
            Component::Normal(name) => left.push_front(name.to_owned()),
            Component::ParentDir => left.push_front("..".into()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{chown, lchown, symlink};

    /// A user whom no file here belongs to.
    const NOBODY: u32 = 65_533;

    #[test]
    fn a_link_to_what_is_somebody_elses_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let dir = fs::canonicalize(dir.path()).unwrap();
        let at = |name: &str| dir.join(name);
        fs::create_dir_all(at("own/deep")).unwrap();
        let is_root = geteuid().is_root();
        let me = fs::metadata(&dir).unwrap().uid();
        symlink(at("own"), at("within")).unwrap();
        symlink("/etc", at("out")).unwrap();
        symlink("../out/../etc/passwd", at("own/chain")).unwrap();
        symlink("round", at("round")).unwrap();
        symlink("nowhere", at("lost")).unwrap();
        if is_root {
            // Links of another user's, and that user's folder.
            for link in ["within", "out", "own/chain", "round", "lost"] {
                lchown(at(link), Some(NOBODY), None).unwrap();
            }
            chown(at("own"), Some(NOBODY), None).unwrap();
        }
        let trusted = if is_root { 0 } else { NOBODY };
        let owner = if is_root { NOBODY } else { me };
        let found = |way: &str| planted(&at(way), trusted);
        for good in [
            "own",
            "own/deep/new",
            "within/deep/new",
            "round",
            "lost",
            "new/new",
        ] {
            assert_eq!(found(good), None, "{good}");
        }
        for (bad, link) in [
            ("out", "out"),
            ("out/passwd", "out"),
            ("own/../out/new", "out"),
            ("own/chain", "own/chain"),
            ("within/chain", "own/chain"),
        ] {
            assert_eq!(found(bad), Some((at(link), owner)), "{bad}");
        }
        // Whoever is trusted may lead anywhere.
        assert_eq!(planted(&at("out/passwd"), owner), None);
    }
}
