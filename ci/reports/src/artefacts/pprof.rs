//! A diagnosis in the format of pprof, as far as there is something to say in it. A sample is a
//! site, its type is a label.

use super::{NO_STACK, type_of};
use crate::pprof::{Function, Label, Line, Location, Mapping, Profile, Sample, ValueType};
use crate::report::{Diagnosis, Frame, Report, Site};
use flate2::Compression;
use flate2::write::GzEncoder;
use highwater::__private::Thousands;
use prost::Message;
use std::collections::HashMap;
use std::io::Write as _;

/// What a sample has a value of: its name, its unit, and the value.
type Value = (&'static str, &'static str, fn(&Site) -> i64);

const GROWTH: &str = "growth_space";
const AT_PEAK: &str = "peak_space";
/// A graph has no width below nothing; a comment says so.
const OF_GROWTH: [Value; 2] = [
    ("growth_objects", "count", |site| site.growth_blocks.max(0)),
    (GROWTH, "bytes", |site| site.growth_bytes.max(0)),
];
const OF_PEAK: [Value; 2] = [
    ("peak_objects", "count", |site| {
        site.peak_blocks.unwrap_or(0)
    }),
    (AT_PEAK, "bytes", |site| site.peak_bytes.unwrap_or(0)),
];
const OF_END: [Value; 2] = [
    ("inuse_objects", "count", |site| site.live_blocks),
    ("inuse_space", "bytes", |site| site.live_bytes),
];

/// The file's contents; `totals` are the bytes that each site allocated.
pub(super) fn profile(report: &Report, diagnosis: &Diagnosis, totals: &[u64]) -> Vec<u8> {
    let bytes = message(report, diagnosis, totals).encode_to_vec();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Writing to a vector cannot fail.
    let _ = encoder.write_all(&bytes);
    encoder.finish().unwrap_or_default()
}

pub(super) fn message(report: &Report, diagnosis: &Diagnosis, totals: &[u64]) -> Profile {
    let is_peak_known = diagnosis.sites.iter().all(|site| site.peak_bytes.is_some());
    let mut values = OF_END.to_vec();
    if is_peak_known {
        values.extend(OF_PEAK);
    }
    values.extend(OF_GROWTH);
    let mut tables = Tables::default();
    // The table's first text is always the empty one.
    tables.text("");
    let total = [("alloc_objects", "count"), ("alloc_space", "bytes")];
    let named = values.iter().map(|(name, unit, _)| (*name, *unit));
    let sample_type = total.into_iter().chain(named);
    let sample_type = sample_type
        .map(|(name, unit)| tables.value_type(name, unit))
        .collect();
    let sites = diagnosis.sites.iter().zip(totals);
    let sample = sites.map(|(site, total_bytes)| {
        let total = [site.total_blocks, *total_bytes].map(|all| i64::try_from(all).unwrap_or(0));
        let values = values.iter().map(|(_, _, value)| value(site));
        Sample {
            location_id: tables.stack(site),
            value: total.into_iter().chain(values).collect(),
            label: vec![Label {
                key: tables.text("type"),
                str: tables.text(type_of(site)),
            }],
        }
    });
    let sample = sample.collect();
    let grew = diagnosis.sites.iter().any(|site| site.growth_bytes > 0);
    let default = match (grew, is_peak_known) {
        (true, _) => GROWTH,
        (false, true) => AT_PEAK,
        (false, false) => "inuse_space",
    };
    let comment = comments(report, diagnosis, is_peak_known);
    let comment = comment.iter().map(|text| tables.text(text)).collect();
    Profile {
        sample_type,
        sample,
        mapping: vec![Mapping {
            id: 1,
            filename: tables.text(&report.full_name()),
            has_functions: true,
            has_filenames: true,
            has_line_numbers: true,
            ..Mapping::default()
        }],
        period_type: Some(tables.value_type("space", "bytes")),
        period: 1,
        comment,
        default_sample_type: tables.text(default),
        time_nanos: 0,
        location: tables.locations,
        function: tables.functions,
        string_table: tables.texts,
    }
}

fn comments(report: &Report, diagnosis: &Diagnosis, is_peak_known: bool) -> Vec<String> {
    let steps = [diagnosis.first_step, diagnosis.last_step].map(Thousands);
    let [first, last] = steps;
    let mut comments = vec![
        format!("memory scenario `{}`", report.full_name()),
        format!(
            "growth is from step {first} to {last}: {} B in all, with what shrank, which stands \
             as 0 in the samples",
            Thousands(diagnosis.growth_bytes)
        ),
    ];
    if !is_peak_known {
        comments.push("what was live at the peak is not known".to_owned());
    }
    comments
}

/// What samples refer to by numbers.
#[derive(Default)]
struct Tables {
    texts: Vec<String>,
    text_indices: HashMap<String, i64>,
    functions: Vec<Function>,
    function_ids: HashMap<(i64, i64), u64>,
    locations: Vec<Location>,
    location_ids: HashMap<(u64, i64), u64>,
}

impl Tables {
    fn text(&mut self, text: &str) -> i64 {
        if let Some(index) = self.text_indices.get(text) {
            return *index;
        }
        let index = i64::try_from(self.texts.len()).unwrap_or(i64::MAX);
        self.texts.push(text.to_owned());
        self.text_indices.insert(text.to_owned(), index);
        index
    }

    fn value_type(&mut self, name: &str, unit: &str) -> ValueType {
        ValueType {
            r#type: self.text(name),
            unit: self.text(unit),
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

    fn stack(&mut self, site: &Site) -> Vec<u64> {
        if site.frames.is_empty() {
            let unknown = Frame {
                function: NO_STACK.to_owned(),
                file: None,
                line: None,
            };
            return vec![self.location(&unknown)];
        }
        let frames = site.frames.iter();
        frames.map(|frame| self.location(frame)).collect()
    }
}
