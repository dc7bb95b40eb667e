//! Reads sizes and durations as people write them, such as `64 MiB` and `60 s`.
//!
//! The attribute reads them while a test compiles. It cannot depend on the library, so its
//! package has a copy of this file, and a test compares the two.

const MALFORMED: &str = "the number is malformed";
const NOT_WHOLE: &str = "it does not come to whole bytes";
const TOO_LARGE: &str = "it has more bytes than a u64 can hold";

/// The units of sizes, in bytes.
pub(crate) const UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1_000),
    ("B", 1),
];

/// The number of bytes that `text` names, or what is wrong with it.
pub(crate) fn bytes(text: &str) -> Result<u64, &'static str> {
    let trimmed = text.trim();
    let number_end = trimmed
        .find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ',' | '_'))
        .unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(number_end);
    if number.is_empty() {
        return Err("it does not start with a number");
    }
    let unit = match unit.trim_start() {
        "" => return Err("the unit is missing"),
        "kB" => "KB",
        unit => unit,
    };
    let (_, unit_bytes) = UNITS
        .iter()
        .find(|(known, _)| *known == unit)
        .ok_or("the unit is not known")?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let whole = ungrouped(whole)?;
    let part = fraction_of(fraction, *unit_bytes)?;
    whole
        .checked_mul(*unit_bytes)
        .and_then(|bytes| bytes.checked_add(part))
        .ok_or(TOO_LARGE)
}

/// The message for a text that is no size, with what [`bytes`] says is wrong with it.
pub(crate) fn not_a_size(text: &str, problem: &str) -> String {
    format!(
        "{text:?} is not a size: {problem}; write a number and one of B, KB, MB, GB, KiB, MiB, \
         GiB, such as \"100 MB\" or \"64 MiB\""
    )
}

/// A whole number, with or without `,` or `_` before every third digit.
fn ungrouped(digits: &str) -> Result<u64, &'static str> {
    let mut groups = digits.split([',', '_']);
    let first = groups.next().map_or(0, str::len);
    let rest: Vec<usize> = groups.map(str::len).collect();
    let well_formed =
        first > 0 && (rest.is_empty() || first <= 3) && rest.iter().all(|len| *len == 3);
    if !well_formed {
        return Err(MALFORMED);
    }
    digits
        .replace([',', '_'], "")
        .parse()
        .map_err(|_| TOO_LARGE)
}

/// `0.fraction` of `unit` bytes, if that is a whole number.
fn fraction_of(fraction: &str, unit: u64) -> Result<u64, &'static str> {
    if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return Err(MALFORMED);
    }
    // A unit has at most 30 factors of two, so whole bytes need no more places;
    // digits times unit stays below 10^30 * 2^30, checked all the same.
    let significant = fraction.trim_end_matches('0');
    if significant.is_empty() {
        return Ok(0);
    }
    let scale = u32::try_from(significant.len())
        .ok()
        .and_then(|places| 10_u128.checked_pow(places));
    let digits: Option<u128> = significant.parse().ok();
    scale
        .zip(digits.and_then(|digits| digits.checked_mul(u128::from(unit))))
        .filter(|(scale, scaled)| scaled % scale == 0)
        .and_then(|(scale, scaled)| u64::try_from(scaled / scale).ok())
        .ok_or(NOT_WHOLE)
}

/// The number of milliseconds that `text` names, or the message for a text that is no duration.
pub(crate) fn milliseconds(text: &str) -> Result<u64, String> {
    read_milliseconds(text).ok_or_else(|| {
        format!(
            "{text:?} is not a duration: write a whole number above 0 and one of ms, s, min, \
             h, such as \"500 ms\", \"60 s\" or \"5 min\""
        )
    })
}

fn read_milliseconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(end);
    let unit_ms = match unit.trim_start() {
        "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let milliseconds = number.parse::<u64>().ok()?.checked_mul(unit_ms)?;
    (milliseconds > 0).then_some(milliseconds)
}
