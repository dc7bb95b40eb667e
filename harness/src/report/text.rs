//! The text form of a report.

use super::{Ceiling, Checkpoint, Report, Resource, again};
use crate::text::sparkline::sparkline;
use crate::text::{Blocks, Rate, Steps, Thousands, full_name};
use std::fmt;

impl Report {
    /// The curve in one line of block characters, from an empty heap to the
    /// highest point: a level line for memory that stays level, a ramp for a
    /// leak.
    pub fn sparkline(&self) -> String {
        let curve: Vec<_> = self.curve.iter().map(|point| point.live_bytes).collect();
        sparkline(&curve, &[])
    }

    /// The whole explanation of a failure, or of a pass: the reasons, then the
    /// report, then how to run it again.
    pub fn explanation(&self) -> String {
        let mut text = format!("memory scenario `{}`", self.full_name());
        text.push_str(if self.is_failure() {
            " failed\n\n"
        } else {
            " passed\n"
        });
        for failure in self.failures() {
            text.push_str(&format!("  {failure}\n"));
        }
        text.push_str(&format!("\n{self}"));
        if let Some(diagnosis) = &self.diagnosis {
            text.push_str(&format!("\n{diagnosis}"));
        }
        if let Some(obstacle) = &self.diagnosis_obstacle {
            text.push_str(&format!("\n{obstacle}\n"));
        }
        if let Some(command) = again::command().filter(|_| self.is_failure()) {
            text.push_str(&format!("\nrun it again: {command}\n"));
        }
        text
    }

    /// The name, with the variant if there is one.
    pub(crate) fn full_name(&self) -> String {
        full_name(&self.name, self.variant.as_deref())
    }

    fn headline(&self) -> String {
        let breached: Vec<_> = self.breaches.iter().map(|b| b.ceiling.name()).collect();
        let ceilings = match (breached.is_empty(), self.ceilings.is_empty()) {
            (false, _) => format!("ceilings breached: {}", breached.join(", ")),
            (true, true) => "no ceilings set".to_owned(),
            (true, false) => "within its ceilings".to_owned(),
        };
        format!("{}: {}, {ceilings}", self.full_name(), self.verdict.word())
    }

    fn steps_line(&self) -> String {
        let mut line = Thousands(self.steps).to_string();
        if self.steps < self.requested_steps {
            line.push_str(&format!(
                " of {} requested",
                Thousands(self.requested_steps)
            ));
        }
        if self.warm_up_steps > 0 {
            line.push_str(&format!(
                " after {} of warm-up",
                Thousands(self.warm_up_steps)
            ));
        }
        if self.extended_steps > self.steps {
            line.push_str(&format!(
                ", extended to {} for the verdict",
                Thousands(self.extended_steps)
            ));
        }
        line
    }

    /// `figure` padded, with its ceiling behind it if there is one.
    fn with_ceiling(&self, figure: &str, ceiling: Ceiling) -> String {
        let Some((_, limit)) = self.ceilings.iter().find(|(known, _)| *known == ceiling) else {
            return figure.to_owned();
        };
        let breach = self.breaches.iter().find(|b| b.ceiling == ceiling);
        let excess = breach.map_or(String::new(), |breach| {
            if ceiling.is_of_step() {
                return ", breached".to_owned();
            }
            format!(
                ", breached by {}{}",
                Thousands(breach.excess()),
                ceiling.suffix()
            )
        });
        format!("{figure:<18} ceiling {}{excess}", ceiling.limit(*limit))
    }

    /// What a step allocates, where a ceiling is on that.
    fn step_lines(&self) -> impl Iterator<Item = (&'static str, String)> {
        let ceilings = self.ceilings.iter().map(|(ceiling, _)| *ceiling);
        let of_step = ceilings.filter(|ceiling| ceiling.is_of_step());
        of_step.map(|ceiling| {
            let figure = format!("{}{}", self.each_step(ceiling), ceiling.suffix());
            (ceiling.name(), self.with_ceiling(&figure, ceiling))
        })
    }

    /// The size of a step's future, if there is one.
    fn future_line(&self) -> Option<String> {
        let figure = format!("{} B", Thousands(self.future_bytes?));
        Some(self.with_ceiling(&figure, Ceiling::Future))
    }

    /// How much stack the steps used, if that was asked for.
    fn stack_line(&self) -> Option<String> {
        let depth = match self.stack? {
            Ok(depth) => depth,
            Err(obstacle) => return Some(obstacle.to_owned()),
        };
        let least = if depth.is_least { "at least " } else { "" };
        let figure = format!("{least}{} B", Thousands(depth.bytes));
        Some(self.with_ceiling(&figure, Ceiling::Stack))
    }

    /// The average of what the steps allocated.
    pub(super) fn each_step(&self, ceiling: Ceiling) -> Rate {
        Rate(self.of_steps(ceiling) as f64 / self.steps.max(1) as f64)
    }

    /// What is left after the drop, and whether it is left each time.
    fn residue_line(&self) -> String {
        let residue = format!("{} B", Thousands(self.residue_bytes));
        let mut line = self.with_ceiling(&residue, Ceiling::Residue);
        if let Some(repetition) = self.repetition {
            let again = match repetition.residue_bytes {
                0 => "; nothing more when it was repeated".to_owned(),
                bytes => format!("; {} B more each time when repeated", Thousands(bytes)),
            };
            let steps = format!(", with {}", Steps(repetition.steps));
            line.push_str(&(again + &steps));
        }
        line
    }

    /// By how much another resource rose, and what the rule says of it.
    fn resource_line(&self, resource: &Resource) -> String {
        let (Some(growth), Some(verdict)) = (resource.growth(), resource.verdict()) else {
            return resource.obstacle().unwrap_or_default().to_owned();
        };
        let kind = resource.kind();
        let figure = format!("{}{}", Thousands(growth), kind.suffix());
        let figure = self.with_ceiling(&figure, kind);
        if verdict.is_growing() {
            format!("{figure}; {verdict}")
        } else {
            figure
        }
    }

    /// All points of the requested steps; of the extension, which may be 15 times
    /// as long, those where it doubled, and the last.
    fn printed_points(&self) -> impl Iterator<Item = &Checkpoint> {
        let last = self.curve.last().map(|point| point.step);
        self.curve.iter().filter(move |point| {
            let doublings = point.step.checked_div(self.steps).unwrap_or(0);
            point.step <= self.steps
                || Some(point.step) == last
                || (point.step % self.steps == 0 && doublings.is_power_of_two())
        })
    }

    fn totals_line(&self) -> String {
        let per_step = self.blocks_per_step().map_or(String::new(), |blocks| {
            format!(", {blocks:.2} blocks a step")
        });
        format!(
            "{} B in {}, {} reallocations{per_step}",
            Thousands(self.total_bytes),
            Blocks(self.total_blocks),
            Thousands(self.reallocations),
        )
    }
}

impl Checkpoint {
    pub(crate) const HEADER: &str = "          step         live bytes    live blocks\n";

    /// Below the header.
    pub(crate) fn line(&self) -> String {
        format!(
            "  {:>12} {:>18} {:>14}\n",
            Thousands(self.step),
            Thousands(self.live_bytes),
            Thousands(self.live_blocks)
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let growth = format!("{} B", Thousands(self.growth_bytes));
        let mut peak = format!("{} B", Thousands(self.peak_bytes));
        if self.peak_error_bytes > 0 {
            peak.push_str(&format!(
                " + at most {} B",
                Thousands(self.peak_error_bytes)
            ));
        }
        writeln!(f, "{}", self.headline())?;
        let live = format!(
            "{} B in {}",
            Thousands(self.live_bytes),
            Blocks(self.live_blocks)
        );
        let mut lines = vec![
            ("steps", self.steps_line()),
            ("growth", self.with_ceiling(&growth, Ceiling::Growth)),
            ("peak", self.with_ceiling(&peak, Ceiling::Peak)),
            ("residue", self.residue_line()),
            ("live", self.with_ceiling(&live, Ceiling::LiveBlocks)),
            ("total", self.totals_line()),
        ];
        lines.extend(self.step_lines());
        lines.extend(self.future_line().map(|line| ("future", line)));
        lines.extend(self.stack_line().map(|line| ("stack", line)));
        let of_types = self.types.iter().filter(|known| known.obstacle().is_none());
        lines.extend(of_types.map(|known| ("by type", known.told())));
        let resources = self.resources.iter();
        lines.extend(resources.map(|known| (known.kind().name(), self.resource_line(known))));
        lines.push(("verdict", self.verdict.to_string()));
        lines.extend(self.verdict.shape().map(|shape| ("shape", shape)));
        lines.extend(
            self.self_test
                .as_ref()
                .map(|test| ("self-test", test.to_string())),
        );
        lines.push(("coverage", self.coverage.line()));
        let accepted = self.accepted.iter();
        lines.extend(accepted.map(|accepted| {
            let text = format!("{}: {}", accepted.what, accepted.reason);
            ("accepted", text)
        }));
        lines.extend(self.note().map(|note| ("note", note.to_owned())));
        lines.extend(self.ending.clone().map(|ending| ("ending", ending)));
        lines.extend(self.damage().map(|damage| ("damage", damage)));
        lines.push(("curve", self.sparkline()));
        for (label, text) in lines {
            writeln!(f, "  {label:<11} {text}")?;
        }
        f.write_str(Checkpoint::HEADER)?;
        for point in self.printed_points() {
            f.write_str(&point.line())?;
        }
        Ok(())
    }
}

impl fmt::Display for crate::alloc::Overruns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let owner = self.first_owner.as_ref().map_or_else(
            || "by an unknown scope".to_owned(),
            |owner| format!("in scope `{owner}`, as far as can still be read"),
        );
        write!(
            f,
            "{} freed with the bytes behind them overwritten, the first of {} B, allocated {owner}; \
             the program wrote past the end of a block, or freed it with another size than it \
             asked for, and live figures are too high by these blocks",
            match self.count {
                1 => "1 block was".to_owned(),
                count => format!("{} were", Blocks(count)),
            },
            Thousands(self.first_size_bytes as u64),
        )
    }
}
