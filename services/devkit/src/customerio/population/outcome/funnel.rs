//! How a delivery goes: the metrics it passes through, in order, and how often each way is taken.

use Channel::{Customer, Email, InApp, Inbox, Push, Slack, Sms, Webhook, Whatsapp};
use Step::{Message as M, Person as P};

/// What a message goes through; `Customer` is none: the person changed a preference.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Channel {
    Email,
    Push,
    InApp,
    Sms,
    Whatsapp,
    Slack,
    Webhook,
    /// A channel that the vendor has and its webhook specification doesn't mention: receivers must not mind.
    Inbox,
    Customer,
}

impl Channel {
    /// The wire's `object_type`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Email => "email",
            Push => "push",
            InApp => "in_app",
            Sms => "sms",
            Whatsapp => "whatsapp",
            Slack => "slack",
            Webhook => "webhook",
            Inbox => "inbox",
            Customer => "customer",
        }
    }
}

/// One event on a delivery's way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// Something became of the message.
    Message(&'static str),
    /// The person changed a subscription, because of the message or without one.
    Person(&'static str),
}

/// One way a delivery can go.
#[derive(Debug)]
pub(super) struct Path {
    pub(super) channel: Channel,
    /// How often, relative to all others.
    pub(super) weight: usize,
    pub(super) steps: &'static [Step],
}

/// Seconds between a step and the one before: at least, at most. The longest path stays below three days.
pub(super) fn gap_s(step: Step) -> (i64, i64) {
    match step {
        M("sent") => (0, 120),
        M("delivered") => (0, 30),
        M("deferred") => (60, 900),
        M("bounced") => (0, 7_200),
        M("opened") => (5, 43_200),
        M("clicked") => (0, 600),
        M("converted") => (60, 7_200),
        M("spammed") => (60, 40_000),
        M("unsubscribed" | "replied") => (5, 3_600),
        P("subscribed") => (600, 43_200),
        P(_) => (0, 30),
        M(_) => (0, 60),
    }
}

const fn path(channel: Channel, weight: usize, steps: &'static [Step]) -> Path {
    Path { channel, weight, steps }
}

/// Every way. E-mail makes up four fifths of the weight, as in most workspaces.
#[rustfmt::skip]
pub(super) const PATHS: &[Path] = &[
    path(Email, 260, &[M("sent"), M("delivered")]),
    path(Email, 200, &[M("sent"), M("delivered"), M("opened")]),
    path(Email, 100, &[M("sent"), M("delivered"), M("opened"), M("clicked")]),
    path(Email,  40, &[M("sent"), M("delivered"), M("opened"), M("opened"), M("clicked"), M("clicked")]),
    path(Email,  30, &[M("drafted"), M("sent"), M("delivered"), M("opened"), M("clicked"), M("converted")]),
    path(Email,  20, &[M("attempted"), M("sent"), M("delivered")]),
    path(Email,  20, &[M("sent"), M("deferred"), M("delivered"), M("opened")]),
    path(Email,  40, &[M("sent"), M("bounced")]),
    path(Email,  15, &[M("sent"), M("deferred"), M("deferred"), M("bounced")]),
    path(Email,  12, &[M("sent"), M("delivered"), M("spammed")]),
    path(Email,   6, &[M("sent"), M("delivered"), M("opened"), M("spammed"), M("unsubscribed")]),
    path(Email,  15, &[M("sent"), M("delivered"), M("opened"), M("clicked"), M("unsubscribed")]),
    path(Email,  12, &[M("sent"), M("delivered"), M("unsubscribed"), P("unsubscribed")]),
    path(Email,   8, &[M("sent"), M("delivered"), M("unsubscribed"), P("unsubscribed"), P("subscribed")]),
    path(Email,   6, &[M("sent"), M("delivered"), P("cio_subscription_preferences_changed")]),
    path(Email,  20, &[M("dropped")]),
    path(Email,   5, &[M("drafted"), M("attempted"), M("failed")]),
    path(Email,   5, &[M("undeliverable")]),

    path(Push, 25, &[M("sent"), M("delivered"), M("opened")]),
    path(Push, 15, &[M("drafted"), M("sent"), M("delivered"), M("opened"), M("clicked"), M("converted")]),
    path(Push, 10, &[M("sent"), M("bounced")]),
    path(Push,  5, &[M("dropped")]),
    path(Push,  3, &[M("attempted"), M("failed")]),
    path(Push,  3, &[M("undeliverable")]),

    path(InApp, 15, &[M("drafted"), M("sent"), M("opened"), M("clicked"), M("converted")]),
    path(InApp, 15, &[M("sent"), M("opened")]),
    path(InApp,  3, &[M("attempted"), M("failed")]),
    path(InApp,  3, &[M("undeliverable")]),

    path(Sms, 20, &[M("sent"), M("delivered")]),
    path(Sms, 10, &[M("drafted"), M("sent"), M("delivered"), M("clicked"), M("converted")]),
    path(Sms,  4, &[M("sent"), M("delivered"), M("replied")]),
    path(Sms,  5, &[M("sent"), M("bounced")]),
    path(Sms,  3, &[M("dropped")]),
    path(Sms,  3, &[M("attempted"), M("failed")]),
    path(Sms,  3, &[M("undeliverable")]),

    path(Whatsapp, 10, &[M("drafted"), M("sent"), M("delivered"), M("opened"), M("clicked"), M("converted")]),
    path(Whatsapp,  4, &[M("sent"), M("delivered"), M("opened"), M("replied")]),
    path(Whatsapp,  4, &[M("sent"), M("bounced")]),
    path(Whatsapp,  3, &[M("dropped")]),
    path(Whatsapp,  3, &[M("attempted"), M("failed")]),
    path(Whatsapp,  3, &[M("undeliverable")]),

    path(Slack, 5, &[M("drafted"), M("sent"), M("clicked"), M("converted")]),
    path(Slack, 3, &[M("attempted"), M("failed")]),
    path(Slack, 3, &[M("undeliverable")]),

    path(Webhook, 5, &[M("drafted"), M("sent"), M("clicked"), M("converted")]),
    path(Webhook, 3, &[M("attempted"), M("failed")]),
    path(Webhook, 3, &[M("undeliverable")]),

    path(Inbox, 3, &[M("sent"), M("opened")]),

    path(Customer, 15, &[P("unsubscribed")]),
    path(Customer, 10, &[P("unsubscribed"), P("subscribed")]),
    path(Customer, 10, &[P("subscribed")]),
    path(Customer, 12, &[P("cio_subscription_preferences_changed")]),
];

/// The path at that point of the summed weights.
pub(super) fn path_at(mut point: usize) -> &'static Path {
    PATHS
        .iter()
        .find(|path| {
            let found = point < path.weight;
            point = point.saturating_sub(path.weight);
            found
        })
        .unwrap_or(&PATHS[0])
}

/// The sum of all weights.
pub(super) fn weight_total() -> usize {
    PATHS.iter().map(|path| path.weight).sum()
}
