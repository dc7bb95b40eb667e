//! Says once what the code asks in many files: which parts of the system there are to
//! build on. No script could be left out: `links` in `Cargo.toml` asks for one, by which
//! cargo refuses a program with two versions of the library, of which only one could be the
//! allocator.

#![forbid(unsafe_code)]

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=HIGHWATER_PORTABLE");
    let is_set = |name: &str| env::var_os(name).is_some();
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|is| is == value);

    // Tests of the code for other systems run it on this one.
    let is_native = !is("HIGHWATER_PORTABLE", "1");
    let has_pages = is_native && is_set("CARGO_CFG_UNIX");
    let is_linux = has_pages && is("CARGO_CFG_TARGET_OS", "linux");
    let has_glibc = is_linux && is("CARGO_CFG_TARGET_ENV", "gnu");
    let features = env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    // Stacks, thread-locals and blocks are laid out as the code knows them.
    let is_x86_64 = is("CARGO_CFG_TARGET_ARCH", "x86_64");
    let is_64_bit = is_x86_64 || is("CARGO_CFG_TARGET_ARCH", "aarch64");
    let is_static = features.split(',').any(|feature| feature == "crt-static");

    let known = [
        // mmap, pthreads, fork and signals; tests can have processes of their own.
        ("highwater_unix", has_pages),
        // `/proc`, and the calls that only Linux has.
        ("highwater_linux", is_linux),
        // What glibc alone tells of its heap.
        ("highwater_glibc", has_glibc),
        // libc's functions can be replaced by ours.
        (
            "highwater_interpose",
            has_glibc && !is_static && is_set("CARGO_FEATURE_THREADS"),
        ),
        // How much stack is used can be measured, on threads that are started too.
        (
            "highwater_stack_depth",
            has_glibc
                && !is_static
                && is("CARGO_CFG_TARGET_ARCH", "x86_64")
                && is_set("CARGO_FEATURE_THREADS"),
        ),
        // C's `malloc` family can be replaced by ours.
        (
            "highwater_c_heap",
            has_glibc && !is_static && is_64_bit && is_set("CARGO_FEATURE_C_HEAP"),
        ),
        // The compiler was not asked to optimise this library.
        ("highwater_unoptimised", is("OPT_LEVEL", "0")),
        // Call stacks can be taken.
        (
            "highwater_stacks",
            (is_linux || has_pages && is("CARGO_CFG_TARGET_OS", "macos"))
                && is_64_bit
                && is_set("CARGO_FEATURE_DIAGNOSIS"),
        ),
        // Holders can be looked for: the search knows where glibc keeps its threads.
        (
            "highwater_holders",
            is_linux && is_x86_64 && is_set("CARGO_FEATURE_DIAGNOSIS"),
        ),
    ];
    for (name, is_so) in known {
        println!("cargo::rustc-check-cfg=cfg({name})");
        if is_so {
            println!("cargo::rustc-cfg={name}");
        }
    }
}
