//! The library's types have an accessor for all that the JSON of a report has.
//!
//! The published schema is walked: for each of its keys this says how a program gets at the
//! same value, and it must be the same.

#![forbid(unsafe_code)]

use highwater::{ByteSize, Coverage, Diagnosis, Frame, Holder, Report, Scenario, Site, Trap};
use highwater::{Resource, SelfTest, Verdict};
use serde_json::{Value, json};
use std::hint::black_box;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

const SCHEMA: &str = include_str!("../docs/report.schema.json");

/// Compares what the JSON says with what `accessor` says, for each key of the schema's
/// definition; the whole schema has none.
#[track_caller]
fn walk(definition: Option<&str>, written: &Value, accessor: impl Fn(&str) -> Value) {
    let schema: Value = serde_json::from_str(SCHEMA).expect("it is JSON");
    let object = definition.map_or(&schema, |name| &schema["$defs"][name]);
    let keys = object["properties"].as_object().expect("it has keys");
    assert!(keys.len() > 1, "{definition:?}");
    for key in keys.keys() {
        let told = accessor(key);
        assert_eq!(written[key], told, "{key} of {definition:?}");
    }
}

fn list<T>(all: impl IntoIterator<Item = T>, value: impl Fn(T) -> Value) -> Value {
    all.into_iter().map(value).collect()
}

fn of_report(report: &Report, key: &str) -> Value {
    let verdict = report.verdict();
    let text = |text: &dyn ToString| json!(text.to_string());
    match key {
        "schema" => json!(1),
        "name" => json!(report.name()),
        "variant" => json!(report.variant()),
        "location" => (report.location())
            .map(|at| json!({"file": at.file(), "line": at.line()}))
            .into(),
        "test" => json!(report.test()),
        "target" => json!(report.target()),
        "profile" => json!(report.profile()),
        "allocator" => json!(report.allocator()),
        "steps" => json!(report.steps()),
        "requested_steps" => json!(report.requested_steps()),
        "warm_up_steps" => json!(report.warm_up_steps()),
        "extended_steps" => json!(report.extended_steps()),
        "repetition" => (report.repetition())
            .map(|again| json!({"residue_bytes": again.residue_bytes, "steps": again.steps}))
            .into(),
        "verdict" => json!(verdict.word()),
        "verdict_reason" => json!(verdict.reason()),
        "law" => verdict.law().map(|law| text(&law)).into(),
        "floor_bytes_per_step" => number(verdict.bytes_per_step()),
        "floor_bytes_per_step_error" => number(verdict.bytes_per_step_error()),
        "floor_blocks_per_step" => number(verdict.blocks_per_step()),
        "floor_blocks_per_step_error" => number(verdict.blocks_per_step_error()),
        "detectable_bytes_per_step" => verdict.detectable_bytes_per_step().map(number).into(),
        "detectable_blocks_per_step" => verdict.detectable_blocks_per_step().map(number).into(),
        "settled_by_step" => json!(verdict.settled_by_step()),
        "swing_bytes" => json!(verdict.swing().map(|(bytes, _)| bytes)),
        "swing_period_steps" => json!(verdict.swing().map(|(_, steps)| steps)),
        "resources" => list(report.resources(), of_resource),
        "self_test" => report.self_test().map(of_self_test).into(),
        "failures" => json!(report.failures()),
        "accepted" => list(
            report.accepted(),
            |accepted| json!({"what": accepted.what, "reason": accepted.reason}),
        ),
        "coverage" => of_coverage(report.coverage()),
        "note" => json!(report.note()),
        "ending" => json!(report.ending()),
        "damage" => json!(report.damage()),
        "curve" => list(report.curve(), |point| {
            json!({
                "step": point.step,
                "live_bytes": point.live_bytes,
                "live_blocks": point.live_blocks
            })
        }),
        "diagnosis" => report.diagnosis().map(of_diagnosis).into(),
        "diagnosis_obstacle" => json!(report.diagnosis_obstacle()),
        "explanation" => json!(report.explanation()),
        figure => figure_of_report(report, figure),
    }
}

fn figure_of_report(report: &Report, key: &str) -> Value {
    match key {
        "growth_bytes" => json!(report.growth_bytes()),
        "peak_bytes" => json!(report.peak_bytes()),
        "peak_error_bytes" => json!(report.peak_error_bytes()),
        "residue_bytes" => json!(report.residue_bytes()),
        "live_bytes" => json!(report.live_bytes()),
        "live_blocks" => json!(report.live_blocks()),
        "total_bytes" => json!(report.total_bytes()),
        "total_blocks" => json!(report.total_blocks()),
        "step_bytes" => json!(report.step_bytes()),
        "step_blocks" => json!(report.step_blocks()),
        "reallocations" => json!(report.reallocations()),
        "stack_bytes" => json!(report.stack_bytes()),
        "future_bytes" => json!(report.future_bytes()),
        "ceilings" => list(
            report.ceilings(),
            |(ceiling, limit)| json!({"ceiling": ceiling.name(), "limit": limit, "unit": ceiling.unit()}),
        ),
        "breaches" => list(report.breaches(), |breach| {
            let (ceiling, unit) = (breach.ceiling.name(), breach.ceiling.unit());
            json!({"ceiling": ceiling, "limit": breach.limit, "actual": breach.actual, "unit": unit})
        }),
        _ => panic!("there is no accessor for {key}"),
    }
}

/// As the library writes numbers: without a fraction if they are whole.
fn number(number: f64) -> Value {
    serde_json::from_str(&number.to_string()).expect("a number")
}

fn of_resource(resource: &Resource) -> Value {
    let verdict = resource.verdict();
    let reason = verdict.map(Verdict::reason);
    json!({
        "resource": resource.kind().name(),
        "growth": resource.growth(),
        "per_step": resource.per_step().map(number),
        "unit": resource.kind().unit(),
        "verdict": verdict.map(Verdict::word),
        "verdict_reason": reason.or(resource.obstacle()),
    })
}

fn of_self_test(test: &SelfTest) -> Value {
    json!({
        "found": test.is_found(),
        "block_bytes": test.leak().map(|(bytes, _)| bytes),
        "blocks_per_step": test.leak().map(|(_, rate)| number(rate)),
        "text": test.to_string(),
    })
}

fn of_coverage(coverage: &Coverage) -> Value {
    json!({
        "process": if coverage.is_own_process() { "own" } else { "shared" },
        "threads": coverage.threads(),
        "elsewhere_bytes": coverage.elsewhere_bytes(),
        "elsewhere_blocks": coverage.elsewhere_blocks(),
        "freed_elsewhere_blocks": coverage.freed_elsewhere_blocks(),
        "freed_for_others_blocks": coverage.freed_for_others_blocks(),
        "evidence": coverage.evidence(),
        "threads_elsewhere": coverage.threads_elsewhere(),
        "not_judged": list(coverage.not_judged(), |(figure, reason)| {
            json!({"figure": figure, "reason": reason})
        }),
    })
}

fn of_diagnosis(diagnosis: &Diagnosis) -> Value {
    let (first, last) = diagnosis.steps();
    json!({
        "first_step": first,
        "last_step": last,
        "series_steps": diagnosis.series_steps(),
        "series_bytes": diagnosis.series_bytes(),
        "peak_step": diagnosis.peak_step(),
        "growth_bytes": diagnosis.growth_bytes(),
        "explained_bytes": diagnosis.explained_bytes(),
        "lost_blocks": diagnosis.lost_blocks(),
        "trap": diagnosis.trap().map(of_trap),
        "sites": list(diagnosis.sites(), of_site),
    })
}

fn of_trap(trap: &Trap) -> Value {
    json!({
        "type": trap.type_name(),
        "size_bytes": trap.size_bytes(),
        "live_bytes": trap.live_bytes(),
        "frames": list(trap.frames(), of_frame),
    })
}

fn of_site(site: &Site) -> Value {
    json!({
        "type": site.type_name(),
        "growth_bytes": site.growth_bytes(),
        "growth_blocks": site.growth_blocks(),
        "live_bytes": site.live_bytes(),
        "live_blocks": site.live_blocks(),
        "series_bytes": site.series_bytes(),
        "peak_bytes": site.peak_bytes(),
        "peak_blocks": site.peak_blocks(),
        "total_bytes": site.total_bytes(),
        "total_blocks": site.total_blocks(),
        "verdict": site.verdict().word(),
        "frames": list(site.frames(), of_frame),
        "holders": site.holders().map(|holders| list(holders, of_holder)),
    })
}

fn of_frame(frame: &Frame) -> Value {
    json!({"function": frame.function(), "file": frame.file(), "line": frame.line()})
}

fn of_holder(holder: &Holder) -> Value {
    json!({
        "path": holder.path(),
        "blocks": holder.blocks(),
        "bytes": holder.bytes(),
        "kind": holder.hold().to_string(),
    })
}

/// Everything of the report, and of what stands in it.
#[track_caller]
fn check(report: &Report) -> Value {
    let written: Value = serde_json::from_str(&report.to_json()).expect("it is JSON");
    walk(None, &written, |key| of_report(report, key));
    walk(Some("Coverage"), &written["coverage"], |key| {
        of_coverage(report.coverage())[key].clone()
    });
    if let Some(diagnosis) = report.diagnosis() {
        let within = &written["diagnosis"];
        walk(Some("Diagnosis"), within, |key| {
            of_diagnosis(diagnosis)[key].clone()
        });
        for (at, site) in diagnosis.sites().iter().enumerate() {
            walk(Some("Site"), &within["sites"][at], |key| {
                of_site(site)[key].clone()
            });
        }
    }
    written
}

#[test]
fn what_grows_is_all_told() {
    let report = Scenario::new("told")
        .variant("leaky")
        .steps(64)
        .warm_up(3)
        .growth_ceiling(ByteSize::b(100))
        .accept_residue("what is forgotten")
        .stop_at(ByteSize::kib(1))
        .run(Vec::new, |kept: &mut Vec<Box<u64>>, i| {
            kept.push(black_box(Box::new(i)));
            std::mem::forget(black_box(Box::new(i)));
        });
    let written = check(&report);
    for key in ["location", "test", "breaches", "ending", "repetition"] {
        assert!(!written[key].is_null(), "{key} is there");
    }
    #[cfg(all(
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64")
    ))]
    assert!(!written["diagnosis"]["trap"].is_null());
}

#[test]
fn what_is_bounded_is_all_told() {
    let report = Scenario::new("told").steps(1_000).self_test(true).run(
        || vec![0_u8; 100],
        |bytes, i| *bytes = black_box(vec![0; 100 + (i % 7) as usize]),
    );
    let written = check(&report);
    assert_eq!(written["verdict"], "bounded");
    assert!(!written["self_test"].is_null());
}

#[test]
fn what_could_not_be_measured_is_told() {
    let report = Scenario::new("told")
        .steps(10)
        .thread_ceiling(1)
        .descriptor_ceiling(1)
        .run(|| (), |(), _| ());
    let written = check(&report);
    assert!(
        written["resources"]
            .as_array()
            .is_some_and(|all| !all.is_empty())
    );
}
