//! Output of the subcommands: everything goes through here, so that nothing of a file, a
//! server or the command line reaches a terminal as it is, and every line fits it.

use crate::app;
use crate::config::{ConfigError, ConfigFault, ConfigFaults};
use crate::event::text::Lang;
use crate::util::locale::Locale;
use crate::util::screen::Screen;
use crate::util::terminal::one_line;
use anyhow::Context as _;
use clap::builder::StyledStr;
use clap::error::ContextValue;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

/// Exit code where the command line itself is wrong.
const USAGE: u8 = 2;

/// Fate of what was printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Printed {
    /// It was taken.
    Whole,
    /// The reader has gone, as `| head -1` does: more is not wanted.
    Unwanted,
}

/// Writes the output of a subcommand. A reader that takes one line of it (`| head
/// -1`) is no fault.
pub(super) fn print(text: &str) -> anyhow::Result<Printed> {
    write(&Screen::of(&io::stdout()).text(text))
}

/// Writes the output of a subcommand in a language that was asked for: who asks for
/// Chinese can see it.
pub(super) fn print_in(lang: Option<Lang>, text: &str) -> anyhow::Result<Printed> {
    write(&screen(lang).text(text))
}

/// Writes JSON, and the end of its line.
pub(super) fn print_json(json: &str) -> anyhow::Result<Printed> {
    write(&(Screen::of(&io::stdout()).json(json) + "\n"))
}

/// Writes a piece of JSON, behind which more follows.
pub(super) fn print_json_part(json: &str) -> anyhow::Result<Printed> {
    write(&Screen::of(&io::stdout()).json(json))
}

/// Writes CSV: as it is where a program reads it, and as a terminal can show it else. Its
/// lines are not broken.
pub(super) fn print_csv(text: &str) -> anyhow::Result<Printed> {
    if io::stdout().is_terminal() {
        let lines = text.replace("\r\n", "\n");
        write(&Screen::of(&io::stdout()).unbroken().text(&lines))
    } else {
        write(text)
    }
}

/// Returns what standard output can show of a language that was asked for.
pub(super) fn screen(lang: Option<Lang>) -> Screen {
    Screen::of(&io::stdout()).with_utf8(lang == Some(Lang::Zh))
}

fn write(text: &str) -> anyhow::Result<Printed> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(Printed::Whole),
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(Printed::Unwanted),
        Err(e) => Err(e).context("standard output takes nothing"),
    }
}

/// Writes a message. A closed stderr leaves nobody to tell.
pub(super) fn say(text: &str) {
    let mut err = io::stderr();
    let text = Screen::of(&err).text(text);
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}

/// End of a subcommand by an error.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: anyhow::Error,
    /// The language that the configuration asks for.
    pub(super) lang: Option<Lang>,
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        let lang = error.downcast_ref().and_then(|e: &ConfigError| e.lang);
        Self { error, lang }
    }
}

/// Writes what ended a subcommand, a line for each fault. What is wrong with the
/// configuration begins with its place, as compilers have it, so that editors jump there.
pub(super) fn report(Failure { error, lang }: &Failure) {
    let lang = if Screen::of(&io::stderr()).is_ascii() {
        Lang::En
    } else {
        lang.unwrap_or_else(|| Locale::of_environment().lang)
    };
    // A name in it may hold the end of a line.
    let lines: Vec<_> = if let Some(faults) = faults(error) {
        let words = faults.iter().map(|fault| fault.event.message(lang));
        words.map(|words| one_line(&words)).collect()
    } else {
        let event = app::reason(error).map(|event| event.message(lang));
        let what = event.unwrap_or_else(|| format!("{error:#}"));
        let begin = lang.pick("错误：", "error: ");
        vec![format!("{begin}{}", one_line(&what))]
    };
    say(&(lines.join("\n") + "\n"));
}

/// Returns what is wrong with the configuration, where that is the error.
pub(super) fn faults(error: &anyhow::Error) -> Option<&[ConfigFault]> {
    let refused = error.downcast_ref().map(|e: &ConfigError| &e.faults);
    let faults = refused.or_else(|| error.downcast_ref::<ConfigFaults>());
    faults.map(|ConfigFaults(faults)| &**faults)
}

/// Shows what clap has to say: help, the version, or what is wrong with the command
/// line.
pub(super) fn usage(mut error: clap::Error) -> ExitCode {
    if !error.use_stderr() {
        return help(&error).unwrap_or_else(|e| {
            report(&e.into());
            ExitCode::FAILURE
        });
    }
    // It repeats arguments as they are.
    let given: Vec<_> = error
        .context()
        .map(|(kind, value)| (kind, harmless(value)))
        .collect();
    for (kind, value) in given {
        error.insert(kind, value);
    }
    say(&error.render().to_string());
    ExitCode::from(USAGE)
}

/// Shows help or the version: with clap's own highlights where the terminal takes them,
/// and clap's lines fit it.
fn help(shown: &clap::Error) -> anyhow::Result<ExitCode> {
    let screen = Screen::of(&io::stdout());
    let plain = shown.render().to_string();
    let fitted = screen.text(&plain);
    if screen.redraws() && fitted == plain {
        shown.print()?;
    } else {
        write(&fitted)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns what an error of clap tells of the command line, as parts of one line.
fn harmless(value: &ContextValue) -> ContextValue {
    let plain = |text: &StyledStr| StyledStr::from(one_line(&text.to_string()));
    match value {
        ContextValue::String(text) => ContextValue::String(one_line(text)),
        ContextValue::Strings(texts) => {
            ContextValue::Strings(texts.iter().map(|text| one_line(text)).collect())
        }
        ContextValue::StyledStrs(texts) => {
            ContextValue::StyledStrs(texts.iter().map(plain).collect())
        }
        other => other.clone(),
    }
}
