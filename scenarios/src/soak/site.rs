//! Which line of a part leaks: the service runs once more, with call stacks.
//!
//! That is when all was measured, since call stacks and the symbols for them take memory and
//! time. It is recorded from its start, so what its windows replace is known, too. A window that is
//! full rests from then on, and a table that doubles has done so once more when twice the time is
//! over. So what rises in the second half is what leaks.

use super::{Asked, MINUTE};
use crate::progress_bar;
use crate::soak::parts::{Service, Wire};
use highwater::Frame;
use highwater_monitor::{Monitor, Profile, Recording};
use std::collections::HashMap;
use std::io;

/// All windows are full then.
const HALF: u64 = 34 * MINUTE;

/// The call site that rose most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Site {
    /// The two innermost functions of the project, of which the first may serve many others.
    frames: Vec<Frame>,
    bytes: u64,
}

impl Site {
    /// In a sentence's part.
    pub(super) fn told(&self) -> String {
        let bytes = highwater::__private::Size(self.bytes);
        let minutes = HALF / MINUTE;
        let told = self.frames.iter().map(|frame| {
            let place = frame.file().zip(frame.line());
            let place = place.map_or(String::new(), |(file, line)| format!(" at {file}:{line}"));
            format!("`{}`{place}", frame.function())
        });
        let told: Vec<_> = told.collect();
        format!(
            "{bytes} in {minutes} simulated minutes are of {}",
            told.join(", called by ")
        )
    }

    /// That which rose most from one profile to the other.
    fn of(before: &Profile, after: &Profile) -> Option<Self> {
        // A call stack comes once for each type that is allocated there.
        let mut rises: HashMap<&[Frame], i128> = HashMap::new();
        for (frames, bytes) in after.sites() {
            *rises.entry(frames).or_default() += i128::from(bytes);
        }
        for (frames, bytes) in before.sites() {
            *rises.entry(frames).or_default() -= i128::from(bytes);
        }
        let most = rises
            .into_iter()
            .max_by_key(|(frames, rise)| (*rise, *frames));
        let (frames, rise) = most?;
        let bytes = u64::try_from(rise).ok().filter(|bytes| *bytes > 0)?;
        let frames = frames.iter().filter(|frame| !frame.is_dependency());
        let frames: Vec<_> = frames.take(2).cloned().collect();
        (!frames.is_empty()).then_some(Self { frames, bytes })
    }
}

/// Runs it. None if nothing is left over, or call stacks cannot be taken here.
pub(super) fn find(asked: &Asked) -> io::Result<Option<Site>> {
    let Ok(recording) = Recording::start() else {
        return Ok(None);
    };
    let folder = tempfile::tempdir()?;
    let monitor = Monitor::builder().build();
    let cleanup = monitor.cleanup();
    let mut service = Service::start(folder.path(), asked.leaky, &cleanup, Wire::None)?;
    let bar = progress_bar(2 * HALF / MINUTE);
    bar.set_message("simulated minutes with call stacks");
    let mut run = |seconds: std::ops::Range<u64>| -> io::Result<Option<Profile>> {
        for second in seconds {
            service.second(second)?;
            if (second + 1).is_multiple_of(MINUTE) {
                service.save()?;
                bar.inc(1);
            }
        }
        Ok(recording.profile().ok())
    };
    let profiles = run(0..HALF)?.zip(run(HALF..2 * HALF)?);
    bar.finish_and_clear();
    Ok(profiles.and_then(|(before, after)| Site::of(&before, &after)))
}
