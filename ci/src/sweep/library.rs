//! Compiles the counting library, once for each compiler, and finds out whether it can be trusted
//! here.

use super::SweepError;
use super::compiler::{self, HOST};
use super::process::{Figures, Processes, Threads};
use crate::project::command::rustc;
use crate::project::{io_error, not_started};
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The files of the library, its root first.
const SOURCES: [(&str, &str); 14] = [
    ("lib.rs", include_str!("preload/lib.rs")),
    ("addresses.rs", include_str!("preload/addresses.rs")),
    ("blocks.rs", include_str!("preload/blocks.rs")),
    ("caller.rs", include_str!("preload/caller.rs")),
    ("check.rs", include_str!("preload/check.rs")),
    ("counts.rs", include_str!("preload/counts.rs")),
    ("family.rs", include_str!("preload/family.rs")),
    ("limit.rs", include_str!("preload/limit.rs")),
    ("memory.rs", include_str!("preload/memory.rs")),
    ("output.rs", include_str!("preload/output.rs")),
    ("process.rs", include_str!("preload/process.rs")),
    ("search.rs", include_str!("preload/search.rs")),
    ("stacks.rs", include_str!("preload/stacks.rs")),
    ("system.rs", include_str!("preload/system.rs")),
];
/// A program that leaves [`LEFT`] bytes in one block on a thread if it has an argument: in a static
/// if it has two.
const PROGRAM: &str = r"
static KEPT: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();

fn main() {
    let arguments = std::env::args_os().len();
    let work = move || match arguments {
        1 => {}
        2 => std::mem::forget(std::hint::black_box(vec![1_u8; 1_234])),
        _ => _ = KEPT.set(vec![1_u8; 1_234]),
    };
    let _ = std::thread::spawn(work).join();
}
";
const LEFT: u64 = 1_234;

/// How processes with the library in `directory` are started. It is compiled now if it is not
/// there, and checked in a process of its own.
///
/// # Errors
/// If the compiler is for another system, does not start, or refuses; or if the library does not
/// count right here.
pub(super) fn checked(directory: &Path) -> Result<Processes, SweepError> {
    let [library, program] = compiled(directory)?;
    let mut processes = Processes::new(&library)?;
    let wrong = check(&processes, &program)?;
    processes.not_searched =
        wrong.map(|what| format!("the search does not hold on this machine: {what}"));
    Ok(processes)
}

/// The library and the program that it is checked with.
fn compiled(directory: &Path) -> Result<[PathBuf; 2], SweepError> {
    let version = compiler::said("-vV")?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    if host != Some(HOST) {
        let host = host.unwrap_or(std::env::consts::OS);
        return Err(SweepError::Unsupported(host.to_owned()));
    }
    let mut hasher = DefaultHasher::new();
    (SOURCES, PROGRAM, &version).hash(&mut hasher);
    let hash = hasher.finish();
    let library = directory.join(format!("counting-{hash:016x}.so"));
    let program = directory.join(format!("checked-{hash:016x}"));
    if library.exists() && program.exists() {
        return Ok([library, program]);
    }
    fs::create_dir_all(directory).map_err(io_error(directory))?;
    // Beside it, to be put there in one step.
    let unfinished = tempfile::tempdir_in(directory).map_err(io_error(directory))?;
    let write = |name: &str, text: &str| {
        let path = unfinished.path().join(name);
        fs::write(&path, text).map_err(io_error(&path))
    };
    for (name, text) in SOURCES {
        write(name, text)?;
    }
    write("checked.rs", PROGRAM)?;
    let flags = ["--crate-type=cdylib", "-Cpanic=abort", "-Cstrip=symbols"];
    for (source, flags, output) in [
        ("lib.rs", &flags[..], &library),
        ("checked.rs", &[], &program),
    ] {
        let made = unfinished.path().join("made");
        let status = rustc()
            .args(["--edition=2024", "-O", "-o"])
            .args([&made, &unfinished.path().join(source)])
            .args(flags)
            .status()
            .map_err(|source| not_started("rustc", source))?;
        if !status.success() {
            return Err(SweepError::Library(status));
        }
        fs::rename(&made, output).map_err(io_error(output))?;
    }
    Ok([library, program])
}

/// Has the library look at glibc's blocks; and has it count those of a program with a known leak.
/// Returns what is wrong with the search for what is unreachable, if something is.
fn check(processes: &Processes, program: &Path) -> Result<Option<String>, SweepError> {
    let said = processes.check(&mut Command::new(program))?;
    let words: Vec<_> = said.split_whitespace().collect();
    let wrong = |what: String| Err(SweepError::Untrusted(what));
    let (glibc, of_search) = match *words {
        [version, "holds", ..] => (version, None),
        [_, "pthread_create", .., error] => {
            return wrong(format!("`pthread_create` failed with error {error}"));
        }
        [_, "memory", size, ..] => {
            return wrong(format!("there was no memory for a block of {size} bytes"));
        }
        [version, "malloc_usable_size", ..] => {
            return wrong(format!("glibc {version} has no `malloc_usable_size`"));
        }
        [version, "unreachable", _, right, found] => {
            let what = format!(
                "with glibc {version}, bytes or blocks that are unreachable are {right}, and the \
                 library found {found}"
            );
            (version, Some(what))
        }
        [version, what, size, right, found] => {
            return wrong(format!(
                "in glibc {version}, `{what}` of a block of {size} bytes is {right}, and the \
                 library found {found}"
            ));
        }
        _ => return wrong("it did not come to the end of its check".to_owned()),
    };
    let run = |arguments: &[&str]| {
        let mut command = Command::new(program);
        let ended = processes.watch(command.args(arguments), Threads::OfTests, None)?;
        Ok::<_, SweepError>(ended.figures.filter(|_| ended.status.success()))
    };
    let (nothing, lost, kept) = (run(&[])?, run(&["leaves"])?, run(&["leaves", "kept"])?);
    let left = |figures: &Figures| (figures.left_bytes, figures.left_blocks);
    let beyond = |figures: &Option<Figures>| {
        let more = figures.as_ref()?.beyond(nothing.as_ref()?);
        (left(&more) == (LEFT, 1)).then_some(more)
    };
    if let (Some(lost), Some(kept)) = (beyond(&lost), beyond(&kept)) {
        return Ok(of_search
            .or_else(|| wrong_search(&lost, [LEFT, 1]))
            .or_else(|| wrong_search(&kept, [0, 0])));
    }
    let wrong_one = if beyond(&lost).is_none() {
        &lost
    } else {
        &kept
    };
    let [nothing, leak] = [&nothing, wrong_one].map(|figures| {
        let told = |(bytes, blocks)| format!("{bytes} bytes in {blocks} blocks");
        figures
            .as_ref()
            .map(left)
            .map_or("no figures".to_owned(), told)
    });
    wrong(format!(
        "with glibc {glibc}, a program left {nothing}, and {leak} with one more block of {LEFT} bytes"
    ))
}

/// What is wrong with what was found to be unreachable. Where it is not known, the sweep says so.
fn wrong_search(figures: &Figures, right: [u64; 2]) -> Option<String> {
    let found = figures.unreachable.as_ref().ok()?;
    let ([bytes, _], [found_bytes, _]) = (right, found);
    let what = format!(
        "of {LEFT} bytes that a program left, {bytes} are unreachable, and the library found {found_bytes}"
    );
    (*found != right).then_some(what)
}
