//! [`Kind`]: what can become worse, and so block.

use highwater_reports::figure::Figure;
use serde::{Deserialize, Serialize, Serializer};

/// What can become worse, and so block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub enum Kind {
    /// The verdict turned growing.
    Growing,
    /// The verdict turned inconclusive.
    Inconclusive,
    /// A ceiling is breached.
    Ceiling,
    /// Memory depends on the steps by another law.
    Law,
    /// A figure rose.
    Figure(Figure),
}

impl Kind {
    /// All that are worth to be named.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let figures = Figure::all().filter(|figure| figure.can_block());
        [Self::Growing, Self::Inconclusive, Self::Ceiling, Self::Law]
            .into_iter()
            .chain(figures.map(Self::Figure))
    }

    /// Its name, as in `highwater.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Growing => "growing",
            Self::Inconclusive => "inconclusive",
            Self::Ceiling => "ceiling",
            Self::Law => "law",
            Self::Figure(figure) => figure.key(),
        }
    }

    /// Whether it blocks if `highwater.toml` does not say what does.
    pub(crate) fn blocks_by_default(self) -> bool {
        match self {
            Self::Growing | Self::Ceiling => true,
            Self::Inconclusive | Self::Law => false,
            Self::Figure(figure) => figure.blocks_by_default(),
        }
    }
}

impl TryFrom<String> for Kind {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::all().find(|kind| kind.name() == name).ok_or_else(|| {
            let names: Vec<_> = Self::all().map(Self::name).collect();
            format!("`{name}` cannot block; what can: {}", names.join(", "))
        })
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn every_kind_has_a_name_that_is_read_back() {
        for kind in Kind::all() {
            assert_eq!(Kind::try_from(kind.name().to_owned()), Ok(kind));
        }
        assert_eq!(
            Kind::try_from("steps".to_owned()),
            Err(
                "`steps` cannot block; what can: growing, inconclusive, ceiling, law, growth, peak, \
                 residue, live, live-blocks, total, total-blocks, step-bytes, step-blocks, \
                 reallocations"
                    .to_owned()
            )
        );
    }
}
