//! What a post-mortem estimated on paper, beside what is measured here.

use highwater::__private::Thousands;

/// A table of measured figures, to be read beside those that a post-mortem gave.
///
/// Figures carry their units. Those of the process, such as its resident memory, differ
/// from run to run and are marked as such by their row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    /// What the table is about.
    pub title: String,
    /// What stands in the columns. The first one names the rows.
    pub header: Vec<String>,
    /// As many cells each as the header has.
    pub rows: Vec<Vec<String>>,
    /// What the table comes to, a sentence each.
    pub notes: Vec<String>,
}

/// A number with a comma before every third digit from the right.
pub fn thousands(number: u64) -> String {
    Thousands(number).to_string()
}

/// A number of bytes that may be less than none, with its unit.
pub fn signed_bytes(number: i64) -> String {
    format!("{} B", Thousands(number))
}
