//! Figures for services that follow them over time: Bencher, and the action
//! `benchmark-action/github-action-benchmark`.
//!
//! Both know a name and a number, and of memory that less is better. What is no amount of
//! memory, such as the number of steps, is left out.

use highwater_reports::figure::{Figure, Unit, figures};
use highwater_reports::report::Report;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::str::FromStr;

/// Who is to read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Bencher's Metric Format: <https://bencher.dev/docs/reference/bencher-metric-format>.
    Bencher,
    /// The tool `customSmallerIsBetter` of github-action-benchmark.
    GithubBenchmark,
}

/// A file to write, as it is asked for on the command line: `bencher=memory.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Who is to read it.
    pub format: Format,
    /// Where it goes.
    pub path: PathBuf,
}

impl FromStr for Export {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let format = match text.split_once('=') {
            Some(("bencher", _)) => Format::Bencher,
            Some(("github-benchmark", _)) => Format::GithubBenchmark,
            _ => {
                return Err("it is `bencher=FILE` or `github-benchmark=FILE`".to_owned());
            }
        };
        let path = text.split_once('=').map_or("", |(_, path)| path);
        if path.is_empty() {
            return Err("the file is missing behind `=`".to_owned());
        }
        Ok(Self {
            format,
            path: path.into(),
        })
    }
}

/// The figures of all reports as JSON.
pub fn render(reports: &[Report], format: Format) -> String {
    let value = match format {
        Format::Bencher => Value::Object(reports.iter().map(of_bencher).collect()),
        Format::GithubBenchmark => reports.iter().flat_map(of_github).collect(),
    };
    format!("{value:#}\n")
}

/// The amounts of memory, each with how far the true value may lie above.
fn amounts(report: &Report) -> impl Iterator<Item = (Figure, i64, i64)> {
    let figures = figures(report);
    let of = move |figure: Figure| figures.get(&figure).copied();
    let amounts = Figure::all().filter(|figure| figure.unit() != Unit::Steps && !figure.is_bound());
    amounts.filter_map(move |figure| {
        let bound = figure.bound().and_then(&of);
        Some((figure, of(figure)?, bound.unwrap_or(0)))
    })
}

/// A benchmark with its measures.
fn of_bencher(report: &Report) -> (String, Value) {
    let measures = amounts(report).map(|(figure, value, bound)| {
        let upper = value.saturating_add(bound);
        let measure = json!({"value": value, "lower_value": value, "upper_value": upper});
        (figure.key().to_owned(), measure)
    });
    let measures: Map<_, _> = measures.collect();
    (report.full_name(), Value::Object(measures))
}

/// A benchmark for each figure.
fn of_github(report: &Report) -> Vec<Value> {
    let scenario = report.full_name();
    let rows = amounts(report).map(|(figure, value, bound)| {
        let unit = match figure.unit() {
            Unit::Bytes => "B",
            Unit::Blocks | Unit::Steps => "blocks",
            Unit::Reallocations => "reallocations",
        };
        let mut row = json!({
            "name": format!("{scenario}: {}", figure.name()),
            "unit": unit,
            "value": value,
        });
        if bound > 0 {
            row["range"] = format!("+ {bound}").into();
        }
        row
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let text = include_str!("../../reports/tests/data/bounded.json");
        let mut report: Report = serde_json::from_str(text).expect("a report");
        report.peak_error_bytes = 16;
        report
    }

    #[test]
    fn for_bencher() {
        insta::assert_snapshot!(render(&[report()], Format::Bencher));
    }

    #[test]
    fn for_github() {
        insta::assert_snapshot!(render(&[report()], Format::GithubBenchmark));
    }

    #[test]
    fn what_is_asked_for() {
        let asked = "bencher=a=b.json".parse();
        let (format, path) = (Format::Bencher, "a=b.json".into());
        assert_eq!(asked, Ok(Export { format, path }));
        for text in ["bencher", "bencher=", "csv=a", ""] {
            assert!(text.parse::<Export>().is_err(), "{text}");
        }
    }
}
