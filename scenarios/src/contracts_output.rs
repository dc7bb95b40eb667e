//! The contracts, checked: a table, or the message of one that is broken.

use crate::arguments::Contracts as Asked;
use crate::{EXIT_SOUND, EXIT_UNSOUND, progress_bar, unknown_name};
use highwater::__private::wrapped_to;
use highwater_reports::fitted::{self, Column, Row};
use highwater_scenarios::{CONTRACTS, Contract, Twin};
use std::fmt::Write as _;
use std::panic;

struct Checked {
    contract: &'static Contract,
    outcome: Result<String, String>,
}

/// What came of those that were asked for, and the exit code.
pub(crate) fn report(asked: &Asked) -> Result<(String, u8), String> {
    let find = |id: &String| Contract::find(id).ok_or_else(|| unknown(id));
    let mut contracts: Vec<_> = asked.ids.iter().map(find).collect::<Result<_, _>>()?;
    if contracts.is_empty() {
        contracts.extend(CONTRACTS);
    }
    let twin = if asked.leaky {
        Twin::Leaky
    } else {
        Twin::Sound
    };
    let checked = check(&contracts, twin);
    let holds = checked.iter().all(|checked| checked.outcome.is_ok());
    let text = match &checked[..] {
        [one] => whole(one),
        several => table(several, asked.leaky),
    };
    Ok((text, if holds { EXIT_SOUND } else { EXIT_UNSOUND }))
}

fn check(contracts: &[&'static Contract], twin: Twin) -> Vec<Checked> {
    let bar = progress_bar(contracts.len() as u64);
    // Their messages are in what is returned.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let mut checked = Vec::new();
    for contract in contracts {
        bar.set_message(contract.id);
        let outcome = contract.check(twin);
        checked.push(Checked { contract, outcome });
        bar.inc(1);
    }
    panic::set_hook(hook);
    bar.finish_and_clear();
    checked
}

/// All that is known of one.
fn whole(checked: &Checked) -> String {
    let Contract {
        by, what, defect, ..
    } = checked.contract;
    let told = match &checked.outcome {
        Ok(found) => format!("`{}` holds: {found}", checked.contract.id),
        Err(message) => message.trim_end().to_owned(),
    };
    let what = format!("contract: {what} ({by})");
    let defect = format!("leaky twin: {defect}");
    let [what, defect] = [what, defect].map(|line| wrapped_to(&line, 0, fitted::width()));
    format!("{told}\n\n{what}{defect}")
}

/// A line or two for each.
fn table(checked: &[Checked], is_leaky: bool) -> String {
    let columns = [
        Column::new("contract", false, 0),
        Column::new("stated by", false, 1),
        Column::new("outcome", false, 0),
    ];
    let row = |checked: &Checked| {
        let (outcome, text) = match &checked.outcome {
            Ok(found) => ("holds", found.clone()),
            Err(message) => ("broken", beginning(message)),
        };
        let cells = [checked.contract.id, checked.contract.by, outcome];
        Row {
            cells: cells.map(str::to_owned).to_vec(),
            text,
        }
    };
    let rows: Vec<_> = checked.iter().map(row).collect();
    let mut text = fitted::table(&columns, &rows, fitted::width());
    let held = checked.iter().filter(|checked| checked.outcome.is_ok());
    let held = held.count();
    let _ = writeln!(text, "\n{held} of {} contracts hold", checked.len());
    if held < checked.len() {
        let leaky = if is_leaky { " --leaky" } else { "" };
        let _ = writeln!(
            text,
            "`cargo run --release -- contracts ID{leaky}` shows the message of one"
        );
    }
    text
}

/// A message's first line, and a mark that there is more.
fn beginning(message: &str) -> String {
    let mut lines = message.lines();
    let first = lines.next().unwrap_or_default();
    let more = if lines.next().is_some() { " …" } else { "" };
    format!("{first}{more}")
}

fn unknown(id: &str) -> String {
    unknown_name("contract", id, &CONTRACTS.map(|contract| contract.id))
}
