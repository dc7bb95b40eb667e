//! The order of profiles, and the equal stretches of time that they stand for.

use super::JudgeError;
use crate::stretches;
use crate::sweep::text::count;
use highwater::__private::{Course, Stretch};
use highwater_monitor::__private::Span;
use std::time::Duration;

/// The order of profiles.
#[derive(Debug)]
pub(super) struct Order {
    /// The profiles, by their indices as they were given, the oldest first.
    pub(super) indices: Vec<usize>,
    /// Why they are in the order of the arguments, and their times are not known; none if they
    /// are.
    pub(super) no_times: Option<String>,
    /// From the first to the last.
    pub(super) length: Option<Duration>,
    /// The stretch that each of them is in, in order.
    stretch_of: Vec<usize>,
}

impl Order {
    /// Of profiles with these times, in nanoseconds since 1970.
    pub(super) fn of(times: &[Option<i64>]) -> Result<Self, JudgeError> {
        let (mut known, mut indices) = (Vec::new(), Vec::new());
        let mut by_time: Vec<_> = times.iter().copied().zip(0..).collect();
        by_time.sort();
        for (time, index) in by_time {
            known.extend(time);
            indices.push(index);
        }
        let unknown = times.len() - known.len();
        let is_equal = known.windows(2).any(|pair| pair[0] == pair[1]);
        let no_times = match (unknown, is_equal) {
            (0, false) => None,
            (0, true) => Some("some of their times are equal".to_owned()),
            (unknown, _) if unknown == times.len() => Some("they have no times".to_owned()),
            (unknown, _) => {
                let noun = count(unknown as u64, "of them has", "of them have");
                Some(format!("{noun} no time"))
            }
        };
        if no_times.is_some() {
            return Ok(Self {
                indices: (0..times.len()).collect(),
                no_times,
                length: None,
                stretch_of: (0..times.len()).collect(),
            });
        }
        let all = (Course::FEWEST..=known.len()).rev();
        let stretch_of = { all }.find_map(|count| stretches::stretches(&known, count));
        Ok(Self {
            indices,
            no_times,
            length: known
                .first()
                .zip(known.last())
                .map(|(a, b)| between(*a, *b)),
            stretch_of: stretch_of.ok_or_else(|| uneven(&known))?,
        })
    }

    /// How many stretches there are.
    pub(super) fn stretches(&self) -> usize {
        self.stretch_of.last().map_or(0, |last| last + 1)
    }

    /// How many hours a stretch is; none without times.
    pub(super) fn hours(&self) -> Option<f64> {
        let between = self.stretches().saturating_sub(1).max(1);
        Some(self.length?.as_secs_f64() / 3_600.0 / between as f64)
    }

    /// What the rule says of a figure with these levels, one for each profile as it was given.
    pub(super) fn course(&self, levels: &[u64]) -> Course {
        let readings = self.indices.iter().zip(&self.stretch_of);
        stretches::course(readings.map(|(index, at)| {
            let level = levels[*index];
            let read = Stretch {
                lowest: level,
                highest: level,
                mean: level,
            };
            (*at, read)
        }))
    }
}

fn between(first: i64, last: i64) -> Duration {
    let nanoseconds = i128::from(last) - i128::from(first);
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0))
}

fn uneven(times: &[i64]) -> JudgeError {
    let gaps = times.windows(2).map(|pair| between(pair[0], pair[1]));
    let whole = times.first().zip(times.last());
    JudgeError::Uneven {
        profiles: times.len(),
        gap: Span(gaps.max().unwrap_or_default()).to_string(),
        whole: Span(whole.map_or(Duration::ZERO, |(a, b)| between(*a, *b))).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use highwater::Law;

    /// A minute, in nanoseconds.
    const MINUTE: i64 = 60_000_000_000;

    fn minutes(minutes: impl IntoIterator<Item = i64>) -> Vec<Option<i64>> {
        let at = |minute| Some(1_700_000_000_000_000_000 + minute * MINUTE);
        minutes.into_iter().map(at).collect()
    }

    #[test]
    fn profiles_are_in_the_order_of_their_times() {
        let order = Order::of(&minutes((0..40).rev())).expect("they are even");
        assert_eq!(order.indices, (0..40).rev().collect::<Vec<_>>());
        assert_eq!(order.stretches(), 40);
        assert_eq!(order.hours(), Some(1.0 / 60.0));
        let levels: Vec<_> = (0..40).rev().map(|level| 1_000 + level * 100).collect();
        let course = order.course(&levels);
        assert_eq!(course.law(), Some(Law::Linear));
        assert!((course.rate().0 - 100.0).abs() < 1e-6);
    }

    #[test]
    fn without_times_they_are_in_the_order_of_the_arguments() {
        let mut times = minutes(0..40);
        times[7] = times[8];
        let order = Order::of(&times).expect("an order");
        assert_eq!(
            order.no_times.as_deref(),
            Some("some of their times are equal")
        );
        assert_eq!(order.indices, (0..40).collect::<Vec<_>>());
        times[7] = None;
        let order = Order::of(&times).expect("an order");
        assert_eq!(order.no_times.as_deref(), Some("1 of them has no time"));
        assert_eq!(order.hours(), None);
        let order = Order::of(&[None; 40]).expect("an order");
        assert_eq!(order.no_times.as_deref(), Some("they have no times"));
    }

    /// A leak whose profiles come ever closer to each other must not look as if it came to rest.
    #[test]
    fn stretches_are_equal_where_profiles_are_not() {
        // As many in the last hour as in the nine before it.
        let times = (0..54).map(|at| at * 10).chain((0..60).map(|at| 540 + at));
        let levels: Vec<_> = times
            .clone()
            .map(|minute: i64| minute.unsigned_abs() * 1_000)
            .collect();
        let order = Order::of(&minutes(times)).expect("ten minutes are enough");
        assert!(
            (40..=70).contains(&order.stretches()),
            "{}",
            order.stretches()
        );
        let course = order.course(&levels);
        assert_eq!(course.law(), Some(Law::Linear));
        let (rate, error) = course.rate();
        let hours = order.hours().expect("times are known");
        assert!(
            (rate / hours - 60_000.0).abs() <= error / hours + 1.0,
            "{rate} ± {error}"
        );
    }

    #[test]
    fn some_may_be_missing_and_long_gaps_are_refused() {
        let missing = (0..50).filter(|minute| ![7, 20, 33].contains(minute));
        assert_eq!(Order::of(&minutes(missing)).expect("few").stretches(), 47);
        let weeks = (0..20).chain(10_000..10_020);
        let error = Order::of(&minutes(weeks)).expect_err("a week is missing");
        insta::assert_snapshot!(error);
    }
}
