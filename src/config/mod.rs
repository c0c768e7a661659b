//! `data/.config.yaml`, from text to typed settings.
//!
//! [`raw`] reads the YAML the way `PyYAML` does, for xiaozhi-server reads the same
//! file. [`resolve`](mod@resolve) turns it into [`Settings`], checks what
//! belongs together, and owns every message. Nothing below the composition root
//! sees this module: each part owns the type of its own settings.

mod acme;
mod gateway;
mod listen;
mod proxy;
pub mod raw;
pub mod resolve;
mod section;
mod upstream;
mod values;

pub use resolve::{Machine, Settings, resolve};
// The command line takes times and sizes as the file does.
pub(crate) use values::{duration, size};

use std::fmt;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Where xiaozhi-server keeps its configuration, relative to the working
/// directory.
pub const DEFAULT_FILE: &str = "data/.config.yaml";

/// One thing in the file that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The key, in dots: `gateway.tls.mode`. Empty for the file as a whole.
    pub key: String,
    /// The value as written, if there is one to show. Never a secret.
    pub value: Option<String>,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&*self.key, &self.value) {
            ("", _) => f.write_str(&self.message),
            (key, None) => write!(f, "{key}: {}", self.message),
            (key, Some(value)) => write!(f, "{key}: {value:?}: {}", self.message),
        }
    }
}

/// Why a configuration could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It can, but what it says cannot be meant.
    #[error("{}", lines(path, faults))]
    Faults {
        /// The file.
        path: PathBuf,
        /// Every fault that was found.
        faults: Vec<Fault>,
    },
}

fn lines(path: &Path, faults: &[Fault]) -> String {
    let lines: Vec<_> = faults
        .iter()
        .map(|f| format!("{}: {f}", path.display()))
        .collect();
    lines.join("\n")
}

/// Reads and resolves `file`, or [`DEFAULT_FILE`] if that is there, or nothing:
/// every setting has a default.
pub fn load(file: Option<&Path>, machine: &Machine) -> Result<Settings, ConfigError> {
    let path = file.unwrap_or(Path::new(DEFAULT_FILE));
    let text = match fs::read(path) {
        Ok(text) => Some(text),
        Err(e) if e.kind() == io::ErrorKind::NotFound && file.is_none() => None,
        Err(error) => {
            return Err(ConfigError::Read {
                path: path.into(),
                error,
            });
        }
    };
    let faults = |faults| ConfigError::Faults {
        path: path.into(),
        faults,
    };
    let root =
        raw::parse(text.as_deref().unwrap_or_default()).map_err(|fault| faults(vec![fault]))?;
    let mut settings = resolve(&root, machine).map_err(faults)?;
    settings.file = text.map(|_| path.to_owned());
    Ok(settings)
}
