//! How tables give way to narrow lines.

use super::{Column, Row, table};
use unicode_width::UnicodeWidthStr as _;

const COLUMNS: [Column<'_>; 4] = [
    Column::new("name", false, 0),
    Column::new("size", true, 0),
    Column::new("spare", true, 2),
    Column::new("rest", true, 1),
];

fn row(cells: [&str; 4], text: &str) -> Row {
    Row {
        cells: cells.map(str::to_owned).to_vec(),
        text: text.to_owned(),
    }
}

fn rows() -> [Row; 4] {
    let long = "a name that is much longer than the room that is there for names";
    [
        row(["测试", "1 B", "10", "1,000,000"], ""),
        row(
            [long, "1,000,000 B", "1", "1"],
            "and why it is in here at all",
        ),
        row(["", "2 B", "3", "4"], ""),
        Row {
            cells: vec!["no figures".to_owned()],
            text: "there are none of this one, and that is said in a few words".to_owned(),
        },
    ]
}

#[test]
fn no_line_is_wider_than_the_width() {
    for width in 40..200 {
        let table = table(&COLUMNS, &rows(), width);
        for line in table.lines() {
            assert!(line.width() <= width, "{width}: {line}");
        }
        let has_all = table.lines().next().is_some_and(|l| l.contains("spare"));
        assert_eq!(has_all, !table.contains("left out"), "{width}: {table}");
    }
}

#[test]
fn columns_are_left_out_by_their_rank() {
    insta::assert_snapshot!(table(&COLUMNS, &rows(), 40));
    insta::assert_snapshot!("with_room", table(&COLUMNS, &rows(), 160));
}

#[test]
fn without_cells_there_are_no_headings() {
    let none = Row {
        cells: vec!["name".to_owned()],
        text: "text".to_owned(),
    };
    assert_eq!(table(&COLUMNS, &[none], 80), "name  text\n");
    assert_eq!(table(&COLUMNS, &[], 80), "");
}
