//! The leaks that `highwater.toml` accepts, each by the signature of its call site.

use super::signature::Signature;
use super::{Config, Date, Pattern, Reason, in_a_line};
use crate::sites;
use highwater_reports::report::{Acceptable, Accepted, Report, Site, Verdict};
use highwater_reports::similar::did_you_mean;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fmt;

/// A leak that is known, and may stay for a while.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AcceptedLeak {
    /// The full name, in which `*` stands for anything.
    scenario: String,
    signature: Signature,
    reason: Reason,
    /// The last day on which it is accepted.
    until: Option<Date>,
}

impl AcceptedLeak {
    fn is_of(&self, scenario: &str) -> bool {
        Pattern::new(&self.scenario).matches(scenario)
    }

    fn is_at(&self, site: &Site) -> bool {
        site.signature().as_deref() == Some(self.signature.as_str())
    }

    /// The reason, and what it is for.
    fn text(&self) -> String {
        let until = self.until.map(|until| format!(", until {until}"));
        let until = until.unwrap_or_default();
        format!("{} ({}{until})", self.reason.as_str(), self.signature)
    }
}

/// Its signature.
impl fmt::Display for AcceptedLeak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.signature.fmt(f)
    }
}

impl Config {
    /// Whether a change that accepts this leak may do so, where this is the base's configuration
    /// and the reports are the base's: it is accepted for as long there, or leaks there already,
    /// or is of none of these scenarios.
    pub(super) fn agrees_to(&self, leak: &AcceptedLeak, reports: &[Report]) -> bool {
        let is_listed = |listed: &AcceptedLeak| {
            let is_it = (&listed.scenario, &listed.signature) == (&leak.scenario, &leak.signature);
            let as_long = listed.until.is_none()
                || leak.until.is_some_and(|until| Some(until) <= listed.until);
            is_it && as_long
        };
        let of_it = reports.iter().filter(|one| leak.is_of(&one.full_name()));
        let mut sites = of_it.clone().flat_map(Report::unbounded_sites);
        let is_new = of_it.count() == 0;
        is_new || self.accepted_leak.iter().any(is_listed) || sites.any(|site| leak.is_at(site))
    }

    /// The entries that accept the leak at `site`, in the scenario with this full name.
    fn of_site(&self, scenario: &str, site: &Site) -> impl Iterator<Item = &AcceptedLeak> {
        let leaks = self.accepted_leak.iter();
        leaks.filter(move |leak| leak.is_of(scenario) && leak.is_at(site))
    }

    /// Whether an entry accepts it today.
    fn lasts(&self, leak: &AcceptedLeak) -> bool {
        self.is_past(leak.until).is_none()
    }

    /// Growth is no failure if all call sites that grow are accepted. What the tests were told
    /// of that may be out of date.
    pub(super) fn judge_growth(&self, report: &mut Report) {
        if self.today.is_none() {
            return;
        }
        let was_accepted = report.verdict == Verdict::Growing && !report.fails_for_growth();
        report
            .accepted
            .retain(|accepted| accepted.what != Acceptable::Leak);
        let failure = format!("growing: {}", report.verdict_reason);
        if let Some(accepted) = self.accepted_leaks(report) {
            report.failures.retain(|text| *text != failure);
            report.accepted.extend(accepted);
        } else if was_accepted && !report.failures.contains(&failure) {
            report.failures.push(failure);
        }
    }

    /// What is accepted of a report whose memory grows; none if a call site that is not bounded is
    /// not accepted, or not all that grew is known by its call site.
    fn accepted_leaks(&self, report: &Report) -> Option<Vec<Accepted>> {
        let name = report.full_name();
        let accepted = report.unbounded_sites().map(|site| {
            let leak = self.of_site(&name, site).find(|leak| self.lasts(leak));
            leak.map(AcceptedLeak::text)
        });
        let accepted = accepted.collect::<Option<BTreeSet<_>>>()?;
        let accepted = accepted.into_iter().map(|reason| Accepted {
            what: Acceptable::Leak,
            reason,
        });
        let is_it = report.verdict == Verdict::Growing && report.is_explained();
        let is_it = is_it && accepted.len() > 0;
        is_it.then(|| accepted.collect())
    }

    /// What there is to say of a report that fails since its memory grows: the signatures of the
    /// call sites that do, and why they are not accepted if that was asked.
    pub fn about_growth(&self, report: &Report) -> Vec<String> {
        if !report.fails_for_growth() {
            return Vec::new();
        }
        let name = report.full_name();
        let mut texts: Vec<String> = Vec::new();
        for site in report.unbounded_sites() {
            let text = self.about_site(&name, site);
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        let is_asked = self.accepted_leak.iter().any(|leak| leak.is_of(&name));
        if is_asked && !texts.is_empty() && !report.is_explained() {
            texts.push(
                "its leaks are not accepted: not all that grew is known by its call site"
                    .to_owned(),
            );
        }
        if texts.is_empty() && is_asked {
            let what = "highwater.toml accepts leaks of this scenario by their call sites";
            let obstacle = report.diagnosis_obstacle.as_deref();
            let obstacle = obstacle.unwrap_or("there are none");
            texts.push(match &report.diagnosis {
                None => format!("{what}, for which call stacks are needed; {obstacle}"),
                Some(_) => format!("{what}, and none of them is known to grow"),
            });
        }
        texts
    }

    fn about_site(&self, scenario: &str, site: &Site) -> String {
        let Some(signature) = site.signature() else {
            let kind = site.type_name.as_deref().unwrap_or("type unknown");
            return format!("no signature, as its functions are not known: {kind} grows");
        };
        let mut text = format!("signature {signature}: {}", sites::name(site));
        let entries = || self.of_site(scenario, site);
        if let Some(leak) = entries().find(|leak| self.lasts(leak)) {
            text += &format!("; accepted: {}", leak.reason.as_str());
        } else if let Some((leak, until)) = entries().find_map(|leak| Some((leak, leak.until?))) {
            let reason = leak.reason.as_str();
            text += &format!("; its acceptance ended on {until}: {reason}");
        }
        text
    }

    /// The accepted leaks that none of the `runs` has, though their scenarios were run: they
    /// must be removed.
    pub fn gone_leaks(&self, runs: &[&Report]) -> Vec<String> {
        let is_gone = |leak: &&AcceptedLeak| {
            let of_scenario = |report: &&&Report| leak.is_of(&report.full_name());
            let mut known = runs.iter().filter(of_scenario).peekable();
            // Without call stacks nobody knows what it is that grows.
            let has_it = |report: &Report| {
                report.unbounded_sites().any(|site| leak.is_at(site))
                    || (report.verdict != Verdict::Bounded && report.diagnosis.is_none())
            };
            known.peek().is_some() && !known.any(|report| has_it(report))
        };
        let gone = self.accepted_leak.iter().filter(is_gone);
        let text = |leak: &AcceptedLeak| {
            format!(
                "highwater.toml accepts the leak {} of `{}`, and no call site that grows has that \
                 signature: remove it",
                leak.signature, leak.scenario
            )
        };
        gone.map(text).collect()
    }

    /// The accepted leaks of scenarios that are none of these.
    pub fn leaks_of_others(&self, scenarios: &[&str]) -> Vec<String> {
        let is_other = |leak: &&AcceptedLeak| !scenarios.iter().any(|name| leak.is_of(name));
        let others = self.accepted_leak.iter().filter(is_other);
        let others: BTreeSet<_> = others.map(|leak| leak.scenario.as_str()).collect();
        let text = |name: &str| {
            let similar = did_you_mean(name, scenarios.iter().copied());
            format!(
                "highwater.toml accepts a leak of `{name}`, and there is no such scenario in this \
                 run{similar}"
            )
        };
        others.into_iter().map(text).collect()
    }

    /// What the tests are told: a line for each leak that is accepted today, with the name, the
    /// signature and the reason.
    pub(super) fn leaks_for_tests(&self) -> String {
        let lasting = self.accepted_leak.iter().filter(|leak| self.lasts(leak));
        let line = |leak: &AcceptedLeak| {
            let (name, text) = (in_a_line(&leak.scenario, '*'), leak.text());
            let text = in_a_line(text.trim(), ' ');
            format!("{name}\t{}\t{text}\n", leak.signature)
        };
        lasting.map(line).collect()
    }
}

#[cfg(test)]
mod tests;
