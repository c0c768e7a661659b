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

/// Number of files that are named where there may be many.
const NAMED: usize = 5;

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
            let firmware = &settings.catalogue.dir;
            // Without both it is the configuration alone, from some other folder.
            if !firmware.is_dir() {
                let dirs = app::state_places(settings);
                let dir = absolute(firmware);
                return Err(event!(BACKUP_NOTHING, dirs = &*dirs, dir = dir).into());
            }
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
        let size = size(made.bytes);
        let text = lang.pick(
            format!("已备份到 {name}：{files} 个文件，{size}\n"),
            format!("backup made: {name}, files: {files}, {size}\n"),
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
            let shown: Vec<_> = names.take(NAMED).collect();
            let count = done.others.len();
            let more = if count > NAMED {
                lang.pick(" 等", ", …")
            } else {
                ""
            };
            let names = shown.join(lang.pick("、", ", ")) + more;
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

/// Returns a size for people: in KiB below 1 MiB, rounded up.
fn size(bytes: u64) -> String {
    if bytes < 1 << 20 {
        format!("{} KiB", bytes.div_ceil(1 << 10))
    } else {
        format!("{} MiB", bytes.div_ceil(1 << 20))
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
    named.extend(settings.admin.tokens.iter().map(|token| token.file.clone()));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys::{KEYS, KeyDefault};

    /// Keys with files or folders that are in no backup.
    const LEFT_OUT: [&str; 2] = ["log.log_dir", "log.log_file"];

    /// Keys with files or folders, each in a configuration that has it.
    const HELD: [(&str, &str); 7] = [
        (
            "gateway.tls.certificates[].cert",
            "gateway: {tls: {certificates: [{cert: /of/it, key: /k}]}}",
        ),
        (
            "gateway.tls.certificates[].key",
            "gateway: {tls: {certificates: [{cert: /c, key: /of/it}]}}",
        ),
        (
            "gateway.tls.acme.root",
            "{server: {vision_explain: 'https://ota.example.com/mcp/vision/explain'}, gateway: {tls: {acme: {email: a@example.com, directory: \
             'https://ca.example.com/d', root: /of/it}}}}",
        ),
        (
            "gateway.tls.acme.eab.hmac_file",
            "{server: {vision_explain: 'https://ota.example.com/mcp/vision/explain'}, gateway: {tls: {acme: {email: a@example.com, directory: \
             'https://ca.example.com/d', eab: {key_id: k, hmac_file: /of/it}}}}}",
        ),
        ("gateway.firmware.dir", "gateway: {firmware: {dir: /of/it}}"),
        ("gateway.state", "gateway: {state: /of/it}"),
        (
            "gateway.admin.tokens[].token_file",
            "gateway: {admin: {tokens: [{name: n, role: read, token_file: /of/it}]}}",
        ),
    ];

    #[test]
    fn every_key_that_names_a_file_or_a_folder_is_known_here() {
        // The list of certificates holds no path itself.
        let is_list = |name: &str| name == "gateway.tls.certificates";
        let of_path = |name: &str| {
            let own = name.rsplit('.').next().unwrap();
            let parts = ["file", "dir", "root", "cert", "key", "path", "state"];
            let is_secret = own.ends_with("_key") || own.starts_with("key_");
            parts
                .iter()
                .any(|part| own.split('_').any(|word| word == *part))
                && !is_secret
        };
        for key in KEYS {
            let words = key.meaning.split([' ', ',', ';']);
            let says_so =
                words.clone().any(|word| word == "folder") || key.meaning.contains("PEM file");
            let says_so = says_so || key.meaning.starts_with("file with");
            // Seconds between looks, and sizes of the log, are of files and name none.
            let is_number = matches!(key.default, KeyDefault::Value(v) if v.starts_with(|c: char| c.is_ascii_digit()));
            let is_known =
                HELD.iter().any(|(held, _)| *held == key.name) || LEFT_OUT.contains(&key.name);
            // The CA's directory is an address.
            let is_path = (of_path(key.name) || says_so) && !is_number && !is_list(key.name);
            assert_eq!(is_path, is_known, "{}", key.name);
        }
    }

    #[test]
    fn what_every_such_key_names_is_in_a_backup() {
        for (key, text) in HELD {
            let settings = config::of_text(text.into(), Path::new("x"), &app::machine());
            let settings = settings.unwrap_or_else(|error| panic!("{key}: {error}"));
            let places = places(&settings, None);
            let all = [&places.firmware, &places.state];
            let mut all = all.into_iter().chain(&places.named);
            assert!(all.any(|place| place == Path::new("/of/it")), "{key}");
        }
    }

    #[test]
    fn sizes_are_in_the_unit_that_says_something() {
        for (bytes, shown) in [
            (1, "1 KiB"),
            (1 << 19, "512 KiB"),
            (1 << 20, "1 MiB"),
            (3 << 20, "3 MiB"),
        ] {
            assert_eq!(size(bytes), shown);
        }
    }
}
