//! Words for where an address leads that leads no device to a server.

use super::text::Text;
use xiaozhi_device::host::Nowhere;

/// Describes such an address.
pub(crate) fn leads(nowhere: Nowhere) -> Text {
    match nowhere {
        Nowhere::Unspecified => Text::new(
            "不是地址，多半是域名被屏蔽",
            "no address: the name is blocked",
        ),
        Nowhere::Loopback => Text::new("本机", "this machine"),
        Nowhere::LinkLocal => Text::new("没有路由器时自拟的地址", "what machines give themselves"),
        Nowhere::Container => Text::new("Docker 内部", "inside of Docker"),
        Nowhere::FakeIp => Text::new("代理的 fake-ip", "the fake-ip of a proxy"),
        Nowhere::Example => Text::new("示例地址", "an address for examples"),
        Nowhere::Multicast => Text::new("多播地址", "multicast"),
        Nowhere::Reserved => Text::new("保留地址", "reserved"),
    }
}
