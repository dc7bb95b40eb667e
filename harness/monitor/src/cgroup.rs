//! Reads the memory limits of a process's control group, version 2.

use crate::sample::{Cgroup, Note, Pressure};
use procfs::process::Process;
use procfs::{FromRead as _, MemoryPressure};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the groups are mounted: alone, or beside those of version 1.
const MOUNTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// The memory of the group that a process is in, or why it is not known.
pub(crate) fn read(process: &Process) -> Result<Cgroup, Note> {
    let groups = process
        .cgroups()
        .map_err(|_| Note::Unreadable("/proc/PID/cgroup"))?;
    let has_version_1 = groups.0.iter().any(|group| {
        let mut controllers = group.controllers.iter();
        group.hierarchy != 0 && controllers.any(|controller| controller == "memory")
    });
    if has_version_1 {
        return Err(Note::CgroupV1);
    }
    let group = groups.0.iter().find(|group| group.hierarchy == 0);
    let group = group.ok_or(Note::NoCgroup)?;
    let found = MOUNTS.iter().find_map(|mount| {
        let folder = below(mount, &group.pathname);
        counting(Path::new(mount), &folder).map(|folder| read_folder(Path::new(mount), folder))
    });
    found.unwrap_or(Err(Note::NoCgroup))
}

/// The group that counts memory: this one, or the nearest around it.
fn counting<'a>(mount: &Path, folder: &'a Path) -> Option<&'a Path> {
    around(mount, folder).find(|folder| folder.join("memory.current").exists())
}

/// A group and those around it.
fn around<'a>(mount: &Path, folder: &'a Path) -> impl Iterator<Item = &'a Path> {
    let all = folder.ancestors();
    all.take_while(move |folder| folder.starts_with(mount))
}

/// The folder of a group. Where only part of the hierarchy is mounted, as in a container, it is
/// the mount itself.
fn below(mount: &str, group: &str) -> PathBuf {
    let folder = Path::new(mount).join(group.trim_start_matches('/'));
    if folder.is_dir() && !group.starts_with("/..") {
        folder
    } else {
        PathBuf::from(mount)
    }
}

fn read_folder(mount: &Path, folder: &Path) -> Result<Cgroup, Note> {
    let current = number(&folder.join("memory.current"));
    let events = fs::read_to_string(folder.join("memory.events")).unwrap_or_default();
    let event = |name: &str| {
        let lines = events.lines().filter_map(|line| line.split_once(' '));
        let mut named = lines.filter(|(event, _)| *event == name);
        named
            .next()
            .and_then(|(_, count)| count.parse().ok())
            .unwrap_or(0)
    };
    let lowest = |file: &str| {
        let limits = around(mount, folder).filter_map(|folder| number(&folder.join(file)));
        limits.min()
    };
    Ok(Cgroup {
        current_bytes: current.ok_or(Note::Unreadable("memory.current"))?,
        max_bytes: lowest("memory.max"),
        high_bytes: lowest("memory.high"),
        high_events: event("high"),
        max_events: event("max"),
        oom_kills: event("oom_kill"),
        pressure: pressure(&folder.join("memory.pressure")),
    })
}

/// What a file says of pressure; none if the system does not count it.
pub(crate) fn pressure(file: &Path) -> Option<Pressure> {
    let read = MemoryPressure::from_file(file).ok()?;
    Some(Pressure {
        waiting: Duration::from_micros(read.some.total),
        stalled: Duration::from_micros(read.full.total),
    })
}

/// The number in a file; none if it is `max`, or is not there.
fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{counting, read_folder};
    use crate::sample::Note;
    use std::fs;
    use std::path::Path;
    use std::time::Duration;

    const PRESSURE: &str = "some avg10=1.53 avg60=0.87 avg300=0.20 total=7654321\n\
                            full avg10=0.10 avg60=0.02 avg300=0.00 total=391926\n";

    fn write(folder: &Path, files: &[(&str, &str)]) {
        fs::create_dir_all(folder).expect("the folder is new");
        for (name, text) in files {
            fs::write(folder.join(name), text).expect("the file is new");
        }
    }

    #[test]
    fn the_lowest_limit_around_a_group_is_its_own() {
        let mount = tempfile::tempdir().expect("there is room");
        let around = mount.path().join("service");
        write(
            &around,
            &[("memory.max", "500000000\n"), ("memory.high", "max\n")],
        );
        let events = "low 0\nhigh 17\nmax 3\noom 1\noom_kill 2\noom_group_kill 0\n";
        let group = around.join("main");
        write(
            &group,
            &[
                ("memory.current", "123456789\n"),
                ("memory.max", "max\n"),
                ("memory.high", "400000000\n"),
                ("memory.events", events),
                ("memory.pressure", PRESSURE),
            ],
        );
        let found = read_folder(mount.path(), &group).expect("all can be read");
        assert_eq!(found.current_bytes, 123_456_789);
        assert_eq!(found.max_bytes, Some(500_000_000));
        assert_eq!(found.high_bytes, Some(400_000_000));
        let events = (found.high_events, found.max_events, found.oom_kills);
        assert_eq!(events, (17, 3, 2));
        let pressure = found.pressure.expect("it is there");
        assert_eq!(pressure.waiting, Duration::from_micros(7_654_321));
        assert_eq!(pressure.stalled, Duration::from_micros(391_926));
    }

    /// A group whose controller is off is counted in the one around it.
    #[test]
    fn the_nearest_group_that_counts_is_read() {
        let mount = tempfile::tempdir().expect("there is room");
        let around = mount.path().join("service");
        write(&around, &[("memory.current", "5\n"), ("memory.max", "7\n")]);
        let group = around.join("main/worker");
        write(&group, &[("cgroup.procs", "1\n")]);
        assert_eq!(counting(mount.path(), &group), Some(around.as_path()));
        assert_eq!(counting(&group, &group), None);
    }

    #[test]
    fn what_cannot_be_read_is_no_zero() {
        let mount = tempfile::tempdir().expect("there is room");
        let group = mount.path().join("service");
        write(&group, &[("memory.max", "max\n")]);
        let found = read_folder(mount.path(), &group);
        assert_eq!(found, Err(Note::Unreadable("memory.current")));
        write(&group, &[("memory.current", "5\n")]);
        let found = read_folder(mount.path(), &group).expect("its memory is known");
        assert_eq!(found.pressure, None);
        write(&group, &[("memory.pressure", "some avg10=0.00\n")]);
        let found = read_folder(mount.path(), &group).expect("its memory is known");
        assert_eq!(found.pressure, None);
    }
}
