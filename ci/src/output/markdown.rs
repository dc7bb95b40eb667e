//! Markdown for a comment on a pull request, or for the summary of a CI job.

use crate::outcome::{Comparison, Outcome, Part, Status};
use highwater::__private::sparkline;
use highwater_reports::page::short_hash;
use highwater_reports::visible::is_hidden;

/// What a comment may have, with room to spare: GitHub takes 65,536 characters.
const LONGEST: usize = 60_000;

/// The worst in one sentence; how many there are of each; a table of what changed; the details
/// and the names of the rest, folded. What would make it longer than a comment may be is
/// counted and left out.
///
/// Whatever the judged code may have written stands between backticks, where nothing is
/// markup, a link or a mention.
pub fn render(outcome: &Outcome) -> String {
    let base = outcome.base.as_ref().map(|base| {
        let commit = short_hash(&base.commit);
        format!(
            ", compared with {} ({})",
            code(&base.revision),
            code(commit)
        )
    });
    let mark = if outcome.exit_code == 0 { "✅" } else { "❌" };
    let headline = outcome.headline().into_iter().map(|part| match part {
        Part::Words(text) => text,
        Part::Theirs(text) => code(&text),
    });
    let mut text = format!(
        "**Memory** {mark} {}\n\n{}{}\n",
        headline.collect::<String>(),
        outcome.counts(),
        base.unwrap_or_default()
    );
    for note in &outcome.notes {
        text.push_str(&format!("\n> {}\n", code(note)));
    }
    if let Some(next) = outcome.next_step() {
        text.push_str(&format!("\n{next}\n"));
    }
    let changed: Vec<_> = outcome.changed().collect();
    if !changed.is_empty() {
        text.push_str("\n| | scenario | what changed | live memory |\n|---|---|---|---|\n");
        let rows = changed.iter().map(|comparison| row(comparison));
        push_what_fits(&mut text, rows, "| | and {} more | | |\n");
        push_what_fits(
            &mut text,
            changed.iter().filter_map(|comparison| details(comparison)),
            "\n{} more have details in the job's artefact.\n",
        );
    }
    let same = outcome.scenarios.iter().filter(|c| !c.is_changed());
    let names: Vec<_> = same.map(|c| code(&c.scenario)).collect();
    let list = format!(
        "\n<details><summary>{} without a change</summary>\n\n{}\n\n</details>\n",
        names.len(),
        names.join(", ")
    );
    if !names.is_empty() && text.len() + list.len() <= LONGEST {
        text.push_str(&list);
    }
    text
}

/// Adds the `parts` that there is room for, and how many there was none for.
fn push_what_fits(text: &mut String, parts: impl Iterator<Item = String>, rest: &str) {
    let mut left_out = 0;
    for part in parts {
        if text.len() + part.len() <= LONGEST {
            text.push_str(&part);
        } else {
            left_out += 1;
        }
    }
    if left_out > 0 {
        text.push_str(&rest.replace("{}", &left_out.to_string()));
    }
}

fn row(comparison: &Comparison) -> String {
    let changes = comparison.changes.iter().map(|change| {
        let change_text = cell(&change.to_string());
        if change.blocks {
            format!("**{change_text}**")
        } else {
            change_text
        }
    });
    let location = comparison.place().map(|location| {
        let location = format!("{}:{}", location.file, location.line);
        format!("<br>{}", cell(&location))
    });
    let location = location.unwrap_or_default();
    let failures = comparison
        .failures
        .iter()
        .map(|f| format!("**{}**", cell(f)));
    let notes = comparison.notes.iter().map(|note| cell(note));
    let sites = comparison.sites.iter();
    let sites = sites.map(|site| cell(&site.to_string()));
    let ranges = comparison.ranges.iter();
    let ranges = ranges.map(|range| cell(&range.to_string()));
    let lines: Vec<_> = failures
        .chain(changes.take(SHOWN))
        .chain(ranges.take(SHOWN))
        .chain(sites)
        .chain(notes)
        .collect();
    format!(
        "| {} {} | {}{location} | {} | {} |\n",
        mark(comparison.status),
        comparison.status.word(),
        cell(&comparison.scenario),
        lines.join("<br>"),
        curves(comparison)
    )
}

/// How many changes of one scenario the table shows; the details have them all.
const SHOWN: usize = 4;

fn mark(status: Status) -> &'static str {
    match status {
        Status::Failed | Status::Regression => "🔴",
        Status::Improvement => "🟢",
        Status::Same | Status::Varies => "⚪",
        Status::Unsteady | Status::Accepted | Status::New | Status::Gone | Status::Changed => "🟡",
    }
}

/// The base's curve and this one's, on one scale.
fn curves(comparison: &Comparison) -> String {
    let (before, after) = (&comparison.curve_before, &comparison.curve);
    let lines = [sparkline(before, after), sparkline(after, before)];
    let lines: Vec<_> = lines
        .into_iter()
        .filter(|l| !l.is_empty())
        .map(|l| code(&l))
        .collect();
    lines.join("<br>")
}

fn details(comparison: &Comparison) -> Option<String> {
    if comparison.changes.len() <= SHOWN {
        return None;
    }
    let mut text = format!(
        "\n<details><summary>{}: all that changed</summary>\n\n\
         | figure | before | after | difference |\n|---|--:|--:|--:|\n",
        html(&comparison.scenario)
    );
    for change in &comparison.changes {
        text.push_str(&format!(
            "| {} | {} | {} | {} |\n",
            change.name(),
            figure(&change.before()),
            figure(&change.after()),
            figure(&change.difference())
        ));
    }
    Some(text + "\n</details>\n")
}

/// Text between backticks that ends no cell and no code. Nothing that hides is left in it.
fn code(text: &str) -> String {
    let safe = text.chars().map(|character| match character {
        '`' => '\'',
        hidden if is_hidden(hidden) => ' ',
        other => other,
    });
    let safe = safe.collect::<String>();
    let trimmed = safe.trim();
    format!("`{}`", if trimmed.is_empty() { "?" } else { trimmed })
}

/// The same in a table, where a bar ends a cell, between backticks too.
fn cell(text: &str) -> String {
    code(text).replace('|', "\\|")
}

/// A figure in a table, which may be a word; nothing if there is none.
fn figure(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        cell(text)
    }
}

/// The same between tags.
fn html(text: &str) -> String {
    let visible = text.chars().map(|c| if is_hidden(c) { ' ' } else { c });
    let text: String = visible.collect();
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    format!("<code>{}</code>", text.replace('>', "&gt;"))
}
