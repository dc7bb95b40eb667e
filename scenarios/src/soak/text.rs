//! What a soak says: the answer, the criteria of the post-mortems, each part, and what happened.

use super::parts::TRADES;
use super::{HOUR, Life, SETTLED, Soak};
use crate::part::Part;
use clap::ValueEnum as _;
use highwater::__private::{Size, Thousands, sparkline, wrapped_to};
use highwater_monitor::__private::Span;
use highwater_monitor::{ComponentHeap, Figure, Sample, State, Verdict};
use highwater_reports::fitted::{self, Column, Row};
use std::fmt::Write as _;
use std::time::Duration;

/// What the fixed service had to show.
const MOST_GROWTH: i64 = 50_000_000;
const MOST_AT_HALF_AN_HOUR: u64 = 2_000_000_000;
const LONG: u64 = 8 * HOUR;
const MOST_PROCESSOR: f64 = 40.0;

/// So many alerts are printed.
const ALERTS: usize = 3;

/// From so many bytes on a rise is worth a look.
const A_LOT: i64 = 10_000_000;

/// One of what the post-mortems asked of the fixed service.
pub(super) struct Criterion {
    name: &'static str,
    asked: String,
    measured: String,
    before: &'static str,
    /// None: it is not known.
    pub(super) holds: Option<bool>,
}

impl Soak<'_> {
    /// Whether the service is what it was to become.
    pub(super) fn criteria(&self) -> Vec<Criterion> {
        let growth = self.growth();
        let longest = self.longest().end - self.longest().begin;
        let of_time = |busy: Duration| busy.as_secs_f64() / self.seconds() as f64 * 100.0;
        let processor = self.processor.map(of_time);
        let early = self.memory.get(30 - 1);
        let restarts = self.lives.len() as u64 - 1;
        vec![
            Criterion {
                name: "growth",
                asked: format!("< {}/h", Size(MOST_GROWTH.unsigned_abs())),
                measured: growth.map_or("unknown".to_owned(), |growth| {
                    format!("{}/h", signed(growth))
                }),
                before: "13.2 GB/h",
                holds: growth.map(|growth| growth < MOST_GROWTH),
            },
            Criterion {
                name: "after 30 minutes",
                asked: format!("< {}", Size(MOST_AT_HALF_AN_HOUR)),
                measured: early.map_or("unknown".to_owned(), |bytes| Size(*bytes).to_string()),
                before: "6 GB after 25 min",
                holds: early.map(|bytes| *bytes < MOST_AT_HALF_AN_HOUR),
            },
            Criterion {
                name: "without a restart",
                asked: format!(">= {}", span(LONG)),
                measured: span(longest).to_string(),
                before: "25 min",
                // A soak that was shorter shows neither.
                holds: (longest >= LONG || restarts > 0).then_some(longest >= LONG),
            },
            Criterion {
                name: "swap",
                asked: "none".to_owned(),
                measured: match self.swap {
                    None => "unknown".to_owned(),
                    Some(0) => "none".to_owned(),
                    Some(bytes) => Size(bytes).to_string(),
                },
                before: "",
                holds: self.swap.map(|bytes| bytes == 0),
            },
            Criterion {
                name: "one processor",
                asked: format!("< {MOST_PROCESSOR:.0} %"),
                measured: processor.map_or("unknown".to_owned(), |share| format!("{share:.2} %")),
                before: "",
                holds: processor.map(|share| share < MOST_PROCESSOR),
            },
            Criterion {
                name: "trades lost",
                asked: "none".to_owned(),
                measured: match self.lost() {
                    0 => "none".to_owned(),
                    lost => Thousands(lost).to_string(),
                },
                before: "",
                holds: Some(self.lost() == 0),
            },
        ]
    }

    /// All that there is to say, on one screen.
    pub(super) fn text(&self, criteria: &[Criterion]) -> String {
        let width = fitted::width();
        let mut text = wrapped_to(&self.headline(criteria), 0, width);
        let highest = self.memory.iter().copied().max().unwrap_or(0);
        let last = self.memory.last().copied().unwrap_or(0);
        let curve = sparkline(&self.memory, &[]);
        // Writing to a `String` cannot fail, here and below.
        let _ = writeln!(
            text,
            "\nmemory {}, at most {}   {curve}\n",
            Size(last),
            Size(highest)
        );
        text += &criteria_table(criteria, width);
        text.push('\n');
        text += &self.parts(width);
        text.push('\n');
        text += &self.events(width);
        text += &self.next(width);
        text
    }

    /// How many trades are not in the account, of all since its first one.
    fn lost(&self) -> u64 {
        let end = self.begin + self.seconds();
        (end * TRADES).abs_diff(self.trades)
    }

    /// What came to resident memory in the longest time without a restart, since it had run for as
    /// long as a verdict takes; none if it was shorter.
    fn rise(&self) -> Option<i64> {
        let longest = self.longest();
        let early = longest.early.as_ref()?;
        let now = longest.status.sample.as_ref()?.memory_bytes()?;
        Some(now.cast_signed() - early.memory.cast_signed())
    }

    /// That for each hour.
    fn growth(&self) -> Option<i64> {
        let longest = self.longest();
        let seconds = longest.end - longest.early.as_ref()?.second;
        (self.rise()? * HOUR.cast_signed()).checked_div(seconds.cast_signed())
    }

    fn seconds(&self) -> u64 {
        self.lives.last().map_or(0, |life| life.end) - self.begin
    }

    fn headline(&self, criteria: &[Criterion]) -> String {
        let missed = criteria.iter().filter(|one| one.holds == Some(false));
        let missed: Vec<_> = missed.map(|one| one.name).collect();
        let unknown = criteria.iter().filter(|one| one.holds.is_none());
        let unknown: Vec<_> = unknown.map(|one| one.name).collect();
        let of = match self.asked.leaky {
            Some(part) => format!("with the defect of its {}", part.name()),
            None => "sound".to_owned(),
        };
        let answer = match (missed.as_slice(), unknown.as_slice()) {
            ([], []) => "all criteria hold".to_owned(),
            ([], unknown) => format!("not known after so short a time: {}", unknown.join(", ")),
            (missed, _) => format!("criteria missed: {}", missed.join(", ")),
        };
        format!(
            "{} of the whole service, {of}: {answer}",
            span(self.seconds())
        )
    }

    /// What each part holds, what of it came since it had settled, and whether it is bounded.
    fn parts(&self, width: usize) -> String {
        let columns = [
            Column::new("part", false, 0),
            Column::new("live", true, 0),
            Column::new("rise", true, 0),
            Column::new("verdict", false, 0),
            Column::new("rate", true, 0),
            Column::new("would have shown", true, 1),
        ];
        let status = &self.longest().status;
        let mut rows: Vec<_> = self
            .rises()
            .map(|(part, live, rise)| {
                let figure = Figure::Component(part.name().to_owned());
                row(part.name(), Some(live), rise, status.verdict(&figure))
            })
            .collect();
        let heap = status.sample.as_ref().and_then(|sample| sample.heap);
        let live = heap.map(|heap| heap.live_bytes);
        let memory = status.sample.as_ref().and_then(Sample::memory_bytes);
        rows.push(row(
            "the whole heap",
            live,
            None,
            status.verdict(&Figure::Heap),
        ));
        rows.push(row(
            "resident memory",
            memory,
            self.rise(),
            status.verdict(&Figure::Memory),
        ));
        fitted::table(&columns, &rows, width)
    }

    /// Each part with what it holds, and what of it came since it had settled.
    fn rises(&self) -> impl Iterator<Item = (Part, u64, Option<i64>)> {
        let longest = self.longest();
        let of = |parts: &[ComponentHeap], part: Part| {
            let heap = parts.iter().find(|heap| heap.name == part.name());
            heap.map(|heap| heap.live_bytes)
        };
        let parts = Part::value_variants().iter().copied();
        parts.filter_map(move |part| {
            let live = of(&longest.status.sample.as_ref()?.components, part)?;
            let early = longest.early.as_ref();
            let early = early.map(|early| of(&early.parts, part).unwrap_or(0));
            let rise = early.map(|early| live.cast_signed() - early.cast_signed());
            Some((part, live, rise))
        })
    }

    /// Projections and restarts, alerts and clean-ups.
    fn events(&self, width: usize) -> String {
        let limit = Size(self.asked.limit.bytes());
        let mut lines = vec![self.account()];
        for life in &self.lives {
            let projection = projection(life);
            lines.extend(projection.map(|line| format!("the limit of {limit} {line}")));
            if life.is_over {
                lines.push(format!("restarted after {}", span(life.end - self.begin)));
            }
        }
        let alerts = self.alerts.iter().take(ALERTS);
        lines.extend(
            alerts.map(|(second, alert)| format!("after {}: {alert}", span(second - self.begin))),
        );
        match self.alerts.len().saturating_sub(ALERTS) {
            0 if self.alerts.is_empty() => lines.push("no alerts".to_owned()),
            0 => {}
            more => lines.push(format!("alerts that began or ended after that: {more}")),
        }
        let clean_ups = &self.longest().clean_ups;
        let times = Thousands(clean_ups.count);
        lines.push(match &clean_ups.last {
            Some(last) => format!("{times} times cleaned up; the last: {last}"),
            None => "never cleaned up".to_owned(),
        });
        lines
            .iter()
            .map(|line| wrapped_to(line, 0, width))
            .collect()
    }

    /// What came of the trades, over all restarts.
    fn account(&self) -> String {
        let (trades, lost) = (Thousands(self.trades), Thousands(self.lost()));
        let restarts = self.lives.len() - 1;
        format!("restarts: {restarts}; {trades} trades in the account, {lost} lost")
    }

    /// Which part it is, and what names its line.
    fn next(&self, width: usize) -> String {
        let rises = self
            .rises()
            .filter_map(|(part, _, rise)| Some((part, rise?)));
        let most = rises.max_by_key(|(_, rise)| *rise);
        let Some((part, rise)) = most.filter(|(_, rise)| *rise >= A_LOT) else {
            return String::new();
        };
        let settled = span(SETTLED);
        let (name, scenario) = (part.name(), part.scenario());
        let rise = Size(rise.unsigned_abs());
        let leaky = if self.asked.leaky == Some(part) {
            " --leaky"
        } else {
            ""
        };
        let line =
            format!("it is the {name}, where {rise} came since the first {settled}; the line:");
        let command = format!("  cargo run --release -- repro {scenario}{leaky}\n");
        wrapped_to(&line, 0, width) + &command
    }
}

fn signed(bytes: i64) -> String {
    let sign = if bytes < 0 { '-' } else { '+' };
    format!("{sign}{}", Size(bytes.unsigned_abs()))
}

fn row(name: &str, live: Option<u64>, rise: Option<i64>, verdict: Option<&Verdict>) -> Row {
    Row {
        cells: vec![
            name.to_owned(),
            live.map_or(String::new(), |live| Size(live).to_string()),
            rise.map_or(String::new(), signed),
            verdict.map_or("unknown".to_owned(), |verdict| verdict.state().to_string()),
            verdict.map_or_else(String::new, |verdict| match verdict.per_hour() {
                0.0 => String::new(),
                rate => hourly(rate),
            }),
            verdict.map_or_else(String::new, |verdict| {
                let is_bounded = verdict.state() == State::Bounded;
                let smallest = verdict.smallest_leak_per_hour().filter(|_| is_bounded);
                smallest.map_or_else(String::new, hourly)
            }),
        ],
        text: String::new(),
    }
}

fn criteria_table(criteria: &[Criterion], width: usize) -> String {
    let columns = [
        Column::new("criterion", false, 0),
        Column::new("asked", true, 0),
        Column::new("measured", true, 0),
        Column::new("holds", false, 0),
        Column::new("before the fix", true, 1),
    ];
    let row = |criterion: &Criterion| Row {
        cells: vec![
            criterion.name.to_owned(),
            criterion.asked.clone(),
            criterion.measured.clone(),
            match criterion.holds {
                Some(true) => "yes",
                Some(false) => "no",
                None => "unknown",
            }
            .to_owned(),
            criterion.before.to_owned(),
        ],
        text: String::new(),
    };
    let rows: Vec<_> = criteria.iter().map(row).collect();
    fitted::table(&columns, &rows, width)
}

/// When the limit was said to be reached, and when it was.
fn projection(life: &Life) -> Option<String> {
    let projection = life.projection?;
    let after = |second: u64| span(second - life.begin);
    let said = format!(
        "was said after {} to be reached after {}",
        after(projection.said),
        after(projection.reaches)
    );
    if !life.is_over {
        return Some(said);
    }
    let took = (life.end - life.begin) as f64;
    let off = projection.reaches.abs_diff(life.end) as f64 / took * 100.0;
    let reached = after(life.end);
    Some(format!(
        "{said}; it was reached after {reached}: {off:.1} % off"
    ))
}

/// Bytes that come in an hour, rounded up.
// A rate is not below zero, and past a u64 nobody looks closely.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn hourly(rate: f64) -> String {
    format!("{}/h", Size(rate.ceil() as u64))
}

fn span(seconds: u64) -> Span {
    Span(Duration::from_secs(seconds))
}
