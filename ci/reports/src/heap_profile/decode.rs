//! What is checked of a profile before it is decoded: that it is whole, and that it has no more
//! parts than a heap profile has. What is decoded takes more memory than the bytes that it is
//! from, by up to a fixed factor for each part.

use super::error::Problem;

/// How many parts a profile may have at most: samples, locations, functions and texts.
const MOST_PARTS: usize = 1_000_000;
/// What one of them may have at most, in bytes.
const MOST_OF_A_PART: usize = 1 << 20;

/// Goes through the fields of the outermost message.
pub(super) fn check(bytes: &[u8]) -> Result<(), Problem> {
    if bytes.starts_with(b"heap_v2/") || bytes.starts_with(b"heap profile:") {
        return Err(Problem::OtherFormat);
    }
    let mut rest = bytes;
    for _ in 0..MOST_PARTS {
        if rest.is_empty() {
            return Ok(());
        }
        let key = number(&mut rest)?;
        if key >> 3 == 0 {
            return Err(no_message());
        }
        let length = match key & 7 {
            0 => number(&mut rest).map(|_| 0)?,
            1 => 8,
            2 => usize::try_from(number(&mut rest)?).map_err(|_| no_message())?,
            5 => 4,
            _ => return Err(no_message()),
        };
        rest = rest.get(length..).ok_or(Problem::CutOff)?;
        if length > MOST_OF_A_PART {
            return Err(Problem::TooLargePart);
        }
    }
    Err(Problem::TooManyParts)
}

/// A number in as many bytes as it needs.
fn number(rest: &mut &[u8]) -> Result<u64, Problem> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first().ok_or(Problem::CutOff)?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(no_message())
}

fn no_message() -> Problem {
    Problem::NotPprof("its bytes are no message of protobuf".to_owned())
}
