//! Reads the figures of processes below `/proc`.

use crate::cgroup;
use crate::sample::{Note, Sample};
use procfs::process::{LimitValue, Process, Stat, all_processes_with_root};
use procfs::{Current as _, Meminfo, ProcError, ProcResult, VmStat};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

const PROC: &str = "/proc";

pub(crate) fn read_own(sample: &mut Sample) {
    let process = Process::new_with_root(Path::new(PROC).join("self"));
    read_all(process, Vec::new(), sample);
}

pub(crate) fn read_tree(pid: u32, sample: &mut Sample) {
    let process = Process::new_with_root(Path::new(PROC).join(pid.to_string()));
    let descendants = match &process {
        Ok(process) => descendants(process.pid()),
        Err(_) => Vec::new(),
    };
    read_all(process, descendants, sample);
}

/// Those that a process started, that these started, and so on.
fn descendants(root: i32) -> Vec<Process> {
    let all = all_processes_with_root(PROC).into_iter().flatten();
    let with_parents = all.filter_map(|process| {
        let process = process.ok()?;
        let parent = process.stat().ok()?.ppid;
        Some((parent, process))
    });
    let mut others: Vec<_> = with_parents.collect();
    let mut known = BTreeSet::from([root]);
    let mut found = Vec::new();
    loop {
        let is_child = |(parent, _): &(i32, Process)| known.contains(parent);
        let (children, rest): (Vec<_>, Vec<_>) = others.into_iter().partition(is_child);
        if children.is_empty() {
            return found;
        }
        known.extend(children.iter().map(|(_, process)| process.pid()));
        found.extend(children.into_iter().map(|(_, process)| process));
        others = rest;
    }
}

fn read_all(process: ProcResult<Process>, descendants: Vec<Process>, sample: &mut Sample) {
    let process = match process {
        Ok(process) => process,
        Err(ProcError::NotFound(_)) if Path::new(PROC).join("self").exists() => {
            sample.processes = 0;
            sample.notes.push(Note::ProcessGone);
            return;
        }
        Err(_) => {
            sample.processes = 0;
            sample.notes.push(Note::Unreadable(PROC));
            return;
        }
    };
    read(&process, sample);
    if sample.is_gone() {
        sample.processes = 0;
        return;
    }
    for descendant in descendants {
        let mut of_it = Sample::at(sample.time);
        read(&descendant, &mut of_it);
        // One that ended in the meantime is not missed.
        if !of_it.is_gone() {
            add(sample, &of_it);
        }
    }
    match Meminfo::current() {
        Ok(meminfo) => sample.machine_bytes = Some(meminfo.mem_total),
        Err(_) => sample.notes.push(Note::Unreadable("/proc/meminfo")),
    }
    let counts = VmStat::current().ok();
    let kills = counts.and_then(|counts| counts.0.get("oom_kill").copied());
    sample.machine_oom_kills = kills.and_then(|kills| u64::try_from(kills).ok());
    sample.machine_pressure = cgroup::pressure(&Path::new(PROC).join("pressure/memory"));
    match cgroup::read(&process) {
        Ok(group) => sample.cgroup = Some(group),
        Err(note) => sample.notes.push(note),
    }
}

/// Reads one process. If it is gone before all was read, that alone is noted.
fn read(process: &Process, sample: &mut Sample) {
    match process.stat() {
        Ok(stat) => {
            sample.cpu_time = Some(cpu_time(&stat));
            sample.started = Some(of_ticks(stat.starttime));
        }
        Err(_) => sample.notes.push(Note::Unreadable("/proc/PID/stat")),
    }
    match process.fd_count() {
        Ok(count) => sample.descriptors = Some(count as u64),
        Err(_) => sample.notes.push(Note::Unreadable("/proc/PID/fd")),
    }
    match process.limits() {
        Ok(limits) => {
            sample.descriptor_limit = value(&limits.max_open_files.soft_limit);
            sample.address_limit = value(&limits.max_address_space.soft_limit);
        }
        Err(_) => sample.notes.push(Note::Unreadable("/proc/PID/limits")),
    }
    // This is read last: a process that is there now was there before.
    match process.status() {
        Ok(status) if status.vmrss.is_some() => {
            let bytes = |kibibytes: Option<u64>| kibibytes.map(|kibibytes| kibibytes * 1_024);
            sample.resident_bytes = bytes(status.vmrss);
            sample.virtual_bytes = bytes(status.vmsize);
            sample.swap_bytes = bytes(status.vmswap);
            sample.threads = Some(status.threads);
        }
        // Without memory it ended, and its parent has not asked for its exit code.
        Ok(_) | Err(ProcError::NotFound(_)) => {
            *sample = Sample::at(sample.time);
            sample.notes.push(Note::ProcessGone);
        }
        Err(_) => sample.notes.push(Note::Unreadable("/proc/PID/status")),
    }
}

fn value(limit: &LimitValue) -> Option<u64> {
    match limit {
        LimitValue::Value(limit) => Some(*limit),
        LimitValue::Unlimited => None,
    }
}

fn cpu_time(stat: &Stat) -> Duration {
    let of_children = [stat.cutime, stat.cstime].map(|ticks| u64::try_from(ticks).unwrap_or(0));
    let ticks = stat.utime + stat.stime + of_children.iter().sum::<u64>();
    of_ticks(ticks)
}

fn of_ticks(ticks: u64) -> Duration {
    Duration::from_millis(ticks * 1_000 / procfs::ticks_per_second().max(1))
}

fn add(sum: &mut Sample, other: &Sample) {
    let add = |sum: &mut Option<u64>, other: Option<u64>| {
        *sum = sum.zip(other).map(|(sum, other)| sum + other);
    };
    sum.processes += 1;
    add(&mut sum.resident_bytes, other.resident_bytes);
    add(&mut sum.virtual_bytes, other.virtual_bytes);
    add(&mut sum.swap_bytes, other.swap_bytes);
    add(&mut sum.threads, other.threads);
    add(&mut sum.descriptors, other.descriptors);
    // Each process has a limit of its own, and the sum none.
    sum.descriptor_limit = None;
    let limits = sum.address_limit.into_iter().chain(other.address_limit);
    sum.address_limit = limits.min();
    sum.cpu_time = sum
        .cpu_time
        .zip(other.cpu_time)
        .map(|(sum, other)| sum + other);
    let new = other.notes.iter().filter(|note| !sum.notes.contains(note));
    let new: Vec<_> = new.copied().collect();
    sum.notes.extend(new);
}

#[cfg(test)]
mod tests {
    use super::{add, read};
    use crate::sample::{Note, Sample};
    use procfs::process::Process;
    use std::fs::{self, File};
    use std::process::Command;
    use std::thread;
    use std::time::SystemTime;

    const STATUS: &str = include_str!("../tests/data/status");

    /// The figures of a process of which only these files can be read.
    fn figures(files: &[(&str, &str)]) -> Sample {
        let proc = tempfile::tempdir().expect("there is room");
        let folder = proc.path().join("1234");
        fs::create_dir(&folder).expect("the folder is new");
        for (name, text) in files {
            fs::write(folder.join(name), text).expect("the file is new");
        }
        let process = Process::new_with_root(folder).expect("it is there");
        let mut sample = Sample::at(SystemTime::UNIX_EPOCH);
        read(&process, &mut sample);
        sample
    }

    #[test]
    fn what_cannot_be_read_is_noted_and_no_zero() {
        let sample = figures(&[("status", STATUS)]);
        assert_eq!(sample.resident_bytes, Some(1_748 * 1_024));
        assert_eq!(sample.swap_bytes, Some(0));
        assert_eq!(sample.threads, Some(1));
        assert_eq!((sample.descriptors, sample.cpu_time), (None, None));
        let files = ["/proc/PID/stat", "/proc/PID/fd", "/proc/PID/limits"];
        assert_eq!(sample.notes, files.map(Note::Unreadable));
    }

    #[test]
    fn a_process_that_ended_has_no_figures() {
        let of_ended = |line: &&str| !line.starts_with("Vm") && !line.starts_with("Rss");
        let status: Vec<_> = STATUS.lines().filter(of_ended).collect();
        let sample = figures(&[("status", &(status.join("\n") + "\n"))]);
        assert_eq!(sample.memory_bytes(), None);
        assert_eq!(sample.notes[0], Note::ProcessGone);
    }

    /// Its `stat` waits until the rest is gone.
    #[test]
    fn a_process_that_ends_while_it_is_read_has_no_figures() {
        let proc = tempfile::tempdir().expect("there is room");
        let folder = proc.path().join("1234");
        fs::create_dir(&folder).expect("the folder is new");
        let (status, stat) = (folder.join("status"), folder.join("stat"));
        fs::write(&status, STATUS).expect("the file is new");
        let made = Command::new("mkfifo").arg(&stat).status();
        assert!(made.expect("there is mkfifo").success());
        let process = Process::new_with_root(folder).expect("it is there");
        let ends = thread::spawn(move || {
            let stat = File::options().write(true).open(stat);
            fs::remove_file(status).expect("it is there");
            drop(stat.expect("it can be written"));
        });
        let mut sample = Sample::at(SystemTime::UNIX_EPOCH);
        read(&process, &mut sample);
        ends.join().expect("it does not panic");
        let mut gone = Sample::at(SystemTime::UNIX_EPOCH);
        gone.notes.push(Note::ProcessGone);
        assert_eq!(sample, gone);
    }

    #[test]
    fn a_sum_of_which_a_part_is_unknown_is_unknown() {
        let mut sum = figures(&[("status", STATUS)]);
        sum.descriptors = Some(4);
        let mut other = figures(&[("status", STATUS)]);
        other.address_limit = Some(7_000);
        add(&mut sum, &other);
        assert_eq!(sum.processes, 2);
        assert_eq!(sum.resident_bytes, Some(2 * 1_748 * 1_024));
        assert_eq!(sum.descriptors, None);
        assert_eq!(sum.address_limit, Some(7_000), "the other has no limit");
        assert_eq!(sum.notes.len(), 3, "each is told once");
    }
}
