//! Columns of text, aligned: for the small tables that this crate prints itself.

/// How a column is aligned.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// The rows, a line each, with two spaces between columns and none at the ends of lines.
/// Every row has as many cells as there are columns.
pub(crate) fn aligned(columns: &[Align], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns.len()).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(columns).zip(&widths);
        let cells = cells.map(|((cell, align), width)| match align {
            Align::Left => format!("{cell:<width$}"),
            Align::Right => format!("{cell:>width$}"),
        });
        let cells: Vec<_> = cells.collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Align, aligned};

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let rows = [["a", "1 B", ""], ["€€", "1,000 B", "note"]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        let columns = [Align::Left, Align::Right, Align::Left];
        assert_eq!(aligned(&columns, &rows), "a       1 B\n€€  1,000 B  note\n");
        assert_eq!(aligned(&columns, &[]), "");
    }
}
