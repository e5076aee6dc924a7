use super::connection::Connection;
use super::rule::{Book, locked};
use crate::kafka::port;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, Weak};
use std::thread::JoinHandle;

/// The link between all clients and one broker. While the broker is down, connections end as soon as they are
/// made.
#[derive(Debug)]
pub struct Link {
    port: u16,
    state: Arc<Mutex<State>>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct State {
    /// Where the broker listens for us.
    broker: u16,
    parted: bool,
    ended: bool,
    connections: Vec<Weak<Connection>>,
}

impl Link {
    pub(super) fn open(node: usize, listener: TcpListener, book: Arc<Book>) -> Link {
        let (port, state) = (port::of(&listener), Arc::<Mutex<State>>::default());
        let shared = Arc::clone(&state);
        let accept = move || {
            for client in listener.incoming().map_while(Result::ok) {
                if !admit(&shared, node, client, &book) {
                    break;
                }
            }
        };
        Link { port, state, accepting: Some(std::thread::spawn(accept)) }
    }

    /// Makes the link lead to this port of the broker. Returns the link's own port.
    pub(in crate::kafka) fn lead_to(&self, broker: u16) -> u16 {
        locked(&self.state).broker = broker;
        self.port
    }

    /// Ends all connections between clients and this broker. New ones are accepted. A request that a rule
    /// holds is still delivered when it is released.
    pub fn cut(&self) {
        locked(&self.state).cut();
    }

    /// As [`Self::cut`], and new connections end at once, until [`Self::join`]: a network partition between
    /// clients and this broker, which the other brokers do not notice.
    pub fn part(&self) {
        let mut state = locked(&self.state);
        state.parted = true;
        state.cut();
    }

    /// Ends a partition.
    pub fn join(&self) {
        locked(&self.state).parted = false;
    }
}

impl State {
    fn cut(&mut self) {
        let connections = std::mem::take(&mut self.connections);
        connections.iter().filter_map(Weak::upgrade).for_each(|connection| connection.cut());
    }
}

/// Serves or refuses a client. Returns false if the link has ended. Runs under the lock, so that no
/// connection slips through while the link is being parted.
fn admit(state: &Mutex<State>, node: usize, client: TcpStream, book: &Arc<Book>) -> bool {
    let mut state = locked(state);
    if !state.parted && !state.ended {
        let broker = SocketAddr::from((Ipv4Addr::LOCALHOST, state.broker));
        if let Ok(connection) = Connection::open(node, client, broker, Arc::clone(book)) {
            state.connections.retain(|known| known.strong_count() > 0);
            state.connections.push(Arc::downgrade(&connection));
        }
    }
    !state.ended
}

impl Drop for Link {
    fn drop(&mut self) {
        {
            let mut state = locked(&self.state);
            state.ended = true;
            state.cut();
        }
        // The accepting thread waits for a client, so connect once.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}
