//! [`Alert`]: what somebody should know, told once when it begins and once when it is over.

use crate::figure::Figure;
use crate::sample::Note;
use crate::text::{Amount, Span};
use crate::verdict::{State, Verdict};
use std::fmt;
use std::time::Duration;

/// Something happened that is worth a line in a log.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// It began.
    Raised(Alert),
    /// It is over.
    Cleared(Alert),
    /// Figures are missing, or the clock did something odd.
    Noted(Note),
}

/// What an alert is about, in words too.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Alert {
    /// Why it was raised.
    pub kind: AlertKind,
    /// Of which figure.
    pub figure: Figure,
    /// One sentence, with the figures of the moment.
    pub text: String,
}

/// Why an alert is raised, and when it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AlertKind {
    /// Memory is above the limit. Over at nine tenths of the limit.
    OverLimit,
    /// A figure is growing. Over when it was not called that for half as long again as it took
    /// to, since a table that doubles rests for that long, or for a day. If it fell by a tenth,
    /// half as long as it took and six hours are enough.
    Growing,
    /// A figure is growing and reaches its limit soon. Over when the time left doubled, or it
    /// does not grow any more.
    NearLimit,
}

/// After so long without growth it is over in any case, and once it fell.
const LONGEST_QUIET: Duration = Duration::from_hours(24);
const LONGEST_QUIET_BELOW: Duration = Duration::from_hours(6);

impl AlertKind {
    pub(crate) const ALL: [Self; 3] = [Self::OverLimit, Self::Growing, Self::NearLimit];
}

impl fmt::Display for AlertKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::OverLimit => "over limit",
            Self::Growing => "growing",
            Self::NearLimit => "near limit",
        })
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Raised(alert) => write!(f, "alert: {}", alert.text),
            Self::Cleared(alert) => write!(f, "over: {}", alert.text),
            Self::Noted(note) => write!(f, "note: {note}"),
        }
    }
}

/// Which alerts of one figure are raised.
#[derive(Debug, Default)]
pub(crate) struct Alerts {
    raised: [bool; AlertKind::ALL.len()],
    /// For how long it has not been called growing.
    quiet: Duration,
    /// Over what it was called growing last.
    over: Duration,
    /// Its highest level while it was called that.
    highest: u64,
}

/// What alerts are decided by, when a figure was judged.
pub(crate) struct Judged<'a> {
    pub(crate) verdict: &'a Verdict,
    pub(crate) level: u64,
    /// Since the sample before.
    pub(crate) passed: Duration,
    /// From which time to the limit on there is an alert.
    pub(crate) soon: Duration,
    /// What else is known of the cause.
    pub(crate) cause: &'a str,
}

impl Alerts {
    pub(crate) fn is_raised(&self, kind: AlertKind) -> bool {
        self.raised[kind as usize]
    }

    /// What begins and what is over with this verdict.
    pub(crate) fn update(&mut self, judged: &Judged<'_>) -> Vec<Event> {
        let verdict = judged.verdict;
        if verdict.state == State::Growing {
            (self.quiet, self.over) = (Duration::ZERO, verdict.over);
            let before = if self.is_raised(AlertKind::Growing) {
                self.highest
            } else {
                0
            };
            self.highest = judged.level.max(before);
        } else {
            self.quiet = self.quiet.saturating_add(judged.passed);
        }
        let changed = AlertKind::ALL.into_iter().filter_map(|kind| {
            let now = self.is_on(kind, judged);
            let before = std::mem::replace(&mut self.raised[kind as usize], now);
            (now != before).then(|| {
                let text = text(kind, now, judged);
                let alert = Alert {
                    kind,
                    figure: verdict.figure.clone(),
                    text,
                };
                if now {
                    Event::Raised(alert)
                } else {
                    Event::Cleared(alert)
                }
            })
        });
        changed.collect()
    }

    /// What is over because the component of these alerts ended and holds nothing.
    pub(crate) fn end(&self, figure: &Figure) -> impl Iterator<Item = Event> {
        let raised = AlertKind::ALL
            .into_iter()
            .filter(|kind| self.is_raised(*kind));
        raised.map(move |kind| {
            Event::Cleared(Alert {
                kind,
                figure: figure.clone(),
                text: format!("{figure} ended and holds nothing"),
            })
        })
    }

    fn is_on(&self, kind: AlertKind, judged: &Judged<'_>) -> bool {
        let verdict = judged.verdict;
        let was_on = self.is_raised(kind);
        match kind {
            AlertKind::OverLimit => {
                let limit = verdict.limit.filter(|_| verdict.figure == Figure::Memory);
                let clears_at = |limit: u64| limit - limit / 10;
                limit.is_some_and(|limit| {
                    judged.level > limit || was_on && judged.level > clears_at(limit)
                })
            }
            AlertKind::Growing => {
                let quiet = if judged.level < self.highest - self.highest / 10 {
                    (self.over / 2).min(LONGEST_QUIET_BELOW)
                } else {
                    (self.over.saturating_mul(3) / 2).min(LONGEST_QUIET)
                };
                verdict.state == State::Growing || was_on && self.quiet < quiet
            }
            AlertKind::NearLimit => {
                let is_growing = verdict.state == State::Growing;
                let soon = if was_on {
                    judged.soon.saturating_mul(2)
                } else {
                    judged.soon
                };
                let is_soon = verdict.until_limit.is_some_and(|until| until <= soon);
                // Of growing it has been decided before.
                is_growing && is_soon || was_on && !is_growing && self.is_raised(AlertKind::Growing)
            }
        }
    }
}

fn text(kind: AlertKind, is_raised: bool, judged: &Judged<'_>) -> String {
    let verdict = judged.verdict;
    let figure = &verdict.figure;
    let limit = Amount(figure, verdict.limit.unwrap_or(0));
    let level = Amount(figure, judged.level);
    match (kind, is_raised) {
        (AlertKind::OverLimit, true) => format!("{figure}: {level} is above the limit of {limit}"),
        (AlertKind::OverLimit, false) => {
            format!("{figure}: {level} is well below the limit of {limit} again")
        }
        (AlertKind::Growing, true) => format!("{verdict}{}", judged.cause),
        (AlertKind::Growing, false) => format!("{figure} stopped growing; {verdict}"),
        (AlertKind::NearLimit, true) => {
            let until = Span(verdict.until_limit.unwrap_or_default());
            format!("{figure}: {level}, and reaches the limit of {limit} in {until}")
        }
        (AlertKind::NearLimit, false) => {
            format!("{figure} does not reach the limit of {limit} soon any more; {verdict}")
        }
    }
}
