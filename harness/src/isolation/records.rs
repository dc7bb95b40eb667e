//! What a child reports to its parent through the pipe between them, and what the parent
//! tells the second child about the first.
//!
//! A record is one byte for its kind, four for its length, and that many bytes. A child
//! may be killed in the middle of a record; an incomplete record is ignored.

use super::Wanted;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// The body is about to run.
    Started,
    /// A scenario is to be run again with call stacks.
    Wanted(Wanted),
    /// The child ends now, to be run again with call stacks.
    Restart,
    /// The body returned.
    Finished,
    /// The body panicked with this text.
    Panicked(String),
}

// Not needed where there are no children.
#[allow(dead_code)]
impl Record {
    /// The record as bytes.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let (kind, content) = match self {
            Self::Started => (0, Vec::new()),
            Self::Wanted(wanted) => (1, wanted_bytes(wanted)),
            Self::Restart => (2, Vec::new()),
            Self::Finished => (3, Vec::new()),
            Self::Panicked(text) => (4, text.clone().into_bytes()),
        };
        let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
        let mut bytes = vec![kind];
        bytes.extend(length.to_le_bytes());
        bytes.extend(content);
        bytes
    }

    /// The records at the start of `bytes`, and how many bytes they took.
    pub(super) fn all(bytes: &[u8]) -> (Vec<Self>, usize) {
        let mut records = Vec::new();
        let mut rest = bytes;
        while let Some((record, after)) = Self::first(rest) {
            records.extend(record);
            rest = after;
        }
        (records, bytes.len() - rest.len())
    }

    /// The first record, if it is one that there is, and what follows it. None if it is
    /// not whole.
    fn first(bytes: &[u8]) -> Option<(Option<Self>, &[u8])> {
        let (kind, rest) = bytes.split_first()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (content, rest) = rest.split_at_checked(length)?;
        let record = match kind {
            0 => Some(Self::Started),
            1 => wanted_from(content).map(Self::Wanted),
            2 => Some(Self::Restart),
            3 => Some(Self::Finished),
            4 => Some(Self::Panicked(
                String::from_utf8_lossy(content).into_owned(),
            )),
            _ => None,
        };
        Some((record, rest))
    }
}

fn wanted_bytes(wanted: &Wanted) -> Vec<u8> {
    let mut bytes = (wanted.ordinal as u64).to_le_bytes().to_vec();
    bytes.extend(wanted.peak_bytes.to_le_bytes());
    bytes.push(u8::from(wanted.failed));
    bytes.extend(wanted.name.as_bytes());
    bytes
}

fn wanted_from(bytes: &[u8]) -> Option<Wanted> {
    let (ordinal, rest) = bytes.split_first_chunk::<8>()?;
    let (peak_bytes, rest) = rest.split_first_chunk::<8>()?;
    let (failed, name) = rest.split_first()?;
    Some(Wanted {
        ordinal: usize::try_from(u64::from_le_bytes(*ordinal)).ok()?,
        name: String::from_utf8_lossy(name).into_owned(),
        failed: *failed == 1,
        peak_bytes: u64::from_le_bytes(*peak_bytes),
    })
}

#[cfg(test)]
mod tests {
    use super::{Record, Wanted};

    #[test]
    fn what_is_written_is_read_and_what_is_not_whole_is_not_there() {
        let records = [
            Record::Started,
            Record::Wanted(Wanted {
                ordinal: 7,
                name: "prices\n::ü".to_owned(),
                failed: true,
                peak_bytes: 1 << 40,
            }),
            Record::Restart,
            Record::Finished,
            Record::Panicked("one\ntwo".to_owned()),
        ];
        let bytes: Vec<_> = records.iter().flat_map(Record::bytes).collect();
        let mut most = 0;
        for cut in 0..=bytes.len() {
            let (read, used) = Record::all(&bytes[..cut]);
            assert_eq!(read, records[..read.len()]);
            assert!(used <= cut && read.len() >= most);
            most = read.len();
        }
        assert_eq!(most, records.len());
    }
}
