//! Looks for the leak among the operations of a cache.

#![forbid(unsafe_code)]

#[path = "../searched.rs"]
mod searched;

use lru::LruCache;
use proptest::prelude::*;
use std::process::ExitCode;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

#[derive(Clone, Debug)]
enum Op {
    Put(u8),
    Get(u8),
    Pop(u8),
    PopLru,
    Resize(usize),
    Clear,
}

fn operation() -> impl Strategy<Value = Op> {
    prop_oneof![
        (0..16_u8).prop_map(Op::Put),
        (0..16_u8).prop_map(Op::Get),
        (0..16_u8).prop_map(Op::Pop),
        Just(Op::PopLru),
        (1..16_usize).prop_map(Op::Resize),
        Just(Op::Clear),
    ]
}

fn apply(cache: &mut LruCache<u8, String>, op: &Op) {
    match op {
        Op::Put(key) => drop(cache.put(*key, format!("{key:014}"))),
        Op::Get(key) => drop(cache.get(key).cloned()),
        Op::Pop(key) => drop(cache.pop(key)),
        Op::PopLru => drop(cache.pop_lru()),
        Op::Resize(capacity) => cache.resize(*capacity),
        Op::Clear => cache.clear(),
    }
}

fn main() -> ExitCode {
    searched::told(|search| search.run(|| LruCache::new(8), operation(), apply))
}
