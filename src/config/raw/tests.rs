use super::*;
use proptest::prelude::*;
use std::fmt::Write as _;
use std::path::Path;

fn parse(bytes: &[u8]) -> Result<Node, ConfigFaults> {
    super::parse(bytes, &Faults::new(Path::new("c.yaml")))
}

/// Shows a tree with its lines; what nobody knows the quotes of has a question mark.
fn shown(node: &Node) -> String {
    let at = |line: Option<usize>| line.map_or("?".to_owned(), |line| line.to_string());
    match &node.kind {
        Kind::Null => "~".to_owned(),
        Kind::Scalar(Scalar { text, style, .. }) => match style {
            Style::Plain => text.clone(),
            Style::Quoted => format!("'{text}'"),
            Style::Unknown => format!("?{text}"),
        },
        Kind::List(items) => {
            let items = items.iter();
            let items = items.map(|item| format!("@{} {}", at(item.line), shown(item)));
            format!("[{}]", items.collect::<Vec<_>>().join(", "))
        }
        Kind::Map(entries) => {
            let entries = entries.iter();
            let entries = entries.map(|(k, node)| format!("{k}@{} {}", at(node.line), shown(node)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}

fn read(yaml: &str) -> String {
    let read = parse(yaml.as_bytes());
    read.map_or_else(|fault| panic!("{yaml}: {fault}"), |node| shown(&node))
}

#[test]
fn scalars_keep_their_text() {
    assert_eq!(
        read(
            "a: 1.10\nb: +8\nc: on\nd: \"0\"\ne: 11:22:33:44:55:66\nf: 2026-12-31\ng: ~\nh:\n1.10: x\nlist: [0x1f, 1_0, 'q']\n"
        ),
        "{a@1 1.10, b@2 +8, c@3 on, d@4 '0', e@5 11:22:33:44:55:66, f@6 2026-12-31, g@7 ~, h@8 ~, 1.10@9 x, \
         list@10 [@10 0x1f, @10 1_0, @10 'q']}"
    );
    assert_eq!(
        read("a: |\n  off\nb: !!str off\nc: 'off'\nd: \"off\"\ne: off\nf: >-\n  off\n"),
        "{a@1 'off\n', b@3 'off', c@4 'off', d@5 'off', e@6 off, f@7 'off'}"
    );
}

#[test]
fn keys_and_items_have_lines() {
    assert_eq!(
        read(
            "server: &x\n  ip: 0.0.0.0\n  auth: {enabled: on,\n    x: [1, {y: 2}]}\n\nother: *x\nlist:\n- a: 1\n- *x\n-\n  # a\n  a: 2\n-\n  - 'b'\n"
        ),
        "{server@1 {ip@2 0.0.0.0, auth@3 {enabled@3 on, x@4 [@4 1, @4 {y@4 2}]}}, \
         other@6 {ip@2 0.0.0.0, auth@3 {enabled@3 on, x@4 [@4 1, @4 {y@4 2}]}}, \
         list@7 [@8 {a@8 1}, @9 {ip@2 0.0.0.0, auth@3 {enabled@3 on, x@4 [@4 1, @4 {y@4 2}]}}, @12 {a@12 2}, @14 [@14 'b']]}"
    );
    assert_eq!(read("---\r\na: &p 1\r\n\r\nb: *p\r\n"), "{a@2 1, b@4 1}");
    assert_eq!(read("\u{feff}a: 1\nb: 2\n"), "{a@1 1, b@2 2}");
    // Behind what only the reader of values takes there are no lines, and nobody knows
    // of quotes but where there is a number.
    assert_eq!(
        read("a: 'off'\nb: [1,\n2]\nc: off\nd: '1'\ne: 1\n"),
        "{a@1 'off', b@2 [@2 1, @? 2], c@? ?off, d@? ?1, e@? 1}"
    );
}

#[test]
fn equal_keys_stand_side_by_side_and_merge_keys_fill_in() {
    assert_eq!(read("a: 1\nb: 2\na: 3\n"), "{a@1 1, b@2 2, a@3 3}");
    assert_eq!(
        read("x: &x\n  a: 1\n  b: 2\ny:\n  <<: *x\n  b: 3\n"),
        "{x@1 {a@2 1, b@3 2}, y@4 {b@6 3, a@2 1}}"
    );
    assert_eq!(
        read("x: &x {a: 1, b: 2, a: 3}\ny:\n  <<: [*x, {b: 4,\n    c: 5}]\n"),
        "{x@1 {a@1 1, b@1 2, a@1 3}, y@2 {a@1 1, b@1 2, a@1 3, c@4 5}}"
    );
    assert_eq!(
        read("<<: {a: 1, b: 2}\nb: 3\n<<: {a: 4}\n"),
        "{b@2 3, a@1 1, a@3 4}"
    );
    // In quotes it merges nothing.
    assert_eq!(read("'<<': {a: 1}\n"), "{<<@1 {a@1 1}}");
}

#[test]
fn what_is_no_configuration_says_so() {
    assert_eq!(read(""), "{}");
    assert_eq!(read("# nothing\n"), "{}");
    for (text, words) in [
        (&b"- a\n"[..], "c.yaml:1: no mapping"),
        (b"\nhello", "c.yaml:2: no mapping"),
        (
            b"a: [1\n",
            "c.yaml:1: not YAML: the bracket that opens on this line",
        ),
        (
            b"a: 1\nb: [",
            "c.yaml:2: not YAML: the bracket that opens on this line",
        ),
        (
            b"x: 1\na: b: c\n",
            "c.yaml:2: the sign : means something else to YAML",
        ),
        (b"a: *x\n", "c.yaml:1: `*` in front means"),
        (
            b"a: 'x\n",
            "c.yaml:1: not YAML: the quote on this line is not closed",
        ),
        (
            b"a: 1\n---\nb: 2\n",
            "c.yaml:2: here one YAML document ends",
        ),
        (
            b"a: @x\n",
            "c.yaml:1: the sign @ means something else to YAML",
        ),
        (
            b"a: \"\\q\"\n",
            "c.yaml:1: in double quotes \\ begins an escape",
        ),
        (
            b"a:\n  b: 1\n c: 2\n",
            "c.yaml:3: blanks in front of this line: 1, and of the key above it: 2",
        ),
        (b"a: 1\nb: 1\n]\n", "did not find expected key"),
        (b"a:\n\t- b\n", "c.yaml:2: this line is indented by a tab"),
        (b"a: 1\n\xff\xfe", "c.yaml:2: not UTF-8 (at byte 5)"),
    ] {
        let message = parse(text).map_err(|fault| fault.to_string());
        assert!(
            message.as_ref().is_err_and(|m| m.contains(words)),
            "{message:?}"
        );
    }
    for (text, line) in [
        (format!("\na: {}", "[".repeat(500_000)), 2),
        (format!("a: {}", "{a: ".repeat(1000)), 1),
        (format!("x: 1\na:\n  {}x", "- ".repeat(1000)), 3),
    ] {
        let fault = parse(text.as_bytes()).unwrap_err().0.remove(0);
        assert_eq!(fault.place.line, Some(line), "{fault}");
        assert!(
            fault.to_string().contains("deeper than anything"),
            "{fault}"
        );
    }
    parse("a: [1]\nb: {c: [2]}\n".repeat(1000).as_bytes()).unwrap();
}

/// A document whose lines are known.
#[derive(Debug, Clone)]
enum Document {
    /// A text for one line, as it is written.
    Scalar(&'static str),
    /// As many lines of a block.
    Block(usize),
    /// A collection on one line.
    Flow(bool),
    List(Vec<(Noise, Document)>),
    Map(Vec<(Noise, Document)>),
}

/// What stands before a node: lines of nothing, and whether it begins on a line of its
/// own.
type Noise = (usize, bool);

fn document() -> impl Strategy<Value = Document> {
    let scalar = prop::sample::select(vec![
        "off", "'off'", "\"no\"", "1.10", "''", "~", "a b", "!!str 1", "&a x",
    ]);
    let leaf = prop_oneof![
        scalar.prop_map(Document::Scalar),
        (1..4_usize).prop_map(Document::Block),
        any::<bool>().prop_map(Document::Flow),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        let nodes = prop::collection::vec(((0..3_usize, any::<bool>()), inner), 1..5);
        prop_oneof![
            nodes.clone().prop_map(Document::List),
            nodes.prop_map(Document::Map)
        ]
    })
}

#[derive(Default)]
struct Written {
    text: String,
    /// Each node's path and line.
    lines: Vec<(String, usize)>,
}

impl Written {
    fn line(&self) -> usize {
        self.text.matches('\n').count() + 1
    }

    fn noise(&mut self, indent: usize, lines: usize) {
        for i in 0..lines {
            let noise = if i % 2 == 0 { "" } else { "# key: [1" };
            self.text.push_str(&" ".repeat(indent));
            self.text.push_str(noise);
            self.text.push('\n');
        }
    }

    /// Writes what stands behind a key or a dash, and returns the line on which it
    /// begins: a collection does where its first node does, a block with its text.
    fn node(&mut self, document: &Document, indent: usize, path: &str) -> usize {
        let line = self.line();
        let mut first = None;
        match document {
            Document::Scalar(text) => writeln!(self.text, " {text}").unwrap(),
            Document::Block(lines) => {
                self.text.push_str(" |\n");
                for _ in 0..*lines {
                    writeln!(self.text, "{}text: [", " ".repeat(indent + 2)).unwrap();
                }
            }
            Document::Flow(is_map) => {
                if *is_map {
                    self.text.push_str(" {p: 'off', q: [x]}\n");
                    for key in ["p", "q", "q[0]"] {
                        self.lines.push((format!("{path}.{key}"), line));
                    }
                } else {
                    self.text.push_str(" [off, {p: x}]\n");
                    for key in ["[0]", "[1]", "[1].p"] {
                        self.lines.push((format!("{path}{key}"), line));
                    }
                }
            }
            Document::List(items) => {
                self.text.push('\n');
                for (i, ((noise, own_line), item)) in items.iter().enumerate() {
                    self.noise(indent + 2, *noise);
                    let path = format!("{path}[{i}]");
                    write!(self.text, "{}-", " ".repeat(indent + 2)).unwrap();
                    let is_block = matches!(item, Document::List(_) | Document::Map(_));
                    if is_block && *own_line {
                        self.text.push_str(" # nothing");
                    }
                    first.get_or_insert(self.line());
                    let at = self.lines.len();
                    self.lines.push((path.clone(), 0));
                    self.lines[at].1 = self.node(item, indent + 2, &path);
                }
            }
            Document::Map(entries) => {
                self.text.push('\n');
                for (i, ((noise, is_quoted), value)) in entries.iter().enumerate() {
                    self.noise(indent + 2, *noise);
                    let path = format!("{path}.k{i}");
                    first.get_or_insert(self.line());
                    self.lines.push((path.clone(), self.line()));
                    let quote = if *is_quoted { "'" } else { "" };
                    let key = format!("{}{quote}k{i}{quote}:", " ".repeat(indent + 2));
                    self.text.push_str(&key);
                    self.node(value, indent + 2, &path);
                }
            }
        }
        match document {
            Document::Block(_) => line + 1,
            _ => first.unwrap_or(line),
        }
    }
}

fn lines_of(path: &str, node: &Node, lines: &mut Vec<(String, usize)>) {
    let mut add = |path: String, node: &Node| {
        lines.push((path.clone(), node.line.unwrap_or_default()));
        lines_of(&path, node, lines);
    };
    match &node.kind {
        Kind::Map(entries) => {
            for (key, node) in entries {
                add(format!("{path}.{key}"), node);
            }
        }
        Kind::List(items) => {
            for (i, node) in items.iter().enumerate() {
                add(format!("{path}[{i}]"), node);
            }
        }
        Kind::Null | Kind::Scalar(_) => {}
    }
}

proptest! {
    #[test]
    fn every_node_has_the_line_that_it_was_written_on(document in document(), noise in 0..3_usize) {
        let mut written = Written::default();
        written.noise(0, noise);
        written.lines.push((".top".to_owned(), noise + 1));
        written.text.push_str("top:");
        written.node(&document, 0, ".top");
        let node = parse(written.text.as_bytes());
        let node = node.map_err(|fault| TestCaseError::fail(format!("{}: {fault}", written.text)))?;
        let mut lines = Vec::new();
        lines_of("", &node, &mut lines);
        prop_assert_eq!(lines, written.lines, "{}", written.text);
    }

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
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[a-z0-9:\\-\\[\\]{}#&*!|>'\" \n\t%@`,?~<]{0,60}") {
        let _ = parse(text.as_bytes());
    }
}
