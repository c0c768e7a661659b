use super::*;
use proptest::prelude::*;
use proptest::sample::select;

fn near(files: &[&str], models: &[&str]) -> Option<(String, Option<String>)> {
    let found = NameIndex::new(files.iter().copied()).nearest(models, &[])?;
    Some((found.file, found.name))
}

#[test]
fn names_that_are_nearly_a_models() {
    for (file, model, name) in [
        ("Xmini-C3_2.0.6.bin", "xmini-c3", "xmini-c3_2.0.6.bin"),
        ("XMINI-C3_2.0.6.bin", "xmini-c3", "xmini-c3_2.0.6.bin"),
        ("xmini_c3_2.0.6.bin", "xmini-c3", "xmini-c3_2.0.6.bin"),
        ("xminic3_2.0.6.bin", "xmini-c3", "xmini-c3_2.0.6.bin"),
        ("xmini-c3__2.0.6.bin", "xmini-c3", "xmini-c3_2.0.6.bin"),
        ("xmini--c3_2.0.6.bin", "xmini-c3", "xmini-c3_2.0.6.bin"),
        (" xmini-c3 _2.0.6.bin", "xmini-c3", "xmini-c3_2.0.6.bin"),
        ("xmini c3_2.0.6.bin", "xmini-c3", "xmini-c3_2.0.6.bin"),
        (
            "ｘｍｉｎｉ－ｃ３_2.0.6.bin",
            "xmini-c3",
            "xmini-c3_2.0.6.bin",
        ),
        (
            "xmini\u{200b}-c3_2.0.6.bin",
            "xmini-c3",
            "xmini-c3_2.0.6.bin",
        ),
        ("1.7.0_xmini-c3.bin", "xmini-c3", "xmini-c3_1.7.0.bin"),
        ("xmini-c3_v2.0.6.bin", "xmini-c3", "xmini-c3_2.0.6.bin"),
        ("xmini-c3-2.0.6.bin", "xmini-c3", "xmini-c3_2.0.6.bin"),
        ("xmini-c3_2.0.6.BIN", "xmini-c3", "xmini-c3_2.0.6.bin"),
        ("xmini-c3_2.0.6 (1).bin", "xmini-c3", "xmini-c3_2.0.6.bin"),
        ("xmini-c3.bin", "xmini-c3", "xmini-c3_VERSION.bin"),
        (
            "v2.1.0_bread-compact-wifi.zip",
            "bread-compact-wifi",
            "bread-compact-wifi_2.1.0.bin",
        ),
        (
            "v2.2.4_waveshare-esp32-s3-rlcd-4.2.zip",
            "esp32-s3-rlcd-4.2",
            "esp32-s3-rlcd-4.2_2.2.4.bin",
        ),
        (
            "waveshare-esp32-s3-rlcd-4.2_2.2.4.bin",
            "esp32-s3-rlcd-4.2",
            "esp32-s3-rlcd-4.2_2.2.4.bin",
        ),
        (
            "esp32-s3-rlcd-4.2_2.2.4.bin",
            "waveshare-esp32-s3-rlcd-4.2",
            "waveshare-esp32-s3-rlcd-4.2_2.2.4.bin",
        ),
        ("xmni-c3_2.0.6.bin", "xmini-c3", "xmini-c3_2.0.6.bin"),
        ("xmiini-c3_2.0.6.bin", "xmini-c3", "xmini-c3_2.0.6.bin"),
        ("xmimi-c3_2.0.6.bin", "xmini-c3", "xmini-c3_2.0.6.bin"),
        ("xmnii-c3_2.0.6.bin", "xmini-c3", "xmini-c3_2.0.6.bin"),
        (
            "lichuang-dve_2.0.6.bin",
            "lichuang-dev",
            "lichuang-dev_2.0.6.bin",
        ),
    ] {
        let found = near(&["b_1.0.bin", file], &[model]);
        assert_eq!(found, Some((file.into(), Some(name.into()))), "{file}");
    }
}

#[test]
fn the_nearest_of_the_most_precise_model_and_the_highest_version() {
    let files = [
        "Xmini-C3_2.0.6.bin",
        "Xmini-C3_2.0.10.bin",
        "xmni-c3_9.0.bin",
        "Other-Board_9.0.bin",
    ];
    let first = |models: &[&str]| near(&files, models).map(|(file, _)| file);
    assert_eq!(first(&["xmini-c3"]).as_deref(), Some("Xmini-C3_2.0.10.bin"));
    assert_eq!(
        first(&["xmini-c3", "other-board"]).as_deref(),
        Some("Xmini-C3_2.0.10.bin")
    );
    assert_eq!(
        first(&["none", "other-board"]).as_deref(),
        Some("Other-Board_9.0.bin")
    );
    assert_eq!(first(&["none"]), None);
    assert_eq!(first(&["default"]), None);
}

#[test]
fn a_model_that_no_file_name_can_carry_gets_an_alias() {
    let model = "lilygo-t-cameraplus-s3_v1_2";
    let file = "lilygo-t-cameraplus-s3_v1_2_2.0.6.bin";
    let found = NameIndex::new([file]).nearest(&[model], &[]).unwrap();
    assert_eq!((found.file.as_str(), found.can_be_named), (file, false));
    let name = "lilygo-t-cameraplus-s3-v1-2_2.0.6.bin";
    assert_eq!(found.name.as_deref(), Some(name));
    assert_eq!(found.says.as_deref(), Some("lilygo-t-cameraplus-s3-v1-2"));
    // The same board, renamed.
    let file = "lilygo-t-cameraplus-s3-v1.2_2.4.1.bin";
    let found = NameIndex::new([file]).nearest(&[model], &[]).unwrap();
    assert_eq!((found.file.as_str(), found.name), (file, None));
    assert_eq!(found.says.as_deref(), Some("lilygo-t-cameraplus-s3-v1.2"));
}

#[test]
fn a_header_that_hides_the_boards_own_name() {
    let index = NameIndex::new(["xmini-c3_2.0.6.bin"]);
    let found = index.nearest(&["gateway-box"], &["xmini-c3"]).unwrap();
    assert_eq!(found.model, "gateway-box");
    assert_eq!(found.name.as_deref(), Some("gateway-box_2.0.6.bin"));
    assert_eq!(found.says.as_deref(), Some("xmini-c3"));
}

/// Boards of xiaozhi-esp32 (`main/boards/*/config.json`) whose names are alike.
const BOARDS: [&str; 60] = [
    "atk-dnesp32s3",
    "atk-dnesp32s3-box",
    "atk-dnesp32s3-box0",
    "atk-dnesp32s3-box3",
    "atk-dnesp32s3-box2-4g",
    "atk-dnesp32s3-box2-wifi",
    "atoms3-echo-base",
    "atoms3r-echo-base",
    "atoms3r-echo-pyramid",
    "atoms3r-cam-m12-echo-base",
    "bread-compact-esp32",
    "bread-compact-esp32-lcd",
    "bread-compact-ml307",
    "bread-compact-nt26",
    "bread-compact-wifi",
    "bread-compact-wifi-128x64",
    "bread-compact-wifi-lcd",
    "bread-compact-wifi-s3cam",
    "esp-box",
    "esp-box-3",
    "esp-box-lite",
    "esp-hi",
    "esp-s3-lcd-ev-board-1p4",
    "esp-s3-lcd-ev-board-1p5",
    "esp-spot-c5",
    "esp32-cgc",
    "esp32-cgc-144",
    "esp32-c6-touch-amoled-2.06",
    "esp32-c6-touch-amoled-2.16",
    "esp32-p4-function-ev-board",
    "esp32-p4x-function-ev-board",
    "esp32-p4-nano-10.1-a",
    "esp32-p4x-nano-10.1-a",
    "esp32-p4-wifi6-touch-lcd-4b",
    "esp32-p4-wifi6-touch-lcd-4c",
    "esp32-p4-wifi6-touch-lcd-7",
    "esp32-p4-wifi6-touch-lcd-7b",
    "esp32-s3-epaper-1.54-v1",
    "esp32-s3-epaper-1.54-v2",
    "esp32-s3-touch-amoled-1.75",
    "esp32-s3-touch-amoled-1.75c",
    "esp32-s3-touch-lcd-1.83",
    "esp32-s3-touch-lcd-1.85",
    "esp32-s3-touch-lcd-1.85b",
    "esp32-s3-touch-lcd-1.85c",
    "esp32-s3-touch-lcd-3.5",
    "esp32-s3-touch-lcd-3.5b",
    "kevin-box-2",
    "kevin-c3",
    "lichuang-c3-dev",
    "lichuang-dev",
    "m5stack-corep4",
    "m5stack-corep4x",
    "magiclick-2p4",
    "magiclick-2p5",
    "magiclick-c3",
    "magiclick-c3-v2",
    "xmini-c3",
    "xmini-c3-4g",
    "xmini-c3-v3",
];

#[test]
fn no_board_is_taken_for_another() {
    for board in BOARDS {
        let others = BOARDS.iter().filter(|other| **other != board);
        let files: Vec<_> = others.map(|other| format!("{other}_2.0.6.bin")).collect();
        let found = NameIndex::new(files.iter().map(String::as_str)).nearest(&[board], &[]);
        assert_eq!(found, None, "{board}");
    }
}

#[test]
fn what_is_meant_for_a_model_is_waited_for_and_what_is_alike_is_not() {
    let waits = |files: &[&str], models: &[&str], others: &[&str]| {
        let found = NameIndex::new(files.iter().copied()).nearest(models, others);
        found.map(|found| found.is_waited_for)
    };
    for file in [
        "Xmini-C3_2.0.6.bin",
        "xmini_c3_2.0.6.bin",
        "xmini-c3 _2.0.6.bin",
        "xmini-c3_v2.0.6.bin",
        "xmini-c3-2.0.6.bin",
        "xmini-c3_2.0.6 (1).bin",
        "xmini-c3_2.0.6.BIN",
        "xmini-c3_2.0.6.zip",
        "v2.0.6_xmini-c3.zip",
        "xmini-c3.bin",
        "1.7.0_xmini-c3.bin",
        "old builds/xmini-c3_2.0.6.bin",
        "old builds/xmini-c3/XMINI-C3_v2.0.6.bin",
    ] {
        let found = waits(&["b_1.0.bin", file], &["xmini-c3"], &[]);
        assert_eq!(found, Some(true), "{file}");
        // Nobody looks for its files by such a name.
        let found = waits(&[file], &["gateway-box"], &["xmini-c3"]);
        assert_eq!(found, Some(false), "{file}");
    }
    let unnameable = "lilygo-t-cameraplus-s3_v1_2";
    for folder in ["", "old/"] {
        let file = format!("{folder}{unnameable}_2.0.6.bin");
        assert_eq!(waits(&[&file], &[unnameable], &[]), Some(true), "{file}");
    }
    // They can be offered to boards of their own.
    for (file, model) in [
        ("lichuang-dew_2.0.6.bin", "lichuang-dev"),
        ("waveshare-s3-rlcd-4.2_2.2.4.bin", "s3-rlcd-4.2"),
        ("s3-rlcd-4.2_2.2.4.bin", "waveshare-s3-rlcd-4.2"),
    ] {
        assert_eq!(waits(&[file], &[model], &[]), Some(false), "{file}");
    }
}

fn spelling() -> impl Strategy<Value = String> {
    let word = select(&[
        "xmini", "esp", "box", "c3", "x", "lcd4", "réseau", "ｃ３", "1.85", "kevin",
    ]);
    let sign = select(&["-", "_", " ", ".", "", "v", "_1", "/"]);
    let words = prop::collection::vec((word, sign), 1..4);
    let slip = (any::<prop::sample::Index>(), select(&["", "a", "q", "2"]));
    (words, slip, any::<bool>()).prop_map(|(words, (at, letter), cut)| {
        let text: String = words
            .iter()
            .flat_map(|(word, sign)| [*word, *sign])
            .collect();
        let mut signs: Vec<char> = text.chars().collect();
        let at = at.index(signs.len());
        if cut {
            signs.remove(at);
        }
        signs.splice(at..at, letter.chars());
        signs.into_iter().collect()
    })
}

proptest! {
    /// What has no shape in common with a model is not near it.
    #[test]
    fn no_near_name_is_overlooked(model in spelling(), name in spelling(), end in select(&["_1.0.bin", "_v1.0.bin", ".zip", "_1.0 (1).bin"])) {
        for name in [name, model.clone(), model.to_uppercase(), model.replacen('i', "ii", 1), model.replacen("in", "ni", 1)] {
            let file = format!("{name}{end}");
            let index = NameIndex::new([&*file]);
            let wanted = Wanted::new(&model);
            let is_near = index.names.iter().any(|known| wanted.nearness(known).is_some());
            prop_assert_eq!(is_near, index.alike(&wanted).any(|known| wanted.nearness(known).is_some()), "{}", file);
        }
    }
}

#[test]
fn an_image_is_nearer_than_an_archive() {
    let files = ["v9.0.0_xmini-c3.zip", "xmni-c3_2.0.6.bin"];
    let found = NameIndex::new(files).nearest(&["xmini-c3"], &[]).unwrap();
    assert_eq!((&*found.file, found.is_archive), (files[1], false));
    let found = NameIndex::new(files[..1].to_vec()).nearest(&["xmini-c3"], &[]);
    assert!(found.is_some_and(|found| found.is_archive));
}
