//! Programs that run beside a test.

use std::process::Child;

/// A program that ends with this value, however the test does.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
