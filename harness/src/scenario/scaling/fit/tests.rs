//! Laws that are known, and what of them is found.

use super::*;
use proptest::prelude::*;

const SIZES: [u64; 4] = [100, 200, 400, 800];

fn growth_of(sizes: &[u64], figure: impl Fn(u64) -> Span) -> Growth {
    let chain = Chain::of(sizes).expect("they double");
    let figures = chain.sizes().into_iter().map(|n| (n, figure(n)));
    Growth::of(&chain, &figures.collect::<Vec<_>>())
}

#[track_caller]
// Small, and not below zero.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn check(figure: impl Fn(f64) -> f64, law: Law, like: Option<&str>) {
    let growth = growth_of(&SIZES, |n| Span::at(figure(n as f64).round() as u64));
    assert_eq!(growth.law(), Some(law), "{growth:?}");
    assert_eq!(growth.like.as_deref(), like);
}

#[test]
fn laws_are_told_apart() {
    check(|_| 5_000.0, Law::Constant, None);
    check(|n| 9_000.0 - n, Law::Constant, None);
    check(|n| 5_000.0 + 1e6 * n.log2(), Law::Logarithmic, None);
    check(|n| 1e6 * (1.0 - 1.0 / n), Law::Saturating, None);
    check(|n| 7.0 + 1e4 * n.sqrt(), Law::Sublinear, None);
    check(|n| 1e5 + 10_270.0 * n, Law::Linear, None);
    check(|n| 16.0 * n * n.log2(), Law::Superlinear, Some("n log n"));
    check(|n| 99.0 * n + 8.0 * n * n, Law::Superlinear, Some("n^2.0"));
    check(|n| n * n * n, Law::Superlinear, Some("n^3.0"));
    check(|n| 64.0 * n.powf(1.5), Law::Superlinear, Some("n^1.5"));
}

/// The last four decide: what is fixed at small sizes is no law.
#[test]
fn larger_sizes_decide() {
    let sizes = [25, 50, 100, 200, 400, 800];
    let growth = growth_of(&sizes, |n| Span::at((n * 64).max(6_400)));
    assert_eq!(growth.law(), Some(Law::Linear));
    assert!(growth.bounds.0.abs() < f64::EPSILON);
}

/// Memory that comes in pieces larger than what a doubling adds has no law here.
#[test]
fn large_pieces_leave_the_law_open() {
    let growth = growth_of(&SIZES, |n| Span::at((n * 64).next_multiple_of(30_000)));
    assert_eq!(growth.law(), None);
    assert!(growth.laws.0 <= Law::Linear && growth.laws.1 >= Law::Linear);
}

#[test]
fn sizes_must_double() {
    let refused = |sizes: &[u64]| Chain::of(sizes).expect_err("too few");
    assert_eq!(
        refused(&[100, 200, 400]),
        "of the sizes 100, 200, 400 no 4 are each twice the one before; give some such as 100, \
         200, 400, 800"
    );
    refused(&[0, 0, 0, 0]);
    refused(&[100, 101, 102, 103, 104]);
    refused(&[u64::MAX, u64::MAX / 2]);
    assert_eq!(
        refused(&[]),
        "there are no sizes; give some such as 100, 200, 400, 800"
    );
    let chain = Chain::of(&[800, 3, 400, 200, 300, 100, 100]).expect("they double");
    assert_eq!(chain.doubling, SIZES);
    assert_eq!(chain.others, [3, 150, 300, 600]);
    assert_eq!(chain.sizes(), [3, 100, 150, 200, 300, 400, 600, 800]);
}

/// Room for `n` items in a table that doubles, from `first` on.
fn doubling_table(n: u64, first: u64) -> u64 {
    let rooms = std::iter::successors(Some(first), |room| Some(room * 2));
    rooms.into_iter().find(|room| *room >= n).unwrap_or(n)
}

proptest! {
    #[test]
    fn what_is_linear_is_exactly_that(
        fixed in 0..1_000_000_u64, each in 1..10_000_u64, first in 2..1_000_u64,
    ) {
        let sizes = [first, first * 2, first * 4, first * 8];
        let growth = growth_of(&sizes, |n| Span::at(fixed + each * n));
        prop_assert_eq!(growth.law(), Some(Law::Linear));
        let (least, most) = growth.bounds;
        let is_near = |bound: f64| (bound - each as f64).abs() < 1e-6 * each as f64;
        prop_assert!(is_near(least) && is_near(most), "{least} to {most}");
        prop_assert!(!growth.is_stepped);
    }

    /// The bounds hold at every size, also where the table has just doubled.
    #[test]
    fn tables_that_double_are_linear_within_their_bounds(
        fixed in 0..100_000_u64, each in 1..500_u64, item in 1..500_u64,
        start in 1..100_u64, more in 1..1_000_u64,
    ) {
        let figure = |n| fixed + each * n + item * doubling_table(n, start);
        let first = start + more;
        let sizes = [first, first * 2, first * 4, first * 8];
        let growth = growth_of(&sizes, |n| Span::at(figure(n)));
        prop_assert_eq!(growth.law(), Some(Law::Linear));
        let (least, most) = growth.bounds;
        for n in first..=first * 8 {
            let each = (figure(n) - fixed) as f64 / n as f64;
            let holds = least - 1e-6 <= each && each <= most + 1e-6;
            prop_assert!(holds, "{n}: {each} in {least} to {most}");
        }
    }

    /// However figures differ from run to run, the right law is among those that are left.
    #[test]
    fn noise_never_rules_out_the_right_law(
        noise in prop::collection::vec(0..20_000_u64, 7), each in 1..1_000_u64,
    ) {
        let sizes = Chain::of(&SIZES).expect("they double").sizes();
        let growth = growth_of(&SIZES, |n| {
            let at = sizes.iter().position(|size| *size == n).expect("it is one");
            Span { least: each * n, most: each * n + noise[at] }
        });
        let (slowest, fastest) = growth.laws;
        prop_assert!(slowest <= Law::Linear && Law::Linear <= fastest, "{growth:?}");
        let (least, most) = growth.bounds;
        prop_assert!(least <= each as f64 && each as f64 <= most);
    }
}
