//! The child's end: it runs the body, and says what became of it.

use super::output::{End, mark};
use super::records::Record;
use super::{Job, OWN_PROCESS, Wanted, environment, message_of, progress, system};
use crate::alloc;
use crate::replay;
use std::any::Any;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::panic::resume_unwind;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::Relaxed;
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

/// The pipe to the parent.
static RECORDS: OnceLock<File> = OnceLock::new();

/// What the first run asked for, if this is the second.
static WANTED: OnceLock<Vec<Wanted>> = OnceLock::new();

/// Sends a record, if there is a parent.
pub(super) fn tell(record: &Record) {
    if let Some(mut records) = RECORDS.get() {
        // In one piece, for threads may tell at the same time. A parent that is gone has
        // taken this process along, or soon will.
        let _ = alloc::unscoped(|| records.write_all(&record.bytes()));
    }
}

pub(super) fn is_child() -> bool {
    RECORDS.get().is_some()
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
    system::answer_for_stacks();
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

/// Runs the body in a process that the test runner has made for it.
#[track_caller]
pub(super) fn run_alone(job: &Job, body: impl FnOnce() + Send) {
    if let Err(payload) = on_own_thread(job, body) {
        resume_unwind(payload);
    }
}

/// Runs the body where nothing was allocated before it, and nothing else is done.
fn on_own_thread(
    job: &Job,
    body: impl FnOnce() + Send,
) -> Result<(), Box<dyn Any + Send + 'static>> {
    OWN_PROCESS.store(true, Relaxed);
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
                progress::runs_on(system::this_thread());
                alloc::watch_whole_process();
                replay::prepare_process();
                body();
            });
            let thread = thread.expect("highwater: a thread for the test could not be started");
            thread.join()
        })
    })
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
    let _ = RECORDS.set(records);
    if is_second {
        let mut bytes = Vec::new();
        let from = SeekFrom::Start(size_of::<progress::Page>() as u64);
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
