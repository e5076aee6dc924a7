use super::rule::{Armed, Book, locked};
use super::{Action, Request};
use crate::kafka::wire::{Fields, read_frame};
use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a broker may take to accept.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// A client's connection and the connection to the broker for it, served by two threads.
///
/// While a request on which a rule acted is held or unanswered, the connection to the broker stays open,
/// whatever the client does.
#[derive(Debug)]
pub(super) struct Connection {
    node: usize,
    client: TcpStream,
    broker: TcpStream,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The client's side has ended. Only answers to requests on which a rule acted are still awaited.
    client_gone: bool,
    /// Correlation ids of requests whose answers a rule awaits.
    awaited: BTreeMap<i32, Arc<Armed>>,
}

impl Connection {
    /// Connects to the broker and starts both threads.
    pub(super) fn open(
        node: usize,
        client: TcpStream,
        broker: SocketAddr,
        book: Arc<Book>,
    ) -> io::Result<Arc<Connection>> {
        let broker = TcpStream::connect_timeout(&broker, CONNECT_MAX)?;
        client.set_nodelay(true)?;
        broker.set_nodelay(true)?;
        let connection = Arc::new(Connection { node, client, broker, state: Mutex::default() });
        let (forth, back) = (Arc::clone(&connection), Arc::clone(&connection));
        std::thread::spawn(move || forth.carry_requests(&book));
        std::thread::spawn(move || back.carry_answers());
        Ok(connection)
    }

    /// Ends the client's side, and the broker's side too unless a rule awaits an answer there.
    pub(super) fn cut(&self) {
        let mut state = locked(&self.state);
        state.client_gone = true;
        let _ = self.client.shutdown(Shutdown::Both);
        if state.awaited.is_empty() {
            let _ = self.broker.shutdown(Shutdown::Both);
        }
    }

    fn carry_requests(&self, book: &Book) {
        while let Ok(frame) = read_frame(&mut &self.client) {
            let Some(request) = Request::of_frame(self.node, &frame) else { break };
            if let Some(armed) = self.judge(&request, book) {
                match armed.action() {
                    Action::Drop => break,
                    Action::Delay(late) => std::thread::sleep(late),
                    Action::Hold => armed.await_release(),
                    Action::LoseReply | Action::ForgetTimes => {}
                }
            }
            if (&self.broker).write_all(&frame).is_err() || locked(&self.state).client_gone {
                break;
            }
        }
        self.cut();
    }

    /// The rule that acts on `request`. If the broker is to see the request, its connection outlives the
    /// client's from here on. That is recorded before a test can learn that the rule has acted, because the
    /// test may then cut the connection.
    fn judge(&self, request: &Request, book: &Book) -> Option<Arc<Armed>> {
        let mut state = locked(&self.state);
        let armed = book.judge(request)?;
        if armed.action() != Action::Drop {
            state.awaited.insert(request.correlation, Arc::clone(&armed));
        }
        Some(armed)
    }

    fn carry_answers(&self) {
        while let Ok(mut frame) = read_frame(&mut &self.broker) {
            let correlation = Fields::of_frame(&frame).int32();
            let awaited = correlation.and_then(|id| locked(&self.state).awaited.remove(&id));
            let action = awaited.as_ref().map(|armed| armed.action());
            let is_lost = action == Some(Action::LoseReply);
            if action == Some(Action::ForgetTimes) {
                forget_times(&mut frame);
            }
            // Record the answer before forwarding it: a test that saw the client succeed must find it
            // recorded.
            if let Some(armed) = awaited {
                armed.answered();
            }
            if is_lost || (&self.client).write_all(&frame).is_err() {
                self.cut();
            }
            let state = locked(&self.state);
            if state.client_gone && state.awaited.is_empty() {
                break;
            }
        }
        // The broker has ended the connection, or no rule awaits an answer any more.
        let _ = self.broker.shutdown(Shutdown::Both);
        self.cut();
    }
}

/// Puts -1 in the place of every number of 8 bytes that reads as a time of today, in Unix milliseconds.
fn forget_times(frame: &mut [u8]) {
    const DAY_MS: u128 = 86_400_000;
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis());
    for at in 0..frame.len().saturating_sub(7) {
        let Some(bytes) = frame.get_mut(at..at + 8) else { continue };
        let number = bytes.iter().fold(0, |number: u128, byte| (number << 8) | u128::from(*byte));
        if number.abs_diff(now_ms) < DAY_MS {
            bytes.fill(0xff);
        }
    }
}
