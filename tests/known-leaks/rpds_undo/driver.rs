//! An editor keeps the last 6,000 versions of a document of at most 2,000 paragraphs.
//! A version shares with the one before all but a path of nodes.

#![forbid(unsafe_code)]

#[path = "../random.rs"]
mod random;

use random::mixed;
use rpds::RedBlackTreeMap;
use std::collections::VecDeque;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

#[derive(Default)]
struct Editor {
    document: RedBlackTreeMap<u64, String>,
    undo: VecDeque<RedBlackTreeMap<u64, String>>,
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(1_000)
        .run(Editor::default, |editor, i| {
            if editor.undo.len() == 6_000 {
                editor.undo.pop_front();
            }
            editor.undo.push_back(editor.document.clone());
            let paragraph = mixed(i) % 2_000;
            if mixed(!i).is_multiple_of(4) {
                editor.document.remove_mut(&paragraph);
            } else {
                let text = format!("edit {i} of paragraph {paragraph}");
                editor.document.insert_mut(paragraph, text);
            }
        });
    println!("{}", report.to_json());
}
