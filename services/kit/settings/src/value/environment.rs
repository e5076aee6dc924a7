//! Where the process runs. What is a convenience in development is a fault in production.

use std::fmt;

use super::Value;

/// Where the process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Environment {
    /// A developer's machine or CI. Fixed keys and single brokers are allowed.
    Development,
    /// A rehearsal of production.
    Staging,
    /// Real customers' data. Every convenience is a fault.
    Production,
}

impl Environment {
    /// Its name in settings.
    pub const fn name(self) -> &'static str {
        match self {
            Environment::Development => "development",
            Environment::Staging => "staging",
            Environment::Production => "production",
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Value for Environment {
    const SHAPE: &'static str = "one of development, staging, production";

    fn parse(text: &str) -> Result<Self, String> {
        [Environment::Development, Environment::Staging, Environment::Production]
            .into_iter()
            .find(|environment| environment.name() == text)
            .ok_or_else(|| "none of the three".to_owned())
    }
}
