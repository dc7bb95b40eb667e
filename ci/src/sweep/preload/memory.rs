//! The memory of this process, as the system tells of it: what is mapped where, and what is in it.
//!
//! Contents are read through `/proc/self/mem`, because a program may have made any of its memory
//! unreadable, or cut the file behind it: such a read fails, where one through a pointer would
//! crash.

use crate::system::*;
use std::ffi::{CStr, c_int, c_void};
use std::ops::{Deref, DerefMut};
use std::{ptr, slice};

/// How many words are read at a time.
const WORDS: usize = 8_192;
const WORD: usize = size_of::<usize>();
/// How many pages the system is asked about at a time.
const PAGES: usize = 512;
/// Of a larger range, pages that nobody has touched are not read.
const LARGE: usize = 1 << 20;
/// What the system says of a page that has been touched: it is in memory, or swapped out.
const TOUCHED: usize = 3 << 62;
/// What is kept of a line that tells of a mapping; only the names of files are longer.
const LINE: usize = 128;

/// New memory of this library, of zeros; none if the system has none.
pub(crate) fn map(bytes: usize) -> Option<*mut c_void> {
    let flags = MAP_PRIVATE_ANONYMOUS_NORESERVE;
    // SAFETY: it takes any length, and replaces nothing that is mapped.
    let mapped = unsafe { mmap(ptr::null_mut(), bytes, PROT_READ_WRITE, flags, -1, 0) };
    (mapped.addr() != usize::MAX).then_some(mapped)
}

/// Gives memory back.
///
/// # Safety
/// [`map`] gave so many bytes, and nobody uses them any more.
pub(crate) unsafe fn unmap(mapped: *mut c_void, bytes: usize) {
    // SAFETY: the same contract.
    unsafe { munmap(mapped, bytes) };
}

/// New memory of this library for an array, which is given back when this is dropped.
pub(crate) struct Room<T> {
    start: *mut T,
    count: usize,
}

impl<T> Room<T> {
    /// An array of zeros; none if the system has no memory.
    ///
    /// # Safety
    /// Zeros are a value of the type.
    pub(crate) unsafe fn of_zeros(count: usize) -> Option<Self> {
        let start = map(count.max(1).checked_mul(size_of::<T>())?)?.cast();
        Some(Self { start, count })
    }

    /// Where it starts, and where its last page ends.
    pub(crate) fn range(&self) -> (usize, usize) {
        let start = self.start.addr();
        let end = start + self.count * size_of::<T>();
        (start, end.next_multiple_of(PAGE))
    }
}

impl<T> Deref for Room<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: so many values were mapped, of zeros, and they are this value's.
        unsafe { slice::from_raw_parts(self.start, self.count) }
    }
}

impl<T> DerefMut for Room<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as for `deref`.
        unsafe { slice::from_raw_parts_mut(self.start, self.count) }
    }
}

impl<T> Drop for Room<T> {
    fn drop(&mut self) {
        // SAFETY: `of_zeros` mapped so much, and this was its only owner.
        unsafe { unmap(self.start.cast(), self.count.max(1) * size_of::<T>()) };
    }
}

/// A file that is open, and closed when this is dropped.
struct File(c_int);

impl File {
    fn open(path: &CStr) -> Option<Self> {
        // SAFETY: the path ends with a zero.
        let file = unsafe { open(path.as_ptr(), O_RDONLY_CLOEXEC) };
        (file >= 0).then_some(Self(file))
    }

    /// Fills the words from `offset` on, as far as there is something; how many whole ones.
    fn read_words(&self, words: &mut [usize], offset: usize) -> usize {
        let length = size_of_val(words);
        let mut filled = 0;
        while filled < length {
            // SAFETY: `filled` is below the length of the words, in bytes.
            let more = unsafe {
                let rest = words.as_mut_ptr().cast::<u8>().add(filled);
                pread(
                    self.0,
                    rest.cast(),
                    length - filled,
                    (offset + filled) as i64,
                )
            };
            match usize::try_from(more) {
                Ok(more @ 1..) => filled += more,
                _ => break,
            }
        }
        filled / WORD
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // SAFETY: it was opened here, and nobody else has it.
        unsafe { close(self.0) };
    }
}

/// What is in this process's memory, and the room for reading it.
pub(crate) struct Memory {
    contents: File,
    /// What is known of each page; none if the system does not say.
    pages: Option<File>,
    words: Room<usize>,
    of_pages: Room<usize>,
    /// Where the words were read last, and how many, for [`Self::word`].
    window: usize,
    read: usize,
}

impl Memory {
    /// None if this process may not read it so, or there is no memory for the room.
    pub(crate) fn open() -> Option<Self> {
        // SAFETY: any bits are a number.
        let [words, of_pages] = unsafe { [Room::of_zeros(WORDS)?, Room::of_zeros(PAGES)?] };
        let mut memory = Self {
            contents: File::open(c"/proc/self/mem")?,
            pages: File::open(c"/proc/self/pagemap"),
            words,
            of_pages,
            window: 0,
            read: 0,
        };
        let known = WORD;
        (memory.word((&raw const known).addr()) == Some(known)).then_some(memory)
    }

    /// Where the room for reading is.
    pub(crate) fn rooms(&self) -> [(usize, usize); 2] {
        [self.words.range(), self.of_pages.range()]
    }

    /// The word at an aligned address. Cheap for addresses that are near to each other.
    pub(crate) fn word(&mut self, address: usize) -> Option<usize> {
        let index = |window: usize| address.checked_sub(window).map(|offset| offset / WORD);
        if index(self.window).is_none_or(|index| index >= self.read) {
            // A quarter of the room, from the start of the page.
            let words = self.words.get_mut(..WORDS / 4)?;
            self.window = address / PAGE * PAGE;
            self.read = self.contents.read_words(words, self.window);
        }
        let read = self.words.get(..self.read)?;
        read.get(index(self.window)?).copied()
    }

    /// Calls `visit` for each aligned word between these addresses that can be read.
    pub(crate) fn each_word(&mut self, start: usize, end: usize, visit: &mut impl FnMut(usize)) {
        if end.saturating_sub(start) < LARGE {
            return self.each_word_of(start, end, visit);
        }
        let mut page = start / PAGE * PAGE;
        while page < end {
            let asked = (end - page).div_ceil(PAGE).min(PAGES);
            let words = self.of_pages.get_mut(..asked).unwrap_or_default();
            let offset = page / PAGE * WORD;
            let pages = self.pages.as_ref();
            let told = pages.map_or(0, |file| file.read_words(words, offset));
            for at in 0..asked {
                let word = self.of_pages.get(at).filter(|_| at < told);
                if word.is_none_or(|word| word & TOUCHED != 0) {
                    let from = page.max(start);
                    self.each_word_of(from, (page + PAGE).min(end), visit);
                }
                page += PAGE;
            }
        }
    }

    fn each_word_of(&mut self, start: usize, end: usize, visit: &mut impl FnMut(usize)) {
        self.read = 0;
        let mut at = start.next_multiple_of(WORD);
        while at + WORD <= end {
            let most = ((end - at) / WORD).min(WORDS);
            let words = self.words.get_mut(..most).unwrap_or_default();
            let read = self.contents.read_words(words, at);
            words.iter().take(read).for_each(|word| visit(*word));
            at += read * WORD;
            if read < most {
                // This page can't be read.
                at = (at + 1).next_multiple_of(PAGE);
            }
        }
    }
}

/// What a mapping is of.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// Of nothing: memory of the program's own.
    Anonymous,
    File,
    /// That of glibc's heap for the main thread.
    Heap,
    /// The main thread's stack.
    Stack,
    /// The system's.
    System,
}

/// A part of the address space.
#[derive(Clone, Copy)]
pub(crate) struct Mapping {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) is_readable: bool,
    pub(crate) is_writable: bool,
    pub(crate) kind: Kind,
}

/// Calls `visit` for each mapping, by address; whether they could be read.
pub(crate) fn each_mapping(visit: &mut impl FnMut(Mapping)) -> bool {
    let Some(file) = File::open(c"/proc/self/maps") else {
        return false;
    };
    let mut buffer = [0_u8; 512];
    let mut line = [0_u8; LINE];
    let mut length = 0;
    loop {
        // SAFETY: the buffer is as long as is said.
        let read = unsafe { read(file.0, buffer.as_mut_ptr().cast(), buffer.len()) };
        let text = usize::try_from(read).ok();
        let text = match text.and_then(|read| buffer.get(..read)) {
            None => return false,
            Some([]) => return true,
            Some(text) => text,
        };
        for byte in text {
            if *byte == b'\n' {
                line.get(..length)
                    .and_then(mapping)
                    .into_iter()
                    .for_each(&mut *visit);
                length = 0;
            } else if let Some(place) = line.get_mut(length) {
                *place = *byte;
                length += 1;
            }
        }
    }
}

/// `start-end rwxp offset device inode name`, with spaces before the name.
fn mapping(line: &[u8]) -> Option<Mapping> {
    let mut words = line.splitn(6, |byte| *byte == b' ');
    let mut range = words.next()?.split(|byte| *byte == b'-');
    let access = words.next()?;
    let name = words.nth(3).unwrap_or_default().trim_ascii_start();
    let kind = match name {
        b"" => Kind::Anonymous,
        b"[heap]" => Kind::Heap,
        b"[stack]" => Kind::Stack,
        name if name.starts_with(b"[anon") => Kind::Anonymous,
        name if name.starts_with(b"[") => Kind::System,
        _ => Kind::File,
    };
    Some(Mapping {
        start: hexadecimal(range.next()?)?,
        end: hexadecimal(range.next()?)?,
        is_readable: access.first() == Some(&b'r'),
        is_writable: access.get(1) == Some(&b'w'),
        kind,
    })
}

fn hexadecimal(digits: &[u8]) -> Option<usize> {
    let digit = |digit: &u8| char::from(*digit).to_digit(16).map(|digit| digit as usize);
    digits.iter().try_fold(0_usize, |number, byte| {
        number.checked_mul(16)?.checked_add(digit(byte)?)
    })
}
