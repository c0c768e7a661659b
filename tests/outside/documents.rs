//! Every configuration that we show is one that the program takes; every page is
//! as long as its reader has patience, says the same in both languages, and leads
//! nowhere where nothing is; the table of keys is the list that the program goes by.

use super::support::certificate::{Authority, Key};
use super::support::files_below;
use super::support::server::BINARY;
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use xiaozhi_ota::config::keys::{KEYS, KeyDefault};

/// Each configuration with where it stands: YAML files, and YAML in documents.
fn configurations() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = vec![root.join("README.md"), root.join("README.zh-CN.md")];
    paths.extend(files_below(&root.join("deploy")));
    let mut found = Vec::new();
    for path in paths {
        let place = path.strip_prefix(root).unwrap().display().to_string();
        let extension = path
            .extension()
            .and_then(|e| e.to_str())
            .unwrap_or_default();
        // What compose and Prometheus read is none of ours.
        let is_foreign = ["compose", "prometheus/"]
            .iter()
            .any(|of| place.contains(of));
        if matches!(extension, "yaml" | "yml") && !is_foreign {
            found.push((place, fs::read_to_string(&path).unwrap()));
        } else if extension == "md" {
            let text = fs::read_to_string(&path).unwrap();
            let blocks = text
                .split("```yaml\n")
                .skip(1)
                .map(|rest| rest.split("```").next().unwrap());
            found.extend(
                blocks
                    .enumerate()
                    .map(|(i, block)| (format!("{place}, block {}", i + 1), block.to_owned())),
            );
        }
    }
    found
}

#[test]
fn every_configuration_that_we_show_is_good() {
    let all = configurations();
    assert!(
        all.iter().any(|(place, _)| place.starts_with("README.md")),
        "the README shows none"
    );
    assert!(
        all.iter()
            .any(|(place, _)| place.starts_with("README.zh-CN.md"))
    );
    assert!(all.iter().any(|(place, _)| place.starts_with("deploy")));
    for (place, text) in all {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.yaml");
        let authority = Authority::new();
        let mut text = text;
        // Certificate files that it names are made, wherever they are said to be.
        let named: Vec<_> = paths_of(&text, "cert:")
            .into_iter()
            .zip(paths_of(&text, "key:"))
            .collect();
        for (i, (cert, key)) in named.iter().enumerate() {
            let name = format!("pair{i}");
            authority.sign(dir.path(), &name, Key::P256, &["ota.example.com"]);
            text = text
                .replace(cert, &format!("{name}.pem"))
                .replace(key, &format!("{name}.key"));
        }
        // So are files of tokens.
        for path in paths_of(&text, "token_file:") {
            fs::write(dir.path().join("token"), "0123456789abcdef".repeat(3)).unwrap();
            text = text.replace(&path, "token");
        }
        fs::write(&file, text).unwrap();
        let output = Command::new(BINARY)
            .args(["validate", "config.yaml"])
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{place}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

fn paths_of(text: &str, key: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.lines().filter(|l| !l.trim_start().starts_with('#')) {
        for rest in line.split(key).skip(1) {
            let path = rest
                .trim_start()
                .split([',', '}', ' '])
                .next()
                .unwrap_or_default();
            let ends = [".pem", ".crt", ".key", ".token"];
            if ends.iter().any(|end| path.ends_with(end)) {
                found.push(path.to_owned());
            }
        }
    }
    found
}

/// Pages that a reader meets first, and how many bytes each may have.
const SIZES: [(&str, usize); 3] = [
    ("README.md", 8192),
    ("README.zh-CN.md", 8192),
    ("ARCHITECTURE.md", 14_336),
];

/// Pages below `deploy` in one language, and why.
const WITHOUT_TWIN: [(&str, &str); 1] = [(
    "deploy/tls-report.md",
    "a scanner's findings, whose own words are English",
)];

const CHINESE: &str = ".zh-CN.md";

/// Paths of all documents, from the root of the project.
fn documents() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<_> = fs::read_dir(root)
        .unwrap()
        .map(|item| item.unwrap().path())
        .collect();
    paths.extend(files_below(&root.join("deploy")));
    let is_document = |path: &PathBuf| path.extension().is_some_and(|e| e == "md");
    let paths = paths.into_iter().filter(is_document);
    paths
        .map(|path| path.strip_prefix(root).unwrap().display().to_string())
        .collect()
}

fn read(document: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Returns the page in the other language: `x.zh-CN.md` of `x.md`, and back.
fn twin(document: &str) -> String {
    match document.strip_suffix(CHINESE) {
        Some(name) => format!("{name}.md"),
        None => format!("{}{CHINESE}", document.strip_suffix(".md").unwrap()),
    }
}

fn events(text: &str) -> Parser<'_> {
    Parser::new_ext(text, Options::ENABLE_TABLES)
}

/// Returns what a browser is sent to by `#…`, as GitHub makes it of headings.
fn anchors(text: &str) -> HashSet<String> {
    let (mut heading, mut found) = (None::<String>, HashSet::new());
    for event in events(text) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(words) | Event::Code(words) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&words);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                let letters = heading.take().unwrap_or_default().to_lowercase();
                let letters = letters.chars().filter_map(|c| match c {
                    ' ' => Some('-'),
                    '-' | '_' => Some(c),
                    c => c.is_alphanumeric().then_some(c),
                });
                let slug: String = letters.collect();
                let again = |n: &usize| match n {
                    0 => slug.clone(),
                    n => format!("{slug}-{n}"),
                };
                let mut numbers = 0..=found.len();
                let free = numbers.find(|n| !found.contains(&again(n))).unwrap();
                found.insert(again(&free));
            }
            _ => {}
        }
    }
    found
}

/// Returns where a document's links lead, but for those that leave the project.
fn links(text: &str) -> Vec<String> {
    let targets = events(text).filter_map(|event| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
            Some(dest_url.into_string())
        }
        _ => None,
    });
    targets.filter(|url| !url.contains("://")).collect()
}

/// Returns what is wrong with a link of a document, in words.
fn broken(document: &str, link: &str) -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = match path {
        "" => root.join(document),
        path => root.join(document).parent().unwrap().join(path),
    };
    if !target.is_file() {
        return Some(format!("{document}: {link}: no such file"));
    }
    let is_there = anchor.is_empty() || {
        let text = fs::read_to_string(&target).unwrap();
        anchors(&text).contains(anchor)
    };
    (!is_there).then(|| format!("{document}: {link}: no such heading"))
}

#[test]
fn first_pages_are_short() {
    for (document, limit) in SIZES {
        let size = read(document).len();
        assert!(
            size <= limit,
            "{document} has {size} bytes of {limit}: move what one kind of reader needs to deploy/, or to its module"
        );
    }
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let documents = documents();
    let mut seen = 0;
    let mut found = Vec::new();
    for document in &documents {
        let links = links(&read(document));
        seen += links.len();
        found.extend(links.iter().filter_map(|link| broken(document, link)));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert!(seen > 100, "only {seen} links in {documents:?}");
}

#[test]
fn a_link_that_leads_nowhere_is_seen() {
    for link in [
        "deploy/none.md",
        "deploy/",
        "deploy/images.md#none",
        "#none",
    ] {
        assert!(broken("README.md", link).is_some(), "{link}");
    }
    for link in ["deploy/images.md#pin", "#read-on", "LICENSE-MIT"] {
        assert_eq!(broken("README.md", link), None);
    }
    let text = "# `a.b`: C, d-e\n## 从 http 迁移到 https\n## Twice\n## Twice\n[x](y#z) `[a](b)` [e](https://f)\n";
    let mut found: Vec<_> = anchors(text).into_iter().collect();
    found.sort();
    assert_eq!(
        found,
        ["ab-c-d-e", "twice", "twice-1", "从-http-迁移到-https"]
    );
    assert_eq!(links(text), ["y#z"]);
}

/// Returns a page's headings, tables, lists and blocks of code in their order,
/// without their words: what both languages have alike.
fn skeleton(text: &str) -> Vec<String> {
    let parts = events(text).filter_map(|event| match event {
        Event::Start(Tag::Heading { level, .. }) => Some(level.to_string()),
        Event::Start(Tag::TableRow) => Some("row".to_owned()),
        Event::Start(Tag::Item) => Some("item".to_owned()),
        Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(kind))) => Some(kind.into_string()),
        _ => None,
    });
    parts.collect()
}

#[test]
fn every_page_says_the_same_in_both_languages() {
    let documents = documents();
    let is_page =
        |document: &&String| document.starts_with("deploy/") || document.starts_with("README");
    for document in documents.iter().filter(is_page) {
        let twin = twin(document);
        if let Some((_, why)) = WITHOUT_TWIN.iter().find(|(name, _)| name == document) {
            assert!(
                !documents.contains(&twin),
                "{document} has a twin, though {why}"
            );
            continue;
        }
        assert!(documents.contains(&twin), "{twin} is missing");
        let (text, other) = (read(document), read(&twin));
        let differs = skeleton(&text)
            .into_iter()
            .zip(skeleton(&other))
            .position(|(a, b)| a != b);
        assert_eq!(differs, None, "{document} and {twin} go different ways");
        assert_eq!(
            skeleton(&text).len(),
            skeleton(&other).len(),
            "{document}, {twin}"
        );

        // Whoever reads one language is led on in it, but for the way to the twin.
        let folder = |of: &str| {
            of.rsplit_once('/')
                .map_or(String::new(), |(f, _)| format!("{f}/"))
        };
        let (mut to_twin, mut astray) = (false, Vec::new());
        for link in links(&text) {
            let path = format!("{}{}", folder(document), link.split('#').next().unwrap());
            if path == twin {
                to_twin = true;
            } else if path.ends_with(CHINESE) != document.ends_with(CHINESE)
                && path.ends_with(".md")
                && documents.contains(&self::twin(&path))
            {
                astray.push(link);
            }
        }
        assert!(to_twin, "{document} does not lead to {twin}");
        assert!(
            astray.is_empty(),
            "{document} leads out of its language: {astray:?}"
        );
    }
    for (name, _) in WITHOUT_TWIN {
        assert!(documents.contains(name), "there is no {name}");
    }
}

/// A page that no page leads to is read by nobody.
#[test]
fn every_page_is_listed() {
    for index in ["deploy/README.md", "deploy/README.zh-CN.md"] {
        let listed = links(&read(index));
        let same_language = |name: &&String| {
            name.ends_with(CHINESE) == index.ends_with(CHINESE) && name.starts_with("deploy/")
        };
        for document in documents().iter().filter(same_language) {
            let name = document.strip_prefix("deploy/").unwrap();
            let is_listed = document == index || listed.iter().any(|link| link == name);
            assert!(is_listed, "{index} does not list {name}");
        }
    }
}

/// The texts in code quotes.
fn spans(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Each key in the tables of a page, with the other cells of its row.
fn rows(page: &str) -> Vec<(&str, &str, &str)> {
    let mut rows = Vec::new();
    let mut is_of_keys = false;
    for line in page.lines() {
        // What stands in code quotes may hold a bar.
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        is_of_keys = line.starts_with('|') && (is_of_keys || ["key", "键"].contains(&cells[0]));
        if let ([key, default, meaning], true) = (&cells[..], is_of_keys) {
            rows.extend(spans(key).into_iter().map(|key| (key, *default, *meaning)));
        }
    }
    rows
}

/// Says what is wrong with the table of a page.
fn misfits(page: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut table = HashMap::new();
    for (key, default, meaning) in rows(page) {
        if !KEYS.iter().any(|known| known.name == key) {
            wrong.push(format!("{key} is no key"));
        }
        if table.insert(key, (default, meaning)).is_some() {
            wrong.push(format!("{key} stands twice"));
        }
    }
    for key in KEYS {
        if let Some((list, item)) = key.name.split_once("[].") {
            let is_told = table
                .get(list)
                .is_some_and(|row| row.1.contains(&format!("{item}: ")));
            if !is_told {
                wrong.push(format!("the row of {list} does not show {item}"));
            }
            continue;
        }
        let Some((default, _)) = table.get(key.name) else {
            wrong.push(format!("{} is missing", key.name));
            continue;
        };
        let is_none = default.starts_with("none") || default.starts_with('无');
        let fits = match key.default {
            KeyDefault::Value(value) => default.trim_matches('`') == value,
            KeyDefault::Unset => is_none,
            KeyDefault::Words(words) => {
                !is_none && spans(words).iter().all(|span| default.contains(span))
            }
        };
        if !fits {
            wrong.push(format!("{}: {default} is not {:?}", key.name, key.default));
        }
    }
    wrong
}

#[test]
fn the_table_of_keys_is_the_list_that_the_program_goes_by() {
    for page in ["deploy/configuration.md", "deploy/configuration.zh-CN.md"] {
        let text = read(page);
        assert_eq!(misfits(&text), [""; 0], "{page}");
        // It is found out.
        for (from, to) in [
            ("`gateway.limits.drain` | 5m", "`gateway.limits.drain` | 6m"),
            ("`gateway.limits.drain`", "`gateway.limits.drains`"),
            (
                "`server.auth_key` | `manager-api.secret`",
                "`server.auth_key` | `x`",
            ),
            ("proxy_protocol: true}`", "proxy: true}`"),
        ] {
            assert!(text.contains(from), "{page}: {from}");
            assert_ne!(misfits(&text.replace(from, to)), [""; 0], "{page}: {to}");
        }
    }
}
