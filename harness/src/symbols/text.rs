//! How a call stack is printed.

use super::{Frame, Names};
use std::fmt;

/// So many frames of a call stack are printed, the innermost.
const FRAMES: usize = 6;

/// The names of a call stack, with which it was reached; why there are none, if there are
/// none.
// Not needed where tests are not given processes of their own.
#[allow(dead_code)]
pub(crate) fn stack_text(addresses: &[usize]) -> String {
    if cfg!(not(highwater_stacks)) {
        return "      its call stack is not known: names need Linux on x86-64 and the feature \
                `diagnosis`\n"
            .to_owned();
    }
    let frames = Names::new().stack(addresses).frames;
    Stack(&frames).to_string()
}

/// A call stack, a line for each frame.
pub(crate) struct Stack<'a>(pub(crate) &'a [Frame]);

impl fmt::Display for Stack<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let frames = self.0;
        if frames.is_empty() {
            writeln!(f, "      its call stack is not known")?;
        }
        for frame in frames.iter().take(FRAMES) {
            write!(f, "      {}", frame.function)?;
            if let (Some(file), Some(line)) = (&frame.file, frame.line) {
                write!(f, "  {file}:{line}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
