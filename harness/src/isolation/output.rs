//! What the body printed, cut out of all that its process printed.
//!
//! The test runner of the child prints lines of its own before and after the body. The child
//! prints a mark at both ends of the body, and only the text between the marks is relayed.

/// A byte that text hardly ever has.
const MARK: u8 = 0x1e;

/// What is printed before the body, or behind it.
pub(super) fn mark(end: End, token: &str) -> Vec<u8> {
    let word = match end {
        End::Start => "starts",
        End::Finish => "ends",
    };
    let mark = char::from(MARK);
    format!("{mark}highwater {token} {word}{mark}\n").into_bytes()
}

/// An end of the body.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    Start,
    Finish,
}

/// The output of a child, in its order.
#[derive(Debug)]
pub(super) struct Output {
    starts: Vec<u8>,
    ends: Vec<u8>,
    /// What the test runner printed before, and if there was no body all of it.
    before: Vec<u8>,
    body: Vec<u8>,
    /// How much of the body's was handed on already.
    handed_on: usize,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Before,
    Body,
    After,
}

impl Output {
    pub(super) fn new(token: &str) -> Self {
        Self {
            starts: mark(End::Start, token),
            ends: mark(End::Finish, token),
            before: Vec::new(),
            body: Vec::new(),
            handed_on: 0,
            stage: Stage::Before,
        }
    }

    /// More of it.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        match self.stage {
            Stage::Before => {
                self.before.extend_from_slice(bytes);
                if let Some(start) = find(&self.before, &self.starts) {
                    let rest = self.before.split_off(start + self.starts.len());
                    self.before.truncate(start);
                    self.stage = Stage::Body;
                    self.add(&rest);
                }
            }
            Stage::Body => {
                // The mark may have come in two parts.
                let seen = self.body.len().saturating_sub(self.ends.len());
                self.body.extend_from_slice(bytes);
                if let Some(end) = find(&self.body[seen..], &self.ends) {
                    self.body.truncate(seen + end);
                    self.stage = Stage::After;
                }
            }
            Stage::After => {}
        }
    }

    /// What of the body's was not handed on yet, but for what may be the start of a mark.
    pub(super) fn next(&mut self) -> String {
        let tail = &self.body[self.handed_on..];
        let may_be_mark = match self.stage {
            Stage::Body => tail.iter().position(|byte| *byte == MARK),
            Stage::Before | Stage::After => None,
        };
        let whole = &tail[..may_be_mark.unwrap_or(tail.len())];
        // A character may have come in two parts.
        let length = match std::str::from_utf8(whole) {
            Err(error) if error.error_len().is_none() && self.stage == Stage::Body => {
                error.valid_up_to()
            }
            _ => whole.len(),
        };
        let text = String::from_utf8_lossy(&whole[..length]).into_owned();
        self.handed_on += length;
        text
    }

    /// The rest of the body's: there is no more.
    pub(super) fn rest(&mut self) -> String {
        let text = String::from_utf8_lossy(&self.body[self.handed_on..]).into_owned();
        self.handed_on = self.body.len();
        text
    }

    /// All that the body printed.
    pub(super) fn body(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// What was printed before the body.
    pub(super) fn before(&self) -> String {
        String::from_utf8_lossy(&self.before).into_owned()
    }
}

fn find(all: &[u8], wanted: &[u8]) -> Option<usize> {
    let starts = all.iter().enumerate().filter(|(_, byte)| **byte == MARK);
    let mut offsets = starts.map(|(offset, _)| offset);
    offsets.find(|offset| all[*offset..].starts_with(wanted))
}

#[cfg(test)]
mod tests {
    use super::{End, Output, mark};

    #[test]
    fn only_the_body_is_left_however_it_comes() {
        let text = "one \u{1e} two: ü\nthree";
        let mut all = b"running 1 test\ntest x ... ".to_vec();
        all.extend(mark(End::Start, "7-0"));
        all.extend(text.as_bytes());
        all.extend(mark(End::Finish, "7-0"));
        all.extend(b"ok\n\ntest result: ok.");
        for size in 1..all.len() {
            let mut output = Output::new("7-0");
            let mut handed_on = String::new();
            for part in all.chunks(size) {
                output.add(part);
                handed_on += &output.next();
            }
            handed_on += &output.rest();
            assert_eq!(handed_on, text);
            assert_eq!(output.body(), text);
            assert_eq!(output.before(), "running 1 test\ntest x ... ");
        }
    }

    #[test]
    fn without_an_end_all_of_it_is_the_bodys() {
        let mut output = Output::new("7-0");
        output.add(&mark(End::Start, "7-0"));
        output.add(b"fatal \xff\x1e");
        output.add(&mark(End::Finish, "7-1"));
        assert_eq!(output.next(), "fatal \u{fffd}");
        let rest = output.rest();
        assert_eq!(rest, "\u{1e}\u{1e}highwater 7-1 ends\u{1e}\n");
    }
}
