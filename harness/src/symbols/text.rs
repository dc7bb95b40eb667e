//! How a call stack is printed.

use super::{Frame, Names};
use std::fmt;

/// So many lines of a call stack are printed, those of the innermost frames.
const LINES: usize = 6;

/// The names of a call stack, with which it was reached; why there are none, if there are
/// none.
// Not needed where tests are not given processes of their own.
#[allow(dead_code)]
pub(crate) fn stack_text(addresses: &[usize]) -> String {
    if cfg!(not(highwater_stacks)) {
        return "      its call stack is not known: names need Linux or macOS on x86-64 or AArch64 and the feature \
                `diagnosis`\n"
            .to_owned();
    }
    let frames = Names::new().stack(addresses).frames;
    Stack(&frames).to_string()
}

/// A call stack, a line for each frame, or for a dependency's frames in a row. The first
/// frame of the program is always there.
pub(crate) struct Stack<'a>(pub(crate) &'a [Frame]);

impl<'a> Stack<'a> {
    /// Frames by the lines that they are printed on.
    fn lines(&self) -> Vec<&'a [Frame]> {
        // Without a frame of the program, the innermost is all that tells.
        let has_program = self.0.iter().any(|frame| !frame.is_dependency);
        let (first, rest) = self.0.split_at(usize::from(!has_program).min(self.0.len()));
        let is_one = |a: &Frame, b: &Frame| a.package().is_some() && a.package() == b.package();
        let first = first.chunks(1);
        first.chain(rest.chunk_by(is_one)).collect()
    }
}

impl fmt::Display for Stack<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.lines();
        if lines.is_empty() {
            writeln!(f, "      its call stack is not known")?;
        }
        let program = lines.iter().position(|line| !line[0].is_dependency);
        let deep = program.filter(|line| *line >= LINES);
        let whole = if deep.is_some() { LINES - 1 } else { LINES };
        for line in lines.iter().take(whole) {
            write_line(f, line)?;
        }
        if let Some(deep) = deep {
            let between: usize = lines[whole..deep].iter().map(|line| line.len()).sum();
            let noun = if between == 1 { "frame" } else { "frames" };
            if between > 0 {
                writeln!(f, "      … {between} {noun} of other libraries")?;
            }
            write_line(f, lines[deep])?;
        }
        Ok(())
    }
}

fn write_line(f: &mut fmt::Formatter<'_>, frames: &[Frame]) -> fmt::Result {
    let frame = &frames[0];
    if let (Some(package), 2..) = (frame.package(), frames.len()) {
        return writeln!(f, "      via {package} ({} frames)", frames.len());
    }
    write!(f, "      {}", frame.function)?;
    if let (Some(file), Some(line)) = (&frame.file, frame.line) {
        write!(f, "  {file}:{line}")?;
    }
    writeln!(f)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(files: &[&str]) -> Vec<Frame> {
        let frame = |file: &&str| Frame {
            function: "a::b".to_owned(),
            file: Some((*file).to_owned()),
            line: Some(7),
            is_dependency: !file.starts_with("src/"),
        };
        files.iter().map(frame).collect()
    }

    #[track_caller]
    fn check(files: &[&str], expected: &[&str]) {
        let text = Stack(&frames(files)).to_string();
        let lines: Vec<_> = text.lines().map(str::trim_start).collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn frames_of_a_dependency_are_one_line() {
        let hyper = "hyper-1.0.0/src/a.rs";
        let files = ["bytes-1.2.0/src/b.rs", hyper, hyper, hyper, "src/main.rs"];
        let expected = [
            "a::b  bytes-1.2.0/src/b.rs:7",
            "via hyper (3 frames)",
            "a::b  src/main.rs:7",
        ];
        check(&files, &expected);
        let own = ["src/a.rs", "src/a.rs"];
        check(&own, &["a::b  src/a.rs:7", "a::b  src/a.rs:7"]);
        check(&[], &["its call stack is not known"]);
    }

    #[test]
    fn without_the_program_the_innermost_frame_stays() {
        let mio = "mio-1.0.0/src/poll.rs";
        let expected = ["a::b  mio-1.0.0/src/poll.rs:7", "via mio (2 frames)"];
        check(&[mio, mio, mio], &expected);
    }

    #[test]
    fn the_first_frame_of_the_program_is_always_there() {
        let (a, b) = ("a-1.0.0/src/a.rs", "b-1.0.0/src/b.rs");
        let files = [a, b, a, b, a, b, b, a, "src/main.rs", "src/main.rs"];
        let [line_a, line_b] = [format!("a::b  {a}:7"), format!("a::b  {b}:7")];
        let expected = [
            &*line_a,
            &line_b,
            &line_a,
            &line_b,
            &line_a,
            "… 3 frames of other libraries",
            "a::b  src/main.rs:7",
        ];
        check(&files, &expected);
    }
}
