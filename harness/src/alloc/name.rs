//! A scope's name, kept so that no lock is needed to read it.

use super::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// A scope's name as its record keeps it. It changes only when the record is used
/// again, so who refers to the scope reads it whole.
pub(super) struct KeptName {
    words: [AtomicU64; NAME_WORDS],
    len: AtomicUsize,
}

const NAME_WORDS: usize = 8;

/// A copy of a scope's name, cut to what fits, so that naming allocates nothing.
#[derive(Clone, Copy)]
pub(super) struct Name {
    words: [[u8; 8]; NAME_WORDS],
    len: usize,
}

/// The most bytes of a name that are kept.
const NAME_BYTES: usize = 60;

/// As many whole characters of `text` as `most` bytes have room for.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    // `str::floor_char_boundary` is newer than the oldest compiler we support.
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

impl Name {
    pub(super) fn text(&self) -> &[u8] {
        &self.words.as_flattened()[..self.len]
    }

    pub(super) fn cut(name: &str) -> Self {
        let name = cut(name, NAME_BYTES).as_bytes();
        let mut words = [[0; 8]; NAME_WORDS];
        words.as_flattened_mut()[..name.len()].copy_from_slice(name);
        Self {
            words,
            len: name.len(),
        }
    }
}

impl KeptName {
    pub(super) const fn new() -> Self {
        Self {
            words: [const { AtomicU64::new(0) }; NAME_WORDS],
            len: AtomicUsize::new(0),
        }
    }

    pub(super) fn store(&self, name: &Name) {
        for (kept, word) in self.words.iter().zip(&name.words) {
            kept.store(u64::from_ne_bytes(*word), Relaxed);
        }
        self.len.store(name.len, Relaxed);
    }

    pub(super) fn load(&self) -> Name {
        Name {
            words: self
                .words
                .each_ref()
                .map(|word| word.load(Relaxed).to_ne_bytes()),
            len: self.len.load(Relaxed),
        }
    }
}
