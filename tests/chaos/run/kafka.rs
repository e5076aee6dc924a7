//! The Kafka of one run.

use std::sync::Arc;

use aftersend_tests::broker::Shared;
use devkit::kafka::{Cluster, Node, Proxy};
use tempfile::TempDir;

/// What can be broken of it differs.
pub(crate) enum Kafka {
    /// The one that this binary's tests share: no test breaks it.
    Shared(Arc<Shared>),
    /// One of our own, to be killed, with a proxy in front of each node.
    Own { cluster: Cluster, _folder: TempDir },
}

impl Kafka {
    /// The shared one.
    pub(crate) fn shared() -> Kafka {
        Kafka::Shared(Shared::obtain())
    }

    /// So many nodes of our own.
    pub(crate) fn own(nodes: usize) -> Kafka {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let cluster = Cluster::start(folder.path(), nodes, &|_| ()).expect("Kafka starts");
        Kafka::Own { cluster, _folder: folder }
    }

    /// The way to it that nothing disturbs: for the judge, and for what writes to raw.
    pub(crate) fn direct(&self) -> Arc<Shared> {
        match self {
            Kafka::Shared(shared) => Arc::clone(shared),
            Kafka::Own { cluster, .. } => Shared::at(cluster.bootstrap()),
        }
    }

    /// Where processors connect.
    pub(crate) fn bootstrap(&self) -> String {
        match self {
            Kafka::Shared(shared) => shared.bootstrap().to_owned(),
            Kafka::Own { cluster, .. } => cluster.proxy().bootstrap().to_owned(),
        }
    }

    /// How many nodes may be broken.
    pub(crate) fn breakable(&self) -> usize {
        match self {
            Kafka::Shared(_) => 0,
            Kafka::Own { cluster, .. } => cluster.proxy().links().len(),
        }
    }

    /// What stands between it and the processors.
    pub(crate) fn proxy(&self) -> Arc<Proxy> {
        let Kafka::Own { cluster, .. } = self else { unreachable!("nobody breaks the shared Kafka") };
        Arc::clone(cluster.proxy())
    }

    /// A node.
    pub(crate) fn node(&mut self, number: usize) -> &mut Node {
        let Kafka::Own { cluster, .. } = self else { unreachable!("nobody breaks the shared Kafka") };
        &mut cluster.nodes()[number]
    }
}
