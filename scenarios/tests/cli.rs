//! The program as its users run it: what it prints, where, and its exit codes.

#![forbid(unsafe_code)]

use rstest::rstest;
use serde_json::Value;
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::RwLock;
use tempfile::TempDir;

const IDS: [&str; 15] = [
    "candles-10k",
    "sessions-10k",
    "trades-1k",
    "pattern-unbounded-list",
    "pattern-cycle",
    "pattern-global-cache",
    "ohlcv-store",
    "open-interest",
    "periodic-cleanup",
    "ml-collector",
    "feature-history",
    "cleanup-cadence",
    "stop-releases",
    "tail-watcher",
    "aggregator",
];

/// A copy of the program in a directory of its own, so that what it writes lands
/// in there and nowhere else.
struct Place(TempDir);

/// Held for writing while a program is copied, for reading while one is started:
/// a child that is started meanwhile would have the copy open for writing for a
/// moment, and what is open for writing cannot be run.
static COPYING: RwLock<()> = RwLock::new(());

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let program = env!("CARGO_BIN_EXE_highwater-scenarios");
        let copying = COPYING.write();
        fs::copy(program, directory.path().join("program")).expect("the program is copied");
        drop(copying);
        Self(directory)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(arguments, "HIGHWATER_SITES", "on-failure".as_ref())
    }

    /// With this variable set.
    fn run_with(&self, arguments: &[&str], variable: &str, value: &OsStr) -> Output {
        let mut command = Command::new(self.path().join("program"));
        command.args(arguments).current_dir(self.path());
        command.env(variable, value);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let starting = COPYING.read();
        let child = command.spawn().expect("the program runs");
        drop(starting);
        child.wait_with_output().expect("the program ends")
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).expect("the input is written");
    }

    /// Standard output with this place's path taken out.
    fn stdout(&self, output: &Output) -> String {
        self.redacted(&output.stdout)
    }

    fn stderr(&self, output: &Output) -> String {
        self.redacted(&output.stderr)
    }

    fn redacted(&self, bytes: &[u8]) -> String {
        let place = self.path().display().to_string();
        String::from_utf8_lossy(bytes).replace(&place, "[place]")
    }

    fn wrote_anything(&self) -> bool {
        self.path().join("target").exists()
    }
}

fn json(output: &Output) -> Vec<Value> {
    serde_json::from_slice(&output.stdout).expect("a JSON array")
}

#[test]
fn without_arguments_all_scenarios_run_and_pass() {
    let place = Place::new();
    let output = place.run(&[]);
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!(place.stdout(&output));
    assert_eq!(place.stderr(&output), "");
    for id in IDS {
        let file = format!("target/highwater/{id}.json");
        let text = fs::read_to_string(place.path().join(file)).expect("the report was written");
        let report: Value = serde_json::from_str(&text).expect("it is JSON");
        assert_eq!(report["name"], id);
    }
}

#[test]
fn the_leaky_twins_are_all_caught() {
    let place = Place::new();
    let output = place.run(&["run", "--leaky"]);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(place.stdout(&output));
}

#[test]
fn list_and_show() {
    let place = Place::new();
    insta::assert_snapshot!("list", place.stdout(&place.run(&["list"])));
    assert!(!place.wrote_anything());
    let sound = place.run(&["show", "pattern-cycle"]);
    assert_eq!(sound.status.code(), Some(0));
    insta::assert_snapshot!("show", place.stdout(&sound));
    let leaky = place.run(&["show", "pattern-cycle", "--leaky"]);
    assert_eq!(leaky.status.code(), Some(1));
    // Call stacks differ between debug and release; the table of cases has them.
    let shown = place.stdout(&leaky);
    let (figures, sites) = shown.split_once("\nsites, by ").expect("sites");
    let (sites, rest) = sites.split_once("\n\n").expect("an end of them");
    insta::assert_snapshot!("show-leaky", format!("{figures}\n{rest}"));
    assert!(
        sites.contains("patterns::family  fixtures/src/patterns.rs:"),
        "{sites}"
    );
}

/// The files that other programs open, as far as they are in their own formats.
#[test]
fn repro_writes_what_other_programs_open() {
    let place = Place::new();
    let id = "pattern-unbounded-list";
    let output = place.run(&["repro", id, "--leaky", "--steps", "2000"]);
    assert_eq!(output.status.code(), Some(1), "{}", place.stderr(&output));
    let printed = place.stdout(&output);
    // Call stacks differ between debug and release.
    let (figures, rest) = printed.split_once("\nsites, by growth").expect("sites");
    let (sites, rest) = rest.split_once("\n\n").expect("an end of them");
    assert!(sites.starts_with(" over 2,000 steps: +98,304 B in all, all of it explained\n"));
    // Flame graphs are there in some builds only.
    let rest: String = rest
        .lines()
        .filter(|line| !line.contains("flame graph"))
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n")
        .collect();
    insta::assert_snapshot!("repro", format!("{figures}\n{rest}"));
    let directory = place
        .path()
        .join(format!("target/highwater/repro/{id}@leaky"));
    let file = |name: &str| fs::read(directory.join(name)).expect("it was written");
    let dhat: Value = serde_json::from_slice(&file("dhat.json")).expect("JSON");
    assert_eq!(dhat["mode"], "rust-heap");
    assert_eq!(
        (&dhat["te"], &dhat["pps"][0]["eb"]),
        (&2_000.into(), &98_304.into())
    );
    assert_eq!(dhat["pps"][0]["gb"], 98_304);
    assert!(file("pprof.pb.gz").starts_with(&[0x1f, 0x8b]));
    let page = String::from_utf8(file("index.html")).expect("a text");
    assert!(
        page.starts_with("<!DOCTYPE html>") && page.contains("+98,304 B"),
        "{page}"
    );
    if cfg!(feature = "flamegraph") {
        for name in ["peak.svg", "growth.svg"] {
            let graph = String::from_utf8(file(name)).expect("a text");
            assert!(
                graph.contains("<title>all (98,304 bytes, 100%)</title>"),
                "{graph}"
            );
        }
    }
}

#[test]
fn repro_of_what_is_sound_has_call_stacks_too() {
    let place = Place::new();
    let output = place.run(&["repro", "trades-1k", "--steps", "200"]);
    assert_eq!(output.status.code(), Some(0), "{}", place.stderr(&output));
    let printed = place.stdout(&output);
    assert!(
        printed.starts_with("memory scenario `trades-1k` passed\n"),
        "{printed}"
    );
    assert!(
        printed.contains("\nsites, by growth over 200 steps: +1,775 B"),
        "{printed}"
    );
}

#[test]
fn repro_without_call_stacks_says_what_they_need() {
    let place = Place::new();
    let output = place.run_with(&["repro", "trades-1k"], "HIGHWATER_SITES", "never".as_ref());
    assert_eq!(output.status.code(), Some(2));
    let printed = place.stdout(&output);
    assert!(
        printed.starts_with("memory scenario `trades-1k` passed\n"),
        "{printed}"
    );
    let message = "error: the report of `trades-1k` has no call stacks: they are taken on Linux \
                   on x86-64, with the feature `diagnosis` of highwater, which is on by default, \
                   and unless HIGHWATER_SITES is `never`\n";
    assert_eq!(place.stderr(&output), message);
    assert!(!place.path().join("target/highwater/repro").exists());
}

/// What is measured is the same on every run, but for times.
#[test]
fn findings_of_the_tail_watcher() {
    let place = Place::new();
    let output = place.run(&["findings", "tail-watcher"]);
    assert_eq!(output.status.code(), Some(0), "{}", place.stderr(&output));
    let found = place.stdout(&output);
    let (figures, times) = found
        .split_once("tail-watcher: taking 1,000 lines")
        .expect("the table of times is the last");
    insta::assert_snapshot!("findings-tail-watcher", figures);
    assert_eq!(times.matches("varies from run to run").count(), 1);
    assert!(!place.wrote_anything());
}

/// A line without the figure that differs from run to run.
fn without_resident(line: &str) -> &str {
    let figures = ["resident memory (varies)", "C4.8 moved resident memory by"];
    let known = figures
        .into_iter()
        .find(|known| line.trim_start().starts_with(known));
    known.unwrap_or(line)
}

fn the_same_each_time(text: &str) -> String {
    text.lines()
        .map(without_resident)
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn findings_of_the_aggregator() {
    let place = Place::new();
    let output = place.run(&["findings", "aggregator"]);
    assert_eq!(output.status.code(), Some(0));
    let text = place.stdout(&output);
    assert!(text.contains("\n resident memory (varies) "), "{text}");
    insta::assert_snapshot!("findings-aggregator", the_same_each_time(&text));
}

#[test]
fn hypotheses_are_tested() {
    let place = Place::new();
    let output = place.run(&["hypotheses"]);
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!("hypotheses", the_same_each_time(&place.stdout(&output)));
    let output = place.run(&["hypotheses", "C4.7", "C4.8", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0));
    let register: Value = serde_json::from_slice(&output.stdout).expect("a JSON object");
    let tested = register["hypotheses"].as_array().expect("a list");
    let ids: Vec<_> = tested.iter().map(|one| &one["id"]).collect();
    assert_eq!(ids, ["C4.7", "C4.8"]);
    assert_eq!(
        (&tested[0]["valid"], &tested[0]["effect_bytes"]),
        (&false.into(), &0.into())
    );
    assert_eq!(
        (&tested[1]["valid"], &tested[1]["varies"]),
        (&true.into(), &true.into())
    );
    assert!(!place.wrote_anything());
}

#[test]
fn json_is_the_same_on_every_run() {
    let place = Place::new();
    let first = place.run(&["run", "--format", "json"]);
    assert_eq!(first.status.code(), Some(0));
    assert_eq!(first.stdout, place.run(&["run", "--format", "json"]).stdout);
    let reports = json(&first);
    let names: Vec<_> = reports.iter().map(|report| &report["name"]).collect();
    assert_eq!(names, IDS);
    for report in &reports {
        assert_eq!(report["verdict"], "bounded");
        assert_eq!(report["breaches"], Value::Array(Vec::new()));
        for figure in [
            "steps",
            "growth_bytes",
            "peak_bytes",
            "residue_bytes",
            "live_blocks",
            "total_bytes",
            "total_blocks",
        ] {
            assert!(report[figure].is_u64(), "{figure} of {}", report["name"]);
        }
        let curve = report["curve"].as_array().expect("a curve");
        let requested = report["steps"].as_u64();
        assert!(
            curve
                .iter()
                .any(|point| point["step"].as_u64() == requested)
        );
        assert!(
            curve
                .iter()
                .all(|p| p["live_bytes"].is_u64() && p["live_blocks"].is_u64())
        );
    }
}

#[test]
fn json_of_the_leaky_twins_names_their_breaches() {
    let place = Place::new();
    let output = place.run(&["run", "--leaky", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let reports = json(&output);
    assert_eq!(reports.len(), IDS.len());
    let is_caught = |report: &Value| {
        report["verdict"] == "growing" || report["breaches"] != Value::Array(Vec::new())
    };
    assert!(reports.iter().all(is_caught));
    let breach = &reports[4]["breaches"][0];
    assert_eq!(breach["ceiling"], "growth");
    assert_eq!(
        (&breach["limit"], &breach["actual"]),
        (&0.into(), &412_000.into())
    );
}

/// Where the collector's files are has no part in what it allocates, and none of them
/// is left over.
#[test]
fn the_temporary_folder_changes_no_figure() {
    let place = Place::new();
    let folders = ["t".to_owned(), "a-long-name-".repeat(15)];
    let outputs = folders.map(|folder| {
        let folder = place.path().join(folder);
        fs::create_dir(&folder).expect("the folder is made");
        let arguments = ["run", "ml-collector", "stop-releases", "--format", "json"];
        let output = place.run_with(&arguments, "TMPDIR", folder.as_ref());
        assert_eq!(output.status.code(), Some(0), "{}", place.stderr(&output));
        let mut left = fs::read_dir(&folder).expect("the folder is there");
        assert!(left.next().is_none());
        place.stdout(&output)
    });
    assert_eq!(outputs[0], outputs[1]);
}

#[test]
fn findings_of_the_collector() {
    let place = Place::new();
    let exact = place.run(&["findings", "ml-collector"]);
    assert_eq!(exact.status.code(), Some(0));
    insta::assert_snapshot!("findings-ml-collector", place.stdout(&exact));

    let stop = json(&place.run(&["findings", "stop-releases", "--format", "json"]));
    let rows = stop[0]["rows"].as_array().expect("rows");
    // Those of the process vary from run to run.
    let (vary, exact): (Vec<_>, Vec<_>) = rows
        .iter()
        .partition(|row| row[0].as_str().is_some_and(|name| name.ends_with('*')));
    assert_eq!(vary.len(), 3);
    let figures: Vec<_> = exact
        .iter()
        .map(|row| [&row[0], &row[1], &row[3]])
        .collect();
    assert_eq!(
        figures,
        [
            ["live before stop", "31.6 MB", "31.6 MB"],
            ["live after stop", "31.6 MB", "0 B"],
            ["released by stop", "12.5 KB", "31.6 MB"],
        ]
    );
}

#[test]
fn a_selection_runs_once_each_and_in_order() {
    let place = Place::new();
    let ids = [
        "run",
        "trades-1k",
        "candles-10k",
        "trades-1k",
        "--steps",
        "100",
    ];
    let reports = json(&place.run(&[&ids[..], &["--format", "json"]].concat()));
    let seen: Vec<_> = reports.iter().map(|r| (&r["name"], &r["steps"])).collect();
    assert_eq!(
        seen,
        [
            (&"trades-1k".into(), &100.into()),
            (&"candles-10k".into(), &100.into())
        ]
    );
}

#[test]
fn no_steps_measure_set_up_and_drop() {
    let place = Place::new();
    let output = place.run(&["run", "sessions-10k", "--steps", "0", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0));
    let report = &json(&output)[0];
    assert_eq!(
        (&report["steps"], &report["growth_bytes"]),
        (&0.into(), &0.into())
    );
    assert_eq!(report["verdict"], "inconclusive");
    assert!(report["peak_bytes"].as_u64() > Some(0));
}

#[test]
fn findings_of_the_market_data_store() {
    let place = Place::new();
    let output = place.run(&[
        "findings",
        "ohlcv-store",
        "open-interest",
        "periodic-cleanup",
    ]);
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!(place.stdout(&output));
}

/// Three days of minutes in the three formats that candles come in.
fn candles(format: &str) -> String {
    let header = "open_time,open,high,low,close,volume\n";
    let mut text = String::from(if format == "iso" { header } else { "" });
    for minute in 0..4_320_u64 {
        let price = 23_000 + minute % 500;
        let prices = format!("{price}.5,{}.75,{}.25,{price}", price + 1, price - 1);
        let time_ms = 1_677_628_800_000 + minute * 60_000;
        let (day, hour, minute) = (1 + minute / 1_440, minute / 60 % 24, minute % 60);
        text.push_str(&match format {
            "iso" => format!("2023-03-{day:02} {hour:02}:{minute:02}:00+00:00,{prices},2.5\n"),
            "ms" => format!(
                "{time_ms},{prices},2.5,{},57500,10,1.2,27600,0\n",
                time_ms + 59_999
            ),
            _ => format!(
                "{time_ms}000,{prices},2.5,{}999,57500,10,1.2,27600,0\n",
                time_ms + 59_999
            ),
        });
    }
    text
}

#[test]
fn every_candle_format_gives_the_same_run() {
    let place = Place::new();
    let mut outputs = ["iso", "ms", "us"].map(|format| {
        place.write(format, &candles(format));
        let output = place.run(&[
            "run",
            "candles-10k",
            "pattern-global-cache",
            "ohlcv-store",
            "open-interest",
            "periodic-cleanup",
            "--candles",
            format,
            "--format",
            "json",
        ]);
        assert_eq!(output.status.code(), Some(0), "{}", place.stderr(&output));
        output.stdout
    });
    outputs.sort_unstable();
    assert_eq!(outputs[0], outputs[2]);
}

#[test]
fn trades_come_from_a_file_too() {
    let place = Place::new();
    let rows: String = (0..10)
        .map(|i| {
            format!(
                "{i},{}.5,0.01,500,{},true,true\n",
                50_000 + i,
                1_700_000_000_000_u64 + i
            )
        })
        .collect();
    place.write("trades.csv", &rows);
    let output = place.run(&["run", "trades-1k", "--trades", "trades.csv"]);
    assert_eq!(output.status.code(), Some(0), "{}", place.stderr(&output));
}

const GOOD: &str = "open_time,open,high,low,close,volume\n\
    2023-03-01 00:00:00+00:00,23140.48,23150.77,23128.52,23142.31,2.131777\n";

#[rstest]
#[case::truncated("truncated.csv", &format!("{GOOD}2023-03-01 00:01:00+00:00,23143.89,23148.8\n"))]
#[case::letter("letter.csv", &format!("{GOOD}2023-03-01 00:01:00+00:00,23143.89,2314x.8,23137.61,23137.77,0.8\n"))]
#[case::high_below_low("high-below-low.csv", &format!("{GOOD}2023-03-01 00:01:00+00:00,23143.89,23100.8,23137.61,23137.77,0.8\n"))]
#[case::empty("empty.csv", "")]
#[case::header_only("header-only.csv", "open_time,open,high,low,close,volume\n")]
#[case::unknown("unknown.csv", "time;price\n1;2\n")]
fn a_bad_candle_file_is_refused(#[case] name: &str, #[case] text: &str) {
    let place = Place::new();
    place.write(name, text);
    let output = place.run(&["run", "candles-10k", "--candles", name]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(place.stdout(&output), "");
    assert!(!place.wrote_anything());
    insta::assert_snapshot!(name, place.stderr(&output));
}

#[rstest]
#[case::missing_file("missing-file", &["run", "--candles", "nowhere.csv"])]
#[case::unknown_scenario("unknown-scenario", &["run", "candles-10m"])]
#[case::unknown_hypothesis("unknown-hypothesis", &["hypotheses", "C4.9"])]
#[case::nobody_reads_candles("nobody-reads-candles", &["run", "sessions-10k", "--candles", "x.csv"])]
#[case::nobody_reads_trades("nobody-reads-trades", &["show", "sessions-10k", "--trades", "x.csv"])]
#[case::steps_no_number("steps-no-number", &["run", "--steps", "many"])]
#[case::unknown_format("unknown-format", &["run", "--format", "xml"])]
#[case::unknown_option("unknown-option", &["run", "--fast"])]
#[case::show_needs_an_id("show-needs-an-id", &["show"])]
#[case::repro_needs_an_id("repro-needs-an-id", &["repro"])]
#[case::repro_of_nothing_known("repro-of-nothing-known", &["repro", "candles-10m"])]
#[case::repro_proves_nothing("repro-proves-nothing", &["repro", "trades-1k", "--self-test"])]
fn bad_usage_is_refused(#[case] name: &str, #[case] arguments: &[&str]) {
    let place = Place::new();
    let output = place.run(arguments);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(place.stdout(&output), "");
    assert!(!place.wrote_anything());
    insta::assert_snapshot!(name, place.stderr(&output));
}
