//! Looks for the leak among the operations of an arena and its vectors.

#![forbid(unsafe_code)]

#[path = "../searched.rs"]
mod searched;

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use proptest::prelude::*;
use std::process::ExitCode;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

/// What is done with a vector of three texts that lives in the arena.
#[derive(Clone, Debug)]
enum Op {
    Drop,
    Clear,
    Truncate(usize),
    Drain(usize),
    Take(usize),
    Reset,
}

fn operation() -> impl Strategy<Value = Op> {
    prop_oneof![
        Just(Op::Drop),
        Just(Op::Clear),
        (0..4_usize).prop_map(Op::Truncate),
        (0..4_usize).prop_map(Op::Drain),
        (0..4_usize).prop_map(Op::Take),
        Just(Op::Reset),
    ]
}

fn apply(arena: &mut Bump, op: &Op) {
    with_texts(arena, op);
    // An arena grows until it is reset.
    if matches!(op, Op::Reset) || arena.allocated_bytes() > 4_096 {
        arena.reset();
    }
}

fn with_texts(arena: &Bump, op: &Op) {
    let mut texts = BumpVec::new_in(arena);
    texts.extend((0..3).map(|text| format!("text {text}")));
    match op {
        Op::Drop | Op::Reset => drop(texts),
        Op::Clear => texts.clear(),
        Op::Truncate(length) => texts.truncate(*length),
        Op::Drain(end) => drop(texts.drain(..*end.min(&3))),
        Op::Take(count) => texts.into_iter().take(*count).for_each(drop),
    }
}

fn main() -> ExitCode {
    searched::told(|search| search.run(Bump::new, operation(), apply))
}
