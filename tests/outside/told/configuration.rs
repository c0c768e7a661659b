//! What people do to the configuration, named with its line and the remedy.
//!
//! Each row is a file that somebody could have written. A running server is given one after
//! the other, and says what it makes of it.

use crate::support::Server;
use std::fs;

/// What the server is started with, and goes back to.
const GOOD: &str = "gateway:\n  ip: 127.0.0.1\n  ports: [0]\n";

/// A server, to which files are given.
pub(super) struct Reader(Server);

impl Reader {
    pub(super) fn start() -> Self {
        Self(Server::start(GOOD, &[]))
    }

    /// Puts a file in place as it is, and returns what is said of it.
    pub(super) fn read(&self, bytes: &[u8]) -> Vec<String> {
        let draft = self.0.dir.path().join("draft.yaml");
        fs::write(&draft, bytes).unwrap();
        fs::rename(draft, self.0.config_file()).unwrap();
        self.0.reload()
    }

    /// Holds that a file is refused by an event, at a line and a key (or none).
    #[track_caller]
    pub(super) fn refuses(&self, bytes: &[u8], id: &str, line: usize, key: &str) {
        let said = self.read(bytes);
        let key = if key.is_empty() {
            String::new()
        } else {
            format!("{key}: ")
        };
        let place = format!("data/.config.yaml:{line}: {key}");
        let found = said.iter().any(|said| {
            crate::support::event::is(said, "config.refused", &[("what", id)])
                && said.contains(&place)
        });
        let shown = String::from_utf8_lossy(bytes);
        assert!(found, "{shown:?}: {id} at {place}: {said:#?}");
    }

    /// Holds that a file is taken up with a warning, at a line and a key, which shows this.
    #[track_caller]
    pub(super) fn warns(&self, yaml: &str, id: &str, line: usize, key: &str, shows: &str) {
        self.read(GOOD.as_bytes());
        let is_whole = yaml.starts_with("gateway:") || yaml.contains("\ngateway:");
        let whole = if is_whole {
            yaml.to_owned()
        } else {
            format!("{yaml}\n{GOOD}")
        };
        let said = self.read(whole.as_bytes());
        let place = format!("data/.config.yaml:{line}");
        let fields = [("place", place.as_str()), ("key", key), ("message", shows)];
        let found = said
            .iter()
            .any(|said| crate::support::event::is(said, id, &fields));
        assert!(
            found,
            "{yaml:?}: {id} at {place}: {key}: {shows}: {said:#?}"
        );
    }
}

/// Files that are refused: the event, the line, the key, and what is written.
const REFUSED: &str = include_str!("configuration-refused.txt");
/// Files that are taken up with a warning, which shows something.
const WARNED: &str = include_str!("configuration-warned.txt");

/// The rows of a table: what stands in front, and the text behind it.
fn rows(table: &str, columns: usize) -> Vec<(Vec<&str>, String)> {
    let lines = table
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let rows = lines.map(|line| {
        let mut parts = line.splitn(columns + 1, ' ').collect::<Vec<_>>();
        let text = serde_json::from_str(parts.pop().unwrap());
        (parts, text.unwrap_or_else(|e| panic!("{line}: {e}")))
    });
    rows.collect()
}

#[test]
fn what_cannot_be_read_is_refused_by_its_reason() {
    let reader = Reader::start();
    let rows = rows(REFUSED, 3);
    assert!(rows.len() > 100, "{}", rows.len());
    for (row, yaml) in rows {
        let key = if row[2] == "-" { "" } else { row[2] };
        reader.refuses(yaml.as_bytes(), row[0], row[1].parse().unwrap(), key);
    }
}

#[test]
fn another_encoding_is_named_with_the_command_that_mends_it() {
    let reader = Reader::start();
    let yaml = "server:\n  ip: 0.0.0.0\n";
    let utf16 = |mark: &str, bytes: fn(u16) -> [u8; 2]| {
        let text = format!("{mark}{yaml}");
        text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>()
    };
    let utf32 = |bytes: fn(u32) -> [u8; 4]| {
        yaml.chars()
            .flat_map(|c| bytes(u32::from(c)))
            .collect::<Vec<u8>>()
    };
    let gbk = [b"# \xb7\xfe\xce\xf1\xc6\xf7\n", yaml.as_bytes()].concat();
    for (bytes, encoding) in [
        (utf16("\u{feff}", u16::to_le_bytes), "UTF-16"),
        (utf16("\u{feff}", u16::to_be_bytes), "UTF-16"),
        (utf16("", u16::to_le_bytes), "UTF-16LE"),
        (utf16("", u16::to_be_bytes), "UTF-16BE"),
        (utf32(u32::to_le_bytes), "UTF-32LE"),
        (utf32(u32::to_be_bytes), "UTF-32BE"),
        (gbk, "GB18030"),
    ] {
        let said = reader.read(&bytes);
        let command = format!("iconv -f {encoding} -t UTF-8 data/.config.yaml");
        let found = said.iter().any(|line| {
            crate::support::event::is(line, "config.refused", &[("what", "config.not-utf8")])
                && line.contains(&command)
        });
        assert!(found, "{encoding}: {said:#?}");
    }
}

#[test]
fn what_falls_away_in_silence_elsewhere_is_named() {
    let reader = Reader::start();
    for (row, yaml) in rows(WARNED, 4) {
        let key = if row[2] == "-" {
            String::new()
        } else {
            format!("{}: ", row[2])
        };
        reader.warns(&yaml, row[0], row[1].parse().unwrap(), &key, row[3]);
    }
}
