//! [`Monitor`]: samples a service, judges its figures, and says when something is wrong.

#[cfg(feature = "tracing")]
use crate::alert::Alert;
use crate::alert::{AlertKind, Alerts, Event, Judged};
use crate::cause::Cause;
use crate::component::ComponentHeap;
use crate::figure::Figure;
use crate::judge::{Judge, times};
use crate::sample::{Note, Sample};
use crate::text::{Amount, Span};
use crate::verdict::{State, Verdict};
use highwater::ByteSize;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// After so many intervals without a sample the time in between does not count.
const GAP: u32 = 3;

type Callback = Box<dyn Fn(&Event) + Send + Sync>;

/// How a [`Monitor`] works. [`Monitor::builder`] makes one.
#[must_use = "nothing is watched until `build` is called"]
pub struct Builder {
    interval: Duration,
    limit: ByteSize,
    soon: Duration,
    callback: Callback,
}

/// Watches a service: judges its figures over time, and raises alerts.
///
/// It is fed by [`sample`](Self::sample), by a thread of its own ([`start`](Self::start)), or
/// with samples from elsewhere ([`observe`](Self::observe)). Its memory is taken with the first
/// sample, about 75 kB for each figure, and stays the same for ever. Clones are of the same
/// monitor.
///
/// ```
/// use highwater_monitor::{ByteSize, Monitor};
///
/// let monitor = Monitor::builder()
///     .limit(ByteSize::gb(2))
///     .on_event(|event| eprintln!("{event}"))
///     .build();
/// let sampling = monitor.start().expect("a thread can be started");
/// // … the service runs …
/// println!("{}", monitor.status());
/// drop(sampling);
/// ```
#[derive(Clone)]
pub struct Monitor(Arc<Shared>);

struct Shared {
    settings: Builder,
    watch: Mutex<Watch>,
    /// How many samples there were.
    samples: AtomicU64,
    /// The memory of the last one.
    memory: AtomicU64,
}

/// What was seen so far.
#[derive(Default)]
struct Watch {
    last: Option<Sample>,
    /// The time since the last interval ended.
    begun: Duration,
    /// The highest live bytes of all samples.
    heap_peak: u64,
    watched: Vec<Watched>,
    cause: Cause,
}

/// One figure.
struct Watched {
    judge: Judge,
    alerts: Alerts,
    verdict: Verdict,
}

/// What a monitor knows at one moment. Printed, it is a line for each figure.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Status {
    /// The last sample; none if there was none.
    pub sample: Option<Sample>,
    /// The verdict on each figure that is known.
    pub verdicts: Vec<Verdict>,
    /// Alerts that were raised and are not over, by figure.
    pub alerts: Vec<(Figure, AlertKind)>,
}

impl Builder {
    /// How long it is from one sample to the next; 60 s unless set. Rates and times are counted
    /// in these intervals, so those who call [`Monitor::sample`] do that as often. At least a
    /// millisecond.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval.max(Duration::from_millis(1));
        self
    }

    /// The memory that the service may have, resident or swapped out; 1 GB unless set. If its
    /// control group has a lower limit, that holds, for what is not swapped out. Other processes of
    /// the group and its page cache count towards that, too, and are not known here: set a lower
    /// limit if there are some.
    pub fn limit(mut self, limit: ByteSize) -> Self {
        self.limit = limit;
        self
    }

    /// A service that grows and reaches its limit in less than this raises
    /// [`AlertKind::NearLimit`]; 4 h unless set.
    pub fn time_to_limit(mut self, soon: Duration) -> Self {
        self.soon = soon;
        self
    }

    /// What to do with events, on the thread that samples. With the feature `tracing`, they are
    /// events of that, too.
    pub fn on_event(mut self, callback: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.callback = Box::new(callback);
        self
    }

    /// The monitor.
    pub fn build(self) -> Monitor {
        Monitor(Arc::new(Shared {
            settings: self,
            watch: Mutex::default(),
            samples: AtomicU64::new(0),
            memory: AtomicU64::new(0),
        }))
    }
}

impl Monitor {
    /// Settings to start from.
    pub fn builder() -> Builder {
        Builder {
            interval: Duration::from_mins(1),
            limit: ByteSize::gb(1),
            soon: Duration::from_hours(4),
            callback: Box::new(|_| {}),
        }
    }

    /// How long it is from one sample to the next.
    pub fn interval(&self) -> Duration {
        self.0.settings.interval
    }

    /// Takes a sample of this process and observes it. Returns what begins or is over with it.
    pub fn sample(&self) -> Vec<Event> {
        self.observe(Sample::of_this_process())
    }

    /// Takes note of a sample and judges all figures. Returns what begins or is over with it.
    pub fn observe(&self, sample: Sample) -> Vec<Event> {
        let memory = sample.memory_bytes().unwrap_or(0);
        let mut watch = self.lock();
        let events = watch.observe(sample, &self.0.settings);
        self.0.memory.store(memory, Ordering::Relaxed);
        self.0.samples.fetch_add(1, Ordering::Release);
        drop(watch);
        // The callback may ask for the status.
        for event in &events {
            trace(event);
            (self.0.settings.callback)(event);
        }
        events
    }

    /// What is known now.
    pub fn status(&self) -> Status {
        let watch = self.lock();
        let raised = watch.watched.iter().flat_map(|watched| {
            let kinds = AlertKind::ALL.into_iter();
            let raised = kinds.filter(|kind| watched.alerts.is_raised(*kind));
            raised.map(|kind| (watched.judge.figure().clone(), kind))
        });
        Status {
            sample: watch.last.clone(),
            verdicts: watch
                .watched
                .iter()
                .map(|watched| watched.verdict.clone())
                .collect(),
            alerts: raised.collect(),
        }
    }

    /// How many samples there were, and the memory of the last one or of one after it. Nobody is
    /// waited for.
    pub(crate) fn last_memory(&self) -> (u64, u64) {
        let samples = self.0.samples.load(Ordering::Acquire);
        (samples, self.0.memory.load(Ordering::Relaxed))
    }

    fn lock(&self) -> MutexGuard<'_, Watch> {
        // Nothing panics with it; if something did, old figures are better than none.
        self.0.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    fn observe(&mut self, mut sample: Sample, settings: &Builder) -> Vec<Event> {
        let (intervals, passed, odd) = self.intervals(sample.time, settings.interval);
        sample.notes.extend(odd);
        if let Some(heap) = &mut sample.heap {
            self.heap_peak = self.heap_peak.max(heap.peak_bytes);
            heap.peak_bytes = self.heap_peak;
        }
        self.cause.observe(&sample, intervals);
        let before = self.last.as_ref().map_or(&[][..], |sample| &sample.notes);
        let is_gap = |note: &Note| matches!(note, Note::Gap(_));
        let is_new = |note: &&Note| match note {
            Note::ClockSetBack(_) => true,
            Note::Gap(_) => !before.iter().any(is_gap),
            note => !before.contains(note),
        };
        let notes = sample.notes.iter().filter(is_new);
        let mut events: Vec<_> = notes.copied().map(Event::Noted).collect();
        let limit = settings.limit.bytes().min(of_cgroup(&sample));
        let levels = [
            (
                Figure::Heap,
                sample.heap.map(|heap| heap.live_bytes),
                Some(limit),
            ),
            (Figure::Memory, sample.memory_bytes(), Some(limit)),
            (Figure::Threads, sample.threads, None),
            (
                Figure::Descriptors,
                sample.descriptors,
                sample.descriptor_limit,
            ),
        ];
        // A component may take what is left below the limit.
        let room = limit.saturating_sub(sample.memory_bytes().unwrap_or(0));
        let components = sample.components.iter().map(|heap| {
            let figure = Figure::Component(heap.name.clone());
            (
                figure,
                Some(heap.live_bytes),
                Some(room.saturating_add(heap.live_bytes)),
            )
        });
        for (figure, level, limit) in levels.into_iter().chain(components) {
            if let Some(level) = level {
                let seen = (level, intervals, passed);
                events.extend(self.judge(&figure, seen, limit, settings));
            }
        }
        // A component that is gone needs no memory here.
        self.watched.retain(|watched| {
            let figure = watched.judge.figure();
            let is_it = |heap: &ComponentHeap| {
                matches!(figure, Figure::Component(name) if *name == heap.name)
            };
            let is_there =
                !matches!(figure, Figure::Component(_)) || sample.components.iter().any(is_it);
            if !is_there {
                events.extend(watched.alerts.end(figure));
            }
            is_there
        });
        self.last = Some(sample);
        events
    }

    /// How many intervals ended with a sample at this time, how long they were, and what is odd
    /// about the time.
    fn intervals(&mut self, time: SystemTime, interval: Duration) -> (u64, Duration, Option<Note>) {
        let last = self.last.as_ref().map(|sample| sample.time);
        let (passed, note) = match last.map(|last| time.duration_since(last)) {
            None => (interval, None),
            Some(Ok(passed)) if passed > interval.saturating_mul(GAP) => {
                (interval, Some(Note::Gap(passed)))
            }
            Some(Ok(passed)) => (passed, None),
            Some(Err(back)) => (interval, Some(Note::ClockSetBack(back.duration()))),
        };
        self.begun = self.begun.saturating_add(passed);
        // A timer that is a little early ends an interval, too.
        let begun = self.begun.saturating_add(interval / 10);
        let ended = begun.as_nanos() / interval.as_nanos().max(1);
        let ended = u64::try_from(ended).unwrap_or(u64::MAX);
        self.begun = self.begun.saturating_sub(times(interval, ended));
        (ended, passed, note)
    }

    fn judge(
        &mut self,
        figure: &Figure,
        (level, intervals, passed): (u64, u64, Duration),
        limit: Option<u64>,
        settings: &Builder,
    ) -> Vec<Event> {
        let known = |watched: &Watched| watched.judge.figure() == figure;
        let index = self.watched.iter().position(known).unwrap_or_else(|| {
            self.watched.push(Watched::new(figure.clone()));
            self.watched.len() - 1
        });
        let watched = &mut self.watched[index];
        watched.judge.observe(level, intervals);
        watched.verdict = watched.judge.judge(limit, settings.interval);
        let is_growing = watched.verdict.state == State::Growing;
        let is_new = is_growing && !watched.alerts.is_raised(AlertKind::Growing);
        let over = watched.verdict.over;
        let cause = if is_new && *figure == Figure::Memory {
            self.cause(over, settings.interval)
        } else {
            String::new()
        };
        let watched = &mut self.watched[index];
        watched.alerts.update(&Judged {
            verdict: &watched.verdict,
            level,
            passed,
            soon: settings.soon,
            cause: &cause,
        })
    }

    /// What the heap and the allocators say of memory that grows over this time.
    fn cause(&self, over: Duration, interval: Duration) -> String {
        let is_heap = |watched: &&Watched| *watched.judge.figure() == Figure::Heap;
        let heap = self.watched.iter().find(is_heap);
        let grows = heap.and_then(|heap| heap.judge.grows_over(over, interval));
        self.cause.text(grows, over, interval)
    }
}

/// The most that a process can have in its control group. What is swapped out does not count there.
fn of_cgroup(sample: &Sample) -> u64 {
    let max = sample.cgroup.and_then(|group| group.max_bytes);
    max.map_or(u64::MAX, |max| {
        max.saturating_add(sample.swap_bytes.unwrap_or(0))
    })
}

impl Watched {
    fn new(figure: Figure) -> Self {
        let mut judge = Judge::new(figure);
        Self {
            verdict: judge.judge(None, Duration::ZERO),
            alerts: Alerts::default(),
            judge,
        }
    }
}

impl Status {
    /// The verdict on this figure; none if it is not known.
    pub fn verdict(&self, figure: &Figure) -> Option<&Verdict> {
        self.verdicts
            .iter()
            .find(|verdict| verdict.figure == *figure)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(sample) = &self.sample else {
            return f.write_str("no sample yet");
        };
        if let Some(memory) = sample.memory_bytes() {
            write!(f, "{}", Amount(&Figure::Memory, memory))?;
            let verdict = self.verdict(&Figure::Memory);
            if let Some(limit) = verdict.and_then(|verdict| verdict.limit) {
                let share = memory as f64 / limit as f64 * 100.0;
                write!(f, " ({share:.0} % of {})", Amount(&Figure::Memory, limit))?;
            }
            writeln!(f)?;
        }
        for verdict in &self.verdicts {
            writeln!(f, "{verdict}")?;
        }
        for note in &sample.notes {
            writeln!(f, "note: {note}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = &self.0.settings;
        f.debug_struct("Monitor")
            .field("interval", &settings.interval)
            .field("limit", &settings.limit)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("interval", &self.interval)
            .field("limit", &self.limit)
            .field("time_to_limit", &format_args!("{}", Span(self.soon)))
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "tracing")]
fn trace(event: &Event) {
    match event {
        Event::Raised(Alert { kind, figure, text }) => {
            tracing::warn!(target: "highwater", %kind, %figure, "{text}");
        }
        Event::Cleared(Alert { kind, figure, text }) => {
            tracing::info!(target: "highwater", %kind, %figure, "over: {text}");
        }
        Event::Noted(note) => tracing::info!(target: "highwater", "{note}"),
    }
}

#[cfg(not(feature = "tracing"))]
fn trace(_event: &Event) {}
