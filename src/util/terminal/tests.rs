use super::*;
use proptest::prelude::*;
use std::os::unix::ffi::OsStrExt;

#[test]
fn what_steers_is_seen_and_does_nothing() {
    let hostile = "a\u{1b}[2J\u{202e}b\nc";
    assert_eq!(shown(hostile), "a\\u{1b}[2J\\u{202e}b\nc");
    assert_eq!(shown_json(hostile), "a\\u001b[2J\\u202eb\nc");
    let mut line = format!("x {hostile}小智");
    keep_on_one_line(&mut line, 2);
    assert_eq!(line, "x a\\u{1b}[2J\\u{202e}b\\nc小智");
    for hidden in [
        '\u{ad}',
        '\u{9b}',
        '\u{200b}',
        '\u{200d}',
        '\u{2028}',
        '\u{2060}',
        '\u{feff}',
        '\u{180e}',
        '\u{e0041}',
    ] {
        let text = format!("a{hidden}b");
        assert_eq!(one_line(&text), format!("a\\u{{{:x}}}b", u32::from(hidden)));
        let json: String = serde_json::from_str(&shown_json(&format!("\"{text}\""))).unwrap();
        assert_eq!(json, text);
    }
    // What only looks like it to the first look.
    assert_eq!(
        one_line("设备，小智 “好” á\u{301}"),
        "设备，小智 “好” á\u{301}"
    );
}

#[test]
fn names_that_are_no_text_are_told_apart() {
    let name = |bytes: &[u8]| file_name(OsStr::from_bytes(bytes));
    assert_eq!(name("小智_1.bin".as_bytes()), "小智_1.bin");
    assert_eq!(name(b"a\xff\xfe_1.bin"), "a\\xff\\xfe_1.bin");
    assert_eq!(name(b"a\nb\x1b[31m"), "a\\nb\\u{1b}[31m");
}

#[test]
fn columns_as_terminals_count_them() {
    for (text, wide) in [
        ("abc", 3),
        ("小智", 4),
        ("e\u{301}", 1),
        ("ｂｉｎ", 6),
        ("👍", 2),
        ("❤\u{fe0f}", 2),
        ("한글", 4),
        ("…", 1),
        ("", 0),
    ] {
        assert_eq!(columns(text), wide, "{text}");
    }
}

#[test]
fn a_terminal_without_utf_8_gets_ascii() {
    assert_eq!(ascii("E (…) – “a” 小"), "E (...) - \"a\" \\u{5c0f}");
    assert_eq!(ascii_json("\"小👍\""), "\"\\u5c0f\\ud83d\\udc4d\"");
}

#[test]
fn rows_go_on_below_their_values() {
    let text = "a.bin: ready\n  project     one two three four\n  ELF SHA-256 0123456789abcdef0123\n  x  y\n";
    let fitted = "a.bin: ready\n  project     one two three\n              four\n  ELF SHA-256 0123456789abcd\n              \
                  ef0123\n  x  y\n";
    assert_eq!(fit(text, 28, 4), fitted);
    // No room below the value: it goes on at the left.
    assert_eq!(
        fit("  project     one two three", 20, 4),
        "  project     one\n      two three"
    );
    assert_eq!(fit("one two three", 9, 0), "one two\nthree");
    assert_eq!(fit("设备只接受，状态码", 10, 0), "设备只接\n受，状态码");
}

proptest! {
    #[test]
    fn a_line_is_one_line(text in any::<String>(), start in 0usize..4) {
        let mut line = format!("abcd{text}");
        keep_on_one_line(&mut line, start);
        prop_assert!(!line.chars().any(is_unshown));
        prop_assert!(line.starts_with("abcd"));
    }

    #[test]
    fn every_line_fits_and_nothing_is_lost(
        text in "( {0,12}|OK +|  label {2,9})([a-zA-Z0-9:/，。小智设备e\u{301} ]{0,90}\n?){0,4}", wide in 20usize..120, further in 0usize..5,
    ) {
        let fitted = fit(&text, wide, further);
        for line in fitted.lines() {
            prop_assert!(columns(line.trim_end()) <= wide, "{line:?} in {fitted:?}");
        }
        let bare = |text: &str| text.replace([' ', '\n'], "");
        prop_assert_eq!(bare(&fitted), bare(&text));
        prop_assert_eq!(fit(&fitted, 1000, further), fitted);
    }

    #[test]
    fn nothing_but_ascii(text in any::<String>()) {
        prop_assert!(ascii(&text).is_ascii());
        prop_assert!(ascii_json(&text).is_ascii());
    }
}

#[test]
fn the_look_at_bytes_finds_every_character_that_is_not_shown() {
    for c in '\0'..=char::MAX {
        if is_unshown(c) {
            let text = format!("小{c}");
            assert!(may_hold_unshown(text.as_bytes()), "{c:?}");
        }
    }
    // What the firmware guide says, and what most names hold, needs no second look.
    for text in [
        "查找型号 esp32s3 的固件，找到 1 个候选",
        "为设备 x 下发固件 1 [如果地址前缀有误，请检查]-> http://h/ peer=192.0.2.7:1024",
        "小智的设备（客厅）：é ü",
    ] {
        assert!(!may_hold_unshown(text.as_bytes()), "{text}");
    }
}
