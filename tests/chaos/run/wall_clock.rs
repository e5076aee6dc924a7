//! A wall clock that belongs to one processor, and that can be set.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

/// Ends in becoming the processor. Both files lie beside its disk.
pub(super) const LAUNCHER: [&str; 4] = [
    "sh",
    "-c",
    "exec env LD_PRELOAD=\"$AFTERSEND_STATE.so\" WALL_CLOCK=\"$AFTERSEND_STATE.clock\" \"$@\"",
    "sh",
];
const SOURCE: &str = include_str!("wall_clock.c");

/// How many hours `time`, as logs tell it, is after the machine's.
pub(super) fn hours_ahead(time: &str) -> i64 {
    let read = Command::new("date").args(["-d", time, "+%s"]).output().expect("date can be run");
    let seconds: i64 = String::from_utf8_lossy(&read.stdout).trim().parse().expect("a log line has a time");
    let now = SystemTime::UNIX_EPOCH.elapsed().expect("the clock is past 1970").as_secs();
    let ahead = seconds - i64::try_from(now).expect("seconds fit");
    // What was logged some minutes ago counts as now.
    (ahead + 1_800).div_euclid(3_600)
}

/// The hands of the clock.
pub(crate) struct WallClock {
    shift: File,
}

impl WallClock {
    /// The machine's time so far, for a processor with its disk at `disk`.
    pub(super) fn beside(disk: &Path) -> WallClock {
        let (source, library) = (disk.with_extension("c"), disk.with_extension("so"));
        fs::write(&source, SOURCE).expect("a file can be written");
        let built =
            Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(library).arg(source).status();
        assert!(built.expect("cc can be run").success(), "wall_clock.c is compiled");
        let shift = File::create(disk.with_extension("clock")).expect("a file can be made");
        let clock = WallClock { shift };
        clock.set(0);
        clock
    }

    /// Sets it so many hours before or after the machine's, at once.
    pub(crate) fn set(&self, hours: i64) {
        let seconds = hours * 3_600;
        self.shift.write_all_at(&seconds.to_ne_bytes(), 0).expect("a file can be written");
    }
}
