//! Figures of the whole process: open descriptors, memory mapped outside the heap, resident
//! memory, and memory that is returned to the system.
//!
//! They can't be divided by scope. So they are judged only for a scenario that had the process
//! to itself. A scenario with a ceiling on them waits for that.

use crate::alloc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Held by every run; alone by one with a ceiling on a figure of the process.
static TURNS: RwLock<()> = RwLock::new(());

/// The runs of the process. One number, so that there is one order of all that changes
/// it: of two runs that begin at the same time one comes first and sees nobody, the other
/// sees it, and the first sees later that another has begun. With two numbers each could
/// be first in one of them, and both or neither would believe to have been alone.
static RUNS: AtomicU64 = AtomicU64::new(0);

/// In the lowest bits is how many runs go on, above them how many have begun.
const RUNNING_BITS: u32 = 24;
const RUNNING: u64 = (1 << RUNNING_BITS) - 1;
/// What a run adds when it begins; when it ends, it takes one off again.
const BEGINS: u64 = (1 << RUNNING_BITS) + 1;

/// Whether no run went on, and how many had begun, when these were the runs.
fn unpacked(runs: u64) -> (bool, u64) {
    (runs & RUNNING == 0, runs >> RUNNING_BITS)
}

/// A run's index among those of the process.
pub(crate) struct ProcessLease {
    /// How many runs had begun when this one did, itself among them.
    number: u64,
    began_alone: bool,
    _guard: Option<Guard>,
}

#[expect(dead_code, reason = "held until the run is over, never read")]
enum Guard {
    Shared(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
}

impl ProcessLease {
    /// Waits until no other run goes on, if it must be `alone`. A run inside
    /// another's step takes no lease of its own, for it would wait for itself.
    pub(crate) fn take(alone: bool) -> Self {
        let guard = match (alloc::is_in_scope(), alone) {
            (true, _) => None,
            (false, true) => Some(Guard::Alone(
                TURNS.write().unwrap_or_else(PoisonError::into_inner),
            )),
            (false, false) => Some(Guard::Shared(
                TURNS.read().unwrap_or_else(PoisonError::into_inner),
            )),
        };
        Self::begin(&RUNS, guard)
    }

    fn begin(runs: &AtomicU64, guard: Option<Guard>) -> Self {
        let before = runs.fetch_add(BEGINS, SeqCst);
        let (began_alone, _) = unpacked(before);
        let (_, number) = unpacked(before.wrapping_add(BEGINS));
        Self {
            number,
            began_alone,
            _guard: guard,
        }
    }

    /// Whether no other run went on at the same time so far.
    pub(crate) fn was_alone(&self) -> bool {
        self.was_alone_in(RUNS.load(SeqCst))
    }

    fn end(runs: &AtomicU64) {
        runs.fetch_sub(1, SeqCst);
    }

    fn was_alone_in(&self, runs: u64) -> bool {
        self.began_alone && unpacked(runs).1 == self.number
    }
}

impl Drop for ProcessLease {
    fn drop(&mut self) {
        Self::end(&RUNS);
    }
}

/// How many descriptors are open; none where the system does not say.
pub(crate) fn descriptors() -> Option<u64> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let open = std::fs::read_dir("/proc/self/fd").ok()?.count() as u64;
    // One of them is for reading the list.
    open.checked_sub(1)
}

/// How many bytes of the process are in physical memory; none where the system does not
/// say.
pub(crate) fn resident_bytes() -> Option<u64> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    // The kernel writes `kB` and means 1,024 bytes.
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1_024)
}

/// How many bytes are mapped and usable outside the system allocator's heap and the
/// harness's tables; none where that can't be told.
///
/// What an arena has given back stays usable, but glibc no longer counts it: until the
/// arena grows again it is taken for mapped memory.
#[cfg(highwater_glibc)]
pub(crate) fn mapped_bytes() -> Option<u64> {
    use std::io::{BufRead as _, BufReader};

    if !is_heap_known() {
        return None;
    }
    let mut maps = BufReader::new(std::fs::File::open("/proc/self/maps").ok()?);
    let mut line = String::with_capacity(256);
    let mut mapped = 0_u64;
    while maps.read_line(&mut line).ok()? > 0 {
        mapped += usable_bytes(&line)?;
        line.clear();
    }
    // Before the buffer is freed, which is part of both.
    mapped.checked_sub(alloc::heap()?.mapped_bytes + alloc::own_bytes())
}

/// The bytes of a mapping, from its line in `/proc/self/maps`. What can't be read or
/// written is only set aside, such as the rest of an arena, or guards a stack.
#[cfg(highwater_glibc)]
fn usable_bytes(line: &str) -> Option<u64> {
    let (start, end, rest) = crate::text::maps::range(line)?;
    let bytes = end.checked_sub(start)? as u64;
    Some(if rest.starts_with("---") { 0 } else { bytes })
}

/// How many bytes are mapped and usable outside the system allocator's heap; none
/// where that can't be told.
#[cfg(not(highwater_glibc))]
pub(crate) fn mapped_bytes() -> Option<u64> {
    None
}

/// The process's resident memory before and after [`return_to_system`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Returned {
    /// Resident memory before, in bytes.
    pub resident_before_bytes: u64,
    /// Resident memory after, in bytes.
    pub resident_after_bytes: u64,
}

/// Returns freed memory that the system's allocator still holds to the system, and reports
/// resident memory before and after. None if that is not possible: it needs Linux with glibc,
/// and glibc's allocator beneath [`Alloc`](crate::Alloc).
///
/// Freed memory does not always go back to the system. A page can be returned only when
/// everything on it is free, and even then the allocator may keep it. Live bytes show what a
/// program frees. This function shows how much of that the system gets.
///
/// The figures are the whole process's (`VmRSS`) and differ from run to run: compare
/// them with a wide margin or not at all.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: highwater::Alloc = highwater::Alloc::system();
/// let numbers: Vec<_> = (0..100_000).map(Box::new).collect();
/// drop(numbers);
/// if let Some(returned) = highwater::return_to_system() {
///     let (before, after) = (returned.resident_before_bytes, returned.resident_after_bytes);
///     println!("{before} B before, {after} B after");
/// }
/// ```
#[cfg(highwater_glibc)]
pub fn return_to_system() -> Option<Returned> {
    if !is_heap_known() {
        return None;
    }
    let resident_before_bytes = resident_bytes()?;
    alloc::trim_heap();
    Some(Returned {
        resident_before_bytes,
        resident_after_bytes: resident_bytes()?,
    })
}

/// Gives memory that the program has freed, and the system's allocator still holds,
/// back to the system. None: on this system it can't be done.
#[cfg(not(highwater_glibc))]
pub fn return_to_system() -> Option<Returned> {
    None
}

/// Whether Rust's blocks come from glibc's heap: tried with one, larger than any
/// that glibc serves from what it has, and never touched. It belongs to no scope.
#[cfg(highwater_glibc)]
fn is_heap_known() -> bool {
    use std::sync::OnceLock;
    static KNOWN: OnceLock<bool> = OnceLock::new();
    let is_known = || {
        const TRIED_BYTES: usize = 64 << 20;
        let used = || alloc::heap().map_or(0, |heap| heap.used_bytes);
        let before = used();
        let block = std::hint::black_box(Vec::<u8>::with_capacity(TRIED_BYTES));
        let with_block = used();
        drop(block);
        with_block.saturating_sub(before) >= TRIED_BYTES as u64 / 2
    };
    *KNOWN.get_or_init(|| alloc::unscoped(is_known))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two runs, each of which begins, asks whether it was alone and ends, in every order:
    /// whoever asks while the other goes on, or after it went on, is told so.
    #[test]
    fn of_runs_at_the_same_time_none_was_alone() {
        const BEGIN: usize = 0;
        const ASK: usize = 1;
        for order in 0_u32..1 << 6 {
            if order.count_ones() != 3 {
                continue;
            }
            let runs = AtomicU64::new(0);
            let mut turns: [Option<ProcessLease>; 2] = [None, None];
            // What each does next, and whether the other went on since it began.
            let (mut next, mut met) = ([0; 2], [false; 2]);
            for index in 0..6 {
                let run = (order >> index & 1) as usize;
                let other = 1 - run;
                match next[run] {
                    BEGIN => {
                        turns[run] = Some(ProcessLease::begin(&runs, None));
                        let goes_on = (1..=2).contains(&next[other]);
                        met = met.map(|met| met || goes_on);
                    }
                    ASK => {
                        let lease = turns[run].as_ref().expect("it began");
                        let told = lease.was_alone_in(runs.load(SeqCst));
                        assert_eq!(told, !met[run], "order {order:06b}");
                    }
                    _ => ProcessLease::end(&runs),
                }
                next[run] += 1;
            }
            assert_eq!(unpacked(runs.load(SeqCst)), (true, 2));
            turns.into_iter().for_each(std::mem::forget);
        }
    }

    #[test]
    fn both_numbers_have_room() {
        let many = AtomicU64::new(u64::MAX - RUNNING);
        let lease = ProcessLease::begin(&many, None);
        assert_eq!(lease.number, 0, "it starts again");
        assert!(lease.was_alone_in(many.load(SeqCst)));
        ProcessLease::end(&many);
        assert_eq!(unpacked(many.load(SeqCst)), (true, 0));
        std::mem::forget(lease);
    }
}
