//! JSON, written by hand: a few lines here keep a serialisation framework out of every
//! project that depends on this crate.

use std::fmt::Write as _;

/// A value, or `null` if there is none.
pub(crate) fn or_null(value: Option<impl std::fmt::Display>) -> String {
    value.map_or_else(|| "null".to_owned(), |value| value.to_string())
}

/// A JSON object in the making, one member a line.
pub(crate) struct Object(String);

impl Object {
    pub(crate) fn new() -> Self {
        Self(String::from("{"))
    }

    pub(crate) fn member(&mut self, name: &str, value: &str) {
        let comma = if self.0.len() > 1 { "," } else { "" };
        // Writing to a `String` cannot fail.
        let _ = write!(self.0, "{comma}\n  \"{name}\": {value}");
    }

    /// Floats in here are finite and print as JSON numbers.
    pub(crate) fn number(&mut self, name: &str, value: impl std::fmt::Display) {
        self.member(name, &value.to_string());
    }

    /// A number that there may not be.
    pub(crate) fn known(&mut self, name: &str, value: Option<impl std::fmt::Display>) {
        self.member(name, &or_null(value));
    }

    pub(crate) fn text(&mut self, name: &str, value: Option<&str>) {
        self.member(name, &value.map_or_else(|| "null".to_owned(), quoted));
    }

    pub(crate) fn list(&mut self, name: &str, items: impl Iterator<Item = String>) {
        let items: Vec<_> = items.map(|item| format!("\n    {item}")).collect();
        let end = if items.is_empty() { "" } else { "\n  " };
        self.member(name, &format!("[{}{end}]", items.join(",")));
    }

    pub(crate) fn finish(mut self) -> String {
        self.0.push_str("\n}");
        self.0
    }
}

/// `text` as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    let mut json = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            c if c < ' ' => {
                let _ = write!(json, "\\u{:04x}", u32::from(c));
            }
            c => json.push(c),
        }
    }
    json.push('"');
    json
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn text_is_escaped() {
        assert_eq!(quoted("a \"b\"\\c\n\t€"), r#""a \"b\"\\c\n\u0009€""#);
    }
}
