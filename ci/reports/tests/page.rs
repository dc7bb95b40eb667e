//! What is on the page of one report.

#![forbid(unsafe_code)]

use highwater_reports::page::{Origin, render};
use serde_json::Value;

/// A report with call stacks, of every kind that there is.
const GROWING: &str = include_str!("data/growing.json");
/// One with what each call site held after some steps, as the library wrote it.
const SERIES: &str = include_str!("data/series.json");

#[test]
fn what_is_not_known_of_the_peak_is_no_figure() {
    let mut report: Value = serde_json::from_str(GROWING).expect("JSON");
    for site in report["diagnosis"]["sites"].as_array_mut().expect("a list") {
        site["peak_bytes"] = Value::Null;
        site["peak_blocks"] = Value::Null;
    }
    let page = render(
        &serde_json::from_value(report).expect("a report"),
        &Origin::default(),
    );
    assert_eq!(
        page.matches("data-sort=\"-1\">not known</td>").count(),
        5 + 6
    );
}

#[test]
fn of_many_sites_the_last_are_one_line() {
    let mut report: Value = serde_json::from_str(GROWING).expect("JSON");
    let sites = report["diagnosis"]["sites"].as_array_mut().expect("a list");
    let site = sites[3].clone();
    sites.extend(vec![site; 105]);
    let page = render(
        &serde_json::from_value(report).expect("a report"),
        &Origin::default(),
    );
    let last = "<th scope=\"row\" colspan=\"3\">11 more</th>\
                <td class=\"figure\" data-label=\"growth\" data-sort=\"88\">+88 B</td>\
                <td class=\"figure\" data-label=\"in blocks\" data-sort=\"11\">+11</td>";
    assert!(page.contains(last), "{page}");
}

/// The page of that report, with `changes` made to it.
fn page(changes: impl FnOnce(&mut Value)) -> String {
    let mut report: Value = serde_json::from_str(GROWING).expect("JSON");
    changes(&mut report);
    let report = serde_json::from_value(report).expect("a report");
    render(&report, &Origin::default())
}

/// The widths of the boxes in each row, in per cent of the box above them.
fn rows(page: &str) -> Vec<Vec<f64>> {
    let mut rows = Vec::new();
    let mut open: Vec<Vec<f64>> = Vec::new();
    let (_, graphs) = page.split_once("<div class=\"view").expect("a graph");
    let (graphs, _) = graphs.split_once("<table").expect("what follows");
    for (at, _) in graphs.match_indices('<') {
        let tag = &graphs[at..];
        if tag.starts_with("<ul>") {
            open.push(Vec::new());
        } else if tag.starts_with("</ul>") {
            rows.extend(open.pop());
        } else if let Some(width) = tag.strip_prefix("<li style=\"width:") {
            let (width, _) = width.split_once('%').expect("a share");
            let row = open.last_mut().expect("a row");
            row.push(width.parse().expect("a number"));
        }
    }
    rows.retain(|row| !row.is_empty());
    rows
}

#[test]
fn boxes_fill_the_width_of_the_one_above_them() {
    let rows = rows(&page(|_| {}));
    // Two rows below `run`, and what is in them, of three graphs.
    assert!(rows.len() > 10, "{rows:?}");
    for row in &rows {
        let sum: f64 = row.iter().sum();
        assert!((sum - 100.0).abs() < 0.01, "{rows:?}");
    }
    // Of 740,736 B of growth, all but 8 B from one closure; of that, 740,688 B by one function.
    assert!(rows.contains(&vec![99.999, 0.001]), "{rows:?}");
}

#[test]
fn a_graph_is_drawn_by_what_is_known() {
    let labels = |page: &str| {
        let labels = page.split("<label").skip(1);
        let text = |label: &str| {
            let (_, text) = label.split_once('>')?;
            Some(text.split_once('<')?.0.to_owned())
        };
        labels.filter_map(text).collect::<Vec<_>>()
    };
    let all = ["growth", "at the peak", "allocated"];
    assert_eq!(labels(&page(|_| {})), all);
    let without_peak = page(|report| {
        for site in report["diagnosis"]["sites"].as_array_mut().expect("a list") {
            site["peak_bytes"] = Value::Null;
        }
    });
    assert_eq!(labels(&without_peak), ["growth", "allocated"]);
    let nothing = page(|report| report["diagnosis"]["sites"] = Value::Array(Vec::new()));
    assert!(!nothing.contains("class=\"flame\""), "{nothing}");
}

#[test]
fn names_are_text_and_nothing_else() {
    let page = page(|report| {
        report["name"] = "</title><script>alert(1)</script>\u{202e}".into();
        report["test"] = "it's <b>".into();
        let site = &mut report["diagnosis"]["sites"][0];
        site["type"] = "<img src=x onerror=alert(1)>\u{200b}".into();
        site["frames"][0]["function"] = "\" onfocus=\"alert(1)".into();
        site["frames"][1]["file"] = "</code></span></div><script>".into();
        site["holders"][0]["path"][0] = "<script>".into();
    });
    assert_eq!(page.matches("<script>").count(), 1, "{page}");
    assert!(!page.contains("<img"), "{page}");
    assert!(!page.contains("\" onfocus=\""), "{page}");
    assert!(!page.contains(['\u{202e}', '\u{200b}']), "{page}");
    assert!(page.contains("alert(1)&lt;/script&gt;\\u{202e}"), "{page}");
    let command = "<code class=\"copy\">cargo highwater repro 'it'\\''s &lt;b&gt;'</code>";
    assert!(page.contains(command), "{page}");
}

#[test]
fn figures_of_any_size_are_drawn() {
    let large = page(|report| {
        for site in report["diagnosis"]["sites"].as_array_mut().expect("a list") {
            for figure in ["growth_bytes", "growth_blocks", "live_bytes", "peak_bytes"] {
                site[figure] = i64::MAX.into();
            }
            site["total_bytes"] = u64::MAX.into();
        }
        report["diagnosis"]["explained_bytes"] = i64::MIN.into();
        for at in report["curve"].as_array_mut().expect("a list") {
            at["step"] = u64::MAX.into();
            at["live_bytes"] = u64::MAX.into();
        }
    });
    assert!(
        large.contains("55,340,232,221,128,654,842 B growth"),
        "{large}"
    );
}

#[test]
fn what_is_known_of_its_origin_is_said() {
    let report = serde_json::from_str(GROWING).expect("a report");
    let origin = Origin {
        project: Some("shop".to_owned()),
        commit: Some("0123456789abcdef".to_owned()),
        has_changes: true,
        toolchain: Some("rustc-1.95.0".to_owned()),
        date: Some("2026-11-26 20:08".to_owned()),
    };
    let line = "<p class=\"origin\"><span><b>shop</b></span><span>commit \
                <code>0123456789ab</code> and changes that are not committed</span>\
                <span>rustc-1.95.0</span><span>release, x86_64-linux-gnu, above System</span>\
                <span>2026-11-26 20:08 UTC</span></p>";
    assert!(render(&report, &origin).contains(line));
    let line = "<p class=\"origin\"><span>release, x86_64-linux-gnu, above System</span></p>";
    assert!(render(&report, &Origin::default()).contains(line));
}

/// A page of many curves stays small.
#[test]
fn a_curve_has_few_strips_and_shows_its_highest_value() {
    let mut report: Value = serde_json::from_str(GROWING).expect("JSON");
    let point = report["curve"][0].clone();
    let points = (0..5_000_u64).map(|step| {
        let mut point = point.clone();
        point["step"] = step.into();
        point["live_bytes"] = if step == 3_333 { 999_999_u64 } else { step }.into();
        point
    });
    report["curve"] = points.collect();
    let page = render(
        &serde_json::from_value(report).expect("a report"),
        &Origin::default(),
    );
    assert_eq!(page.matches("class=\"at\"").count(), 100);
    assert!(page.contains("step 3,333: 999,999 B"));
}

/// The page of the report with series, with `changes` made to its diagnosis.
fn page_of_series(changes: impl FnOnce(&mut Value)) -> String {
    let mut report: Value = serde_json::from_str(SERIES).expect("JSON");
    changes(&mut report["diagnosis"]);
    let report = serde_json::from_value(report).expect("a report");
    render(&report, &Origin::default())
}

const NOTE: &str = "The call stacks are those of a second run";

#[test]
fn a_page_has_what_sites_held_after_each_step_and_hides_it_until_a_script_runs() {
    let page = page_of_series(|_| {});
    for part in [
        "<input id=\"flame-0-range\" class=\"range\" type=\"radio\" name=\"flame-0\" hidden>\
         <label for=\"flame-0-range\" hidden>between two steps</label>",
        "<div class=\"view range\" hidden data-brush=\"brush-0\" data-steps=\"[0,10,20,",
        "2240,2400,2560]\" data-bytes=\"[5400,4608,3816,2896,2232,1312,1392,",
        " data-count=\"0\"><p class=\"ends\"><label><span>from step</span>\
         <input class=\"from\" type=\"range\" min=\"0\" max=\"48\" value=\"0\"",
        "<input class=\"to\" type=\"range\" min=\"0\" max=\"48\" value=\"16\"",
        " data-series=\"[5000,4000,3000,2000,1000,0,0,",
        "<div class=\"brush\" id=\"brush-0\" hidden aria-hidden=\"true\" data-last=\"2560\">",
        "<b style=\"left:6.25%\"></b>",
        "<span class=\"key mark\" hidden>",
    ] {
        assert!(page.contains(part), "{part} is missing in\n{page}");
    }
    assert_eq!(page.matches("<b style=\"left:").count(), 49);
    // Of the six sites two hold as much all the time.
    assert_eq!(page.matches(" data-series=").count(), 4);
    assert!(!page.contains(NOTE), "{page}");
}

#[test]
fn without_series_that_fit_the_page_has_no_range() {
    let older = page(|_| {});
    let not_ascending = page_of_series(|of| of["series_steps"][1] = 0.into());
    let too_few = page_of_series(|of| of["series_bytes"] = vec![1_u64; 48].into());
    let one = page_of_series(|of| {
        of["series_steps"] = vec![0_u64].into();
        of["series_bytes"] = vec![0_u64].into();
    });
    for page in [older, not_ascending, too_few, one] {
        for part in ["view range", "class=\"brush\"", "key mark", " data-series="] {
            assert!(!page.contains(part), "{part}");
        }
    }
    // A site that lacks its own is left out, and so among what is not explained.
    let lacking = page_of_series(|of| of["sites"][0]["series_bytes"] = Value::Array(Vec::new()));
    assert_eq!(lacking.matches(" data-series=").count(), 3);
}

#[test]
fn of_many_series_those_that_change_least_are_one_sum() {
    let page = page_of_series(|of| {
        let sites = of["sites"].as_array_mut().expect("a list");
        let mut site = sites[0].clone();
        site["series_bytes"] = (0..49).collect();
        sites.extend(vec![site; 300]);
    });
    assert_eq!(page.matches(" data-series=").count(), 200);
    let sums: Vec<_> = (0..49).map(|step| (step * 104).to_string()).collect();
    let others = format!(" data-others=\"[{}]\" data-count=\"104\"", sums.join(","));
    assert!(page.contains(&others), "{page}");
}

#[test]
fn call_stacks_of_a_run_with_another_curve_are_said_to_be_that() {
    let page = page_of_series(|of| of["series_bytes"][16] = 1.into());
    assert!(page.contains(NOTE), "{page}");
    // As much more from the start is no other curve.
    let page = page_of_series(|of| {
        for bytes in of["series_bytes"].as_array_mut().expect("a list") {
            *bytes = (bytes.as_u64().expect("a number") + 64).into();
        }
    });
    assert!(!page.contains(NOTE), "{page}");
}

#[test]
fn series_of_any_size_are_drawn() {
    let page = page_of_series(|of| {
        of["series_bytes"][3] = u64::MAX.into();
        for site in of["sites"].as_array_mut().expect("a list") {
            site["series_bytes"][0] = i64::MIN.into();
            site["series_bytes"][1] = i64::MAX.into();
        }
    });
    assert!(
        page.contains("[-9223372036854775808,9223372036854775807,"),
        "{page}"
    );
}
