//! Heap profiles in pprof's format, encoded by hand: what is read is not what wrote them.

// Each test program uses its part.
#![allow(dead_code)]

use flate2::Compression;
use flate2::write::GzEncoder;
use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// A function with its file and line.
pub(crate) type Frame = (&'static str, &'static str, u64);

/// A minute, in nanoseconds.
pub(crate) const MINUTE: i64 = 60_000_000_000;
/// When the first profile is taken.
pub(crate) const START: i64 = 1_700_000_000_000_000_000;

/// A profile, in plain terms.
#[derive(Clone)]
pub(crate) struct Profile {
    /// The values of a sample, each with its unit.
    pub(crate) values: Vec<(&'static str, &'static str)>,
    pub(crate) time: i64,
    pub(crate) period: i64,
    /// The program's file, build and start.
    pub(crate) program: (&'static str, &'static str, u64),
    /// Where in that file what is mapped starts.
    pub(crate) offset: u64,
    /// Stacks, the innermost frame first, each with its values. A frame without a function is an
    /// address, its line.
    pub(crate) stacks: Vec<(Vec<Frame>, Vec<i64>)>,
}

impl Profile {
    /// As `jemalloc_pprof` writes them with the feature `symbolize`.
    pub(crate) fn of_jemalloc(minute: i64, stacks: &[(&[Frame], i64)]) -> Self {
        Self {
            values: vec![("inuse_space", "bytes")],
            time: START + minute * MINUTE,
            period: 0,
            program: ("/srv/bin/shop", "b01d", 0x5500_0000_0000),
            offset: 0,
            stacks: stacks
                .iter()
                .map(|(frames, bytes)| (frames.to_vec(), vec![*bytes]))
                .collect(),
        }
    }

    /// The message.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut texts = Texts(vec![String::new()], HashMap::new());
        let mut message = Vec::new();
        for (name, unit) in &self.values {
            let of = [(1, texts.number(name)), (2, texts.number(unit))];
            part(&mut message, 1, &numbers(&of));
        }
        let mut locations: Vec<Frame> = Vec::new();
        for (frames, values) in &self.stacks {
            let ids = frames.iter().map(|frame| {
                let known = locations.iter().position(|known| known == frame);
                known.unwrap_or_else(|| {
                    locations.push(*frame);
                    locations.len() - 1
                }) as u64
                    + 1
            });
            let ids: Vec<u64> = ids.collect();
            let mut sample = Vec::new();
            part(
                &mut sample,
                1,
                &ids.iter().flat_map(|id| varint(*id)).collect::<Vec<_>>(),
            );
            let values = values
                .iter()
                .map(|value| u64::from_ne_bytes(value.to_ne_bytes()));
            part(&mut sample, 2, &values.flat_map(varint).collect::<Vec<_>>());
            part(&mut message, 2, &sample);
        }
        let (file, build, start) = self.program;
        let mapping = [
            (1, 1),
            (2, start),
            (4, self.offset),
            (5, texts.number(file)),
            (6, texts.number(build)),
        ];
        part(&mut message, 3, &numbers(&mapping));
        for ((function, file, line), id) in locations.into_iter().zip(1..) {
            let mut location = numbers(&[(1, id), (2, 1)]);
            if function.is_empty() {
                location.extend(numbers(&[(3, line)]));
            } else {
                part(&mut location, 4, &numbers(&[(1, id), (2, line)]));
                let function = [
                    (1, id),
                    (2, texts.number(function)),
                    (4, texts.number(file)),
                ];
                part(&mut message, 5, &numbers(&function));
            }
            part(&mut message, 4, &location);
        }
        let period_type = [(1, texts.number("space")), (2, texts.number("bytes"))];
        part(&mut message, 11, &numbers(&period_type));
        for text in &texts.0 {
            part(&mut message, 6, text.as_bytes());
        }
        let number = |value: i64| u64::from_ne_bytes(value.to_ne_bytes());
        message.extend(numbers(&[
            (9, number(self.time)),
            (12, number(self.period)),
        ]));
        message
    }
}

struct Texts(Vec<String>, HashMap<String, u64>);

impl Texts {
    fn number(&mut self, text: &str) -> u64 {
        if text.is_empty() {
            return 0;
        }
        let next = self.0.len() as u64;
        let number = *self.1.entry(text.to_owned()).or_insert(next);
        if number == next {
            self.0.push(text.to_owned());
        }
        number
    }
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7f).expect("seven bits");
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// Fields that are numbers.
fn numbers(fields: &[(u64, u64)]) -> Vec<u8> {
    let fields = fields.iter();
    fields
        .flat_map(|(field, number)| [varint(field << 3), varint(*number)].concat())
        .collect()
}

/// A field that has a length.
fn part(message: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    message.extend(varint(field << 3 | 2));
    message.extend(varint(bytes.len() as u64));
    message.extend(bytes);
}

/// The bytes compressed.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("there is memory");
    encoder.finish().expect("there is memory")
}

/// Writes profiles into the directory, compressed, with names in their order.
pub(crate) fn write(directory: &Path, profiles: impl IntoIterator<Item = Profile>) -> Vec<PathBuf> {
    let write = |(number, profile): (usize, Profile)| {
        let path = directory.join(format!("heap.{number:03}.pb.gz"));
        fs::write(&path, gzip(&profile.encode())).expect("there is room");
        path
    };
    profiles.into_iter().enumerate().map(write).collect()
}
