//! [`Scaling`]: how the memory of some work grows with its size.
//!
//! `fit.rs` reads the law and the bytes of a unit from what was measured, `text.rs` prints them.

mod fit;
mod text;

use crate::alloc::unscoped;
use crate::scope::Scope;
use crate::text::ByteSize;
use crate::verdict::Law;
use fit::{Chain, Growth, Span};
use std::hint::black_box;

/// How often the work is measured at each size: the figures that differ have a bound.
const ROUNDS: usize = 2;

/// Work that is done at several sizes, and the limits on how its memory grows with them.
///
/// The work is run at each size, and measured while what it returned is alive: live bytes,
/// the peak, and all bytes that were allocated. Then that is dropped.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: highwater::Alloc = highwater::Alloc::system();
/// use highwater::{ByteSize, Law, Scaling};
///
/// struct Session {
///     name: String,
///     buffer: Vec<u8>,
/// }
///
/// fn sessions(n: u64) -> Vec<Box<Session>> {
///     let session = |id| Session {
///         name: format!("session {id:06}"),
///         buffer: Vec::with_capacity(1_024),
///     };
///     (0..n).map(|id| Box::new(session(id))).collect()
/// }
///
/// # fn main() {
/// let scaled = Scaling::new("sessions")
///     .sizes([100, 200, 400, 800])
///     .at_most(Law::Linear)
///     .bytes_per_unit(ByteSize::b(1_200))
///     .run(sessions);
/// scaled.assert();
/// assert_eq!(scaled.law(), Some(Law::Linear));
/// # assert!(sessions(1)[0].name.len() == 14 && sessions(1)[0].buffer.is_empty());
/// # }
/// ```
///
/// # What it can tell
/// The law is read from sizes that double, of which there must be four: what each doubling
/// adds, divided by what the one before added, is 2 for a linear law, 1 for a logarithm, and
/// more than 2 for what grows faster than in proportion. With more than four, the last four
/// decide. Between two of these sizes the work is measured once more, halfway. So a table that
/// doubles its capacity shows: it is ahead of the line at some sizes and behind at others. The
/// bounds of the bytes of a unit include that, also for sizes that were not measured.
///
/// Where figures differ from run to run, all that is concluded holds for both runs. If that
/// leaves more than one law, nothing is claimed, and [`Scaled::assert`] fails. What rises by no
/// more than it differs from run to run, and by less than 5 % over all sizes, is constant.
#[derive(Clone, Debug)]
#[must_use = "it does nothing until it is run"]
pub struct Scaling {
    name: String,
    sizes: Vec<u64>,
    at_most: Option<Law>,
    bytes_per_unit: Option<ByteSize>,
}

/// What was measured at one size: the higher figure of both runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sample {
    /// The size.
    pub size: u64,
    /// Live bytes while the value was alive that the work returned.
    pub live_bytes: u64,
    /// The most live bytes until then, at the upper end of its error.
    pub peak_bytes: u64,
    /// All bytes that were allocated until then.
    pub allocated_bytes: u64,
}

/// How the memory of some work grew with its size, and whether that is allowed.
///
/// Its `Display` form has a line for each size and figure.
#[derive(Clone, Debug)]
pub struct Scaled {
    name: String,
    at_most: Option<Law>,
    bytes_per_unit: Option<ByteSize>,
    samples: Vec<Sample>,
    /// Live, peak and allocated; or why nothing can be said.
    growth: Result<[Growth; 3], String>,
}

/// The figures of one size.
#[derive(Clone, Copy, Debug)]
struct Measured {
    size: u64,
    /// Live, peak and allocated.
    figures: [Span; 3],
}

impl Scaling {
    /// Work at the sizes 100, 200, 400 and 800, without limits. The name appears in messages.
    ///
    /// # Panics
    /// If the name is empty.
    #[track_caller]
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        assert!(!name.is_empty(), "highwater: what scales needs a name");
        Self {
            name,
            sizes: vec![100, 200, 400, 800],
            at_most: None,
            bytes_per_unit: None,
        }
    }

    /// The sizes to measure, in any order. Four of them or more are twice the one before;
    /// others are measured too.
    pub fn sizes(mut self, sizes: impl IntoIterator<Item = u64>) -> Self {
        self.sizes = sizes.into_iter().collect();
        self
    }

    /// The fastest law by which live bytes and the peak may grow with the size. What is
    /// allocated in all is told, and not held to it.
    pub fn at_most(mut self, law: Law) -> Self {
        self.at_most = Some(law);
        self
    }

    /// The most live bytes that a unit more may take. Inclusive, and compared with the upper
    /// bound.
    pub fn bytes_per_unit(mut self, limit: ByteSize) -> Self {
        self.bytes_per_unit = Some(limit);
        self
    }

    /// Runs the work once at the smallest size, so that statics are filled, and then twice at
    /// each size. In a process of its own, as `#[highwater::test]` gives one, every thread
    /// counts; elsewhere this thread and those that are started in the work.
    ///
    /// # Panics
    /// As [`Scope::enter`] does, and if `work` panics.
    #[track_caller]
    pub fn run<S>(&self, work: impl Fn(u64) -> S) -> Scaled {
        let (chain, sizes) = unscoped(|| {
            let chain = Chain::of(&self.sizes);
            let sizes = chain.as_ref().map_or_else(|_| Vec::new(), Chain::sizes);
            (chain, sizes)
        });
        let mut measured: Vec<Measured> = unscoped(|| Vec::with_capacity(sizes.len()));
        if let Some(first) = sizes.first() {
            measure(&self.name, *first, &work);
        }
        for round in 0..ROUNDS {
            for (at, size) in sizes.iter().enumerate() {
                let figures = measure(&self.name, *size, &work);
                match measured.get_mut(at) {
                    Some(known) if round > 0 => known.include(figures),
                    _ => unscoped(|| {
                        measured.push(Measured {
                            size: *size,
                            figures,
                        });
                    }),
                }
            }
        }
        unscoped(|| self.conclude(chain, &measured))
    }

    fn conclude(&self, chain: Result<Chain, String>, measured: &[Measured]) -> Scaled {
        let growth = chain.and_then(|chain| {
            varies(measured)?;
            let of = |figure: usize| {
                let figure = |known: &Measured| (known.size, known.figures[figure]);
                Growth::of(&chain, &measured.iter().map(figure).collect::<Vec<_>>())
            };
            Ok([of(0), of(1), of(2)])
        });
        let samples = measured.iter().map(|known| Sample {
            size: known.size,
            live_bytes: known.figures[0].most,
            peak_bytes: known.figures[1].most,
            allocated_bytes: known.figures[2].most,
        });
        Scaled {
            name: self.name.clone(),
            at_most: self.at_most,
            bytes_per_unit: self.bytes_per_unit,
            samples: samples.collect(),
            growth,
        }
    }
}

impl Measured {
    fn include(&mut self, figures: [Span; 3]) {
        for (known, figure) in self.figures.iter_mut().zip(figures) {
            *known = known.with(figure);
        }
    }
}

/// Live, peak and allocated bytes of the work at one size.
#[track_caller]
fn measure<S>(name: &str, size: u64, work: &impl Fn(u64) -> S) -> [Span; 3] {
    let scope = Scope::of_run(name);
    let before = scope.restart_peak();
    let value = black_box(work(size));
    let after = scope.read();
    drop(value);
    let before_bytes = u64::try_from(before.totals.live_bytes).unwrap_or(0);
    let of_work = after.totals.since(&before.totals);
    let live = u64::try_from(of_work.live_bytes).unwrap_or(0);
    let peak = after.peak_bytes.saturating_sub(before_bytes).max(live);
    [
        Span::at(live),
        Span::at(peak).with(Span::at(peak + after.peak_error_bytes)),
        Span::at(of_work.total_bytes),
    ]
}

/// Whether there is anything to say: the work does more at a larger size.
fn varies(measured: &[Measured]) -> Result<(), String> {
    let is_alike = |known: &Measured| {
        let first = &measured[0].figures;
        known.figures == *first && first.iter().all(|figure| figure.least == figure.most)
    };
    if measured.iter().all(|known| known.figures[2].most == 0) {
        return Err("the work allocates nothing at any size".to_owned());
    }
    if measured.iter().all(is_alike) {
        let why = "the work allocates the same at every size; it is given the size as its argument";
        return Err(why.to_owned());
    }
    Ok(())
}

impl Scaled {
    /// What was measured, by size.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// How live bytes grow with the size; none if that cannot be told.
    pub fn law(&self) -> Option<Law> {
        let [live, ..] = self.growth.as_ref().ok()?;
        live.law()
    }

    /// The live bytes of a unit: those that the largest size has more than the smallest,
    /// divided by the difference of the sizes. None if nothing can be told.
    pub fn bytes_per_unit(&self) -> Option<f64> {
        let [live, ..] = self.growth.as_ref().ok()?;
        Some(live.per_unit)
    }

    /// Between these the live bytes of a unit lie at any size between the smallest and the
    /// largest.
    pub fn bytes_per_unit_bounds(&self) -> Option<(f64, f64)> {
        let [live, ..] = self.growth.as_ref().ok()?;
        Some(live.bounds)
    }

    /// Whether a limit is passed, or it cannot be told whether one is.
    pub fn is_failure(&self) -> bool {
        !self.failures().is_empty()
    }

    /// Fails the test if this [is a failure](Self::is_failure).
    ///
    /// # Panics
    /// With the reasons and the figures, if it is.
    #[track_caller]
    pub fn assert(&self) {
        let message = unscoped(|| self.is_failure().then(|| self.explanation()));
        assert!(message.is_none(), "{}", message.unwrap_or_default());
    }
}
