//! [`Sample`]: the figures of a process at one moment, and what could not be read.

use crate::component::ComponentHeap;
use crate::text::Span;
use std::fmt;
use std::time::{Duration, SystemTime};

/// The figures of a process, or of a process and those that it started, at one moment.
///
/// A figure that could not be read is none, never zero, and a note says why.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Sample {
    /// When it was taken, by the clock on the wall.
    pub time: SystemTime,
    /// How many processes it is of.
    pub processes: u64,
    /// Memory in RAM. Pages that several processes share count for each of them.
    pub resident_bytes: Option<u64>,
    /// Address space.
    pub virtual_bytes: Option<u64>,
    /// Memory that was swapped out.
    pub swap_bytes: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// Open descriptors.
    pub descriptors: Option<u64>,
    /// The most descriptors that a process may have; none if it is not limited.
    pub descriptor_limit: Option<u64>,
    /// The most address space that a process may have (`RLIMIT_AS`), of several processes the
    /// lowest; none if it is not limited.
    pub address_limit: Option<u64>,
    /// When the process was started, after the system was. Another process of its number differs.
    pub started: Option<Duration>,
    /// Processor time since the start, of ended children that were waited for too.
    pub cpu_time: Option<Duration>,
    /// The memory of the machine.
    pub machine_bytes: Option<u64>,
    /// How many processes of the machine the system killed for memory since it was started.
    pub machine_oom_kills: Option<u64>,
    /// How long processes of the machine waited for memory; none where the system does not tell.
    pub machine_pressure: Option<Pressure>,
    /// The heap, if highwater's allocator is installed in this process.
    pub heap: Option<Heap>,
    /// What the allocators in this process say of themselves: those of glibc, jemalloc and
    /// mimalloc that are linked into it. glibc takes the longer to tell the more free blocks it
    /// has; it is asked as often as takes a ten-thousandth of the time, and is missing else.
    pub allocators: Vec<Allocator>,
    /// What each [`Component`](crate::Component) of this process holds.
    pub components: Vec<ComponentHeap>,
    /// The control group of the process.
    pub cgroup: Option<Cgroup>,
    /// What could not be read, and what is odd about the time.
    pub notes: Vec<Note>,
}

/// What the program allocated and did not free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Heap {
    /// Live bytes.
    pub live_bytes: u64,
    /// Live blocks.
    pub live_blocks: u64,
    /// The highest live bytes of all samples.
    pub peak_bytes: u64,
}

/// An allocator's own figures. What it holds and has not handed out, it keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Allocator {
    /// `glibc`, `jemalloc` or `mimalloc`.
    pub name: &'static str,
    /// What it has from the system. Of jemalloc, that is resident; of glibc and mimalloc, it may
    /// be.
    pub held_bytes: u64,
    /// What it has handed out and not got back; none if it does not count that, as mimalloc.
    pub used_bytes: Option<u64>,
    /// What is free on pages that are in use in part, and so cannot go back to the system. jemalloc
    /// alone tells.
    pub fragmented_bytes: Option<u64>,
}

impl Allocator {
    /// The figures of an allocator of this name, of which it is known what it holds.
    pub fn holding(name: &'static str, held_bytes: u64) -> Self {
        Self {
            name,
            held_bytes,
            used_bytes: None,
            fragmented_bytes: None,
        }
    }
}

/// The memory of a control group, version 2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cgroup {
    /// `memory.current`: what all processes of the group use, with files in the page cache. If the
    /// group does not count memory, all of this is of the nearest around it that does.
    pub current_bytes: u64,
    /// `memory.max`, of the group or of one around it if that is lower: above it, the system
    /// kills. It is for all processes together, without swap. None if it is not limited.
    pub max_bytes: Option<u64>,
    /// `memory.high`, likewise: above it, the system slows the group down.
    pub high_bytes: Option<u64>,
    /// How often `memory.high` was passed.
    pub high_events: u64,
    /// How often `memory.max` was about to be passed.
    pub max_events: u64,
    /// How many processes the system killed for memory.
    pub oom_kills: u64,
    /// `memory.pressure`: how long processes of the group waited for memory; none where the
    /// system does not tell.
    pub pressure: Option<Pressure>,
}

/// How long processes waited for memory, in all, because pages had to be found or read again:
/// [pressure stall information](https://docs.kernel.org/accounting/psi.html).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pressure {
    /// The time in which at least one of them waited, `some`.
    pub waiting: Duration,
    /// The time in which all that had work waited, `full`.
    pub stalled: Duration,
}

/// What could not be read, or what is odd about the time of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// This system has no `/proc` that is understood.
    UnsupportedSystem,
    /// The process does not exist any more.
    ProcessGone,
    /// This file could not be read, or not understood.
    Unreadable(&'static str),
    /// The process is in no control group with a memory controller.
    NoCgroup,
    /// The memory controller is of version 1.
    CgroupV1,
    /// The clock was set back by so much. The samples count in their order.
    ClockSetBack(Duration),
    /// No sample came for so long: the machine slept, the process was stopped, or the clock was
    /// set forward. The time counts as one interval.
    Gap(Duration),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnsupportedSystem => f.write_str(
                "figures of processes are read on Linux alone; the heap is judged if highwater's \
                 allocator is installed",
            ),
            Self::ProcessGone => f.write_str("the process does not exist any more"),
            Self::Unreadable(file) => {
                write!(f, "{file} could not be read, so its figures are unknown")
            }
            Self::NoCgroup => f.write_str("no control group with a memory limit"),
            Self::CgroupV1 => f.write_str(
                "the control group is of version 1, whose limits are not read; set the limit \
                 yourself",
            ),
            Self::ClockSetBack(by) => {
                write!(
                    f,
                    "the clock was set back by {}; samples count in their order",
                    Span(*by)
                )
            }
            Self::Gap(length) => write!(
                f,
                "no sample for {}: the machine slept, the process was stopped, or the clock was \
                 set; it counts as one interval",
                Span(*length)
            ),
        }
    }
}

impl Sample {
    /// A sample without figures, to be filled in by those who have other sources.
    pub fn at(time: SystemTime) -> Self {
        Self {
            time,
            processes: 1,
            resident_bytes: None,
            virtual_bytes: None,
            swap_bytes: None,
            threads: None,
            descriptors: None,
            descriptor_limit: None,
            address_limit: None,
            started: None,
            cpu_time: None,
            machine_bytes: None,
            machine_oom_kills: None,
            machine_pressure: None,
            heap: None,
            allocators: Vec::new(),
            components: Vec::new(),
            cgroup: None,
            notes: Vec::new(),
        }
    }

    /// Whether the process was gone when it was to be read.
    pub fn is_gone(&self) -> bool {
        self.notes.contains(&Note::ProcessGone)
    }

    /// Resident memory and what is swapped out: what is compared with the limit.
    pub fn memory_bytes(&self) -> Option<u64> {
        let resident = self.resident_bytes?;
        Some(resident + self.swap_bytes.unwrap_or(0))
    }
}
