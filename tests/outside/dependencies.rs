//! What the server is built of: the sources, licences and versions that `deny.toml`
//! allows. `tests/long` asks cargo-deny, which takes minutes to build; this holds what
//! can be held in a second.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Those of `deny.toml`, which cannot be read from there without a reader of TOML.
const TARGETS: [&str; 2] = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The quoted texts of a list in `deny.toml`, but for those of its reasons.
fn listed(policy: &str, key: &str) -> Vec<String> {
    let (_, rest) = policy
        .split_once(&format!("\n{key} = ["))
        .unwrap_or_else(|| panic!("deny.toml has no {key}"));
    let (list, _) = rest.split_once("\n]").unwrap();
    let lines = list.lines().filter_map(|line| line.split('"').nth(1));
    lines.map(str::to_owned).collect()
}

/// Returns what `cargo tree` prints, a line for each package.
fn tree(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--prefix", "none"])
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    String::from_utf8(output.stdout).unwrap()
}

/// Name, version, place and licence of everything that the server and its tests are
/// built of. (cargo's metadata has what no feature asks for, too.)
fn packages() -> BTreeSet<[String; 4]> {
    let mut found = BTreeSet::new();
    for target in TARGETS {
        let text = tree(&[
            "--workspace",
            "--all-features",
            "--target",
            target,
            "--edges",
            "normal,build,dev",
            "--format",
            "{p}|{l}|",
        ]);
        for line in text.lines().filter(|line| !line.is_empty()) {
            let mut parts = line.split('|');
            let package = parts.next().unwrap().replace(" (proc-macro)", "");
            let license = parts.next().unwrap().to_owned();
            let (name, rest) = package.split_once(" v").unwrap();
            let (version, place) = rest.split_once(' ').unwrap_or((rest, ""));
            let [name, version, place] = [name, version, place].map(str::to_owned);
            found.insert([name, version, place, license]);
        }
    }
    found
}

/// Tells whether what an SPDX expression asks for can be met by the allowed licences.
fn is_met(expression: &str, allowed: &dyn Fn(&str) -> bool) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        // As it was written before SPDX.
        .replace('/', " OR ");
    let mut words = spaced.split_whitespace().peekable();
    let met = either(&mut words, allowed);
    assert_eq!(words.next(), None, "{expression}");
    met
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn either(words: &mut Words<'_>, allowed: &dyn Fn(&str) -> bool) -> bool {
    let mut met = both(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        met |= both(words, allowed);
    }
    met
}

fn both(words: &mut Words<'_>, allowed: &dyn Fn(&str) -> bool) -> bool {
    let mut met = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        met &= one(words, allowed);
    }
    met
}

fn one(words: &mut Words<'_>, allowed: &dyn Fn(&str) -> bool) -> bool {
    let word = words.next().expect("a licence");
    if word == "(" {
        let met = either(words, allowed);
        assert_eq!(words.next(), Some(")"));
        return met;
    }
    if words.next_if_eq(&"WITH").is_some() {
        let exception = words.next().expect("an exception");
        return allowed(&format!("{word} WITH {exception}"));
    }
    allowed(word)
}

#[test]
fn what_it_is_built_of_is_allowed() {
    let policy = fs::read_to_string(root().join("deny.toml")).unwrap();
    for target in TARGETS {
        assert!(policy.contains(&format!("\"{target}\"")), "{target}");
    }
    let allowed = listed(&policy, "allow");
    let skipped = listed(&policy, "skip");
    let banned = listed(&policy, "deny");
    assert!(allowed.len() > 3 && banned.iter().any(|name| name == "ring"));
    let packages = packages();
    assert!(packages.len() > 100);
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for [name, version, place, license] in &packages {
        // Only what is not from crates.io has a place: this checkout, a git
        // repository, another registry.
        let is_ours = place.strip_prefix('(').is_some_and(|place| {
            let place = place.strip_suffix(')').unwrap_or(place);
            Path::new(place).starts_with(root())
        });
        assert!(place.is_empty() || is_ours, "{name}: {place}");
        assert!(!banned.contains(name), "{name} is banned in deny.toml");
        let is_allowed = |license: &str| {
            let excepted = format!("{{ crate = \"{name}\", allow = [\"{license}\"] }}");
            allowed.iter().any(|allowed| allowed == license) || policy.contains(&excepted)
        };
        assert!(is_met(license, &is_allowed), "{name}: {license:?}");
        if !skipped.contains(&format!("{name}@{version}")) {
            versions.entry(name).or_default().push(version);
        }
    }
    for (name, versions) in versions {
        assert_eq!(
            versions.len(),
            1,
            "{name}: {versions:?}: deny.toml skips none"
        );
    }
    for skipped in skipped {
        let is_met = |[name, version, ..]: &[String; 4]| skipped == format!("{name}@{version}");
        assert!(
            packages.iter().any(is_met),
            "deny.toml skips {skipped}: nothing is it"
        );
    }
}

#[test]
fn an_expression_is_read_as_spdx_means_it() {
    let mit = |license: &str| license == "MIT";
    for (expression, met) in [
        ("MIT", true),
        ("MIT OR GPL-3.0", true),
        ("GPL-3.0 AND MIT", false),
        ("MIT/GPL-3.0", true),
        ("(GPL-3.0 OR MIT) AND MIT", true),
        ("GPL-3.0 OR MIT AND GPL-3.0", false),
        ("MIT WITH something OR GPL-3.0", false),
    ] {
        assert_eq!(is_met(expression, &mit), met, "{expression}");
    }
}

/// What is newer than that clippy tells of (`incompatible_msrv`, in `tests/run`), and
/// `tests/long` builds with that compiler.
#[test]
fn every_crate_says_the_same_oldest_compiler() {
    for manifest in ["src/device/Cargo.toml", "tests/image-builder/Cargo.toml"] {
        let text = fs::read_to_string(root().join(manifest)).unwrap();
        assert!(text.contains("rust-version.workspace = true"), "{manifest}");
    }
}

/// What is built with other features is built a second time, and all that stands on it:
/// that took minutes of every `tests/run`.
#[test]
fn fuzz_targets_take_what_the_tests_have_built() {
    const OWN: [&str; 4] = ["arbitrary ", "cap ", "libfuzzer-sys ", "xiaozhi-"];
    let built = |arguments: &[&str]| -> BTreeSet<String> {
        let text = tree(&[arguments, &["--format", "{p}|{f}|"]].concat());
        let lines = text.lines().filter_map(|line| line.rsplit_once('|'));
        lines.map(|(package, _)| package.to_owned()).collect()
    };
    let tests = built(&["--workspace", "--edges", "normal,build,dev"]);
    let manifest = "tests/fuzz/Cargo.toml";
    let fuzzed = built(&["--manifest-path", manifest, "--edges", "normal,build"]);
    assert!(fuzzed.len() > 100, "{fuzzed:#?}");
    let twice: Vec<_> = fuzzed
        .difference(&tests)
        .filter(|package| !OWN.iter().any(|own| package.starts_with(own)))
        .collect();
    assert!(
        twice.is_empty(),
        "name these features in {manifest}, or give cargo test the same: {twice:#?}"
    );
    let profile = |manifest: &str| {
        let text = fs::read_to_string(root().join(manifest)).unwrap();
        let (_, rest) = text.split_once("\n[profile.dev]\n").expect(manifest);
        rest.split("\n\n").next().map(str::to_owned)
    };
    assert_eq!(profile(manifest), profile("Cargo.toml"));
}
