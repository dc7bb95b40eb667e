//! A diagnosis in the format of pprof, as far as there is something to say in it. A sample is a
//! site, its type is a label.

use super::type_of;
use crate::pprof::tables::{Tables, packed};
use crate::pprof::{Profile, Sample};
use crate::report::{Diagnosis, Report, Site};
use highwater::__private::Thousands;

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
    packed(&message(report, diagnosis, totals))
}

pub(super) fn message(report: &Report, diagnosis: &Diagnosis, totals: &[u64]) -> Profile {
    let is_peak_known = diagnosis.sites.iter().all(|site| site.peak_bytes.is_some());
    let mut values = OF_END.to_vec();
    if is_peak_known {
        values.extend(OF_PEAK);
    }
    values.extend(OF_GROWTH);
    let mut tables = Tables::new();
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
            location_id: tables.stack(&site.frames),
            value: total.into_iter().chain(values).collect(),
            label: vec![tables.type_label(type_of(site))],
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
        mapping: vec![tables.mapping(&report.full_name())],
        period_type: Some(tables.value_type("space", "bytes")),
        period: 1,
        comment,
        default_sample_type: tables.text(default),
        time_nanos: 0,
        duration_nanos: 0,
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
