use super::*;
use proptest::prelude::*;
use serde_json::Value;

/// What was seen: each string up to two keys deep, as `a.b=value`.
#[derive(Default)]
struct Seen(Vec<String>);

impl<'a> Take<'a> for Seen {
    fn value(&mut self, keys: &[&[u8]], value: JsonScalar<'a>) {
        if let JsonScalar::String(s) = value {
            let path = String::from_utf8_lossy(&keys.join(&b'.')).into_owned();
            self.0.push(format!("{path}={}", s.text()));
        }
    }

    fn array(&mut self, keys: &[&[u8]], text: &'a [u8]) -> Option<usize> {
        // An array that is looked into and one that is passed over are one to the reader.
        keys[0]
            .len()
            .is_multiple_of(2)
            .then(|| objects(text, |_, _, _| {}).ok())?
    }
}

fn strings(text: &[u8]) -> (Vec<String>, Result<(), JsonError>) {
    let mut seen = Seen::default();
    let end = read(text, &mut seen);
    (seen.0, end)
}

fn expected(value: &Value) -> Vec<String> {
    let mut seen = Vec::new();
    for (k, v) in value.as_object().into_iter().flatten() {
        if let Some(s) = v.as_str() {
            seen.push(format!("{k}={s}"));
        }
        for (k2, v2) in v.as_object().into_iter().flatten() {
            if let Some(s) = v2.as_str() {
                seen.push(format!("{k}.{k2}={s}"));
            }
        }
    }
    seen.sort();
    seen
}

#[test]
fn what_stood_before_the_fault_counts() {
    for (text, kept, fault) in [
        (
            r#"{"board":{"type":"esp32s3""#,
            vec!["board.type=esp32s3"],
            "the text ends early",
        ),
        (
            r#"{"a":"x","b":"tru"#,
            vec!["a=x"],
            "the text ends in a string",
        ),
        (
            r#"{"b":{"type":"t","name":"n","ssid":"my "wifi"","rssi":1}}"#,
            vec!["b.type=t", "b.name=n"],
            "a ',' or a closing bracket is missing",
        ),
        (
            r#"{"b":{"type":"t","ssid":"a\q","x":"y"}}"#,
            vec!["b.type=t"],
            "an unknown escape in a string",
        ),
        ("[]", vec![], "not a JSON object"),
        ("null", vec![], "not a JSON object"),
        (
            r#"{"a":"x"} {"#,
            vec!["a=x"],
            "something behind the end of the object",
        ),
        (r#"{"a":"x",}"#, vec!["a=x"], "a '\"' is missing"),
        (
            r#"{"a":01}"#,
            vec![],
            "a ',' or a closing bracket is missing",
        ),
    ] {
        let (seen, end) = strings(text.as_bytes());
        assert_eq!(seen, kept, "{text}");
        assert_eq!(end.map_err(|f| f.what), Err(fault), "{text}");
    }
}

#[test]
fn arrays_of_objects() {
    let read = |text: &'static str| {
        let mut seen = Vec::new();
        let end = objects(text.as_bytes(), |n, key, value| {
            seen.push((n, String::from_utf8_lossy(key).into_owned(), value.number()));
        });
        (seen, end.is_ok())
    };
    assert_eq!(read("[ ]"), (vec![], true));
    let (seen, whole) = read(r#"[{"a":1,"b":{"c":2}}, {"a":"x"},{"d":-1}]"#);
    let key = |n, key: &str, number| (n, key.to_owned(), number);
    assert_eq!(
        seen,
        [key(0, "a", Some(1)), key(1, "a", None), key(2, "d", None)]
    );
    assert!(whole);
    for broken in [r#"[{"a":1},2]"#, r#"[{"a":1}"#, r#"[{"a":1} {"a":2}]"#] {
        assert!(!read(broken).1, "{broken}");
    }
}

#[test]
fn control_characters_and_foreign_bytes_are_let_through() {
    let (seen, end) = strings(b"{\"a\":\"x\x01\n\xff\",\"b\":\"\\ud83d\\ude00\\ud800\"}");
    assert_eq!(seen, ["a=x\u{1}\n\u{fffd}", "b=\u{1f600}\u{fffd}"]);
    assert_eq!(end, Ok(()));
}

#[test]
fn deep_nesting_is_passed_over_and_no_crash() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        let (seen, end) = strings(format!("{{\"a\":{deep},\"b\":\"x\"}}").as_bytes());
        assert_eq!((seen, end), (vec!["b=x".to_owned()], Ok(())));
        let text = format!("{{\"a\":{}", open.repeat(100_000));
        assert_eq!(
            strings(text.as_bytes()).1.map_err(|f| f.what),
            Err("the text ends early")
        );
    }
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    let tree = leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-z\"\\\\é]{0,4}", inner, 0..5)
                .prop_map(|m| m.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    });
    prop::collection::hash_map("[a-z]{1,4}", tree, 0..5)
        .prop_map(|m| m.into_iter().collect::<serde_json::Map<_, _>>().into())
}

proptest! {
    #[test]
    fn valid_json_reads_as_serde_reads_it(value in json(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        let (mut seen, end) = strings(text.unwrap_or_default().as_bytes());
        seen.sort();
        prop_assert_eq!(end, Ok(()));
        prop_assert_eq!(seen, expected(&value));
    }

    #[test]
    fn a_prefix_gives_a_part_of_the_whole(value in json(), cut in any::<prop::sample::Index>()) {
        let text = value.to_string();
        let (all, _) = strings(text.as_bytes());
        let (some, _) = strings(&text.as_bytes()[..cut.index(text.len())]);
        prop_assert!(some.len() <= all.len());
        prop_assert_eq!(&some[..], &all[..some.len()]);
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
        if strings(&text).1.is_ok() && !text.iter().all(u8::is_ascii_whitespace) {
            // What passes here is JSON but for what strings may hold.
            let open = text.contains(&b'{');
            prop_assert!(open);
        }
    }
}
