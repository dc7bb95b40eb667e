//! Figures of real processes. This binary does not have highwater's allocator.

#![forbid(unsafe_code)]
#![cfg(target_os = "linux")]

use highwater::ByteSize;
use highwater_monitor::{AlertKind, Event, Monitor, Note, Sample};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

/// A process that starts another one and runs until its input ends.
fn shell() -> Child {
    let mut command = Command::new("sh");
    // The word says that both are there.
    command.args(["-c", "cat | { echo there; cat; }"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command.spawn().expect("there is a shell")
}

#[test]
fn this_process_has_its_figures() {
    let sample = Sample::of_this_process();
    assert_eq!(sample.processes, 1);
    let resident = sample.resident_bytes.expect("Linux says so");
    let machine = sample.machine_bytes.expect("Linux says so");
    assert!(resident > 1 << 20 && resident < machine, "{sample:?}");
    assert!(sample.virtual_bytes > sample.resident_bytes);
    assert!(sample.memory_bytes() >= Some(resident));
    assert!(
        sample.threads >= Some(2),
        "the test has a thread of its own"
    );
    assert!(sample.descriptors >= Some(3));
    assert!(sample.cpu_time.is_some());
    assert_eq!(sample.heap, None, "no allocator of ours is installed");
    let is_of_cgroup = |note: &Note| matches!(note, Note::NoCgroup | Note::CgroupV1);
    assert_eq!(
        sample.cgroup.is_none(),
        sample.notes.iter().any(is_of_cgroup)
    );
}

#[test]
fn a_process_is_summed_with_those_that_it_started() {
    use std::io::{BufRead as _, BufReader};

    let mut shell = shell();
    let mut output = BufReader::new(shell.stdout.take().expect("it is piped"));
    output
        .read_line(&mut String::new())
        .expect("it writes a line");
    let sample = Sample::of_tree(shell.id());
    assert!((2..=4).contains(&sample.processes), "{sample:?}");
    assert!(sample.threads >= Some(sample.processes));
    assert_eq!(sample.descriptor_limit, None);
    drop(shell.stdin.take());
    // It ended, and nobody has asked for its exit code yet, or it is gone.
    let pid = shell.id();
    shell.wait().expect("it ends with its input");
    let gone = Sample::of_tree(pid);
    assert_eq!((gone.processes, gone.memory_bytes()), (0, None));
    assert_eq!(gone.notes, [Note::ProcessGone]);
}

#[test]
fn a_thread_samples_and_calls_back() {
    let (send, events) = mpsc::channel();
    let monitor = Monitor::builder()
        .limit(ByteSize::b(1))
        .on_event(move |event| drop(send.send(event.clone())))
        .build();
    let sampling = monitor.start().expect("a thread starts");
    let is_over =
        |event: &Event| matches!(event, Event::Raised(alert) if alert.kind == AlertKind::OverLimit);
    assert!(events.iter().any(|event| is_over(&event)));
    drop(sampling);
    assert_eq!(monitor.status().alerts.len(), 1);
}
