//! Words for what a device misreads in the address of its voice server.

use crate::event::Event;
use crate::event::text::Lang;
use crate::probe::report::Evidence;
use crate::probe::serial;
use xiaozhi_device::endpoint::{Exception, Misread};
use xiaozhi_device::redact;

/// Returns the address as evidence, with the part that is to blame.
pub(crate) fn evidence(setting: &str, text: &str, misread: &Misread) -> Evidence {
    let (quoted, what) = (quoted(setting, text), Event::from(misread));
    let said = |lang| format!("{quoted}\n{}", what.words(lang));
    Evidence::both(said(Lang::Zh), said(Lang::En))
}

/// Returns the address alone, without what may be secret in it.
pub(crate) fn quoted(setting: &str, text: &str) -> String {
    format!("{setting}: {:?}", redact::shown(text))
}

/// Returns the end of the program that takes this for a number.
pub(crate) fn exception(misread: &Misread) -> String {
    let ends = match misread.exception() {
        Some(Exception::OutOfRange) => serial::HUGE_NUMBER,
        Some(Exception::InvalidArgument) | None => serial::NO_NUMBER,
    };
    ends.to_owned()
}
