//! The tables of the benchmarks.

pub use comfy_table::TableStyle;
pub use comfy_table::presets::{ASCII_MARKDOWN, NOTHING};
use comfy_table::{Cell, CellAlignment, Table};

/// The rows as a table, whose first row is its header. All but the first column are figures.
pub fn rendered(rows: &[Vec<String>], style: TableStyle) -> String {
    let mut table = Table::new();
    table.load_style(style);
    let cells = |row: &Vec<String>| {
        let figures = row[1..].iter();
        let figures = figures.map(|text| Cell::new(text).set_alignment(CellAlignment::Right));
        std::iter::once(Cell::new(&row[0]))
            .chain(figures)
            .collect::<Vec<_>>()
    };
    table.set_header(cells(&rows[0]));
    table.add_rows(rows[1..].iter().map(cells));
    table.trim_fmt()
}
