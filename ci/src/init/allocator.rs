//! Allocators in source files: which a library has, and where ours may stand.
//!
//! There is one `#[global_allocator]` in a program. The library's own counts for each program
//! that uses the library, an integration test too; one under `#[cfg(test)]` for the library's
//! unit tests alone.

use proc_macro2::Span;
use quote::ToTokens as _;
use syn::spanned::Spanned as _;
use syn::{Attribute, File, Item, ItemStatic};

/// A static with `#[global_allocator]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) line: usize,
    pub(super) name: String,
    /// Its type, as it is written.
    pub(super) of_type: String,
    /// What makes it, as it is written.
    pub(super) value: String,
    pub(super) when: When,
}

/// Which builds have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// Unit tests alone.
    InTests,
    /// All but unit tests.
    NotInTests,
    Always,
}

impl Found {
    /// Whether it counts.
    pub(super) fn is_ours(&self) -> bool {
        let is_imported = self.of_type == "Alloc" || self.of_type.starts_with("Alloc<");
        is_imported || self.of_type.contains("highwater")
    }

    /// The same with ours around it.
    pub(super) fn wrapped(&self) -> String {
        let Self {
            name,
            of_type,
            value,
            ..
        } = self;
        format!(
            "#[cfg(test)]\n#[global_allocator]\nstatic {name}: highwater::Alloc<{of_type}> = \
             highwater::Alloc::new({value});\n"
        )
    }
}

/// Those in a file, also in its inline modules.
pub(super) fn find(file: &File) -> Vec<Found> {
    let mut found = Vec::new();
    search(&file.items, When::Always, &mut found);
    found
}

fn search(items: &[Item], around: When, found: &mut Vec<Found>) {
    for item in items {
        match item {
            Item::Mod(module) => {
                let inner = module.content.as_ref().map(|(_, items)| items.as_slice());
                search(
                    inner.unwrap_or_default(),
                    when(&module.attrs, around),
                    found,
                );
            }
            Item::Static(item) if item.attrs.iter().any(is_allocator) => {
                found.push(described(item, around));
            }
            _ => {}
        }
    }
}

fn described(item: &ItemStatic, around: When) -> Found {
    let text = |span: Span, tokens: String| span.source_text().unwrap_or(tokens);
    Found {
        line: item.static_token.span.start().line,
        name: item.ident.to_string(),
        of_type: text(item.ty.span(), item.ty.to_token_stream().to_string()),
        value: text(item.expr.span(), item.expr.to_token_stream().to_string()),
        when: when(&item.attrs, around),
    }
}

/// Also one that stands there on a condition.
fn is_allocator(attribute: &Attribute) -> bool {
    let text = attribute.meta.to_token_stream().to_string();
    text == "global_allocator" || text.starts_with("cfg_attr") && text.contains("global_allocator")
}

fn when(attributes: &[Attribute], around: When) -> When {
    let texts = attributes.iter();
    let texts = texts.map(|attribute| attribute.meta.to_token_stream().to_string());
    let mut of_cfg = texts
        .filter(|text| text.starts_with("cfg"))
        .map(|text| text.replace(' ', ""));
    of_cfg.find_map(|text| when_of(&text)).unwrap_or(around)
}

fn when_of(condition: &str) -> Option<When> {
    if condition.contains("not(test)") {
        return Some(When::NotInTests);
    }
    (condition == "cfg(test)" || condition.starts_with("cfg(all(test,")).then_some(When::InTests)
}

/// The text of a library's root with our allocator for its unit tests, behind what it imports
/// and before what it defines.
pub(super) fn inserted(text: &str, file: &File) -> String {
    let is_taken = |item: &Item| matches!(item, Item::Static(item) if item.ident == "ALLOC");
    let name = if file.items.iter().any(is_taken) {
        "HIGHWATER_ALLOC"
    } else {
        "ALLOC"
    };
    let ours = [
        "#[cfg(test)]".to_owned(),
        "#[global_allocator]".to_owned(),
        format!("static {name}: highwater::Alloc = highwater::Alloc::system();"),
    ];
    let ends_line = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let lines: Vec<_> = text.lines().collect();
    let (above, below) = lines.split_at(place(&lines, file).min(lines.len()));
    let mut all: Vec<&str> = above.to_vec();
    if above.last().is_some_and(|line| !line.trim().is_empty()) {
        all.push("");
    }
    all.extend(ours.iter().map(String::as_str));
    if below.first().is_some_and(|line| !line.trim().is_empty()) {
        all.push("");
    }
    all.extend(below);
    all.join(ends_line) + ends_line
}

/// How many lines stay above ours.
fn place(lines: &[&str], file: &File) -> usize {
    let imports = |item: &&Item| match item {
        Item::Use(_) | Item::ExternCrate(_) => true,
        Item::Mod(module) => {
            let is_elsewhere = module.content.is_none();
            is_elsewhere && when(&module.attrs, When::Always) != When::InTests
        }
        _ => false,
    };
    if let Some(last) = file.items.iter().take_while(imports).last() {
        return last.span().end().line;
    }
    let Some(first) = file.items.first() else {
        return lines.len();
    };
    let mut place = first.span().start().line - 1;
    // A comment above an item is the item's.
    let is_comment = |line: &str| line.starts_with("//") && !line.starts_with("//!");
    while place > 0 && is_comment(lines[place - 1].trim_start()) {
        place -= 1;
    }
    place
}

#[cfg(test)]
mod tests;
