//! The command that publishes what a file holds, as an operator copies it into a shell.

use super::archive;
use super::folder::scan;
use super::folder::unusable::Unusable;
use super::memory;
use super::name::{self, ImageName};
use super::release_name::{self, Boards};
use crate::event::Event;
use crate::event::shell::quoted;
use std::path::Path;
use xiaozhi_device::flash;
use xiaozhi_device::image::{self, Foreign, ImageFault};

/// A command that publishes a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Publish<'a> {
    /// The file, as it is named.
    pub(crate) file: &'a Path,
    /// The model, where the file's name does not tell it.
    pub(crate) model: Option<&'a str>,
    /// The version, where another one is wanted than that inside.
    pub(crate) version: Option<&'a str>,
    /// Release notes to be kept beside it.
    pub(crate) notes: Option<&'a Path>,
    /// True where it is to replace what has its name.
    pub(crate) force: bool,
    /// The configuration, where the command line named one.
    pub(crate) config: Option<&'a Path>,
}

impl Publish<'_> {
    /// Writes the command. `None` where a path is no text: it could not be typed.
    pub(crate) fn line(&self) -> Option<String> {
        let mut line = format!("xiaozhi-ota publish {}", quoted(self.file.to_str()?));
        if let Some(model) = self.model {
            // What begins with a dash would be taken for an option of its own.
            if model.starts_with('-') {
                line += " --model";
                line += &quoted(&format!("={model}"));
            } else {
                line += " --model ";
                line += &quoted(model);
            }
        }
        if let Some(version) = self.version {
            line += " --version ";
            line += &quoted(version);
        }
        if let Some(notes) = self.notes {
            line += " --notes ";
            line += &quoted(notes.to_str()?);
        }
        if self.force {
            line += " --force";
        }
        if let Some(config) = self.config {
            line += " --config ";
            line += &quoted(config.to_str()?);
        }
        Some(line)
    }
}

/// Returns the command that makes a firmware of a file which is none as it lies there: an
/// archive, or a full flash image with an app in it. `None` where no command does.
pub(crate) fn mending(why: &Unusable, file: &Path, config: Option<&Path>) -> Option<String> {
    let may_be = match why {
        Unusable::Name(misnamed) => misnamed.holds_zip(),
        Unusable::Image(fault) => *fault == ImageFault::FullFlash,
        Unusable::Foreign(foreign)
        | Unusable::Other(foreign)
        | Unusable::LeadsOut { foreign, .. } => foreign.is_zip(),
        _ => false,
    };
    let command = (may_be && holds_app(file)).then(|| of_file(file, config));
    command.flatten()
}

/// Returns the same of what is offered as something foreign.
pub(crate) fn mending_foreign(
    foreign: Foreign,
    file: &Path,
    config: Option<&Path>,
) -> Option<String> {
    let command = (foreign.is_zip() && holds_app(file)).then(|| of_file(file, config));
    command.flatten()
}

/// Returns the reason with that command, of a file that an operator names.
pub(crate) fn reason(why: &Unusable, file: &Path, config: Option<&Path>) -> Event {
    let command = mending(why, file, config);
    why.with_command(command.filter(|_| file.is_file()))
}

/// Writes a command so that it can be typed anywhere: paths in the configuration, and its own
/// where none was named, are read from the folder in which this process runs.
pub(crate) fn from_anywhere(command: String) -> String {
    match std::env::current_dir() {
        Ok(dir) => format!("(cd {} && {command})", quoted(&dir.to_string_lossy())),
        Err(_) => command,
    }
}

/// Tells whether `publish` finds an app in an archive or a full flash image. Where none is, or
/// it is encrypted, no command helps.
fn holds_app(file: &Path) -> bool {
    let Ok(mut file) = scan::open(file) else {
        return false;
    };
    let (length, most) = (
        file.metadata().map_or(0, |about| about.len()),
        memory::most(),
    );
    let Ok(Some(bytes)) = memory::read(&mut file, length, most) else {
        return false;
    };
    if !image::is_zip(&bytes) {
        return flash::app_in(&bytes).is_ok();
    }
    let packed = archive::image_in(&bytes, most);
    packed.is_ok_and(|packed| !packed.is_flash || flash::app_in(&packed.bytes).is_ok())
}

/// Tells whether a file has the name of a firmware, and not that of a release.
pub(crate) fn is_firmware(file: &str) -> bool {
    firmware_name(file).is_some()
}

fn firmware_name(file: &str) -> Option<ImageName> {
    match release_name::parse(file).boards {
        Boards::None => name::parse(file).ok(),
        Boards::One(_) | Boards::Either(..) => None,
    }
}

fn of_file(file: &Path, config: Option<&Path>) -> Option<String> {
    let name = file.file_name()?.to_str()?;
    // Under a firmware's name it is replaced by the app that is in it.
    let named = firmware_name(name);
    let command = Publish {
        file,
        model: named.as_ref().map(|named| &*named.model),
        version: None,
        notes: None,
        force: named.is_some(),
        config,
    };
    command.line()
}

#[cfg(test)]
mod tests {
    use super::*;
    use xiaozhi_image_builder::zip::Zip;
    use xiaozhi_image_builder::{Image, merged};

    #[test]
    fn the_command_is_the_one_that_a_shell_takes() {
        let of = |file: &str, config: Option<&str>| {
            of_file(Path::new(file), config.map(Path::new)).unwrap()
        };
        for (file, config, command) in [
            ("/d/v2.1.0_a.zip", None, "/d/v2.1.0_a.zip"),
            ("/d/merged-binary.bin", None, "/d/merged-binary.bin"),
            ("/d/a_1.0.bin", None, "/d/a_1.0.bin --model a --force"),
            (
                "/d/小 板_1.0.bin",
                Some("/etc/a b.yaml"),
                "'/d/小 板_1.0.bin' --model '小 板' --force --config '/etc/a b.yaml'",
            ),
            ("/d/-x_1.0.bin", None, "/d/-x_1.0.bin --model=-x --force"),
        ] {
            assert_eq!(of(file, config), format!("xiaozhi-ota publish {command}"));
        }
    }

    #[test]
    fn no_command_is_named_that_would_find_no_app() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("merged-binary.bin");
        let of = |bytes: &[u8]| {
            std::fs::write(&file, bytes).unwrap();
            let why = Unusable::Image(ImageFault::FullFlash);
            mending(&why, &file, None).is_some()
        };
        let mut full = merged(&Image::new("1.6.6"), 0);
        assert!(of(&full));
        let zip = |bytes: &[u8]| Zip::new().file("merged-binary.bin", bytes).bytes();
        assert!(of(&zip(&full)));
        full[0x10000] ^= 1;
        assert!(!of(&full) && !of(&zip(&full)));
    }
}
