//! The text form of how memory grows with the size: one screen, 80 columns.

use super::{Growth, Sample, Scaled};
use crate::text::columns::{Align, aligned};
use crate::text::fitted::wrapped;
use crate::text::sparkline::sparkline;
use crate::text::{ByteSize, Rate, Thousands};
use crate::verdict::Law;
use std::fmt;

const FIGURES: [&str; 3] = ["live", "peak", "allocated"];

impl Scaled {
    /// Why it [is a failure](Self::is_failure), a sentence each.
    pub fn failures(&self) -> Vec<String> {
        let growth = match &self.growth {
            Ok(growth) => growth,
            Err(why) => return vec![format!("inconclusive: {why}")],
        };
        let mut failures = Vec::new();
        // What is allocated in all has no limit.
        for (name, growth) in FIGURES.iter().zip(growth).take(2) {
            failures.extend(self.law_failure(name, growth));
        }
        let [live, ..] = growth;
        let most = live.bounds.1;
        let above = |limit: &ByteSize| most > limit.bytes() as f64;
        failures.extend(self.bytes_per_unit.filter(above).map(|limit| {
            let most = Rate(most).significant();
            format!("live: up to {most} B a unit, ceiling {limit}")
        }));
        failures
    }

    /// Why the law of a figure is one.
    fn law_failure(&self, name: &str, growth: &Growth) -> Option<String> {
        let law = growth.told();
        let (slowest, fastest) = growth.laws;
        match self.at_most {
            Some(most) if slowest > most => {
                Some(format!("{name}: {law}, and at most {most} is allowed"))
            }
            Some(most) if fastest <= most => None,
            None if name != "live" || slowest == fastest => None,
            _ => Some(format!(
                "inconclusive: {name} is {law}, for it differs from run to run or rises in steps; \
                 larger sizes, or more of them, can tell"
            )),
        }
    }

    /// The reasons, and all figures.
    pub(super) fn explanation(&self) -> String {
        let mut failures = self.failures().into_iter();
        let first = failures.next().unwrap_or_default();
        let mut text = wrapped(&format!("`{}` by size: {first}", self.name), 0);
        for other in failures {
            text.push_str(&wrapped(&format!("also {other}"), 2));
        }
        format!("{text}\n{}", self.figures())
    }

    fn figures(&self) -> String {
        let head = ["size", "live B", "peak B", "allocated B", "live B a unit"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        rows.extend(self.samples.iter().map(|sample| {
            let Sample {
                size,
                live_bytes,
                peak_bytes,
                allocated_bytes,
            } = *sample;
            let figures = [size, live_bytes, peak_bytes, allocated_bytes];
            let mut row: Vec<_> = figures.map(|figure| Thousands(figure).to_string()).to_vec();
            row.push(Rate(live_bytes as f64 / size as f64).to_string());
            row
        }));
        if self.samples.is_empty() {
            rows.clear();
        }
        let table = aligned(&[Align::Right; 5], &rows);
        let mut text: String = table.lines().map(|line| format!("  {line}\n")).collect();
        let Ok(growth) = &self.growth else {
            return text;
        };
        let plots = FIGURES.iter().enumerate().map(|(at, _)| self.plot(at));
        let rows = FIGURES.iter().zip(growth).zip(plots);
        let rows: Vec<_> = rows
            .map(|((name, growth), plot)| vec![(*name).to_owned(), plot, growth.to_string()])
            .collect();
        let lines = aligned(&[Align::Left; 3], &rows);
        text.push('\n');
        text.extend(lines.lines().map(|line| match line.split_once(" (") {
            // The bounds stand below, where they do not fit beside.
            Some((line, bounds)) if line.chars().count() + bounds.chars().count() > 76 => {
                format!("  {line}\n    ({bounds}\n")
            }
            _ => format!("  {line}\n"),
        }));
        text
    }

    /// A figure by size, as a curve.
    fn plot(&self, figure: usize) -> String {
        let curve = self.samples.iter().map(|sample| match figure {
            0 => sample.live_bytes,
            1 => sample.peak_bytes,
            _ => sample.allocated_bytes,
        });
        sparkline(&curve.collect::<Vec<_>>(), &[])
    }
}

impl fmt::Display for Scaled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = match &self.growth {
            Ok([live, ..]) => format!("{} by size: live {live}", self.name),
            Err(why) => format!("{} by size: inconclusive: {why}", self.name),
        };
        f.write_str(&wrapped(&head, 0))?;
        write!(f, "\n{}", self.figures())
    }
}

impl Growth {
    /// The law in words.
    fn told(&self) -> String {
        let (slowest, fastest) = self.laws;
        match &self.like {
            Some(like) => format!("superlinear, as {like}"),
            None if slowest == fastest && self.is_stepped => format!("{slowest} in steps"),
            None if slowest == fastest => slowest.to_string(),
            None => format!("{slowest} to {fastest}"),
        }
    }
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told())?;
        if self.law() == Some(Law::Constant) {
            return Ok(());
        }
        let (least, most) = self.bounds;
        // From so many bytes on, parts of one are noise, and would be too wide. Bounds still hold.
        let rounded = |rate: f64, round: fn(f64) -> f64| {
            let rate = if rate < 10_000.0 { rate } else { round(rate) };
            Rate(rate).significant()
        };
        let each = rounded(self.per_unit, f64::round);
        let (least, most) = (rounded(least, f64::floor), rounded(most, f64::ceil));
        write!(f, ", {each} B a unit ({least} to {most})")
    }
}
