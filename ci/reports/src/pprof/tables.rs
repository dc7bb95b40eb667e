//! The tables of a profile in pprof's format, and the file that it is packed into.

use super::{Function, Label, Line, Location, Mapping, Profile, ValueType};
use crate::report::Frame;
use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message as _;
use std::collections::HashMap;
use std::io::Write as _;

/// What stands for a call stack that is not known.
pub(crate) const NO_STACK: &str = "[call stack not known]";

/// The file's contents.
pub(crate) fn packed(profile: &Profile) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Writing to a vector cannot fail.
    let _ = encoder.write_all(&profile.encode_to_vec());
    encoder.finish().unwrap_or_default()
}

/// What samples refer to by numbers.
#[derive(Default)]
pub(crate) struct Tables {
    pub(crate) texts: Vec<String>,
    text_indices: HashMap<String, i64>,
    pub(crate) functions: Vec<Function>,
    function_ids: HashMap<(i64, i64), u64>,
    pub(crate) locations: Vec<Location>,
    location_ids: HashMap<(u64, i64), u64>,
}

impl Tables {
    pub(crate) fn new() -> Self {
        let mut tables = Self::default();
        // The table's first text is always the empty one.
        tables.text("");
        tables
    }

    pub(crate) fn text(&mut self, text: &str) -> i64 {
        if let Some(index) = self.text_indices.get(text) {
            return *index;
        }
        let index = i64::try_from(self.texts.len()).unwrap_or(i64::MAX);
        self.texts.push(text.to_owned());
        self.text_indices.insert(text.to_owned(), index);
        index
    }

    pub(crate) fn value_type(&mut self, name: &str, unit: &str) -> ValueType {
        ValueType {
            r#type: self.text(name),
            unit: self.text(unit),
        }
    }

    /// The one mapping, of this name, to which all locations belong.
    pub(crate) fn mapping(&mut self, name: &str) -> Mapping {
        Mapping {
            id: 1,
            filename: self.text(name),
            has_functions: true,
            has_filenames: true,
            has_line_numbers: true,
            ..Mapping::default()
        }
    }

    /// The label of a sample that says what was allocated.
    pub(crate) fn type_label(&mut self, type_name: &str) -> Label {
        Label {
            key: self.text("type"),
            str: self.text(type_name),
        }
    }

    fn function(&mut self, name: &str, file: &str) -> u64 {
        let (name, filename) = (self.text(name), self.text(file));
        let next = self.functions.len() as u64 + 1;
        let id = *self.function_ids.entry((name, filename)).or_insert(next);
        if id == next {
            self.functions.push(Function {
                id,
                name,
                filename,
                system_name: 0,
            });
        }
        id
    }

    fn location(&mut self, frame: &Frame) -> u64 {
        let file = frame.file.as_deref().unwrap_or_default();
        let function_id = self.function(&frame.function, file);
        let line = frame.line.unwrap_or(0).into();
        let next = self.locations.len() as u64 + 1;
        let id = *self.location_ids.entry((function_id, line)).or_insert(next);
        if id == next {
            self.locations.push(Location {
                id,
                mapping_id: 1,
                address: 0,
                line: vec![Line { function_id, line }],
            });
        }
        id
    }

    /// The locations of a stack, whose frames are the innermost first.
    pub(crate) fn stack(&mut self, frames: &[Frame]) -> Vec<u64> {
        if frames.is_empty() {
            let unknown = Frame {
                function: NO_STACK.to_owned(),
                file: None,
                line: None,
            };
            return vec![self.location(&unknown)];
        }
        frames.iter().map(|frame| self.location(frame)).collect()
    }
}
