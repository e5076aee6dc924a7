//! Events in a file, so that making them costs nothing while something is measured.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::Event;
use crate::screen::Step;

/// A file of events, each as three texts with their lengths in front.
#[derive(Debug, Clone)]
pub(crate) struct Journal {
    path: PathBuf,
    /// How many it holds.
    pub(crate) events: u64,
    /// Bytes of their values.
    pub(crate) bytes: u64,
}

impl Journal {
    /// Writes the first `count` of `events`.
    pub(crate) fn write(
        path: &Path,
        events: impl Iterator<Item = Event>,
        count: u64,
        step: &Step<'_>,
    ) -> anyhow::Result<Self> {
        let file = File::create(path).with_context(|| format!("{} can't be made", path.display()))?;
        let mut out = BufWriter::with_capacity(1 << 20, file);
        let mut journal = Self { path: path.to_owned(), events: 0, bytes: 0 };
        let wanted = usize::try_from(count).unwrap_or(usize::MAX);
        for event in events.take(wanted) {
            put(&mut out, event.cause.as_bytes())?;
            put(&mut out, &event.key)?;
            put(&mut out, &event.value)?;
            journal.events += 1;
            journal.bytes += event.value.len() as u64;
            step.at(journal.events, count);
        }
        out.flush()?;
        Ok(journal)
    }

    /// The events, in order.
    pub(crate) fn read(&self) -> anyhow::Result<impl Iterator<Item = io::Result<Event>> + use<>> {
        let file =
            File::open(&self.path).with_context(|| format!("{} can't be read", self.path.display()))?;
        let mut from = BufReader::with_capacity(1 << 20, file);
        let left = usize::try_from(self.events).unwrap_or(usize::MAX);
        Ok((0..left).map(move |_| {
            let cause = String::from_utf8(take(&mut from)?).map_err(io::Error::other)?;
            Ok(Event { cause, key: take(&mut from)?, value: take(&mut from)? })
        }))
    }
}

fn put(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(bytes)
}

fn take(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::Screen;

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let event =
            |cause: &str| Event { cause: cause.to_owned(), key: b"u-1".to_vec(), value: vec![0, 1, 255] };
        let events = [event("a"), event("")];
        let screen = Screen::new(1);
        let path = folder.path().join("events");
        let journal = Journal::write(&path, events.iter().cloned(), 9, &screen.step("x")).expect("writes");
        let back: Vec<Event> = journal.read().expect("opens").collect::<Result<_, _>>().expect("reads");
        assert_eq!((back.as_slice(), journal.events, journal.bytes), (&events[..], 2, 6));
    }
}
