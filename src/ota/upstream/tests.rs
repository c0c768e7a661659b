use super::*;
use proptest::prelude::*;
use std::time::{Duration, UNIX_EPOCH};

const BOUND: &str = r#"{"server_time":{"timestamp":1700000000123,"timeZone":"Asia/Shanghai","timezone_offset":480},"firmware":{"version":"1.0.0","url":"http://xiaozhi.server.com:8002/xiaozhi/otaMag/download/NOT_ACTIVATED_FIRMWARE_THIS_IS_A_INVALID_URL"},"websocket":{"url":"wss://h/xiaozhi/v1/", "token":"t\u0041 \/"},"mqtt":{"endpoint":"h:1883","client_id":"c"},"own":[1,2.50]}"#;

fn good(text: &str, kind: Kind) -> Reply {
    read(text.as_bytes(), kind).unwrap()
}

fn told(text: &str) -> String {
    let firmware = Firmware::up_to_date("1.6.0");
    let mut reply = good(text, Kind::Other);
    reply.make_room(Some(&firmware), 0).unwrap();
    String::from_utf8(reply.write(Some(&firmware))).unwrap()
}

fn refused(text: &str) -> Fault {
    read(text.as_bytes(), Kind::Other).unwrap_err()
}

/// The one block that is left out of this reply, and why.
fn left_out(text: &str) -> (String, Unfit) {
    let reply = good(text, Kind::Other);
    let [LeftOut { block, why }] = &reply.left_out[..] else {
        panic!("{text}: {:?}", reply.left_out);
    };
    (block.clone(), why.clone())
}

#[test]
fn all_but_firmware_reaches_the_device_byte_for_byte() {
    let told = told(BOUND);
    for whole in [
        r#""server_time":{"timestamp":1700000000123,"timeZone":"Asia/Shanghai","timezone_offset":480}"#,
        r#""websocket":{"url":"wss://h/xiaozhi/v1/", "token":"t\u0041 \/"}"#,
        r#""mqtt":{"endpoint":"h:1883","client_id":"c"}"#,
        r#""own":[1,2.50]"#,
        r#""firmware":{"version":"1.6.0","url":""}"#,
    ] {
        assert!(told.contains(whole), "{whole}\n{told}");
    }
    assert_eq!(told.matches("irmware").count(), 1, "{told}");
    assert!(serde_json::from_str::<serde_json::Value>(&told).is_ok());
}

#[test]
fn firmware_is_ours_however_theirs_is_written() {
    let voice = r#""websocket":{"url":"ws://h/"}"#;
    for name in ["firmware", "Firmware", "FIRMWARE", r"firm\u0077are"] {
        let told = told(&format!(
            r#"{{"{name}":{{"version":"9","url":"http://evil/"}},{voice},"{name}":1}}"#
        ));
        assert!(
            !told.contains("evil") && !told.contains("FIRMWARE"),
            "{told}"
        );
        assert!(
            told.ends_with(r#""firmware":{"version":"1.6.0","url":""}}"#),
            "{told}"
        );
    }
    let silent = good(BOUND, Kind::Other);
    assert!(
        !String::from_utf8(silent.write(None))
            .unwrap()
            .contains("irmware")
    );
}

#[test]
fn a_device_that_is_not_bound_is_held_and_so_is_one_without_updates() {
    let voice = r#""websocket":{"url":"ws://h/"}"#;
    let unbound = format!(
        r#"{{{voice},"activation":{{"code":"123456","message":"h\n123456","challenge":"c"}},"firmware":{{}}}}"#
    );
    let cases = [
        (unbound.as_str(), Some(Hold::Unbound), Some(Hold::Unbound)),
        (BOUND, None, None),
        (&format!("{{{voice}}}"), Some(Hold::UpdatesOff), None),
        (
            &format!(r#"{{{voice},"firmware":null,"activation":null}}"#),
            Some(Hold::UpdatesOff),
            None,
        ),
        (
            &format!(r#"{{{voice},"firmware":{{"version":"1.0.0","url":""}}}}"#),
            None,
            None,
        ),
        // Left out, and unbound all the same.
        (
            &format!(r#"{{{voice},"activation":{{"code":null}}}}"#),
            Some(Hold::Unbound),
            Some(Hold::Unbound),
        ),
    ];
    for (text, of_manager, of_other) in cases {
        assert_eq!(good(text, Kind::ManagerApi).hold, of_manager, "{text}");
        assert_eq!(good(text, Kind::Other).hold, of_other, "{text}");
    }
    assert!(!good(&unbound, Kind::Other).is_bound());
    assert!(good(BOUND, Kind::ManagerApi).is_bound());
    let code_alone = r#"{"activation":{"code":"123456"}}"#;
    assert!(!good(code_alone, Kind::Other).is_bound());
}

#[test]
fn what_would_harm_a_device_is_left_out_whole() {
    let key16 = "k".repeat(16);
    let long = "v".repeat(4000);
    let deep = format!("{}{}", "[".repeat(40), "]".repeat(40));
    let good_one = r#""mqtt":{"endpoint":"h:8883"}"#;
    let mut cases = vec![
        (
            r#"{"url":"ws://h/","token":null}"#.to_owned(),
            Unfit::Null("websocket.token".into()),
        ),
        (
            r#"{"url":"ws://h/","a":{"b":[null]}}"#.to_owned(),
            Unfit::Null("websocket.a.b".into()),
        ),
        (
            format!(r#"{{"url":"ws://h/","{key16}":1}}"#),
            Unfit::Key(format!("websocket.{key16}")),
        ),
        (
            format!(r#"{{"url":"ws://h/","token":"{long}"}}"#),
            Unfit::Value("websocket.token".into()),
        ),
        (format!(r#"{{"url":"ws://h/","a":{deep}}}"#), Unfit::Deep),
        (r#"{"url":"ws://h/","a":"\ud800"}"#.to_owned(), Unfit::Json),
        (
            r#"{"token":"t"}"#.to_owned(),
            Unfit::NoAddress("websocket.url".into()),
        ),
        ("{}".to_owned(), Unfit::NoAddress("websocket.url".into())),
        (
            r#"{"url":5}"#.to_owned(),
            Unfit::Form("websocket.url".into()),
        ),
        ("[]".to_owned(), Unfit::Form("websocket".into())),
        (r#""ws://h/""#.to_owned(), Unfit::Form("websocket".into())),
    ];
    for (block, expected) in cases.drain(..) {
        let text = format!(r#"{{"websocket":{block},{good_one}}}"#);
        assert_eq!(
            left_out(&text),
            ("websocket".to_owned(), expected),
            "{block}"
        );
        assert!(told(&text).starts_with(&format!("{{{good_one},")));
        // Where it was all that there is, nothing is left to say.
        let alone = format!(r#"{{"websocket":{block}}}"#);
        assert!(matches!(refused(&alone), Fault::Unfit { .. }), "{alone}");
    }
    for address in [
        "ws://h:/",
        "ws://h:x/",
        "ws://h:99999999999/",
        "ws://h/a:b",
        "h",
        "",
        "ws://[::1]/",
    ] {
        let text = format!(r#"{{"websocket":{{"url":"{address}"}},{good_one}}}"#);
        assert!(matches!(left_out(&text).1, Unfit::Address(..)), "{address}");
    }
    for endpoint in ["h:", "h:abc", "h:1883/", "192.168.1:4:8015", "h:2147483648"] {
        let text =
            format!(r#"{{"mqtt":{{"endpoint":"{endpoint}"}},"websocket":{{"url":"ws://h/"}}}}"#);
        assert_eq!(left_out(&text).0, "mqtt", "{endpoint}");
    }
    // The last value of a key is the one that stays in flash.
    let twice = format!(r#"{{"websocket":{{"url":"ws://h/","url":"ws://h:x/"}},{good_one}}}"#);
    assert!(matches!(left_out(&twice).1, Unfit::Address(..)));
    for (block, why) in [
        (
            r#""activation":{"code":1}"#,
            Unfit::Form("activation.code".into()),
        ),
        (
            r#""server_time":{"timestamp":"1"}"#,
            Unfit::Form("server_time.timestamp".into()),
        ),
        (r#""own":{"a":null}"#, Unfit::Null("own.a".into())),
        // What cJSON takes for another key, or for no JSON at all.
        (r#""own\u0000":1"#, Unfit::Json),
        (
            r#""firmware\u0000":{"version":"9.9.9","url":"http://h/"}"#,
            Unfit::Json,
        ),
        (r#""own":{"a":[{"url\u0000":1}]}"#, Unfit::Json),
        (&*format!(r#""own":0.{}"#, "1".repeat(62)), Unfit::Json),
    ] {
        assert_eq!(left_out(&format!("{{{block},{good_one}}}")).1, why);
    }
    // The longest of each is let through.
    let longest = format!(
        r#"{{"websocket":{{"url":"ws://h/","{}":"{}"}}}}"#,
        "k".repeat(15),
        "v".repeat(3999)
    );
    assert!(good(&longest, Kind::Other).left_out.is_empty());
}

#[test]
fn numbers_are_as_long_as_devices_read_them() {
    for (text, is_long) in [
        ("[0]", false),
        (&*"1".repeat(63), false),
        (&*"1".repeat(64), true),
        (
            &format!(r#"{{"a":"{}\"{}"}}"#, "1".repeat(99), "2".repeat(99)),
            false,
        ),
        (&format!(r#"["\\",{}]"#, "1".repeat(64)), true),
    ] {
        assert_eq!(has_long_number(text), is_long, "{text}");
    }
}

#[test]
fn known_blocks_count_wherever_they_stand() {
    let many: Vec<_> = (0..200).map(|n| format!(r#""a{n}":1"#)).collect();
    let text = format!(
        r#"{{{},"websocket":{{"url":"ws://h/"}},"firmware":{{}},"activation":{{"code":"1"}}}}"#,
        many.join(",")
    );
    let reply = good(&text, Kind::ManagerApi);
    assert_eq!(reply.hold, Some(Hold::Unbound));
    assert!(reply.blocks.iter().any(|block| block.known.is_voice()));
    assert_eq!(reply.left_out.len(), 1);
    assert_eq!(reply.left_out[0].why, Unfit::Room);
}

#[test]
fn an_unbound_device_is_known_though_its_activation_is_unfit() {
    let Fault::Unfit { is_unbound, .. } = refused(r#"{"activation":{"code":1}}"#) else {
        panic!();
    };
    assert!(is_unbound);
    let with_voice = good(
        r#"{"activation":{"code":1},"websocket":{"url":"ws://h/"}}"#,
        Kind::Other,
    );
    assert_eq!(with_voice.hold, Some(Hold::Unbound));
}

#[test]
fn unknown_blocks_go_first_where_there_is_no_room() {
    let filler = |length| "x".repeat(length);
    let text = format!(
        r#"{{"a":"{}","websocket":{{"url":"ws://h/","token":"{}"}},"b":"{}","c":"{}"}}"#,
        filler(3000),
        filler(3000),
        filler(3000),
        filler(10),
    );
    let mut reply = good(&text, Kind::Other);
    let firmware = Firmware::up_to_date("1.6.0");
    reply.make_room(Some(&firmware), 0).unwrap();
    let body = reply.write(Some(&firmware));
    assert!(body.len() <= LONGEST_REPLY);
    let names: Vec<_> = reply
        .left_out
        .iter()
        .map(|left| (&*left.block, left.why.clone()))
        .collect();
    assert_eq!(names, [("c", Unfit::Room), ("b", Unfit::Room)]);
    let text = format!(
        r#"{{"websocket":{{"url":"ws://h/","token":"{0}"}},"mqtt":{{"endpoint":"h","a":"{0}","b":"{0}"}}}}"#,
        filler(3000),
    );
    assert!(matches!(
        good(&text, Kind::Other).make_room(None, 0),
        Err(Fault::Unfit { .. })
    ));
}

#[test]
fn what_is_no_answer_is_refused() {
    for (text, fault) in [
        ("", Fault::NoJson),
        ("[]", Fault::NoJson),
        ("<html>", Fault::NoJson),
        (r#"{"websocket":{"url":"ws"#, Fault::NoJson),
        (r#"{"websocket":{"url":"ws://h/"}} x"#, Fault::NoJson),
        ("{}", Fault::NoBlock),
        (r#"{"code":500,"msg":"x","data":null}"#, Fault::NoBlock),
        (
            r#"{"websocket":null,"mqtt":null,"activation":null}"#,
            Fault::NoBlock,
        ),
    ] {
        assert_eq!(refused(text), fault, "{text}");
    }
    assert_eq!(read(b"{\"a\":\"\xff\"}", Kind::Other), Err(Fault::NoJson));
    let with_mark = format!("\u{feff}{BOUND}");
    assert_eq!(good(&with_mark, Kind::Other), good(BOUND, Kind::Other));
}

#[test]
fn what_is_kept_is_told_again_with_the_time_of_now() {
    let kept = good(BOUND, Kind::ManagerApi).keep();
    let now = UNIX_EPOCH + Duration::from_millis(1_800_000_000_456);
    let again = Reply::kept(&kept, true, now, 60).unwrap();
    assert_eq!(again.hold, Some(Hold::UpdatesOff));
    let told = String::from_utf8(again.write(None)).unwrap();
    assert!(
        told.contains(r#""server_time":{"timestamp":1800000000456,"timezone_offset":480}"#),
        "{told}"
    );
    assert!(told.contains(r#""websocket":{"url":"wss://h/xiaozhi/v1/", "token":"t\u0041 \/"}"#));
    assert!(!told.contains("activation") && !told.contains("irmware"));
    let without = Reply::kept(
        br#"{"mqtt":{"endpoint":"h"},"server_time":{}}"#,
        false,
        now,
        60,
    )
    .unwrap();
    assert_eq!(without.hold, None);
    assert!(Reply::kept(b"half", false, now, 60).is_err());
}

/// Any JSON value, of the words that mean something here.
fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        prop_oneof![
            Just("ws://h/"),
            Just("h:1883"),
            Just("h:x"),
            Just(""),
            Just("\\ud800"),
            Just("\\u0000")
        ]
        .prop_map(|text| format!("\"{text}\"")),
        (0..5000usize).prop_map(|length| format!("\"{}\"", "v".repeat(length))),
    ];
    leaf.prop_recursive(20, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|all| format!("[{}]", all.join(","))),
            prop::collection::vec((key(), inner), 0..4).prop_map(|all| object(&all)),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    let known = [
        "websocket",
        "mqtt",
        "activation",
        "firmware",
        "Firmware",
        "server_time",
        "url",
        "endpoint",
        "code",
        "own",
    ];
    let known = prop::sample::select(known.to_vec());
    let cut = known.clone().prop_map(|key| format!("{key}\\u0000"));
    prop_oneof![9 => known.prop_map(str::to_owned), 1 => "[a-z]{1,20}", 1 => cut]
}

fn object(pairs: &[(String, String)]) -> String {
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(key, value)| format!("\"{key}\":{value}"))
        .collect();
    format!("{{{}}}", pairs.join(","))
}

proptest! {
    #[test]
    fn nothing_that_harms_a_device_ever_gets_through(
        text in prop::collection::vec((key(), value()), 0..6).prop_map(|all| object(&all)),
    ) {
        let Ok(mut reply) = read(text.as_bytes(), Kind::Other) else { return Ok(()) };
        let firmware = Firmware::up_to_date("1.6.0");
        if reply.make_room(Some(&firmware), 0).is_err() { return Ok(()) }
        let body = reply.write(Some(&firmware));
        prop_assert!(body.len() <= LONGEST_REPLY);
        let node: Node = serde_json::from_slice(&body).unwrap();
        let mut names: Vec<_> = node.pairs().iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
        prop_assert!(node.judge("", DEEPEST + 1).is_none());
        names.retain(|name| Known::of(name) != Known::Other);
        let all = names.len();
        names.sort();
        names.dedup();
        prop_assert_eq!(all, names.len());
        for (name, value) in node.pairs() {
            let (key, kind) = match Known::of(name) {
                Known::WebSocket => ("url", AddressKind::WebSocket),
                Known::Mqtt => ("endpoint", AddressKind::Mqtt),
                Known::Firmware => {
                    prop_assert_eq!(value, &serde_json::from_str::<Node>(r#"{"version":"1.6.0","url":""}"#).unwrap());
                    continue;
                }
                _ => continue,
            };
            let address = value.pairs().iter().find(|(each, _)| each == key);
            let Some((_, Node::Text(address))) = address else { panic!("{text}") };
            prop_assert!(endpoint::read(address, kind).is_ok());
        }
        // What it is made of, it is read as again.
        let again = read(&body, Kind::Other).unwrap();
        prop_assert_eq!(again.left_out, vec![]);
    }
}
