use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why there is no Kafka node. Each says what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A program that must be installed could not be run.
    #[error(
        "`{program}` could not be run: install it (Debian: `apt-get install {package}`, or `make setup`), or name a running \
         Kafka in AFTERSEND_KAFKA"
    )]
    Missing {
        /// What was called.
        program: &'static str,
        /// The Debian package that brings it.
        package: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Kafka 4's brokers want Java 17.
    #[error(
        "the installed java is too old: Kafka {} needs 17 or newer (`apt-get install default-jre-headless`)",
        super::VERSION
    )]
    JavaTooOld,
    /// Maven could not resolve the jars.
    #[error(
        "maven could not fetch Kafka's jars: is this machine online, or is a mirror missing in its Maven settings?\n{tail}"
    )]
    Fetch {
        /// The end of Maven's output.
        tail: String,
    },
    /// The storage tool refused the folder.
    #[error("kafka could not format {}: remove the folder if its data is not needed\n{tail}", dir.display())]
    Format {
        /// The node's folder.
        dir: PathBuf,
        /// The end of the tool's output.
        tail: String,
    },
    /// Another node runs on this folder.
    #[error("another kafka node uses {}: choose another folder, or end that node first", dir.display())]
    InUse {
        /// The node's folder.
        dir: PathBuf,
    },
    /// The broker ended while it was being waited for.
    #[error("kafka ended while starting; the end of {}:\n{tail}", log.display())]
    Exited {
        /// Its whole log.
        log: PathBuf,
        /// The end of it.
        tail: String,
    },
    /// The broker lives, but did not answer for itself in time.
    #[error("kafka did not serve within {after:?} ({why}); the end of {}:\n{tail}", log.display())]
    TimedOut {
        /// How long it was waited for.
        after: Duration,
        /// What was still missing.
        why: String,
        /// Its whole log.
        log: PathBuf,
        /// The end of it.
        tail: String,
    },
    /// No free port was found below the kernel's range for outgoing connections.
    #[error("no free port on 127.0.0.1 between {} and {}", range.start, range.end)]
    NoPort {
        /// Where it was looked for.
        range: std::ops::Range<u16>,
    },
    /// The system had no file handle left for the broker's log.
    #[error("kafka's log could not be handed to it: are too many files open (`ulimit -n`)?")]
    Log {
        /// What the system said.
        source: io::Error,
    },
    /// A file or folder of the node or the cache could not be used.
    #[error("{} could not be {action}: check that it is writable and that its disk is not full", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What was tried: "created", "read", …
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    /// For `map_err`: names the path and what was tried.
    pub(super) fn file(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::File { path: path.to_owned(), action, source }
    }

    /// For `map_err`: `java` could not be run.
    pub(super) fn java(source: io::Error) -> Error {
        Error::Missing { program: "java", package: "default-jre-headless", source }
    }
}

/// The last lines of an output, few enough to be read in an error; where in Java's code it happened is left
/// to the log.
pub(super) fn tail(output: &str) -> String {
    const LINES: usize = 20;
    let lines: Vec<&str> = output.lines().filter(|line| !line.starts_with("\tat ")).collect();
    lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_short_and_holds_no_stack_trace() {
        let output: String = (0..30).map(|line| format!("line {line}\n\tat some.Class\n")).collect();
        assert_eq!(tail(&output).lines().count(), 20);
        assert!(tail(&output).starts_with("line 10\n"));
        assert!(tail(&output).ends_with("line 29"));
        assert_eq!(tail("only"), "only");
    }
}
