//! `xiaozhi-ota backup` and `xiaozhi-ota restore`: all that is kept, in one file and back.

use super::output::{Failure, print_in, say};
use crate::app;
use crate::backup::{self, Checked, Places};
use crate::config::{self, DEFAULT_FILE, Settings};
use crate::event::text::Lang;
use crate::event::{Event, event};
use crate::tls::Mode;
use crate::util::durable::Durability;
use crate::util::locale::Locale;
use crate::util::paths::absolute;
use crate::util::terminal::{file_name, one_line};
use clap::Args;
use jiff::Timestamp;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Folder of the certificates that this server makes or orders.
const CERTIFICATES: &str = "certs";

/// Name of the configuration in a backup, where something is said of it.
const OF_BACKUP: &str = "configuration of the backup";

#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    /// The backup to make: a tar file, readable by its owner only
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Overwrite a file of that name
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// The backup to restore
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Overwrite what is there
    #[arg(long)]
    force: bool,
}

impl BackupArgs {
    pub(super) fn run(self, config: Option<&Path>) -> Result<ExitCode, Failure> {
        let settings = config::load(config, &app::machine()).map_err(anyhow::Error::from)?;
        let lang = settings.asked_lang();
        self.make(&settings)
            .map_err(|error| Failure { error, lang })
    }

    fn make(&self, settings: &Settings) -> anyhow::Result<ExitCode> {
        let lang = language(settings.asked_lang());
        is_file(&self.file)?;
        if let Err(none) = app::find_state(settings) {
            note(lang, &none);
        }
        let places = places(settings, settings.file.clone());
        let now = format!("{:.0}", Timestamp::now());
        let made = backup::make(&places, &self.file, self.force, &now, progress())?;
        if let Durability::Unsynced(error) = &made.durability {
            let words = lang.pick(
                "提示：该备份可能还没有写入磁盘",
                "note: the backup may not be on the disk yet",
            );
            say(&format!("{words}: {}\n", one_line(&error.to_string())));
        }
        let (name, files) = (file_name(&self.file), made.files);
        let mib = made.bytes.div_ceil(1 << 20);
        let text = lang.pick(
            format!("已备份到 {name}：{files} 个文件，{mib} MiB\n"),
            format!("backup made: {name}, files: {files}, {mib} MiB\n"),
        );
        print_in(settings.asked_lang(), &text)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl RestoreArgs {
    pub(super) fn run(self, config: Option<&Path>) -> Result<ExitCode, Failure> {
        self.restore(config).map_err(Failure::from)
    }

    fn restore(&self, config: Option<&Path>) -> anyhow::Result<ExitCode> {
        is_file(&self.file)?;
        let machine = app::machine();
        // What is there now may be broken: that is what backups are for.
        let now = config::load(config, &machine).ok();
        let mut held: Vec<_> = now.iter().map(|now| now.state.clone()).collect();
        held.push(machine.state.clone());
        for state in &held {
            if backup::finish(state)? {
                return finished(now.as_ref().and_then(Settings::asked_lang));
            }
        }
        let mut backup = backup::check(&self.file)?;
        let to = config_place(&backup, config)?;
        let settings = match backup.read_config()? {
            Some(text) => config::of_text(text, Path::new(OF_BACKUP), &machine)?,
            // Nothing says otherwise than what is there.
            None => config::load(config, &machine)?,
        };
        if backup::finish(&settings.state)? {
            return finished(settings.asked_lang());
        }
        let lang = language(settings.asked_lang());
        let places = places(&settings, to);
        let done = backup::restore(&mut backup, &places, &held, self.force, progress())?;
        if !done.others.is_empty() {
            let names = done.others.iter().map(PathBuf::as_path).map(file_name);
            let names = names
                .take(5)
                .collect::<Vec<_>>()
                .join(lang.pick("、", ", "));
            let count = done.others.len();
            say(&lang.pick(
                format!("提示：固件目录中另有 {count} 个不在备份里的文件，它们会照常下发：{names}\n"),
                format!("note: files in the firmware folder that are not in the backup, and are offered as ever: {count} ({names})\n"),
            ));
        }
        let (name, files, made) = (
            file_name(&self.file),
            done.files,
            one_line(backup.made_at()),
        );
        let text = lang.pick(
            format!("已从 {name}（制作于 {made}）恢复 {files} 个文件；现在可以启动服务器\n"),
            format!(
                "restored from {name} (made {made}), files: {files}; the server can be started\n"
            ),
        );
        print_in(settings.asked_lang(), &text)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Says that a restore which was interrupted is done now.
fn finished(asked: Option<Lang>) -> anyhow::Result<ExitCode> {
    let text = language(asked).pick(
        "已完成上次中断的恢复；没有做其他改动。如需恢复这个备份，请再执行一次\n",
        "the restore that was interrupted is finished, and nothing else was done; to restore this backup run it again\n",
    );
    print_in(asked, text)?;
    Ok(ExitCode::SUCCESS)
}

/// Returns where the configuration goes: where the command line says, else where it lay, if
/// that is where a server looks for one.
fn config_place(backup: &Checked, config: Option<&Path>) -> Result<Option<PathBuf>, Event> {
    if let Some(config) = config {
        return Ok(Some(config.to_owned()));
    }
    let default = Path::new(DEFAULT_FILE);
    match backup.config() {
        None => Ok(None),
        Some((_, from)) if absolute(&from) == absolute(default) => Ok(Some(default.to_owned())),
        Some((_, from)) => Err(event!(RESTORE_CONFIG, from = from)),
    }
}

/// Lists where everything is that belongs into a backup.
fn places(settings: &Settings, config: Option<PathBuf>) -> Places {
    let mut named = Vec::new();
    match &settings.tls {
        Mode::Files(pairs) => {
            for pair in pairs {
                named.extend([pair.cert.clone(), pair.key.clone()]);
            }
        }
        Mode::Acme(acme) => {
            named.extend(acme.root.clone());
            named.extend(acme.eab.iter().map(|eab| eab.hmac_file.clone()));
        }
        Mode::Off | Mode::SelfSigned { .. } => {}
    }
    Places {
        config,
        certificates: CERTIFICATES.into(),
        named,
        firmware: settings.catalogue.dir.clone(),
        state: settings.state.clone(),
    }
}

/// Refuses `-`, which other subcommands take for standard input.
fn is_file(file: &Path) -> Result<(), Event> {
    if file == Path::new("-") {
        return Err(event!(BACKUP_STREAM));
    }
    Ok(())
}

/// Says on a terminal which file is under way.
fn progress() -> impl FnMut(usize, usize, &Path) {
    let is_watched = io::stderr().is_terminal();
    move |number, of, member| {
        if is_watched {
            say(&format!("[{number}/{of}] {}\n", file_name(member)));
        }
    }
}

fn note(lang: Lang, event: &Event) {
    let begin = lang.pick("提示：", "note: ");
    say(&format!("{begin}{}\n", one_line(&event.message(lang))));
}

fn language(asked: Option<Lang>) -> Lang {
    asked.unwrap_or_else(|| Locale::of_environment().lang)
}
