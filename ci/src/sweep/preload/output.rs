//! Words and numbers in a file, written without allocating.

use crate::process;
use crate::system::*;
use std::ffi::{CStr, c_int};

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
        // SAFETY: the path ends with a zero.
        let file = unsafe {
            open(
                process::path(),
                O_WRONLY_CREAT_TRUNC_CLOEXEC,
                0o600 as c_int,
            )
        };
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
