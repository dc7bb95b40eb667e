//! How much the steps allocate, and how large a leak may stay hidden beside it.

use super::floors::Quantity;

/// What the steps allocated so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Traffic {
    pub(crate) bytes: u64,
    pub(crate) blocks: u64,
    /// How often a block got another size.
    pub(crate) reallocations: u64,
    pub(crate) steps: u64,
}

impl Traffic {
    /// One in so many blocks, and bytes, of what the steps allocate must show.
    const SHARE: f64 = 100.0;
    /// Where they allocate next to nothing, one block in so many steps.
    const STEPS: f64 = 1_000.0;

    /// What a step allocates of a figure, on average.
    pub(super) fn a_step(self, figure: Quantity) -> f64 {
        let all = if figure == Quantity::Bytes {
            self.bytes
        } else {
            self.blocks
        };
        all as f64 / self.steps.max(1) as f64
    }

    /// The largest leak, in units a step, that a run may leave unseen; none if the steps
    /// allocate nothing, and so can't leak.
    pub(super) fn may_hide(self, figure: Quantity) -> Option<f64> {
        if self.bytes == 0 && self.blocks == 0 {
            return None;
        }
        let rate = |events: u64| {
            let a_step = events as f64 / self.steps.max(1) as f64;
            (a_step / Self::SHARE).max(1.0 / Self::STEPS)
        };
        if figure != Quantity::Bytes {
            return Some(rate(self.blocks));
        }
        // Bytes come with new blocks, and with those that are there and grow.
        let events = (self.blocks + self.reallocations).max(1);
        Some(rate(events) * (self.bytes as f64 / events as f64).max(1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_block_beside_many_that_grow_widens_no_limit() {
        let steps = 1_000_000;
        let of = |blocks| Traffic {
            bytes: 1_000 * steps,
            blocks,
            reallocations: steps,
            steps,
        };
        for blocks in [0, 1] {
            let limit = of(blocks).may_hide(Quantity::Bytes);
            let limit = limit.expect("something is allocated");
            assert!((limit - 10.0).abs() < 0.01, "{limit}");
        }
    }
}
