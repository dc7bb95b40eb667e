//! Small parts that several parts of the page have: names, places, figures in cells.

use highwater::__private::Thousands;
use maud::{Markup, html};

pub(super) fn place(file: &str, line: u32) -> Markup {
    html! { span.place { (file) ":" (line) } }
}

pub(super) fn type_or_unknown(name: Option<&str>) -> Markup {
    html! {
        @match name {
            Some(name) => { code { (name) } }
            None => { span.note { "type unknown" } }
        }
    }
}

/// The noun for so many.
pub fn blocks(count: i128) -> &'static str {
    if count.unsigned_abs() == 1 {
        "block"
    } else {
        "blocks"
    }
}

/// With its sign, also above zero.
pub fn signed(figure: i128) -> String {
    let plus = if figure > 0 { "+" } else { "" };
    format!("{plus}{}", Thousands(figure))
}

/// So much of the whole, in per cent.
pub(super) fn share(part: u128, whole: u128) -> String {
    let per_mille = part * 1000 / whole.max(1);
    format!("{}.{} %", per_mille / 10, per_mille % 10)
}

/// A cell with a figure, which is sorted by its value.
pub(super) fn figure_cell(label: &str, value: i128, text: &str) -> Markup {
    html! { td.figure data-label=(label) data-sort=(value) { (text) } }
}

/// A cell with a difference, in the colour of more or of less.
pub(super) fn difference_cell(label: &str, value: i128, text: &str) -> Markup {
    html! {
        td.figure.more[value > 0].less[value < 0] data-label=(label) data-sort=(value) {
            (text)
        }
    }
}
