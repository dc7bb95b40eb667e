//! Characters that cannot be seen, and change what is seen beside them.

/// Whether the character has no look of its own: controls, marks of direction, joiners, tags,
/// and what is no character. In text that somebody else wrote they can hide words, reorder
/// them, break lines, or command a terminal.
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{fffe}'..='\u{ffff}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// `text` with its hidden characters escaped: a name with a line break in it must not break
/// a table, nor one with escape codes a terminal, nor one that is read backwards the reader.
pub fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        if is_hidden(character) {
            printable.extend(character.escape_default());
        } else {
            printable.push(character);
        }
    }
    printable
}

#[cfg(test)]
mod tests {
    use super::is_hidden;

    #[test]
    fn what_can_be_read_is_not_hidden() {
        let text = "Bücher → naïve 注文 🟢 \"a\" `b` <c>";
        assert!(!text.chars().any(is_hidden));
        let hidden = "\u{202e}\u{2066}\u{200b}\u{1b}\n\u{fffe}\u{e0041}\u{feff}";
        assert!(hidden.chars().all(is_hidden));
    }
}
