//! What the system provides, past the allocator that is being counted, so that
//! asking for it inside a hook cannot come back into the hook: zeroed memory that is
//! never given back, for tables that hooks read; the way to standard error; and what
//! glibc says of its heap and does with it.

#[cfg(highwater_unix)]
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

/// What is mapped for the harness's own tables, in whole pages. Not the scheduler's in
/// model checks: nothing is decided by it.
#[cfg(highwater_unix)]
static OWN_BYTES: AtomicU64 = AtomicU64::new(0);

/// Where that is: the start and the end of each. A search for holders leaves them out, and
/// takes a little longer when there are more.
#[cfg(highwater_unix)]
static OWN: [[AtomicU64; 2]; 512] = [const { [const { AtomicU64::new(0) }; 2] }; 512];

/// `bytes` of zeroed memory, aligned to at least 128; none when the system has
/// no more.
#[cfg(highwater_unix)]
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
    if address == libc::MAP_FAILED {
        return None;
    }
    OWN_BYTES.fetch_add(whole_pages(bytes), Relaxed);
    let start = address as u64;
    let mut free = OWN.iter();
    let taken = free.find(|own| own[0].compare_exchange(0, start, Relaxed, Relaxed).is_ok());
    if let Some([_, end]) = taken {
        end.store(start + whole_pages(bytes), Release);
    }
    Some(address.cast())
}

/// `bytes` of zeroed memory, aligned to at least 128; none when the system has
/// no more.
#[cfg(not(highwater_unix))]
pub(super) fn zeroed(bytes: usize) -> Option<*mut u8> {
    use std::alloc::{GlobalAlloc, Layout, System};
    let layout = Layout::from_size_align(bytes, 128).ok()?;
    // SAFETY: the callers ask for more than zero bytes. `System` never calls
    // the global allocator.
    let address = unsafe { System.alloc_zeroed(layout) };
    (!address.is_null()).then_some(address)
}

/// Gives back what [`zeroed`] gave.
#[cfg(highwater_unix)]
// Not needed where call stacks can't be taken.
#[allow(dead_code)]
pub(super) fn give_back(address: *mut u8, bytes: usize) {
    let start = address as u64;
    if let Some([own, end]) = OWN.iter().find(|own| own[0].load(Relaxed) == start) {
        end.store(0, Relaxed);
        own.store(0, Relaxed);
    }
    // SAFETY: the callers pass a mapping of their own, which nobody else has seen.
    unsafe { libc::munmap(address.cast(), bytes) };
    OWN_BYTES.fetch_sub(whole_pages(bytes), Relaxed);
}

/// The start and the end of each of the harness's own tables.
#[cfg(highwater_unix)]
// Not needed where memory can't be searched.
#[allow(dead_code)]
pub(super) fn own_tables() -> Vec<(usize, usize)> {
    let read = |number: &AtomicU64| usize::try_from(number.load(Acquire)).unwrap_or(0);
    let own = OWN.iter().map(|[start, end]| (read(start), read(end)));
    own.filter(|(start, end)| start < end).collect()
}

/// The bytes of the harness's own tables, in whole pages. None of them are the
/// scenario's.
#[cfg(highwater_glibc)]
pub(crate) fn own_bytes() -> u64 {
    OWN_BYTES.load(Relaxed)
}

#[cfg(highwater_unix)]
fn whole_pages(bytes: usize) -> u64 {
    (bytes as u64).next_multiple_of(page() as u64)
}

/// How large a page is.
#[cfg(highwater_unix)]
pub(super) fn page() -> usize {
    // SAFETY: it takes any number and reads what the system said at the start.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(page).unwrap_or(0).max(1)
}

/// Makes memory that [`zeroed`] gave zero again. The address and the size are of whole
/// pages.
#[cfg(highwater_unix)]
// Not needed where call stacks can't be taken.
#[allow(dead_code)]
pub(super) fn make_zero(address: *mut u8, bytes: usize) {
    // SAFETY: an anonymous private mapping of ours, which is read as zero afterwards;
    // what is in it are atomics, for which that is a value.
    unsafe { libc::madvise(address.cast(), bytes, libc::MADV_DONTNEED) };
}

/// Every thread of the process passes a memory barrier before this returns: what it did before
/// is seen by this thread, and what this thread did before is seen by it.
#[cfg(highwater_unix)]
// Not needed where call stacks can't be taken.
#[allow(dead_code)]
pub(super) fn barrier_in_all_threads() {
    #[cfg(highwater_linux)]
    {
        /// `MEMBARRIER_CMD_GLOBAL`, which needs no registration.
        const GLOBAL: libc::c_int = 1;
        // SAFETY: it takes two numbers and touches no memory.
        if unsafe { libc::syscall(libc::SYS_membarrier, GLOBAL, 0) } == 0 {
            return;
        }
    }
    // A system without it: no write waits this long in a processor.
    std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
    std::thread::sleep(std::time::Duration::from_millis(1));
}

/// The number that the system has for this thread; 0 where it is not asked.
pub(crate) fn thread_id() -> u32 {
    #[cfg(highwater_linux)]
    // SAFETY: the call takes no arguments and cannot fail.
    let id = u32::try_from(unsafe { libc::syscall(libc::SYS_gettid) }).unwrap_or(0);
    #[cfg(not(highwater_linux))]
    let id = 0;
    id
}

/// Whether this is the thread that runs `main`.
#[cfg(highwater_interpose)]
pub(super) fn is_main_thread() -> bool {
    thread_id() == std::process::id()
}

/// The name that the system has for this thread, of up to 15 bytes and zeros, in two words;
/// empty where it is not asked.
pub(super) fn thread_name() -> [u64; 2] {
    let mut name = [0_u64; 2];
    #[cfg(highwater_linux)]
    // SAFETY: the call writes at most 16 bytes, for which there is room.
    unsafe {
        libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr());
    }
    // Elsewhere it stays as it is.
    name[1] &= u64::from_ne_bytes([255, 255, 255, 255, 255, 255, 255, 0]);
    name
}

/// Writes to standard error, as far as that works.
pub(crate) fn print(text: &[u8]) {
    #[cfg(unix)]
    // SAFETY: the text is readable for its length.
    unsafe {
        libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len());
    }
    #[cfg(not(unix))]
    {
        // Not locked and not buffered: it does not allocate.
        use std::io::Write as _;
        let _ = std::io::stderr().write_all(text);
    }
}

/// What glibc's allocator says of its heap.
#[cfg(highwater_glibc)]
pub(crate) struct Heap {
    /// What it has from the system.
    pub(crate) mapped_bytes: u64,
    /// What it has handed out.
    pub(crate) used_bytes: u64,
}

/// Has glibc give the memory that is free in it back to the system, as far as it can.
#[cfg(highwater_glibc)]
pub(crate) fn trim_heap() {
    // SAFETY: it touches only what is free, and any thread may call it.
    unsafe { libc::malloc_trim(0) };
}

/// Asks glibc; none before version 2.33, which is why the function is looked up
/// and not linked.
#[cfg(highwater_glibc)]
pub(crate) fn heap() -> Option<Heap> {
    type Function = unsafe extern "C" fn() -> libc::mallinfo2;
    // SAFETY: the name ends in a zero, and a null handle asks for the first that
    // the program would find.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"mallinfo2".as_ptr()) };
    // SAFETY: null, or glibc's function of that name, which has this signature.
    let function = unsafe { std::mem::transmute::<*mut libc::c_void, Option<Function>>(address) }?;
    // SAFETY: it takes no arguments and any thread may call it.
    let info = unsafe { function() };
    Some(Heap {
        mapped_bytes: (info.arena + info.hblkhd) as u64,
        used_bytes: (info.uordblks + info.hblkhd) as u64,
    })
}
