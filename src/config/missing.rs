//! Looks for what lies where a configuration is not found: a link that leads to nothing, or a
//! file that was meant to be it.

use super::signs::as_meant;
use std::fs;
use std::path::{Path, PathBuf};

/// Endings that editors, copies, templates, downloads and tools that shut files put behind a
/// name.
const ENDINGS: [&str; 33] = [
    ".age",
    ".bak",
    ".backup",
    ".copy",
    ".crdownload",
    ".default",
    ".dist",
    ".dpkg-dist",
    ".dpkg-new",
    ".dpkg-old",
    ".enc",
    ".erb",
    ".example",
    ".filepart",
    ".gpg",
    ".gz",
    ".in",
    ".j2",
    ".new",
    ".old",
    ".orig",
    ".part",
    ".rpmnew",
    ".rpmsave",
    ".sample",
    ".save",
    ".swp",
    ".template",
    ".tmp",
    ".tpl",
    ".txt",
    ".zip",
    "~",
];
/// Words that copies have in or behind their own name: `config copy`, `config (1)`.
const COPIES: [&str; 9] = [
    "(", "copy", "副本", "复制", "拷贝", "备份", "backup", "_bak", "_old",
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
    // `.config.prod.yaml`; xiaozhi-server has a template of its own, config_from_api.yaml.
    let is_variant = |name: &str| {
        let rest = name.strip_prefix(&*stem(&wanted));
        let is_yaml = name.ends_with(".yaml") || name.ends_with(".yml");
        rest.is_some_and(|rest| rest.starts_with(['.', '-'])) && is_yaml
    };
    let is_yaml = |name: &str| {
        let ending = name.rsplit_once('.').map(|(_, ending)| ending);
        ending.is_none_or(|ending| ["yaml", "yml", "json", "toml"].contains(&ending))
    };
    found == wanted
        || strsim::damerau_levenshtein(&found, &wanted) <= 2 && found.len() > 5
        || found == stem(&wanted)
        || is_variant(&found)
        || ["配置.yaml", "配置.yml"].contains(&&*found)
        || is_yaml(&found) && stem(&found) == stem(&wanted)
}

/// Returns a name without what copies and other systems do to one.
fn plain(name: &str) -> String {
    let meant = as_meant(name).to_lowercase();
    let mut name: String = meant.chars().filter(|c| !c.is_whitespace()).collect();
    loop {
        let ending = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending));
        // `.save.1`, `.~1~`, `.2026-01-31`
        let is_count = |end: &str| {
            let is_sign = |c: char| c.is_ascii_digit() || "-_~".contains(c);
            !end.is_empty() && end.chars().all(is_sign)
        };
        let count = || name.rsplit_once('.').filter(|(_, end)| is_count(end));
        let shorter = ending.or_else(|| Some(count()?.0));
        let Some(shorter) = shorter else { break };
        name = shorter.to_owned();
    }
    let name = name.strip_prefix("copyof").unwrap_or(&name);
    let (stem, ending) = name.split_at(name.rfind('.').unwrap_or(name.len()));
    let whole = |part: &str| {
        let cut = COPIES.iter().filter_map(|copy| part.find(copy)).min();
        let part = &part[..cut.unwrap_or(part.len())];
        part.trim_end_matches(['-', '_']).to_owned()
    };
    let name = whole(stem) + &whole(ending);
    name.trim_start_matches(['.', '_', '#']).to_owned()
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
            ".config copy.yaml",
            ".config copy 2.yaml",
            "Copy of .config.yaml",
            ".config.yaml - Copy",
            ".config_副本.yaml",
            ".config.yaml.副本",
            ".config备份.yaml",
            ".config.yaml.save",
            ".config.yaml.save.1",
            ".config.yaml.~1~",
            ".config.yaml.2026-01-31",
            "..config.yaml.swp",
            ".config.yaml.gpg",
            ".config.yaml.j2",
            ".config_bak.yaml",
            ".config.yaml.crdownload",
            ".config.prod.yaml",
            ".config-prod.yaml",
            ".config.yaml.rpmsave",
            "配置.yaml",
        ] {
            assert!(is_near(name, ".config.yaml"), "{name}");
        }
        for name in [
            "firmware.yaml",
            "bin",
            ".wakeup_words.yaml",
            "config.sh",
            "mcp_server_settings.json",
            "copy.yaml",
            "config_from_api.yaml",
            "1.yaml",
            "(1)",
            "backup",
        ] {
            assert!(!is_near(name, ".config.yaml"), "{name}");
        }
    }
}
