//! Name, kernel and memory of this machine, by calls and not by files: the unit for systemd
//! hides `/proc/sys` and `/proc/meminfo` (`ProcSubset=pid`).

use rustix::system::{sysinfo, uname};

/// Returns the name of this machine, or container.
pub(crate) fn name() -> String {
    uname().nodename().to_string_lossy().into_owned()
}

/// Returns the release of the kernel (`uname -r`).
pub(crate) fn kernel() -> String {
    uname().release().to_string_lossy().into_owned()
}

/// Returns the number of bytes of the machine's memory.
pub(crate) fn memory() -> Option<u64> {
    let about = sysinfo();
    // As wide as a word of the machine.
    #[expect(
        clippy::useless_conversion,
        reason = "a word has 32 bits on some machines"
    )]
    let total = u64::from(about.totalram);
    let bytes = total.checked_mul(u64::from(about.mem_unit));
    bytes.filter(|bytes| *bytes > 0)
}
