//! `data/.config.yaml`, from text to typed settings.
//!
//! `raw` reads the YAML the way `PyYAML` does, for xiaozhi-server reads the same
//! file. [`resolve`](mod@resolve) turns it into [`Settings`], checks what
//! belongs together, and owns every message. Nothing below the composition root
//! sees this module: each part owns the type of its own settings.

mod acme;
mod duplicates;
mod fault;
mod gateway;
pub mod keys;
mod listen;
mod marks;
mod placeholder;
mod places;
mod proxy;
mod python;
mod raw;
pub mod resolve;
mod section;
mod upstream;
mod values;
mod wanted;

pub use fault::{ConfigFault, ConfigFaults, Place};
pub(crate) use gateway::self_signed_names;
pub use places::Places;
pub use resolve::{Machine, Settings};
// The command line takes times and sizes as the file does.
pub(crate) use values::{duration, size};

use crate::event::event;
use crate::util::small_file;
use fault::Faults;
use resolve::resolve;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use xiaozhi_device::redact;

/// Place of xiaozhi-server's configuration, relative to the working
/// directory.
pub const DEFAULT_FILE: &str = "data/.config.yaml";

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        error: io::Error,
    },
    /// A link leads to nothing, at the file or on the way to it.
    #[error(
        "{}: cannot be read, for {} is a link to {}, and there is nothing: without the configuration everybody could come in; mend \
         the link, or take it away to start with every setting at its default", path.display(), link.display(), target.display()
    )]
    DeadLink {
        /// The file.
        path: PathBuf,
        /// The link.
        link: PathBuf,
        /// Its target.
        target: PathBuf,
    },
    /// The file can be read, and what it says cannot be meant.
    #[error(transparent)]
    Faults(#[from] ConfigFaults),
}

/// Reads and resolves `file`, or [`DEFAULT_FILE`] if that is there, or nothing:
/// every setting has a default.
///
/// What an operator wrote says who may come in, so a file that is there and
/// cannot be reached is never taken for none.
pub fn load(file: Option<&Path>, machine: &Machine) -> Result<Settings, ConfigError> {
    if file.is_some() {
        load_by(small_file::read_or_pipe, file, machine)
    } else {
        load_by(small_file::read, file, machine)
    }
}

/// Reads and resolves the configuration of a running server again: `file`, from which
/// it came, or [`DEFAULT_FILE`] if there was none.
///
/// A file that has gone, was emptied, or is a pipe that was read to its end would let
/// everybody in, or keep its reader waiting: none of them is taken for a configuration.
pub fn load_again(file: Option<&Path>, machine: &Machine) -> Result<Settings, ConfigError> {
    load_by(
        |path| match small_file::read(path)? {
            text if text.trim_ascii().is_empty() => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "it is empty; to let go of every setting, restart the server",
            )),
            text => Ok(text),
        },
        file,
        machine,
    )
}

fn load_by(
    read: fn(&Path) -> io::Result<Vec<u8>>,
    file: Option<&Path>,
    machine: &Machine,
) -> Result<Settings, ConfigError> {
    let path = file.unwrap_or(Path::new(DEFAULT_FILE));
    let text = match read(path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => match dead_link(path) {
            Some((link, target)) => {
                return Err(ConfigError::DeadLink {
                    path: path.into(),
                    link,
                    target,
                });
            }
            None if file.is_none() => None,
            None => {
                return Err(ConfigError::Read {
                    path: path.into(),
                    error,
                });
            }
        },
        Err(error) => {
            return Err(ConfigError::Read {
                path: path.into(),
                error,
            });
        }
    };
    let faults = Faults::new(path);
    if text
        .as_deref()
        .is_some_and(|text| text.trim_ascii().is_empty())
    {
        faults.about("", None).warn(event!(CONFIG_EMPTY));
    }
    if text.is_none()
        && let Some(other) = misnamed(path)
    {
        let event = event!(CONFIG_MISNAMED, other = &other);
        faults.about("", None).warn(event);
    }
    let root = raw::parse(text.as_deref().unwrap_or_default(), &faults)?;
    let settings = resolve(root, faults, machine)?;
    Ok(Settings {
        file: text.map(|_| path.to_owned()),
        ..settings
    })
}

/// Finds a file beside `path` that was meant to be it: without the dot, ending in `.yml`, or
/// with what an editor put behind it.
fn misnamed(path: &Path) -> Option<PathBuf> {
    let looks_so = |name: &str| {
        let lower = name.to_ascii_lowercase();
        let stem = lower.trim_start_matches(['.', '_']);
        let ending = stem.strip_prefix("config");
        ending.is_some_and(|ending| {
            ["", ".yaml", ".yml", ".yaml.txt", ".yml.txt", ".txt"].contains(&ending)
        })
    };
    let entries = fs::read_dir(path.parent()?).ok()?;
    let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut found: Vec<_> = files
        .filter(|file| {
            file.file_name()
                .and_then(|n| n.to_str())
                .is_some_and(looks_so)
        })
        .filter(|file| file.is_file())
        .collect();
    found.sort();
    found.into_iter().next()
}

/// Returns a key's full name, in dots, as it may be shown: `auth_key:hush` lacks a blank.
fn full_name(path: &str, key: &str) -> String {
    let key = redact::name(key);
    if path.is_empty() {
        key.into_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// Finds the first link on the way to `path` that leads to nothing, and where it should
/// lead.
fn dead_link(path: &Path) -> Option<(PathBuf, PathBuf)> {
    let on_the_way: Vec<_> = path.ancestors().collect();
    let on_the_way = on_the_way.into_iter().rev();
    let link = on_the_way.filter(|p| !p.as_os_str().is_empty()).find(|p| {
        let is_link = fs::symlink_metadata(p).is_ok_and(|m| m.is_symlink());
        is_link && fs::metadata(p).is_err()
    })?;
    Some((link.to_owned(), fs::read_link(link).ok()?))
}
