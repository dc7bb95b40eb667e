//! Text that fits a terminal of 80 columns, or of as many as it has.

pub(crate) const WIDTH: usize = 80;

/// The words in lines, each behind so many spaces, those after the first behind two more. A
/// word that is longer than a line stands alone in one.
pub(crate) fn wrapped(text: &str, indent: usize) -> String {
    wrapped_to(text, indent, WIDTH)
}

/// The same in lines of at most `width` columns. A command in backticks is one word: whoever
/// copies it gets it whole.
#[doc(hidden)]
pub fn wrapped_to(text: &str, indent: usize, width: usize) -> String {
    let mut wrapped = String::new();
    let mut line = " ".repeat(indent);
    let mut is_empty = true;
    for word in words(text) {
        let length = line.chars().count() + usize::from(!is_empty) + word.chars().count();
        if length > width && !is_empty {
            wrapped.push_str(&line);
            wrapped.push('\n');
            line = " ".repeat(indent + 2);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    wrapped + &line + "\n"
}

/// What stands between spaces, with commands whole.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let command = match rest.find("`cargo ") {
            Some(start) if !rest[..start].contains(char::is_whitespace) => {
                let end = rest[start + 1..].find('`');
                end.map_or(0, |end| start + 1 + end)
            }
            _ => 0,
        };
        let end = rest[command..].find(char::is_whitespace);
        let end = end.map_or(rest.len(), |end| command + end);
        words.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    words
}

/// The text in at most so many characters; an ellipsis stands for what does not fit.
pub(crate) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most - 1).collect();
    kept.trim_end().to_owned() + "…"
}

#[cfg(test)]
mod tests {
    use super::{WIDTH, cut, wrapped, wrapped_to};

    #[test]
    fn lines_break_between_words() {
        let text = "word ".repeat(40);
        let wrapped = wrapped(&text, 2);
        assert!(wrapped.lines().all(|line| line.chars().count() <= WIDTH));
        assert_eq!(wrapped.lines().count(), 3);
        assert!(
            wrapped
                .lines()
                .nth(1)
                .is_some_and(|line| line.starts_with("    word"))
        );
        let long = "x".repeat(100);
        assert_eq!(
            super::wrapped(&format!("a {long} b"), 0),
            format!("a\n  {long}\n  b\n")
        );
        assert_eq!(super::wrapped("", 0), "\n");
    }

    #[test]
    fn commands_are_not_broken() {
        let text = "say `cargo highwater bless` (`cargo test --all`), then `go on` `cargo x";
        let expected = "\
say
  `cargo highwater bless`
  (`cargo test --all`),
  then `go on` `cargo x
";
        assert_eq!(wrapped_to(text, 0, 24), expected);
    }

    #[test]
    fn what_is_left_out_shows() {
        assert_eq!(cut("short", WIDTH), "short");
        let line = cut(&"é".repeat(100), WIDTH);
        assert_eq!(line.chars().count(), WIDTH);
        assert!(line.ends_with('…'));
    }
}
