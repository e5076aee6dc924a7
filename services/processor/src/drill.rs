//! Crash drills: the process stands still at a chosen point of the commit protocol, so that a test, or an
//! operator on a staging cluster, can kill it exactly there.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use settings::Value;
use tracing::error;

/// How often a thread that stands still checks whether its marker file is gone.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A point of the commit protocol, or of the life around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// After T0.
    Begun,
    /// After T2: every record is queued.
    Sent,
    /// After T3: every record is in the log.
    Flushed,
    /// After T4.
    OffsetsSent,
    /// After T5: committed, and nothing is on disk.
    Committed,
    /// After one partition of T6.
    Applied,
    /// In doubt, with a new producer, before the committed offsets are read.
    Doubted,
    /// A store was wiped, and nothing is restored yet.
    Wiped,
    /// A restore has written a partition's customers to disk, and not its ids.
    Halfway,
    /// A partition is restored, and no worker has it yet.
    Restored,
    /// A worker has a partition, and does not read it yet.
    Starting,
    /// Workers have let go of partitions, and no other member may have them yet.
    Revoked,
    /// The process is asked to stop, and still holds every partition.
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

/// A drill, or none. Clones share it.
#[derive(Debug, Clone)]
pub struct Drill {
    order: Option<Order>,
    passed: Arc<AtomicU64>,
}

impl Drill {
    /// Carries out `order`. Without an order, every point is passed.
    #[must_use]
    pub fn new(order: Option<Order>) -> Self {
        Self { order, passed: Arc::default() }
    }

    /// Passes `point`. At the nth time of the ordered point, makes the marker file and stands still for as
    /// long as the file exists. The test that ordered the drill sees the file. It kills the process, or
    /// removes the file to let a zombie continue.
    pub fn reached(&self, point: Point) {
        let Some(order) = self.order.as_ref().filter(|order| order.point == point) else { return };
        if self.passed.fetch_add(1, Ordering::Relaxed) + 1 == order.nth {
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
