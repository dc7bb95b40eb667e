//! The one sentence that a pull request's author reads: what got worse, by how much, where.

use super::{Comparison, Outcome, Status};
use crate::compare::{Change, Effect, Value};

/// A sentence, some of whose words come from the code that is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Words of this tool.
    Words(String),
    /// Names and figures, which anybody may have written.
    Theirs(String),
}

impl Outcome {
    /// What became of the worst scenario; or that nothing changed.
    pub fn headline(&self) -> Vec<Part> {
        let words = |text: &str| Part::Words(text.to_owned());
        let count = self.scenarios.len();
        let noun = if count == 1 { "scenario" } else { "scenarios" };
        let worst = self.scenarios.first().filter(|worst| worst.is_changed());
        let Some(worst) = worst else {
            let failed = self.exit_code == crate::exit_code::FAILED;
            return vec![if failed {
                words("the tests failed, and no scenario tells why")
            } else {
                Part::Words(format!("no change in {count} {noun}"))
            }];
        };
        let mut parts = vec![Part::Theirs(worst.scenario.clone())];
        parts.extend(worst.verb());
        if let Some(place) = worst.place() {
            parts.push(words(" at "));
            parts.push(Part::Theirs(format!("{}:{}", place.file, place.line)));
        }
        let others = self.changed().count() - 1;
        if others > 0 {
            let verb = if others == 1 { "differs" } else { "differ" };
            parts.push(Part::Words(format!("; {others} more {verb}")));
        }
        parts
    }
}

impl Comparison {
    /// What it does, behind its name.
    fn verb(&self) -> Vec<Part> {
        let words = |text: &str| vec![Part::Words(text.to_owned())];
        let with =
            |text: &str, theirs: String| vec![Part::Words(text.to_owned()), Part::Theirs(theirs)];
        let leaks =
            |change: &&Change| matches!(&change.after, Value::Word(word) if word == "growing");
        let worst = |change: &&Change| change.effect == Effect::Worse;
        match self.status {
            Status::Failed | Status::Regression if self.changes.iter().any(|c| leaks(&c)) => {
                words(" now leaks")
            }
            Status::Failed => match self.failures.first() {
                Some(failure) => with(" fails, ", failure.clone()),
                None => words(" fails"),
            },
            Status::Regression => match self.changes.iter().find(worst) {
                Some(change) => with(" needs more, ", change.to_string()),
                None => words(" became worse"),
            },
            Status::Unsteady => words(" differs from run to run of the same code"),
            Status::Improvement => match self.changes.iter().find(|change| !worst(change)) {
                Some(change) => with(" needs less, ", change.to_string()),
                None => words(" became better"),
            },
            Status::New => words(" is new"),
            Status::Gone => words(" is gone"),
            Status::Accepted => words(" is worse, and that is recorded"),
            Status::Changed => words(" changed"),
            Status::Varies => words(" varies from run to run of the same code, as it did before"),
            Status::Same => words(" is not recorded"),
        }
    }
}
