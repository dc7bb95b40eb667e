//! A failure in one screen: what grew, at which line, who holds it, and what to do next.
//!
//! A failed test prints this. It is for a person who sees the library for the first time, so
//! each thing is said once, and figures that nobody asked for are left to the long form,
//! [`Report::explanation`]. No line is longer than 80 columns.

use super::{Report, again};
use crate::diagnosis::{Diagnosis, Site};
use crate::symbols::Frame;
use crate::text::columns::{Align, aligned};
use crate::text::fitted::{cut, wrapped};
use crate::text::{Blocks, Rate, Steps, Thousands};
use crate::verdict::Law;
use std::collections::BTreeMap;

/// How many lines of the program are shown, and how many bounded sites.
const PLACES: usize = 3;
const BOUNDED: usize = 3;

/// Sites whose memory was allocated at one line of the program.
struct Place<'a> {
    frame: Option<&'a Frame>,
    sites: Vec<&'a Site>,
}

impl Report {
    /// What a failed test prints: the reasons, the lines that allocated what grew, who holds
    /// it, and the commands that tell more. At most 80 columns wide.
    ///
    /// [`explanation`](Self::explanation) is the long form.
    pub fn summary(&self) -> String {
        let (mut text, others) = self.heads();
        let places = self.places();
        if let Some(trap) = self.diagnosis.as_ref().and_then(Diagnosis::trap) {
            text.push('\n');
            text.extend(trap.to_string().lines().map(|line| cut(line) + "\n"));
        } else if !places.is_empty() {
            text.push('\n');
            text.push_str(&self.places_text(&places));
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

    /// The first reason, with the scenario's name, and the others.
    fn heads(&self) -> (String, String) {
        let mut reasons = self.reasons().into_iter();
        let (what, detail) = (reasons.next()).unwrap_or(("memory", self.verdict.to_string()));
        // The path of the function is in the commands below.
        let name = self.full_name();
        let name = name.rsplit("::").next().unwrap_or_default();
        let first = wrapped(&format!("{what} in `{name}`: {detail}"), 0);
        let others = reasons.map(|(what, detail)| wrapped(&format!("also {what}: {detail}"), 2));
        (first, others.collect())
    }

    /// Why it fails: what is wrong, and by how much.
    fn reasons(&self) -> Vec<(&'static str, String)> {
        let mut reasons = Vec::new();
        if self.verdict.is_growing() {
            reasons.push(("memory leak", self.pace()));
        }
        let over = |breach: &super::Breach| {
            let unit = breach.ceiling.suffix();
            let limit = breach.ceiling.limit(breach.limit);
            let actual = Thousands(breach.actual);
            format!("{} {actual}{unit}, ceiling {limit}", breach.ceiling)
        };
        let over: Vec<_> = self.breaches.iter().map(over).collect();
        if !over.is_empty() {
            reasons.push(("ceiling passed", over.join("; ")));
        }
        let is_open = self.is_inconclusive() && !self.is_accepted(super::Accepted::INCONCLUSIVE);
        if is_open && !self.verdict.is_growing() {
            reasons.push(("no verdict on memory", self.verdict.reason().to_owned()));
        }
        let left = self.residue_each_time();
        let left = left.filter(|_| !self.is_accepted(super::Accepted::RESIDUE));
        reasons.extend(left.map(|repetition| {
            let (bytes, steps) = (repetition.residue_bytes, repetition.steps);
            let detail = format!(
                "{} B more each time that it is set up, run for {} and dropped",
                Thousands(bytes),
                Steps(steps)
            );
            ("memory left behind", detail)
        }));
        for resource in self.resources.iter().filter(|known| known.is_growing()) {
            let verdict = resource
                .verdict()
                .map_or(String::new(), ToString::to_string);
            reasons.push(("a leak", format!("{}, {verdict}", resource.kind())));
        }
        reasons.extend(self.damage().map(|damage| ("overwritten blocks", damage)));
        let missed = self.self_test.iter().filter(|test| !test.is_found());
        reasons.extend(missed.map(|test| ("self-test", test.to_string())));
        reasons
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
            let each = rising.map(
                |(rate, _, unit)| match (significant(*rate).as_str(), *unit) {
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
    fn last_doubling(&self) -> Option<[&super::Checkpoint; 2]> {
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
        let mut shown: Vec<_> = if diagnosis.peak_bytes.is_some() {
            sites
                .iter()
                .filter(|site| site.at_peak.is_some_and(|live| live.bytes > 0))
                .collect()
        } else {
            sites.iter().filter(grows).collect()
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

    fn places_text(&self, places: &[Place<'_>]) -> String {
        let is_peak = self
            .diagnosis
            .as_ref()
            .is_some_and(|known| known.peak_bytes.is_some());
        let rows: Vec<_> = { places.iter().take(PLACES) }
            .map(|place| place.row(is_peak))
            .collect();
        let columns = [Align::Left, Align::Left, Align::Right, Align::Left];
        let table = aligned(&columns, &rows);
        let mut text = String::new();
        for (line, place) in table.lines().zip(places) {
            text.push_str(&format!("{}\n", cut(&format!("  {line}"))));
            text.push_str(&place.caller().unwrap_or_default());
            text.push_str(&place.holder().unwrap_or_default());
        }
        let rest = places.get(PLACES..).unwrap_or_default();
        if !rest.is_empty() {
            let bytes: i64 = rest.iter().map(|place| place.bytes(is_peak)).sum();
            let places = if rest.len() == 1 { "place" } else { "places" };
            let bytes = Thousands(bytes);
            text.push_str(&format!("  and {} other {places}, {bytes} B\n", rest.len()));
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
        let mut text = if growth.chars().count() + 3 + curve.chars().count() <= 80 {
            format!("{growth}   {curve}\n")
        } else {
            format!("{growth}\n           {curve}\n")
        };
        if self
            .breaches
            .iter()
            .all(|breach| breach.ceiling != super::Ceiling::Peak)
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
        let mut bounded: Vec<_> = sites.filter(is_bounded).collect();
        if !self.verdict.is_growing() {
            bounded.clear();
        }
        let name = |site: &Site| {
            let function = site.frames.first().map(Frame::function);
            let name = site.type_name.as_deref().or(function);
            name.unwrap_or("a call stack that is not known").to_owned()
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
            again::quoted(name)
        );
        if let Some(command) = again::command() {
            text.push_str(&format!("  run again    {command}\n"));
        }
        text.push_str("  no leak?     docs/verdict.md#no-leak\n");
        text
    }
}

impl Place<'_> {
    fn bytes(&self, is_peak: bool) -> i64 {
        let bytes = self.sites.iter().map(|site| match site.at_peak {
            Some(live) if is_peak => live.bytes,
            _ => site.growth.bytes,
        });
        bytes.sum()
    }

    /// The function, its line, by how much it grew or what it held, and the types.
    fn row(&self, is_peak: bool) -> Vec<String> {
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
        let sign = if is_peak { "" } else { "+" };
        let function = self
            .frame
            .map_or("a call stack that is not known", Frame::function);
        vec![
            function.to_owned(),
            self.frame.and_then(location).unwrap_or_default(),
            format!("{sign}{} B", Thousands(self.bytes(is_peak))),
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
        let mut line = format!("    called by {}", frame.function);
        line.extend(location(frame).map(|location| format!("  {location}")));
        if let Some(first) = between.clone().next().and_then(Frame::package) {
            let frames = between.count();
            let noun = if frames == 1 { "frame" } else { "frames" };
            line.push_str(&format!("  via {first} ({frames} {noun})"));
        }
        Some(cut(&line) + "\n")
    }

    /// Who holds most of its blocks.
    fn holder(&self) -> Option<String> {
        let holders = self.sites.iter().find_map(|site| site.holders.as_deref());
        let holders = holders.filter(|holders| !holders.is_empty())?;
        let all: u64 = holders.iter().map(|holder| holder.blocks).sum();
        let first = &holders[0];
        // The search takes stale words for pointers here and there, so nearly all is all.
        let mut line = first.to_string();
        if first.blocks * 10 < all * 9 {
            let share = format!(", {} of {}", Thousands(first.blocks), Blocks(all));
            line.push_str(&share);
        }
        Some(wrapped(&line, 4))
    }
}

fn location(frame: &Frame) -> Option<String> {
    Some(format!("{}:{}", frame.file.as_ref()?, frame.line?))
}

/// A rate without the zeros at its end: the long form has its bound.
fn significant(rate: f64) -> String {
    let text = Rate(rate).to_string();
    let short = text.trim_end_matches('0').trim_end_matches('.');
    if text.contains('.') {
        short.to_owned()
    } else {
        text
    }
}
