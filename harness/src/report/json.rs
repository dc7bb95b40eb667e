//! The JSON form of a report, version 1 of its schema.
//!
//! Written by hand: a few lines here keep a serialisation framework out of every
//! project that depends on this crate. `docs/report-schema.md` describes each
//! field; readers must refuse a `schema` that they do not know.

use super::{Breach, Report};
use std::fmt::Write as _;

/// The version that is written as `schema`.
pub(crate) const SCHEMA: u32 = 1;

impl Report {
    /// The report as a JSON object, pretty-printed, without a final newline.
    pub fn to_json(&self) -> String {
        let mut json = Object::new();
        json.number("schema", SCHEMA);
        json.text("name", Some(&self.name));
        json.text("variant", self.variant.as_deref());
        json.number("steps", self.steps);
        json.number("requested_steps", self.requested_steps);
        json.number("warm_up_steps", self.warm_up_steps);
        json.number("extended_steps", self.extended_steps);
        json.number("growth_bytes", self.growth_bytes);
        json.number("peak_bytes", self.peak_bytes);
        json.number("peak_error_bytes", self.peak_error_bytes);
        json.number("residue_bytes", self.residue_bytes);
        json.number("live_bytes", self.live_bytes);
        json.number("live_blocks", self.live_blocks);
        json.number("total_bytes", self.total_bytes);
        json.number("total_blocks", self.total_blocks);
        json.number("step_blocks", self.step_blocks);
        json.number("reallocations", self.reallocations);
        json.text("verdict", Some(self.verdict.word()));
        json.text("verdict_reason", Some(self.verdict.reason()));
        let law = self.verdict.law().map(|law| law.to_string());
        json.text("law", law.as_deref());
        json.number("floor_bytes_per_step", self.verdict.bytes_per_step());
        json.number("floor_blocks_per_step", self.verdict.blocks_per_step());
        json.text("ending", self.ending.as_deref());
        let damage = self.overruns.as_ref().map(ToString::to_string);
        json.text("damage", damage.as_deref());
        let ceilings = self.ceilings.iter().map(|(ceiling, limit)| {
            let (name, limit) = (quoted(ceiling.name()), limit.bytes());
            format!("{{\"ceiling\": {name}, \"limit_bytes\": {limit}}}")
        });
        json.list("ceilings", ceilings);
        json.list("breaches", self.breaches.iter().map(breach));
        let curve = self.curve.iter().map(|point| {
            format!(
                "{{\"step\": {}, \"live_bytes\": {}, \"live_blocks\": {}}}",
                point.step, point.live_bytes, point.live_blocks
            )
        });
        json.list("curve", curve);
        json.finish()
    }
}

fn breach(breach: &Breach) -> String {
    format!(
        "{{\"ceiling\": {}, \"limit_bytes\": {}, \"actual_bytes\": {}}}",
        quoted(breach.ceiling.name()),
        breach.limit.bytes(),
        breach.actual_bytes
    )
}

/// A JSON object in the making, one member a line.
struct Object(String);

impl Object {
    fn new() -> Self {
        Self(String::from("{"))
    }

    fn member(&mut self, name: &str, value: &str) {
        let comma = if self.0.len() > 1 { "," } else { "" };
        // Writing to a `String` cannot fail.
        let _ = write!(self.0, "{comma}\n  \"{name}\": {value}");
    }

    /// Floats in here are finite and print as JSON numbers.
    fn number(&mut self, name: &str, value: impl std::fmt::Display) {
        self.member(name, &value.to_string());
    }

    fn text(&mut self, name: &str, value: Option<&str>) {
        self.member(name, &value.map_or_else(|| "null".to_owned(), quoted));
    }

    fn list(&mut self, name: &str, items: impl Iterator<Item = String>) {
        let items: Vec<_> = items.map(|item| format!("\n    {item}")).collect();
        let end = if items.is_empty() { "" } else { "\n  " };
        self.member(name, &format!("[{}{end}]", items.join(",")));
    }

    fn finish(mut self) -> String {
        self.0.push_str("\n}");
        self.0
    }
}

/// `text` as a JSON string.
fn quoted(text: &str) -> String {
    let mut json = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            c if c < ' ' => {
                let _ = write!(json, "\\u{:04x}", u32::from(c));
            }
            c => json.push(c),
        }
    }
    json.push('"');
    json
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn text_is_escaped() {
        assert_eq!(quoted("a \"b\"\\c\n\t€"), r#""a \"b\"\\c\n\u0009€""#);
    }
}
