//! Words as a shell takes them.

/// As a shell takes it for one word.
pub fn shell_word(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_-:./".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::shell_word;

    #[test]
    fn words_of_a_shell() {
        assert_eq!(shell_word("tests::a"), "tests::a");
        assert_eq!(shell_word("bad orders"), "'bad orders'");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
    }
}
