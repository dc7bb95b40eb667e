//! How hypotheses that were tested read, side by side.

use super::{Expected, Memory, Tested};
use crate::findings::{signed_bytes, thousands};
use highwater_reports::fitted::{self, Column, Row};
use serde_json::Value;
use std::fmt;

/// The columns. All of them have room.
const COLUMNS: [Column<'_>; 5] = [
    Column::new("hypothesis", false, 0),
    Column::new("priority", false, 0),
    Column::new("effect", true, 0),
    Column::new("valid if", true, 0),
    Column::new("verdict", false, 0),
];

/// How wide it is, on every terminal.
const WIDTH: usize = 80;

/// Hypotheses that were tested, in order.
///
/// Its `Display` form is a table that is the same on every run: exact effects as they
/// are, and of resident memory only on which side of the threshold it came to lie.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Register(Vec<Tested>);

impl Register {
    /// All that is in it.
    pub fn tested(&self) -> &[Tested] {
        &self.0
    }

    /// The register as a JSON object, pretty-printed, without a final newline.
    pub fn to_json(&self) -> String {
        let tested = self.0.iter().map(|tested| tested.to_json());
        let tested: Vec<_> = tested.map(|json| format!("\n    {json}")).collect();
        let end = if tested.is_empty() { "" } else { "\n  " };
        let list = tested.join(",");
        format!("{{\n  \"schema\": 1,\n  \"hypotheses\": [{list}{end}]\n}}")
    }
}

impl FromIterator<Tested> for Register {
    fn from_iter<I: IntoIterator<Item = Tested>>(tested: I) -> Self {
        Self(tested.into_iter().collect())
    }
}

impl fmt::Display for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |tested: &Tested| Row {
            cells: vec![
                tested.hypothesis.id.to_owned(),
                tested.hypothesis.priority.to_string(),
                tested.effect_text(),
                tested.hypothesis.expected.to_string(),
                tested.verdict().to_owned(),
            ],
            text: tested.hypothesis.claim.to_owned(),
        };
        let rows: Vec<_> = self.0.iter().map(row).collect();
        f.write_str(&fitted::table(&COLUMNS, &rows, WIDTH))?;
        let valid = self
            .0
            .iter()
            .filter(|tested| tested.is_valid() == Some(true));
        let [valid, all] = [valid.count(), self.0.len()].map(|count| thousands(count as u64));
        writeln!(f, "{valid} of {all} valid")
    }
}

impl Tested {
    fn verdict(&self) -> &'static str {
        match self.is_valid() {
            Some(true) => "valid",
            Some(false) => "invalid",
            None => "not measured",
        }
    }

    /// The effect, for a table that is the same on every run: of a figure that varies,
    /// only on which side of the threshold it lies.
    fn effect_text(&self) -> String {
        let expected = self.hypothesis.expected;
        match (self.effect_bytes, self.hypothesis.memory) {
            (None, _) => String::from("not measured"),
            (Some(effect), Memory::Live) => signed_bytes(effect),
            (Some(effect), Memory::Resident) => match (expected, expected.is_met_by(effect)) {
                (_, true) => expected.to_string(),
                (Expected::AtLeast(threshold), false) => format!("below {threshold}"),
                (Expected::AtMost(threshold), false) => format!("above {threshold}"),
            },
        }
    }

    fn to_json(self) -> String {
        let hypothesis = self.hypothesis;
        let figure = match hypothesis.memory {
            Memory::Live => "live",
            Memory::Resident => "resident",
        };
        format!(
            "{{\"id\": {}, \"claim\": {}, \"priority\": \"{}\", \"figure\": \"{figure}\", \
             \"varies\": {}, \"effect_bytes\": {}, \"expected\": \"{}\", \
             \"threshold_bytes\": {}, \"valid\": {}}}",
            Value::from(hypothesis.id),
            Value::from(hypothesis.claim),
            hypothesis.priority,
            hypothesis.memory == Memory::Resident,
            Value::from(self.effect_bytes),
            hypothesis.expected.words(),
            hypothesis.expected.threshold().bytes(),
            Value::from(self.is_valid()),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{LEAST, MOST, tested};
    use super::super::{Hypothesis, Memory};
    use super::Register;

    #[test]
    fn a_register_reads_as_a_table() {
        let resident = |hypothesis: Hypothesis| hypothesis.about(Memory::Resident);
        let register: Register = [
            tested(LEAST, 1_234_567),
            tested(MOST, 1_001),
            tested(resident(LEAST), 123_456),
            tested(resident(MOST), 1_234),
            tested(resident(MOST), None),
        ]
        .into_iter()
        .collect();
        assert_eq!(
            register.to_string(),
            "hypothesis  priority         effect       valid if  verdict\n\
             A1          high        1,234,567 B  at least 1 KB  valid\n\
             \x20 the factor matters\n\
             A2          low             1,001 B   at most 1 KB  invalid\n\
             \x20 the factor is \"free\"\n\
             A1          high      at least 1 KB  at least 1 KB  valid\n\
             \x20 the factor matters\n\
             A2          low          above 1 KB   at most 1 KB  invalid\n\
             \x20 the factor is \"free\"\n\
             A2          low        not measured   at most 1 KB  not measured\n\
             \x20 the factor is \"free\"\n\
             2 of 5 valid\n"
        );
    }

    #[test]
    fn a_register_as_json() {
        let register: Register = [
            tested(MOST, -7),
            tested(LEAST.about(Memory::Resident), None),
        ]
        .into_iter()
        .collect();
        assert_eq!(
            register.to_json(),
            "{\n  \"schema\": 1,\n  \"hypotheses\": [\n    \
             {\"id\": \"A2\", \"claim\": \"the factor is \\\"free\\\"\", \"priority\": \"low\", \
             \"figure\": \"live\", \"varies\": false, \"effect_bytes\": -7, \
             \"expected\": \"at most\", \"threshold_bytes\": 1000, \"valid\": true},\n    \
             {\"id\": \"A1\", \"claim\": \"the factor matters\", \"priority\": \"high\", \
             \"figure\": \"resident\", \"varies\": true, \"effect_bytes\": null, \
             \"expected\": \"at least\", \"threshold_bytes\": 1000, \"valid\": null}\n  ]\n}"
        );
    }
}
