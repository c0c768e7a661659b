//! `data/.config.yaml`, from text to typed settings.
//!
//! `raw` reads the YAML the way `PyYAML` does, for xiaozhi-server reads the same
//! file. [`resolve`](mod@resolve) turns it into [`Settings`], checks what
//! belongs together, and owns every message. Nothing below the composition root
//! sees this module: each part owns the type of its own settings.

mod acme;
mod admin;
mod behind;
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
mod ourselves;
mod paths;
mod placeholder;
mod places;
mod proxy;
mod python;
mod raw;
mod refusal;
pub mod resolve;
mod room;
mod section;
mod shapes;
mod shown;
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
// The summary shows times as they could be written.
pub(crate) use values::time_shown;

use crate::event::text::Lang;
use crate::event::{event, kinds};
use crate::util::paths::absolute;
use crate::util::small_file;
use fault::Faults;
use nix::unistd::geteuid;
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
#[error("{faults}")]
pub struct ConfigError {
    /// The faults in it.
    pub faults: ConfigFaults,
    /// The language that it asks for, as far as it can be read.
    pub lang: Option<Lang>,
}

/// Reads and resolves `file`, or [`DEFAULT_FILE`] if that is there, or nothing:
/// every setting has a default.
///
/// What an operator wrote says who may come in, so a file that is there and
/// cannot be reached is never taken for none.
pub fn load(file: Option<&Path>, machine: &Machine) -> Result<Settings, ConfigError> {
    let read = if file.is_some() {
        small_file::read_or_pipe
    } else {
        small_file::read
    };
    let path = file.unwrap_or(Path::new(DEFAULT_FILE));
    let text = read_by(read, path, file.is_some());
    Ok(named_by(file, resolve_text(text, path, machine)?))
}

/// Resolves a configuration that lies in no file yet. `name` stands in what is said of it.
pub(crate) fn of_text(
    text: Vec<u8>,
    name: &Path,
    machine: &Machine,
) -> Result<Settings, ConfigError> {
    resolve_text(Ok(Some(text)), name, machine)
}

/// Notes the file that the command line names, unless it is a pipe, which nobody can name
/// again.
fn named_by(file: Option<&Path>, mut settings: Settings) -> Settings {
    let file = file.filter(|file| file.is_file());
    settings.catalogue.config = file.map(absolute);
    settings
}

/// Reads and resolves the configuration of a running server again: `file`, from which
/// it came, or [`DEFAULT_FILE`] if there was none.
///
/// A file that has gone, was emptied, is another program's, or is a pipe that was read to
/// its end would let everybody in, or keep its reader waiting: none of them is taken for a
/// configuration.
pub fn load_again(file: Option<&Path>, machine: &Machine) -> Result<Settings, ConfigError> {
    let path = file.unwrap_or(Path::new(DEFAULT_FILE));
    let text = read_by(small_file::read, path, file.is_some());
    let settings = named_by(file, resolve_text(text, path, machine)?);
    let says_nothing = settings.warnings.iter().find(|warning| {
        let id = warning.event.kind.id;
        id == kinds::CONFIG_EMPTY.id || id == kinds::CONFIG_NOTHING_READ.id
    });
    match says_nothing {
        Some(warning) => Err(ConfigError {
            faults: Faults::new(path)
                .about("", warning.place.line)
                .refusal(event!(CONFIG_EMPTIED)),
            lang: None,
        }),
        None => Ok(settings),
    }
}

/// Reads a file; nothing where there is none and nobody named one.
fn read_by(
    read: fn(&Path) -> io::Result<Vec<u8>>,
    path: &Path,
    is_named: bool,
) -> Result<Option<Vec<u8>>, ConfigFaults> {
    let refused = |event| Err(Faults::new(path).about("", None).refusal(event));
    match read(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some((link, target)) = missing::dead_link(path) {
                return refused(event!(CONFIG_DEAD_LINK, link = &link, target = &target));
            }
            if is_named {
                let other = missing::misnamed(path);
                let (file, error) = (absolute(path), &error);
                let event = event!(CONFIG_UNREADABLE, file = file, error = error, other = other);
                return refused(event);
            }
            Ok(None)
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let (file, user) = (absolute(path), geteuid().as_raw());
            refused(event!(
                CONFIG_DENIED,
                file = file,
                user = user,
                error = &error
            ))
        }
        Err(_) if path.is_dir() => refused(event!(CONFIG_FOLDER)),
        Err(error) => {
            let file = absolute(path);
            refused(event!(CONFIG_UNREADABLE, file = file, error = &error))
        }
    }
}

fn resolve_text(
    text: Result<Option<Vec<u8>>, ConfigFaults>,
    path: &Path,
    machine: &Machine,
) -> Result<Settings, ConfigError> {
    let text = text.map_err(|faults| ConfigError { faults, lang: None })?;
    let text = text.as_deref();
    let settings = settings(text, path, machine).map_err(|faults| ConfigError {
        faults,
        lang: text.and_then(lines::language),
    })?;
    Ok(Settings {
        file: text.map(|_| path.to_owned()),
        ..settings
    })
}

fn settings(text: Option<&[u8]>, path: &Path, machine: &Machine) -> Result<Settings, ConfigFaults> {
    let faults = Faults::new(path);
    if text.is_some_and(says_nothing) {
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
        faults.of_environment("TZ").value(zone.as_str()).warn(event);
    }
    let root = raw::parse(text.unwrap_or_default(), &faults)?;
    resolve(root, faults, machine)
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
