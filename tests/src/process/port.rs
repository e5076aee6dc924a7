use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below these live well-known services; above them the kernel picks ports for outgoing connections, and one
/// of those can take a server's port while it is down.
const PORTS: std::ops::Range<u16> = 10_000..32_000;

/// An address on loopback that nobody listens on, and that nobody else in this process was given.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn free() -> SocketAddr {
    static HANDED_OUT: AtomicU16 = AtomicU16::new(0);
    // Test binaries that run side by side begin far from each other.
    let begin = std::process::id().wrapping_mul(97);
    let count = u32::from(PORTS.end - PORTS.start);
    (0..count)
        .map(|_| {
            let step = u32::from(HANDED_OUT.fetch_add(1, Ordering::Relaxed));
            let port = begin.wrapping_add(step) % count + u32::from(PORTS.start);
            SocketAddr::from((Ipv4Addr::LOCALHOST, u16::try_from(port).expect("within the range")))
        })
        .find(|address| TcpListener::bind(address).is_ok())
        .expect("a port is free")
}
