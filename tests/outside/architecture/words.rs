//! The first words of documentation: a verb, or the thing itself. A clause without a
//! head ("what a CA is told") cannot be searched for.

use super::paths::{attributes, is_for_tests};
use super::{none, read, sources};
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, ExprLit, Field, ImplItem, Item, Lit, Meta, TraitItem, Variant};

/// First words of a clause without a head.
const HEADLESS: [&str; 13] = [
    "how", "if", "that", "those", "what", "when", "where", "whether", "which", "who", "whom",
    "whose", "why",
];

/// Returns whether documentation begins with a clause that lacks its head.
fn is_headless(text: &str) -> bool {
    let mut words = text.split_whitespace().map(str::to_lowercase);
    let first = words.next().unwrap_or_default();
    let is_none = first == "`none`" && words.next().is_some_and(|second| second == "for");
    // Prose alone: `what` may be the name of a field.
    let word = first.trim_end_matches(|c: char| !c.is_alphanumeric());
    is_none || HEADLESS.contains(&word)
}

/// Returns the first line of an item's documentation.
fn first_line(attributes: &[Attribute]) -> Option<String> {
    attributes
        .iter()
        .find_map(|attribute| match &attribute.meta {
            Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
                Expr::Lit(ExprLit {
                    lit: Lit::Str(text),
                    ..
                }) => Some(text.value().trim().to_owned()),
                _ => None,
            },
            _ => None,
        })
}

/// Collects the first lines of a file, without those of its tests.
#[derive(Default)]
struct FirstLines(Vec<String>);

impl FirstLines {
    fn note(&mut self, attributes: &[Attribute]) {
        self.0.extend(first_line(attributes));
    }
}

impl<'ast> Visit<'ast> for FirstLines {
    fn visit_file(&mut self, file: &'ast syn::File) {
        self.note(&file.attrs);
        visit::visit_file(self, file);
    }

    fn visit_item(&mut self, item: &'ast Item) {
        if is_for_tests(attributes(item)) {
            return;
        }
        self.note(attributes(item));
        visit::visit_item(self, item);
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        match item {
            ImplItem::Const(item) => self.note(&item.attrs),
            ImplItem::Fn(item) if is_for_tests(&item.attrs) => return,
            ImplItem::Fn(item) => self.note(&item.attrs),
            ImplItem::Type(item) => self.note(&item.attrs),
            _ => {}
        }
        visit::visit_impl_item(self, item);
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        match item {
            TraitItem::Const(item) => self.note(&item.attrs),
            TraitItem::Fn(item) => self.note(&item.attrs),
            TraitItem::Type(item) => self.note(&item.attrs),
            _ => {}
        }
        visit::visit_trait_item(self, item);
    }

    fn visit_field(&mut self, field: &'ast Field) {
        self.note(&field.attrs);
        visit::visit_field(self, field);
    }

    fn visit_variant(&mut self, variant: &'ast Variant) {
        self.note(&variant.attrs);
        visit::visit_variant(self, variant);
    }
}

/// Returns the first lines of a source that begin without a head.
fn headless(source: &str) -> Vec<String> {
    let file = syn::parse_file(source).unwrap();
    let mut lines = FirstLines::default();
    lines.visit_file(&file);
    lines.0.retain(|line| is_headless(line));
    lines.0
}

/// Returns the headless lines of a source file, each with the file.
fn headless_of(file: &str) -> Vec<String> {
    let lines = headless(&read(file)).into_iter();
    let words = |line| format!("src/{file}: begin with a verb or the thing: {line}");
    lines.map(words).collect()
}

#[test]
fn documentation_begins_with_a_verb_or_the_thing() {
    let files = sources("");
    none(
        &files
            .iter()
            .flat_map(|file| headless_of(file))
            .collect::<Vec<_>>(),
    );
}

#[test]
fn a_headless_clause_is_seen_wherever_it_stands() {
    for planted in [
        "//! What is done here.\nfn f() {}",
        "/// What a CA is told.\nstruct S;",
        "/// Whether it is so.\n/// And more.\npub(crate) fn f() {}",
        "#[derive(Debug)]\n/// How it went.\nenum E {}",
        "enum E {\n/// Who asks.\nA }",
        "struct S {\n/// Why.\na: u8 }",
        "enum E { A {\n/// Where to.\na: u8 } }",
        "trait T {\n/// Which one.\nfn f(); }",
        "impl S {\n/// `None` for who is not served.\nfn f() {} }",
        "impl S {\n/// When it ends.\nconst A: u8 = 0; }",
        "mod m {\n/// Those that wait.\nstatic S: u8 = 0; }",
        "#[cfg(test)] mod tests {}\n/// If it is so.\ntype T = u8;",
        "fn f() {\n/// That one.\nfn g() {} }",
    ] {
        assert_eq!(headless(planted).len(), 1, "{planted}");
    }
    for fine in [
        "//! Reads what is asked.",
        "/// Address of a host.\nstruct S { /** Bytes. */ a: u8 }",
        "/// `None` where nobody asks.\nfn f() {}",
        "#[cfg(test)] mod tests {\n/// What is tested.\nfn f() {} }",
        "// What a comment says.\nfn f() {}",
        "/// Whatever comes.\nfn f() {}",
    ] {
        none(&headless(fine));
    }
}
