//! The whole service for hours: all of its parts at once, watched as a service in production
//! is watched, cleaned up, and restarted before the machine has no memory left.
//!
//! The clock is simulated; the memory is real. Each part can have its defect, and what then
//! happens is held against what the monitor said before: which part grows, how fast, and when
//! it reaches the limit.
//!
//! With `--real` the clock is real, too, and trades come over sockets. Such a soak lasts minutes,
//! so the service first works off the simulated minutes in which its windows fill: what rises after
//! that is no window.

mod clock;
mod exchange;
mod floors;
mod parts;
mod real;
mod site;
mod text;

use crate::arguments::Soak as Asked;
use crate::{EXIT_SOUND, EXIT_UNKNOWN, EXIT_UNSOUND, progress_bar};
use clock::Clock;
use floors::Seen;
use highwater::__private::Course;
use highwater::ByteSize;
use highwater_monitor::{ComponentHeap, Event, Figure, Monitor, Sample, State, Status};
use highwater_reports::fitted;
use parts::{CleanUps, Messages, Service, Wire};
use real::Real;
use site::Site;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};
use text::Criterion;

const MINUTE: u64 = 60;
const HOUR: u64 = 3_600;
/// As many minutes as a verdict takes, in seconds.
const SETTLED: u64 = Course::FEWEST as u64 * MINUTE;
/// So many seconds come before a soak on the real clock: after 34 minutes all windows are full.
const WARM_UP: u64 = 40 * MINUTE;
/// What an alert is raised at, or half of what the service is restarted at if that is less.
const ALERT_ABOVE: ByteSize = ByteSize::gb(1);

/// What a soak came to.
struct Soak<'a> {
    asked: &'a Asked,
    /// The second in which it began: not the first one if it goes on with an account.
    begin: u64,
    /// Resident memory at each minute, or at each second of the real clock.
    memory: Vec<u64>,
    /// The most that was swapped out; none if that is not known.
    swap: Option<u64>,
    /// The time of processors that it took; none if that is not known.
    processor: Option<Duration>,
    /// What became of the service, from one start to the next.
    lives: Vec<Life>,
    /// When, and what.
    alerts: Vec<(u64, String)>,
    trades: u64,
    /// None on the simulated clock.
    real: Option<Real>,
    /// Which line leaks; none if nothing does, or it is not known.
    site: Option<Site>,
}

/// From one start of the service to the next.
struct Life {
    begin: u64,
    end: u64,
    status: Status,
    early: Option<Early>,
    /// None on the simulated clock.
    seen: Option<Seen>,
    messages: Messages,
    clean_ups: CleanUps,
    projection: Option<Projection>,
    /// Whether it ended because the limit was reached.
    is_over: bool,
}

/// What there was when the service had run for as long as a verdict takes. What came since is its
/// rise.
#[derive(Clone)]
struct Early {
    second: u64,
    memory: u64,
    parts: Vec<ComponentHeap>,
}

/// When memory was first said to grow without end, and when it was said to reach the limit.
#[derive(Clone, Copy)]
struct Projection {
    said: u64,
    reaches: u64,
}

/// Runs it, and says what came of it.
pub(crate) fn run(asked: &Asked) -> Result<(String, u8), String> {
    let folder = tempfile::tempdir().map_err(|error| format!("no temporary directory: {error}"))?;
    let folder = asked.state.as_deref().unwrap_or_else(|| folder.path());
    let failed = |error: io::Error| format!("the service failed: {error}");
    let mut soak = Soak::run(asked, folder).map_err(failed)?;
    let criteria = soak.criteria();
    if soak.grows(&criteria) {
        soak.site = site::find(asked).map_err(failed)?;
    }
    let code = if criteria.iter().any(Criterion::is_missed) {
        EXIT_UNSOUND
    } else if criteria.iter().any(Criterion::is_unknown) {
        EXIT_UNKNOWN
    } else {
        EXIT_SOUND
    };
    Ok((soak.text(&criteria, fitted::width()), code))
}

/// A service and who watches it.
struct Watched {
    service: Service,
    /// For alerts.
    alarm: Monitor,
    /// For when the service has to be restarted.
    limit: Monitor,
    begin: u64,
    early: Option<Early>,
    /// None on the simulated clock.
    seen: Option<Seen>,
    /// Those before it was watched.
    messages: Messages,
    projection: Option<Projection>,
}

impl Watched {
    fn start(asked: &Asked, folder: &Path, begin: Option<u64>) -> io::Result<Self> {
        let alert_above = asked.limit.bytes() / 2;
        let alert_above = ByteSize::b(alert_above).min(ALERT_ABOVE);
        let interval = Duration::from_secs(asked.interval());
        let monitor = |limit| Monitor::builder().limit(limit).interval(interval).build();
        let limit = monitor(asked.limit);
        let wire = match asked.real {
            Some(_) => Wire::Sockets,
            None => Wire::None,
        };
        let service = Service::start(folder, asked.leaky, &limit.cleanup(), wire)?;
        let begin = begin.unwrap_or_else(|| service.seconds_traded());
        Ok(Self {
            service,
            alarm: monitor(alert_above),
            limit,
            begin,
            early: None,
            seen: asked.real.map(|_| Seen::default()),
            messages: Messages::default(),
            projection: None,
        })
    }

    /// Works off what comes before a soak on the real clock, and has the monitors begin.
    fn warm_up(&mut self) -> io::Result<Sample> {
        let bar = progress_bar(WARM_UP / MINUTE);
        bar.set_message("simulated minutes before the soak");
        for second in self.begin..self.begin + WARM_UP {
            self.service.second(second)?;
            if (second + 1).is_multiple_of(MINUTE) {
                self.service.save()?;
                bar.inc(1);
            }
        }
        bar.finish_and_clear();
        self.begin += WARM_UP;
        self.messages = self.service.messages();
        // What the monitors take for themselves comes before the first window.
        let sample = Sample::of_this_process();
        self.alarm.observe(sample.clone());
        self.limit.observe(sample.clone());
        Ok(sample)
    }

    /// Takes a sample, `second` seconds after the first start, and returns it with its memory
    /// and what is to be said.
    fn sample(&mut self, second: u64) -> io::Result<(Sample, u64, Vec<String>)> {
        let mut sample = Sample::of_this_process();
        let Some(memory) = sample.memory_bytes() else {
            let notes: Vec<_> = sample.notes.iter().map(ToString::to_string).collect();
            let reason = notes.join("; ");
            return Err(io::Error::other(format!(
                "its memory is not known: {reason}"
            )));
        };
        match &mut self.seen {
            Some(seen) => seen.push(&sample),
            None => sample.time = SystemTime::UNIX_EPOCH + Duration::from_secs(second),
        }
        let events = self.alarm.observe(sample.clone());
        self.limit.observe(sample.clone());
        let status = self.limit.status();
        let verdict = status.verdict(&Figure::Memory);
        if let Some(verdict) = verdict
            && verdict.state() == State::Growing
            && let Some(until) = verdict.time_to_limit()
        {
            let reaches = second + until.as_secs();
            self.projection.get_or_insert(Projection {
                said: second,
                reaches,
            });
        }
        if self.early.is_none() && second >= self.begin + SETTLED {
            self.early = Some(Early {
                second,
                memory,
                parts: sample.components.clone(),
            });
        }
        let is_alert = |event: &&Event| !matches!(event, Event::Noted(_));
        let said = events.iter().filter(is_alert).map(Event::to_string);
        let said = said.collect();
        Ok((sample, memory, said))
    }

    fn end(self, end: u64, is_over: bool) -> Life {
        Life {
            begin: self.begin,
            end,
            status: self.alarm.status(),
            early: self.early,
            seen: self.seen,
            messages: self.service.messages().since(self.messages),
            clean_ups: self.service.clean_ups(),
            projection: self.projection,
            is_over,
        }
    }
}

impl<'a> Soak<'a> {
    fn new(asked: &'a Asked, begin: u64) -> Self {
        Self {
            asked,
            begin,
            memory: Vec::new(),
            swap: Some(0),
            processor: None,
            lives: Vec::new(),
            alerts: Vec::new(),
            trades: 0,
            real: None,
            site: None,
        }
    }

    fn run(asked: &'a Asked, folder: &Path) -> io::Result<Self> {
        let mut watched = Watched::start(asked, folder, None)?;
        let first = asked.real.map(|_| watched.warm_up()).transpose()?;
        let begin = watched.begin;
        let mut soak = Self::new(asked, begin);
        soak.real = first.as_ref().map(Real::new);
        let end = begin + asked.seconds();
        let bar = progress_bar(asked.seconds() / asked.interval());
        bar.set_message(match asked.real {
            Some(_) => "seconds",
            None => "simulated minutes",
        });
        let before = Sample::of_this_process().cpu_time;
        let mut clock = first.map(|_| Clock::start());
        for second in begin..end {
            let woke = clock.as_ref().map(|clock| clock.wait(second - begin));
            watched.service.second(second)?;
            let now = second + 1;
            if now.is_multiple_of(asked.interval()) {
                bar.inc(1);
                watched = soak.sampled(watched, now, end, folder)?;
            }
            if let Some((clock, woke)) = clock.as_mut().zip(woke) {
                clock.done(woke);
            }
        }
        if let Some((clock, real)) = clock.zip(soak.real.as_mut()) {
            clock.wait(end - begin);
            real.end(clock.pace);
        }
        bar.finish_and_clear();
        let processor = before.zip(Sample::of_this_process().cpu_time);
        soak.processor = processor.map(|(before, after)| after.saturating_sub(before));
        soak.trades = watched.service.account().trades;
        soak.lives.push(watched.end(end, false));
        Ok(soak)
    }

    /// Takes a sample, and restarts the service if it is over its limit.
    fn sampled(
        &mut self,
        mut watched: Watched,
        now: u64,
        end: u64,
        folder: &Path,
    ) -> io::Result<Watched> {
        if now.is_multiple_of(MINUTE) || now == end {
            watched.service.save()?;
        }
        let (sample, memory, said) = watched.sample(now)?;
        self.alerts.extend(said.into_iter().map(|said| (now, said)));
        self.memory.push(memory);
        let swap = self.swap.zip(sample.swap_bytes);
        self.swap = swap.map(|(most, now)| most.max(now));
        if let Some(real) = &mut self.real {
            real.observe(&sample);
        }
        if memory <= self.asked.limit.bytes() || now >= end {
            return Ok(watched);
        }
        // All of its memory goes before the next one starts.
        self.lives.push(watched.end(now, true));
        highwater::return_to_system();
        Watched::start(self.asked, folder, Some(now))
    }

    /// The longest time without a restart.
    fn longest(&self) -> &Life {
        let longest = self.lives.iter().max_by_key(|life| life.end - life.begin);
        longest.expect("there is one at least")
    }
}

impl Asked {
    /// How long it lasts, in seconds.
    fn seconds(&self) -> u64 {
        self.real.unwrap_or(self.hours * HOUR)
    }

    /// The seconds from one sample to the next.
    fn interval(&self) -> u64 {
        self.real.map_or(MINUTE, |_| 1)
    }
}

#[cfg(test)]
mod tests;
