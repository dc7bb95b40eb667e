//! The program as its users run it: what it prints, where, and its exit codes.

#![forbid(unsafe_code)]

mod sandbox;

use rstest::rstest;
use sandbox::{Sandbox, json};
use serde_json::Value;
use std::fs;

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

#[test]
fn without_arguments_all_scenarios_run_and_pass() {
    let sandbox = Sandbox::new();
    let output = sandbox.run(&[]);
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!(sandbox.stdout(&output));
    assert_eq!(sandbox.stderr(&output), "");
    for id in IDS {
        let file = format!("target/highwater/{id}.json");
        let text = fs::read_to_string(sandbox.path().join(file)).expect("the report was written");
        let report: Value = serde_json::from_str(&text).expect("it is JSON");
        assert_eq!(report["name"], id);
    }
}

#[test]
fn the_leaky_twins_are_all_caught() {
    let sandbox = Sandbox::new();
    let output = sandbox.run(&["run", "--leaky"]);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(sandbox.stdout(&output));
}

#[test]
fn list_and_show() {
    let sandbox = Sandbox::new();
    insta::assert_snapshot!("list", sandbox.stdout(&sandbox.run(&["list"])));
    assert!(!sandbox.wrote_anything());
    let sound = sandbox.run(&["show", "pattern-cycle"]);
    assert_eq!(sound.status.code(), Some(0));
    insta::assert_snapshot!("show", sandbox.stdout(&sound));
    let leaky = sandbox.run(&["show", "pattern-cycle", "--leaky"]);
    assert_eq!(leaky.status.code(), Some(1));
    // Call stacks differ between debug and release; the table of cases has them.
    let shown = sandbox.stdout(&leaky);
    let (figures, sites) = shown.split_once("\nsites, by ").expect("sites");
    let (sites, rest) = sites.split_once("\n\n").expect("an end of them");
    insta::assert_snapshot!("show-leaky", format!("{figures}\n{rest}"));
    assert!(
        sites.contains("patterns::family  fixtures/src/patterns.rs:"),
        "{sites}"
    );
}

#[test]
fn json_is_the_same_on_every_run() {
    let sandbox = Sandbox::new();
    let first = sandbox.run(&["run", "--format", "json"]);
    assert_eq!(first.status.code(), Some(0));
    assert_eq!(
        first.stdout,
        sandbox.run(&["run", "--format", "json"]).stdout
    );
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
    let sandbox = Sandbox::new();
    let output = sandbox.run(&["run", "--leaky", "--format", "json"]);
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
    let sandbox = Sandbox::new();
    let folders = ["t".to_owned(), "a-long-name-".repeat(15)];
    let outputs = folders.map(|folder| {
        let folder = sandbox.path().join(folder);
        fs::create_dir(&folder).expect("the folder is made");
        let arguments = ["run", "ml-collector", "stop-releases", "--format", "json"];
        let output = sandbox.run_with(&arguments, "TMPDIR", folder.as_ref());
        assert_eq!(output.status.code(), Some(0), "{}", sandbox.stderr(&output));
        let mut left = fs::read_dir(&folder).expect("the folder is there");
        assert!(left.next().is_none());
        sandbox.stdout(&output)
    });
    assert_eq!(outputs[0], outputs[1]);
}

#[test]
fn a_selection_runs_once_each_and_in_order() {
    let sandbox = Sandbox::new();
    let ids = [
        "run",
        "trades-1k",
        "candles-10k",
        "trades-1k",
        "--steps",
        "100",
    ];
    let reports = json(&sandbox.run(&[&ids[..], &["--format", "json"]].concat()));
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
    let sandbox = Sandbox::new();
    let output = sandbox.run(&["run", "sessions-10k", "--steps", "0", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1), "nothing was judged");
    let report = &json(&output)[0];
    assert_eq!(
        (&report["steps"], &report["growth_bytes"]),
        (&0.into(), &0.into())
    );
    assert_eq!(report["verdict"], "inconclusive");
    assert!(report["peak_bytes"].as_u64() > Some(0));
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
    let sandbox = Sandbox::new();
    let mut outputs = ["iso", "ms", "us"].map(|format| {
        sandbox.write(format, &candles(format));
        let output = sandbox.run(&[
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
        assert_eq!(output.status.code(), Some(0), "{}", sandbox.stderr(&output));
        output.stdout
    });
    outputs.sort_unstable();
    assert_eq!(outputs[0], outputs[2]);
}

#[test]
fn trades_come_from_a_file_too() {
    let sandbox = Sandbox::new();
    let rows: String = (0..10)
        .map(|i| {
            format!(
                "{i},{}.5,0.01,500,{},true,true\n",
                50_000 + i,
                1_700_000_000_000_u64 + i
            )
        })
        .collect();
    sandbox.write("trades.csv", &rows);
    let output = sandbox.run(&["run", "trades-1k", "--trades", "trades.csv"]);
    assert_eq!(output.status.code(), Some(0), "{}", sandbox.stderr(&output));
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
    let sandbox = Sandbox::new();
    sandbox.write(name, text);
    let output = sandbox.run(&["run", "candles-10k", "--candles", name]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(sandbox.stdout(&output), "");
    assert!(!sandbox.wrote_anything());
    insta::assert_snapshot!(name, sandbox.stderr(&output));
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
#[case::show_of_nothing_known("show-of-nothing-known", &["show", "nope"])]
#[case::repro_needs_an_id("repro-needs-an-id", &["repro"])]
#[case::repro_of_nothing_known("repro-of-nothing-known", &["repro", "candles-10m"])]
#[case::repro_proves_nothing("repro-proves-nothing", &["repro", "trades-1k", "--self-test"])]
fn bad_usage_is_refused(#[case] name: &str, #[case] arguments: &[&str]) {
    let sandbox = Sandbox::new();
    let output = sandbox.run(arguments);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(sandbox.stdout(&output), "");
    assert!(!sandbox.wrote_anything());
    insta::assert_snapshot!(name, sandbox.stderr(&output));
}
