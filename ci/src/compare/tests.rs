//! What counts as worse, better, or neither.

use super::*;
use crate::report::Report;

fn known() -> Baseline {
    let report: Report =
        serde_json::from_str(include_str!("../../tests/data/bounded.json")).expect("a report");
    Baseline::of(&report)
}

/// The baseline with some figures changed.
fn with(changes: &[(&'static str, i64)]) -> Baseline {
    let mut found = known();
    found.figures.extend(changes.iter().copied());
    found
}

fn status(found: &Baseline) -> Status {
    Comparison::of(Some(&known()), Some(found)).status
}

#[test]
fn more_is_worse_and_less_is_to_be_recorded() {
    assert_eq!(status(&known()), Status::Same);
    assert_eq!(status(&with(&[("total", 1_025)])), Status::Regression);
    assert_eq!(status(&with(&[("total", 1_023)])), Status::Improvement);
    assert_eq!(
        status(&with(&[("total", 0), ("live blocks", 2)])),
        Status::Regression
    );
    assert_eq!(
        status(&with(&[("steps", 5_000), ("total", 9_999)])),
        Status::Changed
    );
}

#[test]
fn peaks_within_their_bound_are_the_same() {
    let threads = [("peak", 9_000), ("peak bound", 8_192)];
    assert_eq!(status(&with(&threads)), Status::Same);
    let more = [("peak", 10_000), ("peak bound", 8_192)];
    assert_eq!(status(&with(&more)), Status::Regression);
}

#[test]
fn a_verdict_that_turns_is_worse_or_better() {
    let growing = Baseline {
        verdict: "growing".to_owned(),
        ..known()
    };
    assert_eq!(status(&growing), Status::Regression);
    let back = Comparison::of(Some(&growing), Some(&known()));
    assert_eq!(back.status, Status::Improvement);
}

#[test]
fn what_changed_is_listed_the_worst_first() {
    let comparisons = [
        Comparison::of(Some(&known()), Some(&known())),
        Comparison::of(None, Some(&known())),
        Comparison::of(
            Some(&known()),
            Some(&with(&[("growth", 2_048), ("reallocations", 4)])),
        ),
    ];
    let text = "\
regression   last-hundred
             growth 1,024 B → 2,048 B (+1,024 B)
             reallocations 5 → 4 (-1)
new          last-hundred

1 regression, 1 new, 1 same
";
    assert_eq!(render(&comparisons), text);
}

#[test]
fn a_comment_says_it_in_one_line_and_folds_the_rest() {
    let named = |name: &str| Baseline {
        scenario: name.to_owned(),
        ..known()
    };
    let worse = Baseline {
        scenario: "a|b `c`".to_owned(),
        ..with(&[("growth", 2_048), ("live blocks", 2)])
    };
    let comparisons = [
        Comparison::of(Some(&named("same")), Some(&named("same"))),
        Comparison::of(Some(&named("same (leaky)")), Some(&named("same (leaky)"))),
        Comparison::of(Some(&known()), Some(&worse)),
    ];
    let text = "\
**Memory**: 1 regression, 2 same

| scenario | | what changed |
|---|---|---|
| `a\\|b  c ` | regression | growth 1,024 B → 2,048 B (+1,024 B)<br>live blocks 1 → 2 (+1) |

<details><summary>2 without a change</summary>

`same`, `same (leaky)`

</details>
";
    assert_eq!(markdown(&comparisons), text);
    let all_same = "\
**Memory**: 1 same

<details><summary>1 without a change</summary>

`same`

</details>
";
    assert_eq!(markdown(&comparisons[..1]), all_same);
}
