//! Crash drills: a process that stops dead at a chosen point of the commit protocol, so that a test, or an operator on
//! a staging cluster, can kill it exactly there.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use settings::Value;
use tracing::error;

/// How often a thread that stands still looks whether its marker is gone.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A point of the commit protocol, or of the life around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// After T0.
    Begun,
    /// After T2: everything queued.
    Sent,
    /// After T3: everything in the log.
    Flushed,
    /// After T4.
    OffsetsSent,
    /// After T5: committed, nothing on disk.
    Committed,
    /// After one partition of T6.
    Applied,
    /// In doubt, with a new producer, before the outcome is asked for.
    Doubted,
    /// A store was wiped, and nothing is restored yet.
    Wiped,
    /// A restore has a partition's customers on disk, and not its ids.
    Halfway,
    /// A partition is restored, and no worker has it yet.
    Restored,
    /// A worker has a partition, and doesn't read it yet.
    Starting,
    /// Workers have let go of partitions, and nobody else may have them yet.
    Revoked,
    /// Asked to stop, everything still held.
    Stopping,
}

impl Point {
    const NAMED: [(&'static str, Self); 13] = [
        ("begun", Self::Begun),
        ("sent", Self::Sent),
        ("flushed", Self::Flushed),
        ("offsets_sent", Self::OffsetsSent),
        ("committed", Self::Committed),
        ("applied", Self::Applied),
        ("doubted", Self::Doubted),
        ("wiped", Self::Wiped),
        ("halfway", Self::Halfway),
        ("restored", Self::Restored),
        ("starting", Self::Starting),
        ("revoked", Self::Revoked),
        ("stopping", Self::Stopping),
    ];
}

/// What `processor.drill` asks for: `POINT:N:FILE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    point: Point,
    nth: u64,
    marker: PathBuf,
}

impl Value for Order {
    const SHAPE: &'static str = "POINT:N:FILE, such as committed:3:/tmp/reached";

    fn parse(text: &str) -> Result<Self, String> {
        let mut parts = text.splitn(3, ':');
        let (point, nth, marker) = (parts.next(), parts.next(), parts.next());
        let named = Point::NAMED.iter().find(|(name, _)| Some(*name) == point);
        let (_, point) = named.ok_or_else(|| {
            let names: Vec<&str> = Point::NAMED.iter().map(|(name, _)| *name).collect();
            format!("POINT is none of {}", names.join(", "))
        })?;
        let nth =
            nth.and_then(|nth| nth.parse().ok()).filter(|nth| *nth > 0).ok_or("N is no positive number")?;
        let marker = marker.filter(|marker| !marker.is_empty()).ok_or("FILE is missing")?;
        Ok(Self { point: *point, nth, marker: PathBuf::from(marker) })
    }
}

/// A drill under way, or none. Clones share it.
#[derive(Debug, Clone)]
pub struct Drill {
    order: Option<Order>,
    met: Arc<AtomicU64>,
}

impl Drill {
    /// Carries `order` out; without one, every point is passed.
    #[must_use]
    pub fn new(order: Option<Order>) -> Self {
        Self { order, met: Arc::default() }
    }

    /// Passes `point`. At the nth time of the ordered one, makes the marker file and stands still for as long as it is there:
    /// whoever ordered it sees the file and kills, or takes it away to let a zombie go on.
    pub fn reached(&self, point: Point) {
        let Some(order) = self.order.as_ref().filter(|order| order.point == point) else { return };
        if self.met.fetch_add(1, Ordering::Relaxed) + 1 == order.nth {
            error!(?point, nth = order.nth, "crash drill: standing still");
            if let Err(error) = std::fs::write(&order.marker, format!("{point:?}")) {
                error!(%error, "marker of the crash drill not written");
            }
            while order.marker.exists() {
                std::thread::park_timeout(LOOK_EVERY);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_names_what_is_wrong_with_it() {
        assert!(Order::parse("committed:3:/tmp/x").is_ok());
        for wrong in ["nowhere:1:/x", "begun:0:/x", "begun:x:/x", "begun:1", "begun:1:"] {
            assert!(Order::parse(wrong).is_err(), "{wrong}");
        }
    }
}
