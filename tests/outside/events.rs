//! Every event that the program says has the fields that its kind declares: what the
//! documents show is what programs get.

use super::support::files_below;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};
use xiaozhi_ota::event::text::Lang;
use xiaozhi_ota::event::{Kind, Severity, kinds};

fn files(folder: &Path) -> Vec<PathBuf> {
    let files = files_below(folder).into_iter();
    files
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
    // A condition may stand behind it.
    let name = parts.next().unwrap().split(' ').next().unwrap().to_owned();
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

/// What stands above the table of events.
fn head(lang: Lang) -> &'static str {
    lang.pick(
        "# 所有事件\n\n[English](events.md)\n\n供编写监控规则和脚本的人查阅。每行日志末尾的 `event=` 是其中一个名称：名称一经发布不再改变，文字则可能改变。\
         用 `gateway.log.format: json` 时每行是一个对象，字段名与此表相同。字段名后的 `?` 表示可能没有该字段。没有级别的是其他事件中的原因。常见日志行的含义和处理办法见\
         [日志](log.zh-CN.md)。\n\n“未下发”的各行（`withheld.…`）前面还有 `device`、`version` 和 `file`（没有对应文件时为 `pin`；`withheld.more` 没有这一项）。配置错误（`config.…`，ERROR）在重新加载时是 `config.refused` 的 `what`；启动时以文字写到标准错误。\n\n| 事件 | 级别 | 字段 | 文字 |\n| --- | --- | --- | --- |\n",
        "# Every event\n\n[简体中文](events.zh-CN.md)\n\nFor whoever writes rules and scripts for the log. Each line ends with `event=` and \
         one of these names: a name never changes once it was released, words may. With `gateway.log.format: json` each line is an \
         object, whose fields have the names of this table. A `?` behind a field says that it may be absent. What has no level is a reason inside another \
         event. What the usual lines \
         mean, and what to do: [Reading the log](log.md).\n\nLines of what is not offered (`withheld.…`) have `device`, `version` \
         and `file` (`pin`, where no file is; `withheld.more` has neither) in front of these. Errors of the configuration (`config.…`, ERROR) are the `what` of \
         `config.refused` at a reload; at the start their words go to standard error.\n\n| event | level | fields | words |\n| --- | --- | --- | --- |\n",
    )
}

/// Words with all that stands in them if every field is there.
fn whole(template: &str) -> String {
    let mut words = String::new();
    for piece in template.split_inclusive(['{', '}']) {
        match piece
            .strip_suffix('}')
            .map(|field| field.split('|').collect::<Vec<_>>())
        {
            Some(parts) if parts.len() == 3 => {
                words.pop();
                write!(
                    words,
                    "{}{{{}}}{}",
                    parts[0],
                    parts[1].trim_matches('\''),
                    parts[2]
                )
                .unwrap();
            }
            Some(parts) => {
                assert_eq!(parts.len(), 1, "{template}");
                words += &piece.replace('\'', "");
            }
            // A command has pipes, and so has a table.
            None => words += &piece.replace('|', "\\|"),
        }
    }
    words
}

/// A row of the table.
fn row(kind: &Kind, lang: Lang) -> String {
    let level = match kind.severity {
        _ if kind.room.is_empty() => "",
        Severity::Info => "INFO",
        Severity::Warning => "WARNING",
        Severity::Error => "ERROR",
    };
    let fields = kind.fields.iter().map(|name| {
        let shown = name.trim_end_matches(['?', '~']);
        let may_be_absent = if name.contains('?') { "?" } else { "" };
        format!("`{shown}`{may_be_absent}")
    });
    let fields = fields.collect::<Vec<_>>().join(" ");
    let mut words = String::new();
    words.extend(kind.lead.map(|lead| lead.to(lang)));
    words += kind.words.to(lang);
    if let Some(remedy) = kind.remedy {
        words += lang.pick("处理办法：", " Remedy: ");
        words += remedy.to(lang);
    }
    let words = whole(&words).replace('<', "&lt;").replace("  ", " ");
    format!("| `{}` | {level} | {fields} | {words} |", kind.id)
}

/// The table in the documents is made from the code: `UPDATE_EVENTS=1` writes it anew.
#[test]
fn the_pages_show_every_event() {
    for (lang, name) in [(Lang::En, "events.md"), (Lang::Zh, "events.zh-CN.md")] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("deploy")
            .join(name);
        let mut page = head(lang).to_owned();
        for kind in kinds::all() {
            writeln!(page, "{}", row(kind, lang)).unwrap();
        }
        if env::var_os("UPDATE_EVENTS").is_some() {
            fs::write(&path, &page).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            found == page,
            "deploy/{name} is not what the code has: UPDATE_EVENTS=1 writes it anew"
        );
    }
}
