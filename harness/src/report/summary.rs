//! A failure in one screen: what grew, at which line, who holds it, and what to do next.
//!
//! A failed test prints this. It is for a person who sees the library for the first time, so
//! each thing is said once, and figures that nobody asked for are left to the long form,
//! [`Report::explanation`]. No line but a command is longer than 80 columns.

use super::reasons::{Average, Reason, left_each_time};
use super::{Breach, Ceiling, Checkpoint, Report, again};
use crate::diagnosis::{Diagnosis, Site, Subject, Trap};
use crate::holders::Holder;
use crate::symbols::Frame;
use crate::text::columns::{Align, aligned};
use crate::text::fitted::{WIDTH, cut, wrapped};
use crate::text::shell::shell_word;
use crate::text::{Blocks, Rate, Steps, Thousands};
use crate::verdict::Law;
use std::collections::BTreeMap;

/// How many lines of the program are shown, and how many bounded sites.
const PLACES: usize = 3;
const BOUNDED: usize = 3;

/// In the place of a function.
const UNKNOWN: &str = "a call stack that is not known";

/// Sites whose memory was allocated at one line of the program.
struct Place<'a> {
    frame: Option<&'a Frame>,
    sites: Vec<&'a Site>,
}

impl Report {
    /// What a failed test prints: the reasons, the lines that allocated what grew, who holds
    /// it, and the commands that tell more. No line but a command is wider than 80 columns.
    ///
    /// [`explanation`](Self::explanation) is the long form.
    pub fn summary(&self) -> String {
        let (mut text, others) = self.heads();
        let places = self.places();
        if let Some(trap) = self.diagnosis.as_ref().and_then(Diagnosis::trap) {
            text.push('\n');
            text.push_str(&trap_text(trap));
        } else if !places.is_empty() {
            text.push('\n');
            text.push_str(&self.places_text(&places, PLACES));
        }
        let notes = others + &self.notes(&places);
        if !notes.is_empty() {
            text.push('\n');
            text.push_str(&notes);
        }
        text.push('\n');
        text.push_str(&self.figures());
        text.push('\n');
        text.push_str(&self.commands());
        text
    }

    /// The line that allocated most of what grew, and who holds it; empty if that is not known.
    #[cfg(feature = "proptest")]
    pub(crate) fn first_place(&self) -> String {
        self.places_text(&self.places(), 1)
    }

    /// The first reason, with the scenario's name, and the others.
    fn heads(&self) -> (String, String) {
        let mut reasons = self.told().into_iter();
        let (what, detail) = (reasons.next()).unwrap_or(("memory", self.verdict.to_string()));
        // The path of the function is in the commands below.
        let name = self.full_name();
        let name = name.rsplit("::").next().unwrap_or_default();
        let first = wrapped(&format!("{what} in `{name}`: {detail}"), 0);
        let others = reasons.map(|(what, detail)| wrapped(&format!("also {what}: {detail}"), 2));
        (first, others.collect())
    }

    /// Why it fails: what is wrong, and by how much. A leak comes first, for it is why ceilings
    /// are breached, too; those stand together.
    fn told(&self) -> Vec<(&'static str, String)> {
        let (mut first, mut breached, mut others) = (Vec::new(), Vec::new(), Vec::new());
        for reason in self.reasons() {
            match reason {
                Reason::Breach(breach, average) => breached.push(over(breach, average)),
                Reason::Type(of_type) => breached.push(format!("live {}", of_type.told())),
                Reason::Memory(verdict) if verdict.is_growing() => {
                    first.push(("memory leak", self.pace()));
                }
                Reason::Memory(verdict) => {
                    others.push(("no verdict on memory", verdict.reason().to_owned()));
                }
                Reason::Residue(left) => others.push(("memory left behind", left_each_time(&left))),
                Reason::Resource(resource, verdict) => {
                    others.push(("a leak", format!("{}, {verdict}", resource.kind())));
                }
                Reason::Damage(damage) => others.push(("overwritten blocks", damage)),
                Reason::SelfTest(test) => others.push(("self-test", test.to_string())),
            }
        }
        if !breached.is_empty() {
            first.push(("ceiling passed", breached.join("; ")));
        }
        first.extend(others);
        first
    }

    /// How fast it grows: by the step where that is one figure, else between two steps.
    fn pace(&self) -> String {
        let verdict = &self.verdict;
        let end = if self.ending.is_some() {
            "so far"
        } else {
            "without end"
        };
        let rates = [
            (
                verdict.bytes_per_step(),
                verdict.bytes_per_step_error(),
                "B",
            ),
            (
                verdict.blocks_per_step(),
                verdict.blocks_per_step_error(),
                "blocks",
            ),
        ];
        let is_steady = |(rate, error, _): &(f64, f64, _)| *error <= *rate / 2.0;
        let rising = rates.iter().filter(|(rate, ..)| *rate > 0.0);
        let is_linear = verdict.law() == Some(Law::Linear) && !verdict.jumps();
        if is_linear && rising.clone().next().is_some() && rising.clone().all(is_steady) {
            let each =
                rising.map(
                    |(rate, _, unit)| match (Rate(*rate).significant().as_str(), *unit) {
                        ("1", "blocks") => "+1 block".to_owned(),
                        (rate, unit) => format!("+{rate} {unit}"),
                    },
                );
            let each: Vec<_> = each.collect();
            return format!("{} every step, {end}", each.join(" and "));
        }
        let Some([half, last]) = self.last_doubling() else {
            return verdict.to_string();
        };
        let (before, after) = (half.live_bytes, last.live_bytes);
        let is_doubled = after / 2 * 10 >= before * 9 && after * 4 <= before * 9;
        if is_doubled && before > 0 {
            return format!("doubles with the steps, to {} B", Thousands(after));
        }
        format!(
            "{} B after {}, {} B after {}, {end}",
            Thousands(before),
            Steps(half.step),
            Thousands(after),
            Thousands(last.step)
        )
    }

    /// The points of the curve at the end and at half of it.
    fn last_doubling(&self) -> Option<[&Checkpoint; 2]> {
        let last = self.curve.last()?;
        let half = self
            .curve
            .iter()
            .rfind(|point| point.step <= last.step / 2)?;
        Some([half, last])
    }

    /// What a reader wants to see first: the lines that grew, or held most at the peak.
    fn places(&self) -> Vec<Place<'_>> {
        let Some(diagnosis) = &self.diagnosis else {
            return Vec::new();
        };
        let sites = &diagnosis.sites;
        let grows = |site: &&Site| site.verdict.is_growing();
        let held = |site: &&Site| site.at_peak.is_some_and(|live| live.bytes > 0);
        let mut shown: Vec<_> = match diagnosis.subject {
            Subject::Peak(_) => sites.iter().filter(held).collect(),
            Subject::Growth => sites.iter().filter(grows).collect(),
            Subject::StepBlocks | Subject::StepBytes => {
                let is_busy = |site: &&Site| site.of_steps.bytes > 0;
                sites.iter().filter(is_busy).collect()
            }
            Subject::Types => sites.iter().filter(|site| site.is_shown).collect(),
        };
        if shown.is_empty() {
            shown.extend(sites.iter().filter(|site| site.growth.bytes > 0));
        }
        let mut places: Vec<Place<'_>> = Vec::new();
        for site in shown {
            let frame = site.frames.iter().find(|frame| !frame.is_dependency);
            let frame = frame.or(site.frames.first());
            match places.iter_mut().find(|place| place.frame == frame) {
                Some(place) => place.sites.push(site),
                None => places.push(Place {
                    frame,
                    sites: vec![site],
                }),
            }
        }
        places
    }

    fn places_text(&self, places: &[Place<'_>], most: usize) -> String {
        let diagnosis = self.diagnosis.as_ref();
        let subject = diagnosis.map_or(Subject::Growth, |known| known.subject);
        let rows: Vec<_> = { places.iter().take(most) }
            .map(|place| place.row(subject))
            .collect();
        let columns = [Align::Left, Align::Left, Align::Right, Align::Left];
        let table = aligned(&columns, &rows);
        let mut text = String::new();
        for (line, place) in table.lines().zip(places) {
            text.push_str(&(cut(&format!("  {line}"), WIDTH) + "\n"));
            text.push_str(&place.caller().unwrap_or_default());
            if !matches!(subject, Subject::StepBlocks | Subject::StepBytes) {
                text.push_str(&place.holder().unwrap_or_default());
            }
        }
        let rest = places.get(most..).unwrap_or_default();
        if !rest.is_empty() {
            let all: i64 = rest.iter().map(|place| place.amount(subject)).sum();
            let places = if rest.len() == 1 { "place" } else { "places" };
            let all = subject.told(all);
            text.push_str(&format!("  and {} other {places}, {all}\n", rest.len()));
        }
        text
    }

    /// What could not be told, and how it could.
    fn notes(&self, places: &[Place<'_>]) -> String {
        let mut notes: Vec<_> = self.ending.iter().cloned().collect();
        if let Some(diagnosis) = &self.diagnosis {
            let largest = places.first().and_then(|place| place.sites.first());
            let has_type = largest.is_none_or(|site| site.type_name.is_some());
            notes.extend(diagnosis.notes(has_type));
            notes.extend(diagnosis.slowness());
        }
        notes.extend(self.diagnosis_obstacle.clone());
        notes.iter().map(|note| wrapped(note, 2)).collect()
    }

    /// Growth over the run and its curve, and what is bounded beside it.
    fn figures(&self) -> String {
        let curve = self.sparkline();
        let growth = format!(
            "{} B after {}",
            Thousands(self.growth_bytes),
            Steps(self.steps)
        );
        let mut growth = format!("  growth   {growth}");
        if let (Some(first), Some(last)) = (self.curve.first(), self.curve.last())
            && last.step > self.steps
        {
            let all = i128::from(last.live_bytes) - i128::from(first.live_bytes);
            let all = Thousands(i64::try_from(all).unwrap_or(i64::MAX));
            growth.push_str(&format!(", {all} B after {}", Thousands(last.step)));
        }
        let mut text = if growth.chars().count() + 3 + curve.chars().count() <= WIDTH {
            format!("{growth}   {curve}\n")
        } else {
            format!("{growth}\n           {curve}\n")
        };
        if self
            .breaches
            .iter()
            .all(|breach| breach.ceiling != Ceiling::Peak)
        {
            text.push_str(&format!("  peak     {} B\n", Thousands(self.peak_bytes)));
        }
        let bounded = self.bounded();
        if !bounded.is_empty() {
            let bounded = format!("bounded beside it: {}", bounded.join(", "));
            text.push_str(&wrapped(&bounded, 2));
        }
        text
    }

    /// What does not grow, where something does, the most first.
    fn bounded(&self) -> Vec<String> {
        let sites = self.diagnosis.iter().flat_map(|known| &known.sites);
        let is_bounded = |site: &&Site| site.verdict.is_bounded() && site.live.bytes > 0;
        let grows = self.verdict.is_growing();
        let bounded = sites.filter(|site| grows && is_bounded(site));
        let name = |site: &Site| {
            let function = site.frames.first().map(Frame::function);
            let name = site.type_name.as_deref().or(function);
            name.unwrap_or(UNKNOWN).to_owned()
        };
        let mut bytes: BTreeMap<String, i64> = BTreeMap::new();
        for site in bounded {
            *bytes.entry(name(site)).or_default() += site.live.bytes;
        }
        let mut bytes: Vec<_> = bytes.into_iter().collect();
        bytes.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        let shown = bytes.into_iter().take(BOUNDED);
        shown
            .map(|(name, bytes)| format!("{name} {} B", Thousands(bytes)))
            .collect()
    }

    /// What to type next.
    fn commands(&self) -> String {
        let name = self.test.as_deref().unwrap_or(&self.name);
        let mut text = format!(
            "  all stacks   cargo highwater repro {}\n",
            shell_word(name)
        );
        if let Some(command) = again::command() {
            text.push_str(&format!("  run again    {command}\n"));
        }
        text.push_str("  no leak?     docs/verdict.md#no-leak\n");
        text
    }
}

/// The allocation that passed the limit, and its call stack.
fn trap_text(trap: &Trap) -> String {
    let text = trap.to_string();
    let (what, stack) = text.split_once('\n').unwrap_or((&text, ""));
    let stack = stack.lines().map(|line| cut(line, WIDTH) + "\n");
    wrapped(what, 0) + &stack.collect::<String>()
}

/// A function's path, short enough that its location fits beside it: without its closures,
/// which are what the compiler makes of an async function too, without its first parts, or
/// else without its end.
fn function(frame: &Frame) -> String {
    const MOST: usize = 36;

    let is_long = |path: &str| path.chars().count() > MOST;
    let path = frame.function();
    let mut rest = path
        .split_once("::{closure")
        .map_or(path, |(named, _)| named);
    while is_long(rest)
        && let Some((outer, inner)) = rest.split_once("::")
        && !outer.contains('<')
    {
        rest = inner;
    }
    cut(rest, MOST)
}

/// A figure beside its ceiling.
fn over(breach: &Breach, average: Option<Average>) -> String {
    let limit = breach.ceiling.limit(breach.limit);
    let actual = average.map_or_else(
        || format!("{}{}", Thousands(breach.actual), breach.ceiling.suffix()),
        |average| average.to_string(),
    );
    format!("{} {actual}, ceiling {limit}", breach.ceiling)
}

impl Subject {
    /// So much of it, with its unit.
    fn told(self, amount: i64) -> String {
        match self {
            Self::StepBlocks | Self::Types => Blocks(amount.unsigned_abs()).to_string(),
            _ => format!("{} B", Thousands(amount)),
        }
    }
}

impl Place<'_> {
    fn amount(&self, subject: Subject) -> i64 {
        let signed = |figure| i64::try_from(figure).unwrap_or(i64::MAX);
        let amounts = self.sites.iter().map(|site| match subject {
            Subject::Growth => site.growth.bytes,
            Subject::Peak(_) => site.at_peak.unwrap_or(site.growth).bytes,
            Subject::StepBlocks => signed(site.of_steps.blocks),
            Subject::StepBytes => signed(site.of_steps.bytes),
            Subject::Types => site.live.blocks,
        });
        amounts.sum()
    }

    /// The function, its line, by how much it grew, what it held or allocated, and the types.
    fn row(&self, subject: Subject) -> Vec<String> {
        let mut types: Vec<_> = Vec::new();
        for name in self
            .sites
            .iter()
            .filter_map(|site| site.type_name.as_deref())
        {
            if !types.contains(&name) {
                types.push(name);
            }
        }
        let sign = if subject == Subject::Growth { "+" } else { "" };
        let function = self.frame.map_or_else(|| UNKNOWN.to_owned(), function);
        vec![
            function,
            self.frame.and_then(location).unwrap_or_default(),
            format!("{sign}{}", subject.told(self.amount(subject))),
            types.join(", "),
        ]
    }

    /// The next line of the program outside of this one.
    fn caller(&self) -> Option<String> {
        let frames = &self.sites.first()?.frames;
        let own = frames.iter().position(|frame| Some(frame) == self.frame)?;
        let outside = &frames[own + 1..];
        let is_named =
            |frame: &&Frame| !frame.is_dependency && !frame.function.starts_with("{closure");
        let caller = outside.iter().position(|frame| is_named(&frame))?;
        let frame = &outside[caller];
        let between = outside[..caller].iter().filter(|frame| frame.is_dependency);
        let mut line = format!("    called by {}", function(frame));
        line.extend(location(frame).map(|location| format!("  {location}")));
        if let Some(first) = between.clone().next().and_then(Frame::package) {
            let frames = between.count();
            let noun = if frames == 1 { "frame" } else { "frames" };
            line.push_str(&format!("  via {first} ({frames} {noun})"));
        }
        Some(cut(&line, WIDTH) + "\n")
    }

    /// Who holds most of its blocks.
    fn holder(&self) -> Option<String> {
        let holders = self.sites.iter().find_map(|site| site.holders.as_deref());
        let holders = holders.filter(|holders| !holders.is_empty())?;
        let all: u64 = holders.iter().map(|holder| holder.blocks).sum();
        let first = &holders[0];
        // The search takes stale words for pointers here and there, so nearly all is all.
        let path = folded(&first.path);
        let mut line = Holder {
            path,
            ..first.clone()
        }
        .to_string();
        if first.blocks * 10 < all * 9 {
            let share = format!(", {} of {}", Thousands(first.blocks), Blocks(all));
            line.push_str(&share);
        }
        Some(wrapped(&line, 4))
    }
}

/// A retention path that fits two lines: its two ends, with shortened types.
fn folded(path: &[String]) -> Vec<String> {
    const LONGEST_TYPE: usize = 40;
    const MOST: usize = 2 * WIDTH - 30;

    let mut parts: Vec<_> = path.iter().map(|part| cut(part, LONGEST_TYPE)).collect();
    let length = |parts: &[String]| -> usize {
        let lengths = parts.iter().map(|part| part.chars().count() + " → ".len());
        lengths.sum()
    };
    while parts.len() > 3 && length(&parts) > MOST {
        parts.drain(1..3);
        parts.insert(1, "…".to_owned());
    }
    parts
}

fn location(frame: &Frame) -> Option<String> {
    Some(format!("{}:{}", frame.file.as_ref()?, frame.line?))
}
