//! Reads every setting and remembers everything wrong, so that one start tells all.

use std::fmt;
use std::path::Path;

use crate::fault::{redacted, shown};
use crate::source::{Found, Sources};
use crate::{Fault, Faults, Field, Value};

/// Reads settings from defaults, a file and the environment, each overriding the one before.
///
/// Nothing fails at once: each fault is kept, reading goes on, and [`finish`](Reader::finish) tells all of them.
pub struct Reader {
    sources: Sources,
    faults: Vec<Fault>,
    warnings: Vec<String>,
}

impl Reader {
    /// Gathers the sources. `catalogue` lists every field that may be read, of every role the process runs (repeats are
    /// fine): whatever else the file holds is a fault. `file` ends in `.toml`, `.yaml` or `.yml`. Empty environment variables count as absent.
    pub fn new(
        catalogue: &[&'static Field],
        file: Option<&Path>,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Reader {
        let mut faults = Vec::new();
        let mut warnings = Vec::new();
        let sources = Sources::gather(catalogue, file, env, &mut faults, &mut warnings);
        Reader { sources, faults, warnings }
    }

    /// The value of a setting that must have one. None means that a fault was recorded.
    ///
    /// A malformed value is a fault, and the setting's default stands in for it: relations between settings are then checked
    /// too, and every fault is told at once.
    pub fn read<T: Value>(&mut self, field: &'static Field) -> Option<T> {
        let value = self.optional(field)?;
        if value.is_none() {
            let mend = if field.secret {
                format!("set {0} or {0}_FILE", field.env)
            } else {
                format!("set {}", field.env)
            };
            self.faults.push(Fault::new(field, "nothing", T::SHAPE, mend));
        }
        value
    }

    /// The value of a setting that may be absent, which is `Some(None)`. None means that a fault was recorded and that the
    /// setting has no default to stand in.
    pub fn optional<T: Value>(&mut self, field: &'static Field) -> Option<Option<T>> {
        match self.sources.find(field).and_then(|found| parse(field, found)) {
            Ok(value) => Some(value),
            Err(fault) => {
                self.faults.push(fault);
                let default = field.default.filter(|_| field.secret == T::SECRET);
                default.and_then(|text| T::parse(text).ok()).map(Some)
            }
        }
    }

    /// Records a fault unless `holds`: for relations between settings that were read.
    pub fn require(&mut self, holds: bool, fault: impl FnOnce() -> Fault) {
        if !holds {
            self.faults.push(fault());
        }
    }

    /// What looks odd and may be right: variables that begin with `AFTERSEND_` and mean nothing to us. Kubernetes sets such
    /// variables itself for every Service whose name begins with `aftersend-`. Values are never repeated.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// Every fault met since [`new`](Reader::new).
    pub fn finish(self) -> Result<(), Faults> {
        if self.faults.is_empty() { Ok(()) } else { Err(Faults::new(self.faults)) }
    }
}

/// Counts only: the sources hold secrets.
impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("faults", &self.faults.len()).finish_non_exhaustive()
    }
}

/// This process's environment, for [`Reader::new`]. A variable that isn't UTF-8 is read with replacement characters, which
/// then fail to parse or to authenticate: better than a panic or a silence.
pub fn process_environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
}

fn parse<T: Value>(field: &Field, found: Option<Found>) -> Result<Option<T>, Fault> {
    if field.secret != T::SECRET {
        return Err(misdeclared(field));
    }
    let Some(Found { text, origin }) = found else { return Ok(None) };
    T::parse(&text).map(Some).map_err(|why| {
        let value = if field.secret { redacted(&text) } else { shown(&text) };
        let mend = format!("correct {origin}");
        Fault::new(field, format!("{value} ({why})"), T::SHAPE, mend)
    })
}

/// A secret read as a plain type could end in a log, and a public value read as a secret would be documented wrongly.
fn misdeclared(field: &Field) -> Fault {
    let declared = if field.secret { "secret" } else { "public" };
    Fault::new(
        field,
        format!("a {declared} field read as the other kind"),
        "a secret field to be read as a Secret, and only such a field",
        "this is a bug in Aftersend: report it",
    )
}
