//! What follows a function of ours that stands before libc's.

use libc::c_void;
use std::ffi::CStr;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};

/// A function of libc's that we stand before, looked up when it is first needed.
pub(super) struct Next {
    name: &'static CStr,
    address: AtomicPtr<c_void>,
}

impl Next {
    pub(super) const fn new(name: &'static CStr) -> Self {
        Self {
            name,
            address: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// The function as a pointer of the type `F`; none if libc has none.
    ///
    /// # Safety
    /// `F` must be an `Option` of a pointer to a function of that signature.
    pub(super) unsafe fn function<F>(&self) -> F {
        const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
        let mut address = self.address.load(Relaxed);
        if address.is_null() {
            // SAFETY: the name is a C string; what follows ours is libc's.
            address = unsafe { libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr()) };
            self.address.store(address, Relaxed);
        }
        // SAFETY: the caller promises that a pointer, or null for none, is an `F`.
        unsafe { mem::transmute_copy(&address) }
    }
}
