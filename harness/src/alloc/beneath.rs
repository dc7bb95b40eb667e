//! What the allocators in the program say of themselves: how much memory they have from the
//! system, and how much of it they have handed out.
//!
//! This library links none of them. A weak symbol is the function if some other part of the
//! program has it linked, and null if nobody has; where that is not to be had, the loader is
//! asked, which knows the functions of libraries alone.

use super::Beneath;
#[cfg(highwater_glibc)]
use super::memory;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

/// The address of a function, if it is linked into the program or loaded with it.
macro_rules! address_of {
    ($symbol:literal) => {{
        #[cfg(target_arch = "x86_64")]
        let address: usize = {
            let address;
            // SAFETY: it reads the slot in which the linker or the loader writes where the
            // function is, or zero.
            unsafe {
                std::arch::asm!(
                    concat!(".weak ", $symbol),
                    concat!("mov {address}, qword ptr [rip + ", $symbol, "@GOTPCREL]"),
                    address = out(reg) address,
                    options(pure, readonly, nostack, preserves_flags),
                );
            }
            address
        };
        #[cfg(not(target_arch = "x86_64"))]
        let address = {
            let name = concat!($symbol, "\0").as_ptr().cast();
            // SAFETY: the name ends in a zero, and a null handle asks for the first that the
            // program would find.
            unsafe { libc::dlsym(libc::RTLD_DEFAULT, name) as usize }
        };
        address
    }};
}

type Mallctl =
    unsafe extern "C" fn(*const c_char, *mut c_void, *mut usize, *mut c_void, usize) -> c_int;
type ProcessInfo = unsafe extern "C" fn(
    *mut usize,
    *mut usize,
    *mut usize,
    *mut usize,
    *mut usize,
    *mut usize,
    *mut usize,
    *mut usize,
);

/// glibc's; none before version 2.33, and where another allocator stands in for it. It looks at
/// each free block, and allocations wait for that.
pub fn glibc() -> Option<Beneath> {
    #[cfg(not(highwater_glibc))]
    return None;
    #[cfg(highwater_glibc)]
    {
        let heap = memory::heap().filter(|heap| heap.used_bytes > 0)?;
        Some(Beneath {
            name: "glibc",
            held_bytes: heap.mapped_bytes,
            used_bytes: Some(heap.used_bytes),
            fragmented_bytes: None,
        })
    }
}

/// jemalloc's, if it was built with its statistics.
pub fn jemalloc() -> Option<Beneath> {
    let addresses = [
        address_of!("_rjem_mallctl"),
        address_of!("mallctl"),
        address_of!("je_mallctl"),
    ];
    let address = addresses.into_iter().find(|address| *address != 0)?;
    // SAFETY: jemalloc's function of that name has this signature.
    let mallctl = unsafe { std::mem::transmute::<usize, Mallctl>(address) };
    // Figures are those of the last time that this was done.
    let mut epoch = 1_u64;
    // SAFETY: the name ends in a zero, and the value is of the type that jemalloc documents.
    unsafe {
        mallctl(
            c"epoch".as_ptr(),
            ptr::null_mut(),
            ptr::null_mut(),
            (&raw mut epoch).cast(),
            size_of::<u64>(),
        )
    };
    let read = |name: &CStr| {
        let (mut value, mut size) = (0_usize, size_of::<usize>());
        // SAFETY: as above; jemalloc writes at most `size` bytes.
        let result = unsafe {
            mallctl(
                name.as_ptr(),
                (&raw mut value).cast(),
                &raw mut size,
                ptr::null_mut(),
                0,
            )
        };
        (result == 0 && size == size_of::<usize>()).then_some(value as u64)
    };
    let used_bytes = read(c"stats.allocated");
    let active = read(c"stats.active");
    Some(Beneath {
        name: "jemalloc",
        held_bytes: read(c"stats.resident")?,
        used_bytes,
        fragmented_bytes: active
            .zip(used_bytes)
            .map(|(active, used)| active.saturating_sub(used)),
    })
}

/// mimalloc's. It keeps no count of what it has handed out.
pub fn mimalloc() -> Option<Beneath> {
    let address = address_of!("mi_process_info");
    if address == 0 {
        return None;
    }
    // SAFETY: mimalloc's function of that name has this signature.
    let process_info = unsafe { std::mem::transmute::<usize, ProcessInfo>(address) };
    let mut committed = 0_usize;
    let none = ptr::null_mut();
    // SAFETY: it writes to those that are not null.
    unsafe { process_info(none, none, none, none, none, &raw mut committed, none, none) };
    (committed > 0).then_some(Beneath {
        name: "mimalloc",
        held_bytes: committed as u64,
        used_bytes: None,
        fragmented_bytes: None,
    })
}
