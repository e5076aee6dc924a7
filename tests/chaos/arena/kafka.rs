//! The Kafka of one run.

use std::sync::Arc;

use aftersend_tests::broker::Shared;
use devkit::kafka::Node;
use tempfile::TempDir;

/// What can be broken of it differs.
pub(crate) enum Kafka {
    /// The one that this binary's tests share: nobody breaks it.
    Shared(Arc<Shared>),
    /// One node of our own, to be killed.
    Node(Node, TempDir),
}

impl Kafka {
    /// The shared one.
    pub(crate) fn shared() -> Kafka {
        Kafka::Shared(Shared::obtain())
    }

    /// One node.
    pub(crate) fn node() -> Kafka {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let node = Node::start(folder.path(), &|_| ()).expect("Kafka starts");
        Kafka::Node(node, folder)
    }

    /// The way to it that nothing disturbs: for the judge, and for what writes to raw.
    pub(crate) fn direct(&self) -> Arc<Shared> {
        match self {
            Kafka::Shared(shared) => Arc::clone(shared),
            Kafka::Node(node, _) => Shared::at(node.bootstrap()),
        }
    }

    /// Where processors connect.
    pub(crate) fn bootstrap(&self) -> String {
        self.direct().bootstrap().to_owned()
    }
}
