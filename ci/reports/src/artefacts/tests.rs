//! What each format has of one report, and reports that there is nothing to write of.

use super::*;
use crate::pprof::Profile;
use crate::report::Diagnosis;
use flate2::read::GzDecoder;
use prost::Message as _;
use std::fs;
use std::io::Read as _;

fn report() -> Report {
    let text = include_str!("../../tests/data/growing.json");
    serde_json::from_str(text).expect("a report")
}

fn changed(change: impl Fn(&mut Diagnosis)) -> Report {
    let mut report = report();
    report.diagnosis.iter_mut().for_each(change);
    report
}

fn totals(diagnosis: &Diagnosis) -> Vec<u64> {
    let totals = diagnosis.sites.iter().map(|site| site.total_bytes);
    totals.map(|total| total.expect("it is known")).collect()
}

fn dhat_of(report: &Report) -> serde_json::Value {
    let diagnosis = report.diagnosis.as_ref().expect("a diagnosis");
    let json = dhat::profile(report, diagnosis, &totals(diagnosis));
    serde_json::from_slice(&json).expect("JSON")
}

fn pprof_of(report: &Report) -> Profile {
    let diagnosis = report.diagnosis.as_ref().expect("a diagnosis");
    pprof::message(report, diagnosis, &totals(diagnosis))
}

#[test]
fn what_dhats_viewer_reads() {
    let json = serde_json::to_string_pretty(&dhat_of(&report()));
    insta::assert_snapshot!(json.expect("JSON"));
}

/// The fields that the crate `dhat` writes, but for lifetimes, under the same names.
#[test]
fn stacks_are_in_the_viewers_file_once() {
    let json = dhat_of(&report());
    let points = json["pps"].as_array().expect("a list");
    let stacks: Vec<_> = points.iter().map(|point| &point["fs"]).collect();
    let frames = json["ftbl"].as_array().expect("a list").len() as u64;
    for (index, stack) in stacks.iter().enumerate() {
        assert!(!stacks[..index].contains(stack), "{stack} is there twice");
        let known = |frame: &serde_json::Value| frame.as_u64().is_some_and(|at| at < frames);
        assert!(stack.as_array().expect("a list").iter().all(known));
    }
    assert_eq!(stacks.len(), 5);
}

#[test]
fn without_the_moment_of_the_peak_the_viewers_is_the_end() {
    let json = dhat_of(&changed(without_peak));
    let point = &json["pps"][0];
    assert_eq!((&point["gb"], &point["gbk"]), (&point["eb"], &point["ebk"]));
    assert_eq!(json["tg"], json["te"]);
    let command = json["cmd"].as_str().expect("a text");
    assert!(command.ends_with("the moment of the peak was not met, so t-gmax is t-end"));
}

fn without_peak(diagnosis: &mut Diagnosis) {
    diagnosis.peak_step = None;
    for site in &mut diagnosis.sites {
        (site.peak_bytes, site.peak_blocks) = (None, None);
    }
}

#[test]
fn what_pprof_reads() {
    let report = report();
    let diagnosis = report.diagnosis.as_ref().expect("a diagnosis");
    let file = pprof::profile(&report, diagnosis, &totals(diagnosis));
    let mut bytes = Vec::new();
    let mut decoder = GzDecoder::new(file.as_slice());
    decoder.read_to_end(&mut bytes).expect("it is compressed");
    let profile = Profile::decode(bytes.as_slice()).expect("a profile");
    assert_eq!(profile, pprof_of(&report));
    insta::assert_snapshot!(in_words(&profile));
}

/// The profile with texts in place of numbers.
fn in_words(profile: &Profile) -> String {
    let text =
        |index: i64| profile.string_table[usize::try_from(index).expect("an index")].as_str();
    let at = |id: u64| usize::try_from(id - 1).expect("a number");
    let mut words = String::new();
    for comment in &profile.comment {
        words += &format!("# {}\n", text(*comment));
    }
    words += &format!("default: {}\n", text(profile.default_sample_type));
    let types = profile.sample_type.iter();
    let types: Vec<_> = types
        .map(|known| format!("{}/{}", text(known.r#type), text(known.unit)))
        .collect();
    words += &format!("{}\n", types.join(" "));
    for sample in &profile.sample {
        let [label] = sample.label[..] else {
            panic!("one label");
        };
        words += &format!(
            "{:?} {}: {}\n",
            sample.value,
            text(label.key),
            text(label.str)
        );
        for id in &sample.location_id {
            let location = &profile.location[at(*id)];
            assert_eq!((location.id, location.mapping_id), (*id, 1));
            let line = location.line[0];
            let function = profile.function[at(line.function_id)];
            assert_eq!(function.id, line.function_id);
            let (name, file) = (text(function.name), text(function.filename));
            words += &format!("    {name} {file}:{}\n", line.line);
        }
    }
    words
}

#[test]
fn pprof_shows_first_what_there_is_to_see() {
    let default = |profile: &Profile| {
        let index = usize::try_from(profile.default_sample_type).expect("an index");
        profile.string_table[index].clone()
    };
    let level = |diagnosis: &mut Diagnosis| {
        for site in &mut diagnosis.sites {
            (site.growth_bytes, site.growth_blocks) = (0, 0);
        }
    };
    assert_eq!(default(&pprof_of(&changed(level))), "peak_space");
    let level_without_peak = |diagnosis: &mut Diagnosis| {
        level(diagnosis);
        without_peak(diagnosis);
    };
    let profile = pprof_of(&changed(level_without_peak));
    assert_eq!(default(&profile), "inuse_space");
    let words = in_words(&profile);
    assert!(words.contains("# what was live at the peak is not known\n"));
    assert!(!words.contains("peak_space"), "{words}");
}

#[test]
fn what_is_written_is_what_is_told() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let folder = directory.path().join("repro/shop");
    for report in [report(), changed(without_peak)] {
        let written = write(&report, &Origin::default(), &folder).expect("it can be written");
        assert!(written.iter().all(|artefact| artefact.path.exists()));
        let entries = fs::read_dir(&folder).expect("it is there").count();
        assert_eq!((entries, written.len()), (3, 3));
    }
}

#[test]
fn reports_that_there_is_nothing_to_write_of() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut none = report();
    none.diagnosis = None;
    let older = changed(|diagnosis| diagnosis.sites[0].total_bytes = None);
    let error = |report: &Report| {
        let error = write(report, &Origin::default(), directory.path());
        error.expect_err("there is nothing to write").to_string()
    };
    assert_eq!(
        error(&none),
        "the report of `shop (leaky)` has no call stacks: they are taken on Linux and macOS, \
         with the feature `diagnosis` of highwater, which is on by default, and unless \
         HIGHWATER_SITES is `never`"
    );
    assert_eq!(
        error(&older),
        "the report of `shop (leaky)` is of an older highwater, which did not write how much \
         each call stack allocated; update highwater and run this again"
    );
    let file = directory.path().join("file");
    fs::write(&file, "").expect("a file");
    let error = write(&report(), &Origin::default(), &file).expect_err("it is no directory");
    let shown = format!("{}: ", file.join("index.html").display());
    assert!(error.to_string().starts_with(&shown), "{error}");
}

#[test]
fn where_artefacts_are_and_what_opens_them() {
    let report = Path::new("target/highwater/shop@leaky.json");
    let folder = directory(Path::new("target/highwater"), report);
    assert_eq!(folder, Path::new("target/highwater/repro/shop@leaky"));
    let artefact = |what, command: &str| Artefact {
        path: PathBuf::new(),
        what,
        command: command.to_owned(),
    };
    let text = summary(&[artefact("page", "open a"), artefact("pprof", "draw b")]);
    let shown = "artefacts, and what opens them:\n  page   open a\n  pprof  draw b\n";
    assert_eq!(text, shown);
}
