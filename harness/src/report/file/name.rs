//! The names of reports' files. They are readable where that is possible. Two scenarios never
//! have the same name, even on file systems that ignore capitals or limit the length.

use crate::text::fnv1a;

/// How long a name may be without its extension. File systems take 255 bytes, and what is
/// put behind it, such as that of an unfinished file, needs some of them.
const LONGEST: usize = 200;

/// `::` as `.`, and what is not a letter, a digit, `_` or `-` as `%` and its two
/// hexadecimal digits.
pub(super) fn encoded(name: &str) -> String {
    let mut file = String::new();
    for (index, part) in name.split("::").enumerate() {
        if index > 0 {
            file.push('.');
        }
        for byte in part.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => {
                    file.push(char::from(byte));
                }
                _ => file.push_str(&format!("%{byte:02X}")),
            }
        }
    }
    file
}

/// An encoded name as it is, or with its hash at the end: cut to that if it is too long,
/// and whole if it has capitals, which some file systems do not tell from small letters.
pub(super) fn fitted(encoded: &str) -> String {
    if encoded.len() <= LONGEST && !has_capitals(encoded) {
        return encoded.to_owned();
    }
    let hash = format!("~{:016x}", fnv1a(encoded.as_bytes()));
    let mut end = encoded.len().min(LONGEST - hash.len());
    if let Some(escape) = encoded[..end].rfind('%')
        && escape + 3 > end
    {
        end = escape;
    }
    format!("{}{hash}", &encoded[..end])
}

/// Those of escapes are no letters of the name.
fn has_capitals(encoded: &str) -> bool {
    let mut parts = encoded.split('%');
    let first = parts.next().unwrap_or_default();
    let behind_escapes = parts.map(|part| part.get(2..).unwrap_or_default());
    let mut letters = std::iter::once(first).chain(behind_escapes);
    letters.any(|part| part.bytes().any(|byte| byte.is_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, encoded, fitted, fnv1a};

    #[test]
    fn names_make_safe_files() {
        assert_eq!(encoded("candles-10k"), "candles-10k");
        assert_eq!(encoded("cache::is_bounded"), "cache.is_bounded");
        assert_eq!(encoded("cache.is/bounded"), "cache%2Eis%2Fbounded");
        assert_eq!(encoded("a%3A"), "a%253A");
        assert_eq!(encoded("../é"), "%2E%2E%2F%C3%A9");
        for name in ["candles-10k", "cache::is_bounded", "../é", "a%3a"] {
            assert_eq!(fitted(&encoded(name)), encoded(name), "it fits");
        }
    }

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        for letter in ["ж", "测", "🦀", "a"] {
            let names = [50, 80, 300].map(|count| letter.repeat(count) + "::end");
            let other = names.clone().map(|name| name + "s");
            let files: Vec<_> = names.iter().chain(&other).map(|n| encoded(n)).collect();
            let cut: Vec<_> = files.iter().map(|file| fitted(file)).collect();
            for (file, cut) in files.iter().zip(&cut) {
                assert!(cut.len() <= LONGEST, "{cut}");
                assert_eq!(file == cut, file.len() <= LONGEST);
                let whole = cut.split('~').next().expect("a part");
                let escape = whole.rfind('%').unwrap_or(0);
                assert!(letter == "a" || escape + 3 <= whole.len(), "{cut}");
            }
            let all: std::collections::BTreeSet<_> = cut.iter().collect();
            assert_eq!(all.len(), cut.len());
        }
        let at_most = "a".repeat(LONGEST);
        assert_eq!(fitted(&at_most), at_most);
    }

    #[test]
    fn names_that_differ_in_capitals_only_do_so_elsewhere_too() {
        let names = ["orders", "Orders", "ORDERS", "orderS"].map(fitted);
        let mut small = names.clone().map(|name| name.to_lowercase());
        small.sort();
        assert!(small.windows(2).all(|pair| pair[0] != pair[1]), "{small:?}");
        assert_eq!(names[0], "orders");
        assert_eq!(names[1], "Orders~e87b30a62af9f12c");
        let long = fitted(&"Ab".repeat(99));
        assert_eq!(long.len(), LONGEST);
    }

    #[test]
    fn the_hash_is_fnv1a() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
