//! Sizes of files: one of more than 500 lines has more than one subject.

use super::none;
use crate::support::files_below;
use std::fs;
use std::path::Path;

#[test]
fn files_are_rooms_and_not_halls() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = ["src", "tests"].map(|folder| files_below(&root.join(folder)));
    let mut halls = Vec::new();
    for path in files.into_iter().flatten() {
        if path.extension().is_some_and(|ending| ending == "rs") {
            let lines = fs::read_to_string(&path).unwrap().lines().count();
            if lines > 500 {
                let file = path.strip_prefix(root).unwrap();
                halls.push((file.display().to_string(), lines));
            }
        }
    }
    let found: Vec<_> = halls
        .iter()
        .map(|(file, lines)| format!("{file}: {lines} lines: two rooms in one?"))
        .collect();
    none(&found);
}
