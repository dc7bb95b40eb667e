//! Findings, as a person and as a machine reads them.

use crate::arguments::{Findings as Asked, Format};
use crate::{table, unknown};
use highwater::__private::wrapped_to;
use highwater_reports::fitted;
use highwater_scenarios::{Entry, Findings, SCENARIOS};
use std::fmt::Write as _;

/// The findings of the scenarios that were asked for.
pub(crate) fn text(asked: &Asked) -> Result<String, String> {
    let mut entries: Vec<&'static Entry> = Vec::new();
    for id in &asked.ids {
        let entry = Entry::find(id).ok_or_else(|| unknown(id))?;
        if entry.findings.is_none() {
            return Err(format!("`{id}` has no findings; {}", with_findings()));
        }
        entries.push(entry);
    }
    if entries.is_empty() {
        entries.extend(SCENARIOS);
    }
    let tables = entries
        .into_iter()
        .filter_map(|entry| Some((entry.id, (entry.findings?)())));
    let tables: Vec<_> = tables.collect();
    Ok(match asked.format {
        Format::Text => tables.iter().map(for_people).collect(),
        Format::Json => for_machines(&tables),
    })
}

fn with_findings() -> String {
    let ids = SCENARIOS
        .into_iter()
        .filter(|entry| entry.findings.is_some())
        .map(|entry| entry.id);
    let ids: Vec<_> = ids.collect();
    format!("these have: {}", ids.join(", "))
}

fn for_people((id, tables): &(&str, Vec<Findings>)) -> String {
    let mut text = String::new();
    for found in tables {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "{id}: {}\n{}", found.title, table::findings(found));
        for note in &found.notes {
            text.push_str(&wrapped_to(note, 0, fitted::width()));
        }
        text.push('\n');
    }
    text
}

fn for_machines(tables: &[(&str, Vec<Findings>)]) -> String {
    let tables = tables.iter().flat_map(|(id, tables)| {
        tables.iter().map(move |found| {
            serde_json::json!({
                "schema": 1,
                "scenario": id,
                "title": found.title,
                "header": found.header,
                "rows": found.rows,
                "notes": found.notes,
            })
        })
    });
    format!("{:#}\n", serde_json::Value::Array(tables.collect()))
}
