//! One processor: its name, its disk, and the process that runs under them now.

use std::fs;
use std::path::{Path, PathBuf};

use aftersend_tests::deployment::{Deployment, Role};
use aftersend_tests::process::exposition::Exposition;
use aftersend_tests::process::{Exit, Process, http};

use super::counts::Counts;
use super::wall_clock::{self, WallClock};
use super::{Kafka, Plan};

/// A place where a processor runs, or ran.
pub(crate) struct Instance {
    name: String,
    /// The state folder.
    pub(crate) disk: PathBuf,
    env: Vec<(&'static str, String)>,
    /// What starts the process.
    launcher: &'static [&'static str],
    process: Option<Process>,
    /// Whether it can answer.
    paused: bool,
}

impl Instance {
    pub(crate) fn new(deployment: &Deployment, kafka: &Kafka, number: usize, plan: &Plan) -> Instance {
        let (name, disk) = (format!("i{number}"), deployment.path(&format!("disk-{number}")));
        let env = vec![
            ("AFTERSEND_KAFKA", kafka.bootstrap()),
            ("AFTERSEND_STATE", disk.display().to_string()),
            ("AFTERSEND_PROCESSOR_INSTANCE", name.clone()),
            ("AFTERSEND_PROCESSOR_WORKERS", plan.workers.to_string()),
            ("AFTERSEND_PROCESSOR_BATCH_RECORDS", plan.batch.to_string()),
            ("AFTERSEND_PROCESSOR_COMMIT_INTERVAL", "20ms".to_owned()),
            ("AFTERSEND_PROCESSOR_CHECKPOINT_INTERVAL", "500ms".to_owned()),
            ("AFTERSEND_PROCESSOR_MEMORY", "256MiB".to_owned()),
        ];
        Instance { name, disk, env, launcher: &[], process: None, paused: false }
    }

    /// Its name, and its group member's.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Is started by `launcher` from the next start on.
    pub(crate) fn under(&mut self, launcher: &'static [&'static str]) {
        self.launcher = launcher;
    }

    /// Is started with its own wall clock from the next start on.
    pub(crate) fn with_own_clock(&mut self) -> WallClock {
        self.launcher = &wall_clock::LAUNCHER;
        WallClock::beside(&self.disk)
    }

    /// Whether a process runs.
    pub(crate) fn runs(&self) -> bool {
        self.process.is_some()
    }

    /// Starts it if it does not run, with a crash drill or none.
    pub(crate) fn start(&mut self, deployment: &Deployment, drill: Option<String>) {
        if self.process.is_some() {
            return;
        }
        let drill = drill.map(|drill| ("AFTERSEND_PROCESSOR_DRILL", drill));
        let env: Vec<(&str, &str)> =
            self.env.iter().chain(&drill).map(|(name, value)| (*name, value.as_str())).collect();
        self.process = Some(deployment.start_under(self.launcher, Role::Processor, &env));
        self.paused = false;
    }

    /// Fails if the process has ended by itself.
    pub(crate) fn assert_alive(&mut self) {
        if let Some(process) = &mut self.process {
            process.assert_alive();
        }
    }

    /// Whether the process has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.process.as_mut().is_some_and(Process::has_ended)
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }

    /// SIGTERM, and a good end. Returns what it has logged.
    pub(crate) fn stop(&mut self) -> String {
        let Some(process) = self.process.take() else { return String::new() };
        let exit = process.stop();
        assert_eq!(exit.code, Some(0), "{} ends well: {}", self.name, exit.stderr);
        exit.stderr
    }

    /// Waits until it has ended by itself.
    pub(crate) fn await_end(&mut self) -> Exit {
        let mut process = self.process.take().expect("it was started");
        process.wait()
    }

    /// SIGTERM without waiting.
    pub(crate) fn terminate(&mut self) {
        self.process.iter_mut().for_each(Process::terminate);
    }

    /// SIGSTOP.
    pub(crate) fn pause(&mut self) {
        self.paused = true;
        self.process.iter_mut().for_each(Process::pause);
    }

    /// SIGCONT.
    pub(crate) fn resume(&mut self) {
        self.process.iter_mut().for_each(Process::resume);
        self.paused = false;
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// What it has counted; nothing where it doesn't answer.
    pub(crate) fn counted(&self) -> Option<Exposition> {
        let process = self.process.as_ref().filter(|_| !self.paused)?;
        http::get(process.admin, "/metrics").ok().map(|answer| Exposition::new(answer.body))
    }

    /// How many hours its own clock is ahead of the machine's, by what it logged last.
    pub(crate) fn hours_ahead(&self) -> i64 {
        let log = self.process.as_ref().map(Process::log).unwrap_or_default();
        let last =
            log.lines().last().and_then(|line| line.split(' ').next()).expect("it has logged something");
        wall_clock::hours_ahead(last)
    }

    /// Whether it runs, and says that it is ready.
    pub(crate) fn works(&self) -> bool {
        let process = self.process.as_ref().filter(|_| !self.paused);
        process.and_then(Process::readiness).is_some_and(|answer| answer.status == 200)
    }

    /// Why it isn't ready, as it says.
    pub(crate) fn readiness(&self) -> String {
        let process = self.process.as_ref().filter(|_| !self.paused);
        process.and_then(Process::readiness).map(|answer| answer.body).unwrap_or_default()
    }

    /// Transactions committed since its start.
    pub(crate) fn committed(&self) -> u64 {
        self.sum("aftersend_processor_transactions_total", ("end", "committed"))
    }

    /// Doubts resolved since its start, with that verdict.
    pub(crate) fn doubts(&self, verdict: &str) -> u64 {
        self.sum("aftersend_processor_doubts_total", ("verdict", verdict))
    }

    /// Stores that it found damaged since its start, and wiped.
    pub(crate) fn wiped(&self) -> u64 {
        self.sum("aftersend_processor_stores_wiped_total", ("cause", "damaged"))
    }

    /// Partitions that it works on.
    pub(crate) fn owned(&self) -> u64 {
        self.counted().map_or(0, |counted| counted.sum("aftersend_processor_owned_partitions", None))
    }

    /// Takes its counts, before they are lost.
    pub(crate) fn collect_counts(&self, counts: &mut Counts) {
        let Some(counted) = self.counted() else { return };
        for verdict in ["committed", "aborted", "elsewhere", "torn"] {
            let doubts = counted.sum("aftersend_processor_doubts_total", Some(("verdict", verdict)));
            if doubts > 0 {
                *counts.doubts.entry(verdict).or_default() += doubts;
            }
        }
    }

    /// Loses its disk, while it doesn't run.
    pub(crate) fn lose_disk(&self) {
        assert!(self.process.is_none(), "a disk is lost while nobody uses it");
        if self.disk.exists() {
            fs::remove_dir_all(&self.disk).expect("the state folder can be removed");
        }
    }

    /// The size of the largest file on its disk, in bytes.
    pub(crate) fn largest_file(&self) -> u64 {
        let sizes = files(&self.disk).into_iter().filter_map(|file| fs::metadata(file).ok());
        sizes.map(|file| file.len()).max().unwrap_or_default()
    }

    /// Copies its disk to `to`, while it doesn't run.
    pub(crate) fn save_disk(&self, to: &Path) {
        assert!(self.process.is_none(), "a disk is copied while nobody uses it");
        if to.exists() {
            fs::remove_dir_all(to).expect("the old copy can be removed");
        }
        copy(&self.disk, to);
    }

    /// Puts a copy of a disk in place of its own, while it doesn't run.
    pub(crate) fn put_disk(&self, from: &Path) {
        self.lose_disk();
        copy(from, &self.disk);
    }

    fn sum(&self, name: &str, label: (&str, &str)) -> u64 {
        self.counted().map_or(0, |counted| counted.sum(name, Some(label)))
    }
}

/// Every file in `folder`, in the order of their paths.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort_unstable();
    found
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder can be made");
    for entry in fs::read_dir(from).expect("a folder can be read") {
        let entry = entry.expect("a folder can be read");
        let target = to.join(entry.file_name());
        match entry.file_type().expect("a file has a type").is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).expect("a file can be copied")),
        }
    }
}
