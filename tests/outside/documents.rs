//! Every configuration that we show is one that the program takes.

use super::support::certificate::{Authority, Key};
use super::support::server::BINARY;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn files_below(dir: &Path, into: &mut Vec<PathBuf>) {
    for item in fs::read_dir(dir).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() {
            files_below(&path, into);
        } else {
            into.push(path);
        }
    }
}

/// Each configuration with where it stands: YAML files, and YAML in documents.
fn configurations() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = vec![root.join("README.md"), root.join("README.zh-CN.md")];
    files_below(&root.join("deploy"), &mut paths);
    let mut found = Vec::new();
    for path in paths {
        let place = path.strip_prefix(root).unwrap().display().to_string();
        let extension = path
            .extension()
            .and_then(|e| e.to_str())
            .unwrap_or_default();
        // What compose and the like read is none of ours.
        if matches!(extension, "yaml" | "yml") && !place.contains("compose") {
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
            if path.ends_with(".pem") || path.ends_with(".crt") || path.ends_with(".key") {
                found.push(path.to_owned());
            }
        }
    }
    found
}
