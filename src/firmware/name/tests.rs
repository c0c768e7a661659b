use super::*;
use proptest::prelude::*;

fn parts(name: &str) -> Option<(String, String)> {
    parse(name)
        .ok()
        .map(|n| (n.model, n.version.as_str().to_owned()))
}

#[test]
fn the_guides_examples() {
    for (name, model, version) in [
        (
            "bread-compact-wifi_1.6.6.bin",
            "bread-compact-wifi",
            "1.6.6",
        ),
        ("lichuang-dev_2.0.0.bin", "lichuang-dev", "2.0.0"),
        ("esp32s3_1.7.0-beta.bin", "esp32s3", "1.7.0-beta"),
        ("my_board_v_3.0.1.bin", "my_board_v", "3.0.1"),
        ("default_1.0.0.bin", "default", "1.0.0"),
        ("esp32s3_1.9.2_2.bin", "esp32s3", "1.9.2_2"),
        ("小智 板_1.0.bin", "小智 板", "1.0"),
        ("_x_1.0.bin", "_x", "1.0"),
        // `_1 x` can be no version, so the grammar looks further.
        ("my_1 board_2.0.bin", "my_1 board", "2.0"),
        // As a Mac writes it: letter and accent apart.
        ("re\u{301}seau_1.0.bin", "r\u{e9}seau", "1.0"),
    ] {
        assert_eq!(parts(name), Some((model.into(), version.into())), "{name}");
    }
}

#[test]
fn what_is_refused_and_why() {
    assert_eq!(parse("README.txt"), Err(NameError::NotBin));
    assert_eq!(parse("esp32s3_1.0.BIN"), Err(NameError::NotBin));
    assert_eq!(parse("nounderscore.bin"), Err(NameError::NoVersion));
    assert_eq!(parse("esp32s3_beta.bin"), Err(NameError::NoVersion));
    assert_eq!(parse("_1.0.bin"), Err(NameError::NoVersion));
    assert_eq!(parse("a_1.0+x.bin"), Err(NameError::NoVersion));
    assert_eq!(parse("a\n_1.0.bin"), Err(NameError::ControlCharacter));
    assert_eq!(parse(".bin"), Err(NameError::NoVersion));
}

/// Returns the version inside the image that should have a name.
fn inside(name: &str) -> String {
    parse(name).map_or_else(|_| "2.0.6".to_owned(), |name| name.version.to_string())
}

/// Returns what is said of an image's name by the version inside the image.
fn of_image(file: &str, inside: &str) -> Misnamed {
    let found = Misnamed::find(file).unwrap_or_else(|| panic!("{file} can be used"));
    found.of_image(inside, |_| false)
}

/// What people have in their folders, the sign in it that does not fit, and a name that
/// would do.
const MISNAMED: &[(&str, &str, &str)] = &[
    ("xmini-c3_2.0.6 (1).bin", "' '", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_2.0.6(1).bin", "'('", "xmini-c3_2.0.6.bin"),
    (
        "xmini-c3_2.0.6（1）.bin",
        "'（' (U+FF08)",
        "xmini-c3_2.0.6.bin",
    ),
    ("xmini-c3_2.0.6 [2].bin", "' '", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_2.0.6 - 副本.bin", "' '", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_2.0.6 - 副本 (2).bin", "' '", "xmini-c3_2.0.6.bin"),
    (
        "xmini-c3_2.0.6_副本.bin",
        "'副' (U+526F)",
        "xmini-c3_2.0.6.bin",
    ),
    (
        "xmini-c3_2.0.6的副本.bin",
        "'的' (U+7684)",
        "xmini-c3_2.0.6.bin",
    ),
    ("xmini-c3_2.0.6 拷贝.bin", "' '", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_2.0.6 (复件).bin", "' '", "xmini-c3_2.0.6.bin"),
    (
        "xmini-c3_2.0.6 (第 2 个复件).bin",
        "' '",
        "xmini-c3_2.0.6.bin",
    ),
    ("xmini-c3_2.0.6 - Copy.bin", "' '", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_2.0.6 copy.bin", "' '", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_2.0.6 copy 2.bin", "' '", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_2.0.6 (copy).bin", "' '", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_2.0.6 2.bin", "' '", "xmini-c3_2.0.6.bin"),
    (
        "xmini-c3_2.0.6 (Ann's conflicted copy 2025-01-01).bin",
        "' '",
        "xmini-c3_2.0.6.bin",
    ),
    ("xmini-c3_２.0.6.bin", "'２' (U+FF12)", "xmini-c3_2.0.6.bin"),
    (
        "xmini-c3_2．0．6.bin",
        "'．' (U+FF0E)",
        "xmini-c3_2.0.6.bin",
    ),
    (
        "xmini-c3_2。0。6.bin",
        "'。' (U+3002)",
        "xmini-c3_2.0.6.bin",
    ),
    ("xmini-c3＿2.0.6.bin", "'＿' (U+FF3F)", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_2,0,6.bin", "','", "xmini-c3_2.0.6.bin"),
    (
        "xmini-c3_2.0.6+build5.bin",
        "'+'",
        "xmini-c3_2.0.6-build5.bin",
    ),
    ("xmini-c3_2.0.6~rc1.bin", "'~'", "xmini-c3_2.0.6-rc1.bin"),
    ("xmini-c3_2.0.6 beta.bin", "' '", "xmini-c3_2.0.6-beta.bin"),
    (
        "xmini-c3_2.0.6正式版.bin",
        "'正' (U+6B63)",
        "xmini-c3_2.0.6.bin",
    ),
    (
        "xmini-c3_2025年12月11日.bin",
        "'年' (U+5E74)",
        "xmini-c3_2025-12-11.bin",
    ),
    ("xmini-c3_v2.0.6.bin", "'v'", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_V2.bin", "'V'", "xmini-c3_2.bin"),
    ("xmini-c3_v.2.0.6.bin", "'v'", "xmini-c3_2.0.6.bin"),
    ("xmini-c3-v2.0.6.bin", "'-'", "xmini-c3_2.0.6.bin"),
    ("xmini-c3-2.0.6.bin", "'-'", "xmini-c3_2.0.6.bin"),
    ("xmini-c3 2.0.6.bin", "' '", "xmini-c3_2.0.6.bin"),
    ("xmini-c3.2.0.6.bin", "'.'", "xmini-c3_2.0.6.bin"),
    ("xmini-c3@2.0.6.bin", "'@'", "xmini-c3_2.0.6.bin"),
    ("xmini-c3(2.0.6).bin", "'('", "xmini-c3_2.0.6.bin"),
    ("xmini-c3v2.0.6.bin", "", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_ 2.0.6.bin", "' '", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_2.0.6 .bin", "' '", "xmini-c3_2.0.6.bin"),
    ("1.7.0_xmini-c3.bin", "", "xmini-c3_1.7.0.bin"),
    (
        "v2.1.0_bread-compact-wifi.bin",
        "",
        "bread-compact-wifi_2.1.0.bin",
    ),
    ("xmini-c3_2.0.6.BIN", "", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_2.0.6.bin.bin", "", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_2.0.6.bin.txt", "'.'", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_2.0.6.bin.1", "'.'", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_2.0.6.bin.bak", "'.'", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_2.0.6.bin - 副本", "' '", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_2.0.6.bin.", "'.'", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_2.0.6.bin ", "' '", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_2.0.6。bin", "", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_2.0.6", "", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_2.0.6.img", "", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_2.0.6...bin", "", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_2..0.6.bin", "", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_2.0.x.bin", "", "xmini-c3_2.0-x.bin"),
    (
        "xmini-c3_20251211153000.bin",
        "",
        "xmini-c3_20251211.153000.bin",
    ),
    (
        "xmini-c3_202512111530.bin",
        "",
        "xmini-c3_20251211.1530.bin",
    ),
    (
        "xmini-c3_2.0.6.sync-conflict-20250101-120000-ABCDEF.bin",
        "",
        "xmini-c3_2.0.6.bin",
    ),
    ("xmini-c3\n_2.0.6.bin", "U+000A", "xmini-c3_2.0.6.bin"),
    (
        "xmini-c3\u{200b}_v2.0.6.bin",
        "U+200B",
        "xmini-c3_2.0.6.bin",
    ),
    ("xmini-c3_2.0.6\u{202e}.bin", "U+202E", "xmini-c3_2.0.6.bin"),
    (
        "\u{feff}xmini-c3_v2.0.6.bin",
        "U+FEFF",
        "xmini-c3_2.0.6.bin",
    ),
    ("xmini-c3_2.0.6\u{a0}.bin", "U+00A0", "xmini-c3_2.0.6.bin"),
    ("复件 xmini-c3_v2.0.6.bin", "'v'", "xmini-c3_2.0.6.bin"),
    (
        "v2.1.0_bread-compact-wifi.zip",
        "",
        "bread-compact-wifi_2.1.0.bin",
    ),
    ("xmini-c3_2.0.6.tar.gz", "", "xmini-c3_2.0.6.bin"),
    ("小智 板_v1.0.bin", "'v'", "小智 板_1.0.bin"),
    (
        "zhengchen-1.54tft-wifi_v2.0.6.bin",
        "'v'",
        "zhengchen-1.54tft-wifi_2.0.6.bin",
    ),
    // Marks of copies in languages that nobody here knows: the image says its version.
    ("xmini-c3_2.0.6%20(1).bin", "'%'", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_2.0.6%2B1.bin", "'%'", "xmini-c3_2.0.6.bin"),
    ("xmini-c3%5F2.0.6.bin", "'%'", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_2.0.6 - Kopya.bin", "' '", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_2.0.6 - Másolat.bin", "' '", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_2.0.6 - Salinan.bin", "' '", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_2.0.6 - Bản sao.bin", "' '", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_2.0.6 – kopia.bin", "' '", "xmini-c3_2.0.6.bin"),
    (
        "xmini-c3_2.0.6 - Kaksoiskappale.bin",
        "' '",
        "xmini-c3_2.0.6.bin",
    ),
    (
        "xmini-c3_2.0.6 (SFConflict bob 2026-01-02).bin",
        "' '",
        "xmini-c3_2.0.6.bin",
    ),
    ("\"xmini-c3_2.0.6\".bin", "'\"'", "xmini-c3_2.0.6.bin"),
    (
        "“xmini-c3_2.0.6”的副本.bin",
        "'”' (U+201D)",
        "xmini-c3_2.0.6.bin",
    ),
    ("xmini-c3_release-2.0.6.bin", "'r'", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_r2.0.6.bin", "'r'", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_fw2.0.6.bin", "'f'", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_fw_v2.0.6.bin", "'v'", "xmini-c3_fw_2.0.6.bin"),
    ("lichuang-dev2.0.6.bin", "", "lichuang-dev_2.0.6.bin"),
    ("xmini-c3：2.0.6.bin", "'：' (U+FF1A)", "xmini-c3_2.0.6.bin"),
    ("xmini-c3:2.0.6.bin", "':'", "xmini-c3_2.0.6.bin"),
    ("xmini-c3|2.0.6.bin", "'|'", "xmini-c3_2.0.6.bin"),
    ("xmini-c3\\2.0.6.bin", "'\\'", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_٢.٠.٦.bin", "'٢' (U+0662)", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_२.०.६.bin", "'२' (U+0968)", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_²·⁰.bin", "'²' (U+00B2)", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_2.0.6.bin.gpg", "'.'", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_2.0.6.7z.001", "", "xmini-c3_2.0.6.bin"),
    // What the name says more, or else, is not what devices report.
    ("xmini-c3_v2.1.bin", "'v'", "xmini-c3_2.0.6.bin"),
    ("xmini-c3_12.0.6+1.bin", "'+'", "xmini-c3_2.0.6.bin"),
];

#[test]
fn the_version_inside_is_proposed_or_none() {
    for (inside, version) in [
        ("2.0.6", Some("2.0.6")),
        ("v2.0.6", Some("2.0.6")),
        ("2.0.6+5", Some("2.0.6")),
        ("2.0.6 ", Some("2.0.6")),
        ("2.0.6-rc.1", Some("2.0.6-rc.1")),
        ("3.0.x", None),
        ("99999999999", None),
        ("abc", None),
        ("", None),
    ] {
        let found = of_image("xmini-c3_v1.bin", inside).name;
        let name = version.map(|version| format!("xmini-c3_{version}.bin"));
        assert_eq!(found, name, "{inside:?}");
    }
    // Of what is no image nobody knows that another name would do.
    for (file, ..) in MISNAMED {
        assert_eq!(Misnamed::find(file).and_then(|found| found.name), None);
    }
}

#[test]
fn each_has_its_sign_and_a_name_that_would_do() {
    let mut other = Vec::new();
    for (file, sign, name) in MISNAMED {
        let found = of_image(file, &inside(name));
        let said = (
            found.sign.unwrap_or_default(),
            found.name.unwrap_or_default(),
        );
        if said != ((*sign).to_owned(), (*name).to_owned()) {
            other.push(format!("{file}: {said:?}"));
        }
        assert_eq!(Misnamed::find(name), None, "{name}");
    }
    assert_eq!(other, [""; 0]);
}

#[test]
fn what_tells_no_model_or_no_version_gets_no_name() {
    for file in [
        "nounderscore.bin",
        "esp32s3_beta.bin",
        "2.0.6.bin",
        "v2.0.6.bin",
        "notes.txt",
        // The size of a screen.
        "zhengchen-1.54tft-wifi.bin",
        "waveshare-s3-touch-lcd-1.46.bin",
        "merged-binary.bin",
        "_1.0.bin",
        ".bin",
        // No date, so nobody knows where it would be parted.
        "m36_99999999999.bin",
        "m36_99999999999999.bin",
        "m36_2147483648.bin",
        "m36_202513111530.bin",
        "m36_202512112530.bin",
        "m36_1.99999999999.bin",
    ] {
        assert_eq!(of_image(file, "abc").name, None, "{file}");
        let found = Misnamed::find(file).unwrap();
        assert_eq!(found.suggested(), None, "{file}");
    }
}

#[test]
fn archives_and_full_images_are_called_what_they_are() {
    let error = |file: &str| Misnamed::find(file).map(|found| found.error);
    for file in ["v2.1.0_x.zip", "x_1.0.bin.gz", "X.RAR", "x.7z", "x.tar.xz"] {
        assert_eq!(error(file), Some(NameError::Archive), "{file}");
    }
    for file in [
        "merged-binary.bin",
        "merged_binary.bin",
        "Merged-Binary (1).bin",
        "xmini-c3-merged.bin",
        "full-flash.bin",
    ] {
        assert_eq!(error(file), Some(NameError::FullFlash), "{file}");
    }
    // What its name promises, its content has to show.
    assert_eq!(error("merged-board_1.0.bin"), None);
}

#[test]
fn a_name_that_is_taken_is_not_suggested() {
    let beside = |taken: &[&str]| {
        let found = Misnamed::find("a_1.0 (1).bin").unwrap();
        let found = found.of_image("1.0", |name| taken.contains(&name));
        (found.name, found.taken)
    };
    let some = |name: &str| Some(name.to_owned());
    assert_eq!(beside(&[]), (some("a_1.0.bin"), None));
    assert_eq!(
        beside(&["a_1.0.bin", "a_1.0_2.bin"]),
        (some("a_1.0_3.bin"), some("a_1.0.bin"))
    );
}

#[test]
fn bytes_that_are_no_text_are_named() {
    // As Windows writes it in Chinese.
    let not_utf8 = |name: &[u8]| Misnamed::not_utf8(name).of_image("2.0.6", |_| false);
    let found = not_utf8(b"\xb0\xe5-c3_1.0.bin");
    assert_eq!(found.sign.as_deref(), Some("0xB0"));
    assert_eq!(found.name, None);
    let found = not_utf8(b"xmini-c3_v2.0.6 - \xb8\xb1\xb1\xbe.bin");
    assert_eq!(found.sign.as_deref(), Some("0xB8"));
    assert_eq!(found.name.as_deref(), Some("xmini-c3_2.0.6.bin"));
}

#[test]
fn a_model_is_tidied_of_what_nobody_types() {
    for (model, tidy) in [
        ("xmini-c3_", "xmini-c3"),
        (" xmini-c3 ", "xmini-c3"),
        ("_x", "x"),
        ("xmini\u{200b}-c3", "xmini-c3"),
        ("ｘmini-c３", "xmini-c3"),
        ("Copy of xmini-c3", "xmini-c3"),
        ("小智 板（旧）", "小智 板（旧）"),
        ("xmini-c3", "xmini-c3"),
    ] {
        assert_eq!(suggest::tidied_model(model), tidy, "{model}");
    }
}

proptest! {
    #[test]
    fn model_and_version_come_back(model in "[a-zA-Z][a-zA-Z-]{0,12}(_[a-z]{1,5}){0,2}",
                                   version in "[0-9][A-Za-z0-9._-]{0,12}") {
        prop_assert_eq!(parts(&format!("{model}_{version}.bin")), Some((model, version)));
    }

    #[test]
    fn any_text_is_judged_without_a_panic(name in any::<String>()) {
        if let Ok(n) = parse(&name) {
            prop_assert_eq!(format!("{}_{}.bin", n.model, n.version), model_key(&name));
            prop_assert!(is_version(n.version.as_str()));
        }
        Misnamed::not_utf8(name.as_bytes());
    }

    #[test]
    fn an_images_name_has_the_version_inside(name in "\\PC{0,12}[_ .:-][vr]?(2\\.0\\.6)?\\PC{0,8}(\\.bin)?") {
        if let Some(found) = Misnamed::find(&name) {
            let found = found.of_image("2.0.6", |_| false);
            if let Some(name) = found.name {
                prop_assert!(parts(&name).is_some_and(|(_, version)| version == "2.0.6"));
                prop_assert_eq!(Misnamed::find(&name), None, "{}", name);
            }
        }
    }

    #[test]
    fn whatever_is_suggested_would_do(
        name in "[a-c ._(（-]{0,5}[_ .-]{0,2}[vV]{0,2}[0-9０-９.xX_+ -]{0,9}( ?\\([0-9]\\)| - 副本|\u{200b}| copy)?\\.?(bin|BIN|bin.txt|zip|)"
    ) {
        if let Some(name) = Misnamed::find(&name).and_then(|found| found.suggested()) {
            prop_assert_eq!(Misnamed::find(&name), None, "{}", name);
            prop_assert!(!is_passed_over(&name), "{}", name);
        }
    }

    #[test]
    fn a_mark_of_a_copy_costs_neither_model_nor_version(
        model in "[a-z]{3,8}(-[a-z0-9]{2,4}){0,2}",
        version in "[0-9]{1,2}\\.[0-9]{1,2}\\.[0-9]{1,2}(-rc[0-9])?",
        mark in prop::sample::select(vec![" (1)", "（2）", " - 副本", "_副本", " - Copy", " copy", "的副本", " 拷贝 2"]),
    ) {
        let found = Misnamed::find(&format!("{model}_{version}{mark}.bin"));
        let name = Some(format!("{model}_{version}.bin"));
        prop_assert_eq!(found.as_ref().and_then(Misnamed::suggested), name.clone());
        prop_assert_eq!(found.and_then(|found| found.of_image(&version, |_| false).name), name);
    }
}
