//! The child's end: it runs the body and reports the outcome.

use super::output::{End, mark};
use super::page::Page;
use super::records::Record;
use super::{Job, Wanted, environment, progress, system};
use crate::alloc::{self, Trace};
use crate::options::{self, CallStacks};
use crate::scope::panics::message_of;
use std::any::Any;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::panic::resume_unwind;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Builder};

/// The variables by which a child knows what it is. It removes them, so that the body
/// finds the environment that the parent has.
pub(super) const NAME: &str = "HIGHWATER_CHILD";
pub(super) const CONNECTION: &str = "HIGHWATER_CHILD_CONNECTION";
pub(super) const SECOND_RUN: &str = "HIGHWATER_SECOND_RUN";

/// How a child and its parent are connected: the descriptors of the page's file and of the
/// pipe for records, as the child inherits them, and the token of the marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Connection {
    pub(super) page: i32,
    pub(super) records: i32,
    pub(super) token: String,
}

impl Connection {
    pub(super) fn text(&self) -> String {
        format!("{},{},{}", self.page, self.records, self.token)
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ',');
        Some(Self {
            page: parts.next()?.parse().ok()?,
            records: parts.next()?.parse().ok()?,
            token: parts.next()?.to_owned(),
        })
    }
}

/// Whoever is told what this process says of itself, and sees to the second run.
static LISTENER: OnceLock<Listener> = OnceLock::new();

enum Listener {
    /// The parent, at the other end of a pipe.
    Parent(File),
    /// This process itself, which the test runner has made for the test.
    Own(Mutex<Vec<Record>>),
}

/// What the first run asked for, if this is the second.
static WANTED: OnceLock<Vec<Wanted>> = OnceLock::new();

/// Whoever listens to this process, and not to the one that it was forked from.
fn listener() -> Option<&'static Listener> {
    LISTENER.get().filter(|_| !progress::is_forked())
}

/// Passes a record on, if anybody listens.
pub(super) fn tell(record: &Record) {
    alloc::unscoped(|| match listener() {
        Some(Listener::Parent(pipe)) => {
            let mut pipe = pipe;
            // In one piece, for threads may tell at the same time. A parent that is gone has
            // taken this process along, or soon will.
            let _ = pipe.write_all(&record.bytes());
        }
        Some(Listener::Own(kept)) => locked(kept).push(record.clone()),
        None => {}
    });
}

fn locked(kept: &Mutex<Vec<Record>>) -> MutexGuard<'_, Vec<Record>> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn is_listened_to() -> bool {
    listener().is_some()
}

/// What a body unwinds with when it is to be run again. It is no panic, and prints nothing.
struct RunsAgain;

/// Ends this run of the test. A child is gone at once. In the test runner's process the
/// body unwinds, which it can't out of a panic. It does so once: the code that caught it
/// may try again and again.
pub(super) fn restart() {
    match listener() {
        Some(Listener::Parent(_)) => {
            tell(&Record::Restart);
            system::exit_at_once(0)
        }
        Some(Listener::Own(kept)) => {
            let is_caught = locked(kept).contains(&Record::Restart);
            if !is_caught && !thread::panicking() {
                tell(&Record::Restart);
                alloc::unscoped(|| resume_unwind(Box::new(RunsAgain)));
            }
        }
        None => {}
    }
}

pub(super) fn runs_again() -> Option<&'static [Wanted]> {
    WANTED.get().map(Vec::as_slice)
}

/// What this process was started to run, if it was started for that, until it runs.
pub fn started_for() -> Option<String> {
    let name = std::env::var_os(NAME)?;
    Some(name.to_string_lossy().into_owned())
}

/// Whether the test runner gives each test a process, as cargo-nextest does. A program
/// that such a test starts has the same variable.
pub(super) fn runner_isolates(name: &str) -> bool {
    let says = std::env::var_os("NEXTEST_EXECUTION_MODE");
    says.is_some_and(|mode| mode == "process-per-test")
        && std::env::args_os().any(|argument| argument == "--exact")
        && std::env::args_os().any(|argument| argument == name)
}

/// Runs the body of this child and tells the parent.
///
/// # Panics
/// If what connects it with the parent is not there.
pub(super) fn run(job: &Job, body: impl FnOnce() + Send) {
    let connection = connect();
    system::answer_for_stacks(progress::note_stack_at_limit);
    system::write_to_output(&mark(End::Start, &connection.token));
    tell(&Record::Started);
    let outcome = on_own_thread(job, body);
    // What is printed without a line's end is kept back until then.
    let _ = std::io::stdout().flush();
    system::write_to_output(&mark(End::Finish, &connection.token));
    tell(&match outcome {
        Ok(()) => Record::Finished,
        Err(payload) => Record::Panicked(message_of(payload.as_ref())),
    });
}

/// Runs the body in a process that the test runner has made for it. What it asked for, and
/// how it ended.
pub(super) fn run_alone(job: &Job, body: impl FnOnce() + Send) -> (Vec<Record>, Ending) {
    let _ = LISTENER.set(Listener::Own(Mutex::default()));
    let ending = on_own_thread(job, body);
    let records = match LISTENER.get() {
        Some(Listener::Own(kept)) => std::mem::take(&mut *locked(kept)),
        _ => Vec::new(),
    };
    (records, ending)
}

/// A body's end: its return, or what it panicked with.
pub(super) type Ending = Result<(), Box<dyn Any + Send + 'static>>;

/// Runs the body where nothing was allocated before it, and nothing else is done.
fn on_own_thread(job: &Job, body: impl FnOnce() + Send) -> Ending {
    if !job.real_random {
        alloc::answer_randomness();
    }
    // A test runner calls threads by their tests, a program has but its main one.
    let is_test = job.arguments.is_none();
    let name = if is_test { &job.name } else { "main" };
    // Nothing that is done here is the body's.
    alloc::unscoped(|| {
        thread::scope(|threads| {
            let thread = Builder::new().name(name.to_owned());
            let thread = thread.spawn_scoped(threads, || {
                progress::runs_on(alloc::thread_id());
                alloc::watch_whole_process();
                if takes_call_stacks() {
                    // From the start, or threads that the test starts first are untracked.
                    Trace::whole_process();
                }
                body();
            });
            let thread = thread.expect("highwater: a thread for the test could not be started");
            thread.join()
        })
    })
}

/// Whether this process is traced: the first run asked for it, the environment does, or it
/// costs little.
fn takes_call_stacks() -> bool {
    runs_again().is_some()
        || match options::call_stacks() {
            CallStacks::Always => true,
            CallStacks::Auto => Trace::is_cheap(),
            CallStacks::Replay | CallStacks::OnFailure | CallStacks::Never => false,
        }
}

/// Takes what the parent has left for this process, and its variables from the
/// environment.
fn connect() -> Connection {
    const MISSING: &str = "highwater: HIGHWATER_CHILD is set, which this library sets for the \
                           processes that it starts, but nothing that comes with it: remove it \
                           from the environment";
    let connection = std::env::var(CONNECTION).ok();
    let connection = connection
        .and_then(|text| Connection::read(&text))
        .expect(MISSING);
    let is_second = std::env::var_os(SECOND_RUN).is_some();
    for name in [NAME, CONNECTION, SECOND_RUN]
        .into_iter()
        .chain(environment::PADDING)
    {
        system::forget_variable(name);
    }
    let mut page = File::from(system::inherited(connection.page).expect(MISSING));
    let records = File::from(system::inherited(connection.records).expect(MISSING));
    let _ = LISTENER.set(Listener::Parent(records));
    if is_second {
        let mut bytes = Vec::new();
        let from = SeekFrom::Start(size_of::<Page>() as u64);
        let read = page.seek(from).and_then(|_| page.read_to_end(&mut bytes));
        read.expect("highwater: what the first run asked for can't be read");
        let wanted = Record::all(&bytes).0.into_iter();
        let wanted = wanted.filter_map(|record| match record {
            Record::Wanted(wanted) => Some(wanted),
            _ => None,
        });
        let _ = WANTED.set(wanted.collect());
    }
    let shared = system::SharedPage::of(&page).expect(MISSING);
    progress::write_to(shared.keep(), system::program());
    connection
}

#[cfg(test)]
mod tests {
    use super::Connection;

    #[test]
    fn a_connection_is_read_as_it_was_written() {
        let connection = Connection {
            page: 5,
            records: 70,
            token: "12-3".to_owned(),
        };
        assert_eq!(Connection::read(&connection.text()), Some(connection));
        assert_eq!(Connection::read("5,x,12-3"), None);
        assert_eq!(Connection::read("5,7"), None);
    }
}
