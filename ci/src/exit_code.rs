//! What the tool exits with, one constant for each outcome that a script may
//! want to tell from the others.

/// All reports were read and all of them pass.
pub const PASSED: u8 = 0;

/// All reports were read, and at least one of them is a failure, or a regression
/// against its baseline; or the tests failed.
pub const FAILED: u8 = 1;

/// There is no answer: the command line was wrong, or the reports could not be
/// found, read or understood, or could not be written, or the output could not; or a
/// scenario comes out differently each time that the same code is measured.
pub const NO_ANSWER: u8 = 2;

/// Nothing became worse, but what is found is not what the baselines say: something
/// improved, is new, is gone or runs other steps. `bless` records it. Or a leak is gone that
/// `highwater.toml` accepts.
pub const NOT_RECORDED: u8 = 3;
