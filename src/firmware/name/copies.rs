//! Marks by which systems and people call a file a copy.

/// Words by which people and systems call a copy, in lower case.
const COPIES: [&str; 31] = [
    "副本",
    "复件",
    "拷贝",
    "复制",
    "备份",
    "複本",
    "複製",
    "備份",
    "拷貝",
    "copy",
    "copie",
    "kopie",
    "copia",
    "cópia",
    "コピー",
    "backup",
    "bak",
    "kopya",
    "kopia",
    "kopi",
    "kópia",
    "kopio",
    "másolat",
    "salinan",
    "bản sao",
    "копия",
    "копія",
    "αντίγραφο",
    "사본",
    "복사본",
    "สำเนา",
];

/// Words that stand in front of a copy's name, in lower case.
const FRONTS: [&str; 20] = [
    "copy of ",
    "copy_of_",
    "copy-of-",
    "kopie von ",
    "kopie - ",
    "copie de ",
    "copie - ",
    "copia de ",
    "copia di ",
    "cópia de ",
    "kopia av ",
    "kopi av ",
    "копия ",
    "コピー ～ ",
    "コピー - ",
    "复件 ",
    "副本 ",
    "复件_",
    "副本_",
    "副本-",
];

/// Returns a name without the marks by which systems call it a copy.
pub(in crate::firmware) fn without_copy_marks(stem: &str) -> &str {
    let mut rest = stem.trim_matches([' ', '-', '_', '.']);
    for mark in [".sync-conflict-", "_conflict-"] {
        rest = rest.split(mark).next().unwrap_or(rest);
    }
    loop {
        let shorter = without_bracket(rest)
            .or_else(|| without_copy_word(rest))
            .or_else(|| without_number(rest));
        let Some(shorter) = shorter.map(|s| s.trim_end_matches([' ', '-', '_', '.', '的'])) else {
            return without_copy_in_front(rest);
        };
        rest = shorter;
    }
}

/// Takes `(1)`, `(copy)` or `(第 2 个复件)` off the end.
fn without_bracket(text: &str) -> Option<&str> {
    let open = match text.chars().next_back()? {
        ')' => '(',
        ']' => '[',
        '】' => '【',
        _ => return None,
    };
    let at = text.rfind(open).filter(|at| *at > 0)?;
    let inside = text[at + open.len_utf8()..].to_lowercase();
    let is_number = inside.chars().all(|c| !c.is_alphabetic()) && !inside.contains('.');
    (is_number || COPIES.iter().any(|copy| inside.contains(copy))).then(|| &text[..at])
}

/// Takes a word for a copy off the end.
fn without_copy_word(text: &str) -> Option<&str> {
    let ends = |copy: &&&str| {
        let at = text.len().checked_sub(copy.len());
        let end = at.and_then(|at| text.get(at..));
        end.is_some_and(|end| end.to_lowercase() == **copy)
    };
    let copy = COPIES.iter().filter(ends).max_by_key(|copy| copy.len())?;
    let before = &text[..text.len() - copy.len()];
    // A letter in front of a word of letters makes it another word.
    let is_word =
        copy.starts_with(|c: char| c > '\u{2e80}') || !before.ends_with(char::is_alphanumeric);
    (is_word && !before.is_empty()).then_some(before)
}

/// Takes the number of a copy off the end, as a Mac writes it: `xmini-c3_2.0.6 2`.
fn without_number(text: &str) -> Option<&str> {
    let before = text.trim_end_matches(|c: char| c.is_ascii_digit());
    let stem = before
        .strip_suffix(' ')
        .filter(|_| before.len() < text.len())?;
    let mut marks = stem.rsplit('.');
    let last = marks.next()?.chars().next_back()?;
    let ends = last.is_ascii_digit() && marks.next().is_some();
    (ends || without_copy_word(stem).is_some()).then_some(stem)
}

/// Takes `Copy of ` and its like off the beginning.
pub(super) fn without_copy_in_front(text: &str) -> &str {
    for front in FRONTS {
        let begins = text
            .get(..front.len())
            .is_some_and(|begin| begin.to_lowercase() == front);
        if begins && text.len() > front.len() {
            return &text[front.len()..];
        }
    }
    text
}
