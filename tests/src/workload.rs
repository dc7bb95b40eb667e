//! Deterministic work for several meters to measure, each in a process of its
//! own, since a process has one global allocator.
//!
//! A workload leaves something live at its end and frees the rest, resizes blocks
//! both ways, and reaches its peak somewhere in the middle.

use std::collections::{BTreeMap, VecDeque};

/// What a workload leaves behind. Dropped by the caller, after measuring.
pub type Left = Vec<Box<dyn std::any::Any>>;

/// The workloads by name.
pub const NAMES: [&str; 5] = ["boxes", "growing-vec", "strings", "maps", "mixed"];

/// Runs the workload called `name` for `rounds` rounds from `seed`.
///
/// # Panics
/// If there is none of that name.
pub fn run(name: &str, seed: u64, rounds: usize) -> Left {
    match name {
        "boxes" => boxes(rounds),
        "growing-vec" => growing_vec(rounds),
        "strings" => strings(rounds),
        "maps" => maps(rounds),
        "mixed" => mixed(seed, rounds),
        _ => panic!("there is no workload `{name}`; there are {NAMES:?}"),
    }
}

fn boxes(rounds: usize) -> Left {
    let mut kept: Left = Vec::with_capacity(rounds / 2 + 1);
    for i in 0..rounds {
        let block = Box::new([i; 9]);
        if i % 2 == 0 {
            kept.push(block);
        }
    }
    kept
}

fn growing_vec(rounds: usize) -> Left {
    let mut numbers = Vec::new();
    for i in 0..rounds {
        numbers.push(i);
    }
    numbers.truncate(rounds / 3);
    numbers.shrink_to_fit();
    vec![Box::new(numbers)]
}

fn strings(rounds: usize) -> Left {
    let mut window = VecDeque::new();
    for i in 0..rounds {
        let mut text = String::new();
        for part in 0..i % 13 {
            text.push_str(&format!("{i}-{part} "));
        }
        window.push_back(text);
        if window.len() > 50 {
            window.pop_front();
        }
    }
    vec![Box::new(window)]
}

fn maps(rounds: usize) -> Left {
    let mut map: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
    for i in 0..rounds {
        map.insert(i * 7919 % 1_009, vec![0; i % 97]);
        if i % 3 == 0 {
            map.remove(&(i * 31 % 1_009));
        }
    }
    vec![Box::new(map)]
}

/// Allocations, resizes and frees in an order that the seed decides.
fn mixed(seed: u64, rounds: usize) -> Left {
    let mut state = seed | 1;
    let mut next = |below: usize| {
        // xorshift64, by Marsaglia: "Xorshift RNGs", 2003.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 32).unwrap_or(0) % below
    };
    let mut buffers: Vec<Vec<u8>> = Vec::new();
    for _ in 0..rounds {
        let index = next(buffers.len() + 1);
        match next(5) {
            0 | 1 => buffers.push(Vec::with_capacity(next(9_000))),
            2 if index < buffers.len() => buffers[index].reserve(next(20_000)),
            3 if index < buffers.len() => buffers[index].shrink_to_fit(),
            4 if index < buffers.len() => drop(buffers.swap_remove(index)),
            _ => buffers.push(vec![0; next(300)]),
        }
    }
    vec![Box::new(buffers)]
}

/// What a meter found, in the words of one that counts a resized block as one
/// block and its net change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Bytes not freed at the end.
    pub live_bytes: u64,
    /// Blocks not freed at the end.
    pub live_blocks: u64,
    /// The maximum of live bytes.
    pub peak_bytes: u64,
    /// Blocks allocated.
    pub total_blocks: u64,
    /// Bytes allocated, with the growth of resized blocks.
    pub total_bytes: u64,
    /// How often a block was resized.
    pub reallocations: u64,
    /// The sum of the new sizes of resized blocks.
    pub reallocated_bytes: u64,
    /// The part of `total_bytes` that is the growth of resized blocks.
    pub regrown_bytes: u64,
}

impl From<&highwater::Usage> for Figures {
    fn from(usage: &highwater::Usage) -> Self {
        Self {
            live_bytes: usage.live_bytes,
            live_blocks: usage.live_blocks,
            peak_bytes: usage.peak_bytes,
            total_blocks: usage.total_blocks,
            total_bytes: usage.total_bytes,
            reallocations: usage.reallocations,
            reallocated_bytes: usage.reallocated_bytes,
            regrown_bytes: usage.regrown_bytes,
        }
    }
}

impl Figures {
    /// As numbers in the order of the fields, on one line.
    pub fn to_line(&self) -> String {
        let numbers = [
            self.live_bytes,
            self.live_blocks,
            self.peak_bytes,
            self.total_blocks,
            self.total_bytes,
            self.reallocations,
            self.reallocated_bytes,
            self.regrown_bytes,
        ];
        numbers.map(|number| number.to_string()).join(" ")
    }

    /// Reads what [`to_line`](Self::to_line) wrote.
    ///
    /// # Panics
    /// If the line is of another form.
    pub fn from_line(line: &str) -> Self {
        let numbers: Vec<u64> = line
            .split_whitespace()
            .map(|number| number.parse().expect("a number"))
            .collect();
        let [
            live_bytes,
            live_blocks,
            peak_bytes,
            total_blocks,
            total_bytes,
            reallocations,
            reallocated_bytes,
            regrown_bytes,
        ] = numbers[..]
        else {
            panic!("eight numbers were expected, not {line:?}");
        };
        Self {
            live_bytes,
            live_blocks,
            peak_bytes,
            total_blocks,
            total_bytes,
            reallocations,
            reallocated_bytes,
            regrown_bytes,
        }
    }
}

/// The workloads that meters are compared on: each by name at several lengths,
/// and the mixed one from many seeds.
pub fn all() -> impl Iterator<Item = (&'static str, u64, usize)> {
    let named = NAMES
        .into_iter()
        .flat_map(|name| [0, 1, 10, 1_000, 5_000].map(|rounds| (name, 1, rounds)));
    let seeded = (1..=100).map(|seed| ("mixed", seed * 0x9E37_79B9, 300));
    named.chain(seeded)
}
