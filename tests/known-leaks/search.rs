//! Looks for known leaks by search: they are found from the public operations alone, the same
//! each time, and in the fixed releases nothing is.

use crate::case::{Kind, Variant};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Searches in all variants that have a program for it, twice, and prints what was found.
/// Whether that is right.
pub(crate) fn all(variants: &[Variant]) -> Result<bool, String> {
    let (mut count, mut is_right) = (0, true);
    for variant in variants {
        let Some(program) = variant.build_search()? else {
            continue;
        };
        count += 1;
        let (code, text, time) = search(&program)?;
        let again = search(&program)?;
        let expected = i32::from(variant.kind == Kind::Leaky);
        let mut wrong = Vec::new();
        if code != Some(expected) {
            wrong.push(format!("exit code {code:?}, expected {expected}"));
        }
        if (code, &text) != (again.0, &again.1) {
            wrong.push("it differs from run to run".to_owned());
        }
        let seconds = time.max(again.2).as_secs_f64();
        println!("{} {}, {seconds:.2} s", variant.name(), variant.version);
        println!("{text}");
        for wrong in &wrong {
            println!("  wrong: {wrong}");
        }
        is_right &= wrong.is_empty();
    }
    if count == 0 {
        return Err("none of these cases has a search program, `search.rs`".to_owned());
    }
    Ok(is_right)
}

/// The exit code, what it printed, and how long it took.
fn search(program: &Path) -> Result<(Option<i32>, String, Duration), String> {
    let started = Instant::now();
    let output = Command::new(program)
        .output()
        .map_err(|error| format!("{} did not start: {error}", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.code().is_none_or(|code| code > 2) {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{} failed:\n{errors}", program.display()));
    }
    Ok((output.status.code(), text, started.elapsed()))
}
