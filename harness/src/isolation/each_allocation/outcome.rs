//! What a child says of the work, as a value and as the bytes that go through the pipe.

use crate::alloc::{self, Live, Trace};

/// How the work ended in a child that came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It returned, with so much live after all was dropped. What that is, as far as it is known:
    /// a child is asked for it only when it is known that another one leaks.
    Returned {
        bytes: u64,
        blocks: u64,
        lost: Vec<Lost>,
    },
    /// It panicked with this text, or the set-up or a drop did.
    Panicked(String),
    /// The check failed with this text.
    Broken(String),
}

/// What is live of one call stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lost {
    pub(super) bytes: u64,
    pub(super) blocks: u64,
    /// Return addresses, innermost first.
    pub(super) frames: Vec<usize>,
}

/// What is live of each call stack of a trace.
pub(super) struct Levels(Vec<Live>);

impl Levels {
    pub(super) fn of(trace: &Trace) -> Self {
        Self(
            (0..trace.count())
                .map(|number| trace.live(number))
                .collect(),
        )
    }

    /// What is live that was not then.
    pub(super) fn lost_since(&self, trace: &Trace) -> Vec<Lost> {
        let lost = (0..trace.count()).filter_map(|number| {
            let (now, before) = (trace.live(number), self.0.get(number).copied());
            let before = before.unwrap_or_default();
            let blocks = u64::try_from(now.blocks - before.blocks).ok()?;
            (blocks > 0).then(|| Lost {
                bytes: u64::try_from(now.bytes - before.bytes).unwrap_or(0),
                blocks,
                frames: trace.read(number).frames,
            })
        });
        lost.collect()
    }
}

/// So much of a text is passed on, which fits a pipe at once.
const TEXT_BYTES: usize = 2_048;

// Not needed where processes are not forked.
#[allow(dead_code)]
impl Said {
    pub(super) fn bytes(&self) -> Vec<u8> {
        let with = |kind: u8, rest: &[u8]| [&[kind], rest].concat();
        match self {
            Self::Returned {
                bytes,
                blocks,
                lost,
            } => {
                let mut words = vec![*bytes, *blocks];
                for lost in lost {
                    words.extend([lost.bytes, lost.blocks, lost.frames.len() as u64]);
                    words.extend(lost.frames.iter().map(|frame| *frame as u64));
                }
                let words: Vec<_> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
                with(0, &words)
            }
            Self::Panicked(text) => with(1, alloc::cut(text, TEXT_BYTES).as_bytes()),
            Self::Broken(text) => with(2, alloc::cut(text, TEXT_BYTES).as_bytes()),
        }
    }

    /// None if it is not whole: the child did not come to its end.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        let text = || String::from_utf8_lossy(rest).into_owned();
        match kind {
            0 => {
                let mut words = rest.chunks_exact(8).map(|word| {
                    let word = word.try_into().unwrap_or_default();
                    u64::from_le_bytes(word)
                });
                let (bytes, blocks) = (words.next()?, words.next()?);
                let mut lost = Vec::new();
                while let (Some(bytes), Some(blocks), Some(depth)) =
                    (words.next(), words.next(), words.next())
                {
                    let frames = words.by_ref().take(usize::try_from(depth).ok()?);
                    lost.push(Lost {
                        bytes,
                        blocks,
                        frames: frames.filter_map(|frame| frame.try_into().ok()).collect(),
                    });
                }
                Some(Self::Returned {
                    bytes,
                    blocks,
                    lost,
                })
            }
            1 => Some(Self::Panicked(text())),
            2 => Some(Self::Broken(text())),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Lost, Said};

    fn lost(frames: &[usize]) -> Lost {
        Lost {
            bytes: 1,
            blocks: 1,
            frames: frames.to_vec(),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let all = [
            Said::Returned {
                bytes: 1 << 40,
                blocks: 7,
                lost: Vec::new(),
            },
            Said::Returned {
                bytes: 3,
                blocks: 2,
                lost: vec![lost(&[1, 2, 3]), lost(&[])],
            },
            Said::Panicked("one\ntwo: ü".to_owned()),
            Said::Broken(String::new()),
        ];
        for said in all {
            assert_eq!(Said::read(&said.bytes()), Some(said));
        }
        assert_eq!(Said::read(&[]), None);
        assert_eq!(Said::read(&[0, 1, 2]), None);
    }
}
