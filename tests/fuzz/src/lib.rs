//! What the fuzz targets share: a bound on memory.
//!
//! No length that stands in the input may be allocated. So all of Rust's memory
//! is bounded, far above what an input of some kilobytes can need: whoever asks
//! for more gets none, which ends the process, and libFuzzer keeps the input.

use cap::Cap;
use std::alloc::System;
use std::panic;

/// Bytes that an input may take, unless its target says otherwise.
const BOUND: usize = 1 << 20;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, BOUND);

/// To be called once before the first input.
pub fn init() {
    init_within(BOUND);
}

/// The same, for what may take more memory of its own: so many bytes.
pub fn init_within(bound: usize) {
    let _ = MEMORY.set_limit(bound);
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        // A backtrace takes more.
        let _ = MEMORY.set_limit(usize::MAX);
        report(panic);
    }));
}
