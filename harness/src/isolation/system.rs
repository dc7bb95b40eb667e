//! The calls of the system that a parent and its child need and std does not have.
//!
//! The only `unsafe` code outside of `alloc/`. What runs between fork and exec, in a signal
//! handler or inside an allocation says so, and calls nothing that may lock or allocate.

#![allow(unsafe_code)]

use super::page::Page;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// The sanitizer that this program was built with, if there is one: it wants to see the
/// whole program end.
pub(super) fn sanitizer() -> Option<&'static str> {
    let all = [
        (c"__asan_init", "AddressSanitizer watches this process"),
        (c"__tsan_init", "ThreadSanitizer watches this process"),
        (c"__msan_init", "MemorySanitizer watches this process"),
        (c"__lsan_init", "LeakSanitizer watches this process"),
        (c"__hwasan_init", "HWAddressSanitizer watches this process"),
    ];
    let is_there = |name: &std::ffi::CStr| {
        // SAFETY: the name ends in a zero, and this handle asks for the first symbol that
        // the program would find. What is found is not called.
        !unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) }.is_null()
    };
    let mut found = all.into_iter().filter(|(name, _)| is_there(name));
    found.next().map(|(_, reason)| reason)
}

#[cfg(target_os = "linux")]
const ASK: libc::c_ulong = 0xffff_ffff;
#[cfg(target_os = "linux")]
const NO_RANDOMIZE: libc::c_ulong = 0x004_0000;

/// Ends the process without anything that could wait or allocate.
pub(super) fn exit_at_once(code: i32) -> ! {
    // SAFETY: it takes any number.
    unsafe { libc::_exit(code) }
}

/// Two ends of a pipe, to read from and to write to, which programs that are started do
/// not inherit.
pub(super) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: there is room for two descriptors.
    #[cfg(not(target_vendor = "apple"))]
    let result = unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) };
    // SAFETY: as above.
    #[cfg(target_vendor = "apple")]
    let result = unsafe { libc::pipe(ends.as_mut_ptr()) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: both were just opened, and nobody else knows them.
    let (reader, writer) =
        unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) };
    #[cfg(target_vendor = "apple")]
    for end in [&reader, &writer] {
        // SAFETY: it sets a flag of a descriptor of ours.
        unsafe { libc::fcntl(end.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    Ok((reader, writer))
}

/// An empty file without a name.
pub(super) fn nameless_file() -> io::Result<File> {
    static FILES: AtomicU64 = AtomicU64::new(0);
    #[cfg(target_os = "linux")]
    {
        // SAFETY: the name ends in a zero.
        let file = unsafe { libc::memfd_create(c"highwater".as_ptr(), libc::MFD_CLOEXEC) };
        if file >= 0 {
            // SAFETY: it was just opened, and nobody else knows it.
            return Ok(unsafe { File::from_raw_fd(file) });
        }
    }
    let number = FILES.fetch_add(1, Relaxed);
    let name = format!("highwater-{}-{number}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let mut options = std::fs::OpenOptions::new();
    let file = options
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

/// The page at the start of a file, shared with whoever else has it.
pub(super) struct SharedPage(&'static Page);

impl SharedPage {
    /// Maps the page; the file is at least that long.
    pub(super) fn of(file: &File) -> io::Result<Self> {
        if file.metadata()?.len() < size_of::<Page>() as u64 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // SAFETY: a shared mapping at an address that the system chooses touches no
        // memory that is in use.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                size_of::<Page>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                0,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: it was just mapped, aligned and long enough, and is unmapped when this is
        // dropped and no longer lent. It has atomics alone, for which all bytes are values
        // and which another process may change.
        Ok(Self(unsafe { &*address.cast::<Page>() }))
    }

    pub(super) fn page(&self) -> &Page {
        self.0
    }

    /// The page for the rest of the process.
    pub(super) fn keep(self) -> &'static Page {
        let page = self.0;
        std::mem::forget(self);
        page
    }
}

impl Drop for SharedPage {
    fn drop(&mut self) {
        let address = std::ptr::from_ref(self.0).cast_mut().cast();
        // SAFETY: it is our mapping, and nobody has a reference to it any more.
        unsafe { libc::munmap(address, size_of::<Page>()) };
    }
}

/// Has the child that `command` starts inherit `files`, end with this process, and have no
/// address randomisation, as far as the system does that.
pub(super) fn prepare(command: &mut Command, files: [RawFd; 2]) {
    let parent = std::process::id();
    // SAFETY: between fork and exec it makes calls of the system alone.
    unsafe {
        command.pre_exec(move || {
            between_fork_and_exec(parent);
            for file in files {
                if libc::fcntl(file, libc::F_SETFD, 0) == -1 {
                    return Err(io::Error::last_os_error());
                }
            }
            Ok(())
        })
    };
}

/// Makes calls of the system alone.
#[cfg(target_os = "linux")]
fn end_with_parent(parent: u32) {
    // SAFETY: these take numbers alone, and change this process alone. Where the system
    // refuses the first the child goes without.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        // It may have ended before that.
        if u32::try_from(libc::getppid()) != Ok(parent) {
            libc::_exit(1);
        }
    }
}

/// Makes calls of the system alone.
#[cfg(target_os = "linux")]
fn between_fork_and_exec(parent: u32) {
    end_with_parent(parent);
    // SAFETY: these take numbers alone, and change this process alone. Where the system
    // refuses one of them the child goes without.
    unsafe {
        let persona = libc::personality(ASK);
        if let Ok(persona) = libc::c_ulong::try_from(persona) {
            libc::personality(persona | NO_RANDOMIZE);
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn between_fork_and_exec(_parent: u32) {}

/// Takes over an inherited descriptor, under a number that does not stand in the way of
/// those that the program opens. None if there is no such descriptor.
pub(super) fn inherited(number: RawFd) -> Option<OwnedFd> {
    const ABOVE: RawFd = 100;
    // SAFETY: it makes a new descriptor, or fails.
    let moved = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, ABOVE) };
    if moved < 0 {
        return None;
    }
    // SAFETY: the parent passed it for this alone, and nothing else in this process knows
    // of it; the new one is ours.
    unsafe {
        libc::close(number);
        Some(OwnedFd::from_raw_fd(moved))
    }
}

/// Writes to standard output, past std's buffer and lock.
pub(super) fn write_to_output(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        // SAFETY: the bytes are readable for their length.
        let written =
            unsafe { libc::write(libc::STDOUT_FILENO, bytes.as_ptr().cast(), bytes.len()) };
        match usize::try_from(written) {
            Ok(written) => bytes = &bytes[written..],
            Err(_) if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// Removes a variable from the environment.
pub(super) fn forget_variable(name: &str) {
    // SAFETY: the test runner has started one thread for one test, and waits for it; the
    // body does not run yet. A thread that a constructor of the program has started may
    // read the environment through std, which has a lock for it.
    unsafe { std::env::remove_var(name) };
}

/// Waits until one of `files` has something to read, or has ended. Which of them have.
pub(super) fn wait_for<const N: usize>(
    files: [Option<BorrowedFd<'_>>; N],
    most: Duration,
) -> [bool; N] {
    let mut polled = files.map(|file| libc::pollfd {
        // A negative one is passed over.
        fd: file.map_or(-1, |file| file.as_raw_fd()),
        events: libc::POLLIN,
        revents: 0,
    });
    let most = i32::try_from(most.as_millis()).unwrap_or(i32::MAX);
    let count = libc::nfds_t::try_from(N).unwrap_or(0);
    // SAFETY: there are so many of them.
    unsafe { libc::poll(polled.as_mut_ptr(), count, most) };
    polled.map(|polled| polled.revents != 0)
}

/// Reads what is there; nothing if it has ended.
pub(super) fn read(file: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: there is room for so many bytes.
    let count = unsafe {
        libc::read(
            file.as_fd().as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
        )
    };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

/// Where the program itself is in memory; nowhere where nobody asks.
#[cfg(target_os = "linux")]
pub(super) fn program() -> Range<usize> {
    unsafe extern "C" fn first(
        info: *mut libc::dl_phdr_info,
        _size: usize,
        range: *mut std::ffi::c_void,
    ) -> i32 {
        // SAFETY: the loader passes its description of a module with so many headers, and
        // our argument.
        let (info, range, headers) = unsafe {
            let headers =
                std::slice::from_raw_parts((*info).dlpi_phdr, usize::from((*info).dlpi_phnum));
            (&*info, &mut *range.cast::<Range<usize>>(), headers)
        };
        let loaded = headers
            .iter()
            .filter(|header| header.p_type == libc::PT_LOAD);
        let end = loaded.map(|header| header.p_vaddr + header.p_memsz).max();
        let start = usize::try_from(info.dlpi_addr).unwrap_or(0);
        let size = usize::try_from(end.unwrap_or(0)).unwrap_or(0);
        *range = start..start + size;
        // The program comes first; no more.
        1
    }
    let mut range = 0..0;
    // SAFETY: the callback takes what it is given and does not unwind.
    unsafe { libc::dl_iterate_phdr(Some(first), (&raw mut range).cast()) };
    range
}

#[cfg(not(target_os = "linux"))]
pub(super) fn program() -> Range<usize> {
    0..0
}

/// The signal that asks a thread for its stack. The last ones are the least used.
#[cfg(target_os = "linux")]
fn stack_signal() -> i32 {
    libc::SIGRTMAX() - 3
}

/// From now on a thread of this process can be asked for its stack, which the handler notes.
/// It may be run at any moment, an allocation included.
#[cfg(target_os = "linux")]
pub(super) fn answer_for_stacks(on_signal: extern "C" fn(i32)) {
    // SAFETY: all zero is a value of it; the one handler that is handed in,
    // `progress::note_stack_at_limit`, makes no call but for the unwinder's, and what it writes
    // to are atomics.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_signal as usize;
        action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
        libc::sigaction(stack_signal(), &raw const action, std::ptr::null_mut());
    }
}

/// Asks a thread of a child for its stack. False if it can't be asked.
#[cfg(target_os = "linux")]
pub(super) fn ask_for_stack(process: u32, thread: u64) -> bool {
    let signal = libc::c_long::from(stack_signal());
    // SAFETY: it takes numbers alone. The process is our child, and was not waited for.
    unsafe {
        libc::syscall(
            libc::SYS_tgkill,
            libc::c_ulong::from(process),
            thread,
            signal,
        ) == 0
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn answer_for_stacks(_on_signal: extern "C" fn(i32)) {}

#[cfg(not(target_os = "linux"))]
pub(super) fn ask_for_stack(_process: u32, _thread: u64) -> bool {
    false
}

/// A child that was forked from this process and goes on where it was, with this thread alone.
/// It is waited for once.
#[cfg(target_os = "linux")]
pub(super) struct Forked(libc::pid_t);

/// Forks this process. None in the child, which ends with this thread, and whose standard output
/// and standard error are these files.
#[cfg(target_os = "linux")]
pub(super) fn fork(output: &File, error: &File) -> io::Result<Option<Forked>> {
    let parent = std::process::id();
    // SAFETY: the child is a copy with the calling thread alone. All values in its memory are
    // as they were, so what was valid is valid. A lock that another thread held is never
    // released there: whoever waits for it waits until the parent ends the child. What glibc
    // and the allocator need is made ready by their own handlers of forks.
    match unsafe { libc::fork() } {
        0 => {
            end_with_parent(parent);
            let none = libc::rlimit {
                rlim_cur: 0,
                rlim_max: 0,
            };
            // SAFETY: it reads what it is given. No core is written of a child that aborts.
            unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) };
            // Or each child that aborts would read the program's debug information for a
            // backtrace that nobody sees, and errors that carry one would allocate it.
            for name in [c"RUST_BACKTRACE", c"RUST_LIB_BACKTRACE"] {
                // SAFETY: both texts end with a zero. No other thread is here to read the
                // environment.
                unsafe { libc::setenv(name.as_ptr(), c"0".as_ptr(), 1) };
            }
            for (file, stream) in [(output, libc::STDOUT_FILENO), (error, libc::STDERR_FILENO)] {
                // SAFETY: it takes descriptors. Who holds the streams has them open still.
                unsafe { libc::dup2(file.as_raw_fd(), stream) };
            }
            Ok(None)
        }
        child if child > 0 => Ok(Some(Forked(child))),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(target_os = "linux")]
impl Forked {
    /// How it ended, if it has. Then it is not asked again.
    pub(super) fn try_wait(&self) -> io::Result<Option<std::process::ExitStatus>> {
        use std::os::unix::process::ExitStatusExt as _;
        let mut status = 0;
        // SAFETY: there is room for the status, and the child was not waited for.
        match unsafe { libc::waitpid(self.0, &raw mut status, libc::WNOHANG) } {
            0 => Ok(None),
            child if child > 0 => Ok(Some(std::process::ExitStatus::from_raw(status))),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Ends it.
    pub(super) fn kill(&self) {
        // SAFETY: it takes numbers. The child was not waited for, so the number is its.
        unsafe { libc::kill(self.0, libc::SIGKILL) };
    }
}
