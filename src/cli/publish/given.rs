//! The files that the command line names.

use super::super::inspect::place;
use crate::firmware::name::is_passed_over;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// A file to be published, or something in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) path: PathBuf,
    /// Reason why it is none.
    pub(super) fault: Option<String>,
}

/// Lists what the names on the command line stand for, each once: a file, `-`, or the files
/// of a folder, in order, but for hidden ones, pages and sums, and what lies in folders below.
pub(super) fn expand(named: &[PathBuf]) -> Vec<Given> {
    let mut seen = HashSet::new();
    let given = named.iter().flat_map(|path| {
        if path.is_dir() {
            files_of(path)
        } else {
            vec![Given {
                path: path.clone(),
                fault: None,
            }]
        }
    });
    given.filter(|one| seen.insert(place(&one.path))).collect()
}

fn files_of(dir: &Path) -> Vec<Given> {
    let fault = |why: String| {
        vec![Given {
            path: dir.to_owned(),
            fault: Some(why),
        }]
    };
    let items = match dir.read_dir() {
        Ok(items) => items,
        Err(e) => return fault(e.to_string()),
    };
    let mut files = Vec::new();
    for item in items {
        match item {
            Ok(item) => {
                let name = item.file_name();
                // A pipe in it would be waited for.
                if !is_passed_over(&name.to_string_lossy()) && item.path().is_file() {
                    files.push(Given {
                        path: item.path(),
                        fault: None,
                    });
                }
            }
            Err(e) => return fault(e.to_string()),
        }
    }
    if files.is_empty() {
        return fault("it is a folder without files to be published".to_owned());
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_folder_stands_for_its_files() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("below")).unwrap();
        fs::create_dir_all(at("empty/below")).unwrap();
        for name in [
            "b.zip",
            "a.bin",
            ".hidden.zip",
            "README.md",
            "SHA256SUMS",
            "below/c.zip",
        ] {
            fs::write(at(name), "").unwrap();
        }
        let paths = |named: &[&str]| {
            let named: Vec<_> = named.iter().map(|name| at(name)).collect();
            let given = expand(&named).into_iter();
            given
                .map(|one| (one.path, one.fault.is_some()))
                .collect::<Vec<_>>()
        };
        let both = [
            (at(".").join("a.bin"), false),
            (at(".").join("b.zip"), false),
        ];
        assert_eq!(paths(&["."]), both);
        assert_eq!(paths(&[".", "b.zip", "./a.bin"]), both);
        assert_eq!(paths(&["empty"]), [(at("empty"), true)]);
        assert_eq!(paths(&["none", "none"]), [(at("none"), false)]);
    }
}
