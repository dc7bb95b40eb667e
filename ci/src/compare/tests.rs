//! What counts as worse, better, or neither.

use super::*;
use highwater_reports::report::Report;

fn known() -> Baseline {
    let report: Report =
        serde_json::from_str(include_str!("../../reports/tests/data/bounded.json"))
            .expect("a report");
    Baseline::of(&report)
}

/// The baseline with some figures changed.
fn with(changes: &[(Figure, i64)]) -> Baseline {
    let mut found = known();
    found.figures.extend(changes.iter().copied());
    found
}

fn of_verdict(verdict: &str, law: Option<&str>) -> Baseline {
    Baseline {
        verdict: verdict.to_owned(),
        law: law.map(str::to_owned),
        ..known()
    }
}

/// The changes in words, each with its effect and whether it blocks.
fn told(before: &Baseline, after: &Baseline, rule: &Rule<'_>) -> Vec<String> {
    let told = |change: &Change| {
        let blocks = if change.blocks { ", blocks" } else { "" };
        format!("{change}: {:?}{blocks}", change.effect)
    };
    changes(before, after, rule).iter().map(told).collect()
}

const STRICT: Rule<'_> = Rule {
    tolerance: None,
    blocks: None,
};

#[test]
fn more_is_worse_and_less_is_better() {
    assert!(told(&known(), &known(), &STRICT).is_empty());
    let found = with(&[(Figure::Total, 1_025), (Figure::Reallocations, 4)]);
    assert_eq!(
        told(&known(), &found, &STRICT),
        [
            "total 1,024 B → 1,025 B (+1 B, +0.10 %): Worse, blocks",
            "reallocations 5 → 4 (-1, -20 %): Better",
        ]
    );
    let found = with(&[(Figure::Residue, 8), (Figure::Growth, -2_048)]);
    assert_eq!(
        told(&known(), &found, &STRICT),
        [
            "growth 1,024 B → -2,048 B (-3,072 B, -300 %): Better",
            "residue 0 B → 8 B (+8 B): Worse, blocks",
        ]
    );
}

/// What was not measured is not zero.
#[test]
fn a_figure_that_one_side_has_is_only_different() {
    let of = |bytes| with(&[(Figure::Future, bytes)]);
    assert!(told(&of(1_000), &of(1_000), &STRICT).is_empty());
    assert_eq!(
        told(&of(1_000), &of(1_008), &STRICT),
        ["future 1,000 B → 1,008 B (+8 B, +0.80 %): Worse, blocks"]
    );
    assert_eq!(
        told(&known(), &of(1_000), &STRICT),
        ["future not measured → 1,000 B: Different"]
    );
    assert_eq!(
        told(&of(1_000), &known(), &STRICT),
        ["future 1,000 B → not measured: Different"]
    );
    // How far others vary says nothing of it.
    let mut before = of(1_000);
    before.ranges.insert(Figure::Peak, [1_024, 9_000]);
    assert_eq!(told(&before, &of(1_008), &STRICT).len(), 1);
}

#[test]
fn figures_for_other_steps_are_only_different() {
    let found = with(&[(Figure::Steps, 5_000), (Figure::Total, 9_999)]);
    assert_eq!(
        told(&known(), &found, &STRICT),
        [
            "steps 10,000 → 5,000 (-5,000, -50 %): Different",
            "total 1,024 B → 9,999 B (+8,975 B, +876 %): Different",
        ]
    );
}

#[test]
fn peaks_within_their_bound_are_the_same() {
    let peak = |peak, bound| with(&[(Figure::Peak, peak), (Figure::PeakBound, bound)]);
    let cases = [
        (peak(9_000, 8_192), peak(17_192, 0), 0),
        (peak(9_000, 8_192), peak(17_193, 0), 1),
        (peak(17_192, 0), peak(9_000, 8_192), 0),
        (peak(17_193, 0), peak(9_000, 8_192), 1),
        // What is known to within a bound now may be no more than before.
        (peak(1_024, 0), peak(9_000, 8_192), 1),
    ];
    for (before, after, expected) in cases {
        assert_eq!(told(&before, &after, &STRICT).len(), expected);
    }
}

#[test]
fn a_tolerance_is_inclusive_and_for_its_figure_only() {
    let tolerance: Tolerance =
        toml::from_str("reason = \"a hash map\"\npeak = \"1 KiB\"\nlive-blocks = 2").expect("TOML");
    let rule = Rule {
        tolerance: Some(&tolerance),
        blocks: None,
    };
    let found = with(&[(Figure::Peak, 2_048), (Figure::LiveBlocks, 3)]);
    assert!(told(&known(), &found, &rule).is_empty());
    let found = with(&[(Figure::Peak, 0), (Figure::LiveBlocks, 0)]);
    assert!(told(&known(), &found, &rule).is_empty());
    let found = with(&[(Figure::Peak, 2_049), (Figure::Growth, 1_025)]);
    assert_eq!(told(&known(), &found, &rule).len(), 2);
}

#[test]
fn only_what_is_named_blocks() {
    let blocks = BTreeSet::from([Kind::Figure(Figure::Peak)]);
    let rule = Rule {
        tolerance: None,
        blocks: Some(&blocks),
    };
    let found = with(&[(Figure::Peak, 2_048), (Figure::Growth, 2_048)]);
    assert_eq!(
        told(&known(), &found, &rule),
        [
            "growth 1,024 B → 2,048 B (+1,024 B, +100 %): Worse",
            "peak 1,024 B → 2,048 B (+1,024 B, +100 %): Worse, blocks",
        ]
    );
}

#[test]
fn a_verdict_that_turns_is_worse_or_better() {
    let growing = of_verdict("growing", Some("linear"));
    let open = of_verdict("inconclusive", None);
    let bounded = of_verdict("bounded", Some("constant"));
    let saturating = of_verdict("bounded", Some("saturating"));
    let cases = [
        (
            &bounded,
            &growing,
            "verdict bounded → growing: Worse, blocks",
        ),
        (
            &open,
            &growing,
            "verdict inconclusive → growing: Worse, blocks",
        ),
        (&growing, &open, "verdict growing → inconclusive: Better"),
        (&growing, &bounded, "verdict growing → bounded: Better"),
        (
            &bounded,
            &open,
            "verdict bounded → inconclusive: Worse, blocks",
        ),
        (&open, &bounded, "verdict inconclusive → bounded: Better"),
        (
            &bounded,
            &saturating,
            "law constant → saturating: Worse, blocks",
        ),
        (&saturating, &bounded, "law saturating → constant: Better"),
    ];
    for (before, after, expected) in cases {
        assert_eq!(told(before, after, &STRICT), [expected]);
    }
}

#[test]
fn a_law_commands_no_terminal() {
    let before = of_verdict("bounded", Some("constant"));
    let after = of_verdict("bounded", Some("\u{1b}[31mred"));
    let told = told(&before, &after, &STRICT);
    assert!(
        told[0].starts_with("law constant → \\u{1b}[31mred: "),
        "{told:?}"
    );
}

/// A ceiling that somebody moved is told, whatever the figures are.
#[test]
fn a_moved_ceiling_is_told() {
    let of = |ceilings: &[(&str, &str)]| Baseline {
        ceilings: ceilings
            .iter()
            .map(|(name, limit)| ((*name).to_owned(), (*limit).to_owned()))
            .collect(),
        ..known()
    };
    let before = of(&[("growth", "1,024 B"), ("peak", "4,096 B")]);
    let after = of(&[("growth", "1,000,000 B"), ("residue", "0 B")]);
    assert_eq!(
        told(&before, &after, &STRICT),
        [
            "ceiling growth up to 1,024 B → growth up to 1,000,000 B: Different",
            "ceiling peak up to 4,096 B → none on peak: Different",
            "ceiling none on residue → residue up to 0 B: Different",
        ]
    );
    assert_eq!(told(&before, &before, &STRICT), [""; 0]);
}
