//! A device as the API has it, in words for people. What a device sent is hostile: nothing of
//! it is shown before it went through [`plain`].

use crate::event::shell;
use crate::event::text::Lang;
use crate::util::fate::{self, Facts, is_failure, plain};
use crate::util::terminal::{columns, one_line};
use serde::Deserialize;
use std::borrow::Cow;
use unicode_width::UnicodeWidthChar as _;

/// A device, as the API has it.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Device {
    pub(super) mac: String,
    pub(super) client_id: Option<String>,
    #[serde(default)]
    pub(super) board: Board,
    pub(super) chip: Option<String>,
    pub(super) revision: Option<u64>,
    pub(super) flash: Option<u64>,
    pub(super) version: Option<String>,
    pub(super) elf_sha256: Option<String>,
    pub(super) slot: Option<String>,
    pub(super) first_seen: String,
    pub(super) last_seen: String,
    pub(super) address: Option<String>,
    pub(super) transport: String,
    pub(super) boots: u64,
    pub(super) why: Option<String>,
    pub(super) offers: Vec<Offer>,
    // An older server does not tell it.
    #[serde(default)]
    pub(super) failed: Vec<Failed>,
    #[serde(default)]
    pub(super) ordered: Vec<Ordered>,
}

/// Image that failed on a device.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Failed {
    pub(super) file: Option<String>,
    pub(super) times: u64,
    /// True where the device gets it no more.
    #[serde(default)]
    pub(super) given_up: bool,
}

/// Order to try again that the device has not followed yet.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Ordered {
    pub(super) file: Option<String>,
    pub(super) at: String,
}

/// Board of a device.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Board {
    pub(super) name: Option<String>,
    pub(super) r#type: Option<String>,
}

/// Offer to a device.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Offer {
    pub(super) file: String,
    pub(super) version: String,
    pub(super) end: String,
    pub(super) at: String,
}

/// A page of devices.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    pub(super) devices: Vec<Device>,
    pub(super) next: Option<String>,
}

impl Offer {
    /// Returns the short words of its end.
    pub(super) fn short(&self, lang: Lang) -> Cow<'_, str> {
        fate::short(&self.end, lang)
    }
}

impl Device {
    /// Returns the name of its board, as far as it is known.
    pub(super) fn named(&self) -> &str {
        let board = &self.board;
        let name = board.name.as_deref().or(board.r#type.as_deref());
        name.unwrap_or("-")
    }

    /// Returns its newest offer.
    pub(super) fn newest(&self) -> Option<&Offer> {
        self.offers.first()
    }

    /// Tells whether its newest offer is of a file that it gets no more.
    pub(super) fn is_given_up(&self) -> bool {
        let newest = self.newest().map(|offer| &offer.file);
        let mut failed = self.failed.iter().filter(|failed| failed.given_up);
        failed.any(|failed| failed.file.as_ref() == newest)
    }

    /// Returns the end of its newest offer in a few words.
    pub(super) fn end(&self, lang: Lang) -> Cow<'_, str> {
        match self.newest() {
            None => "-".into(),
            Some(offer) if self.is_given_up() => fate::given_up(&offer.end, lang).into(),
            Some(offer) => offer.short(lang),
        }
    }

    /// Returns its id as a word of a command.
    pub(super) fn word(&self) -> String {
        shell::quoted(&self.mac).into_owned()
    }

    /// Returns what it was answered last, in a few words.
    pub(super) fn answer(&self, lang: Lang) -> Cow<'_, str> {
        fate::answer(self.why.as_deref(), lang)
    }

    /// Returns why it gets what it gets, in the words of the event that says so.
    pub(super) fn why(&self, lang: Lang) -> Option<String> {
        let id = self.why.as_deref()?;
        Some(self.facts().why(id, lang))
    }

    /// Returns what is known of it.
    pub(super) fn facts(&self) -> Facts<'_> {
        Facts {
            device: &self.mac,
            board: self.board.name.as_deref(),
            board_type: self.board.r#type.as_deref(),
            chip: self.chip.as_deref(),
            revision: self.revision,
            flash: self.flash,
            version: self.version.as_deref(),
            slot: self.slot.as_deref(),
            elf_sha256: self.elf_sha256.as_deref(),
            times: self.times(),
        }
    }

    /// Returns how often the image failed that failed most often. An older server tells no
    /// more than its offers.
    fn times(&self) -> Option<u64> {
        let most = self.failed.iter().map(|failed| failed.times).max();
        most.or_else(|| {
            let failed = |offer: &&Offer| is_failure(&offer.end);
            let file = &self.offers.iter().find(failed)?.file;
            let same = self.offers.iter().filter(|offer| offer.file == *file);
            Some(same.filter(failed).count() as u64)
        })
    }
}

/// Returns a stranger's text for a table, cut to so many columns.
pub(super) fn cell(text: &str, most: usize) -> String {
    cut(plain(text), most)
}

/// Returns the name of a device or a file for a table, which people type as it is: nothing
/// of it is taken for a secret.
pub(super) fn name_cell(text: &str, most: usize) -> String {
    cut(one_line(text), most)
}

fn cut(mut shown: String, most: usize) -> String {
    if columns(&shown) <= most {
        return shown;
    }
    let (mut width, mut end) = (0, 0);
    for (at, c) in shown.char_indices() {
        width += c.width().unwrap_or(0);
        if width >= most {
            break;
        }
        end = at + c.len_utf8();
    }
    shown.truncate(end);
    shown.push('…');
    shown
}

/// Returns the cells of a table in columns, a row a line, behind so many blanks.
pub(super) fn table(rows: &[Vec<String>], widths: &[usize], indent: usize) -> String {
    let mut text = String::new();
    for row in rows {
        let start = text.len();
        text.extend(std::iter::repeat_n(' ', indent));
        for (at, cell) in row.iter().enumerate() {
            text.push_str(cell);
            if at + 1 < row.len() {
                let width = widths.get(at).copied().unwrap_or(0);
                let blanks = width.saturating_sub(columns(cell)) + 2;
                text.extend(std::iter::repeat_n(' ', blanks));
            }
        }
        let end = text.trim_end_matches(' ').len().max(start);
        text.truncate(end);
        text.push('\n');
    }
    text
}

/// Returns the width of each column of a table.
pub(super) fn widths(rows: &[Vec<String>]) -> Vec<usize> {
    let mut widths = Vec::new();
    for row in rows {
        widths.resize(row.len().max(widths.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = columns(cell).max(*width);
        }
    }
    widths
}

#[cfg(test)]
mod tests;
