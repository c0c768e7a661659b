//! Every event that the program says has the fields that its kind declares: what the
//! documents show is what programs get.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use xiaozhi_ota::event::kinds;

fn files(folder: &Path) -> Vec<PathBuf> {
    let items = fs::read_dir(folder)
        .unwrap()
        .map(|item| item.unwrap().path());
    items
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .filter(|path| path.extension().is_some_and(|end| end == "rs"))
        .filter(|path| !path.ends_with("tests.rs"))
        .collect()
}

/// What stands between the parenthesis behind `from` and its partner.
fn inside(text: &str, from: usize) -> &str {
    let mut depth = 0;
    for (at, c) in text[from..].char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[from + 1..from + at];
        }
    }
    panic!("{}", &text[from..])
}

/// The name of a kind, and those of the fields that it is given.
fn said(inside: &str) -> (String, BTreeSet<String>) {
    let mut depth = 0;
    let mut parts = vec![String::new()];
    for c in inside.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().unwrap().push(c);
    }
    let parts = parts.iter().map(|part| part.trim());
    let mut parts = parts.filter(|part| !part.is_empty());
    let name = parts.next().unwrap().to_owned();
    let fields = parts.map(|part| part.split_once(" = ").expect(part).0.trim().to_owned());
    (name, fields.collect())
}

/// The names of the constants, by the ids of their kinds.
fn constants() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/event/kinds");
    let mut found = BTreeMap::new();
    for file in files(&folder) {
        let text = fs::read_to_string(&file).unwrap();
        for line in text.lines() {
            let Some((name, rest)) = line.trim().split_once(" = ") else {
                continue;
            };
            let Some(id) = rest.split('"').nth(1) else {
                continue;
            };
            let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
            if name.chars().all(is_name) {
                assert_eq!(found.insert(name.to_owned(), id.to_owned()), None, "{name}");
            }
        }
    }
    found
}

#[test]
fn every_event_is_said_with_the_fields_that_it_declares() {
    let kinds: BTreeMap<&str, _> = kinds::all().map(|kind| (kind.id, kind)).collect();
    let constants = constants();
    assert_eq!(constants.len(), kinds.len());
    let mut used = BTreeSet::new();
    for file in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
        for (at, call) in code
            .match_indices("tell!(")
            .chain(code.match_indices("event!("))
        {
            if code[..at].rsplit('\n').next().unwrap().contains("//")
                || file.ends_with("event/mod.rs")
            {
                continue;
            }
            let (name, given) = said(inside(code, at + call.len() - 1));
            let place = format!("{}: {name}", file.display());
            let id = constants.get(&name).unwrap_or_else(|| panic!("{place}"));
            used.insert(id.clone());
            let declared = kinds[id.as_str()].fields;
            let names = |sign: &str| -> BTreeSet<String> {
                let names = declared
                    .iter()
                    .filter(|name| !sign.contains('?') || !name.contains('?'));
                names
                    .map(|name| name.trim_end_matches(['?', '~']).to_owned())
                    .collect()
            };
            let (known, needed) = (names(""), names("?"));
            assert!(
                given.is_subset(&known),
                "{place} has more than {known:?}: {given:?}"
            );
            assert!(
                needed.is_subset(&given),
                "{place} has less than {needed:?}: {given:?}"
            );
        }
    }
    let unused: Vec<_> = kinds.keys().filter(|id| !used.contains(**id)).collect();
    assert!(unused.is_empty(), "nobody says {unused:?}");
}
