//! Live bytes after some steps of a run: of all that is counted, and of each call stack.
//!
//! How long a run gets is not known when it starts: it is extended by doublings. So the requested
//! steps are divided into equal parts, and each doubling after them into others. No point is ever
//! moved, and their number grows with the logarithm of the steps.

/// In how many parts the requested steps are.
const PARTS: u64 = 16;
/// In how many each doubling after them is.
const PARTS_OF_DOUBLING: u64 = 8;

pub(super) struct Series {
    requested: u64,
    /// After which step the next point is due.
    next: u64,
    // Boxed for the same reason as what is watched of the stacks.
    #[allow(clippy::vec_box)]
    points: Vec<Box<Point>>,
}

struct Point {
    step: u64,
    live_bytes: u64,
    /// By the number of the stack; of those that came later there is nothing.
    of_stacks: Vec<i64>,
}

impl Series {
    pub(super) fn new(requested: u64) -> Self {
        Self {
            requested,
            next: 0,
            points: Vec::new(),
        }
    }

    /// Whether a point is due after this step. The end of the requested steps is not: it is taken
    /// when that end is reported, with the other figures of it.
    pub(super) fn is_due(&self, step: u64) -> bool {
        step == self.next && step != self.requested
    }

    /// Allocates.
    pub(super) fn push(&mut self, step: u64, live_bytes: u64, of_stacks: Vec<i64>) {
        self.points.push(Box::new(Point {
            step,
            live_bytes,
            of_stacks,
        }));
        self.next = after(step, self.requested);
    }

    /// The end of the requested steps, in place of a point that was taken after the same step.
    pub(super) fn push_end(&mut self, step: u64, live_bytes: u64, of_stacks: Vec<i64>) {
        self.points.pop_if(|last| last.step == step);
        self.push(step, live_bytes, of_stacks);
    }

    pub(super) fn steps(&self) -> Vec<u64> {
        self.points.iter().map(|point| point.step).collect()
    }

    pub(super) fn live_bytes(&self) -> Vec<u64> {
        self.points.iter().map(|point| point.live_bytes).collect()
    }

    /// Of these stacks together.
    pub(super) fn of(&self, stacks: &[usize]) -> Vec<i64> {
        let sum = |point: &Point| {
            let known = stacks
                .iter()
                .filter_map(|stack| point.of_stacks.get(*stack));
            known.sum()
        };
        self.points.iter().map(|point| sum(point)).collect()
    }
}

/// The step of the point that follows one after `step`.
fn after(step: u64, requested: u64) -> u64 {
    let (from, length, parts) = if step < requested {
        (0, requested, PARTS)
    } else {
        let doublings = step.checked_div(requested).map_or(0, u64::ilog2);
        let from = requested << doublings;
        (from, from, PARTS_OF_DOUBLING)
    };
    let end_of = |part: u64| {
        let offset = u128::from(length) * u128::from(part) / u128::from(parts);
        from.saturating_add(u64::try_from(offset).unwrap_or(u64::MAX))
    };
    let later = (1..=parts).map(end_of).find(|end| *end > step);
    later.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::after;

    fn points(requested: u64, last: u64) -> Vec<u64> {
        let next = |step: &u64| Some(after(*step, requested));
        let all = std::iter::successors(Some(0), next);
        all.take_while(|step| *step <= last).collect()
    }

    #[test]
    fn the_requested_steps_are_in_equal_parts_and_each_doubling_too() {
        let of_requested = (0..=16).map(|part| part * 10);
        let of_doubling = (9..=16).map(|part| part * 20);
        let steps: Vec<_> = of_requested.chain(of_doubling).collect();
        assert_eq!(points(160, 320), steps);
        assert_eq!(points(100, 100).len(), 17);
        assert_eq!(points(100, 100)[1..4], [6, 12, 18]);
        assert_eq!(
            points(100, 400)[17..],
            [
                112, 125, 137, 150, 162, 175, 187, 200, 225, 250, 275, 300, 325, 350, 375, 400
            ]
        );
    }

    #[test]
    fn of_few_steps_each_is_a_point() {
        assert_eq!(points(0, 10), [0]);
        assert_eq!(points(1, 8), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(points(3, 3), [0, 1, 2, 3]);
        assert_eq!(after(u64::MAX - 1, u64::MAX), u64::MAX);
        assert_eq!(after(u64::MAX, u64::MAX), u64::MAX);
    }
}
