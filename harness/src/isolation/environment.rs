//! An environment of the same size for every child.
//!
//! The system puts a program's environment and arguments above its stack. With more or
//! longer variables, or the program at another path, every address on the main thread's
//! stack is another one. So the size is rounded up, by variables that the child removes.

use std::ffi::OsStr;

/// The names of the variables that fill up.
pub(super) const PADDING: [&str; 2] = ["HIGHWATER_PADDING", "HIGHWATER_PADDING_2"];

/// What the whole is rounded up to.
const UNIT: usize = 32 * 1_024;
/// What the system keeps for each variable and argument beside its text.
const POINTER: usize = size_of::<usize>();

/// The variables to add, with their values, to an environment of `variables` and a command
/// line of `arguments`, the program first.
pub(super) fn padding<'a>(
    variables: impl Iterator<Item = (&'a OsStr, &'a OsStr)>,
    arguments: impl Iterator<Item = &'a OsStr>,
) -> Vec<(&'static str, String)> {
    let (mut texts, mut pointers) = (0, 0);
    for (name, value) in variables {
        texts += name.len() + value.len() + 2;
        pointers += 1;
    }
    for (index, argument) in arguments.enumerate() {
        // The program's path stands there twice.
        texts += (argument.len() + 1) * if index == 0 { 2 } else { 1 };
        pointers += 1;
    }
    let mut padding = Vec::new();
    // An even number of them, for the stack is aligned to two.
    if pointers % 2 == 0 {
        padding.push((PADDING[1], String::new()));
        texts += PADDING[1].len() + 2;
        pointers += 1;
    }
    texts += PADDING[0].len() + 2;
    pointers += 1;
    let size = texts + pointers * POINTER;
    let missing = size.next_multiple_of(UNIT) - size;
    padding.push((PADDING[0], "x".repeat(missing)));
    padding
}

#[cfg(test)]
mod tests {
    use super::{POINTER, UNIT, padding};
    use std::ffi::OsStr;

    #[test]
    fn every_environment_becomes_as_large() {
        for (count, length) in (0..40).flat_map(|count| (0..40).map(move |length| (count, length)))
        {
            let value = "v".repeat(length);
            let variable = (OsStr::new("NAME"), OsStr::new(&value));
            let arguments = [OsStr::new(&value), OsStr::new("--exact")];
            let added = padding(std::iter::repeat_n(variable, count), arguments.into_iter());
            let own = count * ("NAME=".len() + length + 1) + 2 * (length + 1) + "--exact".len() + 1;
            let added_bytes: usize = added.iter().map(|(n, v)| n.len() + v.len() + 2).sum();
            let pointers = count + 2 + added.len();
            assert_eq!(pointers % 2, 0);
            assert_eq!(own + added_bytes + pointers * POINTER, UNIT);
        }
    }
}
