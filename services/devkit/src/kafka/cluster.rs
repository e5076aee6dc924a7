use super::node::{launch_together, start_together};
use super::{Error, Node, Proxy, VERSION, jars};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Several nodes that are one cluster, with a [`Proxy`] in front of each, so that a test can break it as a
/// whole or in parts. Each node is broker and controller. Of three nodes, one may be down.
///
/// Dropping it kills the nodes. What they acknowledged is in the system's page cache and survives.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Node>,
    proxy: Arc<Proxy>,
    bootstrap: String,
}

impl Cluster {
    /// Starts `count` nodes (1 or 3; an even number gains nothing) in `dir/node-1`, `dir/node-2`, …, and
    /// returns when all serve. A topic made without a replication factor has a copy on each. Used folders
    /// keep their data, with the same number of nodes. Three nodes take about 5 s, and 350 MB each.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub fn start(dir: &Path, count: usize, progress: &dyn Fn(&str)) -> Result<Cluster, Error> {
        let jars = jars(&crate::cache_dir(), progress)?;
        let began = Instant::now();
        progress(&format!("starting Kafka {VERSION}, {count} nodes, in {}", dir.display()));
        let proxy = Proxy::bind(count)?;
        let claimed = (1..=count).map(|id| Node::claim(&dir.join(format!("node-{id}")), jars.clone()));
        let mut nodes = claimed.collect::<Result<Vec<Node>, Error>>()?;
        start_together(&mut nodes, Some(&proxy))?;
        let bootstrap = nodes.iter().map(Node::bootstrap).collect::<Vec<_>>().join(",");
        progress(&format!("Kafka serves on {bootstrap} after {:.1} s", began.elapsed().as_secs_f64()));
        Ok(Cluster { nodes, proxy: Arc::new(proxy), bootstrap })
    }

    /// Every node's own address, past the proxy, for the verification of a test.
    #[must_use]
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// The proxies between the nodes and the clients that start from [`Proxy::bootstrap`].
    #[must_use]
    pub fn proxy(&self) -> &Arc<Proxy> {
        &self.proxy
    }

    /// The nodes, to be killed, stopped, paused and restarted one by one. The proxy's links have the same
    /// order.
    pub fn nodes(&mut self) -> &mut [Node] {
        &mut self.nodes
    }

    /// Starts every node that does not run, and returns when all serve. After a majority was killed, the
    /// nodes must start together, because each waits for the others.
    ///
    /// # Errors
    /// As [`Node::restart`].
    pub fn restart(&mut self) -> Result<(), Error> {
        launch_together(&mut self.nodes)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.nodes.iter_mut().for_each(Node::kill);
    }
}
