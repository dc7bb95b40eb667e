//! What somebody may have meant by a name that is not known.

/// How alike two names are at least, of 1.
const LEAST: f64 = 0.8;

/// The name among those `known` that is most like this one, if any is.
pub fn similar<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let known = known.into_iter();
    let known = known.map(|known| (strsim::jaro_winkler(name, known), known));
    let known = known.filter(|(alike, _)| *alike >= LEAST);
    let most = known.max_by(|(one, _), (other, _)| one.total_cmp(other));
    most.map(|(_, known)| known)
}

/// `; did you mean ...?`, to put behind what is said of the name; empty if nothing is like it.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let similar = similar(name, known);
    let question = similar.map(|similar| format!("; did you mean `{similar}`?"));
    question.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::did_you_mean;

    #[test]
    fn the_most_alike_is_meant() {
        let known = ["orders", "order_book", "trades"];
        assert_eq!(did_you_mean("ordres", known), "; did you mean `orders`?");
        assert_eq!(did_you_mean("trade", known), "; did you mean `trades`?");
        assert_eq!(did_you_mean("nope", known), "");
    }
}
