//! What a source file knows: every path in it, as the compiler would resolve it.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use std::collections::HashMap;
use syn::visit::{self, Visit};
use syn::{Attribute, ExprMethodCall, File, Item, ItemExternCrate, ItemMod, Macro, UseTree};

/// Reads the paths of a file that is the module `module` (`["http", "front"]`), each
/// from its crate's root (`crate::config::Settings`, `std::fs`), whatever aliases and
/// `super` stand in its way. A glob ends in `*`, a method begins with a dot. What is
/// compiled for tests alone is left out, wherever it stands; what follows it is not.
pub(super) fn of(source: &str, module: &[&str]) -> Vec<String> {
    let file = syn::parse_file(source).unwrap();
    let mut aliases = Aliases {
        module: owned(module),
        names: HashMap::new(),
    };
    aliases.visit_file(&file);
    let mut paths = Paths {
        module: owned(module),
        names: aliases.names,
        known: Vec::new(),
    };
    paths.visit_file(&file);
    paths.known
}

fn owned(module: &[&str]) -> Vec<String> {
    module.iter().map(|name| (*name).to_owned()).collect()
}

/// Whether what bears these attributes is compiled for tests alone.
pub(super) fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let list = attribute.meta.require_list();
        attribute.path().is_ident("cfg") && list.is_ok_and(|l| l.tokens.to_string() == "test")
    })
}

pub(super) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Each name that a `use` brings, with its path. A name of one function counts for
/// the whole file: to find too much does no harm.
struct Aliases {
    module: Vec<String>,
    names: HashMap<String, Vec<String>>,
}

impl<'ast> Visit<'ast> for Aliases {
    fn visit_item(&mut self, item: &'ast Item) {
        if is_for_tests(attributes(item)) {
            return;
        }
        if let Item::Use(item) = item {
            for (path, name) in leaves(&item.tree) {
                let path = resolved(&path, &self.module, &HashMap::new());
                self.names.insert(name, path);
            }
        }
        visit::visit_item(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }
}

/// The paths of a `use`, each with the name that it brings.
fn leaves(tree: &UseTree) -> Vec<(Vec<String>, String)> {
    let (begin, rest) = match tree {
        UseTree::Path(path) => (path.ident.to_string(), leaves(&path.tree)),
        UseTree::Group(group) => return group.items.iter().flat_map(leaves).collect(),
        UseTree::Name(name) => {
            let name = name.ident.to_string();
            return vec![(vec![name.clone()], name)];
        }
        UseTree::Rename(rename) => {
            return vec![(vec![rename.ident.to_string()], rename.rename.to_string())];
        }
        UseTree::Glob(_) => return vec![(vec!["*".to_owned()], "*".to_owned())],
    };
    let longer = |(mut path, name): (Vec<String>, String)| {
        // `std::fs::{self}` brings the name `fs`.
        let name = if name == "self" { begin.clone() } else { name };
        if path == ["self"] {
            path.clear();
        }
        path.insert(0, begin.clone());
        (path, name)
    };
    rest.into_iter().map(longer).collect()
}

/// The path from its crate's root, which is called `crate` for this one.
fn resolved(
    path: &[String],
    module: &[String],
    names: &HashMap<String, Vec<String>>,
) -> Vec<String> {
    let mut rest = path;
    let mut base: Option<Vec<String>> = None;
    while let Some((first, behind)) = rest.split_first() {
        let here = || [&["crate".to_owned()], module].concat();
        match first.as_str() {
            "crate" | "xiaozhi_ota" if base.is_none() => base = Some(vec!["crate".to_owned()]),
            "self" if base.is_none() => base = Some(here()),
            "super" => {
                let mut above = base.unwrap_or_else(here);
                above.pop();
                base = Some(above);
            }
            _ => break,
        }
        rest = behind;
    }
    if let Some(base) = base {
        return [&base, rest].concat();
    }
    match path.first().and_then(|first| names.get(first)) {
        Some(alias) => [alias, &path[1..]].concat(),
        None => path.to_vec(),
    }
}

struct Paths {
    module: Vec<String>,
    names: HashMap<String, Vec<String>>,
    known: Vec<String>,
}

impl Paths {
    fn note(&mut self, path: &[String]) {
        let path = resolved(path, &self.module, &self.names).join("::");
        self.known.push(path);
    }

    /// Within a macro nothing but names and colons is known.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match &token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.end(&mut path);
                    }
                    path.push(ident.to_string());
                    colons = 0;
                    continue;
                }
                TokenTree::Punct(sign) if sign.as_char() == ':' => {
                    colons += 1;
                    if colons <= 2 && (sign.spacing() == Spacing::Joint || colons == 2) {
                        continue;
                    }
                }
                // `use crate::{config, http};` in a macro's rule.
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace && colons == 2 => {
                    for first in group.stream() {
                        if let TokenTree::Ident(ident) = first {
                            let longer = [&path[..], &[ident.to_string()]].concat();
                            self.note(&longer);
                        }
                    }
                }
                TokenTree::Punct(sign) if sign.as_char() == '*' && colons == 2 => {
                    path.push("*".to_owned());
                }
                _ => {}
            }
            colons = 0;
            self.end(&mut path);
            if let TokenTree::Group(group) = token {
                self.tokens(group.stream());
            }
        }
        self.end(&mut path);
    }

    fn end(&mut self, path: &mut Vec<String>) {
        if !path.is_empty() {
            self.note(path);
            path.clear();
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_file(&mut self, file: &'ast File) {
        visit::visit_file(self, file);
    }

    fn visit_item(&mut self, item: &'ast Item) {
        if is_for_tests(attributes(item)) {
            return;
        }
        if let Item::Use(item) = item {
            for (path, _) in leaves(&item.tree) {
                self.note(&path);
            }
        }
        visit::visit_item(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_for_tests(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_extern_crate(&mut self, item: &'ast ItemExternCrate) {
        self.note(&[item.ident.to_string()]);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<_> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        self.note(&names);
        visit::visit_path(self, path);
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        self.known.push(format!(".{}", call.method));
        visit::visit_expr_method_call(self, call);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if attribute.path().is_ident("path") {
            // A file that is another module than its place says.
            self.note(&["#[path]".to_owned()]);
        }
        if let Ok(list) = attribute.meta.require_list() {
            self.tokens(list.tokens.clone());
        }
        visit::visit_attribute(self, attribute);
    }

    fn visit_macro(&mut self, called: &'ast Macro) {
        if called.path.is_ident("include") {
            self.note(&["include!".to_owned()]);
        }
        self.tokens(called.tokens.clone());
        visit::visit_macro(self, called);
    }
}
