//! What a soak says: the answer, the criteria of the post-mortems, each part, and what happened.

use super::parts::TRADES;
use super::site::Site;
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
pub(super) const MOST_GROWTH: i64 = 50_000_000;
const MOST_AT_HALF_AN_HOUR: u64 = 2_000_000_000;
const HALF_AN_HOUR: u64 = HOUR / 2;
const LONG: u64 = 8 * HOUR;
const MOST_PROCESSOR: f64 = 40.0;

/// The criterion of growth.
const GROWTH: &str = "growth";

/// So many alerts are printed.
const ALERTS: usize = 3;

/// From so many bytes on a rise is worth a look.
const A_LOT: i64 = 10_000_000;

/// One of what the post-mortems asked of the fixed service.
pub(super) struct Criterion {
    pub(super) name: &'static str,
    pub(super) asked: String,
    pub(super) measured: String,
    pub(super) before: &'static str,
    pub(super) holds: Answer,
}

/// Whether a criterion holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    No,
    Unknown,
    /// On the real clock: no run of its length can answer.
    TooShort,
}

impl Answer {
    pub(super) fn of(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }

    fn or_unknown(holds: Option<bool>) -> Self {
        holds.map_or(Self::Unknown, Self::of)
    }
}

impl Criterion {
    /// That of growth.
    pub(super) fn growth(measured: String, holds: Answer) -> Self {
        Self {
            name: GROWTH,
            asked: format!("< {}/h", Size(MOST_GROWTH.unsigned_abs())),
            measured,
            before: "13.2 GB/h",
            holds,
        }
    }

    pub(super) fn is_missed(&self) -> bool {
        self.holds == Answer::No
    }

    pub(super) fn is_unknown(&self) -> bool {
        self.holds == Answer::Unknown
    }
}

impl Soak<'_> {
    /// Whether the service is what it was to become.
    pub(super) fn criteria(&self) -> Vec<Criterion> {
        let seen = self.longest().seen.as_ref();
        let mut criteria = vec![
            match seen {
                Some(seen) => Self::real_growth(seen),
                None => self.simulated_growth(),
            },
            self.after_half_an_hour(),
            self.without_a_restart(),
            Criterion {
                name: "swap",
                asked: "none".to_owned(),
                measured: match self.swap {
                    None => "unknown".to_owned(),
                    Some(0) => "none".to_owned(),
                    Some(bytes) => Size(bytes).to_string(),
                },
                before: "",
                holds: Answer::or_unknown(self.swap.map(|bytes| bytes == 0)),
            },
            self.one_processor(),
            Criterion {
                name: "trades lost",
                asked: "none".to_owned(),
                measured: match self.lost() {
                    0 => "none".to_owned(),
                    lost => Thousands(lost).to_string(),
                },
                before: "",
                holds: Answer::of(self.lost() == 0),
            },
        ];
        criteria.extend(seen.into_iter().flat_map(|seen| self.real_criteria(seen)));
        criteria
    }

    fn simulated_growth(&self) -> Criterion {
        let growth = self.growth();
        let measured = growth.map_or("unknown".to_owned(), |growth| {
            format!("{}/h", signed(growth))
        });
        let holds = Answer::or_unknown(growth.map(|growth| growth < MOST_GROWTH));
        Criterion::growth(measured, holds)
    }

    fn after_half_an_hour(&self) -> Criterion {
        let samples = usize::try_from(HALF_AN_HOUR / self.asked.interval()).unwrap_or(usize::MAX);
        let early = self.memory.get(samples - 1);
        let holds = early.map(|bytes| *bytes < MOST_AT_HALF_AN_HOUR);
        Criterion {
            name: "after 30 minutes",
            asked: format!("< {}", Size(MOST_AT_HALF_AN_HOUR)),
            measured: early.map_or("unknown".to_owned(), |bytes| Size(*bytes).to_string()),
            before: "6 GB after 25 min",
            holds: holds.map_or(self.too_short(), Answer::of),
        }
    }

    fn without_a_restart(&self) -> Criterion {
        let longest = self.longest().end - self.longest().begin;
        Criterion {
            name: "without a restart",
            asked: format!(">= {}", span(LONG)),
            measured: span(longest).to_string(),
            before: "25 min",
            // A soak that was shorter shows neither.
            holds: if longest >= LONG {
                Answer::Yes
            } else if self.lives.len() > 1 {
                Answer::No
            } else {
                self.too_short()
            },
        }
    }

    fn one_processor(&self) -> Criterion {
        let of_time = |busy: Duration| busy.as_secs_f64() / self.seconds() as f64 * 100.0;
        let processor = self.processor.map(of_time);
        Criterion {
            name: "one processor",
            asked: format!("< {MOST_PROCESSOR:.0} %"),
            measured: processor.map_or("unknown".to_owned(), |share| format!("{share:.2} %")),
            before: "",
            holds: Answer::or_unknown(processor.map(|share| share < MOST_PROCESSOR)),
        }
    }

    /// What is said of a criterion that takes longer: on the simulated clock, a longer soak is
    /// cheap.
    fn too_short(&self) -> Answer {
        match self.real {
            Some(_) => Answer::TooShort,
            None => Answer::Unknown,
        }
    }

    /// All that there is to say, on one screen.
    pub(super) fn text(&self, criteria: &[Criterion], width: usize) -> String {
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
        text += &match &self.longest().seen {
            Some(seen) => self.real_parts(seen, width),
            None => self.parts(width),
        };
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

    pub(super) fn seconds(&self) -> u64 {
        self.lives.last().map_or(0, |life| life.end) - self.begin
    }

    fn headline(&self, criteria: &[Criterion]) -> String {
        let which = |answer| {
            let such = criteria.iter().filter(|one| one.holds == answer);
            such.map(|one| one.name).collect::<Vec<_>>()
        };
        let of = match self.asked.leaky {
            Some(part) => format!("with the defect of its {}", part.name()),
            None => "sound".to_owned(),
        };
        let too_short = which(Answer::TooShort).join(", ");
        let answer = match (
            which(Answer::No).as_slice(),
            which(Answer::Unknown).as_slice(),
        ) {
            ([], []) if too_short.is_empty() => "all criteria hold".to_owned(),
            ([], []) => format!("all criteria hold that it answers; too short for: {too_short}"),
            ([], unknown) if self.real.is_some() => format!("not known: {}", unknown.join(", ")),
            ([], unknown) => format!("not known after so short a time: {}", unknown.join(", ")),
            (missed, _) => format!("criteria missed: {}", missed.join(", ")),
        };
        let clock = self.real.as_ref().map_or("", |_| " on the real clock");
        format!(
            "{} of the whole service{clock}, {of}: {answer}",
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
    pub(super) fn rises(&self) -> impl Iterator<Item = (Part, u64, Option<i64>)> {
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
        lines.extend(self.real.iter().flat_map(|real| self.real_lines(real)));
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

    /// Whether a part takes ever more memory, or the whole does.
    pub(super) fn grows(&self, criteria: &[Criterion]) -> bool {
        let growth = criteria.iter().find(|one| one.name == GROWTH);
        self.any_cause().is_some() || growth.is_some_and(Criterion::is_missed)
    }

    fn any_cause(&self) -> Option<(Part, String)> {
        match &self.longest().seen {
            Some(seen) => self.real_cause(seen),
            None => self.cause(),
        }
    }

    /// Which part it is, and which line.
    fn next(&self, width: usize) -> String {
        let site = self.site.as_ref().map(Site::told);
        let Some((part, came)) = self.any_cause() else {
            let no_cause = self.no_cause();
            let site = site.map(|site| format!("on the simulated clock, {site}"));
            let lines = no_cause.map(ToOwned::to_owned).into_iter().chain(site);
            return lines.map(|line| wrapped_to(&line, 0, width)).collect();
        };
        let (name, scenario) = (part.name(), part.scenario());
        let leaky = if self.asked.leaky == Some(part) {
            " --leaky"
        } else {
            ""
        };
        let line = match site {
            Some(site) => {
                format!("it is the {name}, where {came}; {site}; all of its call stacks:")
            }
            None => format!("it is the {name}, where {came}; the line:"),
        };
        let command = format!("  cargo run --release -- repro {scenario}{leaky}\n");
        wrapped_to(&line, 0, width) + &command
    }

    /// The part that rises most, if that is worth a look, and what is said of it.
    fn cause(&self) -> Option<(Part, String)> {
        let rises = self
            .rises()
            .filter_map(|(part, _, rise)| Some((part, rise?)));
        let most = rises.max_by_key(|(_, rise)| *rise);
        let (part, rise) = most.filter(|(_, rise)| *rise >= A_LOT)?;
        let (rise, settled) = (Size(rise.unsigned_abs()), span(SETTLED));
        Some((part, format!("{rise} came since the first {settled}")))
    }
}

pub(super) fn signed(bytes: i64) -> String {
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
                Answer::Yes => "yes",
                Answer::No => "no",
                Answer::Unknown | Answer::TooShort => "unknown",
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

pub(super) fn span(seconds: u64) -> Span {
    Span(Duration::from_secs(seconds))
}
