//! The parent's end: it starts a child, relays what it prints, waits for it, and reports the
//! outcome.

use super::child::{self, Connection};
use super::failure::{self, Death, First};
use super::output::Output;
use super::page::Page;
use super::records::Record;
use super::system::{self, SharedPage};
use super::{Ended, Job, Wanted, environment};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::process::{Child as Process, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// How long to wait for a thread to write down its stack.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often to look whether a child has ended whose pipe is held open by another.
const LOOK: Duration = Duration::from_millis(100);
/// How often between the end of the pipe and that of the process.
const LOOK_CLOSELY: Duration = Duration::from_millis(1);

/// Runs a test's body in a child; in that child, runs it.
#[track_caller]
pub(super) fn run_test(job: &Job, any_panic_passes: bool, body: fn()) {
    if let Some(name) = child::started_for() {
        assert_started_for(&name, job);
        return child::run(job, body);
    }
    let at_once = is_shown_at_once();
    let outcome = if child::runner_isolates(&job.name) {
        // This process is the first of two, and needs no parent.
        let _ = BEFORE.set(Surroundings::now());
        let (records, ending) = child::run_alone(job, body);
        let said = Said::of(records);
        match ending {
            _ if said.asks_for_another() => {
                run_again(job, at_once, &said.wanted, First::Alone).outcome
            }
            Ok(()) => Outcome::Finished,
            Err(payload) => resume_unwind(payload),
        }
    } else {
        run(job, at_once).outcome
    };
    match outcome {
        Outcome::Finished => {}
        // It was printed already, by the child.
        Outcome::Panicked(text) => resume_unwind(Box::new(text)),
        // Any panic would do for the runner: it is not the one that the test is for.
        Outcome::Died(text) if any_panic_passes => eprintln!("{text}"),
        Outcome::Died(text) => panic!("{text}"),
    }
}

/// Those in which a second run starts whose first one was in this process.
static BEFORE: OnceLock<Surroundings> = OnceLock::new();

/// What a child inherits and a body may change.
struct Surroundings {
    variables: Vec<(OsString, OsString)>,
    directory: Option<PathBuf>,
}

impl Surroundings {
    fn now() -> Self {
        Self {
            variables: std::env::vars_os().collect(),
            directory: std::env::current_dir().ok(),
        }
    }
}

/// Runs a program's closure in a child; in that child, runs it and ends.
pub(super) fn run_program(job: &Job, body: impl FnOnce() + Send) -> Ended {
    if let Some(name) = child::started_for() {
        assert_started_for(&name, job);
        child::run(job, body);
        std::process::exit(0);
    }
    let run = run(job, false);
    Ended {
        output: run.output,
        outcome: match run.outcome {
            Outcome::Finished => Ok(()),
            Outcome::Panicked(text) | Outcome::Died(text) => Err(text),
        },
    }
}

/// A child starts no children, or there would be no end of them.
#[track_caller]
fn assert_started_for(name: &str, job: &Job) {
    assert!(
        name == job.name,
        "highwater: this process was started for `{name}` and came to `{}`",
        job.name
    );
}

/// Whether the runner shows what tests print while they run.
fn is_shown_at_once() -> bool {
    std::env::args_os().any(|argument| argument == "--nocapture" || argument == "--no-capture")
        || std::env::var_os("RUST_TEST_NOCAPTURE").is_some_and(|value| value != "0")
}

/// What became of a test, after its second run if there was one.
struct Run {
    output: String,
    outcome: Outcome,
}

enum Outcome {
    Finished,
    Panicked(String),
    /// It did not come to its end, for this reason.
    Died(String),
}

/// Runs it, and once more if it asks for call stacks. What the first run printed is not
/// shown then, for the second prints it too.
#[track_caller]
fn run(job: &Job, at_once: bool) -> Run {
    let first = start(job, at_once, None);
    if first.said.asks_for_another() {
        run_again(job, at_once, &first.said.wanted, First::InAChild)
    } else {
        finished(job, &first, at_once)
    }
}

/// The second run, in a child, for what the first one asked for.
#[track_caller]
fn run_again(job: &Job, at_once: bool, asked: &[Wanted], first: First) -> Run {
    if at_once {
        println!("highwater: once more, with call stacks, in a new process:");
    }
    let second = start(job, at_once, Some(asked));
    let unsteady: Vec<_> = asked
        .iter()
        .filter(|wanted| wanted.failed && !second.said.fails_too(wanted))
        .map(|wanted| wanted.name.clone())
        .collect();
    let run = finished(job, &second, at_once);
    if unsteady.is_empty() {
        return run;
    }
    let says = match run.outcome {
        Outcome::Finished => None,
        Outcome::Panicked(text) | Outcome::Died(text) => Some(text),
    };
    Run {
        output: run.output,
        outcome: Outcome::Died(failure::unsteady(&unsteady, says.as_deref(), first)),
    }
}

#[track_caller]
fn finished(job: &Job, ended: &Single, at_once: bool) -> Run {
    let output = ended.output.body();
    if !at_once && job.arguments.is_none() {
        // The runner keeps it, and shows it if the test fails.
        print!("{output}");
    }
    let outcome = match (&ended.said.end, ended.death()) {
        (Some(Err(text)), _) => Outcome::Panicked(text.clone()),
        (_, Some(death)) => {
            let text = failure::text(&job.name, &death, &ended.page.page().last(), &output);
            Outcome::Died(text)
        }
        (_, None) => Outcome::Finished,
    };
    Run { output, outcome }
}

/// What became of one child.
struct Single {
    page: SharedPage,
    output: Output,
    said: Said,
    status: ExitStatus,
    /// Whether it was ended because its time was up.
    is_over_time: Option<Duration>,
}

/// What a process said of itself.
#[derive(Default)]
struct Said {
    has_started: bool,
    wanted: Vec<Wanted>,
    restart: bool,
    /// How the body ended, with the text of its panic.
    end: Option<Result<(), String>>,
}

impl Said {
    fn of(records: Vec<Record>) -> Self {
        let mut said = Self::default();
        for record in records {
            match record {
                Record::Started => said.has_started = true,
                Record::Wanted(one) => said.wanted.push(one),
                Record::Restart => {
                    // Who caught it may have gone on, to what is no part of the run.
                    said.restart = true;
                    break;
                }
                Record::Finished => said.end = Some(Ok(())),
                Record::Panicked(text) => said.end = Some(Err(text)),
            }
        }
        said
    }

    /// Whether a second run is to follow. Then nothing that the first came to counts.
    fn asks_for_another(&self) -> bool {
        self.restart || !self.wanted.is_empty()
    }

    /// Whether this run says of a scenario that it fails.
    fn fails_too(&self, wanted: &Wanted) -> bool {
        let mut others = self.wanted.iter();
        others.any(|other| other.ordinal == wanted.ordinal && other.failed)
    }
}

impl Single {
    /// Why it did not come to its end, if it did not.
    fn death(&self) -> Option<Death> {
        use std::os::unix::process::ExitStatusExt as _;
        let has_ended = self.said.end.is_some();
        if let Some(limit) = self.is_over_time {
            return Some(Death::TimeLimit { limit, has_ended });
        }
        if !self.said.has_started {
            let printed = self.output.before();
            let status = self.status.to_string();
            return Some(Death::NeverStarted { status, printed });
        }
        match (self.status.signal(), self.status.code()) {
            (Some(signal), _) => Some(Death::Signal { signal, has_ended }),
            // The test runner of the child has its own opinion of a panic that is expected.
            _ if has_ended => None,
            (None, code) => Some(Death::Exit(code.unwrap_or(0))),
        }
    }
}

/// Starts one child and waits for its end.
///
/// # Panics
/// If it can't be started.
#[track_caller]
fn start(job: &Job, at_once: bool, second: Option<&[Wanted]>) -> Single {
    let limit = job.time_limit();
    let started = spawn(job, second).and_then(|spawned| {
        let deadline = Instant::now() + limit;
        spawned.wait(limit, deadline, at_once)
    });
    started.unwrap_or_else(|error| {
        panic!(
            "highwater: `{}` could not be given a process of its own: {error}. With \
             HIGHWATER_IN_PROCESS=1 it runs in this one",
            job.name
        )
    })
}

/// A child that runs.
struct Spawned {
    process: Process,
    page: SharedPage,
    output_pipe: Option<OwnedFd>,
    record_pipe: Option<OwnedFd>,
    output: Output,
    records: Vec<Record>,
    /// The start of a record that has not come yet.
    partial: Vec<u8>,
}

fn spawn(job: &Job, second: Option<&[Wanted]>) -> io::Result<Spawned> {
    static CHILDREN: AtomicU64 = AtomicU64::new(0);
    let mut file = page_file(second)?;
    let page = SharedPage::of(&file)?;
    let (output_pipe, its_output) = system::pipe()?;
    let (record_pipe, its_records) = system::pipe()?;
    let number = CHILDREN.fetch_add(1, Relaxed);
    let connection = Connection {
        page: file.as_raw_fd(),
        records: its_records.as_raw_fd(),
        token: format!("{}-{number}", std::process::id()),
    };
    file.seek(SeekFrom::Start(0))?;
    let mut command = command(job, &connection, second.is_some())?;
    command.stdin(Stdio::null());
    command.stdout(its_output.try_clone()?).stderr(its_output);
    system::prepare(&mut command, [connection.page, connection.records]);
    let process = command.spawn()?;
    // With the command go our copies of the child's ends, so that they end with it.
    drop(command);
    Ok(Spawned {
        process,
        page,
        output_pipe: Some(output_pipe),
        record_pipe: Some(record_pipe),
        output: Output::new(&connection.token),
        records: Vec::new(),
        partial: Vec::new(),
    })
}

/// The page, and behind it what the first run asked for.
fn page_file(second: Option<&[Wanted]>) -> io::Result<File> {
    let mut file = system::nameless_file()?;
    let size = size_of::<Page>() as u64;
    file.set_len(size)?;
    file.seek(SeekFrom::Start(size))?;
    for wanted in second.unwrap_or_default() {
        file.write_all(&Record::Wanted(wanted.clone()).bytes())?;
    }
    Ok(file)
}

/// This program, for one test, or with the arguments that were asked for.
fn command(job: &Job, connection: &Connection, is_second: bool) -> io::Result<Command> {
    let program = std::env::current_exe()?;
    let arguments = job.arguments.clone().unwrap_or_else(|| {
        // A test that is ignored is here because somebody asked for it.
        let fixed = [
            "--exact",
            "--nocapture",
            "--test-threads=1",
            "--include-ignored",
        ];
        let fixed = fixed.into_iter().map(OsString::from);
        std::iter::once(OsString::from(&job.name))
            .chain(fixed)
            .collect()
    });
    let mut own = vec![
        (child::NAME, job.name.clone()),
        (child::CONNECTION, connection.text()),
    ];
    if is_second {
        own.push((child::SECOND_RUN, "1".to_owned()));
    }
    let now = Surroundings::now();
    let before = BEFORE.get().unwrap_or(&now);
    let inherited = before
        .variables
        .iter()
        .filter(|(name, _)| !own.iter().any(|(own, _)| name == own));
    let all = inherited.map(|(n, v)| (n.as_os_str(), v.as_os_str()));
    let all = all.chain(own.iter().map(|(n, v)| (OsStr::new(*n), OsStr::new(v))));
    let line = std::iter::once(program.as_os_str());
    let line = line.chain(arguments.iter().map(OsString::as_os_str));
    let padding = environment::padding(all, line);
    let mut command = Command::new(&program);
    command.args(&arguments);
    if let Some(before) = BEFORE.get() {
        let variables = before.variables.iter().map(|(n, v)| (n, v));
        command.env_clear().envs(variables);
        if let Some(directory) = &before.directory {
            command.current_dir(directory);
        }
    }
    command.envs(own).envs(padding);
    Ok(command)
}

impl Spawned {
    /// Reads what it prints and says, until it ends or its time is up.
    fn wait(mut self, limit: Duration, deadline: Instant, at_once: bool) -> io::Result<Single> {
        let mut is_over_time = None;
        let status = loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() && is_over_time.is_none() {
                is_over_time = Some(limit);
                self.end()?;
            }
            let look = if self.record_pipe.is_some() {
                LOOK
            } else {
                LOOK_CLOSELY
            };
            self.read(look.min(left.max(LOOK_CLOSELY)), at_once)?;
            if let Some(status) = self.process.try_wait()? {
                break status;
            }
        };
        // What it printed last is still in the pipes, which others may hold open.
        while self.read(Duration::ZERO, at_once)? {}
        if at_once {
            print!("{}", self.output.rest());
        }
        Ok(Single {
            page: self.page,
            output: self.output,
            said: Said::of(self.records),
            status,
            is_over_time,
        })
    }

    /// Waits so long for something to read, and reads it. False if there was nothing.
    fn read(&mut self, most: Duration, at_once: bool) -> io::Result<bool> {
        let mut buffer = [0; 16 * 1_024];
        let pipes = [&self.output_pipe, &self.record_pipe];
        let pipes = pipes.map(|pipe| pipe.as_ref().map(OwnedFd::as_fd));
        let [output, records] = system::wait_for(pipes, most);
        if let (true, Some(pipe)) = (output, &self.output_pipe) {
            match read_some(pipe, &mut buffer)? {
                Some(0) => self.output_pipe = None,
                length => self.output.add(&buffer[..length.unwrap_or(0)]),
            }
            if at_once {
                print!("{}", self.output.next());
                io::stdout().flush()?;
            }
        }
        if let (true, Some(pipe)) = (records, &self.record_pipe) {
            match read_some(pipe, &mut buffer)? {
                Some(0) => self.record_pipe = None,
                length => self
                    .partial
                    .extend_from_slice(&buffer[..length.unwrap_or(0)]),
            }
            let (records, used) = Record::all(&self.partial);
            self.partial.drain(..used);
            self.records.extend(records);
        }
        Ok(output || records)
    }

    /// Ends it, after the thread that runs the body was asked where it is.
    fn end(&mut self) -> io::Result<()> {
        let page = self.page.page();
        let thread = page.thread();
        if thread.is_some_and(|thread| system::ask_for_stack(self.process.id(), thread)) {
            let patience = Instant::now() + PATIENCE;
            while !page.has_stack_at_limit() && Instant::now() < patience {
                system::wait_for([], LOOK_CLOSELY);
            }
        }
        self.process.kill()
    }
}

/// Reads what is there, 0 bytes of it at the end; nothing if a signal came first.
fn read_some(pipe: &OwnedFd, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    match system::read(pipe, buffer) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(None),
        read => read.map(Some),
    }
}
