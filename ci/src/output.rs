//! An [`Outcome`](crate::outcome::Outcome) for those who read it: people at a
//! terminal, reviewers of a pull request, and the machines between them.

pub mod export;
pub mod github;
pub mod junit;
pub mod markdown;
pub mod text;

#[cfg(test)]
mod tests;
