//! What a soak on the real clock has beside: growth from the floors of real seconds, descriptors,
//! what came over sockets, and whether the machine kept up.

use super::clock::Pace;
use super::exchange;
use super::floors::{Floors, Hourly, Seen};
use super::parts::Messages;
use super::text::{Answer, Criterion, MOST_GROWTH, signed, span};
use super::{HOUR, Soak, WARM_UP};
use crate::part::Part;
use highwater::__private::{Size, Thousands};
use highwater_fixtures::TradeFeed;
use highwater_monitor::__private::Span;
use highwater_monitor::{Figure, Sample};
use highwater_reports::fitted::{self, Column, Row};
use std::fs;
use std::time::Duration;

/// From so many bytes an hour on a rise is worth a look.
const A_LOT: f64 = 10_000_000.0;

/// What is known of the process and the clock.
pub(super) struct Real {
    pub(super) pace: Pace,
    pub(super) begin: Open,
    /// The most descriptors of all samples.
    pub(super) most: Option<u64>,
    pub(super) end: Open,
}

/// Open descriptors; none where that is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) all: Option<u64>,
    /// Those of them that are sockets.
    pub(super) sockets: Option<u64>,
}

impl Open {
    fn of(sample: &Sample) -> Self {
        Self {
            all: sample.descriptors,
            sockets: sockets(),
        }
    }
}

impl Real {
    /// Begins with this sample.
    pub(super) fn new(first: &Sample) -> Self {
        let open = Open::of(first);
        Self {
            pace: Pace::default(),
            begin: open,
            most: open.all,
            end: open,
        }
    }

    pub(super) fn observe(&mut self, sample: &Sample) {
        self.most = self.most.max(sample.descriptors);
        self.end.all = sample.descriptors;
    }

    pub(super) fn end(&mut self, pace: Pace) {
        self.pace = pace;
        self.end.sockets = sockets();
    }

    /// How many descriptors there were.
    fn descriptors(&self) -> String {
        let number = |count: Option<u64>| {
            count.map_or("unknown".to_owned(), |count| Thousands(count).to_string())
        };
        let sockets = |open: Open| match open.sockets {
            Some(sockets) => format!(" ({} sockets)", Thousands(sockets)),
            None => String::new(),
        };
        format!(
            "descriptors: {}{} at the beginning, at most {}, {}{} at the end",
            number(self.begin.all),
            sockets(self.begin),
            number(self.most),
            number(self.end.all),
            sockets(self.end),
        )
    }

    /// Whether the machine kept up.
    fn clock(&self) -> String {
        let milliseconds =
            |time: Duration| Thousands(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        let pace = self.pace;
        let behind = match pace.late {
            0 => String::new(),
            _ => format!(", by {} ms at most", milliseconds(pace.behind)),
        };
        format!(
            "late: {} of {} seconds{behind}; the work of the longest took {} ms",
            Thousands(pace.late),
            Thousands(pace.seconds),
            milliseconds(pace.longest)
        )
    }
}

/// How many sockets this process has open.
fn sockets() -> Option<u64> {
    let links = fs::read_dir("/proc/self/fd").ok()?;
    let links = links.filter_map(|link| fs::read_link(link.ok()?.path()).ok());
    let is_socket = |link: &std::path::PathBuf| link.to_string_lossy().starts_with("socket:");
    Some(links.filter(is_socket).count() as u64)
}

impl Messages {
    /// Those since there were so many.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            sent: self.sent - before.sent,
            received: self.received - before.received,
            malformed: self.malformed - before.malformed,
        }
    }

    fn lost(self) -> u64 {
        self.sent.abs_diff(self.received) + self.malformed
    }
}

impl Soak<'_> {
    /// Growth, as the floors show it.
    pub(super) fn real_growth(seen: &Seen) -> Criterion {
        let hourly = seen.of(&Figure::Memory).and_then(Floors::hourly);
        let most = MOST_GROWTH as f64;
        let answer = hourly.map(|Hourly { rate, error }| {
            if rate + error < most {
                Answer::Yes
            } else if rate - error >= most {
                Answer::No
            } else {
                Answer::Unknown
            }
        });
        let measured = hourly.map_or("unknown".to_owned(), |hourly| {
            format!("{} ± {}", rate(hourly), error(hourly))
        });
        Criterion::growth(measured, answer.unwrap_or(Answer::Unknown))
    }

    /// What is asked on the real clock alone.
    pub(super) fn real_criteria(&self, seen: &Seen) -> [Criterion; 2] {
        let more = seen.of(&Figure::Descriptors).and_then(Floors::rise);
        let lost = self.messages().lost();
        [
            Criterion {
                name: "descriptors",
                asked: "no more".to_owned(),
                measured: more.map_or("unknown".to_owned(), |more| format!("{more:+}")),
                before: "",
                holds: more.map_or(Answer::Unknown, |more| Answer::of(more <= 0)),
            },
            Criterion {
                name: "messages lost",
                asked: "none".to_owned(),
                measured: match lost {
                    0 => "none".to_owned(),
                    lost => Thousands(lost).to_string(),
                },
                before: "",
                holds: Answer::of(lost == 0),
            },
        ]
    }

    /// All messages, over all restarts.
    fn messages(&self) -> Messages {
        let lives = self.lives.iter().map(|life| life.messages);
        lives.fold(Messages::default(), |all, life| Messages {
            sent: all.sent + life.sent,
            received: all.received + life.received,
            malformed: all.malformed + life.malformed,
        })
    }

    /// What each part holds, how fast that rises, and what the monitor says.
    pub(super) fn real_parts(&self, seen: &Seen, width: usize) -> String {
        let columns = [
            Column::new("part", false, 0),
            Column::new("live", true, 0),
            Column::new("rise", true, 0),
            Column::new("rate", true, 0),
            Column::new("may be off by", true, 0),
            Column::new("the monitor", false, 1),
        ];
        let status = &self.longest().status;
        let row = |name: String, live: Option<u64>, figure: &Figure| {
            let floors = seen.of(figure);
            let rise = floors.and_then(Floors::rise);
            let hourly = floors.and_then(Floors::hourly);
            let verdict = status.verdict(figure);
            Row {
                cells: vec![
                    name,
                    live.map_or(String::new(), |live| Size(live).to_string()),
                    rise.map_or(String::new(), signed),
                    hourly.map_or(String::new(), rate),
                    hourly.map_or(String::new(), error),
                    verdict.map_or("unknown".to_owned(), |verdict| verdict.state().to_string()),
                ],
                text: String::new(),
            }
        };
        let sample = status.sample.as_ref();
        let mut rows: Vec<_> = self
            .rises()
            .map(|(part, live, _)| row(part.name().to_owned(), Some(live), &figure(part)))
            .collect();
        let live = sample.and_then(|sample| {
            let mut parts = sample.components.iter();
            parts.find(|heap| heap.name == exchange::NAME)
        });
        let name = format!("({})", exchange::NAME);
        let of_exchange = Figure::Component(exchange::NAME.to_owned());
        rows.extend(live.map(|heap| row(name, Some(heap.live_bytes), &of_exchange)));
        let heap = sample.and_then(|sample| sample.heap);
        let live = heap.map(|heap| heap.live_bytes);
        rows.push(row("the whole heap".to_owned(), live, &Figure::Heap));
        let memory = sample.and_then(Sample::memory_bytes);
        rows.push(row("resident memory".to_owned(), memory, &Figure::Memory));
        fitted::table(&columns, &rows, width)
    }

    /// What came over sockets, descriptors, the clock, and when the limit is reached.
    pub(super) fn real_lines(&self, real: &Real) -> Vec<String> {
        let messages = self.messages();
        let mut lines = vec![
            format!(
                "sockets: {} messages of {} symbols sent over {} connections, {} received, {} \
                 malformed",
                Thousands(messages.sent),
                TradeFeed::SYMBOLS,
                TradeFeed::CONNECTIONS,
                Thousands(messages.received),
                Thousands(messages.malformed),
            ),
            real.descriptors(),
            real.clock(),
            format!(
                "before the first second: {} of simulated time, in which all windows filled",
                span(WARM_UP)
            ),
        ];
        lines.extend(self.reaches_limit());
        lines
    }

    /// When memory reaches the limit, if it rises by more than it may.
    fn reaches_limit(&self) -> Option<String> {
        let longest = self.longest();
        let hourly = longest.seen.as_ref()?.of(&Figure::Memory)?.hourly()?;
        let memory = longest.status.sample.as_ref()?.memory_bytes()?;
        let room = self.asked.limit.bytes().checked_sub(memory)?;
        let is_fast = hourly.rate - hourly.error >= MOST_GROWTH as f64;
        let hours = Some(room as f64 / hourly.rate).filter(|_| is_fast)?;
        let until = Duration::try_from_secs_f64(hours * HOUR as f64).ok()?;
        let limit = Size(self.asked.limit.bytes());
        let until = Span(until);
        Some(format!(
            "the limit of {limit} is reached in {until} at this rate"
        ))
    }

    /// What is said if memory grows and no part does.
    pub(super) fn no_cause(&self) -> Option<&'static str> {
        let seen = self.longest().seen.as_ref()?;
        Self::real_growth(seen).is_missed().then_some(
            "no part takes as much from the heap meanwhile: a table that doubled before may fill \
             up, and a longer run shows whose; or the memory is outside of the heap",
        )
    }

    /// The part whose floors rise fastest, if that is worth a look, and what is said of it.
    pub(super) fn real_cause(&self, seen: &Seen) -> Option<(Part, String)> {
        let rates = self.rises().filter_map(|(part, _, _)| {
            let floors = seen.of(&figure(part))?;
            Some((part, floors.rise()?, floors.hourly()?))
        });
        let most = rates.max_by(|(_, _, a), (_, _, b)| a.rate.total_cmp(&b.rate));
        let (part, rise, hourly) = most.filter(|(_, _, hourly)| hourly.rate >= A_LOT)?;
        let whole = span(self.seconds());
        let rise = Size(rise.unsigned_abs());
        Some((part, format!("{rise} came in {whole}, {}", rate(hourly))))
    }
}

fn figure(part: Part) -> Figure {
    Figure::Component(part.name().to_owned())
}

// Past an i64 nobody looks closely, here and below.
#[allow(clippy::cast_possible_truncation)]
fn rate(hourly: Hourly) -> String {
    format!("{}/h", signed(hourly.rate.round() as i64))
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn error(hourly: Hourly) -> String {
    Size(hourly.error.ceil() as u64).to_string()
}
