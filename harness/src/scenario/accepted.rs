//! What a project accepts of its scenarios, as `cargo highwater` passes it on from
//! `highwater.toml` to the tests that it starts.
//!
//! An environment variable holds a line for each entry of the file: a name or a pattern,
//! a tab, and the reason. A line without a reason is an entry that accepts nothing. In the
//! variable for leaks, the signature of a call site and a tab stand before the reason.

use crate::diagnosis::Site;
use crate::report::{Accepted, Report};

/// The variable with the leaks that are known.
const LEAKS: &str = "HIGHWATER_ACCEPT_LEAKS";

/// Why what `variable` is about is accepted of the scenario with this full name: the
/// reason of the entry with that name, or else of the first one whose pattern matches
/// it. None if nothing is.
pub(crate) fn accepted_by_environment(variable: &str, full_name: &str) -> Option<String> {
    accepted_by(&std::env::var(variable).ok()?, full_name)
}

fn accepted_by(lines: &str, full_name: &str) -> Option<String> {
    let entries = || lines.lines().filter_map(|line| line.split_once('\t'));
    let by_name = entries().find(|(name, _)| *name == full_name);
    let by_pattern = || entries().find(|(pattern, _)| matches(pattern, full_name));
    let (_, reason) = by_name.or_else(by_pattern)?;
    Some(reason.trim().to_owned()).filter(|reason| !reason.is_empty())
}

/// The reasons why it is accepted that the scenario's memory grows. None if it does not, if not
/// all that grew is known by its call site, or if a call site that is not bounded is not accepted.
pub(crate) fn accepted_leaks(report: &Report) -> Vec<Accepted> {
    let lines = std::env::var(LEAKS).unwrap_or_default();
    let diagnosis = report.diagnosis.as_ref();
    let grows = report.verdict.is_growing() && report.diagnosis_obstacle.is_none();
    let Some(diagnosis) = diagnosis.filter(|diagnosis| grows && diagnosis.is_complete()) else {
        return Vec::new();
    };
    let sites = diagnosis.sites.iter();
    let unbounded = sites.filter(|site| !site.verdict.is_bounded());
    let signatures: Vec<_> = unbounded.map(Site::signature).collect();
    let reasons = accepted_by_signature(&lines, &report.full_name(), &signatures);
    let accepted = reasons.into_iter().map(|reason| Accepted {
        what: Accepted::LEAK,
        reason,
    });
    accepted.collect()
}

/// A reason for each signature, without those that are there twice; none if one has none.
fn accepted_by_signature(
    lines: &str,
    full_name: &str,
    signatures: &[Option<String>],
) -> Vec<String> {
    let reason = |signature: &Option<String>| {
        let mut lines = lines.lines().filter_map(|line| {
            let (name, rest) = line.split_once('\t')?;
            let (accepted, reason) = rest.split_once('\t')?;
            let is_it = Some(accepted) == signature.as_deref() && matches(name, full_name);
            is_it.then(|| reason.to_owned())
        });
        lines.next()
    };
    let reasons = signatures.iter().map(reason).collect::<Option<Vec<_>>>();
    let mut different = Vec::new();
    for reason in reasons.unwrap_or_default() {
        if !different.contains(&reason) {
            different.push(reason);
        }
    }
    different
}

/// Whether `name` is what the `pattern` says, in which `*` stands for anything.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut left) = name.strip_prefix(start) else {
        return false;
    };
    let mut parts: Vec<_> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = left.find(part) else {
            return false;
        };
        left = &left[at + part.len()..];
    }
    left.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::{accepted_by, accepted_by_environment, accepted_by_signature, matches};

    #[test]
    fn a_star_stands_for_anything() {
        let cases = [
            ("*", "", true),
            ("a*", "a", true),
            ("a*", "ba", false),
            ("*b", "ab", true),
            ("*b", "ba", false),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "acb", false),
            ("a*a", "a", false),
            ("**", "x", true),
            ("* (leaky)", "cache::is_bounded (leaky)", true),
            ("a?", "ab", false),
            ("ж*🦀", "жук 🦀", true),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(matches(pattern, name), expected, "{pattern} on {name}");
        }
    }

    #[test]
    fn a_name_goes_before_a_pattern_and_may_accept_nothing() {
        let lines = "cache*\tit warms up\ncache::strict\t\norders\ttwo\tthreads\nno tab";
        let accepted = |name| accepted_by(lines, name);
        assert_eq!(accepted("cache::loose").as_deref(), Some("it warms up"));
        assert_eq!(accepted("cache::strict"), None);
        assert_eq!(accepted("orders").as_deref(), Some("two\tthreads"));
        assert_eq!(accepted("no tab"), None);
        assert_eq!(accepted_by("", "orders"), None);
    }

    #[test]
    fn all_call_sites_that_grow_are_to_be_accepted() {
        let lines = "shop*\taa\tthe vendor's\nshop\tbb\tours\nother\tcc\tno";
        let accepted = |name, signatures: &[&str]| {
            let signatures = signatures.iter().map(|text| Some((*text).to_owned()));
            accepted_by_signature(lines, name, &signatures.collect::<Vec<_>>())
        };
        assert_eq!(
            accepted("shop", &["bb", "aa", "bb"]),
            ["ours", "the vendor's"]
        );
        assert_eq!(accepted("shop (b)", &["aa"]), ["the vendor's"]);
        for (name, signatures) in [
            ("shop (b)", &["aa", "bb"][..]),
            ("shop", &["aa", "cc"]),
            ("shop", &[]),
        ] {
            assert!(accepted(name, signatures).is_empty(), "{signatures:?}");
        }
        let unknown = [Some("aa".to_owned()), None];
        assert!(accepted_by_signature(lines, "shop", &unknown).is_empty());
    }

    #[test]
    fn without_the_variable_nothing_is_accepted() {
        assert_eq!(
            accepted_by_environment("HIGHWATER_NO_SUCH_VARIABLE", "x"),
            None
        );
    }
}
