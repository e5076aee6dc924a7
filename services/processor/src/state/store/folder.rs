//! A partition's folder: detects damage, and wipes it safely even if the process crashes half-way (C13).

use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use tracing::{error, warn};

use super::StoreError;

/// What the name of a folder begins with while it is being removed.
const TRASH: &str = ".trash-";

/// Refuses a folder that was found damaged while it was in use, or that has files but no CURRENT file.
/// RocksDB would take the latter for a new folder, and replay the old logs in it as its own.
pub(super) fn refuse_damage(path: &Path) -> Result<(), StoreError> {
    let damaged = |what: &str| Err(StoreError::Corrupt { path: path.to_owned(), what: what.to_owned() });
    if mark(path).exists() {
        return damaged("damage was met while it was in use");
    }
    if path.join("CURRENT").exists() {
        return Ok(());
    }
    let is_data = |name: &OsString| {
        let name = name.to_string_lossy();
        let is = |extension: &str| Path::new(&*name).extension().is_some_and(|found| found == extension);
        name.starts_with("MANIFEST") || is("sst") || is("log")
    };
    let has_data = fs::read_dir(path)
        .is_ok_and(|entries| entries.filter_map(Result::ok).any(|entry| is_data(&entry.file_name())));
    if has_data { damaged("CURRENT is missing") } else { Ok(()) }
}

/// Marks the folder as damaged. The next opening refuses it.
pub(super) fn condemn(path: &Path) {
    error!(path = %path.display(), "state store is damaged: it is wiped and restored when it is opened next");
    if let Err(error) = fs::write(mark(path), b"") {
        warn!(%error, "damaged state store not marked");
    }
}

/// Removes the folder. It is renamed first, so that after a crash no part of it can be opened.
///
/// # Errors
/// Where the system refuses to rename it. What can't be removed afterwards is left to [`sweep`].
pub(crate) fn wipe(path: &Path) -> io::Result<()> {
    let trash = beside(path, &format!("{TRASH}{:016x}-", rand::random::<u64>()), "");
    absent_is_fine(fs::rename(path, &trash))?;
    absent_is_fine(fs::remove_file(mark(path)))?;
    if let Err(error) = absent_is_fine(fs::remove_dir_all(&trash)) {
        warn!(%error, path = %trash.display(), "wiped state store not removed yet");
    }
    Ok(())
}

/// Removes what interrupted wipes of `partition` left in `folder`.
pub(crate) fn sweep(folder: &Path, partition: i32) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_ours = name.strip_prefix(TRASH).and_then(|rest| rest.split_once('-'));
        if is_ours.is_some_and(|(_, wiped)| wiped == partition.to_string())
            && let Err(error) = fs::remove_dir_all(entry.path())
        {
            warn!(%error, path = %entry.path().display(), "wiped state store not removed yet");
        }
    }
}

fn mark(path: &Path) -> PathBuf {
    beside(path, "", ".damaged")
}

fn beside(path: &Path, before: &str, after: &str) -> PathBuf {
    let mut name = OsString::from(before);
    name.push(path.file_name().unwrap_or_default());
    name.push(after);
    path.with_file_name(name)
}

pub(super) fn absent_is_fine(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
