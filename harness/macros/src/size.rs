//! Sizes such as `"64 MiB"`, read while the test compiles.
//!
//! `highwater::ByteSize` reads sizes at run time; this crate cannot depend on
//! that one, which depends on it. The rules and the messages are the same, and
//! the test below holds the two together.

const MALFORMED: &str = "the number is malformed";
const NOT_WHOLE: &str = "it does not come to whole bytes";
const TOO_LARGE: &str = "it has more bytes than a u64 can hold";

/// The number of bytes that `text` names, or what is wrong with it.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    read(text).map_err(|problem| {
        format!(
            "{text:?} is not a size: {problem}; write a number and one of B, KB, MB, GB, KiB, \
             MiB, GiB, such as \"100 MB\" or \"64 MiB\""
        )
    })
}

fn read(text: &str) -> Result<u64, &'static str> {
    let trimmed = text.trim();
    let number_end = trimmed
        .find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ',' | '_'))
        .unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(number_end);
    if number.is_empty() {
        return Err("it does not start with a number");
    }
    let unit_bytes = match unit.trim_start() {
        "B" => 1,
        "KB" | "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "" => return Err("the unit is missing"),
        _ => return Err("the unit is not known"),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let whole = ungrouped(whole)?;
    let part = fraction_of(fraction, unit_bytes)?;
    whole
        .checked_mul(unit_bytes)
        .and_then(|bytes| bytes.checked_add(part))
        .ok_or(TOO_LARGE)
}

/// A whole number, with or without `,` or `_` before every third digit.
fn ungrouped(digits: &str) -> Result<u64, &'static str> {
    let groups: Vec<usize> = digits.split([',', '_']).map(str::len).collect();
    let well_formed = match groups.as_slice() {
        [only] => *only > 0,
        [first, rest @ ..] => (1..=3).contains(first) && rest.iter().all(|len| *len == 3),
        [] => false,
    };
    if !well_formed {
        return Err(MALFORMED);
    }
    let digits = digits.replace([',', '_'], "");
    digits.parse().map_err(|_| TOO_LARGE)
}

/// `0.fraction` of `unit_bytes`, if that is a whole number.
fn fraction_of(fraction: &str, unit_bytes: u64) -> Result<u64, &'static str> {
    if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return Err(MALFORMED);
    }
    let significant = fraction.trim_end_matches('0');
    if significant.is_empty() {
        return Ok(0);
    }
    // No unit needs more than 30 places to come to whole bytes, and with those
    // neither number overflows.
    let places = u32::try_from(significant.len()).map_err(|_| NOT_WHOLE)?;
    let scale = 10_u128.checked_pow(places).ok_or(NOT_WHOLE)?;
    let digits: u128 = significant.parse().map_err(|_| NOT_WHOLE)?;
    let scaled = digits
        .checked_mul(u128::from(unit_bytes))
        .ok_or(NOT_WHOLE)?;
    if scaled % scale == 0 {
        u64::try_from(scaled / scale).map_err(|_| NOT_WHOLE)
    } else {
        Err(NOT_WHOLE)
    }
}

#[cfg(test)]
mod tests {
    use super::bytes;
    use highwater::ByteSize;

    /// Numbers and units, right and wrong; every pair is tried.
    const NUMBERS: [&str; 24] = [
        "",
        "0",
        "1",
        "007",
        "64",
        "1000",
        "1.5",
        "1.500",
        "0.1",
        "0.000000001",
        "1.",
        ".5",
        "1.2.3",
        "1,000",
        "1_000",
        "12,34",
        "1234,567",
        ",000",
        "1.5_0",
        "-1",
        "18446744073709551615",
        "18,446,744,073,709,551,615",
        "18446744073709551616",
        "0.000000000000000000000000000000000000000000000000001",
    ];
    const UNITS: [&str; 16] = [
        "", "B", "KB", "kB", "MB", "GB", "KiB", "MiB", "GiB", " B", "  GiB ", "mb", "TB", " ", "b",
        "MB now",
    ];

    #[test]
    fn agrees_with_byte_size() {
        for (number, unit) in NUMBERS.iter().flat_map(|n| UNITS.map(|u| (n, u))) {
            let text = format!("{number}{unit}");
            let expected: Result<ByteSize, _> = text.parse();
            assert_eq!(
                bytes(&text),
                expected
                    .map(ByteSize::bytes)
                    .map_err(|error| error.to_string()),
                "{text:?}"
            );
        }
    }

    #[test]
    fn reads_the_usual_ones() {
        assert_eq!(bytes("64 MiB"), Ok(67_108_864));
        assert_eq!(bytes("1.5 KiB"), Ok(1_536));
        assert_eq!(bytes("1,234,567 B"), Ok(1_234_567));
    }
}
