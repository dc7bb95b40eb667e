//! What changed between two runs of a scenario, and which way.
//!
//! Plain functions of plain figures. What follows from a change, and against what
//! a scenario is held, is for [`outcome`](crate::outcome) to say.

use crate::baseline::Baseline;
use crate::config::Tolerance;
use crate::kind::Kind;
use crate::table::printable;
use highwater::__private::Thousands;
use highwater_reports::figure::{Figure, Unit};
use highwater_reports::page::signed;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// Which way a change goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Less memory, or a better verdict.
    Better,
    /// More memory, or a worse verdict.
    Worse,
    /// Neither, such as other steps.
    Different,
}

/// One thing that changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// What: a figure, `growing`, `inconclusive`, `law` or `ceiling`.
    #[schemars(with = "String")]
    pub what: Kind,
    /// What it was.
    pub before: Value,
    /// What it is.
    pub after: Value,
    /// What it is counted in, if it is a figure.
    pub unit: Option<Unit>,
    /// Which way it goes.
    pub effect: Effect,
    /// Whether it blocks.
    pub blocks: bool,
    /// For what the steps allocated: how much that was a step, before and after.
    pub per_step: Option<[f64; 2]>,
}

/// A figure or a word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Value {
    /// A figure.
    Number(i64),
    /// A verdict, a law or a ceiling.
    Word(String),
}

/// What is compared with what, and how strictly.
#[derive(Clone, Copy, Debug)]
pub struct Rule<'a> {
    /// How far figures may move.
    pub tolerance: Option<&'a Tolerance>,
    /// What blocks when it is worse; all of it, if none.
    pub blocks: Option<&'a BTreeSet<Kind>>,
}

impl Rule<'_> {
    fn change(&self, what: Kind, before: Value, after: Value, effect: Effect) -> Change {
        let is_named = self.blocks.is_none_or(|blocks| blocks.contains(&what));
        let unit = match what {
            Kind::Figure(figure) => Some(figure.unit()),
            _ => None,
        };
        Change {
            what,
            before,
            after,
            unit,
            effect,
            blocks: effect == Effect::Worse && is_named,
            per_step: None,
        }
    }
}

/// What changed from `before` to `after`: the verdict, the ceilings, then the figures in
/// their order.
pub fn changes(before: &Baseline, after: &Baseline, rule: &Rule<'_>) -> Vec<Change> {
    let value = |of: &Baseline, figure| of.figures.get(&figure).copied().unwrap_or(0);
    let other_steps = value(before, Figure::Steps) != value(after, Figure::Steps);
    let mut changes: Vec<_> = verdict(before, after, rule).into_iter().collect();
    changes.extend(ceilings(before, after, rule));
    for figure in Figure::all().filter(|figure| !figure.is_bound()) {
        let (is, range) = (after.figures.get(&figure).copied(), before.range(figure));
        let (Some(is), Some([least, most])) = (is, range) else {
            changes.extend(measured_once(figure, range.map(|[_, most]| most), is, rule));
            continue;
        };
        // What differed from run to run then may do so by as much now.
        let was = is.clamp(least, most);
        let allowed = rule.tolerance.map_or(0, |tolerance| tolerance.of(figure));
        // Two are the same if their ranges meet: the true one may lie above.
        let lower = if is > was { before } else { after };
        let bound = figure.bound().map_or(0, |bound| value(lower, bound));
        let allowed = allowed.max(bound).unsigned_abs().max(before.spread(figure));
        if is.abs_diff(was) <= allowed {
            continue;
        }
        let effect = match is > was {
            // Figures for other steps are not to be compared.
            _ if other_steps => Effect::Different,
            true => Effect::Worse,
            false => Effect::Better,
        };
        let per_step = || {
            let steps = [before, after].map(|of| value(of, Figure::Steps));
            let is_known = steps.iter().all(|steps| *steps > 0);
            is_known.then(|| [was as f64 / steps[0] as f64, is as f64 / steps[1] as f64])
        };
        let (before, after) = (Value::Number(was), Value::Number(is));
        changes.push(Change {
            per_step: figure.is_of_steps().then(per_step).flatten(),
            ..rule.change(Kind::Figure(figure), before, after, effect)
        });
    }
    changes
}

/// A figure that only one of the two has.
fn measured_once(
    figure: Figure,
    before: Option<i64>,
    after: Option<i64>,
    rule: &Rule<'_>,
) -> Option<Change> {
    before.or(after)?;
    let value = |of: Option<i64>| match of {
        Some(value) => Value::Number(value),
        None => Value::Word("not measured".to_owned()),
    };
    let (before, after) = (value(before), value(after));
    Some(rule.change(Kind::Figure(figure), before, after, Effect::Different))
}

/// The verdict's change, or that of the law if the verdict is the same.
fn verdict(before: &Baseline, after: &Baseline, rule: &Rule<'_>) -> Option<Change> {
    let word = |text: &str| Value::Word(text.to_owned());
    if before.verdict != after.verdict {
        let (what, effect) = match (before.verdict.as_str(), after.verdict.as_str()) {
            (_, "growing") => (Kind::Growing, Effect::Worse),
            ("growing", _) => (Kind::Growing, Effect::Better),
            (_, "inconclusive") => (Kind::Inconclusive, Effect::Worse),
            _ => (Kind::Inconclusive, Effect::Better),
        };
        return Some(rule.change(what, word(&before.verdict), word(&after.verdict), effect));
    }
    let law = |of: &Baseline| word(of.law.as_deref().unwrap_or("none"));
    let effect = match rank(after).cmp(&rank(before)) {
        std::cmp::Ordering::Greater => Effect::Worse,
        std::cmp::Ordering::Less => Effect::Better,
        std::cmp::Ordering::Equal => Effect::Different,
    };
    (before.law != after.law).then(|| rule.change(Kind::Law, law(before), law(after), effect))
}

/// The ceilings that are others than before: whoever moves one is seen.
fn ceilings(before: &Baseline, after: &Baseline, rule: &Rule<'_>) -> Vec<Change> {
    let names: BTreeSet<_> = before
        .ceilings
        .keys()
        .chain(after.ceilings.keys())
        .collect();
    let value = |of: &Baseline, name: &str| match of.ceilings.get(name) {
        Some(limit) => Value::Word(format!("{name} up to {limit}")),
        None => Value::Word(format!("none on {name}")),
    };
    let pairs = names
        .into_iter()
        .map(|name| (value(before, name), value(after, name)));
    let moved = pairs.filter(|(before, after)| before != after);
    moved
        .map(|(before, after)| rule.change(Kind::Ceiling, before, after, Effect::Different))
        .collect()
}

/// The laws of growth, the worst last.
fn rank(of: &Baseline) -> usize {
    const LAWS: [&str; 6] = [
        "constant",
        "saturating",
        "logarithmic",
        "sublinear",
        "linear",
        "superlinear",
    ];
    let law = of.law.as_deref();
    LAWS.iter()
        .position(|known| Some(*known) == law)
        .unwrap_or(LAWS.len())
}

impl Change {
    /// What changed, in words.
    pub fn name(&self) -> &'static str {
        match self.what {
            Kind::Growing | Kind::Inconclusive => "verdict",
            Kind::Figure(figure) => figure.name(),
            what => what.name(),
        }
    }

    /// What it was, with its unit.
    pub fn before(&self) -> String {
        self.value(&self.before)
    }

    /// What it is, with its unit.
    pub fn after(&self) -> String {
        self.value(&self.after)
    }

    fn value(&self, value: &Value) -> String {
        match (value, self.what) {
            (Value::Number(value), Kind::Figure(figure)) => figure.display(*value).to_string(),
            (Value::Number(value), _) => value.to_string(),
            // Whoever wrote the report wrote it.
            (Value::Word(word), _) => printable(word),
        }
    }

    /// By how much a figure changed, with its share; for what the steps allocated, from how
    /// much a step to how much; empty for words.
    pub fn difference(&self) -> String {
        let mut text = self.amount();
        if let Some([before, after]) = self.a_step() {
            text += &format!("; {before} → {after} a step");
        }
        text
    }

    /// How much of it there was in a step, and is, if it is told so.
    pub fn a_step(&self) -> Option<[String; 2]> {
        let text = |value| format!("{value:.2}{}", self.suffix());
        self.per_step.map(|values| values.map(text))
    }

    /// The unit, where it is not in the figure's name.
    fn suffix(&self) -> &'static str {
        if self.unit == Some(Unit::Bytes) {
            " B"
        } else {
            ""
        }
    }

    /// By how much a figure changed; none for words.
    pub fn by(&self) -> Option<i128> {
        match (&self.before, &self.after) {
            (Value::Number(before), Value::Number(after)) => {
                Some(i128::from(*after) - i128::from(*before))
            }
            _ => None,
        }
    }

    /// By how much a figure changed in all, with its share; empty for words.
    pub fn amount(&self) -> String {
        let (Some(by), Value::Number(before), Value::Number(after)) =
            (self.by(), &self.before, &self.after)
        else {
            return String::new();
        };
        let (before, after) = (i128::from(*before), i128::from(*after));
        let mut text = signed(by) + self.suffix();
        if before > 0 && after >= 10 * before {
            text += &format!(", ×{}", Thousands(after / before));
        } else if before > 0 {
            let share = (after - before) as f64 / before as f64 * 100.0;
            let digits = if share.abs() < 10.0 { 2 } else { 0 };
            text += &format!(", {share:+.digits$} %");
        }
        text
    }

    /// Whether a figure is less than a tenth away from what it was, and neither blocks nor is
    /// among those that people look for first: growth, peak, and what a step allocates.
    pub fn is_minor(&self) -> bool {
        let (Value::Number(before), Value::Number(after)) = (&self.before, &self.after) else {
            return false;
        };
        let is_near = after.abs_diff(*before) < before.unsigned_abs() / 10;
        let is_asked_for = match self.what {
            Kind::Figure(figure) => {
                figure.blocks_by_default() || figure.is_of_steps() || figure == Figure::Steps
            }
            _ => true,
        };
        is_near && !self.blocks && !is_asked_for
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} → {}", self.name(), self.before(), self.after())?;
        match self.difference() {
            difference if difference.is_empty() => Ok(()),
            difference => write!(f, " ({difference})"),
        }
    }
}

#[cfg(test)]
mod tests;
