//! Mistakes in `#[highwater::test]` are shown where they were made.

#![forbid(unsafe_code)]
#![cfg(feature = "macros")]

#[test]
fn every_mistake_is_pointed_at() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
