//! What `highwater.toml` says of single figures, by their keys: ceilings and tolerances.

use super::Reason;
use highwater::{ByteSize, ByteSizeError};
use highwater_reports::figure::{Figure, Unit};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

/// A ceiling for each figure that is given one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Ceilings(BTreeMap<CeilingKey, Limit>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct CeilingKey(Figure);

/// A size, or `"none"`, which lifts the project's ceiling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    None,
    At(ByteSize),
}

/// How far figures may move, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tolerance {
    /// Why they do.
    pub reason: Reason,
    figures: BTreeMap<Figure, u64>,
}

/// A figure's key, or, without one, that of the reason.
struct ToleranceKey(Option<Figure>);

const REASON: &str = "reason";

impl Ceilings {
    pub(super) fn on(&self, figure: Figure) -> Option<Limit> {
        self.0.get(&CeilingKey(figure)).copied()
    }
}

impl Tolerance {
    /// How far `figure` may move, either way.
    pub fn of(&self, figure: Figure) -> i64 {
        let allowed = self.figures.get(&figure).copied().unwrap_or(0);
        i64::try_from(allowed).unwrap_or(i64::MAX)
    }
}

fn with_a_ceiling() -> impl Iterator<Item = Figure> {
    Figure::all().filter(|figure| figure.can_have_a_ceiling())
}

fn tolerable() -> impl Iterator<Item = Figure> {
    Figure::all().filter(|figure| figure.can_block())
}

impl<'de> Deserialize<'de> for CeilingKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        static KEYS: LazyLock<Vec<&str>> =
            LazyLock::new(|| with_a_ceiling().map(Figure::key).collect());
        let key = String::deserialize(deserializer)?;
        let figure = with_a_ceiling().find(|figure| figure.key() == key);
        let unknown = || D::Error::unknown_field(&key, &KEYS);
        figure.map(Self).ok_or_else(unknown)
    }
}

impl<'de> Deserialize<'de> for ToleranceKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        static KEYS: LazyLock<Vec<&str>> = LazyLock::new(|| {
            let figures = tolerable().map(Figure::key);
            [REASON].into_iter().chain(figures).collect()
        });
        let key = String::deserialize(deserializer)?;
        if key == REASON {
            return Ok(Self(None));
        }
        let figure = tolerable().find(|figure| figure.key() == key);
        let unknown = || D::Error::unknown_field(&key, &KEYS);
        figure.map(|figure| Self(Some(figure))).ok_or_else(unknown)
    }
}

impl<'de> Deserialize<'de> for Tolerance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ReadTolerance)
    }
}

struct ReadTolerance;

impl<'de> Visitor<'de> for ReadTolerance {
    type Value = Tolerance;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of figures with a reason")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tolerance, A::Error> {
        let (mut reason, mut figures) = (None, BTreeMap::new());
        while let Some(ToleranceKey(figure)) = map.next_key()? {
            let Some(figure) = figure else {
                reason = Some(map.next_value()?);
                continue;
            };
            let allowed = match figure.unit() {
                Unit::Bytes => map.next_value::<Size>()?.0.bytes(),
                _ => map.next_value::<u32>()?.into(),
            };
            figures.insert(figure, allowed);
        }
        let reason = reason.ok_or_else(|| A::Error::missing_field(REASON))?;
        Ok(Tolerance { reason, figures })
    }
}

struct Size(ByteSize);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "none" {
            return Ok(Self::None);
        }
        let size = text.parse().map(Self::At);
        size.map_err(|error: ByteSizeError| D::Error::custom(format!("{error}, or \"none\"")))
    }
}
