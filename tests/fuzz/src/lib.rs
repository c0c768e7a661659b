//! What the fuzz targets share: a bound on memory.
//!
//! No length that stands in the input may be allocated. So all of Rust's memory
//! is bounded, far above what an input of some kilobytes can need: whoever asks
//! for more gets none, which ends the process, and libFuzzer keeps the input.

use cap::Cap;
use std::alloc::System;
use std::panic;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, 1 << 20);

/// To be called once before the first input.
pub fn init() {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        // A backtrace takes more.
        let _ = MEMORY.set_limit(usize::MAX);
        report(panic);
    }));
}
