//! Looks for what lies where a configuration is not found: a link that leads to nothing, or a
//! file that was meant to be it.

use super::signs::as_meant;
use std::fs;
use std::path::{Path, PathBuf};

/// Endings that editors, copies and templates put behind a name.
const ENDINGS: [&str; 16] = [
    ".bak",
    ".backup",
    ".copy",
    ".default",
    ".dist",
    ".example",
    ".old",
    ".orig",
    ".sample",
    ".save",
    ".swp",
    ".template",
    ".tmp",
    ".tpl",
    ".txt",
    "~",
];

/// Finds a file that was meant to be `path`: beside it, with a name that is nearly its own,
/// or its very name one folder above.
pub(super) fn misnamed(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let folder = path.parent()?;
    let beside = files(folder).into_iter();
    let beside = beside.filter(|file| name_of(file) != name && is_near(name_of(file), name));
    let beside: Vec<_> = beside.collect();
    let Some(above) = folder.parent() else {
        return beside.into_iter().next();
    };
    // The folder of the configuration may have another name, or none. Other programs keep
    // a config.json or config.toml there, and xiaozhi-server the defaults of its own,
    // config.yaml, which people edit in place of this file.
    let moved = files(above).into_iter().filter(|file| {
        let exact = name_of(file);
        let is_yaml = [".yaml", ".yml"].iter().any(|end| exact.ends_with(end));
        (exact.starts_with('.') || is_yaml) && is_near(exact, name)
    });
    let wanted = name_of(folder);
    let folders = entries(above).into_iter().filter(|path| {
        let exact = name_of(path);
        let distance = strsim::damerau_levenshtein(&exact.to_lowercase(), wanted);
        exact != wanted && distance <= 1 && path.is_dir()
    });
    let elsewhere = folders.flat_map(|folder| files(&folder));
    let elsewhere = elsewhere.filter(|file| is_near(name_of(file), name));
    beside.into_iter().chain(moved).chain(elsewhere).next()
}

/// Returns the own name of a file or folder; nothing for one that is no text.
fn name_of(path: &Path) -> &str {
    path.file_name()
        .and_then(|n| n.to_str())
        .unwrap_or_default()
}

/// Tells whether a name is another way of writing the wanted one.
fn is_near(found: &str, wanted: &str) -> bool {
    let found = plain(found);
    let wanted = plain(wanted);
    let stem = |name: &str| {
        name.rsplit_once('.')
            .map_or(name.to_owned(), |(stem, _)| stem.to_owned())
    };
    let is_yaml = |name: &str| {
        let ending = name.rsplit_once('.').map(|(_, ending)| ending);
        ending.is_none_or(|ending| ["yaml", "yml", "json", "toml"].contains(&ending))
    };
    found == wanted
        || strsim::damerau_levenshtein(&found, &wanted) <= 2 && found.len() > 5
        || found == stem(&wanted)
        || is_yaml(&found) && stem(&found) == stem(&wanted)
}

/// Returns a name without what copies and other systems do to one.
fn plain(name: &str) -> String {
    let meant = as_meant(name).to_lowercase();
    let mut name: String = meant.chars().filter(|c| !c.is_whitespace()).collect();
    loop {
        let shorter = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending));
        let Some(shorter) = shorter else { break };
        name = shorter.to_owned();
    }
    // `config (1).yaml`, `config - 副本.yaml`
    let copy = name
        .find('(')
        .or_else(|| name.find("-副本"))
        .or_else(|| name.find("-copy"));
    if let (Some(at), Some(dot)) = (copy, name.rfind('.'))
        && at < dot
    {
        name.replace_range(at..dot, "");
    }
    name.trim_start_matches(['.', '_']).to_owned()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let entries = fs::read_dir(folder).into_iter().flatten();
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut paths: Vec<_> = paths
        .map(|path| path.strip_prefix("./").map_or(path.clone(), Path::to_owned))
        .collect();
    paths.sort();
    paths
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = entries(folder).into_iter();
    entries.filter(|path| path.is_file()).collect()
}

/// Finds the first link on the way to `path` that leads to nothing, and where it should
/// lead.
pub(super) fn dead_link(path: &Path) -> Option<(PathBuf, PathBuf)> {
    let on_the_way: Vec<_> = path.ancestors().collect();
    let on_the_way = on_the_way.into_iter().rev();
    let link = on_the_way.filter(|p| !p.as_os_str().is_empty()).find(|p| {
        let is_link = fs::symlink_metadata(p).is_ok_and(|m| m.is_symlink());
        is_link && fs::metadata(p).is_err()
    })?;
    Some((link.to_owned(), fs::read_link(link).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_were_meant() {
        for name in [
            "config.yaml",
            ".config.yml",
            ".config.yaml.txt",
            ".Config.yaml",
            "_config.yaml",
            ".config.yaml.bak",
            ".config.yaml~",
            "config (1).yaml",
            ".config - 副本.yaml",
            "。config.yaml",
            ".config",
            ".confg.yaml",
            ".config.ymal",
            ".config.json",
            ".config.yaml ",
            ".config.yaml.example",
        ] {
            assert!(is_near(name, ".config.yaml"), "{name}");
        }
        for name in [
            "firmware.yaml",
            "bin",
            ".wakeup_words.yaml",
            "config.sh",
            "mcp_server_settings.json",
        ] {
            assert!(!is_near(name, ".config.yaml"), "{name}");
        }
    }
}
