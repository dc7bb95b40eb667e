//! Zeroed memory that is never given back, for tables that hooks read.
//!
//! It comes from the operating system, not from the allocator that is being
//! counted, so that asking for it inside a hook cannot come back into the hook.

/// `bytes` of zeroed memory, aligned to at least 128; none when the system has
/// no more.
#[cfg(all(unix, not(highwater_portable)))]
pub(super) fn zeroed(bytes: usize) -> Option<*mut u8> {
    // SAFETY: an anonymous private mapping at an address that the system
    // chooses touches no memory that is in use.
    let address = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    (address != libc::MAP_FAILED).then_some(address.cast())
}

/// `bytes` of zeroed memory, aligned to at least 128; none when the system has
/// no more.
#[cfg(not(all(unix, not(highwater_portable))))]
pub(super) fn zeroed(bytes: usize) -> Option<*mut u8> {
    use std::alloc::{GlobalAlloc, Layout, System};
    let layout = Layout::from_size_align(bytes, 128).ok()?;
    // SAFETY: the callers ask for more than zero bytes. `System` never calls
    // the global allocator.
    let address = unsafe { System.alloc_zeroed(layout) };
    (!address.is_null()).then_some(address)
}
