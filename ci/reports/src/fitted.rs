//! Tables for people, in as many columns as the terminal has.
//!
//! A table that is too wide gives up its least important columns, and says which. Nothing is cut:
//! a name that is too long has a line of its own.

use highwater::__private::wrapped_to;
use terminal_size::{Width, terminal_size_of};
use unicode_width::UnicodeWidthStr;

/// How wide a line may be where nobody knows, and where too little is said for any table.
const USUAL: usize = 80;
const LEAST: usize = 40;
/// So much room is left for names before a column is left out.
const ROOM_FOR_NAMES: usize = 24;
/// Between two columns.
const GAP: usize = 2;

/// How wide a line of standard output may be: what `COLUMNS` says, else what the terminal has,
/// else 80 columns; never less than 40.
pub fn width() -> usize {
    let said = std::env::var("COLUMNS").ok();
    let said = said.and_then(|text| text.trim().parse().ok());
    let terminal = || Some(terminal_size_of(std::io::stdout())?.0);
    let terminal = || terminal().map(|Width(width)| usize::from(width));
    said.filter(|width| *width > 0)
        .or_else(terminal)
        .unwrap_or(USUAL)
        .max(LEAST)
}

/// Whether no line of `text` is wider than `width`.
pub fn fits(text: &str, width: usize) -> bool {
    text.lines().all(|line| line.width() <= width)
}

/// A column of a table. The first one has names.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    /// What stands above it, in several lines where it has no room in one.
    pub name: &'a str,
    /// Whether it has figures, which are aligned to the right.
    pub is_figure: bool,
    /// When it is left out: the column with the highest rank first, one with 0 never.
    pub rank: u8,
}

impl<'a> Column<'a> {
    /// One of these parts.
    pub const fn new(name: &'a str, is_figure: bool, rank: u8) -> Self {
        Self {
            name,
            is_figure,
            rank,
        }
    }
}

/// A row of a table.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// A cell a column; none if the row is a name with a text.
    pub cells: Vec<String>,
    /// What else there is to say: in a last column where that is wide enough, else below the row.
    pub text: String,
}

/// Which columns have room, in a table that is not wider than `width`.
#[derive(Clone, Debug)]
pub struct Fit {
    /// The columns that are shown, by their places.
    pub shown: Vec<usize>,
    /// What is left out, in lines; empty if nothing is.
    pub left_out: String,
}

/// Chooses the columns by how wide each is, its name included.
pub fn fit(columns: &[Column<'_>], widths: &[usize], width: usize) -> Fit {
    let mut shown: Vec<_> = (0..columns.len()).collect();
    let wide = |shown: &[usize]| {
        let of = |column: &usize| match column {
            0 => widths[0].min(ROOM_FOR_NAMES),
            _ => widths[*column] + GAP,
        };
        shown.iter().map(of).sum::<usize>()
    };
    while wide(&shown) > width
        && let Some(least) = shown.iter().copied().max_by_key(|at| columns[*at].rank)
        && columns[least].rank > 0
    {
        shown.retain(|column| *column != least);
    }
    let missing = (0..columns.len()).filter(|column| !shown.contains(column));
    let mut missing: Vec<_> = missing.map(|column| columns[column].name).collect();
    missing.dedup();
    let all: Vec<_> = (0..columns.len()).collect();
    let mut left_out = String::new();
    if !missing.is_empty() {
        let (missing, room) = (missing.join(", "), wide(&all));
        let text =
            format!("left out, as lines have {width} columns: {missing} (COLUMNS={room} has room)");
        left_out = wrapped_to(&text, 0, width);
    }
    Fit { shown, left_out }
}

/// The table in lines of at most `width` columns: the names of the columns, unless no row has
/// cells, the rows, and what was left out.
pub fn table(columns: &[Column<'_>], rows: &[Row], width: usize) -> String {
    let with_cells: Vec<_> = rows.iter().filter(|row| row.cells.len() > 1).collect();
    let names = header(columns, &with_cells, width);
    let headed = || names.iter().chain(with_cells.iter().copied());
    let columns_wide: Vec<_> = (0..columns.len()).map(|at| widest(headed(), at)).collect();
    let fit = fit(columns, &columns_wide, width);
    let figures = fit.shown.iter().skip(1).map(|at| columns_wide[*at] + GAP);
    let room = width.saturating_sub(figures.sum()).max(1);
    // Beside a name without cells there is room enough.
    let beside: Vec<_> = if with_cells.is_empty() {
        rows.iter().collect()
    } else {
        headed().collect()
    };
    let first = beside.iter().filter_map(|row| row.cells.first());
    let first = first.map(|name| name.width()).filter(|wide| *wide <= room);
    let shape = Shape {
        columns,
        names: first.max().unwrap_or(0),
        columns_wide,
        shown: &fit.shown,
        width,
    };
    let is_beside = with_cells.iter().all(|row| {
        let text = row.text.width();
        text == 0 || shape.wide() + GAP + text <= width
    });
    let rows = names.iter().chain(rows);
    rows.map(|row| shape.row(row, is_beside))
        .collect::<String>()
        + &fit.left_out
}

/// The names of the columns: in one line, or each in lines as wide as what stands below it.
fn header(columns: &[Column<'_>], rows: &[&Row], width: usize) -> Vec<Row> {
    if rows.is_empty() {
        return Vec::new();
    }
    let of_cells = |at| widest(rows.iter().copied(), at);
    let name = |at: usize| columns[at].name.width().max(of_cells(at));
    let names: Vec<_> = (0..columns.len()).map(name).collect();
    let wide: usize = names.iter().map(|name| name + GAP).sum();
    let has_room = wide - GAP <= width;
    let lines = columns.iter().enumerate().map(|(at, column)| {
        if has_room {
            return vec![column.name.to_owned()];
        }
        let words = column.name.split_whitespace().map(UnicodeWidthStr::width);
        let most = words.chain([of_cells(at)]).max().unwrap_or(0);
        let lines = wrapped_to(column.name, 0, most.saturating_sub(GAP).max(1));
        lines.lines().map(|line| line.trim().to_owned()).collect()
    });
    let lines: Vec<Vec<String>> = lines.collect();
    let height = lines.iter().map(Vec::len).max().unwrap_or(0);
    // They stand on what is below them.
    let line = |from_below: usize| {
        let cell = |lines: &Vec<String>| {
            let at = lines.len().checked_sub(from_below + 1);
            at.map(|at| lines[at].clone()).unwrap_or_default()
        };
        Row {
            cells: lines.iter().map(cell).collect(),
            text: String::new(),
        }
    };
    (0..height).rev().map(line).collect()
}

/// How wide the widest cell of a column is.
fn widest<'a>(rows: impl Iterator<Item = &'a Row>, column: usize) -> usize {
    let cells = rows.filter_map(|row| row.cells.get(column));
    cells.map(|cell| cell.width()).max().unwrap_or(0)
}

/// Where the columns of a table are.
struct Shape<'a> {
    columns: &'a [Column<'a>],
    /// How wide the column of names is; longer ones have lines of their own.
    names: usize,
    columns_wide: Vec<usize>,
    shown: &'a [usize],
    width: usize,
}

impl Shape<'_> {
    fn wide(&self) -> usize {
        let others = self.shown.iter().skip(1);
        self.names + others.map(|at| self.columns_wide[*at] + GAP).sum::<usize>()
    }

    /// A name that has no room beside its figures.
    fn line(&self, name: &str) -> String {
        if name.width() <= self.width {
            return format!("{name}\n");
        }
        wrapped_to(name, 0, self.width)
    }

    fn row(&self, row: &Row, is_beside: bool) -> String {
        let name = row.cells.first().map_or("", String::as_str);
        let mut text = String::new();
        let mut line = padded(name, self.names, false);
        if row.cells.len() <= 1 {
            let beside = line.width().max(self.names) + GAP;
            if !row.text.is_empty() && beside + row.text.width() <= self.width {
                return format!("{line}{:GAP$}{}\n", "", row.text);
            }
            if !name.is_empty() {
                text.push_str(&self.line(name));
            }
            if !row.text.is_empty() {
                text.push_str(&wrapped_to(&row.text, 2, self.width));
            }
            return text;
        }
        if name.width() > self.names {
            text.push_str(&self.line(name));
            line = padded("", self.names, false);
        }
        for at in self.shown.iter().skip(1) {
            let is_figure = self.columns[*at].is_figure;
            line.push_str(&" ".repeat(GAP));
            line.push_str(&padded(&row.cells[*at], self.columns_wide[*at], is_figure));
        }
        if is_beside && !row.text.is_empty() {
            line.push_str(&format!("{:GAP$}{}", "", row.text));
        }
        text.push_str(line.trim_end());
        text.push('\n');
        if !is_beside && !row.text.is_empty() {
            text.push_str(&wrapped_to(&row.text, 2, self.width));
        }
        text
    }
}

fn padded(text: &str, width: usize, is_figure: bool) -> String {
    let space = " ".repeat(width.saturating_sub(text.width()));
    if is_figure {
        space + text
    } else {
        text.to_owned() + &space
    }
}

#[cfg(test)]
mod tests;
