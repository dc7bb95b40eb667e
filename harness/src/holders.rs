//! [`Holder`]: what keeps alive the memory that a scenario allocated.
//!
//! When the requested steps are done, with the state still alive, memory is searched the way a
//! conservative garbage collector does it. Each word of each root, and of each block that is
//! reached, counts as a pointer if it is an address inside of a block. The search finds the
//! shortest path to each block. A block without a path is lost.

#[cfg_attr(not(highwater_holders), path = "holders/no_snapshot.rs")]
mod snapshot;

pub(crate) use snapshot::Snapshot;
use std::fmt;
use std::hint::black_box;

/// How a block is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Hold {
    /// A root leads to it: a static, a thread-local, the scenario's state or a stack.
    Held,
    /// Nothing points to it: it is lost.
    Lost,
    /// Only lost blocks point to it.
    IndirectlyLost,
    /// It is lost, in a cycle of blocks that hold each other.
    Cycle,
    /// No root leads to it, but not everything could be searched.
    Unknown,
}

impl Hold {
    /// As in reports.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Lost => "lost",
            Self::IndirectlyLost => "indirectly lost",
            Self::Cycle => "cycle",
            Self::Unknown => "unknown",
        }
    }

    /// In words, in front of the path where there is one.
    fn how(self) -> &'static str {
        match self {
            Self::Held => "held by",
            Self::Lost => "lost: nothing points to them",
            Self::IndirectlyLost => "indirectly lost: only lost blocks point to them:",
            Self::Cycle => "lost: a cycle of",
            Self::Unknown => "no holder was found in what could be searched",
        }
    }
}

/// [`Hold::how`], for a hold by its word in a report.
#[doc(hidden)]
pub fn how_held(word: &str) -> &'static str {
    let known = [Hold::Held, Hold::Lost, Hold::IndirectlyLost, Hold::Cycle];
    let hold = known.into_iter().find(|hold| hold.word() == word);
    hold.unwrap_or(Hold::Unknown).how()
}

/// `held`, `lost`, `indirectly lost`, `cycle` or `unknown`, as in JSON.
impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// What keeps blocks of one site alive, all by the same retention path.
///
/// Its `Display` form is that of messages, such as `held by static cache::PRICES → String`.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: highwater::Alloc = highwater::Alloc::system();
/// # fn main() {
/// let report = highwater::Scenario::new("boxes")
///     .steps(100)
///     .diagnose(true)
///     .run(Vec::new, |boxes, i| boxes.push(Box::new(i)));
/// // None where call stacks can't be taken.
/// if let Some(diagnosis) = report.diagnosis() {
///     // None where memory can't be searched.
///     for holder in diagnosis.sites()[0].holders().unwrap_or_default() {
///         println!("{} blocks of {} B: {holder}", holder.blocks(), holder.bytes());
///     }
/// }
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pub(crate) hold: Hold,
    pub(crate) path: Vec<String>,
    pub(crate) blocks: u64,
    pub(crate) bytes: u64,
}

impl Holder {
    /// How they are held.
    pub fn hold(&self) -> Hold {
        self.hold
    }

    /// From the root to the blocks themselves, such as `static cache::PRICES`,
    /// `HashMap<String, f64>`, `String`. Of a cycle, one element with all types in it;
    /// of what is lost, from the first lost block on; empty if it is unknown.
    pub fn path(&self) -> &[String] {
        &self.path
    }

    /// How many blocks.
    pub fn blocks(&self) -> u64 {
        self.blocks
    }

    /// How many bytes these blocks have.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = self.hold.how();
        match self.hold {
            Hold::Lost | Hold::Unknown => f.write_str(how),
            _ => write!(f, "{how} {}", self.path.join(" → ")),
        }
    }
}

/// Where a scenario's state is, and its type.
#[derive(Clone, Copy, Debug)]
// Not needed where memory can't be searched.
#[allow(dead_code)]
pub(crate) struct State {
    address: usize,
    size: usize,
    type_name: &'static str,
    /// How many bytes at its start are the scenario's own runtime.
    runtime: usize,
    /// From here on, towards its start, this thread's stack is the scenario's and its
    /// callers'.
    stack: usize,
}

impl State {
    /// Of a state that lives in the frame of the caller, behind a runtime of so many bytes.
    pub(crate) fn of<S>(state: &S, runtime: usize) -> Self {
        // The state's own address would do, if it were not for what the compiler has put
        // below it, or made of a state without a size.
        let mark = black_box(0_u8);
        Self {
            address: (&raw const *state) as usize,
            size: size_of::<S>(),
            type_name: std::any::type_name::<S>(),
            runtime,
            stack: (&raw const mark) as usize,
        }
    }
}
