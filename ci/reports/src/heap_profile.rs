//! [`HeapProfile`]: what was live in a program at one time, by call stack, read from a file in
//! pprof's format: of `jemalloc_pprof`, of Go, of `cargo highwater repro`.
//!
//! The file may be anyone's, so it is checked before it is decoded, and what is larger than any
//! heap profile is refused.

mod decode;
mod error;
#[cfg(test)]
mod tests;

use crate::pprof;
use error::Problem;
pub use error::ProfileError;
use flate2::read::GzDecoder;
use prost::Message as _;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

/// What a file, and what is packed in it, may have at most, in bytes.
const MOST_BYTES: u64 = 64 << 20;
/// What its values may be called, the first that is there.
const LIVE_BYTES: [&str; 4] = ["inuse_space", "inuse_bytes", "live_space", "live_bytes"];
/// What a file begins with that is compressed.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// What was live in a program at one time.
#[derive(Clone, Debug)]
pub struct HeapProfile {
    /// When, in nanoseconds since 1970; none if it does not say.
    pub time_nanos: Option<i64>,
    /// When it began to be taken, likewise: then what was allocated before is not in it. None if
    /// it is of all that was live.
    pub since_nanos: Option<i64>,
    /// The process.
    pub process: Process,
    /// What its values are called: live bytes.
    pub value: String,
    /// How much is allocated between two samples, on average: 1 if every allocation is one; none
    /// if it does not say.
    pub sampled_bytes: Option<u64>,
    /// Frames by the locations that samples refer to.
    locations: Vec<Vec<Frame>>,
    samples: Vec<(Vec<usize>, u64)>,
}

/// By what a process is known again, as far as its profile tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// The path of the program.
    pub program: Option<Arc<str>>,
    /// That of its build.
    pub build_id: Option<Arc<str>>,
    /// Where it is in memory, if that is not left out.
    pub start: Option<u64>,
}

/// A function in a call stack, or what is known in its place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Frame {
    /// Its name as the profile has it.
    pub function: Option<Arc<str>>,
    /// The file that it is in.
    pub file: Option<Arc<str>>,
    /// The line in it.
    pub line: Option<u32>,
    /// Where its code is; none if the profile does not say, or the function is known.
    pub code: Option<Code>,
}

/// A location in the file of a program or of a library.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Code {
    /// The file.
    pub module: Arc<str>,
    /// That of its build, if it is known.
    pub build_id: Option<Arc<str>>,
    /// Where it is.
    pub at: At,
}

/// Where in the file of a program code is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum At {
    /// At this offset from the start of the file, in bytes.
    Offset(u64),
    /// At this address, by the file itself.
    Address(u64),
}

impl HeapProfile {
    /// Reads a file, compressed or not.
    ///
    /// # Errors
    /// If it cannot be read, is too large, is no profile in pprof's format, or has no live bytes.
    pub fn read(path: &Path) -> Result<Self, ProfileError> {
        let error = |problem| ProfileError::new(path, problem);
        let file = File::open(path).map_err(|source| error(Problem::Io(source)))?;
        Self::from_reader(file).map_err(error)
    }

    fn from_reader(reader: impl Read) -> Result<Self, Problem> {
        let packed = bytes(reader)?;
        let bytes = if packed.starts_with(&GZIP) {
            bytes(GzDecoder::new(packed.as_slice()))?
        } else {
            packed
        };
        if bytes.is_empty() {
            return Err(Problem::Empty);
        }
        decode::check(&bytes)?;
        let profile = pprof::Profile::decode(bytes.as_slice());
        drop(bytes);
        Self::of(profile.map_err(|error| Problem::NotPprof(error.to_string()))?)
    }

    /// The locations that call stacks lead through, each with its frames, the innermost first.
    pub fn locations(&self) -> &[Vec<Frame>] {
        &self.locations
    }

    /// Each call stack, as indices of its locations, the innermost first, with its live bytes.
    /// One may come more than once.
    pub fn stacks(&self) -> impl Iterator<Item = (&[usize], u64)> {
        let samples = self.samples.iter();
        samples.map(|(locations, bytes)| (locations.as_slice(), *bytes))
    }

    fn of(mut profile: pprof::Profile) -> Result<Self, Problem> {
        let texts = Texts::of(&profile);
        let (index, value) = live_bytes(&profile, &texts)?;
        let (locations, indices) = locations(&profile, &texts)?;
        let mut samples = Vec::with_capacity(profile.sample.len());
        // Each is gone when it was read.
        for sample in std::mem::take(&mut profile.sample) {
            let value = sample.value.get(index);
            let value = value.ok_or_else(|| damaged("a sample has less values than it should"))?;
            let stack = sample.location_id.iter().map(|id| {
                let location = indices.get(id).copied();
                location.ok_or_else(|| damaged("a sample refers to a location that is not there"))
            });
            let bytes = u64::try_from(*value).unwrap_or(0);
            samples.push((stack.collect::<Result<_, _>>()?, bytes));
        }
        let period_type = profile.period_type.unwrap_or_default();
        let is_of_bytes = texts.get(period_type.unit)?.as_deref() == Some("bytes");
        Ok(Self {
            time_nanos: Some(profile.time_nanos).filter(|time| *time > 0),
            since_nanos: since(&profile),
            process: process(&profile, &texts)?,
            value: value.to_string(),
            sampled_bytes: u64::try_from(profile.period)
                .ok()
                .filter(|period| is_of_bytes && *period > 0),
            locations,
            samples,
        })
    }
}

/// All that there is to read, up to a limit.
fn bytes(reader: impl Read) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    let read = reader.take(MOST_BYTES + 1).read_to_end(&mut bytes);
    match read {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(Problem::CutOff),
        Err(error) if is_damage(&error) => {
            Err(Problem::NotPprof(format!("it is not gzip: {error}")))
        }
        Err(error) => Err(Problem::Io(error)),
        Ok(_) if bytes.len() as u64 > MOST_BYTES => Err(Problem::TooLarge),
        Ok(_) => Ok(bytes),
    }
}

fn is_damage(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput};
    matches!(error.kind(), InvalidData | InvalidInput)
}

fn damaged(problem: &str) -> Problem {
    Problem::NotPprof(problem.to_owned())
}

/// The texts that numbers stand for.
struct Texts(Vec<Arc<str>>);

impl Texts {
    fn of(profile: &pprof::Profile) -> Self {
        let texts = profile.string_table.iter();
        Self(texts.map(|text| text.as_str().into()).collect())
    }

    /// None if it is empty.
    fn get(&self, index: i64) -> Result<Option<Arc<str>>, Problem> {
        if index == 0 {
            return Ok(None);
        }
        let text = usize::try_from(index).ok().and_then(|at| self.0.get(at));
        let text = text.ok_or_else(|| damaged("it refers to a text that is not there"))?;
        Ok(Some(text.clone()).filter(|text| !text.is_empty()))
    }
}

fn since(profile: &pprof::Profile) -> Option<i64> {
    let has_length = profile.time_nanos > 0 && profile.duration_nanos > 0;
    has_length.then(|| profile.time_nanos.saturating_sub(profile.duration_nanos))
}

/// Which of a sample's values are live bytes, and what they are called.
fn live_bytes(profile: &pprof::Profile, texts: &Texts) -> Result<(usize, Arc<str>), Problem> {
    let types = profile.sample_type.iter().map(|of| {
        let (name, unit) = (texts.get(of.r#type)?, texts.get(of.unit)?);
        Ok((name.unwrap_or_default(), unit.unwrap_or_default()))
    });
    let types: Vec<_> = types.collect::<Result<_, Problem>>()?;
    if types.is_empty() {
        return Err(damaged("it does not say what its values are"));
    }
    let is = |name: &'static str| {
        let mut all = types.iter().enumerate();
        all.find(|(_, (of, unit))| **of == *name && &**unit == "bytes")
    };
    match LIVE_BYTES.into_iter().find_map(is) {
        Some((index, (name, _))) => Ok((index, name.clone())),
        None => Err(Problem::NoLiveBytes(
            types.iter().map(|(name, _)| name.to_string()).collect(),
        )),
    }
}

fn process(profile: &pprof::Profile, texts: &Texts) -> Result<Process, Problem> {
    let Some(first) = profile.mapping.first() else {
        return Ok(Process::default());
    };
    Ok(Process {
        program: texts.get(first.filename)?,
        build_id: texts.get(first.build_id)?,
        start: Some(first.memory_start).filter(|start| *start > 0),
    })
}

/// The frames of each location, the innermost first, and the locations by their numbers.
#[allow(clippy::type_complexity)]
fn locations(
    profile: &pprof::Profile,
    texts: &Texts,
) -> Result<(Vec<Vec<Frame>>, HashMap<u64, usize>), Problem> {
    let functions = profile.function.iter().map(|of| (of.id, of));
    let functions: HashMap<_, _> = functions.collect();
    let mappings = profile.mapping.iter().map(|of| (of.id, of));
    let mappings: HashMap<_, _> = mappings.collect();
    let mut locations = Vec::with_capacity(profile.location.len());
    let mut indices = HashMap::with_capacity(profile.location.len());
    for location in &profile.location {
        let lines = location.line.iter().map(|line| {
            let function = functions.get(&line.function_id);
            let function =
                function.ok_or_else(|| damaged("it refers to a function that is not there"))?;
            let name = texts.get(function.name)?;
            Ok(Frame {
                function: name.map_or_else(|| texts.get(function.system_name), |n| Ok(Some(n)))?,
                file: texts.get(function.filename)?,
                line: u32::try_from(line.line).ok().filter(|line| *line > 0),
                code: None,
            })
        });
        let mut frames: Vec<_> = lines.collect::<Result<_, Problem>>()?;
        if frames.iter().all(|frame| frame.function.is_none()) {
            let mapping = mappings.get(&location.mapping_id);
            frames = vec![Frame {
                function: None,
                file: None,
                line: None,
                code: code(location, mapping.copied(), texts)?,
            }];
        }
        indices.insert(location.id, locations.len());
        locations.push(frames);
    }
    Ok((locations, indices))
}

/// Where the code of a location is in its file; by its address if that is not known.
fn code(
    location: &pprof::Location,
    mapping: Option<&pprof::Mapping>,
    texts: &Texts,
) -> Result<Option<Code>, Problem> {
    if location.address == 0 {
        return Ok(None);
    }
    let mapping = mapping.copied().unwrap_or_default();
    let inside = location.address.wrapping_sub(mapping.memory_start);
    let at = match (mapping.memory_start, mapping.file_offset) {
        // So `jemalloc_pprof` writes addresses from which it took where the file is in memory.
        (0, 0) => At::Address(location.address),
        (_, offset) => At::Offset(inside.wrapping_add(offset)),
    };
    Ok(Some(Code {
        module: texts.get(mapping.filename)?.unwrap_or_default(),
        build_id: texts.get(mapping.build_id)?,
        at,
    }))
}
