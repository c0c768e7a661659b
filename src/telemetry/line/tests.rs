use super::*;
use crate::event::event;
use serde_json::json;
use std::net::{IpAddr, Ipv4Addr};

const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)), 1024);

/// The line without its time.
fn line(style: Style, event: &Event) -> String {
    let mut line = String::new();
    style.write_event(event, Timestamp::now(), &mut line);
    assert!(
        line.ends_with('\n') && line.matches('\n').count() == 1,
        "{line:?}"
    );
    line.trim_end().to_owned()
}

fn text(lang: Lang, event: &Event) -> String {
    let format = Format::Text;
    line(Style { lang, format }, event)[19..].to_owned()
}

#[test]
fn a_line_has_words_then_fields_then_the_id() {
    let event = event!(MODEL_GONE, model = "my board");
    assert_eq!(
        text(Lang::En, &event),
        r#" - WARNING - [catalogue] - no file of this model is left: its devices may be offered default_*.bin now model="my board" event=model.gone"#
    );
    assert_eq!(
        text(Lang::Zh, &event),
        r#" - WARNING - [catalogue] - 该型号已没有文件：其设备可能会得到 default_*.bin model="my board" event=model.gone"#
    );
    // The guide's words are the same in both, and so is a URL that holds a brace.
    let event = event!(
        OFFER,
        device = "aa",
        version = "1.0",
        url = "http://h/{x}",
        peer = PEER,
        force = true.then_some(1u8)
    );
    assert_eq!(text(Lang::En, &event), text(Lang::Zh, &event));
    assert!(
        text(Lang::En, &event).ends_with("-> http://h/{x} peer=192.0.2.7:1024 force=1 event=offer")
    );
    let event = event!(
        UP_TO_DATE,
        device = "aa",
        version = "1.0",
        peer = PEER,
        withheld = None::<u64>
    );
    assert!(
        text(Lang::En, &event).ends_with("固件已是最新: 1.0 peer=192.0.2.7:1024 event=up-to-date")
    );
}

#[test]
fn a_reason_is_told_by_words_and_by_id() {
    let why = event!(WITHHELD_FAILED, times = 3u32);
    let event = event!(FILE_REFUSED, file = "a_1.bin", why = &why);
    let line = text(Lang::En, &event);
    assert!(
        line.contains("file not used: not offered: it failed on the device 3 times"),
        "{line}"
    );
    assert!(
        line.ends_with(" file=a_1.bin why=withheld.failed event=file.refused"),
        "{line}"
    );
    assert!(line.contains("Remedy: xiaozhi-ota retry lets it"), "{line}");
    // Of a device it is a command to copy.
    let event = event!(WITHHELD_FAILED, times = 3u32);
    for (device, word) in [("02:00:00:00:00:01", "02:00:00:00:00:01"), ("a;b", "'a;b'")] {
        let line = text(Lang::En, &event.clone().of("device", device));
        let words = format!("Remedy: xiaozhi-ota retry {word} lets it");
        assert!(line.contains(&words), "{line}");
    }
}

#[test]
fn json_is_one_object_with_typed_fields() {
    let style = Style {
        lang: Lang::Zh,
        format: Format::Json,
    };
    let event =
        event!(WITHHELD_SIZE, size = 9u64, room = 5u64).of("device", "a\u{9b}\n\u{202e}\"b");
    let line = line(style, &event);
    assert!(
        line.is_ascii() || !line.contains(['\u{9b}', '\u{202e}']),
        "{line}"
    );
    let mut object: Json = serde_json::from_str(&line).unwrap();
    let time = object["time"].take();
    Timestamp::strptime("%Y-%m-%dT%H:%M:%S%:z", time.as_str().unwrap()).unwrap();
    assert_eq!(
        object,
        json!({
            "time": null, "level": "INFO", "source": "checkin", "event": "withheld.size",
            "message": "未下发：其 9 字节超过设备上任何应用分区，最大的只有 5 字节",
            "device": "a\u{9b}\n\u{202e}\"b", "size": 9, "room": 5,
        })
    );
}

#[test]
fn what_a_stranger_sent_stays_on_its_line() {
    let mut line = "kept\n".to_owned();
    line.push_str("a\n2025 - INFO\r\u{1b}[31m小\u{9b}°");
    keep_on_one_line(&mut line, 5);
    assert_eq!(line, "kept\na\\n2025 - INFO\\r\\u{1b}[31m小\\u{9b}°");
    let event = event!(
        CHECK_IN,
        device = "a\n2025-01-01 00:00:00 - INFO - forged",
        peer = PEER
    );
    assert!(text(Lang::En, &event).contains("a\\n2025"));
}

#[test]
fn no_value_passes_for_an_id() {
    let event = event!(CHECK_IN, device = "x event=withheld.chip", peer = PEER);
    let line = text(Lang::En, &event);
    assert!(
        line.ends_with(r"x event\=withheld.chip peer=192.0.2.7:1024 event=check-in"),
        "{line}"
    );
    let event = event!(MODEL_GONE, model = "event=offer");
    assert_eq!(text(Lang::En, &event).matches("event=").count(), 1);
}
