//! [`Recording`]: call stacks of what a service allocates, for as long as somebody wants them, and
//! [`Profile`]: what of that is still live.
//!
//! Before and after, counting costs what it always does. Meanwhile each allocation takes a call
//! stack. What was allocated before has none and is not known, so a profile is of what came since
//! the recording began.

use highwater::__private::{
    Levels, RecordError, Recording as Recorder, Size, Thousands, live_in_process, stack_told,
};
use highwater::Frame;
use highwater_reports::page;
use highwater_reports::recorded::Recorded;
use std::fmt;
use std::time::{Duration, Instant, SystemTime};

/// How many call stacks are printed.
const PRINTED: usize = 5;

/// Call stacks are taken of all that the process allocates until this is dropped. There is one at
/// a time.
///
/// A thread that allocates without freeing or resizing anything may be followed 4 KiB late. A
/// block that is resized counts for who resized it, with its new size, also if it was allocated
/// before. Blocks may be freed on any thread.
///
/// The first recording takes 15 MB for its tables and keeps them. While it goes on, 8 bytes for
/// each 16 of followed memory come to that, and tens of MB for symbols while names are found.
///
/// ```no_run
/// use highwater_monitor::Recording;
/// use std::time::Duration;
///
/// let recording = Recording::start()?;
/// std::thread::sleep(Duration::from_secs(30));
/// let profile = recording.finish()?;
/// std::fs::write("heap.pb.gz", profile.pprof())?;
/// std::fs::write("heap.html", profile.page())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "recording ends when this is dropped"]
pub struct Recording {
    recorder: Recorder,
    began: (SystemTime, Instant),
    heap_before: u64,
}

/// What was allocated since a recording began and is still live, by call stack. Printed, it is the
/// call stacks with most live bytes, of which there are five at most.
#[derive(Clone, Debug)]
pub struct Profile {
    recorded: Recorded,
    levels: Levels,
}

/// Why there is no profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProfileError {
    /// The program's allocator is not highwater's.
    NotInstalled,
    /// Call stacks cannot be taken on this system.
    NoStacks,
    /// Another recording goes on, or a scenario takes call stacks.
    Busy,
    /// The program has no symbols.
    NoNames,
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotInstalled => {
                "no profile: the program's allocator is not highwater's, so nothing is known of \
                 its allocations; add these two lines to its main file:\n  \
                 #[global_allocator]\n  \
                 static ALLOC: highwater::Alloc = highwater::Alloc::system();"
            }
            Self::NoStacks => {
                "no profile: call stacks are taken on Linux and macOS alone, on x86-64 and AArch64"
            }
            Self::Busy => {
                "no profile: another one is being recorded, and there is one at a time; ask again \
                 when it is done"
            }
            Self::NoNames => {
                "no profile: the program has no symbols, so no function has a name; build it with \
                 `debug = \"line-tables-only\"` and without `strip` in its profile in Cargo.toml"
            }
        })
    }
}

impl std::error::Error for ProfileError {}

impl From<RecordError> for ProfileError {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::NotInstalled => Self::NotInstalled,
            RecordError::NoStacks => Self::NoStacks,
            RecordError::Busy => Self::Busy,
        }
    }
}

/// What a profile is of: all since this moment.
struct Since {
    began: SystemTime,
    lasted: Duration,
    heap_before: u64,
}

impl Recording {
    /// From now on call stacks are taken.
    ///
    /// # Errors
    /// If the program has another allocator, the system is another than Linux or macOS on
    /// x86-64 or `AArch64`, or another recording goes on.
    pub fn start() -> Result<Self, ProfileError> {
        let heap_before = live_in_process();
        let recorder = Recorder::start()?;
        Ok(Self {
            recorder,
            began: (SystemTime::now(), Instant::now()),
            heap_before: heap_before.map_or(0, |(bytes, _)| bytes),
        })
    }

    /// What is live now. The recording goes on, so profiles that are taken one after the other
    /// are a series for `cargo highwater judge`.
    ///
    /// The program's symbols are read for it, which takes a moment: in an async service, call it
    /// where blocking is allowed.
    ///
    /// # Errors
    /// If the program has no symbols.
    pub fn profile(&self) -> Result<Profile, ProfileError> {
        let since = self.since();
        Profile::of(&since, self.recorder.levels())
    }

    /// Ends the recording, and says what is live.
    ///
    /// # Errors
    /// As [`profile`](Self::profile).
    pub fn finish(self) -> Result<Profile, ProfileError> {
        let since = self.since();
        Profile::of(&since, self.recorder.finish())
    }

    fn since(&self) -> Since {
        Since {
            began: self.began.0,
            lasted: self.began.1.elapsed(),
            heap_before: self.heap_before,
        }
    }
}

impl Profile {
    fn of(since: &Since, levels: Levels) -> Result<Self, ProfileError> {
        let nothing_has_a_name = levels.sites.iter().all(|site| site.frames.is_empty());
        if nothing_has_a_name && !levels.sites.is_empty() {
            return Err(ProfileError::NoNames);
        }
        let heap_after = live_in_process().map_or(0, |(bytes, _)| bytes);
        let program = std::env::current_exe().unwrap_or_default();
        let program = program.display().to_string();
        let heap = (since.heap_before, heap_after);
        let recorded = Recorded::new(program, (since.began, since.lasted), heap, &levels);
        Ok(Self { recorded, levels })
    }

    /// A heap profile in pprof's format, compressed: `go tool pprof` opens it, and a series of
    /// them is judged by `cargo highwater judge`.
    pub fn pprof(&self) -> Vec<u8> {
        self.recorded.pprof()
    }

    /// A page in one file that loads nothing, with a flame graph and the call sites.
    pub fn page(&self) -> String {
        page::recorded(&self.recorded)
    }

    /// Bytes that were allocated since the recording began and are live.
    pub fn live_bytes(&self) -> u64 {
        self.recorded.live_bytes()
    }

    /// Each call stack with its live bytes, those with most first. Its functions are the innermost
    /// first, without those of the allocator and of std; none if the stack is not known.
    pub fn sites(&self) -> impl Iterator<Item = (&[Frame], u64)> {
        let sites = self.levels.sites.iter();
        sites.map(|site| (site.frames.as_slice(), site.live_bytes))
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.recorded.summary() {
            writeln!(f, "{line}")?;
        }
        let live = self.levels.sites.iter().filter(|site| site.live_bytes > 0);
        for site in live.take(PRINTED) {
            let (bytes, blocks) = (Size(site.live_bytes), Thousands(site.live_blocks));
            let noun = if site.live_blocks == 1 {
                "block"
            } else {
                "blocks"
            };
            let what = site.type_name.as_deref().unwrap_or("type unknown");
            writeln!(f, "\n{bytes} in {blocks} {noun}, {what}")?;
            if site.frames.is_empty() {
                writeln!(f, "  call stack not known")?;
            }
            for line in stack_told(&site.frames).lines() {
                writeln!(f, "  {}", line.trim_start())?;
            }
        }
        Ok(())
    }
}
