//! Notes when the program is built: a clock that shows less was never set.

use std::env;
use std::time::{SystemTime, UNIX_EPOCH};

fn main() {
    // Whoever builds reproducibly says what time it is:
    // <https://reproducible-builds.org/docs/source-date-epoch/>
    println!("cargo:rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo:rerun-if-changed=src/build.rs");
    let said = env::var("SOURCE_DATE_EPOCH");
    let said = said.ok().and_then(|seconds| seconds.parse().ok());
    let now = || SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = said.unwrap_or_else(|| now().map_or(0, |now| now.as_secs()));
    println!("cargo:rustc-env=BUILT={seconds}");
}
