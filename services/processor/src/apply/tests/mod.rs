//! Records are applied on a real RocksDB. Each test commits what comes out as the processor would, or drops
//! it.

use std::cell::Cell;

use webhook::event::Event;

mod bound;
mod dead_letter;
mod effect;
mod split;
mod timing;
mod world;

thread_local! {
    /// The metric on whose events the code panics, while a test has planted that fault.
    static PLANTED: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// Panics where a test has planted a fault for this event.
pub(super) fn panic_if_planted(event: &Event<'_>) {
    assert!(PLANTED.get() != Some(&*event.metric), "a planted fault");
}

/// Plants a fault on all events of `metric` in this thread while `work` runs.
fn with_fault_on<T>(metric: &'static str, work: impl FnOnce() -> T) -> T {
    PLANTED.set(Some(metric));
    let result = work();
    PLANTED.set(None);
    result
}
