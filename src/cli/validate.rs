//! `xiaozhi-ota validate`: checks a configuration, and shows what it comes to.

use super::output::{Failure, print, report, screen};
use super::summary;
use crate::app;
use crate::config::{self, Machine, Settings};
use crate::event::Severity;
use crate::event::text::Lang;
use crate::tls::Mode;
use crate::util::terminal::{columns, file_name, one_line};
use clap::Args;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct ValidateArgs {
    /// The configurations to check [default: the one of --config]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl ValidateArgs {
    pub(super) fn run(self, config: Option<PathBuf>) -> anyhow::Result<ExitCode> {
        let files: Vec<Option<PathBuf>> = if self.files.is_empty() {
            vec![config]
        } else {
            self.files.into_iter().map(Some).collect()
        };
        let machine = app::machine();
        let mut good = true;
        for file in files {
            match judge(file.as_deref(), &machine) {
                Ok(text) => drop(print(&text)?),
                Err(e) => {
                    good = false;
                    report(&e);
                }
            }
        }
        Ok(if good {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

fn judge(file: Option<&Path>, machine: &Machine) -> Result<String, Failure> {
    let settings = config::load(file, machine).map_err(anyhow::Error::from)?;
    let lang = settings.asked_lang();
    judged(&settings).map_err(|error| Failure { error, lang })
}

fn judged(settings: &Settings) -> anyhow::Result<String> {
    app::check_machine(settings)?;
    // Files are read; a certificate of our own is made at start, not here.
    let certificates = match &settings.tls {
        Mode::Files(_) => app::certificates(settings)?,
        Mode::Off | Mode::SelfSigned { .. } | Mode::Acme(_) => None,
    };
    let of_ca = app::check_acme(settings)?;
    let lang = language(settings);
    let mut text = describe(settings, lang)?;
    let colon = lang.pick("：", ": ");
    let warning = lang.pick("警告", "warning");
    for found in &settings.warnings {
        let words = found.event.advice(lang);
        let line = format!("{}{colon}{warning}{colon}{words}", found.place);
        writeln!(text, "{}", one_line(&line))?;
    }
    let lookups = app::look_up_names(settings);
    let ports = settings.bind.numbers();
    let findings = app::audit(settings, certificates.as_deref(), &ports, &lookups);
    let names = app::audit_names(settings);
    for finding in findings.into_iter().chain(names).chain(of_ca) {
        let (setting, advice) = (finding.setting(), finding.advice(lang));
        let place = settings.places.place(setting);
        let weight = match finding.kind.severity {
            Severity::Info => lang.pick("提示", "hint"),
            Severity::Warning | Severity::Error => warning,
        };
        let line = format!("{place}{colon}{weight}{colon}{setting}{colon}{advice}");
        writeln!(text, "{}", one_line(&line))?;
    }
    Ok(text)
}

/// Returns the language of the log, where the terminal can show it.
fn language(settings: &Settings) -> Lang {
    if screen(None).is_ascii() {
        Lang::En
    } else {
        settings.log.style.lang
    }
}

/// Returns what a configuration comes to.
fn describe(settings: &Settings, lang: Lang) -> Result<String, std::fmt::Error> {
    let mut text = match &settings.file {
        None => {
            let file = config::DEFAULT_FILE;
            lang.pick(
                format!("没有 {file}：所有设置均为默认值\n"),
                format!("no {file}: every setting has its default\n"),
            )
        }
        Some(file) => {
            let good = lang.pick("：正确", ": good");
            format!("{}{good}\n", file_name(file))
        }
    };
    for (what, value) in summary::lines(settings, lang) {
        let gap = " ".repeat(18_usize.saturating_sub(columns(what)));
        writeln!(text, "  {what}{gap} {}", one_line(&value))?;
    }
    Ok(text)
}
