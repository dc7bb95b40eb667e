//! Paths of functions and types, cut to what tells.

/// `alloc::vec::Vec<my::Candle>` as `Vec<Candle>`: in types, the last part of each path;
/// of a function's own path, the last two.
pub(super) fn short(path: &str) -> String {
    shortened(path, 0)
}

/// The same for a text that stands inside so many brackets.
pub(super) fn shortened(path: &str, mut depth: i32) -> String {
    let mut shortened = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(end) = rest.find(ENDS) {
        let (word, mark, after) = (&rest[..end], &rest[end..=end], &rest[end + 1..]);
        push_word(&mut shortened, word, depth > 0);
        match mark {
            "<" | "(" | "[" => depth += 1,
            // The arrow of a function's type closes nothing.
            ">" if word.ends_with('-') => {}
            ">" | ")" | "]" => depth -= 1,
            _ => {}
        }
        shortened.push_str(mark);
        rest = after;
    }
    push_word(&mut shortened, rest, depth > 0);
    shortened
}

/// What ends a path.
const ENDS: [char; 12] = ['<', '>', ',', ' ', '(', ')', '[', ']', '&', ';', '+', '='];

/// Adds the last parts of a path. One that goes on from a bracket, or to one, keeps the `::`
/// there.
fn push_word(shortened: &mut String, word: &str, is_type: bool) {
    let inner = word.strip_prefix("::");
    let starts = if inner.is_some() { "::" } else { "" };
    let inner = inner.unwrap_or(word);
    let (path, ends) = match inner.strip_suffix("::") {
        Some(path) => (path, "::"),
        None => (inner, ""),
    };
    let most = if is_type || !ends.is_empty() { 1 } else { 2 };
    let cut = path.rmatch_indices("::").nth(most - 1);
    let from = cut.map_or(0, |(at, _)| at + "::".len());
    shortened.push_str(starts);
    shortened.push_str(&path[from..]);
    shortened.push_str(ends);
}

/// The type and the name of a function, without closures and what generics stand for: that is
/// the same for both forms of symbols.
#[doc(hidden)]
pub fn plain(function: &str) -> String {
    let (mut text, mut rest) = (String::new(), function);
    while let Some((before, inside, after)) = split_at_brackets(rest) {
        text.push_str(before);
        let of_impl = inside.strip_prefix("impl ");
        // What a path begins with in brackets is its type, too.
        if of_impl.is_some() || text.is_empty() {
            let kind = of_impl.unwrap_or(inside).split(" as ").next();
            let kind = kind.and_then(|kind| kind.rsplit(" for ").next());
            let kind = kind.and_then(|kind| kind.split('<').next());
            text.push_str(kind.unwrap_or_default());
        }
        rest = after;
    }
    text.push_str(rest);
    let words = text.split("::");
    let words = words.filter(|word| !word.is_empty() && !word.starts_with('{'));
    let words: Vec<_> = words.collect();
    words[words.len().saturating_sub(2)..].join("::")
}

/// What is before the first `<`, up to its `>`, and behind that.
fn split_at_brackets(path: &str) -> Option<(&str, &str, &str)> {
    let (before, _) = path.split_once('<')?;
    let inside = closing(&path[before.len()..])?;
    let after = &path[before.len() + inside.len() + "<>".len()..];
    Some((before, inside, after))
}

/// What is between the first `<` and its `>`.
pub(super) fn closing(function: &str) -> Option<&str> {
    let mut depth = 0;
    for (index, c) in function.match_indices(['<', '>']) {
        match c {
            "<" => depth += 1,
            _ if function[..index].ends_with('-') => {}
            _ => {
                depth -= 1;
                if depth == 0 {
                    return function.get(1..index);
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(cases: &[[&str; 2]]) {
        for [path, expected] in cases {
            assert_eq!(short(path), *expected, "{path}");
        }
    }

    #[test]
    fn names_are_cut_to_what_tells() {
        check(&[
            ["main", "main"],
            ["prices::cache::remember", "cache::remember"],
            ["alloc::vec::Vec<fixtures::Candle>", "vec::Vec<Candle>"],
            [
                "<alloc::vec::Vec<fixtures::market::Candle>>::push",
                "<Vec<Candle>>::push",
            ],
        ]);
        assert_eq!(shortened("alloc::vec::Vec<my::Candle>", 1), "Vec<Candle>");
    }

    /// Symbols in Rust's own form have the types.
    #[test]
    fn names_in_the_v0_form() {
        check(&[
            ["bot::Bot::on_candle::{closure#0}", "on_candle::{closure#0}"],
            [
                "<tokio::sync::mpsc::list::Tx<my::Order>>::find_block",
                "<Tx<Order>>::find_block",
            ],
            [
                "<my::add as axum::handler::Handler<(my::M, u8), my::S>>::call::{closure#0}",
                "<add as Handler<(M, u8), S>>::call::{closure#0}",
            ],
            [
                "<alloc::raw_vec::RawVecInner>::reserve::grow::<alloc::alloc::Global>",
                "<RawVecInner>::grow::<Global>",
            ],
            [
                "<alloc::boxed::Box<my::f::<u8>::{closure#0}>>::new",
                "<Box<f::<u8>::{closure#0}>>::new",
            ],
            [
                "my::call::<fn(my::In) -> my::Out, [my::Key; 4]>",
                "call::<fn(In) -> Out, [Key; 4]>",
            ],
        ]);
    }

    /// Symbols in the form of C++ have a function's own generics only.
    #[test]
    fn names_in_the_legacy_form() {
        check(&[
            [
                "tokio::sync::mpsc::list::Tx<T>::find_block",
                "list::Tx<T>::find_block",
            ],
            [
                "tokio::sync::mpsc::list::Tx<T>::find_block::{{closure}}",
                "list::Tx<T>::find_block::{{closure}}",
            ],
            [
                "<F as axum::handler::Handler<(M,T1,T2,T3),S>>::call::{{closure}}",
                "<F as Handler<(M,T1,T2,T3),S>>::call::{{closure}}",
            ],
            [
                "<<I as core::iter::IntoIterator>::IntoIter as core::iter::Iterator>::next",
                "<<I as IntoIterator>::IntoIter as Iterator>::next",
            ],
            [
                "shop::cart::<impl shop::Cart>::add::{{closure}}",
                "cart::<impl Cart>::add::{{closure}}",
            ],
            [
                "<dyn shop::Hook+core::marker::Send>::call",
                "<dyn Hook+Send>::call",
            ],
        ]);
    }

    #[test]
    fn plain_names_are_the_same_in_both_forms() {
        let cases = [
            ["Sessions::serve", "<Sessions>::serve"],
            [
                "list::Tx<T>::find_block::{{closure}}",
                "<Tx<Order>>::find_block::{closure#0}",
            ],
            [
                "<F as Handler<(M,T1),S>>::call",
                "<F as Handler<(M, u8), S>>::call",
            ],
            ["cart::<impl Cart>::add", "<Cart>::add"],
            ["codec::decode", "codec::decode::<fn(In) -> Out>"],
        ];
        for [legacy, v0] in cases {
            assert_eq!(plain(legacy), plain(v0));
        }
        assert_eq!(plain("<Tx<Order>>::find_block"), "Tx::find_block");
        assert_eq!(plain("main"), "main");
        assert_eq!(plain("a<b"), "a<b");
    }

    #[test]
    fn what_stands_in_the_first_brackets() {
        assert_eq!(closing("<my::A<u8>>::f"), Some("my::A<u8>"));
        assert_eq!(
            closing("<fn(u8) -> A as F<B>>::g"),
            Some("fn(u8) -> A as F<B>")
        );
        assert_eq!(closing("my::f"), None);
    }
}
