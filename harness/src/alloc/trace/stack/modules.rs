//! The tables for unwinding of the program and its libraries, as the loader has mapped them.
//!
//! They are read for as long as the process lives, in allocations, where nobody can ask
//! whether a library is still there. So each library is pinned before its tables are
//! kept: `dlclose` does not unload it any more. One that can't be pinned has no tables.

use framehop::{ExplicitModuleSectionInfo, Module};
use std::ffi::{CStr, CString, c_void};
use std::slice;

type Tables = Module<&'static [u8]>;

/// What the loader calls a module, and how far it is shifted.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Name {
    text: CString,
    shift: u64,
}

/// The tables of all modules that are there for good as of now.
pub(super) fn kept() -> Vec<Tables> {
    // The loader holds a lock while it lists its modules, and takes another one before
    // that when it opens a library. So they are listed, pinned, and listed again. By then
    // another may be in the place of one that was not pinned, under its own name or at its
    // own address.
    let mut pinned = Vec::new();
    for_each_module(|number, info| pinned.push((is_permanent(number, info), name(info))));
    pinned.retain(|(is_permanent, name)| *is_permanent || pin(&name.text));
    let mut kept = Vec::new();
    for_each_module(|_, info| {
        let name = name(info);
        if pinned.iter().any(|(_, pinned)| *pinned == name) {
            kept.extend(module(info));
        }
    });
    kept
}

/// The program, which the loader lists first, and the part of the system that is mapped
/// into every process are never unloaded. Neither has a file that can be opened by name.
fn is_permanent(number: usize, info: &libc::dl_phdr_info) -> bool {
    // SAFETY: it takes any number, and reads what the system said at the start.
    let system = unsafe { libc::getauxval(libc::AT_SYSINFO_EHDR) };
    let is_system = headers(info).iter().any(|header| {
        let start = info.dlpi_addr.wrapping_add(header.p_vaddr);
        header.p_type == libc::PT_LOAD && system != 0 && start == system
    });
    number == 0 || is_system
}

/// Makes sure that the library is not unloaded; false if it is not there.
fn pin(name: &CStr) -> bool {
    let flags = libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE;
    // SAFETY: the name ends in a zero. Nothing is loaded, so nothing of the library runs.
    // The handle is kept for ever.
    !name.is_empty() && !unsafe { libc::dlopen(name.as_ptr(), flags) }.is_null()
}

fn name(info: &libc::dl_phdr_info) -> Name {
    let text = if info.dlpi_name.is_null() {
        CString::default()
    } else {
        // SAFETY: the loader's name of the module, which ends in a zero.
        unsafe { CStr::from_ptr(info.dlpi_name) }.to_owned()
    };
    let shift = info.dlpi_addr;
    Name { text, shift }
}

fn headers(info: &libc::dl_phdr_info) -> &[libc::Elf64_Phdr] {
    // SAFETY: the loader describes so many headers there.
    unsafe { slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) }
}

/// Passes on each module, with its place in the loader's list.
fn for_each_module<F: FnMut(usize, &libc::dl_phdr_info)>(pass_on: F) {
    struct Walk<F> {
        pass_on: F,
        number: usize,
    }
    unsafe extern "C" fn next<F: FnMut(usize, &libc::dl_phdr_info)>(
        info: *mut libc::dl_phdr_info,
        _size: usize,
        walk: *mut c_void,
    ) -> i32 {
        // SAFETY: the loader passes its description of a module, and our argument.
        let (info, walk) = unsafe { (&*info, &mut *walk.cast::<Walk<F>>()) };
        (walk.pass_on)(walk.number, info);
        walk.number += 1;
        0
    }
    let mut walk = Walk { pass_on, number: 0 };
    // SAFETY: the callback takes what it is given and does not unwind.
    unsafe { libc::dl_iterate_phdr(Some(next::<F>), (&raw mut walk).cast()) };
}

/// Its tables, if it has any. It must be one that is never unloaded.
fn module(info: &libc::dl_phdr_info) -> Option<Tables> {
    let headers = headers(info);
    let loaded = || {
        headers
            .iter()
            .filter(|header| header.p_type == libc::PT_LOAD)
    };
    let start = loaded().map(|header| header.p_vaddr).min()?;
    let end = loaded()
        .map(|header| header.p_vaddr + header.p_memsz)
        .max()?;
    let index = headers
        .iter()
        .find(|header| header.p_type == libc::PT_GNU_EH_FRAME)?;
    let segment = loaded().find(|header| {
        (header.p_vaddr..header.p_vaddr + header.p_memsz).contains(&index.p_vaddr)
    })?;
    // From the index to the end of its segment, which has the tables too.
    let segment_end = segment.p_vaddr + segment.p_memsz;
    let bytes = |from: u64, to: u64| {
        let address = (info.dlpi_addr + from) as *const u8;
        let length = usize::try_from(to - from).ok()?;
        // SAFETY: it lies within one segment that is mapped, is readable, and is not
        // written to. The caller made sure that it stays.
        Some(unsafe { slice::from_raw_parts(address, length) })
    };
    let hdr = bytes(index.p_vaddr, index.p_vaddr + index.p_memsz)?;
    let frames = frames_address(hdr, index.p_vaddr)?;
    (segment.p_vaddr..segment_end)
        .contains(&frames)
        .then_some(())?;
    let sections = ExplicitModuleSectionInfo {
        base_svma: 0,
        eh_frame_hdr_svma: Some(index.p_vaddr..index.p_vaddr + index.p_memsz),
        eh_frame_hdr: Some(hdr),
        eh_frame_svma: Some(frames..segment_end),
        eh_frame: bytes(frames, segment_end),
        ..Default::default()
    };
    let range = info.dlpi_addr + start..info.dlpi_addr + end;
    Some(Module::new(String::new(), range, info.dlpi_addr, sections))
}

/// Where `.eh_frame` is, by the header of its index: a version, three encodings, and the
/// address relative to itself in four bytes, as all linkers write it.
fn frames_address(hdr: &[u8], address: u64) -> Option<u64> {
    const RELATIVE_IN_FOUR_BYTES: u8 = 0x1b;
    let [1, RELATIVE_IN_FOUR_BYTES, _, _, a, b, c, d] = *hdr.first_chunk::<8>()? else {
        return None;
    };
    (address + 4).checked_add_signed(i32::from_le_bytes([a, b, c, d]).into())
}

#[cfg(test)]
mod tests {
    use super::super::{Frame, Registers, Stack, Walker};
    use super::*;
    use std::fs;
    use std::process::{self, Command};

    /// A library of its own, which nothing else has opened.
    struct Library {
        name: CString,
        handle: *mut c_void,
        function: usize,
    }

    fn library() -> Library {
        let folder = std::env::temp_dir().join(format!("highwater-pin-{}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (source, built) = (folder.join("pin.c"), folder.join("libpin.so"));
        fs::write(&source, "int answer(int *of) { return of[0] + 42; }\n").unwrap();
        let status = Command::new("cc")
            .args([
                "-shared",
                "-fPIC",
                "-O1",
                "-fasynchronous-unwind-tables",
                "-o",
            ])
            .args([&built, &source])
            .status();
        assert!(status.expect("the linker of Rust").success());
        let name = CString::new(built.into_os_string().into_encoded_bytes()).unwrap();
        // SAFETY: both names end in a zero, and the library has nothing that runs.
        let (handle, function) = unsafe {
            let handle = libc::dlopen(name.as_ptr(), libc::RTLD_NOW);
            assert!(!handle.is_null());
            (handle, libc::dlsym(handle, c"answer".as_ptr()) as usize)
        };
        fs::remove_dir_all(folder).unwrap();
        Library {
            name,
            handle,
            function,
        }
    }

    #[test]
    fn a_library_stays_for_as_long_as_its_tables_are_kept() {
        let library = library();
        crate::alloc::ledger::learn_bounds();
        let walker = Walker::new();
        // SAFETY: the handle is open, and is closed once.
        assert_eq!(unsafe { libc::dlclose(library.handle) }, 0);
        // As if the library were on this stack, which makes the unwinder look at its
        // tables.
        let mut registers = Registers::now();
        registers.pc = library.function;
        let mut stack = Stack::new();
        walker.by_tables(registers, Frame::own(), &mut stack);
        assert!(pin(&library.name), "it is still there");
    }

    #[test]
    fn what_is_not_loaded_is_not_pinned() {
        assert!(!pin(c"/nowhere/libnothing.so"));
        assert!(!pin(c""), "that would be the program");
    }

    #[test]
    fn the_program_and_its_libraries_have_tables() {
        let all = kept();
        for address in [
            kept as fn() -> Vec<Tables> as usize,
            libc::malloc as *const () as usize,
        ] {
            let address = address as u64;
            let has_it = |tables: &&Tables| tables.avma_range().contains(&address);
            assert!(all.iter().any(|tables| has_it(&tables)), "{address:#x}");
        }
    }
}
