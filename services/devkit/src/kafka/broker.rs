use super::{Error, Node};
use std::path::Path;

/// The Kafka to use: an existing cluster, or a node that was started here.
#[derive(Debug)]
pub enum Broker {
    /// An existing cluster, by the bootstrap servers that the caller named. It is neither started nor stopped
    /// here.
    Existing(String),
    /// Started here, stopped when dropped.
    Own(Node),
}

impl Broker {
    /// Uses the cluster at `existing` (the value of `AFTERSEND_KAFKA`; blank counts as absent) without
    /// touching it, else starts a [`Node`] in `dir`.
    ///
    /// # Errors
    /// Those of [`Node::start`].
    pub fn obtain(existing: Option<&str>, dir: &Path, progress: &dyn Fn(&str)) -> Result<Broker, Error> {
        Broker::either(existing, progress, || Node::start(dir, progress))
    }

    /// As [`Broker::obtain`], with a [lasting](Node::start_lasting) node.
    ///
    /// # Errors
    /// Those of [`Node::start`].
    pub fn obtain_lasting(
        existing: Option<&str>,
        dir: &Path,
        progress: &dyn Fn(&str),
    ) -> Result<Broker, Error> {
        Broker::either(existing, progress, || Node::start_lasting(dir, progress))
    }

    fn either(
        existing: Option<&str>,
        progress: &dyn Fn(&str),
        start: impl FnOnce() -> Result<Node, Error>,
    ) -> Result<Broker, Error> {
        match existing.map(str::trim).filter(|servers| !servers.is_empty()) {
            Some(servers) => {
                progress(&format!("using the Kafka at {servers}"));
                Ok(Broker::Existing(servers.to_owned()))
            }
            None => start().map(Broker::Own),
        }
    }

    /// The bootstrap servers, `host:port`, comma-separated where there are several.
    #[must_use]
    pub fn bootstrap(&self) -> &str {
        match self {
            Broker::Existing(servers) => servers,
            Broker::Own(node) => node.bootstrap(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_existing_cluster_is_used_and_nothing_is_started() {
        let nowhere = Path::new("/proc/no/such/folder");
        let broker = Broker::obtain(Some(" kafka.test:9092 "), nowhere, &|_| ()).unwrap();
        assert_eq!(broker.bootstrap(), "kafka.test:9092");
        assert!(matches!(broker, Broker::Existing(_)));
    }
}
