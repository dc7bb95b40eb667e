//! Comparing another meter with highwater on the same workloads.
//!
//! The other meter measures in this process; highwater in a child, since each
//! must be the global allocator of its own. Both are single-threaded, so that
//! process-wide counters see the workload and nothing else.

use crate::workload::{self, Figures, Left};
use std::io::Write as _;
use std::process::{Command, Stdio};

/// Measures every workload with `measure` and with the program `meter`, and
/// says where they differ. `seen` takes from highwater's figures what the other
/// meter can know.
///
/// # Errors
/// The workloads on which they differ, one a line.
///
/// # Panics
/// If the meter cannot be run.
pub fn compare<T: PartialEq + std::fmt::Debug>(
    meter: &str,
    measure: impl Fn(&dyn Fn() -> Left) -> T,
    seen: impl Fn(&Figures) -> T,
) -> Result<(), String> {
    let ours = highwater_figures(meter);
    assert_eq!(
        ours.len(),
        workload::all().count(),
        "a line for each workload"
    );
    let differences: Vec<_> = workload::all()
        .zip(&ours)
        .filter_map(|((name, seed, rounds), ours)| {
            let theirs = measure(&|| workload::run(name, seed, rounds));
            let ours = seen(ours);
            (theirs != ours).then(|| {
                format!("{name} from {seed}, {rounds} rounds: {theirs:?}, but highwater {ours:?}")
            })
        })
        .collect();
    if differences.is_empty() {
        Ok(())
    } else {
        Err(differences.join("\n"))
    }
}

/// Measures every workload with highwater above this process's allocator, and
/// with the program `meter`, which has the system's.
///
/// # Errors
/// As [`compare`].
///
/// # Panics
/// As [`compare`].
pub fn compare_usage(meter: &str) -> Result<(), String> {
    let measure = |work: &dyn Fn() -> Left| {
        let (left, usage) = highwater::measure(work);
        drop(left);
        Figures::from(&usage)
    };
    compare(meter, measure, |figures| *figures)
}

fn highwater_figures(meter: &str) -> Vec<Figures> {
    let mut child = Command::new(meter)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the meter was built beside this test");
    let lines: String = workload::all()
        .map(|(name, seed, rounds)| format!("{name} {seed} {rounds}\n"))
        .collect();
    // A few kilobytes fit into the pipes, so neither side waits for the other.
    child
        .stdin
        .take()
        .expect("its input is piped")
        .write_all(lines.as_bytes())
        .expect("the meter reads its input");
    let output = child.wait_with_output().expect("the meter ends");
    assert!(output.status.success(), "the meter failed");
    let text = String::from_utf8(output.stdout).expect("the meter prints text");
    text.lines().map(Figures::from_line).collect()
}
