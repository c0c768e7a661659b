//! Words for what a device misreads in the address of its voice server.

use crate::probe::report::Evidence;
use crate::probe::serial;
use xiaozhi_device::endpoint::{AddressFault, Exception, Misread};
use xiaozhi_device::redact;

/// Returns the address as evidence, with the part that is to blame.
pub(crate) fn evidence(setting: &str, text: &str, misread: &Misread) -> Evidence {
    let part = format!("{:?}", misread.part);
    let (zh, en) = match misread.fault {
        AddressFault::NoScheme => ("没有协议".to_owned(), "it has no scheme".to_owned()),
        AddressFault::Scheme => (format!("协议是 {part}"), format!("its scheme is {part}")),
        AddressFault::NoHost => ("没有主机名".to_owned(), "it names no host".to_owned()),
        AddressFault::HostSign => (
            format!("主机名里有 {part}"),
            format!("its host holds {part}"),
        ),
        AddressFault::Ipv6 => (
            format!("{part} 是 IPv6 地址，设备在第一个冒号处把它切断"),
            format!("{part} is an IPv6 address, cut at its first colon"),
        ),
        AddressFault::User => (
            format!("{part} 里有用户名，设备在第一个冒号处把它切断"),
            format!("{part} has a user name, and is cut at its first colon"),
        ),
        AddressFault::NoPort => (
            "冒号后面没有端口".to_owned(),
            "nothing stands behind the colon".to_owned(),
        ),
        AddressFault::NoNumber => (
            format!("{part} 被当作端口，但它不是数字"),
            format!("{part} is taken for the port, and is no number"),
        ),
        AddressFault::Huge => (
            format!("{part} 被当作端口，但它大于 2147483647"),
            format!("{part} is taken for the port, and is above 2147483647"),
        ),
        AddressFault::OtherPort(read) => (
            format!("{part} 被读作端口 {read}"),
            format!("{part} is read as port {read}"),
        ),
        AddressFault::ColonInPath => (
            format!("没有写端口，路径里的 {part} 被当作端口"),
            format!("no port is written, and {part} in the path is taken for one"),
        ),
        AddressFault::PathSign => (format!("路径里有 {part}"), format!("its path holds {part}")),
        AddressFault::HostLong => (
            format!("主机名 {part} 太长"),
            format!("its host {part} is too long for a name"),
        ),
        AddressFault::Long => ("太长".to_owned(), "it is too long".to_owned()),
    };
    let quoted = quoted(setting, text);
    Evidence::both(format!("{quoted}\n{zh}"), format!("{quoted}\n{en}"))
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
