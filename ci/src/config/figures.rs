//! What `highwater.toml` says of single figures, by their keys: ceilings and tolerances.

use super::Reason;
use highwater::{ByteSize, ByteSizeError};
use highwater_reports::figure::{Figure, Unit};
use serde::de::{Error, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

/// A ceiling for each figure that is given one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ceilings(BTreeMap<Figure, Limit>);

struct CeilingKey(Figure);

/// A size, or a number of what has no bytes; or `"none"`, which lifts the project's ceiling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    None,
    /// In the figure's unit.
    At(u64),
}

/// A ceiling on a figure that is no size.
struct Count(Limit);

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

const NONE: &str = "none";

impl Ceilings {
    pub(super) fn on(&self, figure: Figure) -> Option<Limit> {
        self.0.get(&figure).copied()
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

impl<'de> Deserialize<'de> for Ceilings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ReadCeilings)
    }
}

struct ReadCeilings;

impl<'de> Visitor<'de> for ReadCeilings {
    type Value = Ceilings;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of ceilings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ceilings, A::Error> {
        let mut ceilings = BTreeMap::new();
        while let Some(CeilingKey(figure)) = map.next_key()? {
            let limit = match figure.unit() {
                Unit::Bytes => map.next_value::<Limit>()?,
                _ => map.next_value::<Count>()?.0,
            };
            ceilings.insert(figure, limit);
        }
        Ok(Ceilings(ceilings))
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReadCount)
    }
}

struct ReadCount;

impl Visitor<'_> for ReadCount {
    type Value = Count;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number, or \"none\"")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Count, E> {
        let count = u64::try_from(number);
        let refused = |_| E::invalid_value(Unexpected::Signed(number), &self);
        count.map(|count| Count(Limit::At(count))).map_err(refused)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Count, E> {
        if text == NONE {
            return Ok(Count(Limit::None));
        }
        Err(E::invalid_value(Unexpected::Str(text), &self))
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
        if text == NONE {
            return Ok(Self::None);
        }
        let size = text.parse().map(|size: ByteSize| Self::At(size.bytes()));
        size.map_err(|error: ByteSizeError| D::Error::custom(format!("{error}, or \"none\"")))
    }
}
