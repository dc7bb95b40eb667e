//! Looks for the leak among the operations of sessions and their snapshot.

#![forbid(unsafe_code)]

#[path = "../searched.rs"]
mod searched;

use proptest::prelude::*;
use slotmap::{DefaultKey, SlotMap};
use std::process::ExitCode;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

#[derive(Default)]
struct Registry {
    sessions: SlotMap<DefaultKey, String>,
    snapshot: SlotMap<DefaultKey, String>,
}

#[derive(Clone, Debug)]
enum Op {
    Open(u8),
    Close(usize),
    Shorten,
    Clear,
    Refresh,
    Forget,
}

fn operation() -> impl Strategy<Value = Op> {
    prop_oneof![
        (0..16_u8).prop_map(Op::Open),
        (0..8_usize).prop_map(Op::Close),
        Just(Op::Shorten),
        Just(Op::Clear),
        Just(Op::Refresh),
        Just(Op::Forget),
    ]
}

fn apply(registry: &mut Registry, op: &Op) {
    let sessions = &mut registry.sessions;
    match op {
        // There is room for eight.
        Op::Open(number) if sessions.len() < 8 => {
            sessions.insert(format!("session {number:08}"));
        }
        Op::Open(_) => {}
        Op::Close(at) => {
            let key = sessions.keys().nth(*at);
            drop(key.and_then(|key| sessions.remove(key)));
        }
        Op::Shorten => sessions.values_mut().for_each(|name| name.truncate(9)),
        Op::Clear => sessions.clear(),
        Op::Refresh => registry.snapshot.clone_from(sessions),
        Op::Forget => registry.snapshot = SlotMap::new(),
    }
}

fn main() -> ExitCode {
    searched::told(|search| search.run(Registry::default, operation(), apply))
}
