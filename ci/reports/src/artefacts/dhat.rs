//! The format of dhat's viewer, version 2, as the crate `dhat` writes it.
//!
//! Its time is counted in steps. The innermost frame of each stack is the type. The viewer starts
//! there, so its first level has the sums by type. The format has a field for the maximum that
//! each site ever held, which is not measured; the file has the greater of the two moments that
//! are measured. Lifetimes are left out. The line that the viewer shows as the command says so.

use super::{described, type_of};
use crate::pprof::tables::NO_STACK;
use crate::report::{Diagnosis, Report, Site};
use serde::Serialize;
use std::collections::HashMap;

#[derive(Serialize)]
struct Profile {
    #[serde(rename = "dhatFileVersion")]
    version: u32,
    mode: &'static str,
    verb: &'static str,
    /// Whether moments are told apart.
    bklt: bool,
    /// Whether accesses are.
    bkacc: bool,
    tu: &'static str,
    #[serde(rename = "Mtu")]
    million_tu: &'static str,
    /// The lifetime that counts as short.
    tuth: u64,
    cmd: String,
    pid: u32,
    tg: u64,
    te: u64,
    pps: Vec<Point>,
    ftbl: Vec<String>,
}

/// A site: in all, at the most, at the peak and at the end.
#[derive(Serialize)]
struct Point {
    tb: u64,
    tbk: u64,
    mb: u64,
    mbk: u64,
    gb: u64,
    gbk: u64,
    eb: u64,
    ebk: u64,
    fs: Vec<usize>,
}

/// The file's contents; `totals` are the bytes that each site allocated.
pub(super) fn profile(report: &Report, diagnosis: &Diagnosis, totals: &[u64]) -> Vec<u8> {
    let mut frames = Frames::new();
    let mut points: Vec<Point> = Vec::new();
    let mut indices = HashMap::new();
    for (site, total) in diagnosis.sites.iter().zip(totals) {
        let point = point(site, *total, frames.stack(site));
        // The viewer takes a stack once only.
        let index = *indices.entry(point.fs.clone()).or_insert(points.len());
        match points.get_mut(index) {
            Some(known) => known.add(&point),
            None => points.push(point),
        }
    }
    let steps = diagnosis.last_step.saturating_sub(diagnosis.first_step);
    let profile = Profile {
        version: 2,
        mode: "rust-heap",
        verb: "Allocated",
        bklt: true,
        bkacc: false,
        tu: "steps",
        million_tu: "Mstep",
        tuth: 1,
        cmd: command(report, diagnosis),
        pid: 0,
        tg: diagnosis.peak_step.unwrap_or(steps),
        te: steps,
        pps: points,
        ftbl: frames.all,
    };
    // Numbers and texts under fixed names are always JSON.
    serde_json::to_vec(&profile).unwrap_or_default()
}

fn command(report: &Report, diagnosis: &Diagnosis) -> String {
    let mut text = format!(
        "memory scenario `{}`; what is called Max is the greater of t-gmax and t-end, and \
         lifetimes are not known",
        report.full_name()
    );
    if diagnosis.peak_step.is_none() {
        text.push_str("; the moment of the peak was not met, so t-gmax is t-end");
    }
    text
}

fn point(site: &Site, total_bytes: u64, fs: Vec<usize>) -> Point {
    let above_zero = |figure: i64| u64::try_from(figure).unwrap_or(0);
    let [eb, ebk] = [site.live_bytes, site.live_blocks].map(above_zero);
    let gb = site.peak_bytes.map_or(eb, above_zero);
    let gbk = site.peak_blocks.map_or(ebk, above_zero);
    let (mb, mbk) = (gb, gbk).max((eb, ebk));
    Point {
        tb: total_bytes,
        tbk: site.total_blocks,
        mb,
        mbk,
        gb,
        gbk,
        eb,
        ebk,
        fs,
    }
}

impl Point {
    fn add(&mut self, other: &Self) {
        self.tb = self.tb.saturating_add(other.tb);
        self.tbk = self.tbk.saturating_add(other.tbk);
        self.gb = self.gb.saturating_add(other.gb);
        self.gbk = self.gbk.saturating_add(other.gbk);
        self.eb = self.eb.saturating_add(other.eb);
        self.ebk = self.ebk.saturating_add(other.ebk);
        (self.mb, self.mbk) = (self.gb, self.gbk).max((self.eb, self.ebk));
    }
}

/// The texts of all frames, each once.
struct Frames {
    all: Vec<String>,
    indices: HashMap<String, usize>,
}

impl Frames {
    fn new() -> Self {
        Self {
            // What the viewer calls the node above all others.
            all: vec!["[root]".to_owned()],
            indices: HashMap::new(),
        }
    }

    fn index(&mut self, text: String) -> usize {
        *self.indices.entry(text).or_insert_with_key(|text| {
            self.all.push(text.clone());
            self.all.len() - 1
        })
    }

    fn stack(&mut self, site: &Site) -> Vec<usize> {
        let mut stack = vec![self.index(format!("[{}]", type_of(site)))];
        stack.extend(site.frames.iter().map(|frame| self.index(described(frame))));
        if site.frames.is_empty() {
            stack.push(self.index(NO_STACK.to_owned()));
        }
        stack
    }
}
