//! What `system.rs` says where the calls in it are not to be had.

pub(super) fn sanitizer() -> Option<&'static str> {
    None
}

pub(super) fn exit_at_once(code: i32) -> ! {
    std::process::exit(code)
}
