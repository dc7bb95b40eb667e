//! The JSON form of a report, version 1 of its schema.
//!
//! `docs/report-schema.md` describes each field; readers must refuse a `schema` that
//! they do not know.

use super::{Breach, Report, Resource, SelfTest};
use crate::diagnosis::{Diagnosis, Site, Trap};
use crate::holders::Holder;
use crate::report::Coverage;
use crate::symbols::Frame;
use crate::text::json::{Object, or_null, quoted};
use crate::verdict::Verdict;

/// The version that is written as `schema`.
pub(crate) const SCHEMA: u32 = 1;

impl Report {
    /// The report as a JSON object, pretty-printed, without a final newline.
    pub fn to_json(&self) -> String {
        let mut json = Object::new();
        json.number("schema", SCHEMA);
        json.text("name", Some(&self.name));
        json.text("variant", self.variant.as_deref());
        let location = self.location.map(|location| {
            let (file, line) = (quoted(location.file()), location.line());
            format!("{{\"file\": {file}, \"line\": {line}}}")
        });
        json.member("location", location.as_deref().unwrap_or("null"));
        json.text("test", self.test.as_deref());
        json.text("target", Some(&target()));
        json.text("profile", Some(PROFILE));
        json.text("allocator", crate::alloc::inner_name());
        json.number("steps", self.steps);
        json.number("requested_steps", self.requested_steps);
        json.number("warm_up_steps", self.warm_up_steps);
        json.number("extended_steps", self.extended_steps);
        json.number("growth_bytes", self.growth_bytes);
        json.number("peak_bytes", self.peak_bytes);
        json.number("peak_error_bytes", self.peak_error_bytes);
        json.number("residue_bytes", self.residue_bytes);
        let repetition = self.repetition.map(|repetition| {
            format!(
                "{{\"residue_bytes\": {}, \"steps\": {}}}",
                repetition.residue_bytes, repetition.steps
            )
        });
        json.member("repetition", repetition.as_deref().unwrap_or("null"));
        json.number("live_bytes", self.live_bytes);
        json.number("live_blocks", self.live_blocks);
        json.number("total_bytes", self.total_bytes);
        json.number("total_blocks", self.total_blocks);
        json.number("step_bytes", self.step_bytes);
        json.number("step_blocks", self.step_blocks);
        json.number("reallocations", self.reallocations);
        json.known("future_bytes", self.future_bytes);
        json.known("stack_bytes", self.stack_bytes());
        self.write_verdict(&mut json);
        let coverage = coverage(&self.coverage);
        json.member("coverage", &coverage);
        let accepted = self.accepted.iter().map(|accepted| {
            let (what, reason) = (quoted(accepted.what), quoted(&accepted.reason));
            format!("{{\"what\": {what}, \"reason\": {reason}}}")
        });
        json.list("accepted", accepted);
        json.list("failures", self.failures().iter().map(|text| quoted(text)));
        json.text("note", self.note());
        json.text("ending", self.ending.as_deref());
        let damage = self.overruns.as_ref().map(ToString::to_string);
        json.text("damage", damage.as_deref());
        self.write_ceilings(&mut json);
        json.list("breaches", self.breaches.iter().map(breach));
        let curve = self.curve.iter().map(|point| {
            format!(
                "{{\"step\": {}, \"live_bytes\": {}, \"live_blocks\": {}}}",
                point.step, point.live_bytes, point.live_blocks
            )
        });
        json.list("curve", curve);
        let diagnosis = self.diagnosis.as_ref().map(diagnosis);
        json.member("diagnosis", diagnosis.as_deref().unwrap_or("null"));
        json.text("diagnosis_obstacle", self.diagnosis_obstacle.as_deref());
        json.text("explanation", Some(&self.explanation()));
        json.finish()
    }

    /// The ceilings that the scenario sets, with those on types.
    fn write_ceilings(&self, json: &mut Object) {
        let ceilings = self.ceilings.iter().map(|(ceiling, limit)| {
            let (name, unit) = (quoted(ceiling.name()), quoted(ceiling.unit()));
            format!("{{\"ceiling\": {name}, \"limit\": {limit}, \"unit\": {unit}}}")
        });
        let of_types = self.types.iter().map(|of_type| {
            let (name, limit) = (format!("live blocks of `{}`", of_type.name), of_type.limit);
            let name = quoted(&name);
            format!("{{\"ceiling\": {name}, \"limit\": {limit}, \"unit\": \"blocks\"}}")
        });
        json.list("ceilings", ceilings.chain(of_types));
    }

    /// The verdict and what else was judged.
    fn write_verdict(&self, json: &mut Object) {
        let verdict = &self.verdict;
        json.text("verdict", Some(verdict.word()));
        json.text("verdict_reason", Some(verdict.reason()));
        let law = verdict.law().map(|law| law.to_string());
        json.text("law", law.as_deref());
        json.number("floor_bytes_per_step", verdict.bytes_per_step());
        json.number("floor_bytes_per_step_error", verdict.bytes_per_step_error());
        json.number("floor_blocks_per_step", verdict.blocks_per_step());
        json.number(
            "floor_blocks_per_step_error",
            verdict.blocks_per_step_error(),
        );
        json.known(
            "detectable_bytes_per_step",
            verdict.detectable_bytes_per_step(),
        );
        json.known(
            "detectable_blocks_per_step",
            verdict.detectable_blocks_per_step(),
        );
        json.known("settled_by_step", verdict.settled_by_step());
        json.known("swing_bytes", verdict.swing().map(|(bytes, _)| bytes));
        json.known(
            "swing_period_steps",
            verdict.swing().map(|(_, steps)| steps),
        );
        json.list("resources", self.resources.iter().map(resource));
        let self_test = self.self_test.as_ref().map(self_test);
        json.member("self_test", self_test.as_deref().unwrap_or("null"));
    }
}

/// How this library was compiled; the program's own code may be optimised otherwise.
pub(super) const PROFILE: &str = if cfg!(debug_assertions) {
    "debug"
} else {
    "release"
};

/// The system that the program was built for.
pub(super) fn target() -> String {
    let libc = if cfg!(target_env = "gnu") {
        "-gnu"
    } else if cfg!(target_env = "musl") {
        "-musl"
    } else if cfg!(target_env = "msvc") {
        "-msvc"
    } else {
        ""
    };
    format!("{}-{}{libc}", std::env::consts::ARCH, std::env::consts::OS)
}

fn breach(breach: &Breach) -> String {
    format!(
        "{{\"ceiling\": {}, \"limit\": {}, \"actual\": {}, \"unit\": {}}}",
        quoted(breach.ceiling.name()),
        breach.limit,
        breach.actual,
        quoted(breach.ceiling.unit())
    )
}

fn resource(resource: &Resource) -> String {
    let verdict = resource.verdict();
    format!(
        "{{\"resource\": {}, \"growth\": {}, \"per_step\": {}, \"unit\": {}, \"verdict\": {}, \
         \"verdict_reason\": {}}}",
        quoted(resource.kind().name()),
        or_null(resource.growth()),
        or_null(resource.per_step()),
        quoted(resource.kind().unit()),
        or_null(verdict.map(|verdict| quoted(verdict.word()))),
        or_null(
            verdict
                .map(Verdict::reason)
                .or(resource.obstacle())
                .map(quoted)
        ),
    )
}

/// In one line: what was seen elsewhere differs from run to run.
fn coverage(coverage: &Coverage) -> String {
    let process = if coverage.is_own_process {
        "own"
    } else {
        "shared"
    };
    let threads = coverage.threads_elsewhere.iter().map(|name| quoted(name));
    let not_judged = coverage.not_judged.iter().map(|(figure, reason)| {
        let (figure, reason) = (quoted(figure), quoted(reason));
        format!("{{\"figure\": {figure}, \"reason\": {reason}}}")
    });
    format!(
        "{{\"process\": \"{process}\", \"threads\": {}, \"elsewhere_bytes\": {}, \
         \"elsewhere_blocks\": {}, \"freed_elsewhere_blocks\": {}, \
         \"freed_for_others_blocks\": {}, \"evidence\": {}, \"threads_elsewhere\": [{}], \
         \"not_judged\": [{}]}}",
        coverage.threads,
        coverage.elsewhere_bytes,
        coverage.elsewhere_blocks,
        coverage.freed_elsewhere_blocks,
        coverage.freed_for_others_blocks,
        or_null(coverage.evidence.as_deref().map(quoted)),
        threads.collect::<Vec<_>>().join(", "),
        not_judged.collect::<Vec<_>>().join(", ")
    )
}

fn self_test(test: &SelfTest) -> String {
    let leak = test.leak();
    format!(
        "{{\"found\": {}, \"block_bytes\": {}, \"blocks_per_step\": {}, \"text\": {}}}",
        test.is_found(),
        or_null(leak.map(|(bytes, _)| bytes)),
        or_null(leak.map(|(_, rate)| rate)),
        quoted(&test.to_string()),
    )
}

fn diagnosis(diagnosis: &Diagnosis) -> String {
    let (first, last) = diagnosis.steps;
    let sites = diagnosis
        .sites
        .iter()
        .map(|found| format!("\n      {}", site(found)));
    let sites: Vec<_> = sites.collect();
    format!(
        "{{\n    \"first_step\": {first},\n    \"last_step\": {last},\n    \
         \"series_steps\": {},\n    \"series_bytes\": {},\n    \
         \"peak_step\": {},\n    \"growth_bytes\": {},\n    \"explained_bytes\": {},\n    \
         \"lost_blocks\": {},\n    \"trap\": {},\n    \"sites\": [{}]\n  }}",
        numbers(&diagnosis.series_steps),
        numbers(&diagnosis.series_bytes),
        or_null(diagnosis.peak_step),
        diagnosis.growth_bytes,
        diagnosis.explained_bytes(),
        diagnosis.lost_blocks,
        or_null(diagnosis.trap.as_ref().map(trap)),
        sites.join(",")
    )
}

fn trap(trap: &Trap) -> String {
    format!(
        "{{\"type\": {}, \"size_bytes\": {}, \"live_bytes\": {}, \"frames\": {}}}",
        or_null(trap.type_name.as_deref().map(quoted)),
        trap.size_bytes,
        trap.live_bytes,
        frames(&trap.frames)
    )
}

fn site(site: &Site) -> String {
    let holders = site.holders.as_ref().map(|holders| {
        let holders: Vec<_> = holders.iter().map(holder).collect();
        format!("[{}]", holders.join(", "))
    });
    format!(
        "{{\"type\": {}, \"growth_bytes\": {}, \"growth_blocks\": {}, \"live_bytes\": {}, \
         \"live_blocks\": {}, \"series_bytes\": {}, \"peak_bytes\": {}, \"peak_blocks\": {}, \
         \"total_bytes\": {}, \"total_blocks\": {}, \"verdict\": {}, \"frames\": {}, \
         \"holders\": {}}}",
        or_null(site.type_name.as_deref().map(quoted)),
        site.growth.bytes,
        site.growth.blocks,
        site.live.bytes,
        site.live.blocks,
        numbers(&site.series_bytes),
        or_null(site.at_peak.map(|live| live.bytes)),
        or_null(site.at_peak.map(|live| live.blocks)),
        site.total.bytes,
        site.total.blocks,
        quoted(site.verdict.word()),
        frames(&site.frames),
        or_null(holders)
    )
}

fn numbers<T: ToString>(numbers: &[T]) -> String {
    let numbers: Vec<_> = numbers.iter().map(T::to_string).collect();
    format!("[{}]", numbers.join(", "))
}

fn frames(frames: &[Frame]) -> String {
    let frame = |frame: &Frame| {
        format!(
            "{{\"function\": {}, \"file\": {}, \"line\": {}}}",
            quoted(&frame.function),
            or_null(frame.file.as_deref().map(quoted)),
            or_null(frame.line)
        )
    };
    let frames: Vec<_> = frames.iter().map(frame).collect();
    format!("[{}]", frames.join(", "))
}

fn holder(holder: &Holder) -> String {
    let path: Vec<_> = holder.path.iter().map(|element| quoted(element)).collect();
    format!(
        "{{\"path\": [{}], \"blocks\": {}, \"bytes\": {}, \"kind\": {}}}",
        path.join(", "),
        holder.blocks,
        holder.bytes,
        quoted(holder.hold.word())
    )
}
