//! The stand-in for `system.rs` where its calls do not exist.

pub(super) fn sanitizer() -> Option<&'static str> {
    None
}

pub(super) fn exit_at_once(code: i32) -> ! {
    std::process::exit(code)
}
