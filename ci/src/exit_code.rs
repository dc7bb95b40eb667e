//! What the tool exits with, one constant for each outcome that a script may
//! want to tell from the others.

/// All reports were read and all of them pass.
pub const PASSED: u8 = 0;

/// All reports were read, and at least one of them is a failure: it has a breach,
/// a growing verdict, or damage.
pub const FAILED: u8 = 1;

/// There is no answer: the command line was wrong, or the reports could not be
/// found, read or understood, or the output could not be written.
pub const NO_ANSWER: u8 = 2;
