//! [`Coverage`]: what the figures of a run include, and evidence of work that they miss.

use crate::alloc;

/// What the figures of a report include.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: highwater::Alloc = highwater::Alloc::system();
/// let report = highwater::Scenario::new("covered").run(|| (), |(), _| ());
/// assert_eq!(report.coverage().evidence(), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Coverage {
    pub(crate) is_own_process: bool,
    /// Why it is not, though the test asks for one.
    pub(crate) why_shared: Option<&'static str>,
    pub(crate) threads: u64,
    pub(crate) elsewhere_bytes: i64,
    pub(crate) elsewhere_blocks: i64,
    pub(crate) freed_elsewhere_blocks: u64,
    pub(crate) freed_for_others_blocks: u64,
    pub(crate) evidence: Option<String>,
    pub(crate) threads_elsewhere: Vec<String>,
    pub(crate) not_judged: Vec<(&'static str, &'static str)>,
}

impl Coverage {
    /// Whether every thread of the process was counted, since the process was the
    /// scenario's own. If not, those were that it started.
    pub fn is_own_process(&self) -> bool {
        self.is_own_process
    }

    /// The most threads that were counted at one time, the scenario's own among them.
    pub fn threads(&self) -> u64 {
        self.threads
    }

    /// By how many bytes live memory outside of the scenario rose over the steps, but for
    /// that of scopes beside it; 0 in a process of its own.
    pub fn elsewhere_bytes(&self) -> i64 {
        self.elsewhere_bytes
    }

    /// The same in blocks.
    pub fn elsewhere_blocks(&self) -> i64 {
        self.elsewhere_blocks
    }

    /// How many blocks of the scenario were freed by threads outside of it.
    pub fn freed_elsewhere_blocks(&self) -> u64 {
        self.freed_elsewhere_blocks
    }

    /// How many blocks of others were freed by the scenario's threads.
    pub fn freed_for_others_blocks(&self) -> u64 {
        self.freed_for_others_blocks
    }

    /// Why the figures do not cover all that ran for the scenario; none if nothing points
    /// to that. With evidence the verdict is never bounded.
    pub fn evidence(&self) -> Option<&str> {
        self.evidence.as_deref()
    }

    /// The names of the threads that the evidence is about.
    pub fn threads_elsewhere(&self) -> &[String] {
        &self.threads_elsewhere
    }

    /// What was not judged, each with the reason.
    pub fn not_judged(&self) -> &[(&'static str, &'static str)] {
        &self.not_judged
    }

    /// In a line that is the same on every run.
    pub(crate) fn line(&self) -> String {
        let c_heap = if self.not_judged.iter().any(|(figure, _)| *figure == C_HEAP) {
            "not what C allocates"
        } else {
            "what C allocates, too"
        };
        if self.is_own_process {
            return format!("every thread of its process; {c_heap}");
        }
        let why = self.why_shared;
        let why = why.map_or_else(String::new, |why| format!(" ({why})"));
        format!("the threads started in it, beside other tests{why}; {c_heap}")
    }
}

/// What `malloc` and its like serve.
const C_HEAP: &str = "C's heap";

/// What is said of C's heap where it is not counted.
pub(crate) fn c_heap_not_judged() -> Option<(&'static str, &'static str)> {
    alloc::why_c_heap_is_uncounted().map(|why| (C_HEAP, why))
}
