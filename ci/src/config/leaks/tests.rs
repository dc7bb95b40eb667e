//! Which leaks are accepted, which are not any more, and what is said of that.

use crate::config::Config;
use highwater_reports::report::{Report, Verdict};
use std::fs;

/// The call sites that grow in the report below.
const KEY: &str = "46bbb7c998c661c1";
const MAP: &str = "8ee6735a39d5abf6";

/// A report that fails since its memory grows, at two call sites, and for nothing else.
fn report() -> Report {
    let text = include_str!("../../../reports/tests/data/growing.json");
    let mut report: Report = serde_json::from_str(text).expect("a report");
    report.verdict_reason = "it rises".to_owned();
    report.failures = vec!["growing: it rises".to_owned()];
    report.breaches = Vec::new();
    report.diagnosis.as_mut().expect("call stacks").lost_blocks = 0;
    report
}

/// An entry for the leak with this signature.
fn entry(signature: &str, more: &str) -> String {
    format!(
        "[[accepted-leak]]\nscenario = \"shop*\"\nsignature = \"{signature}\"\n\
         reason = \"the vendor keeps each key\"\n{more}\n"
    )
}

/// The configuration on the first of March.
fn config(text: &str) -> Config {
    read(text).expect("a configuration")
}

fn read(text: &str) -> Result<Config, String> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("highwater.toml");
    fs::write(&path, text).expect("a file in it");
    let today = "2027-03-01".parse().expect("a date");
    let prefix = format!("{}/", directory.path().display());
    Config::read(&path, today).map_err(|error| error.to_string().replace(&prefix, ""))
}

/// The failures, what is accepted, and what is said of what is not.
fn judged(text: &str, mut report: Report) -> [Vec<String>; 3] {
    let config = config(text);
    for _ in 0..2 {
        config.apply(&mut report).expect("no entry");
    }
    let accepted = report.accepted_texts().collect();
    [
        report.failures.clone(),
        accepted,
        config.about_growth(&report),
    ]
}

#[test]
fn all_that_grows_is_to_be_accepted() {
    let both = entry(KEY, "until = \"2027-03-01\"") + &entry(MAP, "");
    let [failures, accepted, about] = judged(&both, report());
    assert!(
        failures.is_empty() && about.is_empty(),
        "{failures:?}, {about:?}"
    );
    insta::assert_snapshot!("accepted", accepted.join("\n"));

    let [failures, accepted, about] = judged(&entry(KEY, ""), report());
    assert_eq!((failures, accepted), (report().failures, Vec::new()));
    insta::assert_snapshot!("one-of-two-is-accepted", about.join("\n"));
    let [_, _, about] = judged("", report());
    insta::assert_snapshot!("nothing-is-accepted", about.join("\n"));
    let elsewhere = both.replace("shop*", "other");
    assert_eq!(judged(&elsewhere, report())[0], report().failures);
}

#[test]
fn what_else_fails_still_does() {
    let mut report = report();
    report
        .failures
        .insert(0, "residue: 8 B more each time".to_owned());
    let both = entry(KEY, "") + &entry(MAP, "");
    let [failures, accepted, _] = judged(&both, report);
    assert_eq!(failures, ["residue: 8 B more each time"]);
    assert_eq!(accepted.len(), 2);
}

#[test]
fn an_acceptance_ends_with_its_date() {
    let both = entry(KEY, "until = \"2027-02-28\"") + &entry(MAP, "");
    let [failures, accepted, about] = judged(&both, report());
    assert_eq!((failures, accepted), (report().failures, Vec::new()));
    insta::assert_snapshot!("an-acceptance-that-ended", about.join("\n"));

    // What the tests were told when the date had not passed counts no more.
    let mut told = report();
    told.failures = Vec::new();
    told.accepted = serde_json::from_value(serde_json::json!([
        {"what": "leak", "reason": "the vendor keeps each key"}
    ]))
    .expect("what is accepted");
    let [failures, accepted, _] = judged(&both, told.clone());
    assert_eq!((failures, accepted), (report().failures, Vec::new()));
    // But it does for those who have not the project's file.
    Config::default().apply(&mut told).expect("no entry");
    assert!(!told.is_failure() && !told.fails_for_growth());
}

#[test]
fn without_call_stacks_nothing_is_accepted() {
    let mut unknown = report();
    unknown.diagnosis = None;
    unknown.diagnosis_obstacle = Some("no call stacks: they are off".to_owned());
    let both = entry(KEY, "") + &entry(MAP, "");
    let [failures, _, about] = judged(&both, unknown.clone());
    assert_eq!(failures, report().failures);
    insta::assert_snapshot!("without-call-stacks", about.join("\n"));
    assert_eq!(judged("", unknown.clone())[2], Vec::<String>::new());
    assert_eq!(config(&both).gone_leaks(&[&unknown]), Vec::<String>::new());

    let mut nameless = report();
    let sites = nameless
        .diagnosis
        .as_mut()
        .map(|diagnosis| &mut diagnosis.sites);
    sites.expect("call stacks")[0].frames.clear();
    let [failures, _, about] = judged(&both, nameless);
    assert_eq!(failures, report().failures);
    insta::assert_snapshot!("a-call-site-without-functions", about.join("\n"));

    let mut resting = report();
    let sites = resting
        .diagnosis
        .as_mut()
        .map(|diagnosis| &mut diagnosis.sites);
    for site in sites.expect("call stacks") {
        site.verdict = Verdict::Bounded;
    }
    let [_, _, about] = judged(&both, resting);
    insta::assert_snapshot!("no-call-site-grows", about.join("\n"));
}

/// What is accepted must be all that there is.
#[test]
fn what_nobody_can_tell_is_not_accepted() {
    let config = config(&(entry(KEY, "") + &entry(MAP, "")));
    let fails = |change: fn(&mut Report)| {
        let mut report = report();
        change(&mut report);
        config.apply(&mut report).expect("no pattern matches twice");
        (report.is_failure(), config.about_growth(&report))
    };
    assert!(!fails(|_| ()).0);
    let (is_failure, about) = fails(|report| {
        let diagnosis = report.diagnosis.as_mut().expect("call stacks");
        let resting = diagnosis.sites.iter_mut();
        let mut resting = resting.filter(|site| site.verdict == Verdict::Bounded);
        resting.next().expect("one").verdict = Verdict::Inconclusive;
    });
    assert!(is_failure && about.len() == 3, "{about:?}");
    let unknown = "its leaks are not accepted: not all that grew is known by its call site";
    let parts: [fn(&mut Report); 3] = [
        |report| report.diagnosis.as_mut().expect("call stacks").lost_blocks = 1,
        |report| report.diagnosis.as_mut().expect("call stacks").growth_bytes += 1,
        |report| report.diagnosis_obstacle = Some("the second run grew otherwise".to_owned()),
    ];
    for part in parts {
        let (is_failure, about) = fails(part);
        assert!(is_failure);
        assert_eq!(about.last().map(String::as_str), Some(unknown));
    }
}

#[test]
fn what_is_gone_is_to_be_removed() {
    let gone = "00000000000000ff";
    let config = config(&(entry(KEY, "") + &entry(gone, "")));
    let report = report();
    let texts = config.gone_leaks(&[&report]);
    insta::assert_snapshot!("a-leak-that-is-gone", texts.join("\n"));
    // A run that has none of them is followed by one that has.
    let mut bounded = report.clone();
    bounded.verdict = Verdict::Bounded;
    bounded.diagnosis = None;
    assert_eq!(config.gone_leaks(&[&bounded]).len(), 2);
    assert_eq!(config.gone_leaks(&[&bounded, &report]), texts);
    // Where the scenario is not run, nobody knows.
    bounded.name = "other".to_owned();
    assert_eq!(config.gone_leaks(&[&bounded]), Vec::<String>::new());
    insta::assert_snapshot!(config.leaks_of_others(&["shap", "other"]).join("\n"));
    assert_eq!(
        config.leaks_of_others(&["shop (leaky)"]),
        Vec::<String>::new()
    );
}

#[test]
fn tests_are_told_of_what_is_accepted_today() {
    let text = entry(KEY, "until = \"2027-02-28\"") + &entry(MAP, "until = \"2027-03-01\"");
    let told = config(&text).environment();
    let told = told
        .iter()
        .find(|(name, _)| *name == "HIGHWATER_ACCEPT_LEAKS");
    let line = format!("shop*\t{MAP}\tthe vendor keeps each key ({MAP}, until 2027-03-01)\n");
    assert_eq!(told.map(|(_, lines)| lines), Some(&line));
}

#[test]
fn mistakes_are_named_with_line_and_column() {
    let mistakes = [
        entry("0f3a", ""),
        entry("zzzzzzzzzzzzzzzz", ""),
        entry(KEY, "until = \"2027-02-29\""),
        entry(KEY, "until = \"soon\""),
        entry(KEY, "until = 2027-03-01"),
        entry(KEY, "").replace("the vendor keeps each key", " "),
        "[[accepted-leak]]\nscenario = \"shop\"\nreason = \"why\"\n".to_owned(),
        entry(KEY, "untill = \"2027-03-01\""),
    ];
    let errors = mistakes.map(|text| read(&text).unwrap_err());
    insta::assert_snapshot!(errors.join("\n\n"));
}

/// The report is the base's, where both call sites leak.
#[test]
fn a_change_accepts_no_leak_that_is_new() {
    let other = "00000000000000ff";
    let own = config(&(entry(KEY, "") + &entry(other, "until = \"2027-03-01\"")));
    let others = |base: &str, reports: &[Report]| {
        let judged = own.judged_by(&config(base), reports);
        judged.expect("no pattern matches twice").1
    };
    let report = report();
    assert_eq!(
        others("", std::slice::from_ref(&report)),
        [format!("the leak {other}")]
    );
    let longer = entry(other, "until = \"2027-03-02\"");
    assert_eq!(
        others(&longer, std::slice::from_ref(&report)),
        Vec::<String>::new()
    );
    let shorter = entry(other, "until = \"2027-02-28\"");
    assert_eq!(others(&shorter, &[report]), [format!("the leak {other}")]);
    assert_eq!(others("", &[]), Vec::<String>::new());
}
