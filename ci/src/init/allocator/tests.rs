//! Where ours is put, and what is found of others.

use super::{When, find, inserted};

const OURS: &str = "#[cfg(test)]\n#[global_allocator]\nstatic ALLOC: highwater::Alloc = \
                    highwater::Alloc::system();\n";

fn with_ours(text: &str) -> String {
    inserted(text, &syn::parse_file(text).expect("it is Rust"))
}

#[test]
fn ours_stands_behind_imports_and_before_definitions() {
    for (above, below) in [
        ("", ""),
        (
            "//! Docs.\n\n#![forbid(unsafe_code)]\n\n",
            "pub fn f() {}\n",
        ),
        ("", "// Why.\n/// What.\npub fn f() {}\n"),
        (
            "//! Docs.\n\nmod one;\nuse std::{\n    fs,\n    io,\n};\n\n",
            "#[cfg(test)]\nmod tests;\n",
        ),
        ("use std::fs;\n\n", "fn f() {}\n\nuse std::io;\n"),
    ] {
        let between = if below.is_empty() { "" } else { "\n" };
        let expected = format!("{above}{OURS}{between}{below}");
        assert_eq!(with_ours(&format!("{above}{below}")), expected);
    }
}

#[test]
fn a_name_that_is_taken_is_not_used_and_line_ends_are_kept() {
    let text = with_ours("static ALLOC: u8 = 1;\r\n");
    assert!(text.contains("\r\nstatic HIGHWATER_ALLOC: "), "{text}");
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
}

#[test]
fn allocators_are_found_with_their_condition() {
    let allocator = "#[global_allocator]\nstatic A: x::Jem = x::Jem(1);\n";
    for (text, when) in [
        (allocator.to_owned(), When::Always),
        (format!("#[cfg(test)]\n{allocator}"), When::InTests),
        (format!("#[cfg(not(test))]\n{allocator}"), When::NotInTests),
        (
            format!("#[cfg(feature = \"a\")]\n{allocator}"),
            When::Always,
        ),
        (
            format!("#[cfg(test)]\nmod m {{\n{allocator}}}"),
            When::InTests,
        ),
    ] {
        let found = find(&syn::parse_file(&text).expect("it is Rust"));
        let [found] = found.as_slice() else {
            panic!("one in {text}: {found:?}");
        };
        assert_eq!(found.when, when, "{text}");
        assert!(!found.is_ours());
        let wrapped = found.wrapped();
        let expected = "static A: highwater::Alloc<x::Jem> = highwater::Alloc::new(x::Jem(1));\n";
        assert!(wrapped.ends_with(expected), "{wrapped}");
        let wrapped = find(&syn::parse_file(&wrapped).expect("it is Rust"));
        assert!(wrapped[0].is_ours());
    }
    let text = "//! #[global_allocator]\n#[allow(unused)]\nstatic A: u8 = 1;";
    assert_eq!(find(&syn::parse_file(text).expect("it is Rust")), []);
}
