//! What the vendor writes into `failure_message`: free text, and the only sign of a bounce's kind.

use super::funnel::Channel;
use crate::customerio::population::dice::Dice;

/// A text for that metric of that channel. Some name the recipient, as mail servers do.
pub(super) fn message(channel: Channel, metric: &str, recipient: &str, dice: &mut Dice) -> String {
    dice.one_of(messages(channel, metric)).replace("{recipient}", recipient)
}

fn messages(channel: Channel, metric: &str) -> &'static [&'static str] {
    match (channel, metric) {
        (Channel::Email, "bounced") => EMAIL_BOUNCES,
        (Channel::Email, "deferred" | "attempted") => EMAIL_DELAYS,
        (Channel::Email, "dropped") => &["suppressed", "Not delivering to previously bounced address"],
        (Channel::Email | Channel::Slack, "failed") => {
            &["Variable 'customer.plan' is missing", "value passed for channel was invalid"]
        }
        (Channel::Push, "bounced" | "dropped") => &["Unregistered", "BadDeviceToken", "NotRegistered"],
        (Channel::Push, _) => &["NoDevicesSynced", "PayloadTooLarge"],
        (Channel::Sms | Channel::Whatsapp, "bounced") => &["unreachable", "30003: unreachable handset"],
        (Channel::Sms | Channel::Whatsapp, "dropped") => &["suppressed", "21610: recipient opted out"],
        (Channel::Sms | Channel::Whatsapp, "failed" | "attempted") => {
            &["Provider error 21408: no permission for that region", "authentication failed"]
        }
        (Channel::Webhook, "failed" | "attempted") => &["HTTP 404 Not Found []", "HTTP 503 []"],
        _ => &["message limit reached", "newsletter cancelled", "delivery disabled in this workspace"],
    }
}

/// Faults of the recipient, of the recipient's domain, of the sender, of the content, and one unknown.
const EMAIL_BOUNCES: &[&str] = &[
    "550 5.1.1 <{recipient}>: user unknown in virtual mailbox table",
    "550 5.1.1 The email account that you tried to reach does not exist",
    "550 5.5.0 Requested action not taken: mailbox unavailable",
    "smtp; 550 5.2.1 the account {recipient} is disabled",
    "552 5.2.2 mailbox full",
    "452 4.2.2 over quota, try again later",
    "554 5.7.1 message refused because of its content",
    "550 5.7.26 sender is not authenticated: neither SPF nor DKIM passed",
    "554 5.7.1 client host is on a block list",
    "512 5.1.2 domain not found",
    "the message could not be handed over",
];

const EMAIL_DELAYS: &[&str] = &[
    "421 4.7.0 too many messages from this host, slow down",
    "451 4.7.1 greylisted, come back in five minutes",
    "452 4.2.2 over quota, try again later",
    "connection timed out",
];
