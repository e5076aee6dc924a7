use super::Error;
use super::error::tail;
use sha2::{Digest as _, Sha256};
use std::fs::{self, File, TryLockError};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The Apache Kafka that is run, as `kafka/pom.xml` names it.
pub const VERSION: &str = "4.3.1";

const POM: &str = include_str!("../../kafka/pom.xml");

/// The folder with Kafka's jars, fetched with Maven into `cache` unless they are there. `progress` is told
/// each line worth showing. The folder is named after the pom's content, appears whole or not at all, and is
/// never changed; of several processes one fetches and the others wait for it.
///
/// # Errors
/// When `mvn` is missing or fails, or `cache` can't be written.
pub fn jars(cache: &Path, progress: &dyn Fn(&str)) -> Result<PathBuf, Error> {
    let home = cache.join("kafka");
    let ready = home.join(format!("{VERSION}-{}", fingerprint(POM)));
    if ready.is_dir() {
        return Ok(ready);
    }
    fs::create_dir_all(&home).map_err(Error::file(&home, "created"))?;
    let _held_to_the_end = lock(&home.join(".lock"), progress)?;
    if ready.is_dir() {
        return Ok(ready);
    }
    let partial = home.join("partial");
    if partial.exists() {
        fs::remove_dir_all(&partial).map_err(Error::file(&partial, "removed"))?;
    }
    fs::create_dir(&partial).map_err(Error::file(&partial, "created"))?;
    let pom = partial.join("pom.xml");
    fs::write(&pom, POM).map_err(Error::file(&pom, "written"))?;
    progress(&format!(
        "fetching Apache Kafka {VERSION} with Maven (about 60 MB with Maven's own plugin, once)"
    ));
    fetch(&pom, &partial, progress)?;
    fs::rename(&partial, &ready).map_err(Error::file(&ready, "moved into place"))?;
    progress(&format!("Kafka's jars are in {}", ready.display()));
    Ok(ready)
}

/// Changes with the pom, so that a new version never meets an old folder.
fn fingerprint(pom: &str) -> String {
    hex::encode(Sha256::digest(pom.as_bytes())).chars().take(8).collect()
}

/// An advisory lock that the system lets go of when its holder ends, however it ends.
fn lock(path: &Path, progress: &dyn Fn(&str)) -> Result<File, Error> {
    let file = File::create(path).map_err(Error::file(path, "created"))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => progress("another process is fetching Kafka's jars; waiting for it"),
        Err(TryLockError::Error(error)) => return Err(Error::file(path, "locked")(error)),
    }
    file.lock().map_err(Error::file(path, "locked"))?;
    Ok(file)
}

/// The plugin is named in full: by its short name Maven would first look through plugins that nobody needs.
/// Its version is the pom's.
fn fetch(pom: &Path, into: &Path, progress: &dyn Fn(&str)) -> Result<(), Error> {
    let mut maven = Command::new("mvn")
        .args(["--batch-mode", "--file"])
        .arg(pom)
        .args([
            "org.apache.maven.plugins:maven-dependency-plugin:copy-dependencies",
            "-DincludeScope=runtime",
        ])
        .arg(format!("-DoutputDirectory={}", into.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|source| Error::Missing { program: "mvn", package: "maven", source })?;
    let mut output = String::new();
    for line in
        maven.stdout.take().map(BufReader::new).into_iter().flat_map(BufReader::lines).map_while(Result::ok)
    {
        if let Some(shown) = fetched(&line) {
            progress(&shown);
        }
        if !line.contains("Download") {
            output.push_str(&line);
            output.push('\n');
        }
    }
    let succeeded = maven.wait().is_ok_and(|status| status.success());
    if succeeded && into.join(format!("kafka_2.13-{VERSION}.jar")).is_file() {
        Ok(())
    } else {
        Err(Error::Fetch { tail: tail(&output) })
    }
}

/// Of Maven's many lines, those that tell of a jar: `fetched kafka-clients-4.3.1.jar (5.9 MB)`.
fn fetched(line: &str) -> Option<String> {
    let (address, size) = line.split_once("Downloaded from ")?.1.split_once(" (")?;
    let name = address.rsplit_once('/')?.1;
    let size = size.split(" at ").next()?;
    name.ends_with(".jar").then(|| format!("fetched {name} ({size})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn progress_names_the_jars_and_leaves_out_the_rest() {
        let jar = "[INFO] Downloaded from central: https://repo.test/a/b/1/b-1.jar (6.7 MB at 21 MB/s)";
        let pom = "[INFO] Downloaded from central: https://repo.test/a/b/1/b-1.pom (1.0 kB at 16 kB/s)";
        assert_eq!(fetched(jar).as_deref(), Some("fetched b-1.jar (6.7 MB)"));
        assert_eq!(fetched(pom), None);
        assert_eq!(fetched("[INFO] Scanning for projects..."), None);
    }

    #[test]
    fn the_pom_names_the_version_that_is_looked_for() {
        assert!(POM.contains(&format!("<version>{VERSION}</version>")));
        assert_ne!(fingerprint(POM), fingerprint(""));
    }

    #[test]
    fn jars_that_are_there_are_used_without_a_word() {
        let cache = tempfile::tempdir().unwrap();
        let ready = cache.path().join("kafka").join(format!("{VERSION}-{}", fingerprint(POM)));
        fs::create_dir_all(&ready).unwrap();
        let said = RefCell::new(Vec::new());
        assert_eq!(jars(cache.path(), &|line| said.borrow_mut().push(line.to_owned())).unwrap(), ready);
        assert!(said.borrow().is_empty());
    }

    #[test]
    fn of_two_at_once_one_fetches_also_where_an_earlier_one_was_interrupted() {
        let cache = tempfile::tempdir().unwrap();
        let partial = cache.path().join("kafka/partial");
        fs::create_dir_all(&partial).unwrap();
        fs::write(partial.join("half-a.jar"), "half").unwrap();

        let fetch = || {
            let said = RefCell::new(String::new());
            let ready = jars(cache.path(), &|line| said.borrow_mut().push_str(line)).unwrap();
            (ready, said.into_inner().contains("fetching Apache Kafka"))
        };
        let (left, right) = std::thread::scope(|scope| {
            let (left, right) = (scope.spawn(fetch), scope.spawn(fetch));
            (left.join().unwrap(), right.join().unwrap())
        });
        assert_eq!(left.0, right.0);
        assert_ne!(left.1, right.1, "one of them fetched");
        assert!(left.0.join(format!("kafka_2.13-{VERSION}.jar")).is_file());
        assert!(!left.0.join("half-a.jar").exists());
    }
}
