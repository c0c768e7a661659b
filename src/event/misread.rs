//! Events of addresses that a device misreads.

use super::text::Text;
use super::{Event, event};
use xiaozhi_device::endpoint::{
    AddressFault, AddressKind, Effect, LONGEST_HOST, LONGEST_LABEL, Misread,
};

/// Says what is wrong with the address.
impl From<&Misread> for Event {
    fn from(misread: &Misread) -> Self {
        let part = format!("{:?}", misread.part);
        let first = first(misread.kind);
        match misread.fault {
            AddressFault::NoScheme => event!(MISREAD_NO_SCHEME, part = part),
            AddressFault::Scheme => {
                let wanted = match misread.kind {
                    AddressKind::WebSocket => Text::new("ws 或 wss", "ws or wss"),
                    AddressKind::Http | AddressKind::Mqtt => {
                        Text::new("http 或 https", "http or https")
                    }
                };
                event!(MISREAD_SCHEME, part = part, wanted = wanted)
            }
            AddressFault::NoHost => event!(MISREAD_NO_HOST, part = part),
            AddressFault::HostSign => event!(MISREAD_HOST_SIGN, part = part),
            AddressFault::Ipv6 => event!(MISREAD_IPV6, part = part),
            AddressFault::User => event!(MISREAD_USER, part = part),
            AddressFault::NoPort => event!(MISREAD_NO_PORT, first = first),
            AddressFault::NoNumber => event!(MISREAD_NO_NUMBER, first = first, part = part),
            AddressFault::Huge => event!(MISREAD_HUGE, first = first, part = part),
            AddressFault::OtherPort(read) => {
                let read = read.to_string();
                if misread.may_work() {
                    event!(MISREAD_SOME_PORT, first = first, part = part, read = read)
                } else {
                    event!(MISREAD_OTHER_PORT, first = first, part = part, read = read)
                }
            }
            AddressFault::ColonInPath => event!(MISREAD_COLON_IN_PATH, part = part),
            AddressFault::PathSign => event!(MISREAD_PATH_SIGN, part = part),
            AddressFault::HostLong => event!(
                MISREAD_HOST_LONG,
                part = part,
                name = LONGEST_HOST,
                label = LONGEST_LABEL
            ),
            AddressFault::Long => {
                event!(
                    MISREAD_LONG,
                    part = &misread.part,
                    most = misread.kind.longest()
                )
            }
        }
    }
}

/// Says what is wrong with the address, and what becomes of the device.
pub(crate) fn consequence(misread: &Misread) -> Event {
    Event::from(misread).with("effect", effect(misread))
}

/// Says what is wrong with the address, what becomes of the device, and how to write it.
pub(crate) fn advice(misread: &Misread) -> Event {
    consequence(misread)
        .with("advice", change(misread))
        .with("form", form(misread.kind))
}

/// Returns what is taken for the port.
fn first(kind: AddressKind) -> Text {
    match kind {
        AddressKind::Http => Text::new("冒号后面的内容", "what stands behind the colon"),
        AddressKind::WebSocket => Text::new(
            "协议之后第一个冒号后面的内容",
            "what stands behind the first colon after the scheme",
        ),
        AddressKind::Mqtt => {
            Text::new("第一个冒号后面的内容", "what stands behind the first colon")
        }
    }
}

fn effect(misread: &Misread) -> Text {
    match (misread.effect, misread.kind) {
        (Effect::Aborts, AddressKind::Mqtt) => Text::new(
            "并在每次开机启动 MQTT 时崩溃重启",
            "and abort when they start MQTT, at every boot",
        ),
        (Effect::Aborts, _) if misread.fault == AddressFault::Long => Text::new(
            "并在收到它时崩溃重启，每次开机都会如此",
            "and abort when they are handed it, at every boot",
        ),
        (Effect::Aborts, _) => Text::new(
            "并在每次有人对它说话时崩溃重启",
            "and abort whenever they are spoken to",
        ),
        (Effect::Mute, AddressKind::WebSocket) if misread.fault == AddressFault::Scheme => {
            Text::new(
                "设备把它当作 ws：不用 TLS，没写端口时用 80；如果本意不是这样，设备就没有语音",
                "which devices take for ws, without TLS and on port 80 where none is written: where that is not meant they are \
                 mute",
            )
        }
        (Effect::Mute, _) => Text::new("因此设备没有语音", "so that devices are mute"),
        (Effect::Fails, _) => Text::new("因此设备连接失败", "so that devices fail to connect"),
    }
}

/// Returns what to change, in front of an example.
fn change(misread: &Misread) -> Text {
    match misread.fault {
        AddressFault::NoScheme | AddressFault::Scheme | AddressFault::NoHost => {
            Text::new("请写 ", "write ")
        }
        AddressFault::Ipv6 => Text::new(
            "请使用域名或 IPv4 地址，例如 ",
            "use a host name or an IPv4 address, as in ",
        ),
        AddressFault::User => Text::new(
            "请去掉用户名和密码，例如 ",
            "take user name and password out, as in ",
        ),
        AddressFault::ColonInPath => Text::new(
            "请把端口也写上（:80，wss 用 :443），或去掉那个冒号，例如 ",
            "write the port, too (:80, or :443 behind wss), or take the colon out, as in ",
        ),
        AddressFault::HostSign if misread.part.is_ascii() => Text::new(
            "主机和端口请只用 ASCII 字母和数字，例如 ",
            "write host and port in ASCII letters and digits, as in ",
        ),
        AddressFault::HostSign => Text::new(
            "主机和端口请用 ASCII 字符，冒号也是（':'，而不是 '：'），例如 ",
            "write host and port in ASCII, the colon too (':', not '：'), as in ",
        ),
        AddressFault::PathSign => Text::new(
            "请写成 %XX，或去掉它，例如 ",
            "write it as %XX, or take it out, as in ",
        ),
        AddressFault::Long | AddressFault::HostLong => {
            Text::new("请缩短，例如 ", "shorten it, as in ")
        }
        _ if misread.kind == AddressKind::Mqtt && misread.part.starts_with("//") => Text::new(
            "请去掉前面的协议，例如 ",
            "take the scheme in front away, as in ",
        ),
        _ => Text::new(
            "请写 1 到 65535 的端口，例如 ",
            "write a port from 1 to 65535, as in ",
        ),
    }
}

/// Returns how such an address is written.
fn form(kind: AddressKind) -> Text {
    match kind {
        AddressKind::Http => Text::new(
            "http://192.168.1.100:8003/… 或 https://ota.example.com/…",
            "http://192.168.1.100:8003/… or https://ota.example.com/…",
        ),
        AddressKind::WebSocket => Text::new(
            "ws://192.168.1.100:8000/xiaozhi/v1/ 或 wss://voice.example.com/xiaozhi/v1/",
            "ws://192.168.1.100:8000/xiaozhi/v1/ or wss://voice.example.com/xiaozhi/v1/",
        ),
        AddressKind::Mqtt => Text::new(
            "192.168.1.100:1883，不带协议和路径",
            "192.168.1.100:1883, without scheme and path",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::text::Lang;
    use proptest::prelude::*;
    use xiaozhi_device::endpoint::read;

    const KINDS: [AddressKind; 3] = [AddressKind::Http, AddressKind::WebSocket, AddressKind::Mqtt];

    fn message(text: &str, kind: AddressKind) -> String {
        read(text, kind).map_or_else(|m| advice(&m).to_string(), |_| String::new())
    }

    #[test]
    fn the_part_to_blame_is_named_and_no_password() {
        let text = message("mqtt://192.168.1.7:1883", AddressKind::Mqtt);
        assert!(
            text.contains("\"//192.168.1.7:1883\"") && text.contains("abort"),
            "{text}"
        );
        assert!(text.contains("192.168.1.100:1883"), "{text}");
        let text = message("ws://192.168.1:4:8015/", AddressKind::WebSocket);
        assert!(
            text.contains("read 4 from \"4:8015\"") && text.contains("mute"),
            "{text}"
        );
        for secret in [
            "ws://device:hush@h:8000/",
            "ws://device:hush@h/",
            "wss://h/v1/?token=ab:hush",
            "wss://h/v1/?token=hush:1",
            "ws://device:hush/hush@h",
            "ws://device:1/hush:hush@h",
            "device:hush/x@h:8000/",
            "wss://u:p@h?token=hush",
            "ws://u:1＠hush＠h/x",
            "ws://u:hush%40h/x",
            "wss://h:x/v1/？token=hush",
        ] {
            let text = message(secret, AddressKind::WebSocket);
            assert!(!text.contains("hush"), "{text}");
        }
        for secret in [
            "device:hush＠mqtt.example.com",
            "device:hush%40mqtt.example.com",
            "h:1883:user:hush",
        ] {
            let text = message(secret, AddressKind::Mqtt);
            assert!(!text.contains("hush"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_message_holds_a_password(
            scheme in "(ws://|wss://|http://|)", password in "[:/?#+= ]{0,2}HUSHHUSH[:/?#+= ]{0,2}",
            at in "(@|＠|%40)", rest in "[a-z0-9.:/?#]{0,12}",
        ) {
            let text = format!("{scheme}me:{password}{at}{rest}");
            for kind in KINDS {
                if let Err(misread) = read(&text, kind) {
                    for lang in [Lang::En, Lang::Zh] {
                        let told = advice(&misread).message(lang);
                        prop_assert!(!told.contains("HUSH"), "{}: {}", text, told);
                    }
                }
            }
        }
    }
}
