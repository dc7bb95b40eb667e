//! What was found of a series of profiles, as `docs/judge.schema.json` describes it.

use crate::sweep::stacks::SiteFrame;
use schemars::JsonSchema;
use serde::Serialize;

/// The version of the schema.
pub const SCHEMA: u32 = 1;

/// What a series of heap profiles shows.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "Judged heap profiles")]
pub struct Found {
    /// The version of this schema, 1.
    pub schema: u32,
    /// How many profiles there are.
    pub profiles: u64,
    /// The program that they are of, if they tell.
    pub program: Option<String>,
    /// Whether the profiles say where the program is in memory, so that a restart between them
    /// would have shown.
    pub has_start: bool,
    /// The first profile, from 0 on, in which memory as a whole is less than half of that in the
    /// one before, where a restart would not have shown. Then it is not called bounded.
    pub halved_in: Option<u64>,
    /// Which of their values was judged.
    pub value: String,
    /// How many bytes are allocated between two samples, on average: 1 if nothing is left out;
    /// null if they do not tell. If it is not 1, all figures are estimates.
    pub sampled_bytes: Option<u64>,
    /// Why they were taken in the order of the arguments; null if they were ordered by time.
    pub no_times: Option<String>,
    /// From the first to the last, in seconds; null without times.
    pub seconds: Option<f64>,
    /// What rates are by.
    pub per: Per,
    /// Whether the profiles have names of functions, and not addresses alone.
    pub has_functions: bool,
    /// All call stacks together.
    pub whole: Course,
    /// Each call stack, the growing ones first, those that rise most before the others.
    pub stacks: Vec<Stack>,
}

/// What rates are by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Per {
    /// An hour.
    Hour,
    /// From one profile to the next, where their times are not known.
    Profile,
}

/// Whether live bytes are bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// They rise without end.
    Growing,
    /// The profiles do not show it.
    Inconclusive,
    /// They stay within limits.
    Bounded,
}

/// Live bytes through the profiles.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "Course of live bytes")]
pub struct Course {
    /// Whether they are bounded.
    pub state: State,
    /// By how many bytes they rise; 0 if they do not.
    pub rate: f64,
    /// How far that may be off, either way.
    pub rate_error: f64,
    /// The smallest steady leak that would have been called growing, in bytes; null if that is
    /// not known, as without `sampled_bytes`, or they grow.
    pub smallest_leak: Option<f64>,
    /// Live bytes in each profile, the oldest first.
    pub bytes: Vec<u64>,
}

/// A call stack.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "Call stack of a heap profile")]
pub struct Stack {
    /// What it holds.
    #[serde(flatten)]
    pub course: Course,
    /// Whether the bytes of others fall by as much as its own rise, so that it may replace them.
    /// Then it is inconclusive.
    pub replaces: bool,
    /// The functions, the innermost first, without those of the allocator and of std. Empty if
    /// they are not known.
    pub frames: Vec<SiteFrame>,
    /// Which of the frames is the program's own, the innermost such; null if there is none.
    pub site: Option<u64>,
    /// Which scenarios of this project allocate there; null unless it grows.
    pub coverage: Option<Coverage>,
    /// The frames in lines, those of a dependency in a row as one.
    #[serde(skip)]
    pub(super) lines: String,
}

/// Whether scenarios of this project allocate at a site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Coverage {
    /// These do.
    Covered(Vec<String>),
    /// None does.
    NotCovered,
    /// That is not known, for this reason.
    NotKnown(String),
}

impl Course {
    /// Live bytes in the last profile.
    pub fn now(&self) -> u64 {
        self.bytes.last().copied().unwrap_or(0)
    }
}

impl State {
    /// As in the JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Growing => "growing",
            Self::Inconclusive => "inconclusive",
            Self::Bounded => "bounded",
        }
    }
}

impl Stack {
    /// The frame that tells where it is: the innermost of the program, or else the innermost.
    pub fn place(&self) -> Option<&SiteFrame> {
        let site = self.site.and_then(|site| usize::try_from(site).ok());
        self.frames.get(site.unwrap_or(0))
    }
}

impl Found {
    /// The stacks that grow, those that rise most first.
    pub fn growing(&self) -> impl Iterator<Item = &Stack> {
        let stacks = self.stacks.iter();
        stacks.take_while(|stack| stack.course.state == State::Growing)
    }

    /// Whether anything grows, nothing does, or that is not known.
    pub fn state(&self) -> State {
        match self.growing().next() {
            Some(_) => State::Growing,
            None => self.whole.state,
        }
    }
}
