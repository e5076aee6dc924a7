//! Processor time and memory of a process, as the kernel counts them in `/proc`.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// A process that uses less than this share of a core for a second is quiet.
const QUIET_SHARE: f64 = 0.05;

/// What a process had used at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    at: Instant,
    whole: Ticks,
    threads: BTreeMap<u32, (String, Ticks)>,
}

/// Clock ticks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Ticks {
    user: u64,
    system: u64,
}

/// What a process used between two moments.
#[derive(Debug, Clone)]
pub(crate) struct Usage {
    /// Between the two.
    pub(crate) wall: Duration,
    /// Seconds in user mode, all threads.
    pub(crate) user: f64,
    /// Seconds in the kernel, all threads.
    pub(crate) system: f64,
    /// Seconds by kind of thread. Threads that ended in between count to `ended threads`.
    pub(crate) groups: BTreeMap<String, f64>,
}

impl Snapshot {
    /// Of the process `pid`, now.
    pub(crate) fn take(pid: u32) -> anyhow::Result<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).context("the process has gone")?;
        let (_, whole) = parse(&text).context("/proc holds no stat as documented")?;
        let mut threads = BTreeMap::new();
        for entry in fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
            let thread = entry.file_name().to_string_lossy().parse().ok();
            // One that has just ended is gone.
            let found = fs::read_to_string(entry.path().join("stat")).ok().and_then(|text| parse(&text));
            threads.extend(thread.zip(found));
        }
        Ok(Self { at: Instant::now(), whole, threads })
    }

    /// What was used until `later`.
    pub(crate) fn until(&self, later: &Self) -> Usage {
        let mut groups: BTreeMap<String, f64> = BTreeMap::new();
        for (thread, (name, ticks)) in &later.threads {
            let before = self.threads.get(thread).map_or(Ticks::default(), |(_, ticks)| *ticks);
            *groups.entry(group(name)).or_default() += ticks.since(before).seconds();
        }
        let whole = later.whole.since(self.whole);
        let named: f64 = groups.values().sum();
        let ended = whole.seconds() - named;
        if ended > 0.05 {
            groups.insert("ended threads".to_owned(), ended);
        }
        groups.retain(|_, seconds| *seconds > 0.0);
        let (user, system) = (seconds(whole.user), seconds(whole.system));
        Usage { wall: later.at - self.at, user, system, groups }
    }
}

impl Ticks {
    fn since(self, before: Self) -> Self {
        Self {
            user: self.user.saturating_sub(before.user),
            system: self.system.saturating_sub(before.system),
        }
    }

    fn seconds(self) -> f64 {
        seconds(self.user + self.system)
    }
}

impl Usage {
    /// All of it, in seconds.
    pub(crate) fn cpu(&self) -> f64 {
        self.user + self.system
    }
}

/// Name and times of a `stat`; see proc(5). The name stands in parentheses and may hold any character.
fn parse(stat: &str) -> Option<(String, Ticks)> {
    let (begin, end) = (stat.find('(')?, stat.rfind(')')?);
    let mut fields = stat.get(end + 2..)?.split(' ');
    let user = fields.nth(11)?.parse().ok()?;
    let system = fields.next()?.parse().ok()?;
    Some((stat.get(begin + 1..end)?.to_owned(), Ticks { user, system }))
}

/// What a thread of this name does. The kernel keeps its first fifteen characters.
fn group(name: &str) -> String {
    const KINDS: [(&str, &str); 14] = [
        ("rdk:", "librdkafka"),
        ("delivery rep", "delivery reports"),
        ("rocksdb:", "RocksDB's background"),
        ("tokio", "admin port"),
        ("aftersend", "main thread"),
        ("GC ", "JVM's collector"),
        ("G1 ", "JVM's collector"),
        ("C1 ", "JVM's compiler"),
        ("C2 ", "JVM's compiler"),
        ("VM ", "JVM itself"),
        ("kafka-p", "producers' network"),
        ("kafka-c", "consumers' heartbeats"),
        ("streams-Str", "stream threads"),
        ("streams-Sta", "state updaters"),
    ];
    let known = KINDS.iter().find(|(begin, _)| name.starts_with(begin)).map(|(_, kind)| *kind);
    known
        .unwrap_or_else(|| name.trim_end_matches(|c: char| c.is_ascii_digit() || "-_#".contains(c)))
        .to_owned()
}

#[expect(clippy::cast_precision_loss, reason = "ticks of one run")]
fn seconds(ticks: u64) -> f64 {
    ticks as f64 / ticks_per_second()
}

fn ticks_per_second() -> f64 {
    static HZ: OnceLock<f64> = OnceLock::new();
    *HZ.get_or_init(|| {
        let told = Command::new("getconf").arg("CLK_TCK").output().ok();
        let told = told.and_then(|output| String::from_utf8_lossy(&output.stdout).trim().parse().ok());
        // What Linux tells userland on every common machine.
        told.unwrap_or(100.0)
    })
}

/// The most memory that the process was resident with, in bytes.
pub(crate) fn peak_bytes(pid: u32) -> anyhow::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).context("the process has gone")?;
    let line =
        text.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("the kernel tells no VmHWM")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1_024)
}

/// Waits until the process has nothing left to do, such as compactions.
pub(crate) fn await_quiet(pid: u32, patience: Duration) -> anyhow::Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < patience {
        let before = Snapshot::take(pid)?;
        std::thread::sleep(Duration::from_secs(1));
        let usage = before.until(&Snapshot::take(pid)?);
        if usage.cpu() < QUIET_SHARE * usage.wall.as_secs_f64() {
            return Ok(());
        }
    }
    bail!("the process was still busy after {patience:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_is_read_whatever_its_name_holds() {
        let stat = "4711 (rdk: (bro) ker1) S 1 2 3 4 5 6 7 8 9 10 250 31 0 0 20 0 9 0 1";
        let ticks = Ticks { user: 250, system: 31 };
        assert_eq!(parse(stat), Some(("rdk: (bro) ker1".to_owned(), ticks)));
        assert_eq!(parse("4711 (a) S 1"), None);
    }

    #[test]
    fn threads_are_told_by_what_they_do() {
        let told = [
            "rdk:broker1",
            "rocksdb:low",
            "C2 CompilerThre",
            "streams-StreamT",
            "kafka-producer-",
            "worker-3",
        ]
        .map(group);
        let wanted = [
            "librdkafka",
            "RocksDB's background",
            "JVM's compiler",
            "stream threads",
            "producers' network",
            "worker",
        ];
        assert_eq!(told, wanted);
    }

    #[test]
    fn time_of_threads_that_ended_is_not_lost() {
        let ticks = |user| Ticks { user, system: 0 };
        let at = Instant::now();
        let hz = ticks_per_second();
        let threads = |user| BTreeMap::from([(1, ("worker-0".to_owned(), ticks(user)))]);
        let before = Snapshot { at, whole: ticks(10), threads: threads(10) };
        let after = Snapshot { at, whole: ticks(310), threads: threads(110) };
        let usage = before.until(&after);
        assert!((usage.cpu() - 300.0 / hz).abs() < 1e-9);
        assert!((usage.groups["worker"] - 100.0 / hz).abs() < 1e-9);
        assert!((usage.groups["ended threads"] - 200.0 / hz).abs() < 1e-9);
    }
}
