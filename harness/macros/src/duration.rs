//! Durations such as `"60 s"`, read while the test compiles.
//!
//! The library reads the same at run time, for an environment variable; the test below
//! holds the two together.

/// The number of milliseconds that `text` names, or what is wrong with it.
pub(crate) fn milliseconds(text: &str) -> Result<u64, String> {
    read(text).ok_or_else(|| {
        format!(
            "{text:?} is not a duration: write a whole number above 0 and one of ms, s, min, \
             such as \"500 ms\", \"60 s\" or \"5 min\""
        )
    })
}

fn read(text: &str) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(end);
    let unit = match unit.trim_start() {
        "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        _ => return None,
    };
    let milliseconds = number.parse::<u64>().ok()?.checked_mul(unit)?;
    (milliseconds > 0).then_some(milliseconds)
}

#[cfg(test)]
mod tests {
    use super::milliseconds;

    #[test]
    fn agrees_with_the_library() {
        let numbers = [
            "",
            "0",
            "1",
            "007",
            "60",
            "-1",
            "1.5",
            "1_000",
            "307445734561826",
        ];
        let units = ["", "ms", "s", "min", " s", "  min ", "h", " ", "S"];
        for (number, unit) in numbers.iter().flat_map(|n| units.map(|u| (n, u))) {
            let text = format!("{number}{unit}");
            let expected = highwater::__private::milliseconds(&text);
            assert_eq!(milliseconds(&text), expected, "{text:?}");
        }
    }

    #[test]
    fn reads_the_usual_ones() {
        assert_eq!(milliseconds("500 ms"), Ok(500));
        assert_eq!(milliseconds("60 s"), Ok(60_000));
        assert_eq!(milliseconds("5 min"), Ok(300_000));
    }
}
