//! Call stacks that others took, as those of profiles: told as our own are.

use super::Stack;
use super::frames::{Frame, Owner, Raw, owner};
use std::path::{Component, Path};

/// A function in a call stack, as its profile has it.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct Located<'a> {
    /// Its path, without the form of its symbol.
    pub function: &'a str,
    /// Where it is.
    pub file: Option<&'a str>,
    /// The line in the file.
    pub line: Option<u32>,
}

/// The frames for a reader, the innermost first, as those of a diagnosis: without those of the
/// allocator, of std and of this library. All of them if nothing else is known of the stack.
/// Files below `root` are told from there.
#[doc(hidden)]
pub fn frames_told(stack: &[Located<'_>], root: &Path) -> Vec<Frame> {
    let allocator = stack.iter().rposition(is_of_allocator);
    let stack = &stack[allocator.map_or(0, |last| last + 1)..];
    let all = stack.iter().map(|located| {
        let raw = Raw {
            function: without_hash(located.function).to_owned(),
            file: located.file.map(Into::into),
            line: located.line,
            has_types: false,
        };
        let owner = foreign_owner(&raw).unwrap_or_else(|| owner(&raw));
        let mut frame = raw.frame(owner, root);
        if let Some(file) = raw.file.filter(|file| file.is_relative()) {
            frame.file = Some(file.display().to_string());
        }
        (owner, frame)
    });
    let all: Vec<_> = all.collect();
    let mut told: Vec<Frame> = Vec::new();
    for (owner, frame) in &all {
        match owner {
            Owner::Program | Owner::Dependency => told.push(frame.clone()),
            // Outside of the program.
            Owner::Ours if !told.is_empty() => break,
            Owner::Ours | Owner::Std => {}
        }
    }
    if told.is_empty() {
        told.extend(all.into_iter().map(|(_, frame)| frame));
    }
    told
}

/// A call stack in lines, those of a dependency in a row as one.
#[doc(hidden)]
pub fn stack_told(frames: &[Frame]) -> String {
    Stack(frames).to_string()
}

/// Whether it is what a program allocates through, behind which are the allocator's frames.
fn is_of_allocator(located: &Located<'_>) -> bool {
    const CALLS: [&str; 3] = ["__rust_alloc", "__rust_realloc", "GlobalAlloc>::"];
    let is_jemalloc = |file: &str| file.contains("jemallocator-");
    CALLS.iter().any(|call| located.function.contains(call))
        || located.file.is_some_and(is_jemalloc)
}

/// A path without the hash that symbols in the form of C++ end with.
fn without_hash(function: &str) -> &str {
    let is_hash = |(_, end): &(&str, &str)| {
        let digits = end.strip_prefix('h').unwrap_or_default();
        digits.len() == 16 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    };
    let cut = function.rsplit_once("::").filter(is_hash);
    cut.map_or(function, |(path, _)| path)
}

/// Whose code it is, where only profiles have such: files that are told from the registry on,
/// and functions of Go.
fn foreign_owner(raw: &Raw) -> Option<Owner> {
    let file = raw.file.as_deref()?;
    let text = file.to_string_lossy();
    let is_in = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    if file.extension() == Some("go".as_ref()) {
        return Some(if is_in(&GO) || raw.function.starts_with("runtime.") {
            Owner::Std
        } else if is_in(&["/pkg/mod/", "/vendor/"]) {
            Owner::Dependency
        } else {
            Owner::Program
        });
    }
    let first = file.components().next()?;
    let Component::Normal(package) = first else {
        return None;
    };
    let package = package.to_string_lossy();
    let version = package.rsplit_once('-').map(|(_, version)| version);
    let is_version = |version: &str| {
        version.starts_with(|c: char| c.is_ascii_digit()) && version.matches('.').count() >= 2
    };
    version.filter(|version| is_version(version))?;
    Some(Owner::Dependency)
}

/// Parts of the paths of Go's own files.
const GO: [&str; 4] = [
    "/go/src/",
    "/lib/go",
    "/libexec/src/",
    "golang.org/toolchain@",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn located<'a>(function: &'a str, file: &'a str) -> Located<'a> {
        Located {
            function,
            file: Some(file).filter(|file| !file.is_empty()),
            line: Some(7),
        }
    }

    #[track_caller]
    fn check(stack: &[(&str, &str)], expected: &[&str]) {
        let stack: Vec<_> = stack
            .iter()
            .map(|(name, file)| located(name, file))
            .collect();
        let text = stack_told(&frames_told(&stack, Path::new("/app")));
        let lines: Vec<_> = text.lines().map(str::trim_start).collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn stacks_are_told_as_those_of_a_diagnosis() {
        let hyper = "/root/.cargo/registry/src/index.crates.io-1/hyper-1.0.0/src/a.rs";
        let jemalloc =
            "/root/.cargo/registry/src/index.crates.io-1/tikv-jemallocator-0.6.0/src/lib.rs";
        let std = "/rustc/abc/library/alloc/src/raw_vec.rs";
        let stack = [
            ("_rjem_je_prof_backtrace", ""),
            (
                "<tikv_jemallocator::Jemalloc as core::alloc::global::GlobalAlloc>::alloc",
                jemalloc,
            ),
            ("__rustc::__rust_alloc", ""),
            ("alloc::raw_vec::RawVec<T,A>::grow_one", std),
            ("hyper::a::f", hyper),
            ("hyper::a::g", hyper),
            (
                "shop::Sessions::serve::h0123456789abcdef",
                "/app/src/lib.rs",
            ),
            ("std::rt::lang_start", "/rustc/abc/library/std/src/rt.rs"),
            ("main", ""),
        ];
        let expected = ["via hyper (2 frames)", "Sessions::serve  src/lib.rs:7"];
        check(&stack, &expected);
    }

    /// Of inlined functions, line tables have the name alone.
    #[test]
    fn names_without_paths_are_known_by_their_files() {
        let stack = [
            ("malloc", "/app/target/build/out/src/jemalloc.c"),
            (
                "alloc",
                "/root/.cargo/registry/src/a/tikv-jemallocator-0.6.1/src/lib.rs",
            ),
            (
                "with_capacity_in<u8>",
                "/rustc/abc/library/alloc/src/vec/mod.rs",
            ),
            ("put", "/app/src/lib.rs"),
        ];
        check(&stack, &["put  src/lib.rs:7"]);
    }

    #[test]
    fn files_may_be_told_from_the_project_on_already() {
        let stack = [
            ("Slab::insert", "slab-0.4.12/src/lib.rs"),
            ("Slab::grow", "slab-0.4.12/src/lib.rs"),
            ("Sessions::serve", "crates/core/src/sessions.rs"),
        ];
        let expected = [
            "via slab (2 frames)",
            "Sessions::serve  crates/core/src/sessions.rs:7",
        ];
        check(&stack, &expected);
    }

    #[test]
    fn functions_of_go_have_no_paths_like_those_of_rust() {
        let stack = [
            ("runtime.mallocgc", "/usr/local/go/src/runtime/malloc.go"),
            ("bytes.growSlice", "/usr/local/go/src/bytes/buffer.go"),
            (
                "github.com/gin/gin.(*Engine).ServeHTTP",
                "/go/pkg/mod/github.com/gin/gin@v1.9.0/gin.go",
            ),
            ("main.(*Sessions).serve", "/srv/shop/server/main.go"),
        ];
        let expected = [
            "github.com/gin/gin.(*Engine).ServeHTTP  gin@v1.9.0/gin.go:7",
            "main.(*Sessions).serve  server/main.go:7",
        ];
        check(&stack, &expected);
    }

    #[test]
    fn of_a_stack_without_the_program_all_is_told() {
        let stack = [("service+0x10", ""), ("service+0x20", "")];
        check(&stack, &["service+0x10", "service+0x20"]);
        check(&[], &["its call stack is not known"]);
    }
}
