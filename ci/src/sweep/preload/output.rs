//! Words and numbers in a file, written without allocating: in that for the figures, or standard
//! error.

use crate::system::*;
use std::ffi::{CStr, c_char, c_int};
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};

/// The process that was started with this library. Its forked children are not it.
static PROCESS: AtomicI32 = AtomicI32::new(0);
/// The file for the figures, ended by a zero; empty if its path is too long.
static mut PATH: [u8; PAGE] = [0; PAGE];

/// Has the figures of this process written to the file at `path`.
///
/// # Safety
/// `path` ends with a zero, and no other thread uses this module.
pub(crate) unsafe fn watch(path: *const c_char) {
    // SAFETY: by the contract the path is read within its bounds, and `PATH` is ours. It keeps
    // its last zero.
    unsafe {
        let length = strlen(path);
        if length < PAGE {
            ptr::copy_nonoverlapping(path.cast::<u8>(), (&raw mut PATH).cast::<u8>(), length);
        }
        PROCESS.store(getpid(), Relaxed);
    }
}

/// Whether this is the process that is watched.
pub(crate) fn is_watched() -> bool {
    // SAFETY: it takes nothing.
    PROCESS.load(Relaxed) == unsafe { getpid() }
}

/// Ends the watch; whether this is the process that was watched.
pub(crate) fn stop_watching() -> bool {
    // SAFETY: it takes nothing.
    PROCESS.swap(0, Relaxed) == unsafe { getpid() }
}

/// The most digits of a number.
const DIGITS: usize = 20;
/// Standard error.
const ERRORS: c_int = 2;

/// A file that is open. What is in the buffer is written when this is dropped.
pub(crate) struct Output {
    file: c_int,
    buffer: [u8; 512],
    used: usize,
}

impl Output {
    /// The file for the figures; none if it can't be opened.
    pub(crate) fn of_figures() -> Option<Self> {
        let path = (&raw const PATH).cast();
        // SAFETY: the path ends with a zero. `watch` wrote it, before anything counted.
        let file = unsafe { open(path, O_WRONLY_CREAT_TRUNC_CLOEXEC, 0o600 as c_int) };
        (file >= 0).then_some(Self::to(file))
    }

    /// Standard error.
    pub(crate) fn of_errors() -> Self {
        Self::to(ERRORS)
    }

    fn to(file: c_int) -> Self {
        Self {
            file,
            buffer: [0; 512],
            used: 0,
        }
    }

    /// Adds bytes as they are.
    pub(crate) fn text(&mut self, text: &[u8]) {
        for byte in text {
            if self.used == self.buffer.len() {
                self.flush();
            }
            self.buffer[self.used] = *byte;
            self.used += 1;
        }
    }

    /// Adds a word and a space.
    pub(crate) fn word(&mut self, word: &[u8]) {
        self.text(word);
        self.text(b" ");
    }

    /// Adds a word of C's and a space.
    pub(crate) fn c_word(&mut self, word: &CStr) {
        self.word(word.to_bytes());
    }

    /// Adds a decimal number and a space.
    pub(crate) fn number(&mut self, number: usize) {
        // From the last digit to the first.
        let mut digits = [0; DIGITS];
        let mut start = DIGITS;
        let mut rest = number;
        loop {
            start -= 1;
            digits[start] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.word(&digits[start..]);
    }

    /// What the file does not take is lost; nobody could be told.
    fn flush(&mut self) {
        // SAFETY: the buffer has as many bytes.
        unsafe { write(self.file, self.buffer.as_ptr().cast(), self.used) };
        self.used = 0;
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.flush();
        if self.file != ERRORS {
            // SAFETY: it was opened here, and nobody else has it.
            unsafe { close(self.file) };
        }
    }
}
