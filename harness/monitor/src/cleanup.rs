//! [`Cleanup`]: work that frees memory now and then, and a line that says what came of it.

use crate::monitor::Monitor;
use crate::sample::Sample;
use crate::text::Span;
use highwater::__private::Size;
use highwater::ByteSize;
use std::fmt;
use std::time::{Duration, Instant};

/// When a service cleans up: after so many units of work, or when its memory is above a
/// threshold.
///
/// ```
/// use highwater_monitor::{ByteSize, Monitor};
///
/// let monitor = Monitor::builder().build();
/// let mut candles: Vec<u64> = Vec::new();
/// let mut cleanup = monitor.cleanup().every(1_000).above(ByteSize::mb(800));
/// for candle in 0..2_500 {
///     candles.push(candle);
///     let cleaned = cleanup.after_unit(|| {
///         let trimmed = candles.len() - 100;
///         candles.drain(..trimmed);
///         format!("{trimmed} candles trimmed")
///     });
///     if let Some(cleaned) = cleaned {
///         println!("{cleaned}");
///     }
/// }
/// assert_eq!(candles.len(), 600);
/// ```
#[derive(Clone, Debug)]
pub struct Cleanup {
    monitor: Monitor,
    every: Option<u64>,
    above: Option<ByteSize>,
    units: u64,
    /// The sample that asked for the last one.
    answered: u64,
}

/// What a clean-up did. Printed, it is one line.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Cleaned {
    /// What the work said that it trimmed.
    pub what: String,
    /// How long it took, by the real clock.
    pub duration: Duration,
    /// Resident memory and swap before, in bytes.
    pub memory_before: Option<u64>,
    /// Resident memory and swap after, in bytes.
    pub memory_after: Option<u64>,
    /// By how much live bytes fell; none without highwater's allocator. Below zero if they rose.
    pub freed_bytes: Option<i64>,
    /// Bytes that the allocator kept and returned to the system when it was asked to; none if it
    /// cannot be asked.
    pub returned_bytes: Option<u64>,
}

impl Monitor {
    /// A clean-up that is asked after each unit of work. Without [`Cleanup::every`] and
    /// [`Cleanup::above`] it never comes.
    pub fn cleanup(&self) -> Cleanup {
        Cleanup {
            monitor: self.clone(),
            every: None,
            above: None,
            units: 0,
            answered: 0,
        }
    }
}

impl Cleanup {
    /// After so many units of work since the last one.
    pub fn every(mut self, units: u64) -> Self {
        self.every = Some(units);
        self
    }

    /// When the last sample had more memory than this: once for each sample.
    pub fn above(mut self, memory: ByteSize) -> Self {
        self.above = Some(memory);
        self
    }

    /// Counts a unit of work. If it is time, does `trim`, which says what it trimmed, asks the
    /// allocator to return what was freed to the system, and reports.
    pub fn after_unit<T: fmt::Display>(&mut self, trim: impl FnOnce() -> T) -> Option<Cleaned> {
        self.units += 1;
        let is_full = self.every.is_some_and(|every| self.units >= every);
        // One clean-up answers both.
        let is_above = self.is_above();
        if !is_full && !is_above {
            return None;
        }
        self.units = 0;
        Some(clean(trim))
    }

    fn is_above(&mut self) -> bool {
        let Some(above) = self.above else {
            return false;
        };
        let (number, memory) = self.monitor.last_memory();
        let is_new = number > self.answered;
        self.answered = number;
        is_new && memory > above.bytes()
    }
}

fn clean<T: fmt::Display>(trim: impl FnOnce() -> T) -> Cleaned {
    let before = Sample::of_this_process();
    let start = Instant::now();
    let what = trim().to_string();
    let returned = highwater::return_to_system();
    let duration = start.elapsed();
    let after = Sample::of_this_process();
    let live = [&before, &after].map(|sample| sample.heap.map(|heap| heap.live_bytes));
    let freed = live[0].zip(live[1]);
    Cleaned {
        what,
        duration,
        memory_before: before.memory_bytes(),
        memory_after: after.memory_bytes(),
        freed_bytes: freed.map(|(before, after)| before.cast_signed() - after.cast_signed()),
        returned_bytes: returned.map(|returned| {
            let before = returned.resident_before_bytes;
            before.saturating_sub(returned.resident_after_bytes)
        }),
    }
}

impl fmt::Display for Cleaned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "clean-up in {}: {}", Span(self.duration), self.what)?;
        if let (Some(before), Some(after)) = (self.memory_before, self.memory_after) {
            write!(f, "; memory {} -> {}", Size(before), Size(after))?;
        }
        match self.freed_bytes {
            Some(freed @ 0..) => write!(f, "; {} freed", Size(freed.unsigned_abs()))?,
            Some(grown) => write!(f, "; {} more than before", Size(grown.unsigned_abs()))?,
            None => {}
        }
        match self.returned_bytes {
            Some(returned) => write!(f, "; {} returned to the system on request", Size(returned)),
            None => Ok(()),
        }
    }
}
