//! Format 1 of a stored customer. Postcard writes fields in the order of their declaration, without names. So
//! a field here never moves, changes its type or goes away: another layout is another format.

use serde::{Deserialize, Serialize};

use crate::domain::customer::{Customer, Mark};

/// This format's number, the first byte of each value.
pub(super) const FORMAT: u8 = 1;

/// A customer as format 1 stores it.
#[derive(Serialize, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct CustomerV1<'a> {
    revision: i64,
    last_email: Option<MarkV1<'a>>,
    bounce: Option<MarkV1<'a>>,
    clear: Option<MarkV1<'a>>,
    complaint: Option<MarkV1<'a>>,
    complaint_count: i64,
    unsubscribe: Option<MarkV1<'a>>,
    subscribe: Option<MarkV1<'a>>,
    click_at: Option<i64>,
    engaged_at: Option<i64>,
    tombstoned_ms: Option<i64>,
}

/// A mark as format 1 stores it.
#[derive(Serialize, Deserialize)]
struct MarkV1<'a> {
    at_ms: i64,
    event_id: &'a str,
    metric: &'a str,
    delivery_id: Option<&'a str>,
    token: Option<&'a str>,
}

impl<'a> From<Customer<'a>> for CustomerV1<'a> {
    fn from(customer: Customer<'a>) -> Self {
        let stored = |mark: Option<Mark<'a>>| mark.map(MarkV1::from);
        Self {
            revision: customer.revision,
            last_email: stored(customer.last_email),
            bounce: stored(customer.bounce),
            clear: stored(customer.clear),
            complaint: stored(customer.complaint),
            complaint_count: customer.complaint_count,
            unsubscribe: stored(customer.unsubscribe),
            subscribe: stored(customer.subscribe),
            click_at: customer.click_at,
            engaged_at: customer.engaged_at,
            tombstoned_ms: customer.tombstoned_ms,
        }
    }
}

impl<'a> From<CustomerV1<'a>> for Customer<'a> {
    fn from(stored: CustomerV1<'a>) -> Self {
        let mark = |stored: Option<MarkV1<'a>>| stored.map(Mark::from);
        Self {
            revision: stored.revision,
            last_email: mark(stored.last_email),
            bounce: mark(stored.bounce),
            clear: mark(stored.clear),
            complaint: mark(stored.complaint),
            complaint_count: stored.complaint_count,
            unsubscribe: mark(stored.unsubscribe),
            subscribe: mark(stored.subscribe),
            click_at: stored.click_at,
            engaged_at: stored.engaged_at,
            tombstoned_ms: stored.tombstoned_ms,
        }
    }
}

impl<'a> From<Mark<'a>> for MarkV1<'a> {
    fn from(mark: Mark<'a>) -> Self {
        let Mark { at_ms, event_id, metric, delivery_id, token } = mark;
        Self { at_ms, event_id, metric, delivery_id, token }
    }
}

impl<'a> From<MarkV1<'a>> for Mark<'a> {
    fn from(stored: MarkV1<'a>) -> Self {
        let MarkV1 { at_ms, event_id, metric, delivery_id, token } = stored;
        Self { at_ms, event_id, metric, delivery_id, token }
    }
}
