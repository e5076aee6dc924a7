//! Logs: their form, their level, and how many events are logged.

use std::io::{self, IsTerminal};

use metrics::Counter;
use settings::{Fault, Reader, Value};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::{Error, metric};

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object per line, fields at the top level.
    Json,
    /// One line for people, coloured on a terminal.
    Text,
}

impl Value for Format {
    const SHAPE: &'static str = "text or json";

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "json" => Ok(Format::Json),
            "text" => Ok(Format::Text),
            _ => Err("neither of the two".to_owned()),
        }
    }
}

settings::declare! {
    /// How this process logs.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Settings in "log", checked by relate {
        /// The form of the logs on stderr: `text` for people, `json` for collectors.
        pub format: Format = "text",
        /// How much is logged: `error`, `warn`, `info`, `debug`, `trace`, or a filter by module such as
        /// `info,gateway=debug`.
        pub level: String = "info",
    }
}

impl Settings {
    /// A filter that can't be parsed is a fault when the settings are read, not only at
    /// [`init`](crate::init).
    fn relate(&self, reader: &mut Reader) {
        reader.require(filter(&self.level).is_ok(), || {
            let wanted = "error, warn, info, debug, trace or a filter such as info,gateway=debug";
            Fault::new(Self::level, format!("{:?}", self.level), wanted, "correct it")
        });
    }
}

impl Default for Settings {
    /// Text at `info`, as where nothing is set. Tests use it.
    fn default() -> Settings {
        Settings { format: Format::Text, level: "info".to_owned() }
    }
}

/// Reads a level or filter.
pub(crate) fn filter(level: &str) -> Result<EnvFilter, Error> {
    EnvFilter::builder().parse(level).map_err(Error::Level)
}

/// Starts logging to stderr. Stdout is for what a command prints.
pub(crate) fn install(format: Format, filter: EnvFilter) -> Result<(), Error> {
    let lines =
        tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    let lines = match format {
        Format::Json => lines.json().flatten_event(true).boxed(),
        Format::Text => lines.boxed(),
    };
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .with(Count::new())
        .try_init()
        .map_err(Error::Subscriber)
}

/// Counts log events by level, so that a burst of errors can raise an alarm without a search in the logs.
struct Count {
    by_level: [(Level, Counter); 5],
}

impl Count {
    fn new() -> Count {
        let levels = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
        Count { by_level: levels.map(|level| (level, metric::log_events(level))) }
    }
}

impl<S: Subscriber> Layer<S> for Count {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = event.metadata().level();
        if let Some((_, counter)) = self.by_level.iter().find(|(each, _)| each == level) {
            counter.increment(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Format, Settings};
    use settings::Reader;

    fn read(env: &[(&str, &str)]) -> (Option<Settings>, Result<(), settings::Faults>) {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut reader = Reader::new(Settings::FIELDS, None, env);
        let settings = Settings::read(&mut reader);
        (settings, reader.finish())
    }

    #[test]
    fn nothing_set_means_text_at_info() {
        assert_eq!(read(&[]), (Some(Settings::default()), Ok(())));
    }

    #[test]
    fn a_filter_by_module_is_accepted() {
        let (settings, faults) =
            read(&[("AFTERSEND_LOG_FORMAT", "json"), ("AFTERSEND_LOG_LEVEL", "warn,gateway=debug")]);
        assert_eq!(settings, Some(Settings { format: Format::Json, level: "warn,gateway=debug".to_owned() }));
        assert_eq!(faults, Ok(()));
    }

    #[test]
    fn a_wrong_format_and_a_wrong_level_are_both_told() {
        let (_, faults) = read(&[("AFTERSEND_LOG_LEVEL", "gateway=loud")]);
        assert!(faults.unwrap_err().to_string().contains("AFTERSEND_LOG_LEVEL"));
        let (_, faults) = read(&[("AFTERSEND_LOG_FORMAT", "xml")]);
        assert!(faults.unwrap_err().to_string().contains("wanted text or json"));
    }
}
