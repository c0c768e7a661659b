//! Attacks and faults, met from outside: what is done to the server, and what a
//! well-behaved device saw of it meanwhile.
//!
//! A scenario is one function with two sizes. Every run of the tests does the small
//! one, and holds that the device was answered; `FAULTS=long`, which `tests/long faults`
//! sets, does the whole one and holds how soon and in how much memory, too. Each says
//! what came of it in one row of a table.

mod crowd;
mod watch;

mod admin;
mod clocks_and_disks;
mod floods;
mod folders;
mod holders;
mod log;
mod many;
mod pages;
mod resets;
mod shortage;
mod slow;
mod spread;
mod store;
mod stored;

use std::env;

/// Scenarios that the server does not stand yet, and what each waits for. They are
/// left out.
const LATER: &[(&str, &str)] = &[];

/// Tells whether the scenarios are to be as large as what they stand for.
pub(crate) fn is_long() -> bool {
    env::var("FAULTS").is_ok_and(|size| size == "long")
}

/// One of two sizes.
pub(crate) fn sized<T>(small: T, long: T) -> T {
    if is_long() { long } else { small }
}
