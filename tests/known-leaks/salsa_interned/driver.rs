//! An editor changes a line, and the names of the line are resolved again. The leaky
//! release keeps every name that it ever interned, even when no line has it any more.

#![forbid(unsafe_code)]

use salsa::Setter as _;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

#[salsa::input]
struct Line {
    #[returns(ref)]
    text: String,
}

#[salsa::interned]
struct Name<'db> {
    #[returns(ref)]
    text: String,
}

/// How many letters the names of a line have.
#[salsa::tracked]
fn letters(db: &dyn salsa::Database, line: Line) -> usize {
    line.text(db)
        .split(' ')
        .map(|word| Name::new(db, word.to_owned()).text(db).len())
        .sum()
}

#[salsa::db]
#[derive(Clone, Default)]
struct Editor {
    storage: salsa::Storage<Self>,
}

#[salsa::db]
impl salsa::Database for Editor {}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(1_000)
        .run(
            || {
                let editor = Editor::default();
                let line = Line::new(&editor, String::new());
                (editor, line)
            },
            |(editor, line), edit| {
                line.set_text(editor).to(format!("let name_{edit:06} = 1;"));
                assert_eq!(letters(editor, *line), 17);
            },
        );
    println!("{}", report.to_json());
}
