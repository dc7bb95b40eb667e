//! Durations as people write them: `500 ms`, `60 s`, `5 min`.

use super::units;
use std::time::Duration;

/// What `text` says, or what is wrong with it.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    units::milliseconds(text).map(Duration::from_millis)
}

/// As it is printed: in the largest unit in which it is whole.
// Not needed where there are no children.
#[allow(dead_code)]
pub(crate) fn text(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    if milliseconds.is_multiple_of(1_000) {
        format!("{} s", milliseconds / 1_000)
    } else {
        format!("{milliseconds} ms")
    }
}

/// What `text` says in milliseconds, or what is wrong with it: for the tool.
#[doc(hidden)]
pub fn milliseconds(text: &str) -> Result<u64, String> {
    units::milliseconds(text)
}

#[cfg(test)]
mod tests {
    use super::{parse, text};
    use std::time::Duration;

    #[test]
    fn reads_what_it_writes() {
        assert_eq!(parse("500 ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse(" 60s "), Ok(Duration::from_secs(60)));
        assert_eq!(parse("5 min"), Ok(Duration::from_secs(300)));
        assert_eq!(parse("8h"), Ok(Duration::from_secs(28_800)));
        assert_eq!(text(Duration::from_secs(300)), "300 s");
        assert_eq!(text(Duration::from_millis(1_500)), "1500 ms");
    }

    #[test]
    fn refuses_what_is_none() {
        for wrong in [
            "",
            "60",
            "s",
            "-1 s",
            "1.5 s",
            "0 s",
            "1 d",
            "99999999999999999999 s",
        ] {
            let problem = parse(wrong).expect_err(wrong);
            assert!(
                problem.starts_with(&format!("{wrong:?} is not a duration: ")),
                "{problem}"
            );
        }
    }
}
