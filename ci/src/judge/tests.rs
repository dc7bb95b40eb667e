//! Series of profiles whose verdict is known.

use super::order::Order;
use super::*;

/// A stack whose site is this function.
fn stack(function: &str) -> Vec<Frame> {
    let located = highwater::__private::Located {
        function,
        file: Some("/app/src/lib.rs"),
        line: Some(1),
    };
    highwater::__private::frames_told(&[located], Path::new("/app"))
}

fn judge(count: usize, levels: &[(String, Vec<u64>)]) -> Found {
    let times: Vec<_> = (1..)
        .take(count)
        .map(|hour: i64| Some(hour * 3_600_000_000_000))
        .collect();
    let order = Order::of(&times).expect("they are even");
    let stacks = levels
        .iter()
        .map(|(name, levels)| (stack(name), levels.clone()));
    found(&order, Some(SAMPLE), stacks.collect())
}

/// How many bytes lie between two samples, as by default in jemalloc and Go.
const SAMPLE: u64 = 524_288;

/// Numbers that look random and are the same in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }

    /// One that is less than this.
    fn below(&mut self, limit: usize) -> usize {
        let number = self.next() % limit as u64;
        usize::try_from(number).expect("it is less")
    }

    /// A number of events of which so many are expected.
    fn poisson(&mut self, expected: f64) -> u64 {
        let (mut left, mut events) = (expected, 0);
        loop {
            left += ((self.next() + 1) as f64 / (1_u64 << 53) as f64).ln();
            if left < 0.0 {
                return events;
            }
            events += 1;
        }
    }
}

/// The levels of a stack whose blocks live for less than so many profiles each, as samples tell
/// them.
fn sampled(random: &mut Random, count: usize, mean: f64, longest: usize) -> Vec<u64> {
    let mut ends = vec![0_u64; count + longest + 1];
    let mut samples = random.poisson(mean);
    let mut levels = Vec::new();
    // What is there at the start goes one by one.
    for _ in 0..samples {
        let end = random.below(longest);
        ends[end] += 1;
    }
    for at in 0..count {
        samples -= ends[at].min(samples);
        levels.push(samples * SAMPLE);
        for _ in 0..random.poisson(mean * 2.0 / longest as f64) {
            samples += 1;
            let end = random.below(longest);
            ends[at + 1 + end] += 1;
        }
    }
    levels
}

/// What is sampled moves by chance. That is no growth.
#[test]
fn samples_of_steady_memory_do_not_grow() {
    for (count, longest) in [(32, 2), (48, 6), (96, 16), (200, 10)] {
        let mut random = Random(0x1234_5678_9abc_def1 + count as u64);
        let levels = (0..400).map(|number| {
            let mean = [0.3, 1.0, 3.0, 10.0, 40.0][number % 5];
            let levels = sampled(&mut random, count, mean, longest);
            (format!("shop::f{number}"), levels)
        });
        let found = judge(count, &levels.collect::<Vec<_>>());
        assert_eq!(found.growing().count(), 0, "{count} profiles");
        assert_ne!(found.whole.state, State::Growing, "{count} profiles");
    }
}

/// A leak of a few samples from one profile to the next is told, and never taken for bounded. Its
/// rate is right within its error, but for chance: twice the deviation leaves one in 20.
#[test]
fn samples_of_a_leak_grow() {
    for leaked in [2_u64, 4, 20] {
        let (mut told, mut right) = (0, 0);
        for seed in 1..=20 {
            let mut random = Random(0x9e37_79b9_7f4a_7c15 + seed);
            let rest = sampled(&mut random, 64, 10.0, 6);
            let mut leak = 0;
            let levels = rest.iter().map(|level| {
                leak += random.poisson(leaked as f64);
                level + leak * SAMPLE
            });
            let found = judge(64, &[("shop::leak".to_owned(), levels.collect())]);
            let course = &found.stacks[0].course;
            assert_ne!(course.state, State::Bounded, "{leaked}, seed {seed}");
            let off = (course.rate - (leaked * SAMPLE) as f64).abs();
            told += u32::from(course.state == State::Growing);
            right += u32::from(off <= course.rate_error);
        }
        assert!(told >= 19, "{told} leaks of {leaked} samples are told");
        assert!(right >= 18, "{right} rates of {leaked} samples are right");
    }
}

/// The page says what the table says, with a curve of each stack, and loads nothing.
#[test]
fn a_page_shows_each_stack() {
    let levels = |of: fn(u64) -> u64| (0..48).map(of).collect();
    let found = judge(
        48,
        &[
            ("shop::leak".to_owned(), levels(|i| (40 + i * 4) * SAMPLE)),
            ("shop::<rest>".to_owned(), levels(|_| 90 * SAMPLE)),
        ],
    );
    let page = page::render(&found);
    assert!(page.contains("<h1>1 of 2 stacks grows, by "), "{page}");
    assert_eq!(page.matches("<polyline").count(), 1 + 2 + 2, "{page}");
    assert!(page.contains("profile 48: 166,723,584 B"), "{page}");
    assert!(page.contains("&lt;rest&gt;"), "{page}");
    assert!(
        !page.contains("http:") && !page.contains("https:"),
        "{page}"
    );
}
