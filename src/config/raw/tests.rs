use super::*;
use proptest::prelude::*;

fn s(text: &str) -> Node {
    Node::Scalar(text.into())
}

fn map(entries: &[(&str, Node)]) -> Node {
    Node::Map(
        entries
            .iter()
            .map(|(k, v)| ((*k).to_owned(), v.clone()))
            .collect(),
    )
}

#[test]
fn scalars_keep_their_text() {
    let node = parse(b"a: 1.10\nb: +8\nc: on\nd: \"0\"\ne: 11:22:33:44:55:66\nf: 2026-12-31\ng: ~\nh:\n1.10: x\nlist: [0x1f, 1_0, 'q']\n");
    assert_eq!(
        node,
        Ok(map(&[
            ("a", s("1.10")),
            ("b", s("+8")),
            ("c", s("on")),
            ("d", s("0")),
            ("e", s("11:22:33:44:55:66")),
            ("f", s("2026-12-31")),
            ("g", Node::Null),
            ("h", Node::Null),
            ("1.10", s("x")),
            ("list", Node::List(vec![s("0x1f"), s("1_0"), s("q")])),
        ]))
    );
}

#[test]
fn equal_keys_stand_side_by_side_and_merge_keys_fill_in() {
    assert_eq!(
        parse(b"a: 1\nb: 2\na: 3\n"),
        Ok(map(&[("a", s("1")), ("b", s("2")), ("a", s("3"))]))
    );
    let node = parse(b"x: &x {a: 1, b: 2}\ny:\n  <<: *x\n  b: 3\n");
    let x = map(&[("a", s("1")), ("b", s("2"))]);
    let y = map(&[("b", s("3")), ("a", s("1"))]);
    assert_eq!(node, Ok(map(&[("x", x), ("y", y)])));
    let node = parse(b"x: &x {a: 1, b: 2, a: 3}\ny:\n  <<: [*x, {b: 4, c: 5}]\n");
    let x = [("a", s("1")), ("b", s("2")), ("a", s("3"))];
    let y = map(&[x.as_slice(), &[("c", s("5"))]].concat());
    assert_eq!(node, Ok(map(&[("x", map(&x)), ("y", y)])));
    let node = parse(b"<<: {a: 1, b: 2}\nb: 3\n<<: {a: 4}\n");
    let all = [("b", s("3")), ("a", s("1")), ("a", s("4"))];
    assert_eq!(node, Ok(map(&all)));
}

#[test]
fn what_is_no_configuration_says_so() {
    assert_eq!(parse(b""), Ok(Node::Map(Vec::new())));
    assert_eq!(parse(b"# nothing\n"), Ok(Node::Map(Vec::new())));
    for (text, words) in [
        (&b"- a\n"[..], "no mapping"),
        (b"hello", "no mapping"),
        (b"a: [1\n", "',' or ']'"),
        (
            b"a: b: c\n",
            "mapping values are not allowed in this context at line 1",
        ),
        (b"a: *x\n", "unknown anchor"),
        (b"a: 'x\n", "found unexpected end of stream"),
        (b"a: 1\n---\nb: 2\n", "containing more than one document"),
        (b"a: @x\n", "found character that cannot start any token"),
        (b"a: \"\\q\"\n", "found unknown escape character"),
        (b"a:\n  b: 1\n c: 2\n", "did not find expected key"),
        (b"a:\n\t- b\n", "not YAML"),
        (b"\xff\xfe", "not UTF-8"),
    ] {
        let message = parse(text).map_err(|f| f.message);
        assert!(
            message.as_ref().is_err_and(|m| m.contains(words)),
            "{message:?}"
        );
    }
}

proptest! {
    #[test]
    fn no_message_holds_a_value(
        before in "[a-z:\\-\\[\\]{}#&*!|>'\" \n]{0,12}", behind in "[a-z:\\-\\[\\]{}#&*!|>'\" \n]{0,12}",
        tag in "(|!!int |!!float |!!bool |!!null |!!binary |!x |&a |'|\")",
    ) {
        let text = format!("server:\n  auth_key: {tag}HUSH{before}\n  x: {behind}HUSH\n");
        if let Err(fault) = parse(text.as_bytes()) {
            prop_assert!(!fault.to_string().contains("HUSH"), "{}: {}", text, fault);
        }
    }

    #[test]
    fn no_message_holds_a_key(
        before in "[a-z:\\-\\[\\]{}#&*!|>'\" \n]{0,12}", tag in "(|!!int |!!null |!x |&a |'|\")",
    ) {
        let text = format!("server:\n  auth_key:{tag}HUSH: {before}\n  {tag}HUSH{before}\n");
        if let Err(fault) = parse(text.as_bytes()) {
            prop_assert!(!fault.to_string().contains("HUSH"), "{}: {}", text, fault);
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[a-z0-9:\\-\\[\\]{}#&*!|>'\" \n\t%@`,?~<]{0,60}") {
        let _ = parse(text.as_bytes());
    }
}
