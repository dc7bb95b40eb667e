//! The messages: failures by call stack, the most frequent first, on one screen.

use super::groups::{Group, Origin};
use super::unhandled::{Outcome, Tried, Unhandled};
use crate::isolation::failure::signal_text;
use crate::symbols::{Stack, stack_text};
use crate::text::fitted::{WIDTH, cut, wrapped};
use crate::text::{Blocks, Thousands, duration};
use std::mem::discriminant;

/// What fits a screen, with a line for what does not.
const LINES: usize = 22;
/// So many places are shown that something leaks from.
const ORIGINS: usize = 3;
/// So much is shown of what was said or printed.
const DETAIL: usize = 160;

/// The report of failures that were not handled.
pub(super) fn of(tried: &Tried, groups: &[Group<'_>]) -> String {
    let mut text = wrapped(&headline(tried), 0);
    for note in notes(tried) {
        text += &wrapped(&note, 2);
    }
    let mut lines = text.lines().count();
    let mut shown = 0;
    for group in groups {
        let next = group_text(group);
        let more = next.lines().count();
        if shown > 0 && lines + more > LINES {
            break;
        }
        text += &next;
        lines += more;
        shown += 1;
    }
    let rest = &groups[shown..];
    if !rest.is_empty() {
        let failures: u64 = rest.iter().map(|group| group.count).sum();
        let stacks = plural(rest.len() as u64, "group");
        text += &format!("  … {stacks} more, of {}\n", plural(failures, "failure"));
    }
    text
}

fn plural(count: u64, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", Thousands(count))
}

/// Why nothing can be told, as the run without a failure did not return.
pub(super) fn of_first(outcome: &Outcome) -> String {
    let (one, _) = verbs(outcome);
    let detail = detail(outcome).unwrap_or_default();
    let what = format!("`fail_each_allocation`: no allocation failed yet, and the work {one}");
    wrapped(&format!("{what}{detail}"), 0)
}

/// Why nothing can be told, as there is nothing to fail.
pub(super) fn without_allocations() -> String {
    let what = "`fail_each_allocation`: the work allocates nothing on this thread, so there is no \
                allocation to fail";
    wrapped(what, 0)
}

/// How many, and what of.
fn headline(tried: &Tried) -> String {
    let all = plural(tried.runs, "allocation failure");
    let count = Thousands(tried.unhandled.len() as u64);
    let verb = if tried.unhandled.len() == 1 {
        "is"
    } else {
        "are"
    };
    let mut kinds: Vec<(&Outcome, u64)> = Vec::new();
    for Unhandled { outcome, .. } in &tried.unhandled {
        let known = |(of, _): &&mut (&Outcome, u64)| discriminant(*of) == discriminant(outcome);
        match kinds.iter_mut().find(known) {
            Some((_, count)) => *count += 1,
            None => kinds.push((outcome, 1)),
        }
    }
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let kinds: Vec<_> = kinds.iter().map(|(of, count)| told(of, *count)).collect();
    format!("{count} of {all} {verb} not handled: {}", kinds.join(", "))
}

/// What else there is to know.
fn notes(tried: &Tried) -> Vec<String> {
    let mut notes = Vec::new();
    let all = plural(tried.allocations, "allocation");
    let is_over_time = |unhandled: &Unhandled| matches!(unhandled.outcome, Outcome::OverTime(_));
    if tried.unhandled.iter().any(is_over_time) {
        notes.push(format!(
            "tried up to the run that did not end: {} of {all}",
            Thousands(tried.runs)
        ));
    } else if tried.runs < tried.allocations {
        notes.push(format!(
            "tried: {} of {all}, evenly spread",
            Thousands(tried.runs)
        ));
    }
    if tried.left.1 > 0 {
        notes.push(format!(
            "without a failure {} B in {} are left; no more than that is no leak",
            Thousands(tried.left.0),
            Blocks(tried.left.1)
        ));
    }
    notes
}

fn group_text(group: &Group<'_>) -> String {
    let Unhandled {
        number,
        refused,
        outcome,
    } = group.first;
    let first = if group.count == 1 { "at" } else { "first at" };
    let size = match refused {
        Some(refused) if refused.is_resized => {
            format!(", a resize to {} B", Thousands(refused.size_bytes))
        }
        Some(refused) => format!(", of {} B", Thousands(refused.size_bytes)),
        None => String::new(),
    };
    let mut head = told(outcome, group.count);
    head += &format!(", {first} allocation {}{size}", Thousands(*number));
    head += &detail(outcome).unwrap_or_default();
    let mut text = wrapped(&head, 2);
    if refused.is_none() {
        return text;
    }
    let stack = if cfg!(highwater_stacks) {
        Stack(&group.frames).to_string()
    } else {
        stack_text(&[])
    };
    for line in stack.lines() {
        text += &(cut(line, WIDTH) + "\n");
    }
    for origin in group.origins.iter().take(ORIGINS) {
        text += &(cut(&origin_text(origin), WIDTH) + "\n");
    }
    text
}

fn origin_text(origin: &Origin) -> String {
    let (bytes, frame) = (Thousands(origin.bytes), &origin.frame);
    let place = match (frame.file(), frame.line()) {
        (Some(file), Some(line)) => format!("  {file}:{line}"),
        _ => String::new(),
    };
    format!("    leaked: {bytes} B from {}{place}", frame.function())
}

/// So many of them.
fn told(outcome: &Outcome, count: u64) -> String {
    let (one, more) = verbs(outcome);
    format!(
        "{} {}",
        Thousands(count),
        if count == 1 { one } else { more }
    )
}

/// What one of them does, and what several do.
fn verbs(outcome: &Outcome) -> (String, String) {
    let pair = |one: &str, more: &str| (one.to_owned(), more.to_owned());
    match outcome {
        Outcome::Aborted(_) => pair("aborts the process", "abort the process"),
        Outcome::Signal(..) => pair("is ended by a signal", "are ended by a signal"),
        Outcome::Exited(_) => pair("exits", "exit"),
        Outcome::OverTime(_) => pair("does not end", "do not end"),
        Outcome::Panicked(_) => pair("panics", "panic"),
        Outcome::Broken(_) => pair("leaves the state broken", "leave the state broken"),
        Outcome::Leaked { .. } => pair("leaks", "leak"),
        Outcome::NotReached => pair("is not reached", "are not reached"),
    }
}

/// What is known of one of them beside that.
fn detail(outcome: &Outcome) -> Option<String> {
    let printed = |line: &Option<String>| match line {
        // What Rust says of an abort for want of memory is said already.
        Some(line) if !line.starts_with("memory allocation of ") => format!("; printed: {line}"),
        _ => String::new(),
    };
    let detail = match outcome {
        Outcome::Aborted(line) => printed(line),
        Outcome::Signal(signal, line) => format!(": {}{}", signal_text(*signal), printed(line)),
        Outcome::Exited(code) => format!(": code {code}"),
        Outcome::OverTime(limit) => format!(": not within {}", duration::text(*limit)),
        Outcome::Panicked(text) | Outcome::Broken(text) => format!(": {text}"),
        Outcome::Leaked { bytes, blocks } => {
            format!(": {} B in {}", Thousands(*bytes), Blocks(*blocks))
        }
        Outcome::NotReached => {
            ": the work allocates differently from run to run, so nothing is known of it".to_owned()
        }
    };
    let words: Vec<_> = detail.split_whitespace().collect();
    (!detail.is_empty()).then(|| cut(&words.join(" "), DETAIL))
}

#[cfg(test)]
mod tests {
    use super::super::unhandled::{Outcome, Tried, Unhandled};
    use super::of;
    use crate::isolation::each_allocation::groups;
    use crate::symbols::Names;
    use std::time::Duration;

    #[test]
    fn a_run_that_does_not_end_is_the_last_one() {
        let unhandled = |number, outcome| Unhandled {
            number,
            refused: None,
            outcome,
        };
        let panicked = |text: &str| Outcome::Panicked(text.to_owned());
        let tried = Tried {
            allocations: 4_000,
            runs: 3,
            left: (24, 1),
            unhandled: vec![
                unhandled(1, panicked("one")),
                unhandled(5, panicked("another")),
                unhandled(9, Outcome::OverTime(Duration::from_secs(30))),
            ],
        };
        let groups = groups::of(&tried.unhandled, &mut Names::new());
        let expected = "\
3 of 3 allocation failures are not handled: 2 panic, 1 does not end
  tried up to the run that did not end: 3 of 4,000 allocations
  without a failure 24 B in 1 block are left; no more than that is no leak
  2 panic, first at allocation 1: one
  1 does not end, at allocation 9: not within 30 s
";
        assert_eq!(of(&tried, &groups), expected);
    }
}
