use super::*;
use proptest::prelude::*;

fn effect(text: &str, kind: AddressKind) -> Result<(&str, u16), Effect> {
    read(text, kind)
        .map(|end| (end.host, end.port))
        .map_err(|misread| misread.effect)
}

#[test]
fn websockets_as_the_firmware_reads_them() {
    for (text, expected) in [
        (
            "ws://192.168.1.4:8000/xiaozhi/v1/",
            Ok(("192.168.1.4", 8000)),
        ),
        (
            "wss://voice.example.com/xiaozhi/v1/",
            Ok(("voice.example.com", 443)),
        ),
        ("ws://h", Ok(("h", 80))),
        ("ws://h:1", Ok(("h", 1))),
        ("wss://h:443/v1/?id=aa:bb", Ok(("h", 443))),
        ("ws://192.168.1.4:端口号/xiaozhi/v1/", Err(Effect::Aborts)),
        ("ws://192.168.1.4:/xiaozhi/v1/", Err(Effect::Aborts)),
        ("ws://192.168.1.4: /xiaozhi/v1/", Err(Effect::Aborts)),
        ("ws://h:port/", Err(Effect::Aborts)),
        ("ws://h:${PORT}/", Err(Effect::Aborts)),
        ("ws://h:2147483648/", Err(Effect::Aborts)),
        ("ws://[fd00::7]:8000/", Err(Effect::Aborts)),
        ("ws://[2001:18::1]/", Err(Effect::Mute)),
        ("ws://user:hush@h:8000/", Err(Effect::Aborts)),
        ("ws://user:1@h:8000/", Err(Effect::Mute)),
        ("wss://h/v1/?id=aa:bb", Err(Effect::Aborts)),
        ("wss://h/v1/a:8/", Err(Effect::Mute)),
        ("wss://h/v1:", Err(Effect::Aborts)),
        ("ws://192.168.1:4:8015/xiaozhi/v1/", Err(Effect::Mute)),
        ("WS://h:8000/", Ok(("h", 8000))),
        ("ws://h:8000x/", Err(Effect::Mute)),
        ("ws://h: +8000 /", Err(Effect::Mute)),
        ("ws://h:8000?token=x", Err(Effect::Mute)),
        ("ws://h:-1/", Err(Effect::Mute)),
        ("ws://h:0/", Err(Effect::Mute)),
        ("ws://h:80000/", Err(Effect::Mute)),
        ("ws://h:2147483647/", Err(Effect::Mute)),
        ("ws://h?x/", Err(Effect::Mute)),
        ("ws:///v1/", Err(Effect::Mute)),
        ("ws://:8000/", Err(Effect::Mute)),
        ("ws://192.168.1.4：8000/", Err(Effect::Mute)),
        ("ws://h/xiao zhi/", Err(Effect::Mute)),
        ("ws://h/小智/", Err(Effect::Mute)),
        ("WSS://h/", Err(Effect::Mute)),
        ("http://h/", Err(Effect::Mute)),
        ("http://h:8000/", Err(Effect::Mute)),
        ("http://h:端口/", Err(Effect::Aborts)),
        ("WSS://h:2147483648/", Err(Effect::Aborts)),
        ("ws://user:hush@h/", Err(Effect::Aborts)),
        ("h:8000/xiaozhi/v1/", Err(Effect::Mute)),
    ] {
        assert_eq!(effect(text, AddressKind::WebSocket), expected, "{text}");
    }
}

#[test]
fn endpoints_as_the_firmware_reads_them() {
    for (text, expected) in [
        ("192.168.1.7:1883", Ok(("192.168.1.7", 1883))),
        ("mqtt.example.com", Ok(("mqtt.example.com", 8883))),
        ("mqtt://192.168.1.7:1883", Err(Effect::Aborts)),
        ("tcp://h", Err(Effect::Aborts)),
        ("[fd00::7]:1883", Err(Effect::Aborts)),
        ("fd00::7", Err(Effect::Aborts)),
        ("h:", Err(Effect::Aborts)),
        ("h:端口", Err(Effect::Aborts)),
        ("h:99999999999", Err(Effect::Aborts)),
        ("user:hush@h:1883", Err(Effect::Aborts)),
        ("192.168.1.7:1883/", Err(Effect::Mute)),
        ("192.168.1.7:1883 ", Err(Effect::Mute)),
        ("192.168.1:7:1883", Err(Effect::Mute)),
        ("h:80000", Err(Effect::Mute)),
        ("h/mqtt", Err(Effect::Mute)),
        ("h/a:1883", Err(Effect::Mute)),
        ("h：1883", Err(Effect::Mute)),
        (":1883", Err(Effect::Mute)),
        ("", Err(Effect::Mute)),
    ] {
        assert_eq!(effect(text, AddressKind::Mqtt), expected, "{text}");
    }
    let long = format!("{}.example.com:1883", "x".repeat(4000));
    assert_eq!(effect(&long, AddressKind::Mqtt), Err(Effect::Aborts));
    let label = format!("{}.example.com", "x".repeat(63));
    assert!(read(&label, AddressKind::Mqtt).is_ok());
    let long = format!("x{label}");
    assert_eq!(effect(&long, AddressKind::Mqtt), Err(Effect::Mute));
    let long = format!("h{}:1883", ".abcdefg".repeat(32));
    assert_eq!(effect(&long, AddressKind::Mqtt), Err(Effect::Mute));
}

#[test]
fn http_addresses_as_the_firmware_reads_them() {
    for (text, expected) in [
        ("http://h:8003/xiaozhi/ota/", Ok(("h", 8003))),
        ("https://h/a:b/ota/", Ok(("h", 443))),
        ("https://[fd00::7]:8003/xiaozhi/ota/", Err(Effect::Fails)),
        ("http://h:80000/", Err(Effect::Fails)),
        ("http://h: 80/", Err(Effect::Fails)),
        ("http://h:80x/", Err(Effect::Fails)),
        ("http://h:/", Err(Effect::Fails)),
        ("HTTP://h/", Err(Effect::Fails)),
        (
            &format!("http://h/{}", "x".repeat(LONGEST_HTTP)),
            Err(Effect::Fails),
        ),
    ] {
        assert_eq!(effect(text, AddressKind::Http), expected, "{text}");
    }
}

proptest! {
    #[test]
    fn whatever_is_taken_is_read_by_stoi_as_it_stands(
        text in "(ws://|wss://|)[a-z0-9.:\\[\\]/@? +-]{0,24}",
    ) {
        for kind in [AddressKind::WebSocket, AddressKind::Mqtt, AddressKind::Http] {
            if let Ok(Endpoint { host, port }) = read(&text, kind) {
                prop_assert!(port > 0 && !host.is_empty());
                let rest = text.split_once("://").map_or(&*text, |(_, rest)| rest);
                let behind = rest.strip_prefix(host).and_then(|rest| rest.strip_prefix(':'));
                let port = port.to_string();
                let is_named = |behind: &str| behind.trim_start_matches('0').starts_with(&port);
                prop_assert!(rest.starts_with(host), "{}", text);
                prop_assert!(behind.is_none_or(is_named), "{}", text);
            }
        }
    }
}
