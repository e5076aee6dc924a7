//! What one setting is called, what it means, and where it may come from.

/// One documented setting, declared as a `const` beside the role that uses it.
///
/// ```
/// use settings::Field;
/// const LINGER: Field =
///     Field::new("kafka.linger", "AFTERSEND_KAFKA_LINGER", "How long a record waits for company.").default("5ms");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// The dotted key in the file, such as `gateway.body_limit`.
    pub key: &'static str,
    /// The environment variable: a fixed short name where one is promised to scripts, else `AFTERSEND_` and the key in
    /// upper case with `_` for `.`. A secret is also read from the file that `<env>_FILE` names.
    pub env: &'static str,
    /// Older or other names of the variable, accepted as equals.
    pub aliases: &'static [&'static str],
    /// The value when nobody sets one; none makes the setting required (or optional, where it's read as such).
    pub default: Option<&'static str>,
    /// Whether the value must never be shown. Such a field is read as a [`Secret`](crate::Secret) or a list of them.
    pub secret: bool,
    /// What it means, in one or two sentences, with its unit and limits.
    pub doc: &'static str,
}

impl Field {
    /// A required, public setting.
    pub const fn new(key: &'static str, env: &'static str, doc: &'static str) -> Field {
        Field { key, env, aliases: &[], default: None, secret: false, doc }
    }

    /// Gives it a value for when nobody sets one.
    pub const fn default(mut self, text: &'static str) -> Field {
        self.default = Some(text);
        self
    }

    /// Accepts further environment variables for it.
    pub const fn aliases(mut self, aliases: &'static [&'static str]) -> Field {
        self.aliases = aliases;
        self
    }

    /// Marks it as secret.
    pub const fn secret(mut self) -> Field {
        self.secret = true;
        self
    }

    /// The environment variables that hold its value itself, the first being the one to recommend.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.env).chain(self.aliases.iter().copied())
    }
}
