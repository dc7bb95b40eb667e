//! Floors: the least live memory seen in each window of a run.
//!
//! Live memory swings: caches fill, batches come and go, tables rehash. The
//! minimum over a long enough window is what the program could not get below, so
//! it is the floors that a leak must raise. Windows double in length and end at
//! the requested number of steps, or at twice, four times that and so on, so the
//! same boundaries serve however far the run is extended. Each window is kept in
//! quarters, so that what happens inside the last, longest one can be told apart.

/// The least live bytes and blocks in a stretch of steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Floor {
    pub(crate) bytes: u64,
    pub(crate) blocks: u64,
}

/// A window: the steps after `after_step` up to and with `to_step`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) after_step: u64,
    pub(crate) to_step: u64,
    /// The floors of its quarters.
    pub(crate) quarters: [Floor; 4],
    /// The most live bytes and blocks seen at the end of any of its steps.
    pub(crate) ceiling: Floor,
}

impl Floor {
    const UNSEEN: Self = Self {
        bytes: u64::MAX,
        blocks: u64::MAX,
    };

    fn lower_to(&mut self, bytes: u64, blocks: u64) {
        self.bytes = self.bytes.min(bytes);
        self.blocks = self.blocks.min(blocks);
    }
}

impl Window {
    fn new(after_step: u64, to_step: u64) -> Self {
        Self {
            after_step,
            to_step,
            quarters: [Floor::UNSEEN; 4],
            ceiling: Floor {
                bytes: 0,
                blocks: 0,
            },
        }
    }

    /// The first step of a quarter.
    pub(crate) fn quarter_start(&self, quarter: usize) -> u64 {
        let length = self.to_step - self.after_step;
        self.after_step + 1 + length * quarter as u64 / 4
    }

    fn observe(&mut self, step: u64, bytes: u64, blocks: u64) {
        let quarter = (0..4)
            .rev()
            .find(|quarter| step >= self.quarter_start(*quarter))
            .unwrap_or(0);
        self.quarters[quarter].lower_to(bytes, blocks);
        self.ceiling.bytes = self.ceiling.bytes.max(bytes);
        self.ceiling.blocks = self.ceiling.blocks.max(blocks);
    }

    /// The floor of the whole window.
    pub(crate) fn floor(&self) -> Floor {
        let mut floor = Floor::UNSEEN;
        for quarter in &self.quarters {
            floor.lower_to(quarter.bytes, quarter.blocks);
        }
        floor
    }
}

/// Shorter windows have quarters without a step in them, and tell little.
const SHORTEST_WINDOW: u64 = 4;

/// The floors of a run so far.
#[derive(Debug)]
pub(crate) struct Floors {
    /// Where windows end, in order; the first starts at step 0.
    boundaries: Vec<u64>,
    complete: Vec<Window>,
    current: Option<Window>,
}

impl Floors {
    /// For a run of `requested` steps that may be extended to `limit`. All
    /// memory is taken here: observing allocates nothing.
    pub(crate) fn new(requested: u64, limit: u64) -> Self {
        let below = std::iter::successors(Some(requested), |end| Some(end / 2))
            .take_while(|end| *end > 0 && (*end >= 2 * SHORTEST_WINDOW || *end == requested));
        let above = std::iter::successors(requested.checked_mul(2), |end| end.checked_mul(2))
            .take_while(|end| *end > 0 && *end <= limit);
        let mut boundaries: Vec<u64> = below.chain(above).collect();
        boundaries.sort_unstable();
        Self {
            current: boundaries.first().map(|end| Window::new(0, *end)),
            complete: Vec::with_capacity(boundaries.len()),
            boundaries,
        }
    }

    /// Takes note of the live memory after `step`; steps count from 1 and come
    /// in order.
    pub(crate) fn observe(&mut self, step: u64, bytes: u64, blocks: u64) {
        let Some(window) = &mut self.current else {
            return;
        };
        window.observe(step, bytes, blocks);
        if step == window.to_step {
            let next = self.boundaries.get(self.complete.len() + 1);
            let next = next.map(|end| Window::new(step, *end));
            self.complete
                .extend(std::mem::replace(&mut self.current, next));
        }
    }

    /// Windows that were seen to their end, but for the very first, which holds
    /// the start.
    pub(crate) fn windows(&self) -> &[Window] {
        self.complete.get(1..).unwrap_or(&[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_double_and_end_at_the_requested_steps() {
        let mut floors = Floors::new(100, 400);
        for step in 1..=400 {
            floors.observe(step, step, 1000 - step);
        }
        let ends: Vec<_> = floors
            .windows()
            .iter()
            .map(|w| (w.after_step, w.to_step))
            .collect();
        assert_eq!(
            ends,
            [(12, 25), (25, 50), (50, 100), (100, 200), (200, 400)]
        );
        let last = floors.windows().last().unwrap();
        assert_eq!(last.quarters.map(|q| q.bytes), [201, 251, 301, 351]);
        assert_eq!(last.quarters.map(|q| q.blocks), [750, 700, 650, 600]);
        assert_eq!((last.floor().bytes, last.floor().blocks), (201, 600));
        assert_eq!((last.ceiling.bytes, last.ceiling.blocks), (400, 799));
    }

    #[test]
    fn a_window_that_was_not_finished_does_not_count() {
        let mut floors = Floors::new(100, 400);
        for step in 1..=199 {
            floors.observe(step, 7, 7);
        }
        assert_eq!(floors.windows().last().unwrap().to_step, 100);
    }

    #[test]
    fn no_steps_give_no_windows() {
        let mut floors = Floors::new(0, 0);
        floors.observe(1, 1, 1);
        assert!(floors.windows().is_empty());
    }
}
