//! Under which name an image is published: its version is the one inside, and its model the
//! one that the operator names, or that the file's name tells.

use super::super::command::Publish;
use super::super::folder::scan;
use super::super::name::{self, ImageName, is_version, model_key};
use super::super::release_name::{self, Boards};
use super::{PublishError, Source};
use crate::event::text::Text;
use crate::event::{Event, event};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use xiaozhi_device::image::Verdict;
use xiaozhi_device::version::{Version, is_device_safe};

/// Name that an image gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// The model, as the file's name spells it.
    pub(crate) model: String,
    /// The version that it is offered as.
    pub(crate) version: String,
    /// Path of the file in the firmware folder.
    pub(crate) path: PathBuf,
}

impl Target {
    /// Puts model and version together.
    pub(crate) fn of(dir: &Path, model: &str, version: &str) -> Result<Self, PublishError> {
        let file = file_name(model, version)?;
        Ok(Self {
            model: model_key(model).into_owned(),
            version: version.to_owned(),
            path: dir.join(file),
        })
    }

    /// Returns the file's name.
    pub(crate) fn file(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }
}

impl Source {
    /// Returns the version to publish under: the one that was asked for, else the one
    /// inside.
    pub(crate) fn version(&self, asked: Option<&str>) -> Result<String, PublishError> {
        let version = match (asked, &self.inspection.verdict) {
            (Some(asked), _) => asked.to_owned(),
            (None, Verdict::App(app)) => app.version.clone(),
            (None, Verdict::Foreign(foreign)) => {
                return Err(PublishError::NoVersion {
                    path: self.path.clone(),
                    foreign: *foreign,
                });
            }
            (None, Verdict::Rejected(_)) => String::new(),
        };
        if !is_version(&version) {
            Err(PublishError::VersionName { version })
        } else if !is_device_safe(&version) {
            Err(PublishError::UnsafeVersion { version })
        } else {
            Ok(version)
        }
    }

    /// Says so where the file's name tells another version than the image holds, which is
    /// the one that counts.
    pub(crate) fn disagreement(&self) -> Option<Event> {
        let Verdict::App(app) = &self.inspection.verdict else {
            return None;
        };
        let file = self.path.file_name()?.to_str()?;
        let by_release = release_name::parse(file).version;
        let named = by_release.or_else(|| Some(plain(file)?.version.to_string()))?;
        (Version::new(&named) != Version::new(&app.version)).then(|| {
            event!(
                PUBLISH_DISAGREES,
                file = file,
                named = named,
                inside = &app.version
            )
        })
    }
}

/// Returns the model that a file's name tells; `None` where it tells none. `command` is the
/// command that publishes it, but for the model.
pub(crate) fn model_by_name(
    file: &Path,
    command: Publish<'_>,
) -> Result<Option<String>, PublishError> {
    let Some(name) = file.file_name().and_then(|name| name.to_str()) else {
        return Ok(None);
    };
    match release_name::parse(name).boards {
        Boards::One(board) => Ok(Some(board)),
        Boards::Either(one, other) => {
            let of = |model: &str| {
                let model = Some(model);
                Publish { model, ..command }.line().unwrap_or_default()
            };
            Err(PublishError::EitherModel {
                path: file.to_owned(),
                commands: [of(&one), of(&other)],
                models: [one, other],
            })
        }
        Boards::None => Ok(plain(name).map(|name| name.model)),
    }
}

/// Reads a firmware's name, also that of an archive (`board_1.6.6.zip`) or a copy of one.
fn plain(file: &str) -> Option<ImageName> {
    let by_stem = || name::parse(&format!("{}.bin", release_name::stem(file)?)).ok();
    name::parse(file).ok().or_else(by_stem)
}

/// Names that one run may not give any more: those that it gave, for of two sources that come
/// to one name the first goes, and those of its own sources.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    given: BTreeMap<PathBuf, (PathBuf, [u8; 32])>,
    sources: BTreeSet<PathBuf>,
}

impl Taken {
    /// Begins a run over these files.
    pub(crate) fn of<'a>(sources: impl Iterator<Item = &'a Path>) -> Self {
        Self {
            given: BTreeMap::new(),
            sources: sources
                .filter_map(|file| fs::canonicalize(file).ok())
                .collect(),
        }
    }

    /// Notes that a source has a name.
    pub(crate) fn note(&mut self, target: &Target, source: &Path, sha256: [u8; 32]) {
        let source = (source.to_owned(), sha256);
        self.given.insert(target.path.clone(), source);
    }

    /// Refuses a source whose name another one has.
    pub(crate) fn check(&self, target: &Target, source: &Source) -> Result<(), PublishError> {
        let path = target.path.clone();
        match self.given.get(&path) {
            None => Ok(()),
            Some((_, sum)) if *sum == source.inspection.sha256 => {
                Err(PublishError::Exists { path, same: true })
            }
            Some((first, _)) => Err(PublishError::Second {
                source_path: source.path.clone(),
                path,
                first: first.clone(),
            }),
        }
    }

    /// Refuses a source that would overwrite another one of the run before that is read.
    pub(crate) fn check_sources(
        &self,
        target: &Target,
        source: &Source,
    ) -> Result<(), PublishError> {
        let Ok(there) = fs::canonicalize(&target.path) else {
            return Ok(());
        };
        let own = fs::canonicalize(&source.path).ok();
        let is_other = self.sources.contains(&there) && own.as_ref() != Some(&there);
        let is_same = || {
            scan::inspect_file(&there).is_ok_and(|there| there.sha256 == source.inspection.sha256)
        };
        if is_other && !is_same() {
            let path = target.path.clone();
            let first = path.clone();
            let source_path = source.path.clone();
            return Err(PublishError::Second {
                source_path,
                path,
                first,
            });
        }
        Ok(())
    }
}

/// Returns the name under which a model's version is found.
fn file_name(model: &str, version: &str) -> Result<String, PublishError> {
    let fault = |why| PublishError::ModelName {
        model: model.to_owned(),
        why,
    };
    let model = &*model_key(model);
    let file = format!("{model}_{version}.bin");
    if model.is_empty() {
        Err(fault(Text::new(
            "请填写设备报告的名称（board.name 或 board.type）",
            "write the name that devices report (board.name or board.type)",
        )))
    } else if model.contains('/') || model.starts_with('.') {
        Err(fault(Text::new(
            "不能含有 '/'，也不能以 '.' 开头",
            "it must hold no '/' and not begin with a '.'",
        )))
    } else if file.len() > 255 {
        Err(fault(Text::new("太长", "it is too long")))
    } else {
        match name::parse(&file) {
            Ok(parsed) if parsed.model == model => Ok(file),
            Ok(_) => Err(fault(Text::new(
                "下划线后的部分会被当作版本（my_2 会被读作型号 my）",
                "a part of it behind an underscore would be read as the version (my_2 is the model my)",
            ))),
            Err(_) => Err(fault(Text::new(
                "不能含有控制字符",
                "it must hold no control character",
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_the_scan_reads_back() {
        let name = |model: &str| file_name(model, "1.6.6").map_err(|e| e.to_string());
        assert_eq!(name("小智 板").as_deref(), Ok("小智 板_1.6.6.bin"));
        assert_eq!(name("my_board").as_deref(), Ok("my_board_1.6.6.bin"));
        for (model, why) in [
            ("", "devices report"),
            ("../x", "no '/'"),
            (".x", "begin with"),
            ("board_2", "read as the version"),
            ("a\nb", "control character"),
            (&"x".repeat(250), "too long"),
        ] {
            assert!(name(model).is_err_and(|e| e.contains(why)), "{model:?}");
        }
    }

    #[test]
    fn the_name_tells_the_model_or_two_commands() {
        let model = |file: &str| {
            let file = Path::new(file);
            let command = Publish {
                file,
                model: None,
                version: Some("2.2.7"),
                notes: None,
                force: false,
                config: None,
            };
            model_by_name(file, command)
        };
        for (file, told) in [
            (
                "x/v2.1.0_bread-compact-wifi.zip",
                Some("bread-compact-wifi"),
            ),
            ("lichuang-dev_1.6.6.bin", Some("lichuang-dev")),
            ("my_board_1.6.6_2.bin", Some("my_board")),
            ("lichuang-dev_1.6.6.zip", Some("lichuang-dev")),
            ("lichuang-dev_1.6.6 (1).bin", Some("lichuang-dev")),
            ("build/xiaozhi.bin", None),
            ("merged-binary.bin", None),
            ("-", None),
            ("..", None),
        ] {
            assert_eq!(model(file).unwrap().as_deref(), told, "{file}");
        }
        let name = "a b/v2.2.6_waveshare-esp32-s3-touch-amoled-1.75.zip";
        let text = model(name).unwrap_err().to_string();
        for model in [
            "waveshare-esp32-s3-touch-amoled-1.75",
            "esp32-s3-touch-amoled-1.75",
        ] {
            let command = format!("xiaozhi-ota publish '{name}' --model {model} --version 2.2.7");
            assert!(text.contains(&command), "{text}");
        }
    }
}
