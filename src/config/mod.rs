//! `data/.config.yaml`, from text to typed settings.
//!
//! `raw` reads the YAML the way `PyYAML` does, for xiaozhi-server reads the same
//! file. [`resolve`](mod@resolve) turns it into [`Settings`], checks what
//! belongs together, and owns every message. Nothing below the composition root
//! sees this module: each part owns the type of its own settings.

mod acme;
mod duplicates;
mod fault;
mod foreign;
mod gateway;
mod grammar;
pub mod keys;
mod leftovers;
mod lines;
mod listen;
mod marks;
mod misplaced;
mod missing;
mod placeholder;
mod places;
mod proxy;
mod python;
mod raw;
mod refusal;
pub mod resolve;
mod section;
mod signs;
mod slips;
mod stray;
mod upstream;
mod values;
mod wanted;

pub use fault::{ConfigFault, ConfigFaults, Place};
pub(crate) use gateway::self_signed_names;
pub use places::Places;
pub use resolve::{Machine, Settings, ZoneDoubt};
// The command line takes times and sizes as the file does.
pub(crate) use values::{duration, size};

use crate::event::event;
use crate::util::small_file;
use fault::Faults;
use resolve::resolve;
use std::io;
use std::path::Path;
use xiaozhi_device::redact;

/// Place of xiaozhi-server's configuration, relative to the working
/// directory.
pub const DEFAULT_FILE: &str = "data/.config.yaml";

/// A configuration that cannot be used: the file cannot be read, or what it says cannot be
/// meant.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ConfigError(#[from] pub ConfigFaults);

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
            text if says_nothing(&text) => Err(io::Error::new(
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
    let faults = Faults::new(path);
    let refused = |event| {
        let fault = faults.about("", None).into_fault(event);
        ConfigError(ConfigFaults(vec![fault]))
    };
    let text = match read(path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some((link, target)) = missing::dead_link(path) {
                return Err(refused(event!(
                    CONFIG_DEAD_LINK,
                    link = &link,
                    target = &target
                )));
            }
            if file.is_some() {
                let other = missing::misnamed(path);
                let event = event!(CONFIG_UNREADABLE, error = &error, other = other.as_ref());
                return Err(refused(event));
            }
            None
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return Err(refused(event!(CONFIG_DENIED, error = &error)));
        }
        Err(_) if path.is_dir() => return Err(refused(event!(CONFIG_FOLDER))),
        Err(error) => return Err(refused(event!(CONFIG_UNREADABLE, error = &error))),
    };
    if text.as_deref().is_some_and(says_nothing) {
        faults.about("", None).warn(event!(CONFIG_EMPTY));
    }
    if text.is_none()
        && let Some(other) = missing::misnamed(path)
    {
        let event = event!(CONFIG_MISNAMED, other = &other);
        faults.about("", None).warn(event);
    }
    if let Some(doubt) = &machine.zone_doubt {
        let (zone, event) = match doubt {
            ZoneDoubt::Unknown(zone) => (zone, event!(CONFIG_UNKNOWN_ZONE)),
            ZoneDoubt::Reversed(zone) => (zone, event!(CONFIG_REVERSED_ZONE)),
        };
        faults.about("TZ", None).value(zone.as_str()).warn(event);
    }
    let root = raw::parse(text.as_deref().unwrap_or_default(), &faults)?;
    let settings = resolve(root, faults, machine)?;
    Ok(Settings {
        file: text.map(|_| path.to_owned()),
        ..settings
    })
}

/// Tells whether a file has nothing in it but blanks and comments.
fn says_nothing(text: &[u8]) -> bool {
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
    let lines = text.split(|byte| matches!(byte, b'\n' | b'\r'));
    let mut lines = lines.map(<[u8]>::trim_ascii);
    lines.all(|line| {
        let nothing: [&[u8]; 6] = [b"", b"---", b"...", b"null", b"~", b"{}"];
        line.starts_with(b"#") || nothing.contains(&line)
    })
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
