//! What one setting is called, what it means, and where it may come from.

/// One documented setting, as [`declare!`](crate::declare) makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// The dotted key in the file, such as `gateway.body_limit`.
    pub key: &'static str,
    /// The environment variable: a fixed short name where scripts rely on one, else `AFTERSEND_` and the key
    /// in upper case with `_` for `.`. A secret is also read from the file that `<env>_FILE` names.
    pub env: &'static str,
    /// Older or other names of the variable, accepted as equals.
    pub aliases: &'static [&'static str],
    /// The value where none is set. A setting without a default is required, or optional where it is read as
    /// such.
    pub default: Option<&'static str>,
    /// Whether the value must never be shown. Such a field is read as a [`Secret`](crate::Secret) or a list
    /// of them.
    pub secret: bool,
    /// What it means, in one or two sentences, with its unit.
    pub doc: &'static str,
    /// The smallest value that is accepted, written as a setting.
    pub least: Option<&'static str>,
    /// The largest value that is accepted, written as a setting.
    pub most: Option<&'static str>,
    /// Why the bounds are what they are.
    pub because: Option<&'static str>,
    /// What to do about a value outside the bounds, where raising or lowering it is not the answer.
    pub mend: Option<&'static str>,
}

impl Field {
    /// A required, public setting.
    pub const fn new(key: &'static str, env: &'static str, doc: &'static str) -> Field {
        Field {
            key,
            env,
            aliases: &[],
            default: None,
            secret: false,
            doc: doc.trim_ascii(),
            least: None,
            most: None,
            because: None,
            mend: None,
        }
    }

    /// Replaces the key.
    #[must_use]
    pub const fn key(mut self, key: &'static str) -> Field {
        self.key = key;
        self
    }

    /// Replaces the environment variable.
    #[must_use]
    pub const fn env(mut self, env: &'static str) -> Field {
        self.env = env;
        self
    }

    /// Accepts further environment variables.
    #[must_use]
    pub const fn aliases(mut self, aliases: &'static [&'static str]) -> Field {
        self.aliases = aliases;
        self
    }

    /// Gives the value that is used where none is set.
    #[must_use]
    pub const fn default(mut self, text: &'static str) -> Field {
        self.default = Some(text);
        self
    }

    /// Says whether it is secret.
    #[must_use]
    pub const fn secrecy(mut self, secret: bool) -> Field {
        self.secret = secret;
        self
    }

    /// Refuses smaller values. The type must have an order.
    #[must_use]
    pub const fn least(mut self, text: &'static str) -> Field {
        self.least = Some(text);
        self
    }

    /// Refuses larger values. The type must have an order.
    #[must_use]
    pub const fn most(mut self, text: &'static str) -> Field {
        self.most = Some(text);
        self
    }

    /// Gives the reason for the bounds: half a sentence, for the fault and for the table.
    #[must_use]
    pub const fn because(mut self, text: &'static str) -> Field {
        self.because = Some(text);
        self
    }

    /// Says what to do about a value outside the bounds.
    #[must_use]
    pub const fn mend(mut self, text: &'static str) -> Field {
        self.mend = Some(text);
        self
    }

    /// The environment variables that hold its value itself, the first being the one to recommend.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.env).chain(self.aliases.iter().copied())
    }

    /// The bounds as a fault and the table name them: `1 to 1000`, `at least 8d: a retry can be 7 days old`.
    pub(crate) fn bounds(&self) -> Option<String> {
        let bounds = match (self.least, self.most) {
            (Some(least), Some(most)) => format!("{least} to {most}"),
            (Some(least), None) => format!("at least {least}"),
            (None, Some(most)) => format!("at most {most}"),
            (None, None) => return None,
        };
        Some(match self.because {
            Some(reason) => format!("{bounds}: {reason}"),
            None => bounds,
        })
    }
}
