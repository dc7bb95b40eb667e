//! How a diagnosis reads.

use super::{Diagnosis, Frame, Site, Trap};
use crate::byte_size::{Blocks, RateWithin, Signed, Thousands};
use crate::holders::{Hold, Holder};
use std::fmt;

/// How many sites are shown, and how many frames of each.
const SITES: usize = 5;
const FRAMES: usize = 6;
/// How many holders, if none has most of the blocks.
const HOLDERS: usize = 3;

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(trap) = &self.trap {
            writeln!(f, "{trap}")?;
        }
        let (first, last) = self.steps;
        write!(f, "sites, by growth over ")?;
        if first > 0 {
            write!(f, "steps {} to {}", Thousands(first), Thousands(last))?;
        } else {
            write!(f, "{} steps", Thousands(last))?;
        }
        writeln!(f, ": {}", self.share())?;
        let grew = |site: &&Site| site.growth.bytes > 0 || site.verdict.is_growing();
        let shown: Vec<_> = self.sites.iter().filter(grew).collect();
        for site in shown.iter().take(SITES) {
            write!(f, "{site}")?;
        }
        if shown.len() > SITES {
            let rest = shown[SITES..].iter().map(|site| site.growth.bytes).sum();
            let count = shown.len() - SITES;
            let noun = if count == 1 { "site" } else { "sites" };
            writeln!(f, "  {} B at {count} other {noun}", Change(rest))?;
        }
        if self.lost_blocks > 0 {
            writeln!(
                f,
                "  {} could not be followed to their sites",
                Blocks(self.lost_blocks)
            )?;
        }
        if let Some(obstacle) = &self.holders_obstacle {
            writeln!(f, "  who holds it is not known: {obstacle}")?;
        }
        if self.unsearched_threads > 0 {
            writeln!(
                f,
                "  {} of its threads were running and were not searched for holders",
                self.unsearched_threads
            )?;
        }
        if self.has_lines && shown.iter().all(|site| site.type_name.is_none()) {
            writeln!(
                f,
                "  types are not known: build with -Csymbol-mangling-version=v0 and debug = \
                 \"limited\" or more"
            )?;
        }
        if !self.has_lines && !self.sites.is_empty() {
            writeln!(
                f,
                "  files and lines are not known: build with debug = \"line-tables-only\" or more"
            )?;
        }
        Ok(())
    }
}

impl Diagnosis {
    /// How much of the growth is explained.
    fn share(&self) -> String {
        let (growth, explained) = (self.growth_bytes, self.explained_bytes());
        if growth <= 0 {
            return format!("{} B in all", Change(growth));
        }
        let share = explained as f64 / growth as f64 * 100.0;
        let rest = growth - explained;
        if rest == 0 {
            format!("{} B in all, all of it explained", Change(growth))
        } else {
            format!(
                "{} B in all, {share:.1} % explained, {} B not",
                Change(growth),
                Signed(rest)
            )
        }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.growth.blocks.abs() == 1 {
            "block"
        } else {
            "blocks"
        };
        let kind = self.type_name.as_deref().unwrap_or("type unknown");
        writeln!(
            f,
            "  {} B, {} {noun}  {kind}, {}",
            Change(self.growth.bytes),
            Change(self.growth.blocks),
            self.rate()
        )?;
        write_stack(f, &self.frames)?;
        write_holders(f, self.holders.as_deref().unwrap_or_default())
    }
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.type_name.as_deref().unwrap_or("type unknown");
        writeln!(
            f,
            "stopped at a block of {} B, {kind}, with which live memory was {} B",
            Thousands(self.size_bytes),
            Thousands(self.live_bytes)
        )?;
        write_stack(f, &self.frames)
    }
}

fn write_stack(f: &mut fmt::Formatter<'_>, frames: &[Frame]) -> fmt::Result {
    if frames.is_empty() {
        writeln!(f, "      its call stack is not known")?;
    }
    for frame in frames.iter().take(FRAMES) {
        write!(f, "      {}", frame.function)?;
        if let (Some(file), Some(line)) = (&frame.file, frame.line) {
            write!(f, "  {file}:{line}")?;
        }
        writeln!(f)?;
    }
    Ok(())
}

/// Who holds a site's blocks: whoever holds more than half of them; or those who hold
/// most, if nobody does.
fn write_holders(f: &mut fmt::Formatter<'_>, holders: &[Holder]) -> fmt::Result {
    let all: u64 = holders.iter().map(|holder| holder.blocks).sum();
    let Some(first) = holders.first() else {
        return Ok(());
    };
    let has_majority = first.blocks * 2 > all;
    if !has_majority {
        writeln!(f, "    nobody holds most of its blocks; some of them:")?;
    }
    let shown = if has_majority { 1 } else { HOLDERS };
    for holder in holders.iter().take(shown) {
        writeln!(f, "    {holder}, {}", Share(holder.blocks, all))?;
    }
    Ok(())
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.join(" → ");
        match self.hold {
            Hold::Held => write!(f, "held by {path}"),
            Hold::Direct => write!(f, "unreachable: nothing points to them"),
            Hold::Indirect => write!(f, "unreachable, by what is itself: {path}"),
            Hold::Cycle => write!(f, "unreachable: a cycle of {path}"),
            Hold::Unknown => write!(f, "no holder was found in what could be searched"),
        }
    }
}

/// So many of all blocks.
struct Share(u64, u64);

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(blocks, all) = *self;
        if blocks == all {
            write!(f, "all {}", Blocks(all))
        } else {
            write!(f, "{} of {}", Thousands(blocks), Blocks(all))
        }
    }
}

impl Site {
    /// What its verdict comes to, in a few words.
    fn rate(&self) -> String {
        let verdict = &self.verdict;
        if !verdict.is_growing() {
            return verdict.word().to_owned();
        }
        let bytes = RateWithin(verdict.bytes_per_step(), verdict.bytes_per_step_error());
        format!("growing by {bytes} B a step")
    }
}

/// A figure with its sign, also above zero.
struct Change(i64);

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plus = if self.0 > 0 { "+" } else { "" };
        write!(f, "{plus}{}", Signed(self.0))
    }
}
