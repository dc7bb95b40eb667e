//! What Linux reports about the process: its mappings, its threads, and the contents of its
//! memory.
//!
//! Memory is read through `/proc/self/mem`, because other threads keep running. If they unmap
//! memory meanwhile, the read fails with an error; through a pointer it would crash.

use crate::text::maps::range;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{self, Read as _};
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// A part of the address space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    pub(super) start: usize,
    pub(super) end: usize,
    /// What may be done with it, and whether it is shared: as in `rwxp`.
    access: [u8; 4],
    /// Which part of the file it shows first.
    pub(super) offset: usize,
    /// The file that it shows, or the system's word for it, such as `[heap]`; empty for
    /// memory of its own.
    pub(super) name: String,
}

impl Mapping {
    pub(super) fn contains(&self, address: usize) -> bool {
        (self.start..self.end).contains(&address)
    }

    pub(super) fn is_readable(&self) -> bool {
        self.access[0] == b'r'
    }

    pub(super) fn is_writable(&self) -> bool {
        self.access[1] == b'w'
    }

    pub(super) fn is_code(&self) -> bool {
        self.access[2] == b'x'
    }

    /// With other processes, or other mappings of the same.
    pub(super) fn is_shared(&self) -> bool {
        self.access[3] == b's'
    }

    /// Readable and writable, and not shared.
    pub(super) fn is_data(&self) -> bool {
        self.is_readable() && self.is_writable() && !self.is_shared()
    }
}

#[cfg(test)]
impl Mapping {
    /// One for tests.
    pub(super) fn of((start, end): (usize, usize), access: [u8; 4], name: &str) -> Self {
        Self {
            start,
            end,
            access,
            offset: 0,
            name: name.to_owned(),
        }
    }
}

/// All of them, by address.
pub(super) fn mappings() -> io::Result<Vec<Mapping>> {
    let text = fs::read_to_string("/proc/self/maps")?;
    Ok(text.lines().filter_map(mapping).collect())
}

/// `start-end rwxp offset device inode name`.
fn mapping(line: &str) -> Option<Mapping> {
    let (start, end, rest) = range(line)?;
    let name = rest.splitn(5, ' ').nth(4).unwrap_or_default().trim_start();
    let offset = rest.split(' ').nth(1)?;
    Some(Mapping {
        start,
        end,
        access: *rest.as_bytes().first_chunk()?,
        offset: usize::from_str_radix(offset, 16).ok()?,
        name: name.to_owned(),
    })
}

/// Where the mapping that starts at `start` ends now. Allocates nothing, as long as the
/// buffer is large enough.
pub(super) fn end_of_mapping(buffer: &mut String, start: usize) -> Option<usize> {
    buffer.clear();
    File::open("/proc/self/maps")
        .ok()?
        .read_to_string(buffer)
        .ok()?;
    let mut ranges = buffer.lines().filter_map(range);
    let (_, end, _) = ranges.find(|(from, ..)| *from == start)?;
    Some(end)
}

pub(super) const PAGE: usize = 4096;

/// The memory of this process.
pub(super) struct Memory {
    words: File,
    /// What the system knows of each page, if it says so.
    pages: Option<File>,
}

impl Memory {
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self {
            words: File::open("/proc/self/mem")?,
            pages: File::open("/proc/self/pagemap").ok(),
        })
    }

    /// Fills the buffer from `address` on, as far as there is memory, and says how far
    /// that is.
    pub(super) fn read(&self, address: usize, buffer: &mut [u8]) -> usize {
        let mut filled = 0;
        while filled < buffer.len() {
            match self
                .words
                .read_at(&mut buffer[filled..], (address + filled) as u64)
            {
                Ok(0) => break,
                Ok(more) => filled += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        filled
    }
}

impl Memory {
    /// The parts of a range whose pages were ever touched, by address; all of it, where
    /// the system does not say. What was reserved and never used is not to be read: that
    /// takes time, and may be larger than the machine's memory.
    pub(super) fn used(&self, start: usize, end: usize) -> Vec<(usize, usize)> {
        /// In the word for each page, whether it is in memory or swapped out.
        const USED: u64 = 3 << 62;
        const PAGES_AT_A_TIME: usize = 1 << 14;
        let mut words = vec![0; PAGES_AT_A_TIME * 8];
        let mut used: Vec<(usize, usize)> = Vec::new();
        let mut page = start / PAGE * PAGE;
        while page < end {
            let pages = (end - page).div_ceil(PAGE).min(PAGES_AT_A_TIME);
            let words = &mut words[..pages * 8];
            let offset = (page / PAGE * 8) as u64;
            let is_known = self
                .pages
                .as_ref()
                .is_some_and(|file| file.read_exact_at(words, offset).is_ok());
            for word in words.chunks_exact(8) {
                let is_used = word.try_into().map_or(0, u64::from_ne_bytes) & USED != 0;
                if is_used || !is_known {
                    let part = (page.max(start), (page + PAGE).min(end));
                    match used.last_mut() {
                        Some(last) if last.1 == part.0 => last.1 = part.1,
                        _ => used.push(part),
                    }
                }
                page += PAGE;
            }
        }
        used
    }
}

/// What memory is read into. It is wiped before it is freed: whoever gets the memory next
/// may not write all of it, and the addresses in it would be found there.
pub(super) struct Buffer(Vec<u8>);

impl Buffer {
    pub(super) fn new(length: usize) -> Self {
        Self(vec![0; length])
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.0.fill(0);
        // Or else nobody would see a difference, as far as the compiler knows.
        black_box(&mut self.0);
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

/// A thread of this process that waits in the system.
pub(super) struct Waiting {
    pub(super) name: String,
    /// Where its stack is now.
    pub(super) stack_pointer: usize,
    task: PathBuf,
}

impl Waiting {
    /// Whether it waits at the same place. If not, what was read of it in between may be old.
    pub(super) fn still_waits(&self) -> bool {
        stack_pointer(&self.task) == Some(self.stack_pointer)
    }
}

/// The threads that wait, and how many others run, this one not counted. One that was
/// woken up for a moment is given the time to wait again.
pub(super) fn threads() -> io::Result<(Vec<Waiting>, usize)> {
    const LONGEST: Duration = Duration::from_millis(50);
    let started = Instant::now();
    let own = fs::read_link("/proc/thread-self")?;
    let mut running = Vec::new();
    for entry in fs::read_dir("/proc/self/task")? {
        running.push(entry?.path());
    }
    running.retain(|task| task.file_name() != own.file_name());
    let mut waiting = Vec::new();
    loop {
        running.retain(|task| match stack_pointer(task) {
            Some(stack_pointer) => {
                let name = fs::read_to_string(task.join("comm")).unwrap_or_default();
                waiting.push(Waiting {
                    name: name.trim_end().to_owned(),
                    stack_pointer,
                    task: task.clone(),
                });
                false
            }
            None => task.exists(),
        });
        if running.is_empty() || started.elapsed() > LONGEST {
            return Ok((waiting, running.len()));
        }
        thread::yield_now();
    }
}

/// This thread's number.
pub(super) fn own_thread() -> Option<u32> {
    let own = fs::read_link("/proc/thread-self").ok()?;
    own.file_name()?.to_str()?.parse().ok()
}

/// The last but one of the words that tell what a thread waits for.
fn stack_pointer(task: &Path) -> Option<usize> {
    let text = fs::read_to_string(task.join("syscall")).ok()?;
    let word = text.split_whitespace().rev().nth(1)?;
    let address = usize::from_str_radix(word.strip_prefix("0x")?, 16).ok()?;
    (address > 0).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_system_are_read() {
        let line =
            "7f1c5c000000-7f1c5c021000 rw-p 00000000 00:00 0                          [heap of it]";
        let expected = Mapping {
            start: 0x7f1c_5c00_0000,
            end: 0x7f1c_5c02_1000,
            access: *b"rw-p",
            offset: 0,
            name: "[heap of it]".to_owned(),
        };
        assert_eq!(mapping(line), Some(expected));
        let code = mapping("00400000-00452000 r-xp 00001000 08:02 173521 /usr/bin/with blanks");
        let code = code.expect("a mapping");
        assert!(!code.is_data() && code.is_code());
        assert_eq!(code.offset, 0x1000);
        assert_eq!(code.name, "/usr/bin/with blanks");
        assert_eq!(
            mapping("7f1c5c000000-7f1c5c021000 rw-p 00000000 00:00 0")
                .unwrap()
                .name,
            ""
        );
    }

    #[test]
    fn memory_is_read_as_far_as_there_is_some() {
        let value = [7_u8; 64];
        let memory = Memory::open().expect("this is Linux");
        let mut buffer = [0; 64];
        assert_eq!(memory.read((&raw const value) as usize, &mut buffer), 64);
        assert_eq!(buffer, value);
        assert_eq!(memory.read(64, &mut buffer), 0, "nothing is mapped there");
    }

    #[test]
    fn pages_that_nobody_touched_are_not_used() {
        // Nobody has that much memory; it is a promise of the system's.
        let mut large = Vec::<u8>::with_capacity(1 << 30);
        large.resize(3 * PAGE, 1);
        let start = large.as_ptr() as usize;
        let memory = Memory::open().expect("this is Linux");
        let used = memory.used(start, start + large.capacity());
        assert_eq!(used.first().map(|part| part.0), Some(start));
        let sum: usize = used.iter().map(|(from, to)| to - from).sum();
        assert!((3 * PAGE..=8 << 20).contains(&sum), "{sum}");
    }
}
