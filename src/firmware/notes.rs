//! Release notes of an image, in `{model}_{version}.md` beside it.

use super::folder::scan;
use super::name::{self, notes::END};
use crate::event::{Event, event};
use crate::util::durable::{Draft, NotCreated, Spare};
use nix::errno::Errno;
use std::fmt;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use unicode_normalization::UnicodeNormalization as _;

/// Longest notes, in bytes.
const LONGEST: usize = 64 << 10;

/// Reason why notes are not kept, or not shown, with what to do about it. Nothing was changed.
#[derive(Debug)]
pub(crate) enum NotesError {
    /// Standard input is for an image.
    StandardInput,
    /// They cannot be read.
    Unreadable {
        /// The file with the notes.
        path: PathBuf,
        /// The system's word.
        reason: io::Error,
    },
    /// The text is none that can be shown.
    Text {
        /// The file with the notes.
        path: PathBuf,
        /// The fault of the text.
        fault: TextFault,
    },
    /// The image has others already.
    Exists {
        /// The notes in the firmware folder.
        path: PathBuf,
    },
    /// The folder takes no file.
    Folder {
        /// The notes in the firmware folder.
        path: PathBuf,
        /// The system's word.
        reason: io::Error,
    },
}

/// Fault of a text that was to be notes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TextFault {
    /// More than anybody reads.
    TooLong,
    /// Nothing in it.
    Empty,
    /// Bytes that are no text.
    NotUtf8 {
        /// Number of the line, from 1 on.
        line: usize,
    },
    /// A sign that would steer the terminal of whoever reads them.
    Control {
        /// Number of the line, from 1 on.
        line: usize,
        /// The sign.
        sign: char,
    },
}

impl From<&NotesError> for Event {
    fn from(error: &NotesError) -> Self {
        match error {
            NotesError::StandardInput => event!(NOTES_STANDARD_INPUT),
            NotesError::Unreadable { path, reason } => {
                event!(NOTES_UNREADABLE, path = path, reason = reason)
            }
            NotesError::Text { path, fault } => match fault {
                TextFault::TooLong => event!(NOTES_TOO_LONG, path = path, longest = LONGEST),
                TextFault::Empty => event!(NOTES_EMPTY, path = path),
                TextFault::NotUtf8 { line } => event!(NOTES_NOT_UTF8, path = path, line = *line),
                TextFault::Control { line, sign } => event!(
                    NOTES_CONTROL,
                    path = path,
                    line = *line,
                    sign = format!("U+{:04X}", u32::from(*sign)),
                ),
            },
            NotesError::Exists { path } => event!(NOTES_EXISTS, path = path),
            NotesError::Folder { path, reason } => {
                event!(NOTES_UNKEPT, path = path, reason = reason)
            }
        }
    }
}

impl fmt::Display for NotesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Event::from(self).fmt(f)
    }
}

impl std::error::Error for NotesError {}

/// Release notes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notes {
    text: String,
}

impl Notes {
    /// Reads the notes that an operator names: a file or a pipe.
    pub(crate) fn read(path: &Path) -> Result<Self, NotesError> {
        let unreadable = |reason| NotesError::Unreadable {
            path: path.to_owned(),
            reason,
        };
        let of_text = |fault| NotesError::Text {
            path: path.to_owned(),
            fault,
        };
        if path == Path::new("-") {
            return Err(NotesError::StandardInput);
        }
        // Of what is longer no byte is read.
        let is_long = |about: fs::Metadata| about.is_file() && about.len() > LONGEST as u64;
        if fs::metadata(path).is_ok_and(is_long) {
            return Err(of_text(TextFault::TooLong));
        }
        let source = scan::open_written(path).map_err(unreadable)?;
        let bytes = up_to_longest(source).map_err(unreadable)?;
        Self::of(bytes).map_err(of_text)
    }

    /// Reads the notes beside an image; `None` where it has none.
    pub(crate) fn beside(image: &Path) -> Option<Result<Self, NotesError>> {
        let path = find(image)?;
        let unreadable = |reason| NotesError::Unreadable {
            path: path.clone(),
            reason,
        };
        let read = scan::open(&path).and_then(up_to_longest);
        Some(match read.map_err(unreadable) {
            Ok(bytes) => Self::of(bytes).map_err(|fault| NotesError::Text {
                path: path.clone(),
                fault,
            }),
            Err(e) => Err(e),
        })
    }

    /// Takes a text, if it is one.
    fn of(bytes: Vec<u8>) -> Result<Self, TextFault> {
        if bytes.len() > LONGEST {
            return Err(TextFault::TooLong);
        }
        let line_at = |text: &[u8]| text.split(|b| *b == b'\n').count();
        let text = String::from_utf8(bytes).map_err(|e| {
            let valid = e.as_bytes().get(..e.utf8_error().valid_up_to());
            TextFault::NotUtf8 {
                line: line_at(valid.unwrap_or_default()),
            }
        })?;
        let mut signs = text.char_indices().peekable();
        while let Some((at, sign)) = signs.next() {
            let ends_line = sign == '\r' && signs.peek().is_some_and(|(_, next)| *next == '\n');
            if sign.is_control() && !ends_line && !matches!(sign, '\n' | '\t') {
                let line = line_at(text.as_bytes().get(..at).unwrap_or_default());
                return Err(TextFault::Control { line, sign });
            }
        }
        let notes = Self { text };
        if notes.text().trim().is_empty() {
            return Err(TextFault::Empty);
        }
        Ok(notes)
    }

    /// Returns the text, without the mark that editors put in front.
    pub(crate) fn text(&self) -> &str {
        self.text.strip_prefix('\u{feff}').unwrap_or(&self.text)
    }

    /// Tells whether they could be kept beside an image.
    pub(crate) fn check(&self, image: &Path, overwrite: bool) -> Result<(), NotesError> {
        let path = place(image);
        match fs::symlink_metadata(&path) {
            Ok(there) if there.is_dir() => Err(NotesError::Folder {
                path,
                reason: Errno::EISDIR.into(),
            }),
            Ok(_) if !overwrite && !self.is_at(&path) => Err(NotesError::Exists { path }),
            _ => Ok(()),
        }
    }

    /// Keeps them beside an image that is about to get its name. Until they are
    /// [settled](KeptNotes::settle) they vanish with the value that is returned.
    pub(crate) fn keep(&self, image: &Path, overwrite: bool) -> Result<KeptNotes, NotesError> {
        self.check(image, overwrite)?;
        let path = place(image);
        if self.is_at(&path) {
            let undo = Undo::Nothing;
            return Ok(KeptNotes { path, undo });
        }
        let dir = image.parent().unwrap_or(Path::new("."));
        let folder = |reason| NotesError::Folder {
            path: path.clone(),
            reason,
        };
        let mut draft = Draft::begin_for_all(dir).map_err(folder)?;
        draft.write(self.text.as_bytes()).map_err(folder)?;
        let draft = draft.finished().map_err(folder)?;
        // What of them is known to be on the disk is what is known of the image.
        let undo = if overwrite {
            let undo = match Spare::beside(&path, dir) {
                Ok(spare) => Undo::Restore(spare),
                Err(e) if e.kind() == io::ErrorKind::NotFound => Undo::Remove,
                Err(e) => return Err(folder(e)),
            };
            let _ = draft.replace(&path).map_err(folder)?;
            undo
        } else {
            match draft.create(&path) {
                Ok(_) => Undo::Remove,
                Err(NotCreated::Exists) => return Err(NotesError::Exists { path }),
                Err(NotCreated::Error(e)) => return Err(folder(e)),
            }
        };
        Ok(KeptNotes { path, undo })
    }

    fn is_at(&self, path: &Path) -> bool {
        let there = scan::open(path).and_then(up_to_longest);
        there.is_ok_and(|there| there == self.text.as_bytes())
    }
}

/// Notes in their place, whose image has no name yet.
#[derive(Debug)]
pub(crate) struct KeptNotes {
    path: PathBuf,
    undo: Undo,
}

/// Way back.
#[derive(Debug)]
enum Undo {
    /// They were there before, or are to stay.
    Nothing,
    /// There were none.
    Remove,
    /// There were others.
    Restore(Spare),
}

impl KeptNotes {
    /// Leaves them where they are, for their image is there.
    pub(crate) fn settle(mut self) {
        self.undo = Undo::Nothing;
    }
}

impl Drop for KeptNotes {
    fn drop(&mut self) {
        // Whoever could give them a name a moment ago can take it back.
        match std::mem::replace(&mut self.undo, Undo::Nothing) {
            Undo::Nothing => {}
            Undo::Remove => drop(fs::remove_file(&self.path)),
            Undo::Restore(spare) => drop(spare.restore(&self.path)),
        }
    }
}

/// Returns the place of an image's notes, whether they are there or not.
fn place(image: &Path) -> PathBuf {
    find(image).unwrap_or_else(|| path(image))
}

/// Returns the path of notes whose name is spelt like their image's.
fn path(image: &Path) -> PathBuf {
    let stem = image.file_stem().unwrap_or_default().to_owned();
    let mut file = stem;
    file.push(END);
    image.with_file_name(file)
}

/// Returns the notes that lie beside an image with a model and a version, if there are any. A
/// Mac writes letters and accents of a name apart.
pub(crate) fn find(image: &Path) -> Option<PathBuf> {
    let file = image.file_name()?.to_str()?;
    name::parse(file).ok()?;
    let own = path(image);
    let name = own.file_name()?.to_str()?;
    let spellings = [name.to_owned(), name.nfc().collect(), name.nfd().collect()];
    let mut places = spellings.iter().map(|name| image.with_file_name(name));
    places.find(|place| place.is_file())
}

/// Number of lines of notes that are shown where there is no room for all.
const SHOWN: usize = 5;
/// Number of characters of a line that are shown there.
const WIDTH: usize = 120;

/// Returns the first lines of notes, and the number of lines that have something behind them.
pub(crate) fn beginning(text: &str) -> (Vec<String>, usize) {
    let lines = text.lines().map(str::trim_end);
    let mut lines = lines.filter(|line| !line.is_empty());
    let first = lines.by_ref().take(SHOWN).map(|line| {
        let mut shown: String = line.chars().take(WIDTH).collect();
        if shown.len() < line.len() {
            shown.push('…');
        }
        shown
    });
    let first = first.collect();
    (first, lines.count())
}

fn up_to_longest(source: impl io::Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(LONGEST as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_text_and_nothing_else() {
        let of = |bytes: &[u8]| Notes::of(bytes.to_vec()).map(|notes| notes.text().to_owned());
        for good in ["# 2.1.0\n\n- 唤醒词\n", "a\r\n\tb", "👨‍👩‍👧", "x"] {
            assert_eq!(of(good.as_bytes()).as_deref(), Ok(good));
        }
        assert_eq!(of("\u{feff}# a".as_bytes()).as_deref(), Ok("# a"));
        let control = |line, sign| Err(TextFault::Control { line, sign });
        for (bytes, fault) in [
            (&b""[..], Err(TextFault::Empty)),
            (b" \n\t\r\n", Err(TextFault::Empty)),
            ("\u{feff}".as_bytes(), Err(TextFault::Empty)),
            (b"a\nb\x1b[31m", control(2, '\x1b')),
            (b"a\rb", control(1, '\r')),
            (b"a\r", control(1, '\r')),
            (b"a\0", control(1, '\0')),
            ("a\u{85}".as_bytes(), control(1, '\u{85}')),
            (b"\x7f", control(1, '\x7f')),
            (b"a\n\xff", Err(TextFault::NotUtf8 { line: 2 })),
            (b"\xc3", Err(TextFault::NotUtf8 { line: 1 })),
        ] {
            assert_eq!(of(bytes), fault, "{bytes:?}");
        }
        assert!(of(&vec![b'a'; LONGEST]).is_ok());
        assert_eq!(of(&vec![b'a'; LONGEST + 1]), Err(TextFault::TooLong));
    }

    #[test]
    fn kept_whole_and_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("a_1.0.bin");
        let at = dir.path().join("a_1.0.md");
        let read = || fs::read_to_string(&at).ok();
        let count = || fs::read_dir(dir.path()).unwrap().count();
        let notes = |text: &str| Notes::of(text.into()).unwrap();
        let (one, two) = (notes("one"), notes("two"));
        drop(one.keep(&image, false).unwrap());
        assert_eq!((read(), count()), (None, 0));
        one.keep(&image, false).unwrap().settle();
        assert_eq!((read().as_deref(), count()), (Some("one"), 1));
        // The same ones are no others.
        drop(one.keep(&image, false).unwrap());
        assert!(one.check(&image, false).is_ok());
        assert!(matches!(
            two.keep(&image, false),
            Err(NotesError::Exists { .. })
        ));
        assert!(two.check(&image, false).is_err() && two.check(&image, true).is_ok());
        let kept = two.keep(&image, true).unwrap();
        assert_eq!(read().as_deref(), Some("two"));
        drop(kept);
        assert_eq!((read().as_deref(), count()), (Some("one"), 1));
        two.keep(&image, true).unwrap().settle();
        assert_eq!((read().as_deref(), count()), (Some("two"), 1));
        let found = Notes::beside(&image).unwrap().unwrap();
        assert_eq!(found.text(), "two");
        assert!(Notes::beside(&dir.path().join("b_1.0.bin")).is_none());
        assert!(Notes::beside(&dir.path().join("a_1.0.md")).is_none());
    }

    #[test]
    fn a_name_from_a_mac_is_the_same_name() {
        let dir = tempfile::tempdir().unwrap();
        let (apart, composed) = ("e\u{301}_1.0", "é_1.0");
        for (image, notes) in [(apart, composed), (composed, apart), (apart, apart)] {
            let notes = dir.path().join(format!("{notes}.md"));
            fs::write(&notes, "x").unwrap();
            let image = dir.path().join(format!("{image}.bin"));
            assert_eq!(find(&image), Some(notes.clone()));
            fs::remove_file(&notes).unwrap();
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_is_kept_as_it_is(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(notes) = Notes::of(bytes.clone()) {
                prop_assert_eq!(notes.text.as_bytes(), &bytes[..]);
                let lines = notes.text().lines();
                for line in lines {
                    prop_assert!(!line.chars().any(|c| c.is_control() && c != '\t'));
                }
            }
        }
    }
}
