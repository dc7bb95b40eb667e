//! Passes on what a command prints, and counts the lines that are steps of its work.

use regex::bytes::Regex;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

/// Of a longer line, so much is looked at.
const LONGEST: u64 = 64 * 1_024;

/// How long what is left in the pipes of an ended command may take.
const REST: Duration = Duration::from_secs(1);

/// The output of a command, on its way.
pub(super) struct Passed {
    steps: Arc<AtomicU64>,
    open: Receiver<()>,
}

impl Passed {
    /// Passes on both outputs of a command, which are piped.
    pub(super) fn of(child: &mut Child, regex: &Regex) -> Self {
        let (send, open) = mpsc::channel();
        let passed = Self {
            steps: Arc::default(),
            open,
        };
        if let Some(output) = child.stdout.take() {
            passed.pass(output, io::stdout(), regex, &send);
        }
        if let Some(output) = child.stderr.take() {
            passed.pass(output, io::stderr(), regex, &send);
        }
        passed
    }

    fn pass(
        &self,
        from: impl Read + Send + 'static,
        mut to: impl Write + Send + 'static,
        regex: &Regex,
        open: &Sender<()>,
    ) {
        let (steps, regex, open) = (Arc::clone(&self.steps), regex.clone(), open.clone());
        thread::spawn(move || {
            // If nobody reads it any more, the command is told so by its pipe.
            let _ = copy(from, &mut to, &regex, &steps);
            drop(open);
        });
    }

    /// How many lines were steps so far.
    pub(super) fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    /// Waits until all that an ended command printed is passed on. What it started may keep its
    /// output open, so not for ever.
    pub(super) fn finish(&self) {
        // Nothing is sent: it ends when both threads have.
        let _ = self.open.recv_timeout(REST);
    }
}

/// Copies lines, and counts those that match.
fn copy(from: impl Read, to: &mut impl Write, regex: &Regex, steps: &AtomicU64) -> io::Result<()> {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    let mut is_start = true;
    loop {
        line.clear();
        if from.by_ref().take(LONGEST).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let is_step = is_start && regex.is_match(text);
        is_start = line.ends_with(b"\n");
        to.write_all(&line)?;
        to.flush()?;
        // After it was passed on: who read the line finds it counted soon, and never before.
        steps.fetch_add(u64::from(is_step), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, copy};
    use regex::bytes::Regex;
    use std::sync::atomic::AtomicU64;

    #[test]
    fn all_is_passed_on_and_each_line_counts_once() {
        let long = "candle ".repeat(3 * usize::try_from(LONGEST).expect("it is small") / 7);
        let text = format!("candle 1\nother\r\n\ncandle 2\r\n{long}\nlast candle");
        let bytes = [text.as_bytes(), &[0xff, b'\n', b'c']].concat();
        let (mut passed, steps) = (Vec::new(), AtomicU64::new(0));
        let regex = Regex::new("candle( 2)?(-|\u{fffd}|$| )").expect("it is one");
        copy(bytes.as_slice(), &mut passed, &regex, &steps).expect("it is memory");
        assert_eq!(passed, bytes);
        assert_eq!(steps.into_inner(), 3);
    }
}
