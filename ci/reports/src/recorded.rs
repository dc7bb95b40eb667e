//! [`Recorded`]: what a program allocated over some time and holds still, as a heap profile in
//! pprof's format. Its page is [`page::recorded`](crate::page::recorded).
//!
//! A service has it written while it runs, so this is made from what the library has in memory,
//! and not from a report.

use crate::pprof::tables::{Tables, packed};
use crate::pprof::{Profile, Sample};
use crate::report::{Frame, Site, Verdict};
use highwater::__private::{Level, Levels, Size};
use std::time::{Duration, SystemTime};

/// What was recorded, and when.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The path of the program.
    pub program: String,
    /// When the recording began.
    pub began: SystemTime,
    /// For how long it went on.
    pub lasted: Duration,
    /// Live bytes of the whole program when it began, with what was allocated before.
    pub heap_before: u64,
    /// The same at the end.
    pub heap_after: u64,
    /// Blocks that could not be followed.
    pub lost_blocks: u64,
    /// Call stacks; those with most live bytes first.
    pub(crate) sites: Vec<Site>,
}

impl Recorded {
    /// What the library recorded. The live bytes are those of the whole program, when it began
    /// and at the end.
    pub fn new(
        program: String,
        (began, lasted): (SystemTime, Duration),
        (heap_before, heap_after): (u64, u64),
        levels: &Levels,
    ) -> Self {
        Self {
            program,
            began,
            lasted,
            heap_before,
            heap_after,
            lost_blocks: levels.lost_blocks,
            sites: levels.sites.iter().map(site).collect(),
        }
    }

    /// Live bytes of what was recorded.
    pub fn live_bytes(&self) -> u64 {
        let live = self.sites.iter().map(|site| site.live_bytes);
        live.filter_map(|bytes| u64::try_from(bytes).ok()).sum()
    }

    /// What it says as a whole, in a few lines.
    pub fn summary(&self) -> Vec<String> {
        let (before, after) = (Size(self.heap_before), Size(self.heap_after));
        let lasted = self.lasted.as_secs_f64();
        let mut lines = vec![
            format!(
                "live is {} of what was allocated in {lasted:.1} s; what was allocated before is \
                 not in it",
                Size(self.live_bytes())
            ),
            format!("the live heap as a whole was {before}, and is {after}"),
        ];
        if self.lost_blocks > 0 {
            lines.push(format!(
                "blocks that could not be followed: {}",
                self.lost_blocks
            ));
        }
        lines
    }

    /// A compressed profile in pprof's format: live bytes and blocks, and all that was allocated
    /// meanwhile. `go tool pprof` opens it. Its time is that of the end.
    pub fn pprof(&self) -> Vec<u8> {
        packed(&self.message())
    }

    pub(crate) fn message(&self) -> Profile {
        let mut tables = Tables::new();
        let types = [
            ("alloc_objects", "count"),
            ("alloc_space", "bytes"),
            ("inuse_objects", "count"),
            ("inuse_space", "bytes"),
        ];
        let sample_type = types.map(|(name, unit)| tables.value_type(name, unit));
        let number = |figure: u64| i64::try_from(figure).unwrap_or(i64::MAX);
        let sample = self.sites.iter().map(|site| Sample {
            location_id: tables.stack(&site.frames),
            value: vec![
                number(site.total_blocks),
                number(site.total_bytes.unwrap_or(0)),
                site.live_blocks,
                site.live_bytes,
            ],
            label: site
                .type_name
                .iter()
                .map(|name| tables.type_label(name))
                .collect(),
        });
        let sample = sample.collect();
        let comment = self.summary();
        let comment = comment.iter().map(|text| tables.text(text)).collect();
        let nanos = |time: Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
        let began = self.began.duration_since(SystemTime::UNIX_EPOCH);
        let began = began.map_or(0, nanos);
        Profile {
            sample_type: sample_type.to_vec(),
            sample,
            mapping: vec![tables.mapping(&self.program)],
            period_type: Some(tables.value_type("space", "bytes")),
            period: 1,
            comment,
            default_sample_type: tables.text("inuse_space"),
            time_nanos: began.saturating_add(nanos(self.lasted)),
            duration_nanos: nanos(self.lasted),
            location: tables.locations,
            function: tables.functions,
            string_table: tables.texts,
        }
    }
}

/// As sites of a diagnosis, of which nothing is known but the end.
fn site(level: &Level) -> Site {
    let number = |figure: u64| i64::try_from(figure).unwrap_or(i64::MAX);
    let (bytes, blocks) = (number(level.live_bytes), number(level.live_blocks));
    Site {
        type_name: level.type_name.clone(),
        growth_bytes: bytes,
        growth_blocks: blocks,
        live_bytes: bytes,
        live_blocks: blocks,
        series_bytes: Vec::new(),
        peak_bytes: None,
        peak_blocks: None,
        total_bytes: Some(level.total_bytes),
        total_blocks: level.total_blocks,
        verdict: Verdict::Inconclusive,
        frames: level.frames.iter().map(frame).collect(),
        holders: None,
    }
}

fn frame(frame: &highwater::Frame) -> Frame {
    Frame {
        function: frame.function().to_owned(),
        file: frame.file().map(ToOwned::to_owned),
        line: frame.line(),
    }
}
