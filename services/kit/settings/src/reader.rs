//! Reads every setting and collects every fault, so that one start reports all of them.

use std::cmp::Ordering;
use std::fmt;
use std::path::Path;

use crate::fault::{redacted, shown};
use crate::source::{Found, Sources};
use crate::{Fault, Faults, Field, Value};

/// Reads settings from defaults, a file and the environment, each overriding the one before.
///
/// A fault does not end the reading. It is kept, and [`finish`](Reader::finish) reports all faults together.
pub struct Reader {
    sources: Sources,
    faults: Vec<Fault>,
    warnings: Vec<String>,
}

impl Reader {
    /// Gathers the sources.
    ///
    /// - `catalogue` lists every field that may be read, of every role that the process runs. A field may be
    ///   listed more than once. Every other key in the file is a fault.
    /// - `file` ends in `.toml`, `.yaml` or `.yml`.
    /// - `env` is the environment. An empty variable counts as absent.
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
    /// A malformed value is a fault, and the setting's default replaces it. So relations between settings are
    /// checked too, and every fault is reported at once.
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

    /// The value of a setting that may be absent. `Some(None)` means that it is absent. None means that a
    /// fault was recorded and that the setting has no default to replace the value.
    pub fn optional<T: Value>(&mut self, field: &'static Field) -> Option<Option<T>> {
        match self.sources.find(field).and_then(|found| self.parse(field, found)) {
            Ok(value) => Some(value),
            Err(fault) => {
                self.faults.push(fault);
                let default = field.default.filter(|_| field.secret == T::SECRET);
                default.and_then(|text| T::parse(text).ok()).map(Some)
            }
        }
    }

    /// Parses what was found. A value outside its bounds is a fault and is used nevertheless, so that
    /// relations with it are checked too.
    fn parse<T: Value>(&mut self, field: &Field, found: Option<Found>) -> Result<Option<T>, Fault> {
        if field.secret != T::SECRET {
            return Err(misdeclared(field));
        }
        let Some(found) = found else { return Ok(None) };
        let value = T::parse(&found.text).map_err(|why| malformed::<T>(field, &found, &why))?;
        self.faults.extend(outside(field, &value, found.text));
        Ok(Some(value))
    }

    /// Records a fault unless `holds`. For relations between settings that were read.
    pub fn require(&mut self, holds: bool, fault: impl FnOnce() -> Fault) {
        if !holds {
            self.faults.push(fault());
        }
    }

    /// Warnings about variables that begin with `AFTERSEND_` and are no setting. They are no faults, because
    /// Kubernetes sets such variables for every Service whose name begins with `aftersend-`. Values are never
    /// repeated.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// Every fault since [`new`](Reader::new).
    pub fn finish(self) -> Result<(), Faults> {
        if self.faults.is_empty() { Ok(()) } else { Err(Faults::new(self.faults)) }
    }
}

/// Shows the number of faults only: the sources hold secrets.
impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("faults", &self.faults.len()).finish_non_exhaustive()
    }
}

/// This process's environment, for [`Reader::new`]. A variable that isn't UTF-8 is read with replacement
/// characters. It then fails to parse or to authenticate, which is better than a panic or silence.
pub fn process_environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
}

fn malformed<T: Value>(field: &Field, found: &Found, why: &str) -> Fault {
    let value = if field.secret { redacted(&found.text) } else { shown(&found.text) };
    Fault::new(field, format!("{value} ({why})"), T::SHAPE, format!("correct {}", found.origin))
}

/// The fault of a value outside the field's bounds. `text` is the value as it was written.
fn outside<T: Value>(field: &Field, value: &T, text: String) -> Option<Fault> {
    let wanted = field.bounds()?;
    let order =
        |bound: Option<&str>| bound.map(|text| T::parse(text).ok().and_then(|bound| value.compare(&bound)));
    let (to_least, to_most) = (order(field.least), order(field.most));
    if to_least == Some(None) || to_most == Some(None) {
        return Some(unordered(field));
    }
    let outside = to_least == Some(Some(Ordering::Less)) || to_most == Some(Some(Ordering::Greater));
    let mend = match (field.mend, field.least, field.most) {
        (Some(mend), _, _) => mend,
        (None, _, None) => "raise it",
        (None, None, _) => "lower it",
        (None, Some(_), Some(_)) => "choose a value between them",
    };
    outside.then(|| Fault::new(field, text, wanted, mend))
}

/// A secret that is read as a plain type could end in a log. A public value that is read as a secret would be
/// documented wrongly.
fn misdeclared(field: &Field) -> Fault {
    let declared = if field.secret { "secret" } else { "public" };
    Fault::new(
        field,
        format!("a {declared} field read as the other kind"),
        "a secret field to be read as a Secret, and only such a field",
        "this is a bug in Aftersend: report it",
    )
}

/// Bounds that nothing can be compared with would be bounds in the documentation alone.
fn unordered(field: &Field) -> Fault {
    Fault::new(
        field,
        "bounds that don't fit the setting's type",
        "bounds of the setting's own type, which has an order",
        "this is a bug in Aftersend: report it",
    )
}
