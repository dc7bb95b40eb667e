//! The memory of programs, sound and leaky, with one call site each, step by step.
//!
//! Each load keeps the figures that a counting allocator would have: live bytes and blocks,
//! and totals. All randomness comes from one seed.

// What is made up here is neither negative nor large.
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]

use std::collections::VecDeque;

/// A number that looks random (S. Vigna's `splitmix64`).
pub(super) fn mixed(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Random numbers.
#[derive(Clone, Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(1);
        mixed(self.0)
    }

    /// From 0 to below 1.
    pub(super) fn part(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From `least` to `most`, both included.
    pub(super) fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.next() % (most.max(least) - least + 1)
    }

    /// The same, each order of magnitude as often as any other.
    pub(super) fn scale(&mut self, least: u64, most: u64) -> u64 {
        let (low, high) = ((least as f64).ln(), (most.max(least) as f64).ln());
        ((low + self.part() * (high - low)).exp().round() as u64).clamp(least, most.max(least))
    }
}

/// What a site does.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// Blocks are kept until there are so many; then the oldest makes room.
    Ring { blocks: u64, bytes: u64 },
    /// The same, with blocks of up to `bytes`.
    LruByCount { blocks: u64, bytes: u64 },
    /// The oldest make room when there are more bytes than that.
    LruByBytes { limit: u64, bytes: u64 },
    /// Entries that live so many steps; so many come in each as the load rises to it.
    Ttl {
        steps: u64,
        ramp: u64,
        entries: u64,
        bytes: u64,
    },
    /// Sessions that come by day and go by night.
    DayAndNight {
        period: u64,
        blocks: u64,
        bytes: u64,
    },
    /// A batch that is collected and emptied.
    Sawtooth { period: u64, bytes: u64 },
    /// What was in use at one time stays.
    Pool { most: u64, bytes: u64 },
    /// A queue that is nearly full.
    Queue { limit: u64, bytes: u64 },
    /// A buffer in each step, now and then a very large one.
    HeavyTail { limit: u64 },
    /// A table that rehashes as removed entries fill it.
    Tombstones { entries: u64, bytes: u64 },
    /// What was there at the start goes, evenly or ever more slowly.
    Decay {
        blocks: u64,
        steps: u64,
        is_even: bool,
        bytes: u64,
    },
    /// A buffer of another size in each step.
    Churn { bytes: u64 },
    /// Draws from a fixed set of things and keeps what it has seen.
    Vocabulary { things: u64, bytes: u64 },

    /// A block every so many steps is kept.
    Linear { every: f64, bytes: u64 },
    /// The same for the first half of each period only.
    ByDay { every: f64, period: u64, bytes: u64 },
    /// So many blocks as the steps to this power.
    Power {
        exponent: f64,
        factor: f64,
        bytes: u64,
    },
    /// As many as n log n.
    NLogN { every: f64, bytes: u64 },
    /// One buffer that grows by doubling.
    Capacity { bytes: u64 },
    /// A buffer for each of so many keys, which grows by doubling.
    PerKey { keys: u64, bytes: u64 },
    /// A block every so many steps, from this one on.
    LateStart { from: u64, every: f64, bytes: u64 },
}

/// A site that runs.
#[derive(Clone, Debug)]
pub(super) struct Load {
    kind: Kind,
    random: Random,
    /// Sizes, oldest first, or entries of each step.
    held: VecDeque<u64>,
    extra: u64,
    pub(super) bytes: u64,
    pub(super) blocks: u64,
    pub(super) total_bytes: u64,
    pub(super) total_blocks: u64,
}

impl Load {
    pub(super) fn new(kind: Kind, seed: u64) -> Self {
        Self {
            kind,
            random: Random(seed),
            held: VecDeque::new(),
            extra: 0,
            bytes: 0,
            blocks: 0,
            total_bytes: 0,
            total_blocks: 0,
        }
    }

    fn allocate(&mut self, blocks: u64, bytes: u64) {
        self.blocks += blocks;
        self.bytes += bytes;
        self.total_blocks += blocks;
        self.total_bytes += bytes;
    }

    fn free(&mut self, blocks: u64, bytes: u64) {
        self.blocks -= blocks;
        self.bytes -= bytes;
    }

    /// Allocates and frees so that so many blocks of a size are live.
    fn become_blocks(&mut self, blocks: u64, bytes: u64) {
        if blocks > self.blocks {
            let more = blocks - self.blocks;
            self.allocate(more, more * bytes);
        } else {
            let less = self.blocks - blocks;
            self.free(less, less * bytes);
        }
    }

    /// One block takes the place of the one before.
    fn replace(&mut self, bytes: u64) {
        self.free(self.blocks, self.bytes);
        self.allocate(1, bytes);
    }

    fn keep_newest(&mut self, bytes: u64) {
        self.held.push_back(bytes);
        self.allocate(1, bytes);
    }

    fn drop_oldest(&mut self) {
        if let Some(bytes) = self.held.pop_front() {
            self.free(1, bytes);
        }
    }

    /// One step; the first is 1.
    pub(super) fn step(&mut self, i: u64) {
        let kind = self.kind.clone();
        if !self.holds(&kind, i) && !self.swings(&kind, i) {
            self.leaks(&kind, i);
        }
    }

    /// What keeps entries up to a limit. Whether it is one of those.
    fn holds(&mut self, kind: &Kind, i: u64) -> bool {
        match *kind {
            Kind::Ring { blocks, bytes } => self.ring(blocks, bytes),
            Kind::LruByCount { blocks, bytes } => {
                let size = self.random.between(1, bytes);
                self.ring(blocks, size);
            }
            Kind::LruByBytes { limit, bytes } => {
                let size = self.random.between(1, bytes);
                self.keep_newest(size);
                while self.bytes > limit && self.blocks > 1 {
                    self.drop_oldest();
                }
            }
            Kind::Ttl {
                steps,
                ramp,
                entries,
                bytes,
            } => {
                let now = (entries * i.min(ramp)).div_ceil(ramp);
                self.held.push_back(now);
                self.allocate(now, now * bytes);
                if self.held.len() as u64 > steps {
                    let gone = self.held.pop_front().unwrap_or(0);
                    self.free(gone, gone * bytes);
                }
            }
            Kind::Pool { most, bytes } => {
                let used = (0..4).map(|_| self.random.between(0, most / 4)).sum();
                self.become_blocks(self.blocks.max(used), bytes);
            }
            Kind::Tombstones { entries, bytes } => self.tombstones(entries, bytes),
            Kind::Vocabulary { things, bytes } => {
                let unseen = things - self.blocks;
                if self.random.between(0, things - 1) < unseen {
                    self.allocate(1, bytes);
                }
            }
            _ => return false,
        }
        true
    }

    /// What goes up and down, or down. Whether it is one of those.
    fn swings(&mut self, kind: &Kind, i: u64) -> bool {
        match *kind {
            Kind::DayAndNight {
                period,
                blocks,
                bytes,
            } => {
                let angle = (i % period) as f64 / period as f64 * std::f64::consts::TAU;
                let open = (blocks as f64 * (1.0 - angle.cos()) / 2.0) as u64;
                self.become_blocks(open, bytes);
            }
            Kind::Sawtooth { period, bytes } => {
                if i.is_multiple_of(period) {
                    self.become_blocks(0, bytes);
                }
                self.allocate(1, bytes);
            }
            Kind::Queue { limit, bytes } => {
                let change = self.random.between(0, 6);
                let now = (self.blocks + change).saturating_sub(2).min(limit);
                self.become_blocks(now, bytes);
            }
            Kind::HeavyTail { limit } => {
                let size = (16.0 / (1.0 - self.random.part())).min(limit as f64);
                self.replace(size as u64);
            }
            Kind::Decay {
                blocks,
                steps,
                is_even,
                bytes,
            } => {
                let left = if is_even {
                    blocks - blocks * i.min(steps) / steps
                } else {
                    (blocks as f64 * (-(i as f64) / (steps as f64 / 8.0)).exp()) as u64
                };
                self.become_blocks(left, bytes);
                if i == 1 {
                    // They are from before the steps.
                    (self.total_blocks, self.total_bytes) = (0, 0);
                }
            }
            Kind::Churn { bytes } => {
                let size = self.random.between(1, bytes);
                self.replace(size);
            }
            _ => return false,
        }
        true
    }

    /// What grows without end.
    fn leaks(&mut self, kind: &Kind, i: u64) {
        match *kind {
            Kind::Capacity { bytes } => {
                let filled = i * bytes;
                if filled > self.bytes {
                    let grown = (self.bytes * 2).max(filled).max(64);
                    self.total_bytes += grown - self.bytes;
                    self.bytes = grown;
                    self.blocks = 1;
                }
            }
            Kind::PerKey { keys, bytes } => {
                let key = (mixed(i) % keys) as usize;
                self.held.resize(keys as usize, 0);
                self.held[key] += bytes;
                let filled = self.held[key];
                if filled == bytes {
                    self.allocate(1, 4 * bytes);
                } else if filled > 4 * bytes && (filled / bytes - 1).is_power_of_two() {
                    let more = filled - bytes;
                    self.bytes += more;
                    self.total_bytes += more;
                }
            }
            Kind::Linear { bytes, .. }
            | Kind::ByDay { bytes, .. }
            | Kind::Power { bytes, .. }
            | Kind::NLogN { bytes, .. }
            | Kind::LateStart { bytes, .. } => self.become_blocks(leaked(kind, i), bytes),
            _ => unreachable!("all others are sound"),
        }
    }

    fn ring(&mut self, blocks: u64, bytes: u64) {
        if self.blocks == blocks {
            self.drop_oldest();
        }
        self.keep_newest(bytes);
    }

    /// `extra` counts the removed; `held` has the table's capacity.
    fn tombstones(&mut self, entries: u64, bytes: u64) {
        if self.held.is_empty() {
            let capacity = (entries * 8 / 7).next_power_of_two();
            self.held.push_back(capacity);
            self.allocate(1, capacity * bytes);
        }
        self.extra += self.random.between(0, 2);
        let capacity = self.held[0];
        if entries + self.extra > capacity * 7 / 8 {
            self.extra = 0;
            if entries > capacity * 7 / 16 {
                self.held[0] = capacity * 2;
            }
            let bytes = self.held[0] * bytes;
            self.replace(bytes);
        }
    }
}

/// How many blocks a leak has kept.
fn leaked(kind: &Kind, i: u64) -> u64 {
    let steps = i as f64;
    let blocks = match *kind {
        Kind::Linear { every, .. } => steps / every,
        Kind::ByDay { every, period, .. } => {
            let days = i / period * (period / 2) + (i % period).min(period / 2);
            days as f64 / every
        }
        Kind::Power {
            exponent, factor, ..
        } => factor * steps.powf(exponent),
        Kind::NLogN { every, .. } => steps * (steps + 1.0).ln() / every,
        Kind::LateStart { from, every, .. } => i.saturating_sub(from) as f64 / every,
        _ => 0.0,
    };
    blocks as u64
}
