//! Nothing is built. It is here because `links` in `Cargo.toml` asks for it: by that cargo
//! refuses a program with two versions of the library, of which only one could be the
//! allocator.

#![forbid(unsafe_code)]

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
