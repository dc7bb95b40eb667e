//! [`Hypothesis`]: a guess about where memory goes, tested.
//!
//! The same work is done twice, without the suspected factor and with it. The difference in live
//! memory is the factor's effect, and a threshold that was set beforehand decides. A [`Register`]
//! keeps all outcomes, the refuted ones too.

mod register;

use highwater::audit::Audit;
use highwater::{ByteSize, measure};
use std::fmt;
use std::hint::black_box;

pub use register::Register;

/// How soon a hypothesis wants testing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// First.
    High,
    /// After the high ones.
    Medium,
    /// When nothing else explains it.
    Low,
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        })
    }
}

/// What the effect of a factor must be for its hypothesis to be valid. Inclusive: equal
/// is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// So much or more: the factor matters.
    AtLeast(ByteSize),
    /// So much or less: the factor does not matter.
    AtMost(ByteSize),
}

impl Expected {
    fn is_met_by(self, effect_bytes: i64) -> bool {
        let effect = i128::from(effect_bytes);
        match self {
            Self::AtLeast(threshold) => effect >= i128::from(threshold.bytes()),
            Self::AtMost(threshold) => effect <= i128::from(threshold.bytes()),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::AtLeast(_) => "at least",
            Self::AtMost(_) => "at most",
        }
    }

    fn threshold(self) -> ByteSize {
        let (Self::AtLeast(threshold) | Self::AtMost(threshold)) = self;
        threshold
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{} {}", self.words(), self.threshold()))
    }
}

/// The memory in which a factor shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// Live bytes when the work is done, while what it returned is alive. Exact.
    Live,
    /// By how much more resident memory moves than live bytes do: what the system says
    /// of the process that the program did not ask for. Differs from run to run; on Linux.
    Resident,
}

/// A guess about memory: what is claimed, and by which effect it stands or falls.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: highwater::Alloc = highwater::Alloc::system();
/// use highwater::ByteSize;
/// use highwater_scenarios::{Expected, Hypothesis, Priority};
///
/// const NAMES: Hypothesis = Hypothesis::new(
///     "H1",
///     "the names of the symbols take 1 KB or more",
///     Priority::Low,
///     Expected::AtLeast(ByteSize::kb(1)),
/// );
/// let tested = NAMES
///     .without(|| vec![(String::new(), 0.0); 100])
///     .with(|| vec![(String::from("BTCUSDT"), 0.0); 100]);
/// assert_eq!(tested.effect_bytes(), Some(700));
/// assert_eq!(tested.is_valid(), Some(false));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a hypothesis says nothing until it is tested"]
pub struct Hypothesis {
    id: &'static str,
    claim: &'static str,
    priority: Priority,
    expected: Expected,
    memory: Memory,
}

impl Hypothesis {
    /// A hypothesis about live bytes.
    pub const fn new(
        id: &'static str,
        claim: &'static str,
        priority: Priority,
        expected: Expected,
    ) -> Self {
        Self {
            id,
            claim,
            priority,
            expected,
            memory: Memory::Live,
        }
    }

    /// The same about other memory.
    pub const fn about(mut self, memory: Memory) -> Self {
        self.memory = memory;
        self
    }

    /// What it is called.
    pub const fn id(&self) -> &'static str {
        self.id
    }

    /// What is claimed.
    pub const fn claim(&self) -> &'static str {
        self.claim
    }

    /// How soon it wants testing.
    pub const fn priority(&self) -> Priority {
        self.priority
    }

    /// The effect that makes it valid.
    pub const fn expected(&self) -> Expected {
        self.expected
    }

    /// The memory in which the effect is looked for.
    pub const fn memory(&self) -> Memory {
        self.memory
    }

    /// Does the work without the factor. Return what is to be alive when the figure is
    /// taken. The work is done twice, and only the second time counts, so that what is
    /// allocated at its first use is not part of the effect.
    ///
    /// Resident memory is that of the whole process: what else it does meanwhile counts.
    ///
    /// # Panics
    /// As [`measure`](highwater::measure) does.
    #[track_caller]
    pub fn without<R>(self, work: impl Fn() -> R) -> Control {
        Control {
            hypothesis: self,
            bytes: self.bytes_of(work),
        }
    }

    /// The figure for `work`; none where it can't be measured.
    #[track_caller]
    fn bytes_of<R>(self, work: impl Fn() -> R) -> Option<i64> {
        // What is never looked at might be optimised away.
        let work = || black_box(work());
        drop(measure(work));
        let (value, bytes) = match self.memory {
            Memory::Live => {
                let (value, usage) = measure(work);
                (value, Some(signed(usage.live_bytes)))
            }
            Memory::Resident => {
                let before = resident_bytes();
                let (value, usage) = measure(work);
                let after = resident_bytes();
                let moved = before.zip(after).map(|(b, a)| signed(a) - signed(b));
                (value, moved.map(|moved| moved - signed(usage.live_bytes)))
            }
        };
        drop(value);
        bytes
    }
}

/// A hypothesis of which one half is measured: see [`Hypothesis::without`].
#[derive(Clone, Copy, Debug)]
#[must_use = "a hypothesis is tested by both halves"]
pub struct Control {
    hypothesis: Hypothesis,
    bytes: Option<i64>,
}

impl Control {
    /// Does the work with the factor, as [`Hypothesis::without`] does without, and
    /// compares the two.
    ///
    /// # Panics
    /// As [`measure`](highwater::measure) does.
    #[track_caller]
    pub fn with<R>(self, work: impl Fn() -> R) -> Tested {
        let with = self.hypothesis.bytes_of(work);
        Tested {
            hypothesis: self.hypothesis,
            effect_bytes: self.bytes.zip(with).map(|(without, with)| with - without),
        }
    }
}

/// A hypothesis with what was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tested {
    hypothesis: Hypothesis,
    effect_bytes: Option<i64>,
}

impl Tested {
    /// What was tested.
    pub fn hypothesis(&self) -> Hypothesis {
        self.hypothesis
    }

    /// What the factor adds, in bytes; negative if there is less with it. None where its
    /// figure can't be measured.
    pub fn effect_bytes(&self) -> Option<i64> {
        self.effect_bytes
    }

    /// Whether the effect is as the hypothesis expects; none where its figure can't be
    /// measured.
    pub fn is_valid(&self) -> Option<bool> {
        let expected = self.hypothesis.expected;
        self.effect_bytes.map(|effect| expected.is_met_by(effect))
    }
}

/// How much of the process is in physical memory; none where the system does not say.
fn resident_bytes() -> Option<u64> {
    let process = Audit::new("the process").with_resident();
    process.against(0).resident_bytes()
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Expected, Hypothesis, Priority, Tested};
    use highwater::ByteSize;
    use rstest::rstest;

    #[global_allocator]
    static ALLOC: highwater::Alloc = highwater::Alloc::system();

    pub(super) const LEAST: Hypothesis = Hypothesis::new(
        "A1",
        "the factor matters",
        Priority::High,
        Expected::AtLeast(ByteSize::kb(1)),
    );
    pub(super) const MOST: Hypothesis = Hypothesis::new(
        "A2",
        "the factor is \"free\"",
        Priority::Low,
        Expected::AtMost(ByteSize::kb(1)),
    );

    pub(super) fn tested(hypothesis: Hypothesis, effect: impl Into<Option<i64>>) -> Tested {
        Tested {
            hypothesis,
            effect_bytes: effect.into(),
        }
    }

    #[rstest]
    #[case(LEAST, 999, false)]
    #[case(LEAST, 1_000, true)]
    #[case(LEAST, 1_001, true)]
    #[case(LEAST, -2_000, false)]
    #[case(MOST, 999, true)]
    #[case(MOST, 1_000, true)]
    #[case(MOST, 1_001, false)]
    #[case(MOST, -2_000, true)]
    fn the_threshold_itself_is_enough(
        #[case] hypothesis: Hypothesis,
        #[case] effect: i64,
        #[case] is_valid: bool,
    ) {
        assert_eq!(tested(hypothesis, effect).is_valid(), Some(is_valid));
    }

    #[test]
    fn what_the_factor_adds_is_measured() {
        let found = LEAST
            .without(|| Vec::<u8>::with_capacity(10))
            .with(|| Vec::<u8>::with_capacity(1_010));
        assert_eq!(found.effect_bytes(), Some(1_000));
        assert_eq!(found.is_valid(), Some(true));
        let found = MOST
            .without(|| Vec::<u8>::with_capacity(10))
            .with(Vec::<u8>::new);
        assert_eq!(found.effect_bytes(), Some(-10));
    }

    #[test]
    fn what_is_allocated_once_is_no_effect() {
        use std::sync::OnceLock;
        static ONCE: OnceLock<Vec<u8>> = OnceLock::new();
        let found = LEAST
            .without(|| ())
            .with(|| ONCE.get_or_init(|| vec![0; 5_000]).len());
        assert_eq!(found.effect_bytes(), Some(0));
    }
}
