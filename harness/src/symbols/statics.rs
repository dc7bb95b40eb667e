//! Names of statics and thread-locals, by the tables in the program's file.

use object::{Object as _, ObjectSymbol as _, SymbolKind};
use std::fs;
use std::path::Path;

/// A symbol of data.
struct Symbol {
    start: usize,
    size: usize,
    name: String,
}

/// Of one program or library, whose thread-locals have so many bytes together.
pub(crate) struct Symbols {
    statics: Vec<Symbol>,
    thread_locals: Vec<Symbol>,
    thread_locals_size: usize,
}

impl Symbols {
    /// Empty if the file can't be read or was stripped.
    pub(crate) fn of(file: &str, thread_locals_size: usize) -> Self {
        let mut found = Self {
            statics: Vec::new(),
            thread_locals: Vec::new(),
            thread_locals_size,
        };
        let Ok(data) = fs::read(file) else {
            return found;
        };
        let Ok(object) = object::File::parse(&*data) else {
            return found;
        };
        for symbol in object.symbols().chain(object.dynamic_symbols()) {
            let list = match symbol.kind() {
                SymbolKind::Data => &mut found.statics,
                SymbolKind::Tls => &mut found.thread_locals,
                _ => continue,
            };
            if let (false, Ok(name)) = (symbol.is_undefined(), symbol.name()) {
                list.push(Symbol {
                    start: usize::try_from(symbol.address()).unwrap_or(0),
                    size: usize::try_from(symbol.size()).unwrap_or(0),
                    name: name.to_owned(),
                });
            }
        }
        found.statics.sort_by_key(|symbol| symbol.start);
        found.thread_locals.sort_by_key(|symbol| symbol.start);
        found
    }

    /// Of the static at this address of the file's address space.
    pub(crate) fn static_at(&self, address: usize) -> Option<String> {
        at(&self.statics, address)
    }

    /// Of the thread-local so many bytes before the end of all.
    pub(crate) fn thread_local_before_end(&self, distance: usize) -> Option<String> {
        at(
            &self.thread_locals,
            self.thread_locals_size.checked_sub(distance)?,
        )
    }
}

fn at(symbols: &[Symbol], address: usize) -> Option<String> {
    let after = symbols.partition_point(|symbol| symbol.start <= address);
    let mut before = symbols[..after].iter().rev().take(4);
    let symbol = before.find(|symbol| address < symbol.start + symbol.size)?;
    let name = backtrace::SymbolName::new(symbol.name.as_bytes());
    Some(own_name(&format!("{name:#}")).to_owned())
}

/// Without what the macros of std put behind the name.
fn own_name(path: &str) -> &str {
    let end = ["::{", "::__", "::VAL"]
        .iter()
        .filter_map(|part| path.find(part))
        .min();
    &path[..end.unwrap_or(path.len())]
}

/// A library's name, without its folder and version.
pub(crate) fn library(path: &str) -> String {
    let name = Path::new(path)
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    name.split(".so").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_the_program_gave() {
        assert_eq!(own_name("sites::PRICES"), "sites::PRICES");
        assert_eq!(
            own_name("sites::LINES::{constant#0}::{closure#0}::VAL"),
            "sites::LINES"
        );
        assert_eq!(
            own_name("sites::LINES::__RUST_STD_INTERNAL_VAL"),
            "sites::LINES"
        );
        assert_eq!(library("/usr/lib/libssl.so.3"), "libssl");
    }
}
