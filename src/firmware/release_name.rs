//! Reads what the name of a release tells: a version, and a board. Pure.
//!
//! The firmware's `scripts/build.py` (once `release.py`) calls an archive
//! `v{version}_{name}.zip`. The name was what devices report as `board.name`; later (in v2.2.6,
//! for one) the board's manufacturer stands in front of it, unless it begins with that anyway
//! (`_get_full_name`). Nobody can tell from the name of a file which of the two it is: where
//! that might be, there are two candidates. Only for a name that is known to be a board's own
//! there is one.

mod boards;

use super::name::{copies, is_version, model_key};
use boards::{MANUFACTURERS, OWN_NAMES};

/// Meaning of a release's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseName {
    /// The version, without its `v`.
    pub version: Option<String>,
    /// The boards that it may be for.
    pub boards: Boards,
}

/// Boards that a release may be for, as devices report them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Boards {
    /// The name is no release's.
    None,
    /// This one.
    One(String),
    /// One of these: as it stands, or without the manufacturer in front.
    Either(String, String),
}

/// Reads the name of a file, without its folder: `v2.1.0_bread-compact-wifi.zip`, the same
/// with `.bin`, what a browser makes of it (`v2.1.0_bread-compact-wifi (1).zip`), and what
/// GitHub calls a build that nobody released (`xiaozhi_bread-compact-wifi_{commit}.zip`).
pub fn parse(file_name: &str) -> ReleaseName {
    let none = ReleaseName {
        version: None,
        boards: Boards::None,
    };
    let Some(stem) = stem(file_name) else {
        return none;
    };
    if let Some(board) = of_commit(stem) {
        let boards = boards(board);
        return ReleaseName { boards, ..none };
    }
    let Some((version, board)) = of_version(stem) else {
        return none;
    };
    // `1.54tft_2.1.0-rc1.bin` is a firmware of the model 1.54tft: a release has a `v` in front,
    // or is an archive.
    let is_bin = without_end(file_name.trim(), ".bin").is_some();
    if is_bin && !stem.starts_with(['v', 'V']) && is_version(board) && board.contains('.') {
        return none;
    }
    ReleaseName {
        version: Some(version.to_owned()),
        boards: boards(board),
    }
}

/// Returns a name without its end and the marks of a copy; `None` where it ends as no
/// release does.
pub(super) fn stem(file_name: &str) -> Option<&str> {
    let without = |name| without_end(name, ".zip").or_else(|| without_end(name, ".bin"));
    let mut stem = copies::without_copy_marks(without(file_name.trim())?);
    // GitHub packs a file that ends in `.bin` again.
    while let Some(shorter) = without(stem) {
        stem = copies::without_copy_marks(shorter);
    }
    Some(stem)
}

/// Takes an end off a name, in whatever case it is written.
fn without_end<'a>(name: &'a str, end: &str) -> Option<&'a str> {
    let (front, its) = name.split_at_checked(name.len().checked_sub(end.len())?)?;
    its.eq_ignore_ascii_case(end).then_some(front)
}

/// Takes a beginning off a name, in whatever case it is written.
fn without_front<'a>(name: &'a str, front: &str) -> Option<&'a str> {
    let (its, rest) = name.split_at_checked(front.len())?;
    its.eq_ignore_ascii_case(front).then_some(rest)
}

/// Returns the board of `xiaozhi_{board}_{commit}` (`.github/workflows/build.yml`).
fn of_commit(stem: &str) -> Option<&str> {
    let (board, commit) = without_front(stem, "xiaozhi_")?.rsplit_once('_')?;
    let is_commit = commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit());
    (is_commit && !board.is_empty()).then_some(board)
}

/// Returns version and board of `v{version}_{board}`.
fn of_version(stem: &str) -> Option<(&str, &str)> {
    let stem = stem.strip_prefix(['v', 'V']).unwrap_or(stem);
    let mut end = stem.find('_')?;
    // `2.9.2_2`: digits behind another underscore are a later build of the version.
    while let Some((build, _)) = stem.get(end + 1..)?.split_once('_')
        && build.bytes().all(|b| b.is_ascii_digit())
        && !build.is_empty()
    {
        end += 1 + build.len();
    }
    let (version, board) = (stem.get(..end)?, stem.get(end + 1..)?.trim());
    let is_board = board.contains(char::is_alphabetic);
    // A version of this firmware has a dot; `v2_1.6.6.bin` is the board `v2`.
    (is_version(version) && version.contains('.') && is_board).then_some((version, board))
}

/// Returns the boards that a release of this name may be for.
fn boards(name: &str) -> Boards {
    let name = &*model_key(name);
    let own = OWN_NAMES.iter().any(|own| own.eq_ignore_ascii_case(name));
    let without_manufacturer = MANUFACTURERS.iter().find_map(|manufacturer| {
        let rest = without_front(name, manufacturer)?.strip_prefix('-')?;
        (!rest.is_empty()).then_some(rest)
    });
    match without_manufacturer {
        Some(rest) if !own => Boards::Either(name.to_owned(), rest.to_owned()),
        _ => Boards::One(name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(board: &str) -> Boards {
        Boards::One(board.to_owned())
    }

    fn either(board: &str, without: &str) -> Boards {
        Boards::Either(board.to_owned(), without.to_owned())
    }

    #[track_caller]
    fn tells(file: &str, version: Option<&str>, boards: Boards) {
        let version = version.map(str::to_owned);
        assert_eq!(parse(file), ReleaseName { version, boards }, "{file}");
    }

    #[test]
    fn behind_the_version_stands_the_board() {
        for (file, version, board) in [
            (
                "v2.1.0_bread-compact-wifi.zip",
                "2.1.0",
                "bread-compact-wifi",
            ),
            (
                "v2.1.0_bread-compact-wifi.bin",
                "2.1.0",
                "bread-compact-wifi",
            ),
            (
                "V2.1.0_bread-compact-wifi.ZIP",
                "2.1.0",
                "bread-compact-wifi",
            ),
            (
                "2.1.0_bread-compact-wifi.zip",
                "2.1.0",
                "bread-compact-wifi",
            ),
            ("v1.6.2_xmini-c3.zip", "1.6.2", "xmini-c3"),
            ("v2.0.0-beta.1_esp-box-3.zip", "2.0.0-beta.1", "esp-box-3"),
            ("v2.9.2_2_lichuang-dev.zip", "2.9.2_2", "lichuang-dev"),
            (
                "v1.7.6_esp32-s3-touch-lcd-1.85c.zip",
                "1.7.6",
                "esp32-s3-touch-lcd-1.85c",
            ),
            (
                "v1.7.6_xingzhi-cube-1.54tft-ml307.zip",
                "1.7.6",
                "xingzhi-cube-1.54tft-ml307",
            ),
            ("v2.1.0_my_board_4g.zip", "2.1.0", "my_board_4g"),
            ("v2.1.0_4g-box.bin", "2.1.0", "4g-box"),
            ("v2.1.0_My-Board.zip", "2.1.0", "My-Board"),
            ("v2.1.0_小智板.zip", "2.1.0", "小智板"),
            // NFD, as a Mac writes it.
            ("v2.1.0_cafe\u{301}.zip", "2.1.0", "caf\u{e9}"),
        ] {
            tells(file, Some(version), one(board));
        }
    }

    #[test]
    fn marks_of_copies_are_no_part_of_the_board() {
        for mark in [
            " (1)",
            "(2)",
            " - Copy",
            " - Copy (3)",
            " - 副本",
            " 2",
            " copy",
            "_副本",
        ] {
            let file = format!("v2.2.6_waveshare-esp32-s3-touch-amoled-1.75{mark}.zip");
            let boards = either(
                "waveshare-esp32-s3-touch-amoled-1.75",
                "esp32-s3-touch-amoled-1.75",
            );
            tells(&file, Some("2.2.6"), boards);
        }
        tells(
            "Copy of v2.1.0_xmini-c3.zip",
            Some("2.1.0"),
            one("xmini-c3"),
        );
        tells("v2.1.0_xmini-c3.zip.zip", Some("2.1.0"), one("xmini-c3"));
    }

    #[test]
    fn a_manufacturer_in_front_may_be_a_part_of_the_board() {
        for (name, without) in [
            (
                "waveshare-esp32-s3-touch-amoled-1.75",
                "esp32-s3-touch-amoled-1.75",
            ),
            ("Waveshare-esp32-s3-audio-board", "esp32-s3-audio-board"),
            ("lceda-course-examples-eda-tv-pro", "eda-tv-pro"),
            ("espressif-esp-box-3", "esp-box-3"),
            ("alientek-atk-dnesp32s3", "atk-dnesp32s3"),
            ("lckfb-lichuang-dev", "lichuang-dev"),
            // Of a board that nobody knows, nobody knows it.
            ("m5stack-new-thing", "new-thing"),
            ("kevin-box-9", "box-9"),
            ("waveshare-esp32-p4x-nano-10.1-a", "esp32-p4x-nano-10.1-a"),
            // Its device reports both.
            ("rymcu-bigsmart", "bigsmart"),
        ] {
            tells(
                &format!("v2.2.6_{name}.zip"),
                Some("2.2.6"),
                either(name, without),
            );
        }
        for own in [
            "m5stack-core-s3",
            "kevin-box-2",
            "labplus-ledong-v2",
            "xmini-c3",
            "M5Stack-Tab5",
            // As it was called up to v2.1.0.
            "waveshare-s3-touch-amoled-1.75",
            "lilygo-t-cameraplus-s3_v1_2",
        ] {
            tells(&format!("v2.1.0_{own}.zip"), Some("2.1.0"), one(own));
        }
        for one_word in ["waveshare", "waveshare-", "waveshares-board"] {
            let board = one_word.trim_end_matches('-');
            tells(&format!("v2.1.0_{one_word}.zip"), Some("2.1.0"), one(board));
        }
    }

    #[test]
    fn a_build_of_a_commit_tells_no_version() {
        let commit = "43ef2f4e7f0957dc62ec7d628ac2819d226127b8";
        for end in ["zip", "bin.zip", "bin"] {
            let file = format!("xiaozhi_atk-dnesp32s3-box0_{commit}.{end}");
            tells(&file, None, one("atk-dnesp32s3-box0"));
        }
        let boards = either("waveshare-esp32-p4-nano", "esp32-p4-nano");
        tells(
            &format!("xiaozhi_waveshare-esp32-p4-nano_{commit} (1).zip"),
            None,
            boards,
        );
    }

    #[test]
    fn other_names_tell_nothing() {
        for file in [
            "",
            ".zip",
            "merged-binary.bin",
            "xiaozhi.bin",
            "build.zip",
            "bread-compact-wifi_2.1.0.bin",
            "v2.1.0.zip",
            "v2.1.0_.zip",
            "v2.1.0_2.1.1.bin",
            "1.54tft_2.1.0-rc1.bin",
            "v2_1.6.6.bin",
            "v2_board.zip",
            "v2.1.0_bread-compact-wifi.tar.gz",
            "v2.1.0_bread-compact-wifi",
            "version_bread.zip",
            "v2..x y_board.zip",
            "xiaozhi_board_43ef2f4.zip",
        ] {
            tells(file, None, Boards::None);
        }
    }

    /// The list is read from the front, and compared without regard to case.
    #[test]
    fn the_lists_are_sound() {
        for own in OWN_NAMES {
            assert!(own.bytes().all(|b| !b.is_ascii_uppercase()), "{own}");
        }
        for own in OWN_NAMES {
            let begins = |m: &&str| {
                own.strip_prefix(m)
                    .is_some_and(|rest| rest.starts_with('-'))
            };
            assert!(MANUFACTURERS.iter().any(begins), "{own}");
        }
        for (n, manufacturer) in MANUFACTURERS.iter().enumerate() {
            let hides = |later: &&str| later.starts_with(&format!("{manufacturer}-"));
            assert!(!MANUFACTURERS[n..].iter().any(hides), "{manufacturer}");
        }
    }

    proptest! {
        #[test]
        fn any_board_comes_out(board in "[a-z][a-z0-9.-]{0,30}[a-z0-9]", minor in 0..1000u32) {
            prop_assume!(!board.contains("..") && !board.ends_with(".bin") && !board.ends_with(".zip"));
            prop_assume!(!board.ends_with("copy") && !board.ends_with("bak"));
            let read = parse(&format!("v2.{minor}_{board}.zip"));
            prop_assert_eq!(read.version, Some(format!("2.{minor}")));
            match read.boards {
                Boards::One(one) => prop_assert_eq!(one, board),
                Boards::Either(whole, _) => prop_assert_eq!(whole, board),
                Boards::None => prop_assert!(false),
            }
        }

        #[test]
        fn no_name_makes_it_panic(name in ".*", end in "(\\.zip|\\.bin)?") {
            let _ = parse(&format!("{name}{end}"));
            let _ = parse(&format!("v1.0_{name}{end}"));
        }
    }
}
