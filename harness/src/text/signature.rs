//! [`signature`]: by what a call site that grows is known again, in the next run and after the
//! code has moved.

use super::fnv1a;

/// How a holder holds blocks of a site: how many bytes, in which way, and by which path.
pub type Held<'a> = (u64, &'a str, &'a [String]);

/// The signature of a call site: 16 hex digits. None if its functions are not known.
///
/// It is the hash FNV-1a of 64 bits over these words, each with a letter before it and the byte
/// 0xFF behind it: `T` and the type, if that is known; `F` and each function, the innermost
/// first; then, of the holder with the most bytes, `H` and how it holds them, and `P` and each
/// element of its path. Of holders with as many bytes it is the first one in the order of the
/// words. Lines, files and sizes are no part of it.
#[doc(hidden)]
pub fn signature<'a>(
    type_name: Option<&'a str>,
    functions: impl Iterator<Item = &'a str>,
    holders: impl Iterator<Item = Held<'a>>,
) -> Option<String> {
    let mut functions = functions.peekable();
    functions.peek()?;
    let order = |(bytes, hold, path): &Held<'a>| (std::cmp::Reverse(*bytes), *hold, *path);
    let holder = holders.min_by(|a, b| order(a).cmp(&order(b)));
    let held = holder.into_iter().flat_map(|(_, hold, path)| {
        let path = path.iter().map(|element| (b'P', element.as_str()));
        [(b'H', hold)].into_iter().chain(path)
    });
    let words = type_name.map(|name| (b'T', name)).into_iter();
    let words = words.chain(functions.map(|name| (b'F', name))).chain(held);
    let bytes = words.flat_map(|(kind, word)| [kind].into_iter().chain(word.bytes()).chain([0xFF]));
    Some(format!("{:016x}", fnv1a(&bytes.collect::<Vec<_>>())))
}

#[cfg(test)]
mod tests {
    use super::{Held, fnv1a, signature};

    fn of(type_name: Option<&str>, functions: &[&str], holders: &[Held<'_>]) -> Option<String> {
        signature(
            type_name,
            functions.iter().copied(),
            holders.iter().copied(),
        )
    }

    #[test]
    fn the_hash_is_the_published_one() {
        // From the test vectors of its authors.
        let vectors = [
            ("", 0xcbf2_9ce4_8422_2325),
            ("a", 0xaf63_dc4c_8601_ec8c),
            ("foobar", 0x8594_4171_f739_67e8),
        ];
        for (text, hash) in vectors {
            assert_eq!(fnv1a(text.as_bytes()), hash, "{text}");
        }
    }

    #[test]
    fn each_part_counts_and_so_does_its_place() {
        let path = ["static A".to_owned(), "Vec<B>".to_owned()];
        let held: Held<'_> = (8, "held", &path);
        let all = [
            of(Some("B"), &["f", "g"], &[held]),
            of(Some("C"), &["f", "g"], &[held]),
            of(None, &["f", "g"], &[held]),
            of(Some("B"), &["g", "f"], &[held]),
            of(Some("B"), &["fg"], &[held]),
            of(Some("B"), &["f"], &[held]),
            of(Some("B"), &["f", "g"], &[]),
            of(Some("B"), &["f", "g"], &[(8, "held", &path[..1])]),
            of(Some("B"), &["f", "g"], &[(8, "cycle", &path)]),
        ];
        let different: std::collections::BTreeSet<_> = all.iter().flatten().collect();
        assert_eq!(different.len(), all.len());
        assert_eq!(of(Some("B"), &[], &[held]), None);
    }

    #[test]
    fn it_is_of_the_holder_with_the_most_bytes() {
        let path = ["static A".to_owned()];
        let alone = of(None, &["f"], &[(1_000, "held", &path)]);
        let few_are_lost = [(16, "lost", &path[..0]), (960, "held", &path[..])];
        assert_eq!(of(None, &["f"], &few_are_lost), alone);
        let [a, b] = [(8, "lost", &path[..0]), (8, "held", &path[..])];
        assert_eq!(of(None, &["f"], &[a, b]), of(None, &["f"], &[b, a]));
    }
}
