//! Each document adds a segment with its words, of a vocabulary of 1,000, to an index.
//! Two segments of the same size are merged into one, up to 512 documents.

#![forbid(unsafe_code)]

#[path = "../random.rs"]
mod random;

use fst::{Set, SetBuilder};
use random::mixed;
use std::collections::BTreeSet;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

type Segment = Set<Vec<u8>>;

fn segment(document: u64) -> Segment {
    let word = |at| {
        let seed = document * 8 + at;
        let rank = mixed(seed) % 1_000 * (mixed(!seed) % 1_000) / 1_000;
        format!("{:06x}-{rank:04}", mixed(rank) % 0x100_0000)
    };
    let words: BTreeSet<String> = (0..8).map(word).collect();
    Set::from_iter(words).expect("the words are sorted")
}

fn merge(one: &Segment, other: &Segment) -> Segment {
    let mut merged = SetBuilder::memory();
    merged
        .extend_stream(one.op().add(other).union())
        .expect("a union is sorted");
    merged.into_set()
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(200)
        .run(Vec::new, |index: &mut Vec<(u32, Segment)>, i| {
            let (mut size, mut new) = (1, segment(i));
            while let Some((_, old)) = index.pop_if(|(same, _)| *same == size) {
                new = merge(&old, &new);
                size = (2 * size).min(512);
            }
            index.push((size, new));
        });
    println!("{}", report.to_json());
}
