//! [`Kind`]: what can change, and what of that can become worse, and so block.

use highwater_reports::figure::Figure;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::collections::BTreeSet;

/// What can change.
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
    fn all() -> impl Iterator<Item = Self> {
        [Self::Growing, Self::Inconclusive, Self::Ceiling, Self::Law]
            .into_iter()
            .chain(Figure::all().map(Self::Figure))
    }

    /// All that can block.
    pub(crate) fn that_block() -> impl Iterator<Item = Self> {
        let can_block = |kind: &Self| match kind {
            Self::Figure(figure) => figure.can_block(),
            _ => true,
        };
        Self::all().filter(can_block)
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
        let mut all = Self::all();
        all.find(|kind| kind.name() == name)
            .ok_or_else(|| format!("`{name}` is nothing that changes"))
    }
}

/// Reads a list of what is to block.
pub(crate) fn blocking<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<BTreeSet<Kind>>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    let kind = |name: String| {
        let mut known = Kind::that_block();
        known.find(|kind| kind.name() == name).ok_or_else(|| {
            let names: Vec<_> = Kind::that_block().map(Kind::name).collect();
            de::Error::custom(format!(
                "`{name}` cannot block; what can: {}",
                names.join(", ")
            ))
        })
    };
    names
        .into_iter()
        .map(kind)
        .collect::<Result<_, _>>()
        .map(Some)
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
        let unknown = Kind::try_from("grwth".to_owned());
        assert_eq!(unknown, Err("`grwth` is nothing that changes".to_owned()));
    }
}
