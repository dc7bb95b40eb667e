//! Sessions are kept under random ids. Most are short, a few live for 30,000 steps, so
//! their number rises ever more slowly until then; closed ones use up room in the table.

#![forbid(unsafe_code)]

#[path = "../random.rs"]
mod random;

use hashbrown::HashMap;
use random::mixed;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::{BuildHasherDefault, DefaultHasher};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

#[derive(Default)]
struct Sessions {
    open: HashMap<u64, Vec<u8>, BuildHasherDefault<DefaultHasher>>,
    ends: BinaryHeap<Reverse<(u64, u64)>>,
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(3_000)
        .run(Sessions::default, |sessions, i| {
            while let Some(&Reverse((end, id))) = sessions.ends.peek()
                && end <= i
            {
                sessions.ends.pop();
                sessions.open.remove(&id);
            }
            let id = mixed(i);
            let share = (mixed(!i) % 10_000) as f64 / 10_000.0;
            let lifetime = 30_000_f64.powf(share) as u64;
            let size = 16 + mixed(id) % 1_000;
            sessions.open.insert(id, vec![0; size as usize]);
            sessions.ends.push(Reverse((i + lifetime, id)));
        });
    println!("{}", report.to_json());
}
