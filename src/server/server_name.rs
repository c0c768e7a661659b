//! Server names that clients ask for (`server_name`, RFC 6066), and what is wrong with those
//! that rustls refuses before any certificate is chosen.

use super::hello::Hello;
use super::shown::{list, shown};
use crate::event::text::Text;
use crate::event::{Event, event};
use std::net::SocketAddr;

/// Names the server name that a client asks for, and what is wrong with it.
pub(super) fn event(hello: &Hello, peer: SocketAddr, fault: Text) -> Event {
    let names = hello.names.iter().flatten();
    let names: Vec<_> = names.map(|name| shown(name)).collect();
    let name = (!names.is_empty()).then(|| list(names));
    event!(TLS_SERVER_NAME, peer = peer, name = name, fault = fault)
}

/// Returns why a client's server name is none that rustls takes, as far as it shows.
pub(super) fn fault(hello: &Hello) -> Option<Text> {
    let names = hello.names.as_deref()?;
    let name = match names {
        [] => {
            return Some(Text::new(
                "server_name 扩展里没有名称",
                "the extension server_name holds no name",
            ));
        }
        [name] => name.as_slice(),
        _ => {
            return Some(Text::new(
                "只能有一个名称，而这里有多个",
                "more than one name, and one is allowed",
            ));
        }
    };
    let has = |byte: u8| name.contains(&byte);
    let bare = name.strip_suffix(b".").unwrap_or(name);
    let mut labels = bare.split(|byte| *byte == b'.');
    let number = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let port = name.iter().rposition(|byte| *byte == b':');
    Some(if bare.is_empty() {
        Text::new("名称是空的", "the name is empty")
    } else if !name.is_ascii() {
        Text::new(
            "其中有非 ASCII 字符；中文域名必须写成 xn--…",
            "it holds letters that are not ASCII; such names are written xn--…",
        )
    } else if name
        .iter()
        .any(|byte| byte.is_ascii_control() || *byte == b' ')
    {
        Text::new(
            "其中有空格或控制字符",
            "a blank or a control sign stands in it",
        )
    } else if has(b'[') || name.split(|byte| *byte == b':').count() > 2 {
        Text::new(
            "IPv6 地址不能这样写",
            "an IPv6 address is not written so here",
        )
    } else if has(b'/') || has(b'@') {
        Text::new(
            "那是一个网址或其一部分，而不是主机名",
            "that is an address or a part of one, and no host name",
        )
    } else if port.is_some_and(|at| number(&name[at + 1..])) {
        Text::new("其中带有端口", "a port stands in it")
    } else if has(b'*') {
        Text::new("其中有通配符 *", "it holds a wildcard, *")
    } else if bare.len() > 253 || labels.clone().any(|label| label.len() > 63) {
        Text::new(
            "它太长（整个名称最多 253 个字符，两个点之间最多 63 个）",
            "it is too long: a name has 253 characters at most, and 63 between two dots",
        )
    } else if labels.clone().any(<[u8]>::is_empty) {
        Text::new("两个点之间是空的", "nothing stands between two dots")
    } else if labels.any(|label| label.starts_with(b"-") || label.ends_with(b"-")) {
        Text::new(
            "两个点之间的部分不能以 '-' 开头或结尾",
            "a part of it begins or ends with '-'",
        )
    } else {
        return None;
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::text::Lang;
    use proptest::prelude::*;

    fn of(names: &[&[u8]]) -> Option<&'static str> {
        let hello = Hello {
            names: Some(names.iter().map(|name| name.to_vec()).collect()),
            ..Hello::default()
        };
        fault(&hello).map(|fault| fault.to(Lang::En))
    }

    #[test]
    fn each_fault_of_a_name_is_told_apart() {
        let long = format!("{}.cn", "a".repeat(64));
        for (names, words) in [
            (&[][..], "holds no name"),
            (&[&b"a.cn"[..], b"b.cn"], "more than one"),
            (&[b""], "empty"),
            (&[b"."], "empty"),
            (&["小智.cn".as_bytes()], "xn--"),
            (&[b"\xff\xfe"], "xn--"),
            (&[b" ota.my.cn"], "blank"),
            (&[b"x\0y"], "blank"),
            (&[b"[::1]"], "IPv6"),
            (&[b"h/xiaozhi"], "address"),
            (&[b"user@h"], "address"),
            (&[b"h:8443"], "port"),
            (&[b"*.my.cn"], "wildcard"),
            (&[long.as_bytes()], "too long"),
            (&[&[b'a'; 300]], "too long"),
            (&[b"ota..cn"], "between two dots"),
            (&[b"-x.cn"], "'-'"),
            (&[b"x-.cn"], "'-'"),
        ] {
            assert!(
                of(names).is_some_and(|said| said.contains(words)),
                "{words}"
            );
        }
        for name in [&b"ota.my.cn"[..], b"ota.my.cn.", b"a_b.my.cn", b"1.2.3.4"] {
            assert_eq!(of(&[name]), None);
        }
    }

    proptest! {
        #[test]
        fn any_name_can_be_judged(name in any::<Vec<u8>>()) {
            let _ = of(&[&name]);
        }
    }
}
