//! Notes when the program is built: a clock that shows less was never set.

use std::env;
use std::time::{SystemTime, UNIX_EPOCH};

fn main() {
    // Whoever builds reproducibly says what time it is:
    // <https://reproducible-builds.org/docs/source-date-epoch/>
    println!("cargo:rerun-if-env-changed=SOURCE_DATE_EPOCH");
    // A date of the first build in this folder would say nothing of what is built now.
    println!("cargo:rerun-if-changed=src");
    println!("cargo:rerun-if-changed=Cargo.lock");
    let said = env::var("SOURCE_DATE_EPOCH");
    let said = said.ok().and_then(|seconds| seconds.parse().ok());
    let now = || SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = said.unwrap_or_else(|| now().map_or(0, |now| now.as_secs()));
    println!("cargo:rustc-env=BUILT={seconds}");
}
