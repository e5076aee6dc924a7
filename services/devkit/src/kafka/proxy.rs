//! A proxy in front of each broker of a [`Cluster`](super::Cluster). It parses Kafka's requests, so that a
//! test can lose or delay exactly the request that it chooses.
//!
//! A client that starts from [`Proxy::bootstrap`] stays behind the proxy: each broker has a second listener,
//! and names the proxy's port as that listener's address. Only plaintext is understood.
//!
//! ```text
//! arm(Rule) ─▶ Strike      what shall happen to which request, and that it has
//! Link::cut                connections end; new ones come
//! Link::part, Link::join   no way to this broker, until there is one again
//! ```

mod connection;
mod link;
mod request;
mod rule;

pub use link::Link;
pub use request::{Api, Request};
pub use rule::{Action, Rule, Strike};

use super::{Error, port};
use rule::Book;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// The proxies of a cluster, one per broker, with one set of rules. Dropping it ends them.
#[derive(Debug)]
pub struct Proxy {
    links: Vec<Link>,
    book: Arc<Book>,
    bootstrap: String,
}

impl Proxy {
    pub(super) fn bind(count: usize) -> Result<Proxy, Error> {
        let listeners = port::listeners(count)?;
        let addresses: Vec<String> = listeners
            .iter()
            .map(|listener| format!("{}:{}", Ipv4Addr::LOCALHOST, port::of(listener)))
            .collect();
        let book = Arc::<Book>::default();
        let open = |(index, listener)| Link::open(index, listener, Arc::clone(&book));
        let links = listeners.into_iter().enumerate().map(open).collect();
        Ok(Proxy { links, book, bootstrap: addresses.join(",") })
    }

    /// Where clients connect to have the proxy between them and the brokers, `127.0.0.1:port`,
    /// comma-separated.
    #[must_use]
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// The links to the brokers, in the order of the nodes.
    #[must_use]
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// Makes `rule` act from now on, until it has acted as often as it may, or the returned [`Strike`] is
    /// dropped. If several rules match a request, the one that was armed first acts.
    pub fn arm(&self, rule: Rule) -> Strike {
        Strike::arm(&self.book, rule)
    }

    /// How many requests of this kind clients have sent, delivered or not.
    #[must_use]
    pub fn requests(&self, api: Api) -> u64 {
        self.book.requests(api)
    }

    /// [`Link::cut`] for every broker.
    pub fn cut(&self) {
        self.links.iter().for_each(Link::cut);
    }

    /// [`Link::part`] for every broker.
    pub fn part(&self) {
        self.links.iter().for_each(Link::part);
    }

    /// [`Link::join`] for every broker.
    pub fn join(&self) {
        self.links.iter().for_each(Link::join);
    }
}
