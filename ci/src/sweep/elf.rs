//! What a program's file says of whether its allocations can be seen.

use object::elf::{FileHeader64, PT_INTERP};
use object::read::elf::{FileHeader as _, ProgramHeader as _};
use object::{FileKind, LittleEndian, Object as _, ObjectSymbol as _};
use std::fs::{self, File};
use std::io::Read as _;
#[cfg(unix)]
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// How functions begin of allocators that programs bring along, and what those are called.
const ALLOCATORS: [(&str, &str); 6] = [
    ("_rjem_", "jemalloc"),
    ("mallocx", "jemalloc"),
    ("je_mallocx", "jemalloc"),
    ("_mi_", "mimalloc"),
    ("tc_malloc", "tcmalloc"),
    ("sn_rust_", "snmalloc"),
];

/// So many bytes have the headers of a program.
const HEADERS: u64 = 1 << 16;

/// Why the system does not preload a library into this program, if the file says so.
pub(super) fn not_preloaded(program: &Path) -> Option<&'static str> {
    #[cfg(unix)]
    if fs::metadata(program).ok()?.permissions().mode() & 0o6000 != 0 {
        return Some("is setuid or setgid, and the system preloads nothing into such programs");
    }
    // The headers are at the start.
    let mut file = Vec::new();
    let start = File::open(program).ok()?.take(HEADERS);
    { start }.read_to_end(&mut file).ok()?;
    match FileKind::parse(&*file) {
        Ok(FileKind::Elf64) => {}
        Ok(FileKind::Elf32) => return Some("is a program of 32 bits"),
        _ => return None,
    }
    let header = FileHeader64::<LittleEndian>::parse(&*file).ok()?;
    let segments = header.program_headers(LittleEndian, &*file).ok()?;
    let is_dynamic = segments
        .iter()
        .any(|segment| segment.p_type(LittleEndian) == PT_INTERP);
    (!is_dynamic).then_some("is linked statically, and does not load other libraries")
}

/// Why the blocks of this program are not seen, if its symbols tell of an allocator that it brings
/// along.
pub(super) fn not_seen(program: &Path) -> Option<String> {
    let allocator = allocator(program)?;
    Some(format!(
        "the program has {allocator} for its blocks, and only those of C libraries would be seen"
    ))
}

/// The name of the allocator that is linked into this program, if it is one that is known.
fn allocator(program: &Path) -> Option<&'static str> {
    let file = fs::read(program).ok()?;
    let file = object::File::parse(&*file).ok()?;
    let mut names = file
        .symbols()
        .chain(file.dynamic_symbols())
        .filter(object::ObjectSymbol::is_definition)
        .filter_map(|symbol| symbol.name().ok());
    names.find_map(|name| {
        let known = ALLOCATORS.iter().find(|(start, _)| name.starts_with(start));
        known.map(|(_, allocator)| *allocator)
    })
}

/// The file of a program that is named as for a shell.
pub(super) fn found(program: &Path) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return Some(program.to_owned());
    }
    let path = std::env::var_os("PATH")?;
    let mut places = std::env::split_paths(&path).map(|folder| folder.join(program));
    places.find(|place| place.is_file())
}
