//! The text form of a diagnosis.

use super::types::growth_by_type;
use super::{Diagnosis, Site, Subject, Trap};
use crate::alloc::{self, Live, Total};
use crate::holders::Holder;
use crate::symbols::Stack;
use crate::text::{Blocks, RateWithin, Steps, Thousands};
use std::fmt;

/// How many sites are shown, and how many frames of each.
const SITES: usize = 5;
/// How many types.
const TYPES: usize = 5;
/// How many holders, if none has most of the blocks.
const HOLDERS: usize = 3;

/// Sites that are worth showing, each with what it grew by or held.
type Sites<'a> = Vec<(&'a Site, Live)>;

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(trap) = &self.trap {
            writeln!(f, "{trap}")?;
        }
        let shown = match self.subject {
            Subject::Peak(peak_bytes) => self.write_peak(f, peak_bytes)?,
            Subject::Growth => self.write_growth(f)?,
            Subject::StepBlocks | Subject::StepBytes => self.write_steps(f)?,
            Subject::Types => self.write_of_types(f)?,
        };
        let has_type = shown.iter().any(|(site, _)| site.type_name.is_some());
        for note in self.notes(has_type) {
            writeln!(f, "  {note}")?;
        }
        Ok(())
    }
}

impl Diagnosis {
    /// What could not be told, and how it could, a line each; `has_type` if what is shown has
    /// types.
    pub(crate) fn notes(&self, has_type: bool) -> Vec<String> {
        let mut notes = Vec::new();
        if self.lost_blocks > 0 {
            let blocks = Blocks(self.lost_blocks);
            notes.push(format!("{blocks} could not be followed to their sites"));
        }
        if let Some(obstacle) = &self.holders_obstacle {
            notes.push(format!("who holds it is not known: {obstacle}"));
        }
        if self.unsearched_threads > 0 {
            notes.push(format!(
                "{} of its threads were running and were not searched for holders",
                self.unsearched_threads
            ));
        }
        if self.has_lines && !has_type {
            let of_c = match alloc::why_c_heap_is_uncounted() {
                None => "C's blocks have none; for Rust's ",
                Some(_) => "",
            };
            notes.push(format!(
                "types are not known: {of_c}build with -Csymbol-mangling-version=v0 and debug = \
                 \"limited\" or more"
            ));
        }
        if !self.has_lines && !self.sites.is_empty() {
            notes.push(
                "files and lines are not known: build with debug = \"line-tables-only\" or more"
                    .to_owned(),
            );
        }
        notes
    }

    /// How to be told sooner, if names took long. Not among the others, which are alike each
    /// time.
    pub(crate) fn slowness(&self) -> Option<String> {
        let seconds = self.slow_seconds?;
        Some(format!(
            "call stacks took {seconds} s, because this build does not optimise highwater: add \
             opt-level = 3 below [profile.dev.package.highwater] and \
             [profile.dev.package.backtrace]"
        ))
    }

    /// The sites that held something at the peak.
    fn write_peak(
        &self,
        f: &mut fmt::Formatter<'_>,
        peak_bytes: u64,
    ) -> Result<Sites<'_>, fmt::Error> {
        writeln!(
            f,
            "sites, by what they held at the peak of {} B",
            Thousands(peak_bytes)
        )?;
        let sites = self.sites.iter();
        let sites = sites.filter_map(|site| Some((site, site.at_peak?)));
        let held: Sites<'_> = sites.filter(|(_, live)| live.bytes > 0).collect();
        write_amounts(f, &held)?;
        Ok(held)
    }

    /// The sites that allocate in the steps.
    fn write_steps(&self, f: &mut fmt::Formatter<'_>) -> Result<Sites<'_>, fmt::Error> {
        let steps = Steps(self.steps.1);
        writeln!(f, "sites, by what they allocated in {steps}")?;
        let sites = self.sites.iter().map(|site| {
            let Total { bytes, blocks } = site.of_steps;
            let signed = |figure| i64::try_from(figure).unwrap_or(i64::MAX);
            let (bytes, blocks) = (signed(bytes), signed(blocks));
            (site, Live { bytes, blocks })
        });
        let busy: Sites<'_> = sites.filter(|(_, live)| live.bytes > 0).collect();
        write_amounts(f, &busy)?;
        Ok(busy)
    }

    /// The sites of some types, with their holders.
    fn write_of_types(&self, f: &mut fmt::Formatter<'_>) -> Result<Sites<'_>, fmt::Error> {
        writeln!(f, "sites, by live blocks after {}", Steps(self.steps.1))?;
        let of_type = self.sites.iter().filter(|site| site.is_shown);
        let held: Sites<'_> = of_type.map(|site| (site, site.live)).collect();
        write_amounts(f, &held)?;
        Ok(held)
    }

    /// The sites that grew.
    fn write_growth(&self, f: &mut fmt::Formatter<'_>) -> Result<Sites<'_>, fmt::Error> {
        let (first, last) = self.steps;
        write!(f, "sites, by growth over ")?;
        if first > 0 {
            write!(f, "steps {} to {}", Thousands(first), Thousands(last))?;
        } else {
            write!(f, "{}", Steps(last))?;
        }
        writeln!(f, ": {}", self.share())?;
        let sites = self.sites.iter();
        let sites = sites.filter(|site| site.growth.bytes > 0 || site.verdict.is_growing());
        let grew: Sites<'_> = sites.map(|site| (site, site.growth)).collect();
        for (site, _) in grew.iter().take(SITES) {
            write!(f, "{site}")?;
        }
        if let Some((bytes, others)) = rest(&grew) {
            writeln!(f, "  {} B at {others}", Change(bytes))?;
        }
        self.write_types(f)?;
        Ok(grew)
    }

    /// What grew, by type, if that says more than the sites do.
    fn write_types(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let grew = growth_by_type(&self.sites);
        let is_known = grew.iter().any(|(name, _)| name.is_some());
        if !is_known || grew.len() < 2 {
            return Ok(());
        }
        writeln!(f, "objects, by type")?;
        for (name, growth) in grew.iter().take(TYPES) {
            writeln!(
                f,
                "  {} B, {} {}  {}",
                Change(growth.bytes),
                Change(growth.blocks),
                noun(growth.blocks),
                name.unwrap_or("type unknown")
            )?;
        }
        Ok(())
    }

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
                Thousands(rest)
            )
        }
    }
}

/// The first sites with their call stacks, and what the others come to.
fn write_amounts(f: &mut fmt::Formatter<'_>, sites: &Sites<'_>) -> fmt::Result {
    for (site, live) in sites.iter().take(SITES) {
        let (bytes, blocks) = (Thousands(live.bytes), u64::try_from(live.blocks));
        let blocks = Blocks(blocks.unwrap_or(0));
        writeln!(f, "  {bytes} B, {blocks}  {}", site.kind())?;
        write!(f, "{}", Stack(&site.frames))?;
        if site.is_shown {
            write_holders(f, site.holders.as_deref().unwrap_or_default())?;
        }
    }
    if let Some((bytes, others)) = rest(sites) {
        writeln!(f, "  {} B at {others}", Thousands(bytes))?;
    }
    Ok(())
}

fn noun(blocks: i64) -> &'static str {
    if blocks.abs() == 1 { "block" } else { "blocks" }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "  {} B, {} {}  {}, {}",
            Change(self.growth.bytes),
            Change(self.growth.blocks),
            noun(self.growth.blocks),
            self.kind(),
            self.rate()
        )?;
        write!(f, "{}", Stack(&self.frames))?;
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
        write!(f, "{}", Stack(&self.frames))
    }
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
        writeln!(
            f,
            "    no root holds most of its blocks; the first roots are:"
        )?;
    }
    let shown = if has_majority { 1 } else { HOLDERS };
    for holder in holders.iter().take(shown) {
        writeln!(f, "    {holder}, {}", Share(holder.blocks, all))?;
    }
    Ok(())
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

/// What the sites that are not shown come to, and how many they are.
fn rest(sites: &Sites<'_>) -> Option<(i64, String)> {
    let rest = sites.get(SITES..).filter(|rest| !rest.is_empty())?;
    let bytes = rest.iter().map(|(_, live)| live.bytes).sum();
    let noun = if rest.len() == 1 { "site" } else { "sites" };
    Some((bytes, format!("{} other {noun}", rest.len())))
}

impl Site {
    fn kind(&self) -> &str {
        self.type_name.as_deref().unwrap_or("type unknown")
    }

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
        write!(f, "{plus}{}", Thousands(self.0))
    }
}
