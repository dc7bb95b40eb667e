//! What `highwater.toml` may say, and the words for what it may not.

use super::*;

fn report() -> Report {
    serde_json::from_str(include_str!("../../reports/tests/data/bounded.json")).expect("a report")
}

fn day(text: &str) -> Date {
    text.parse().expect("a date")
}

fn config(text: &str) -> Config {
    toml::from_str(text).expect("a configuration")
}

/// The ceilings and failures of the report above under a configuration.
fn applied(text: &str) -> (Vec<(String, u64)>, Vec<String>) {
    let mut report = report();
    config(text).apply(&mut report).expect("one entry");
    let ceilings = report.ceilings.into_iter().map(|c| (c.ceiling, c.limit));
    (ceilings.collect(), report.failures)
}

#[track_caller]
fn check_error(text: &str, expected: &str) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("highwater.toml");
    fs::write(&path, text).expect("a file in it");
    let error = Config::read(&path, day("2027-03-01"))
        .unwrap_err()
        .to_string();
    let prefix = format!("{}/", directory.path().display());
    assert_eq!(error.replace(&prefix, ""), expected);
}

#[test]
fn no_file_says_nothing() {
    let config =
        Config::read(Path::new("/there/is/none"), day("2027-03-01")).expect("nothing to refuse");
    assert!(config.entry("x").expect("no pattern").is_none());
    let names: Vec<_> = config.blocks().into_iter().map(Kind::name).collect();
    assert_eq!(names, ["growing", "ceiling", "growth", "peak"]);
}

#[test]
fn the_projects_ceilings_are_for_those_who_have_none() {
    let own = [("growth".to_owned(), 4_096), ("peak".to_owned(), 8_192)];
    let (ceilings, failures) = applied("[ceilings]\ngrowth = \"1 B\"\nresidue = \"0 B\"");
    assert_eq!(ceilings[..2], own);
    assert_eq!(ceilings[2..], [("residue".to_owned(), 0)]);
    assert!(failures.is_empty(), "equal passes");
    assert_eq!(applied("").0, own);
}

#[test]
fn a_scenarios_own_entry_goes_before_the_projects() {
    let all = "[ceilings]\nresidue = \"1 B\"\n";
    let lifted = format!("{all}[scenario.last-hundred]\nceilings = {{ residue = \"none\" }}");
    assert_eq!(applied(&lifted).0.len(), 2);
    // A promise beside that in the code: both are held.
    let stricter = format!("{all}[scenario.\"last-*\"]\nceilings = {{ growth = \"1,000 B\" }}");
    let (ceilings, failures) = applied(&stricter);
    assert_eq!(ceilings.len(), 4);
    assert_eq!(
        failures,
        ["growth: 1,024 B, 24 B above the ceiling of 1 KB in highwater.toml"]
    );
}

/// The last hundred numbers are kept in one vector; the report is of 10,000 steps.
#[test]
fn ceilings_on_a_step_are_for_its_average() {
    let step = "[ceilings]\nstep-blocks = 0\nstep-bytes = \"1 KiB\"";
    let (ceilings, failures) = applied(step);
    let set = [
        ("step bytes".to_owned(), 1_024),
        ("step blocks".to_owned(), 0),
    ];
    assert_eq!(ceilings[2..], set);
    assert_eq!(
        failures,
        ["step blocks: 1 in 10,000 steps, above the ceiling of 0 each in highwater.toml"]
    );
    let own = "[scenario.last-hundred]\nceilings = { step-blocks = \"none\" }";
    assert!(applied(&format!("{step}\n{own}")).1.is_empty());
}

/// The project's is for those that have a future; one for this scenario can't be held.
#[test]
fn ceilings_on_futures_are_for_async_scenarios() {
    let all = "[ceilings]\nfuture = \"1 KiB\"\n";
    assert_eq!(applied(all).0.len(), 2);
    assert!(applied(all).1.is_empty());
    let own = "[scenario.last-hundred]\nceilings = { future = \"1 KiB\" }";
    assert_eq!(
        applied(own).1,
        ["future: not measured, and there is a ceiling in highwater.toml"]
    );
    let mut report = report();
    report.future_bytes = Some(1_025);
    config(all).apply(&mut report).expect("one entry");
    assert_eq!(
        report.failures,
        ["future: 1,025 B, 1 B above the ceiling of 1 KiB in highwater.toml"]
    );
}

#[test]
fn a_name_goes_before_a_pattern_and_two_patterns_are_one_too_many() {
    let config = config(
        "[scenario.a]\n[scenario.\"a*\"]\nexpect-failure = \"p\"\n[scenario.\"*b\"]\n[scenario.c]",
    );
    let expects = |name: &str| {
        let entry = config.entry(name).expect("one").expect("an entry");
        entry.expect_failure.is_some()
    };
    assert!(!expects("a"));
    assert!(expects("ac"));
    assert_eq!(
        config.entry("ab").unwrap_err().to_string(),
        "highwater.toml: both `*b` and `a*` match the scenario `ab`; \
         give it an entry with its own name, or make the patterns narrower"
    );
    assert_eq!(config.unused(&["a", "ac"]), ["*b", "c"]);
}

#[test]
fn what_blocks_is_replaced() {
    let config = config("[gate]\nblocks = [\"live-blocks\", \"ceiling\"]");
    let names: Vec<_> = config.blocks().into_iter().map(Kind::name).collect();
    assert_eq!(names, ["ceiling", "live-blocks"]);
}

#[test]
fn ceilings_on_blocks_are_whole_numbers() {
    check_error(
        "[ceilings]\nstep-blocks = -1",
        "highwater.toml: TOML parse error at line 2, column 15
  |
2 | step-blocks = -1
  |               ^^
invalid value: integer `-1`, expected a whole number, or \"none\"",
    );
    check_error(
        "[ceilings]\nstep-blocks = \"1 B\"",
        "highwater.toml: TOML parse error at line 2, column 15
  |
2 | step-blocks = \"1 B\"
  |               ^^^^^
invalid value: string \"1 B\", expected a whole number, or \"none\"",
    );
}

#[test]
fn mistakes_are_named_with_line_and_column() {
    check_error(
        "[ceilings]\ngroth = \"1 MB\"",
        "highwater.toml: TOML parse error at line 2, column 1
  |
2 | groth = \"1 MB\"
  | ^^^^^
unknown field `groth`, expected one of `growth`, `peak`, `residue`, `step-bytes`, \
`step-blocks`, `future`",
    );
    check_error(
        "\n[ceilings]\npeak = \"64 Mib\"",
        "highwater.toml: TOML parse error at line 3, column 8
  |
3 | peak = \"64 Mib\"
  |        ^^^^^^^^
\"64 Mib\" is not a size: the unit is not known; write a number and one of B, KB, MB, GB, KiB, \
MiB, GiB, such as \"100 MB\" or \"64 MiB\", or \"none\"",
    );
    check_error(
        "[scenario.x]\ntolerance = { peak = \"4 KiB\" }",
        "highwater.toml: TOML parse error at line 2, column 13
  |
2 | tolerance = { peak = \"4 KiB\" }
  |             ^^^^^^^^^^^^^^^^^^
missing field `reason`",
    );
    check_error(
        "[scenario.x]\ntolerance = { peak = \"4 KiB\", reason = \" \" }",
        "highwater.toml: TOML parse error at line 2, column 40
  |
2 | tolerance = { peak = \"4 KiB\", reason = \" \" }
  |                                        ^^^
the reason is empty",
    );
    check_error(
        "[gate]\nblocks = [\"grwth\"]",
        "highwater.toml: TOML parse error at line 2, column 10
  |
2 | blocks = [\"grwth\"]
  |          ^^^^^^^^^
`grwth` cannot block; what can: growing, inconclusive, ceiling, law, growth, peak, residue, \
live, live-blocks, total, total-blocks, step-bytes, step-blocks, reallocations, future, \
stack",
    );
    check_error(
        "scenario = 3",
        "highwater.toml: TOML parse error at line 1, column 12
  |
1 | scenario = 3
  |            ^
invalid type: integer `3`, expected a map",
    );
    check_error(
        "[ceilings",
        "highwater.toml: TOML parse error at line 1, column 10
  |
1 | [ceilings
  |          ^
unclosed table, expected `]`",
    );
}

#[test]
fn what_is_accepted_is_passed_on_with_its_reason() {
    let said = config(
        "time-limit = \"5 min\"\n[scenario.\"cache*\"]\naccept-inconclusive = \"it warms\\nup\"\n\
         [scenario.cache-strict]\n[scenario.broker]\naccept-residue = \"a broker\"",
    );
    let environment = said.environment().into_iter().collect::<BTreeMap<_, _>>();
    assert_eq!(
        environment["HIGHWATER_ACCEPT_INCONCLUSIVE"],
        "broker\t\ncache*\tit warms up\ncache-strict\t\n"
    );
    assert_eq!(
        environment["HIGHWATER_ACCEPT_RESIDUE"],
        "broker\ta broker\ncache*\t\ncache-strict\t\n"
    );
    assert_eq!(environment["HIGHWATER_TIME_LIMIT"], "5 min");
    let nothing = [
        ("HIGHWATER_ACCEPT_INCONCLUSIVE", String::new()),
        ("HIGHWATER_ACCEPT_RESIDUE", String::new()),
        ("HIGHWATER_ACCEPT_LEAKS", String::new()),
    ];
    assert_eq!(config("").environment(), nothing);
}

#[test]
fn an_open_verdict_is_a_failure_once() {
    let open = || Report {
        verdict: Verdict::Inconclusive,
        verdict_reason: "too short".to_owned(),
        ..report()
    };
    let failure = "inconclusive: too short".to_owned();
    let judged = |text: &str, mut report: Report| {
        config(text).apply(&mut report).expect("one entry");
        (report.failures, report.accepted)
    };
    let told = Report {
        failures: vec![failure],
        ..open()
    };
    for report in [open(), told.clone()] {
        assert_eq!(judged("", report).0, told.failures);
    }
    let accepts = "[scenario.last-hundred]\naccept-inconclusive = \"short\"";
    let accepted = Accepted {
        what: Acceptable::Inconclusive,
        reason: "short".to_owned(),
    };
    for report in [open(), told] {
        assert_eq!(judged(accepts, report), (vec![], vec![accepted.clone()]));
    }
    // What the code accepts stays so.
    let in_code = Report {
        accepted: vec![accepted.clone()],
        ..open()
    };
    assert_eq!(judged("", in_code), (vec![], vec![accepted]));
}

#[test]
fn times_have_a_unit() {
    for time in ["500 ms", "60 s", "60s", "5 min", "1 h"] {
        assert_eq!(
            config(&format!("time-limit = \"{time}\"")).environment()[3].1,
            time
        );
    }
    for time in ["60", "-1 s", "1.5 s", "1 d", "1 s 2", "0 s", ""] {
        let error = toml::from_str::<Config>(&format!("time-limit = \"{time}\"")).unwrap_err();
        let expected = format!("{time:?} is not a duration: write a whole number above 0 and");
        assert!(error.to_string().contains(&expected), "{error}");
    }
}

#[test]
fn a_tolerance_is_read_by_the_figures_unit() {
    let config = config(
        "[scenario.x]\n\
         tolerance = { peak = \"4 KiB\", live-blocks = 3, reason = \"a queue\" }",
    );
    let entry = config.entry("x").expect("one").expect("an entry");
    let tolerance = entry.tolerance.as_ref().expect("one");
    let of = [Figure::Peak, Figure::LiveBlocks, Figure::Live].map(|figure| tolerance.of(figure));
    assert_eq!(of, [4_096, 3, 0]);
    check_error(
        "[scenario.x]\ntolerance = { peak-bound = \"1 B\", reason = \"none\" }",
        "highwater.toml: TOML parse error at line 2, column 15
  |
2 | tolerance = { peak-bound = \"1 B\", reason = \"none\" }
  |               ^^^^^^^^^^
unknown field `peak-bound`, expected one of `reason`, `growth`, `peak`, `residue`, `live`, \
`live-blocks`, `total`, `total-blocks`, `step-bytes`, `step-blocks`, `reallocations`, \
`future`, `stack`",
    );
}

#[test]
fn the_document_names_all_that_can_be_said() {
    let document = include_str!("../../../docs/configuration.md");
    let (_, about) = document
        .split_once("# highwater.toml\n")
        .expect("a chapter");
    let (_, example) = about.split_once("```toml\n").expect("an example");
    let (example, _) = example.split_once("```").expect("its end");
    let (_, of_tolerance) = about.split_once("\ntolerance = ").expect("a tolerance");
    let names = |text: &str, name: &str| {
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
        text.split(|c| !is_of_name(c)).any(|word| word == name)
    };
    let (before, of_gate) = example.split_once("[gate]").expect("it says what blocks");
    let (of_gate, _) = of_gate.split_once("[scenario").expect("it has an entry");
    for kind in Kind::that_block() {
        assert!(names(of_gate, kind.name()), "{}", kind.name());
        if let Kind::Figure(figure) = kind {
            assert!(names(of_tolerance, figure.key()));
            assert!(!figure.can_have_a_ceiling() || names(before, figure.key()));
        }
    }
    assert_eq!(config(example).accepted_leak.len(), 1);
    // What it shows as the default is.
    assert_eq!(config(example).blocks(), Config::default().blocks());
}
