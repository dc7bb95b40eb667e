//! [`Allocated`]: what a benchmark of criterion allocates, in place of the time that it takes.

use super::{Scope, Usage};
use criterion::Throughput;
use criterion::measurement::{Measurement, ValueFormatter};

/// What stands for no allocation at all: criterion takes a measured nought for a mistake.
const NOTHING: f64 = 1e-6;

/// What a benchmark of criterion allocates an iteration, with the feature `criterion`.
///
/// Counted is what the iterations allocate on their thread, and on threads that they start
/// (Linux with glibc), freed again or not. Figures are exact: where the work is deterministic, all
/// samples of a benchmark are the same, and a change of one byte is one of the code. What a
/// benchmark allocates once, such as a buffer that grows, is spread over the iterations.
///
/// ```no_run
/// use criterion::Criterion;
/// use highwater::Allocated;
///
/// #[global_allocator]
/// static ALLOC: highwater::Alloc = highwater::Alloc::system();
///
/// fn parsing(criterion: &mut Criterion<Allocated>) {
///     criterion.bench_function("parsing", |bencher| bencher.iter(|| "1,2,3".to_owned()));
/// }
///
/// criterion::criterion_group! {
///     name = benches;
///     config = Criterion::default().with_measurement(Allocated::Bytes);
///     targets = parsing
/// }
/// criterion::criterion_main!(benches);
/// ```
///
/// # Panics
/// A benchmark panics if the program's global allocator is not [`Alloc`](crate::Alloc).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allocated {
    /// Bytes an iteration.
    Bytes,
    /// Blocks an iteration.
    Blocks,
}

impl Allocated {
    fn of(self, usage: &Usage) -> u64 {
        match self {
            Self::Bytes => usage.total_bytes,
            Self::Blocks => usage.total_blocks,
        }
    }

    /// By what to divide, so that a typical value is short, and the unit that makes.
    fn unit(self, typical: f64) -> (f64, &'static str) {
        match self {
            Self::Bytes if typical >= 1e9 => (1e9, "GB"),
            Self::Bytes if typical >= 1e6 => (1e6, "MB"),
            Self::Bytes if typical >= 1e3 => (1e3, "kB"),
            Self::Bytes => (1.0, "B"),
            Self::Blocks => (1.0, "blocks"),
        }
    }
}

impl Measurement for Allocated {
    type Intermediate = Scope;
    type Value = u64;

    fn start(&self) -> Scope {
        Scope::enter("benchmark")
    }

    fn end(&self, scope: Scope) -> u64 {
        self.of(&scope.usage())
    }

    fn add(&self, one: &u64, other: &u64) -> u64 {
        one.saturating_add(*other)
    }

    fn zero(&self) -> u64 {
        0
    }

    fn to_f64(&self, value: &u64) -> f64 {
        if *value == 0 { NOTHING } else { *value as f64 }
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        self
    }
}

/// So much for each; nothing of what stands for nothing.
fn per(value: f64, divisor: f64) -> f64 {
    if value <= NOTHING {
        0.0
    } else {
        value / divisor
    }
}

impl ValueFormatter for Allocated {
    fn scale_values(&self, typical: f64, values: &mut [f64]) -> &'static str {
        let (divisor, unit) = self.unit(typical);
        for value in values {
            *value = per(*value, divisor);
        }
        unit
    }

    /// What is allocated for each element or byte of the input.
    fn scale_throughputs(
        &self,
        _: f64,
        throughput: &Throughput,
        values: &mut [f64],
    ) -> &'static str {
        let (count, [bytes, blocks]) = match *throughput {
            Throughput::Bits(count) => (count, ["B/bit", "blocks/bit"]),
            Throughput::Bytes(count) | Throughput::BytesDecimal(count) => {
                (count, ["B/byte", "blocks/byte"])
            }
            Throughput::Elements(count)
            | Throughput::ElementsAndBytes {
                elements: count, ..
            } => (count, ["B/element", "blocks/element"]),
        };
        for value in values {
            *value = per(*value, count.max(1) as f64);
        }
        match self {
            Self::Bytes => bytes,
            Self::Blocks => blocks,
        }
    }

    fn scale_for_machines(&self, _: &mut [f64]) -> &'static str {
        match self {
            Self::Bytes => "B",
            Self::Blocks => "blocks",
        }
    }
}
