//! Instructions of a program, counted by callgrind where valgrind is installed.
//!
//! They hardly differ from run to run, and say nothing of what a locked instruction or a cache
//! miss costs.

use std::process::Command;

/// Instructions for one unit: the difference between two runs of `program`, so that starting up
/// is left out. `arguments` has them for a number of units. None without valgrind.
///
/// Scenarios in the program take call stacks.
pub fn instructions(
    program: &str,
    [few, many]: [u64; 2],
    arguments: impl Fn(u64) -> Vec<String>,
) -> Option<f64> {
    let counted = |units: u64| -> Option<u64> {
        let output = Command::new("valgrind")
            .args([
                "--tool=callgrind",
                "--callgrind-out-file=/dev/null",
                program,
            ])
            .args(arguments(units))
            .env("HIGHWATER_SITES", "always")
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stderr);
        let count = text
            .split("Collected :")
            .nth(1)?
            .split_whitespace()
            .next()?;
        count.parse().ok()
    };
    let difference = counted(many)?.checked_sub(counted(few)?)?;
    Some(difference as f64 / (many - few) as f64)
}
