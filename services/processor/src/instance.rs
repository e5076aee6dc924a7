//! This process's instance: its own state folder, and a name that outlives the process.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A state folder, locked against other processes until this is dropped.
#[derive(Debug)]
pub(crate) struct Instance {
    name: String,
    folder: PathBuf,
    _lock: File,
}

/// The state folder can't be used.
#[derive(Debug, Error)]
pub enum InstanceError {
    /// Another process has it.
    #[error(
        "state folder {folder} is used by another process: give each processor a folder of its own in AFTERSEND_STATE"
    )]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// It can't be read or written.
    #[error("state folder {folder} can't be used: check AFTERSEND_STATE and the folder's owner")]
    Io {
        /// The folder.
        folder: PathBuf,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
}

impl Instance {
    /// Takes `folder`, and creates it where it is missing.
    ///
    /// The name is `given`, or else the one stored in the folder, or else a new one that is stored there. A
    /// restart must come back as the same group member and with the same transactional ids. Otherwise it
    /// waits until the old session times out.
    ///
    /// # Errors
    /// See [`InstanceError`].
    pub(crate) fn take(folder: &Path, given: Option<&str>) -> Result<Self, InstanceError> {
        let failed = |source| InstanceError::Io { folder: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(failed)?;
        let lock = File::create(folder.join("LOCK")).map_err(failed)?;
        lock.try_lock().map_err(|_| InstanceError::InUse { folder: folder.to_owned() })?;
        let name = match given {
            Some(name) => name.to_owned(),
            None => stored_name(&folder.join("instance")).map_err(failed)?,
        };
        Ok(Self { name, folder: folder.to_owned(), _lock: lock })
    }

    /// The instance's name.
    #[must_use]
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The folder of the stores of `topic`'s partitions.
    #[must_use]
    pub(crate) fn store_folder(&self, topic: &str) -> PathBuf {
        self.folder.join(topic)
    }
}

fn stored_name(file: &Path) -> std::io::Result<String> {
    match fs::read_to_string(file) {
        Ok(name) if !name.trim().is_empty() => Ok(name.trim().to_owned()),
        Ok(_) => new_name(file),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => new_name(file),
        Err(error) => Err(error),
    }
}

fn new_name(file: &Path) -> std::io::Result<String> {
    let name = format!("{:016x}", rand::random::<u64>());
    let fresh = file.with_extension("new");
    fs::write(&fresh, &name)?;
    fs::rename(&fresh, file)?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_process_and_keeps_its_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = Instance::take(folder.path(), None).expect("free");
        let name = first.name().to_owned();
        assert!(matches!(Instance::take(folder.path(), None), Err(InstanceError::InUse { .. })));
        drop(first);
        assert_eq!(Instance::take(folder.path(), None).expect("free again").name(), name);
    }
}
