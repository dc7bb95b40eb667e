//! What was suspected when the trade aggregator grew: eight hypotheses, each with the
//! experiment that decides it.
//!
//! An experiment does the service's two minutes, or the part of them in question, once
//! without the suspected factor and once with it.

use crate::hypothesis::{Expected, Hypothesis, Memory, Priority, Tested};
use crate::two_minutes::{SECONDS, after_two_minutes, leaky};
use highwater::ByteSize;
use highwater_fixtures::{Aggregator, AggregatorConfig, Connection, TradeFeed};
use std::collections::HashMap;
use std::fs::File;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::io::{self, LineWriter, Sink, Write as _};

/// A factor matters from 1 % of the 30 MB on that grew.
const MATTERS: ByteSize = ByteSize::kb(300);
/// By so much resident memory fell while the program freed nothing: from 69 MB to 35 MB.
const RESIDENT_BYTES: usize = 34_000_000;
const CONNECTIONS: usize = 20;
/// 59 symbols with 11 each.
const CANDLES: u32 = 649;
/// 1,180 a minute.
const CONSOLE_LINES: usize = 2_360;

/// A hypothesis with its experiment.
pub struct Experiment {
    /// What is claimed.
    pub hypothesis: Hypothesis,
    test: fn(Hypothesis) -> Tested,
}

impl Experiment {
    /// The one called `id`.
    pub fn find(id: &str) -> Option<&'static Self> {
        let mut all = HYPOTHESES.iter();
        all.find(|experiment| experiment.hypothesis.id() == id)
    }

    /// Runs the experiment.
    ///
    /// # Panics
    /// If no counting allocator is installed, or if there is no room for temporary files.
    pub fn test(&self) -> Tested {
        (self.test)(self.hypothesis)
    }
}

/// Every hypothesis about the trade aggregator.
pub static HYPOTHESES: [Experiment; 8] = [
    Experiment {
        hypothesis: suspect(
            "C4.1",
            "649 candles in string-keyed maps, not in structs",
            Priority::High,
        ),
        test: candles_in_maps,
    },
    Experiment {
        hypothesis: Hypothesis::new(
            "C4.2",
            "log files on disk do not count as heap",
            Priority::Low,
            Expected::AtMost(MATTERS),
        ),
        test: files_on_disk,
    },
    Experiment {
        hypothesis: suspect("C4.3", "receive buffers that nobody drains", Priority::High),
        test: undrained_buffers,
    },
    Experiment {
        hypothesis: suspect("C4.4", "two aggregators instead of one", Priority::Medium),
        test: two_aggregators,
    },
    Experiment {
        hypothesis: suspect("C4.5", "JSON kept in the log queue", Priority::High),
        test: json_in_the_log_queue,
    },
    Experiment {
        hypothesis: suspect(
            "C4.6",
            "the module is initialised again for each of 20 connections",
            Priority::Low,
        ),
        test: repeated_initialisation,
    },
    Experiment {
        hypothesis: suspect(
            "C4.7",
            "long Unicode lines on the console, 1,180 a minute",
            Priority::Medium,
        ),
        test: console_lines,
    },
    Experiment {
        hypothesis: Hypothesis::new(
            "C4.8",
            "resident memory moves while live bytes do not",
            Priority::Medium,
            Expected::AtLeast(ByteSize::b(RESIDENT_BYTES as u64 / 2)),
        )
        .about(Memory::Resident),
        test: resident_memory,
    },
];

/// The hypothesis that a factor explains a part of the growth.
const fn suspect(id: &'static str, claim: &'static str, priority: Priority) -> Hypothesis {
    Hypothesis::new(id, claim, priority, Expected::AtLeast(MATTERS))
}

/// What the exchange says of a candle, in the order of its rows.
const FIELDS: [&str; 11] = [
    "open_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "close_time",
    "quote_volume",
    "trades",
    "taker_base_volume",
    "taker_quote_volume",
];

fn candles_in_maps(hypothesis: Hypothesis) -> Tested {
    type Map = HashMap<String, f64, BuildHasherDefault<DefaultHasher>>;
    // A struct of eleven numbers is as large as the array of them.
    let as_struct = |number: u32| FIELDS.map(|field| f64::from(number) + field.len() as f64);
    let as_map = |number: u32| -> Map {
        let named = FIELDS.into_iter().zip(as_struct(number));
        named
            .map(|(field, value)| (field.to_owned(), value))
            .collect()
    };
    hypothesis
        .without(|| (0..CANDLES).map(as_struct).collect::<Vec<_>>())
        .with(|| (0..CANDLES).map(as_map).collect::<Vec<_>>())
}

/// What a candle takes in a string-keyed map beyond what it takes in a struct, in bytes.
pub(crate) fn candle_overhead_bytes() -> Option<i64> {
    let tested = Experiment::find("C4.1")?.test();
    tested.effect_bytes().map(|all| all / i64::from(CANDLES))
}

/// Two minutes of messages, each handed over with the number of its connection.
fn each_message(mut take: impl FnMut(usize, &str)) {
    let mut feed = TradeFeed::new();
    for _ in 0..SECONDS {
        feed.next_second(&mut take);
    }
}

fn files_on_disk(hypothesis: Hypothesis) -> Tested {
    let log = |is_written: bool| -> io::Result<File> {
        let mut file = tempfile::tempfile()?;
        let mut outcome = Ok(());
        each_message(|_, message| {
            if is_written && outcome.is_ok() {
                outcome = writeln!(file, "{message}");
            }
        });
        outcome.map(|()| file)
    };
    let log = |is_written| log(is_written).expect("there is room for a temporary file of 5 MB");
    hypothesis.without(|| log(false)).with(|| log(true))
}

fn undrained_buffers(hypothesis: Hypothesis) -> Tested {
    let receive = |is_drained: bool| {
        let mut connections = vec![Connection::default(); CONNECTIONS];
        let mut feed = TradeFeed::new();
        for _ in 0..SECONDS {
            feed.next_second(|connection, message| connections[connection].receive(message));
            if is_drained {
                for connection in &mut connections {
                    connection.drain(|_| ());
                }
            }
        }
        connections
    };
    hypothesis.without(|| receive(true)).with(|| receive(false))
}

fn two_aggregators(hypothesis: Hypothesis) -> Tested {
    let one = || after_two_minutes(AggregatorConfig::default());
    hypothesis.without(one).with(|| (one(), one()))
}

fn json_in_the_log_queue(hypothesis: Hypothesis) -> Tested {
    let keeping = |log_json: bool| {
        after_two_minutes(AggregatorConfig {
            log_json,
            ..leaky()
        })
    };
    hypothesis.without(|| keeping(false)).with(|| keeping(true))
}

fn repeated_initialisation(hypothesis: Hypothesis) -> Tested {
    let initialised = |times: usize| {
        // What is made anew takes the place of what was there.
        let mut state = None;
        for _ in 0..times {
            state = Some(Aggregator::new(AggregatorConfig::default()));
        }
        state
    };
    hypothesis
        .without(|| initialised(1))
        .with(|| initialised(CONNECTIONS))
}

fn console_lines(hypothesis: Hypothesis) -> Tested {
    // A console whose other end is read: what was written is gone.
    let print = |lines: usize| -> io::Result<LineWriter<Sink>> {
        let mut console = LineWriter::new(io::sink());
        for number in 0..lines {
            let bar = "█▇▆▅▄▃▂▁".repeat(20);
            writeln!(console, "🕯 свеча №{number} закрыта, объём ↑ {bar}")?;
        }
        Ok(console)
    };
    let print = |lines| print(lines).expect("a sink takes everything");
    hypothesis
        .without(|| print(0))
        .with(|| print(CONSOLE_LINES))
}

/// The program asks for the same memory in both halves, and frees none. In one of them it
/// uses what it asked for.
fn resident_memory(hypothesis: Hypothesis) -> Tested {
    const PAGE_BYTES: usize = 4_096;
    let reserved = || vec![0_u8; RESIDENT_BYTES];
    let touched = || {
        let mut bytes = reserved();
        for page in bytes.chunks_mut(PAGE_BYTES) {
            page[0] = 1;
        }
        bytes
    };
    hypothesis.without(reserved).with(touched)
}
