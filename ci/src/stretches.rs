//! Equal stretches of time, or of work, for a figure that was read at uneven distances.

use highwater::__private::{Course, Stretch};

/// In how many stretches there may be no reading: one in so many, no two in a row.
const EMPTY: usize = 8;

/// The levels of a stretch.
#[derive(Clone, Copy)]
struct Sum {
    lowest: u64,
    highest: u64,
    all: u128,
    count: u64,
}

/// The stretch of each position, in order, if there are so many of equal length; none if too many
/// of them have no position, or all positions are the same.
pub(crate) fn stretches(positions: &[i64], count: usize) -> Option<Vec<usize>> {
    let (first, last) = (*positions.first()?, *positions.last()?);
    let whole = i128::from(last) - i128::from(first);
    let others = i128::try_from(count).ok()? - 1;
    let stretch_of = positions.iter().map(|position| {
        let since = i128::from(*position) - i128::from(first);
        // The nearest.
        let nearest = (2 * since * others + whole).checked_div(2 * whole)?;
        usize::try_from(nearest).ok()
    });
    let stretch_of: Vec<_> = stretch_of.collect::<Option<_>>()?;
    let steps = stretch_of.windows(2).map(|pair| pair[1] - pair[0]);
    let empty: usize = steps.clone().map(|step| step.saturating_sub(1)).sum();
    let is_even = steps.max() <= Some(2) && empty <= count / EMPTY;
    is_even.then_some(stretch_of)
}

/// What the rule says of readings, each with its stretch.
pub(crate) fn course(readings: impl Iterator<Item = (usize, Stretch)>) -> Course {
    let mut stretches: Vec<Option<Sum>> = Vec::new();
    for (at, read) in readings {
        if stretches.len() <= at {
            stretches.resize(at + 1, None);
        }
        let seen = stretches[at].get_or_insert(Sum {
            lowest: read.lowest,
            highest: read.highest,
            all: 0,
            count: 0,
        });
        seen.lowest = seen.lowest.min(read.lowest);
        seen.highest = seen.highest.max(read.highest);
        seen.all += u128::from(read.mean);
        seen.count += 1;
    }
    let known = stretches.iter().map(|sum| {
        sum.map(|sum| Stretch {
            lowest: sum.lowest,
            highest: sum.highest,
            mean: u64::try_from(sum.all / u128::from(sum.count)).unwrap_or(u64::MAX),
        })
    });
    let known: Vec<Option<Stretch>> = known.collect();
    let all = (0..known.len()).map(|at| known[at].unwrap_or_else(|| beside(&known, at)));
    Course::new(all)
}

/// What a stretch without a reading can have had, by those beside it.
fn beside(known: &[Option<Stretch>], at: usize) -> Stretch {
    let none = Stretch {
        lowest: 0,
        highest: 0,
        mean: 0,
    };
    let of = |at: usize| known.get(at).copied().flatten().unwrap_or(none);
    let (before, after) = (of(at.wrapping_sub(1)), of(at + 1));
    Stretch {
        lowest: before.lowest.min(after.lowest),
        highest: before.highest.max(after.highest),
        mean: before.mean.midpoint(after.mean),
    }
}
