use super::Error;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;

/// Below this live the well-known services of a developer's machine.
const LOWEST: u16 = 10_000;
const ATTEMPTS: u32 = 200;

/// As many listeners on 127.0.0.1, each on a port of its own outside the kernel's range for outgoing
/// connections: a port inside it can be given to a client while its broker is down, even to the one that is
/// calling that broker.
pub(super) fn listeners(count: usize) -> Result<Vec<TcpListener>, Error> {
    let range =
        listening_range(&fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default());
    // Each is held while the next is looked for, so that they differ.
    (0..count).map(|_| listener(&range)).collect()
}

/// `count` different ports of 127.0.0.1 on which nobody listens, for a program that will.
///
/// # Errors
/// If no free port is found.
pub fn free(count: usize) -> Result<Vec<u16>, Error> {
    Ok(listeners(count)?.iter().map(of).collect())
}

/// The port that a listener has.
pub(super) fn of(listener: &TcpListener) -> u16 {
    listener.local_addr().map(|address| address.port()).unwrap_or_default()
}

fn listener(range: &Range<u16>) -> Result<TcpListener, Error> {
    (0..ATTEMPTS)
        .find_map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, rand::random_range(range.clone()))).ok())
        .ok_or_else(|| Error::NoPort { range: range.clone() })
}

/// The ports up to the kernel's first ephemeral one; where that leaves too little, those after Linux's
/// default.
fn listening_range(ephemeral: &str) -> Range<u16> {
    let first = ephemeral.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(32_768);
    if first >= LOWEST + 1_000 { LOWEST..first } else { LOWEST..32_768 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_lie_below_the_range_of_outgoing_connections() {
        assert_eq!(listening_range("32768\t60999\n"), 10_000..32_768);
        assert_eq!(listening_range("20000 65000"), 10_000..20_000);
        assert_eq!(listening_range("1024 65000"), 10_000..32_768);
        assert_eq!(listening_range(""), 10_000..32_768);
    }

    #[test]
    fn a_taken_port_is_not_given_out() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(matches!(listener(&(of(&taken)..of(&taken) + 1)), Err(Error::NoPort { .. })));
    }
}
