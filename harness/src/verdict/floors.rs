//! Floors: the lowest level of each figure in each window of a run.
//!
//! Live memory swings: caches fill, batches come and go, tables rehash. A leak raises the
//! minimum over a long enough window; memory that is freed again does not. Windows double in
//! length and end at the requested number of steps, or at twice, four times that and so on, so
//! the same boundaries serve however far the run is extended. Each window is kept in eighths, so
//! that changes inside the last, longest window can be seen.

/// What is watched, and at which index of [`Levels`] it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quantity {
    Bytes,
    Blocks,
    Threads,
    Tasks,
    Descriptors,
    MappedBytes,
}

/// How many there are.
const QUANTITIES: usize = 1 + Quantity::MappedBytes as usize;

impl Quantity {
    pub(crate) fn unit(self) -> &'static str {
        match self {
            Self::Bytes | Self::MappedBytes => "B",
            Self::Blocks => "blocks",
            Self::Threads => "threads",
            Self::Tasks => "tasks",
            Self::Descriptors => "descriptors",
        }
    }
}

/// One number for each [`Quantity`].
pub(crate) type Levels = [u64; QUANTITIES];

/// The levels of what memory alone is judged by.
pub(crate) fn memory_levels(bytes: u64, blocks: u64) -> Levels {
    let mut levels = Levels::default();
    levels[Quantity::Bytes as usize] = bytes;
    levels[Quantity::Blocks as usize] = blocks;
    levels
}

/// In how many parts a window is kept.
pub(crate) const PARTS: usize = 8;

/// The least that was seen of a figure, and after which step first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Low {
    pub(crate) level: u64,
    pub(crate) step: u64,
}

/// A window: the steps after `after_step` up to and with `to_step`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) after_step: u64,
    pub(crate) to_step: u64,
    parts: [[Low; QUANTITIES]; PARTS],
    highest: [Levels; PARTS],
    sums: [Levels; PARTS],
    /// The part that is being watched.
    part: usize,
    swings: Swings,
}

/// How often live bytes went from high to low in a window, and how far apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Swings {
    was_high: bool,
    count: u64,
    first_step: u64,
    last_step: u64,
    shortest: u64,
    longest: u64,
}

/// A swing of live bytes that comes back again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Swing {
    pub(crate) bytes: u64,
    pub(crate) period_steps: u64,
}

impl Low {
    const UNSEEN: Self = Self {
        level: u64::MAX,
        step: 0,
    };

    pub(crate) fn lower(self, other: Self) -> Self {
        if other.level < self.level {
            other
        } else {
            self
        }
    }
}

impl Window {
    fn new(after_step: u64, to_step: u64) -> Self {
        Self {
            after_step,
            to_step,
            parts: [[Low::UNSEEN; QUANTITIES]; PARTS],
            highest: [Levels::default(); PARTS],
            sums: [Levels::default(); PARTS],
            part: 0,
            swings: Swings::default(),
        }
    }

    /// The first step of a part.
    pub(crate) fn part_start(&self, part: usize) -> u64 {
        let length = self.to_step - self.after_step;
        let (parts, part) = (PARTS as u64, part as u64);
        self.after_step + 1 + length / parts * part + length % parts * part / parts
    }

    /// The last step of a part.
    fn part_end(&self, part: usize) -> u64 {
        if part + 1 < PARTS {
            self.part_start(part + 1) - 1
        } else {
            self.to_step
        }
    }

    /// The windows of several at once: floors are at least, and highest levels at most, the
    /// sums of theirs.
    pub(crate) fn together(all: &[&[Self]]) -> Vec<Self> {
        let Some((first, others)) = all.split_first() else {
            return Vec::new();
        };
        let mut windows = first.to_vec();
        for (window, other) in others.iter().flat_map(|other| other.iter().enumerate()) {
            windows[window].add(other);
        }
        windows
    }

    fn add(&mut self, other: &Self) {
        for part in 0..PARTS {
            for figure in 0..self.highest[part].len() {
                let (low, added) = (&mut self.parts[part][figure], other.parts[part][figure]);
                low.level = low.level.saturating_add(added.level);
                low.step = low.step.max(added.step);
                self.highest[part][figure] += other.highest[part][figure];
                self.sums[part][figure] += other.sums[part][figure];
            }
        }
    }

    /// Takes note of the lowest, highest and average levels of the steps from `first` to
    /// `last`, or to the end of the part that `first` is in; says to which.
    fn observe(&mut self, first: u64, last: u64, [low, high, mean]: [&Levels; 3]) -> u64 {
        while self.part + 1 < PARTS && first >= self.part_start(self.part + 1) {
            self.part += 1;
        }
        let part = self.part;
        let last = last.min(self.part_end(part));
        let steps = last + 1 - first;
        for figure in 0..QUANTITIES {
            let lowest = &mut self.parts[part][figure];
            *lowest = lowest.lower(Low {
                level: low[figure],
                step: first,
            });
            self.highest[part][figure] = self.highest[part][figure].max(high[figure]);
            let sum = &mut self.sums[part][figure];
            *sum = sum.saturating_add(mean[figure].saturating_mul(steps));
        }
        last
    }

    /// Parts without a step take the levels of their neighbour.
    fn complete(mut self) -> Self {
        for part in 0..PARTS {
            if self.parts[part] == [Low::UNSEEN; QUANTITIES] {
                self.parts[part] = self.parts[part ^ 1];
                self.highest[part] = self.highest[part ^ 1];
                self.sums[part] = self.sums[part ^ 1];
            }
        }
        self
    }

    /// The floor of one part.
    pub(crate) fn part(&self, part: usize, figure: Quantity) -> Low {
        self.parts[part][figure as usize]
    }

    /// The floor of the whole window.
    pub(crate) fn floor(&self, figure: Quantity) -> Low {
        let parts = (0..PARTS).map(|part| self.part(part, figure));
        parts.fold(Low::UNSEEN, Low::lower)
    }

    /// The most that was seen at the end of any step of one part.
    pub(crate) fn part_highest(&self, part: usize, figure: Quantity) -> u64 {
        self.highest[part][figure as usize]
    }

    /// What there was on average at the ends of the steps of one part.
    pub(crate) fn part_mean(&self, part: usize, figure: Quantity) -> f64 {
        let steps = (self.part_end(part) + 1 - self.part_start(part)).max(1);
        self.sums[part][figure as usize] as f64 / steps as f64
    }

    /// The most that was seen at the end of any of its steps.
    pub(crate) fn highest(&self, figure: Quantity) -> u64 {
        let highest = self.highest.iter().map(|levels| levels[figure as usize]);
        highest.fold(0, u64::max)
    }

    /// How live bytes swing: by their whole range in this window, if they crossed
    /// the range of the window before, from its upper to its lower quarter, at
    /// least three times, and about as many steps apart each time.
    pub(crate) fn swing(&self) -> Option<Swing> {
        let between = self.swings.count.checked_sub(1).filter(|n| *n >= 2)?;
        let is_regular = self.swings.longest - self.swings.shortest <= self.swings.longest / 4;
        is_regular.then(|| Swing {
            bytes: self.highest(Quantity::Bytes) - self.floor(Quantity::Bytes).level,
            period_steps: (self.swings.last_step - self.swings.first_step).div_ceil(between),
        })
    }
}

impl Swings {
    /// `low` and `high` are the ends of the range that is to be crossed.
    fn observe(&mut self, step: u64, bytes: u64, low: u64, high: u64) {
        let quarter = (high - low) / 4;
        if quarter == 0 {
            return;
        }
        if bytes >= high - quarter {
            self.was_high = true;
        } else if bytes <= low + quarter && self.was_high {
            self.was_high = false;
            self.count += 1;
            let distance = step - self.last_step;
            match self.count {
                1 => self.first_step = step,
                2 => (self.shortest, self.longest) = (distance, distance),
                _ => {
                    self.shortest = self.shortest.min(distance);
                    self.longest = self.longest.max(distance);
                }
            }
            self.last_step = step;
        }
    }
}

/// Shorter windows tell too little: not every pair of parts has a step in it.
const SHORTEST_WINDOW: u64 = PARTS as u64 / 2;

/// Room for so many windows, with nothing left in it of whatever was there before: that could
/// be taken for pointers when it is searched who holds what.
fn room_for(windows: usize) -> Vec<Window> {
    let mut room = vec![Window::new(0, 0); windows];
    room.clear();
    room
}

/// The floors of a run so far.
#[derive(Debug)]
pub(crate) struct Floors {
    /// Where windows end, in order; the first starts at step 0.
    boundaries: Vec<u64>,
    complete: Vec<Window>,
    current: Option<Window>,
    /// The range of live bytes in the last complete window.
    range: (u64, u64),
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
            complete: room_for(boundaries.len()),
            boundaries,
            range: (0, 0),
        }
    }

    /// A copy that allocates as little when it observes.
    pub(crate) fn copy(&self) -> Self {
        let mut complete = room_for(self.complete.capacity());
        complete.extend_from_slice(&self.complete);
        Self {
            boundaries: self.boundaries.clone(),
            complete,
            current: self.current.clone(),
            range: self.range,
        }
    }

    /// The first step after `step` with which a part of a window begins, if it is to
    /// be observed at all; short windows are passed over.
    pub(crate) fn next_part_after(&self, step: u64, shortest: u64) -> Option<u64> {
        let window = self.current.as_ref()?;
        if window.to_step - window.after_step < shortest {
            return Some(window.to_step + 1);
        }
        let starts = (0..PARTS).map(|part| window.part_start(part));
        Some(
            { starts }
                .find(|start| *start > step)
                .unwrap_or(window.to_step + 1),
        )
    }

    /// Takes note of what there is after `step`; steps count from 1 and come in
    /// order.
    pub(crate) fn observe(&mut self, step: u64, levels: &Levels) {
        self.observe_all(step, step, levels);
    }

    /// The same for all steps from `first` to `last`, between which nothing changed.
    pub(crate) fn observe_all(&mut self, first: u64, last: u64, levels: &Levels) {
        self.observe_range(first, last, [levels; 3]);
    }

    /// The same, where the level is known by its lowest, highest and average values.
    pub(crate) fn observe_range(&mut self, mut first: u64, last: u64, levels: [&Levels; 3]) {
        while first <= last {
            let Some(window) = &mut self.current else {
                return;
            };
            let step = window.observe(first, last, levels);
            let bytes = levels[0][Quantity::Bytes as usize];
            (window.swings).observe(first, bytes, self.range.0, self.range.1);
            if step == window.to_step {
                self.range = (
                    window.floor(Quantity::Bytes).level,
                    window.highest(Quantity::Bytes),
                );
                let next = self.boundaries.get(self.complete.len() + 1);
                let next = next.map(|end| Window::new(step, *end));
                let complete = std::mem::replace(&mut self.current, next);
                self.complete.extend(complete.map(Window::complete));
            }
            first = step + 1;
        }
    }

    /// Windows that were seen to their end, but for the very first, which holds
    /// the start, and those that are too short.
    pub(crate) fn windows(&self) -> &[Window] {
        let windows = self.complete.get(1..).unwrap_or(&[]);
        let is_short = |w: &&Window| w.to_step - w.after_step < SHORTEST_WINDOW;
        &windows[windows.iter().take_while(is_short).count()..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_double_and_end_at_the_requested_steps() {
        let mut floors = Floors::new(100, 400);
        for step in 1..=400 {
            floors.observe(step, &memory_levels(step, 1000 - step));
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
        let of = |figure| [0, 1, 2, 3, 4, 5, 6, 7].map(|part| last.part(part, figure).level);
        assert_eq!(
            of(Quantity::Bytes),
            [201, 226, 251, 276, 301, 326, 351, 376]
        );
        assert_eq!(
            of(Quantity::Blocks),
            [775, 750, 725, 700, 675, 650, 625, 600]
        );
        let floor = Low {
            level: 600,
            step: 400,
        };
        assert_eq!(last.floor(Quantity::Blocks), floor);
        assert_eq!(last.highest(Quantity::Bytes), 400);
    }

    #[test]
    fn a_window_that_was_not_finished_does_not_count() {
        let mut floors = Floors::new(100, 400);
        for step in 1..=199 {
            floors.observe(step, &memory_levels(7, 7));
        }
        assert_eq!(floors.windows().last().unwrap().to_step, 100);
    }

    #[test]
    fn steps_between_which_nothing_changes_may_be_observed_at_once() {
        let level = |step: u64| memory_levels(step / 37 * 5, step / 90);
        let (mut each, mut spans) = (Floors::new(100, 1_600), Floors::new(100, 1_600));
        let mut since = 1;
        for step in 1..=1_600 {
            each.observe(step, &level(step));
            if step == 1_600 || level(step + 1) != level(step) {
                spans.observe_all(since, step, &level(step));
                since = step + 1;
            }
        }
        assert_eq!(each.windows(), spans.windows());
    }

    #[test]
    fn no_steps_give_no_windows() {
        let mut floors = Floors::new(0, 0);
        floors.observe(1, &memory_levels(1, 1));
        assert!(floors.windows().is_empty());
    }

    #[test]
    fn a_sawtooth_has_a_period() {
        let mut floors = Floors::new(8_000, 8_000);
        for step in 1..=8_000 {
            floors.observe(step, &memory_levels(1_000 + step % 700 * 48, 0));
        }
        let swing = floors.windows().last().unwrap().swing();
        let expected = Swing {
            bytes: 699 * 48,
            period_steps: 700,
        };
        assert_eq!(swing, Some(expected));
    }

    #[test]
    fn a_level_run_has_none() {
        let mut floors = Floors::new(8_000, 8_000);
        for step in 1..=8_000 {
            floors.observe(step, &memory_levels(1_000 + step % 2, 0));
        }
        assert_eq!(floors.windows().last().unwrap().swing(), None);
    }
}
