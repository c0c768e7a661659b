//! Publishing as the command and the page do it alike: for which model a file is, what is to
//! be said of its image, and what follows for devices.

use crate::config::Settings;
use crate::event::{Event, event};
use crate::firmware::command::Publish;
use crate::firmware::prune::removal::links_to;
use crate::firmware::publish::{PublishError, Source, Target, model_by_name};
use crate::firmware::{FolderSettings, homes, name, signing};
use crate::ota::decide::Policy;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use xiaozhi_device::checkin::DEFAULT_MODEL;
use xiaozhi_device::image::{AppImage, Verdict};
use xiaozhi_device::version::Version;

/// Model that a file's name tells.
#[derive(Debug, Default)]
pub(crate) struct ToldModel {
    /// The model; `None` where nothing tells it.
    pub(crate) model: Option<String>,
    /// The other board that the name may mean, and the number of known devices that report
    /// this one, while none reports the other.
    pub(crate) instead_of: Option<(String, u64)>,
}

impl ToldModel {
    /// Reads the model of a file: the one that is `asked` for, or the one in its name. Where
    /// that may be two boards', it is the one that known devices report: `reports` counts them.
    ///
    /// # Errors
    ///
    /// The name may mean either of two boards.
    pub(crate) fn of(
        command: Publish<'_>,
        asked: Option<&str>,
        reports: impl Fn(&str) -> u64,
    ) -> Result<Self, PublishError> {
        if let Some(asked) = asked {
            return Ok(Self {
                model: Some(asked.to_owned()),
                instead_of: None,
            });
        }
        match model_by_name(command.file, command) {
            Err(PublishError::EitherModel {
                path,
                models: [one, other],
                commands,
            }) => {
                let (board, not, devices) = match [&one, &other].map(|board| reports(board)) {
                    [devices, 0] if devices > 0 => (one, other, devices),
                    [0, devices] if devices > 0 => (other, one, devices),
                    [..] => {
                        return Err(PublishError::EitherModel {
                            path,
                            models: [one, other],
                            commands,
                        });
                    }
                };
                Ok(Self {
                    model: Some(board),
                    instead_of: Some((not, devices)),
                })
            }
            told => Ok(Self {
                model: told?,
                instead_of: None,
            }),
        }
    }
}

/// Returns the app that a source is, if it is one.
pub(crate) fn app_of(source: &Source) -> Option<&AppImage> {
    match &source.inspection.verdict {
        Verdict::App(app) => Some(app),
        Verdict::Foreign(_) | Verdict::Rejected(_) => None,
    }
}

/// Returns what an operator should know of the image itself. `is_asked` tells that its version
/// was given by hand.
pub(crate) fn remarks(
    source: &Source,
    target: &Target,
    is_asked: bool,
    settings: &FolderSettings,
) -> Vec<Event> {
    let mut remarks: Vec<_> = match &source.inspection.verdict {
        Verdict::App(app) => {
            let remarks = app.remarks(Some(&Version::new(&target.version)), &settings.projects);
            remarks.iter().map(Event::from).collect()
        }
        Verdict::Foreign(foreign) => {
            vec![event!(PUBLISH_NO_ESP, what = Event::from(foreign))]
        }
        Verdict::Rejected(_) => Vec::new(),
    };
    if !is_asked {
        remarks.extend(source.disagreement());
    }
    remarks
}

/// Returns what is to be said of an app because of its home, and of the files beside which it
/// will lie, or lies.
pub(crate) fn remarks_beside(
    app: &AppImage,
    target: &Target,
    settings: &FolderSettings,
) -> Vec<Event> {
    let home = homes::remark(app, settings);
    let beside = signing::beside(&settings.dir, &target.path, app);
    home.into_iter().chain(beside).collect()
}

/// Returns what is to be said of links of the folder that lead to the file: devices of other
/// models may get it by them.
pub(crate) fn links(target: &Target, settings: &FolderSettings) -> Vec<Event> {
    let links = links_to(&settings.dir, &target.file()).into_iter();
    links
        .map(|link| event!(PUBLISH_LINKED, link = link))
        .collect()
}

/// Returns the models that the folder has files for, each with its highest version.
pub(crate) fn models(dir: &Path) -> BTreeMap<String, Version> {
    let mut models = BTreeMap::new();
    let names = fs::read_dir(dir).into_iter().flatten().flatten();
    for name in names.filter_map(|item| name::parse(item.file_name().to_str()?).ok()) {
        let highest = models
            .entry(name.model)
            .or_insert_with(|| name.version.clone());
        if name.version > *highest {
            *highest = name.version;
        }
    }
    models
}

/// Consequence for devices of a file that is in the folder, whether any are known or not.
#[derive(Debug)]
pub(crate) enum Effect {
    /// It is offered to those of lower versions.
    Offered {
        /// The devices.
        whom: Event,
        /// Its version.
        version: String,
    },
    /// They are brought to it, whatever they run.
    Pinned {
        /// The devices.
        whom: Event,
    },
    /// They are held at another version.
    Held,
}

impl Effect {
    /// Says it beside a server.
    pub(crate) fn told(&self) -> Event {
        match self {
            Self::Offered { whom, version } => {
                event!(PUBLISH_OFFERED, whom = whom, version = version)
            }
            Self::Pinned { whom } => event!(PUBLISH_PINNED, whom = whom),
            Self::Held => event!(PUBLISH_NOT_OFFERED),
        }
    }

    /// Says it of this very server.
    pub(crate) fn foretold(&self) -> Event {
        match self {
            Self::Offered { whom, version } => {
                event!(PAGE_OFFERED, whom = whom, version = version)
            }
            Self::Pinned { whom } => event!(PAGE_PINNED, whom = whom),
            Self::Held => event!(PUBLISH_NOT_OFFERED),
        }
    }
}

/// Returns what follows for devices, and why some may get another version all the same.
pub(crate) fn effect(
    settings: &Settings,
    models: &BTreeMap<String, Version>,
    (model, version): (&str, &Version),
    source: &Source,
) -> (Effect, Option<Event>) {
    let policy = &settings.policy;
    let which = kind(source, &settings.catalogue);
    let whom = if model == DEFAULT_MODEL {
        event!(PUBLISH_WHOM_DEFAULT, which = which)
    } else {
        event!(PUBLISH_WHOM, model = model, which = which)
    };
    let text = version.to_string();
    let offered = |whom| Effect::Offered {
        whom,
        version: text.clone(),
    };
    match (policy.pin(model), highest(policy, models, model)) {
        (Some(pin), _) if pin == version => (Effect::Pinned { whom }, None),
        (Some(pin), _) => {
            let pin = event!(PUBLISH_OTHER_PIN, model = model, pin = pin.as_str());
            (Effect::Held, Some(pin))
        }
        (None, Some(highest)) if highest >= version && highest.as_str() != version.as_str() => {
            let lower = event!(
                PUBLISH_LOWER,
                model = model,
                highest = highest.as_str(),
                version = version.as_str()
            );
            (offered(whom), Some(lower))
        }
        _ => (offered(whom), None),
    }
}

fn highest<'a>(
    policy: &Policy,
    models: &'a BTreeMap<String, Version>,
    model: &str,
) -> Option<&'a Version> {
    let highest = policy.names(model).filter_map(|name| models.get(name));
    highest.max()
}

/// Names the devices of a model that may get it.
fn kind(source: &Source, settings: &FolderSettings) -> Option<Event> {
    match &source.inspection.verdict {
        Verdict::App(app) => {
            let is_xiaozhi = settings.projects.is_xiaozhi(&app.project);
            let project = (!is_xiaozhi).then(|| format!("{:?}", app.project));
            let chips = signing::chips(app);
            Some(event!(PUBLISH_WITH_CHIP, chips = chips, project = project))
        }
        Verdict::Foreign(_) => Some(event!(PUBLISH_WITHOUT_CHIP)),
        Verdict::Rejected(_) => None,
    }
}
