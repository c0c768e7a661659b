//! The terminal behind a stream: how wide it is, and what it can show.

use super::locale::Locale;
use super::terminal::{ascii, ascii_json, fit, shown, shown_json};
use std::env;
use std::io::IsTerminal;
use std::os::fd::AsFd;

/// Widths that are believed, in columns: below it nothing can be read.
const WIDTHS: std::ops::RangeInclusive<usize> = 20..=1000;
/// Width of a terminal that does not tell it, such as a serial line.
const USUAL: usize = 80;
/// Columns by which a line that goes on is shifted.
const FURTHER: usize = 4;

/// Width and abilities of what a stream leads to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    /// Width in columns; `None` where nobody wants lines to be broken.
    width: Option<usize>,
    /// True where it takes ASCII only.
    is_ascii: bool,
    /// True where lines can be drawn over.
    redraws: bool,
}

impl Screen {
    /// Looks at a stream. `COLUMNS` says what is wanted of a pipe, too.
    pub(crate) fn of(stream: &(impl IsTerminal + AsFd)) -> Self {
        let is_terminal = stream.is_terminal();
        let told = env::var("COLUMNS").ok();
        let told = told.and_then(|text| text.trim().parse::<usize>().ok());
        let measured = || {
            let size = rustix::termios::tcgetwinsize(stream).ok();
            let size = size.filter(|_| is_terminal)?;
            Some(usize::from(size.ws_col))
        };
        let width = told.filter(|n| *n > 0).or_else(measured);
        let width = width.or(is_terminal.then_some(USUAL));
        let width = width.map(|n| if n == 0 { USUAL } else { n });
        let says = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        let is_dumb = says("TERM").is_none_or(|term| term == "dumb");
        let is_plain = says("NO_COLOR").is_some() || says("CLICOLOR").is_some_and(|v| v == "0");
        Self {
            width: width.map(|n| n.clamp(*WIDTHS.start(), *WIDTHS.end())),
            is_ascii: is_terminal && !Locale::of_environment().is_utf8,
            redraws: is_terminal && !is_dumb && !is_plain,
        }
    }

    /// Returns the screen of somebody who has asked for a language that takes more than
    /// ASCII.
    #[must_use]
    pub(crate) fn with_utf8(self, is_asked: bool) -> Self {
        Self {
            is_ascii: self.is_ascii && !is_asked,
            ..self
        }
    }

    /// Returns the same screen for text whose lines must not be broken.
    #[must_use]
    pub(crate) fn unbroken(self) -> Self {
        Self {
            width: None,
            ..self
        }
    }

    /// Returns the width in columns, if lines are to be broken.
    pub(crate) fn width(self) -> Option<usize> {
        self.width
    }

    /// Tells whether only ASCII can be shown.
    pub(crate) fn is_ascii(self) -> bool {
        self.is_ascii
    }

    /// Tells whether lines can be drawn over.
    pub(crate) fn redraws(self) -> bool {
        self.redraws
    }

    /// Returns a text as it can be shown here. Nothing of it steers the terminal.
    pub(crate) fn text(self, text: &str) -> String {
        let text = shown(text);
        let text = if self.is_ascii { ascii(&text) } else { text };
        self.width
            .map_or_else(|| text.clone(), |width| fit(&text, width, FURTHER))
    }

    /// Returns JSON as it can be shown here.
    pub(crate) fn json(self, json: &str) -> String {
        let json = shown_json(json);
        if self.is_ascii {
            ascii_json(&json)
        } else {
            json
        }
    }
}
